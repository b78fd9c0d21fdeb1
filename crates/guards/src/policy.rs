//! What everything that was seen comes to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use lull_types::{ActiveTrip, Cause, DataMoved, Guard, GuardRules, GuardState, PauseUntil, Trip, UnixMillis};

use crate::data_use::{DataMonth, DataRoom, DataUse};
use crate::hours::{Stretch, stretch};
use crate::{Before, Judgement, Observation, Pace, judge};

/// How long all guards must have been clear before work resumes: a minute. Loading screens, changes of the map
/// and a look at the desktop are shorter, and work that comes and goes with them would be felt.
pub const RESUME_DELAY: Duration = Duration::from_secs(60);

/// What the guards come to for one device at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Why the device must be free; empty when it need not be.
    pub causes: Vec<Cause>,
    /// The earliest instant at which it can be used again, if nothing new happens. `None` when it is clear
    /// now, and when that is not known.
    pub clear_at: Option<UnixMillis>,
    /// When the causes change by themselves; ask again then.
    pub changes_at: Option<UnixMillis>,
}

impl Stand {
    /// Whether the device may be used.
    pub fn is_clear(&self) -> bool {
        self.causes.is_empty()
    }

    /// Whether work that was begun may go on: a cap of data holds back only what would move more.
    pub fn lets_finish(&self) -> bool {
        self.causes.iter().all(|cause| match cause {
            Cause::Guard(held) => held.trip.guard() == Guard::DataCap,
            Cause::Paused { .. } | Cause::ResumeDelay { .. } => false,
        })
    }
}

/// What something is about: one device, or `None` for the whole machine.
type Scope = Option<u32>;

/// What was seen so far, and what the contributor wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where the contributor's clock stands.
    zone: TimeZone,
    rules: GuardRules,
    pauses: BTreeMap<Scope, PauseUntil>,
    /// The last of each guard, so that a change of the rules counts at once.
    seen: BTreeMap<(Guard, Scope), Observation>,
    /// Some of them may be over by now.
    tripped: BTreeMap<(Guard, Scope), ActiveTrip>,
    /// When the last of the tripped guards cleared.
    cleared_at: BTreeMap<Scope, UnixMillis>,
    /// When a device was last resumed by itself.
    resumed_at: BTreeMap<u32, UnixMillis>,
    /// Devices whose boards hold themselves to the contributor's limit of power.
    limited_by_board: BTreeSet<u32>,
    /// How fast each device works for a guard that slows it before it stops it.
    paces: BTreeMap<(Guard, u32), Pace>,
    /// The plan of hours around the instant at which it was last looked at.
    hours: Option<Stretch>,
    /// What has moved, whether a cap is wanted or not: one that comes to be wanted in the middle of a month counts all of it.
    data: DataUse,
}

impl Policy {
    /// Nothing was seen yet; the contributor's clock is that of `zone`.
    pub fn new(zone: TimeZone) -> Self {
        Self {
            zone,
            rules: GuardRules::default(),
            pauses: BTreeMap::new(),
            seen: BTreeMap::new(),
            tripped: BTreeMap::new(),
            cleared_at: BTreeMap::new(),
            resumed_at: BTreeMap::new(),
            limited_by_board: BTreeSet::new(),
            paces: BTreeMap::new(),
            hours: None,
            data: DataUse::default(),
        }
    }

    /// Takes in what a probe saw.
    pub fn observe(&mut self, seen: Observation, now: UnixMillis) {
        let key = (seen.guard(), seen.device());
        self.slow(&seen, now);
        let judgement = judge(&self.rules, &seen, self.before(key, now));
        self.seen.insert(key, seen);
        self.set(key, judgement, now);
    }

    fn before(&self, key: (Guard, Scope), now: UnixMillis) -> Before<'_> {
        let pace = key.1.and_then(|device| self.paces.get(&(key.0, device)));
        Before { held: self.tripped.get(&key), strained: pace.is_some_and(|pace| pace.is_strained(now)) }
    }

    /// What was seen may slow a device, or let it work faster again.
    fn slow(&mut self, seen: &Observation, now: UnixMillis) {
        let (guard, Some(device)) = (seen.guard(), seen.device()) else { return };
        let pace = self.paces.get(&(guard, device)).copied().unwrap_or_default();
        let pace = match seen {
            Observation::Heat { at, .. } => pace.for_heat(&self.rules, *at, now),
            Observation::Draw { at, .. } => {
                pace.for_draw(&self.rules, *at, self.limited_by_board.contains(&device), now)
            }
            _ => return,
        };
        self.paces.insert((guard, device), pace);
    }

    /// Which devices have boards that hold themselves to the contributor's limit of power.
    pub fn limited_by_board(&mut self, devices: BTreeSet<u32>) {
        self.limited_by_board = devices;
    }

    /// How fast a device may work, in per cent of the time.
    pub fn pace(&self, device: u32) -> u8 {
        let of_device = self.paces.iter().filter(|((_, of), _)| *of == device);
        of_device.map(|(_, pace)| pace.percent).min().unwrap_or(100)
    }

    /// A probe can tell no more. What nobody sees holds nothing free for ever.
    pub fn lose_sight(&mut self, guard: Guard, now: UnixMillis) {
        let keys: BTreeSet<_> =
            self.seen.keys().chain(self.tripped.keys()).filter(|(of, _)| *of == guard).copied().collect();
        self.paces.retain(|(of, _), _| *of != guard);
        for key in keys {
            self.seen.remove(&key);
            self.set(key, None, now);
        }
    }

    /// Which guards are wanted from now on.
    pub fn follow(&mut self, rules: GuardRules, now: UnixMillis) {
        self.rules = rules;
        self.hours = None;
        self.look_at_data(now);
        self.paces.retain(|(guard, _), _| self.rules.wants(*guard));
        let keys: BTreeSet<_> = self.seen.keys().chain(self.tripped.keys()).copied().collect();
        for key in keys {
            let before = self.before(key, now);
            let was_held = before.held.is_some();
            let judgement = self.seen.get(&key).and_then(|seen| judge(&self.rules, seen, before));
            self.set(key, judgement, now);
            // Who turns a guard off wants work now, as who resumes by hand.
            let (guard, scope) = key;
            if was_held && !self.rules.wants(guard) && !self.is_delayed(scope, now) {
                self.cleared_at.remove(&scope);
            }
        }
    }

    fn set(&mut self, key: (Guard, Scope), judgement: Option<Judgement>, now: UnixMillis) {
        let (guard, scope) = key;
        match judgement {
            Some(Judgement { trip, until }) => {
                let held = self.tripped.get(&key).filter(|held| is_active(held, now));
                let since = held.map_or(now, |held| held.since.min(now));
                self.tripped.insert(key, ActiveTrip { trip, since, until });
                if guard.has_resume_delay() {
                    self.cleared_at.remove(&scope);
                }
            }
            None => {
                // What has ended by the clock has freed the device then; work that has begun since goes on.
                let was_held = self.tripped.remove(&key).is_some_and(|held| is_active(&held, now));
                if was_held && guard.has_resume_delay() && !self.is_delayed(scope, now) {
                    self.cleared_at.insert(scope, now);
                }
            }
        }
    }

    /// Whether a guard is tripped there after which work waits for a while.
    fn is_delayed(&self, scope: Scope, now: UnixMillis) -> bool {
        self.tripped
            .iter()
            .any(|((guard, of), held)| *of == scope && guard.has_resume_delay() && is_active(held, now))
    }

    /// The clock is looked at: the plan of hours is worked out again when it has turned, and the month of data may be over.
    pub fn pass(&mut self, now: UnixMillis) {
        self.look_at_data(now);
        if self.hours.is_none_or(|hours| !hours.contains(now)) {
            self.hours = self.rules.hours.map(|hours| stretch(&hours, &self.zone, now));
        }
    }

    fn look_at_data(&mut self, now: UnixMillis) {
        self.data.look(self.rules.data_cap.as_ref(), &self.zone, now);
    }

    /// When [`Self::pass`] is to be called at the latest.
    pub fn look_again_at(&self) -> Option<UnixMillis> {
        self.data.look_again_at(self.rules.data_cap.as_ref())
    }

    /// Data has moved. Gives the quarter of an hour since the Unix epoch under which it is counted, and all that is counted
    /// there.
    pub fn count_data(&mut self, moved: DataMoved, now: UnixMillis) -> (u64, DataMoved) {
        let counted = self.data.count(moved, now);
        self.look_at_data(now);
        counted
    }

    /// What was counted before, by such quarters. What is counted already stays.
    pub fn restore_data(&mut self, by_quarter: &BTreeMap<u64, DataMoved>) {
        self.data.restore(by_quarter);
    }

    /// All that was counted.
    pub fn data_by_quarter(&self) -> &BTreeMap<u64, DataMoved> {
        self.data.by_quarter()
    }

    /// What more work may move, `reserved` being for work that was taken already.
    pub fn data_room(&self, reserved: DataMoved) -> DataRoom {
        self.data.room(self.rules.data_cap.as_ref(), reserved)
    }

    /// The month that counts, and what has moved in it; `None` before anything was looked at.
    pub fn data_month(&self) -> Option<(DataMonth, DataMoved)> {
        self.data.this_month()
    }

    /// When a cap of data is reached at the pace of this month so far, if it is.
    pub fn data_reached_at(&self, now: UnixMillis) -> Option<UnixMillis> {
        self.data.reached_at(self.rules.data_cap.as_ref(), now)
    }

    fn hours(&self, now: UnixMillis) -> Option<Stretch> {
        let plan = self.rules.hours.as_ref()?;
        Some(self.hours.filter(|known| known.contains(now)).unwrap_or_else(|| stretch(plan, &self.zone, now)))
    }

    /// What the guards hold free at one instant, in the order in which they are shown.
    fn active(&self, now: UnixMillis) -> Vec<ActiveTrip> {
        let of_hour = self
            .hours(now)
            .filter(|hours| !hours.lent)
            .map(|Stretch { since, until, .. }| ActiveTrip { trip: Trip::Hours, since, until });
        let seen = self.tripped.values().filter(|held| is_active(held, now)).cloned();
        let of_data = self.data.tripped(now).cloned();
        let mut active: Vec<_> = of_hour.into_iter().chain(of_data).chain(seen).collect();
        active.sort_by_key(|held| (held.trip.guard(), held.trip.device()));
        active
    }

    /// Where each guard stands, in the order in which they are shown.
    pub fn guards(&self, now: UnixMillis) -> impl Iterator<Item = (Guard, GuardState)> {
        let active = self.active(now);
        Guard::ALL.into_iter().map(move |guard| {
            let trips: Vec<_> = active.iter().filter(|held| held.trip.guard() == guard).cloned().collect();
            let tells_itself = matches!(guard, Guard::Hours | Guard::DataCap);
            let watched = tells_itself || self.seen.keys().any(|(of, _)| *of == guard);
            let state = match trips.is_empty() {
                _ if !self.rules.wants(guard) => GuardState::Off,
                false => GuardState::Tripped { trips },
                true if watched => GuardState::Clear,
                true => GuardState::Unwatched,
            };
            (guard, state)
        })
    }

    /// The contributor pauses one device, or all. Replaces an earlier pause, so that a shorter one can be chosen too.
    pub fn pause(&mut self, device: Option<u32>, until: PauseUntil) {
        self.pauses.insert(device, until);
    }

    /// The contributor resumes: ends the pause and a resume delay at once, because a person who asks for work
    /// does not want to wait for it. Guards that are tripped stay so. Who resumes all resumes each.
    pub fn resume(&mut self, device: Option<u32>, now: UnixMillis) {
        match device {
            None => {
                self.pauses.clear();
                self.cleared_at.clear();
                self.resumed_at.clear();
            }
            Some(number) => {
                self.pauses.remove(&device);
                self.cleared_at.remove(&device);
                self.resumed_at.insert(number, now);
            }
        }
    }

    /// When the last guard cleared that held a device, if a delay counts from it: who has resumed that device since does
    /// not want to wait.
    fn delayed_from(&self, device: Option<u32>) -> Option<UnixMillis> {
        let resumed_at = device.and_then(|device| self.resumed_at.get(&device)).copied();
        let everywhere = self.cleared_at.get(&None).copied().filter(|at| resumed_at < Some(*at));
        let own = device.and_then(|_| self.cleared_at.get(&device)).copied();
        everywhere.max(own)
    }

    /// The pauses by hand that are in force.
    pub fn pauses(&self, now: UnixMillis) -> impl Iterator<Item = (Option<u32>, PauseUntil)> + '_ {
        let in_force = move |until: &PauseUntil| match until {
            PauseUntil::Instant(instant) => now < *instant,
            PauseUntil::Restart | PauseUntil::Resumed => true,
        };
        self.pauses.iter().filter(move |(_, until)| in_force(until)).map(|(device, until)| (*device, *until))
    }

    /// What it all comes to now for one device; for `None`, what holds whichever device. A pause ends without the resume
    /// delay: its end was chosen by the contributor.
    pub fn stand(&self, device: Option<u32>, now: UnixMillis) -> Stand {
        let concerns = |scope: Scope| scope.is_none() || scope == device;
        let mut causes: Vec<_> = self
            .pauses(now)
            .filter(|(scope, _)| concerns(*scope))
            .map(|(device, until)| Cause::Paused { device, until })
            .collect();
        let active = self.active(now).into_iter().filter(|held| concerns(held.trip.device()));
        let delayed_before = causes.len();
        causes.extend(active.map(Cause::Guard));
        let delayed = causes[delayed_before..]
            .iter()
            .any(|cause| matches!(cause, Cause::Guard(held) if held.trip.guard().has_resume_delay()));
        if let Some(cleared_at) = self.delayed_from(device)
            && !delayed
        {
            let until = cleared_at.after(RESUME_DELAY);
            // A clock that was set back must not stretch the delay, so that it is bounded from both sides.
            if now < until && cleared_at <= now.after(RESUME_DELAY) {
                causes.push(Cause::ResumeDelay { until });
            }
        }
        // `None` stands for an end that is not known.
        let ends: Vec<_> = causes.iter().map(Cause::until).collect();
        let all_known: Option<Vec<UnixMillis>> = ends.iter().copied().collect();
        let hour_turns = self.hours(now).and_then(|hours| hours.until);
        Stand {
            causes,
            clear_at: all_known.and_then(|ends| ends.into_iter().max()),
            changes_at: ends.into_iter().flatten().chain(hour_turns).min(),
        }
    }
}

/// Whether it still holds. A clock that was set back ends what would have ended by itself: nobody knows when.
fn is_active(held: &ActiveTrip, now: UnixMillis) -> bool {
    held.until.is_none_or(|until| now < until && held.since <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    use lull_types::{BaseUnits, GpuNeed, Loudness, QuietLimits, WeekHours};

    use crate::{Draw, FullScreen, GpuUse, LaterPower, Margin, Person, Power, SLOWEST, Temperatures};

    /// What is looked at in these tests.
    #[derive(Clone, Copy)]
    enum What {
        Game,
        Battery,
        /// Another program on device 1.
        Render,
    }
    use What::{Battery, Game, Render};

    enum Do {
        Trips(What),
        Clear(What),
        Lose(What),
        Person(Person),
        Pause(PauseUntil),
        PauseOne(u32, PauseUntil),
        Resume,
        ResumeOne(u32),
        Follow(GuardRules),
    }
    use Do::{Clear, Follow, Lose, Pause, PauseOne, Resume, ResumeOne};

    fn seen(what: What, tripped: bool) -> Observation {
        match what {
            Game => Observation::FullScreen(tripped.then_some(FullScreen { program: None })),
            Battery if tripped => Observation::Power(Power::Battery { percent: None }),
            Battery => Observation::Power(Power::Mains),
            Render => {
                let by = tripped.then_some(GpuUse { program: None, need: GpuNeed::Time });
                Observation::GpuUse { device: 1, by }
            }
        }
    }

    fn cause(what: What, since: u64) -> Cause {
        let trip = judge(&GuardRules::default(), &seen(what, true), Before::default()).unwrap().trip;
        Cause::Guard(ActiveTrip { trip, since: at(since), until: None })
    }

    fn paused(until: PauseUntil) -> Cause {
        Cause::Paused { device: None, until }
    }

    fn here(since: u64, until: Option<u64>) -> Cause {
        Cause::Guard(ActiveTrip { trip: Trip::Presence, since: at(since), until: until.map(at) })
    }

    fn away(minutes: u16) -> GuardRules {
        GuardRules { away_minutes: Some(minutes), ..GuardRules::default() }
    }

    const fn at(seconds: u64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    /// Plays a script of instants in seconds and compares the stand at one instant.
    fn check(script: &[(u64, Do)], now: u64, causes: &[Cause], clear_at: Option<u64>) {
        check_device(None, script, now, causes, clear_at);
    }

    fn check_device(
        device: Option<u32>,
        script: &[(u64, Do)],
        now: u64,
        causes: &[Cause],
        clear_at: Option<u64>,
    ) {
        let mut policy = Policy::new(TimeZone::UTC);
        for (seconds, step) in script {
            match step {
                Do::Trips(what) => policy.observe(seen(*what, true), at(*seconds)),
                Clear(what) => policy.observe(seen(*what, false), at(*seconds)),
                Lose(what) => policy.lose_sight(seen(*what, true).guard(), at(*seconds)),
                Follow(rules) => policy.follow(rules.clone(), at(*seconds)),
                Do::Person(person) => policy.observe(Observation::Person(*person), at(*seconds)),
                Pause(until) => policy.pause(None, *until),
                PauseOne(device, until) => policy.pause(Some(*device), *until),
                Resume => policy.resume(None, at(*seconds)),
                ResumeOne(device) => policy.resume(Some(*device), at(*seconds)),
            }
        }
        let stand = policy.stand(device, at(now));
        assert_eq!(stand.causes, causes, "at {now} s");
        assert_eq!(stand.clear_at, clear_at.map(at), "at {now} s");
        assert_eq!(stand.is_clear(), causes.is_empty());
        if let Some(changes_at) = stand.changes_at {
            assert!(changes_at > at(now), "a change lies ahead");
            assert_ne!(policy.stand(device, changes_at).causes, causes, "it does change then");
        }
    }

    #[test]
    fn a_pause_holds_until_its_end_and_no_longer() {
        let until = PauseUntil::Instant(at(3600));
        check(&[], 0, &[], None);
        check(&[(0, Pause(until))], 3599, &[paused(until)], Some(3600));
        check(&[(0, Pause(until))], 3600, &[], None);
        check(&[(0, Pause(until)), (9, Resume)], 9, &[], None);
        check(
            &[(0, Pause(until)), (9, Pause(PauseUntil::Instant(at(60))))],
            59,
            &[paused(PauseUntil::Instant(at(60)))],
            Some(60),
        );
    }

    #[test]
    fn a_pause_until_restart_has_no_known_end() {
        let pause = [(0, Pause(PauseUntil::Restart))];
        check(&pause, 1_000_000, &[paused(PauseUntil::Restart)], None);
        check(&[(0, Pause(PauseUntil::Restart)), (5, Resume)], 5, &[], None);
    }

    #[test]
    fn a_guard_holds_while_tripped_and_a_minute_longer() {
        check(&[(0, Do::Trips(Game))], 500, &[cause(Game, 0)], None);
        let cleared = || vec![(0, Do::Trips(Game)), (100, Clear(Game))];
        check(&cleared(), 159, &[Cause::ResumeDelay { until: at(160) }], Some(160));
        check(&cleared(), 160, &[], None);
    }

    #[test]
    fn tripping_again_in_the_delay_starts_over() {
        let mut script = vec![(0, Do::Trips(Game)), (100, Clear(Game)), (130, Do::Trips(Game))];
        check(&script, 161, &[cause(Game, 130)], None);
        script.push((170, Clear(Game)));
        check(&script, 200, &[Cause::ResumeDelay { until: at(230) }], Some(230));
    }

    #[test]
    fn the_delay_begins_when_the_last_guard_clears() {
        let mut script = vec![(0, Do::Trips(Game)), (10, Do::Trips(Battery)), (20, Clear(Game))];
        check(&script, 200, &[cause(Battery, 10)], None);
        script.push((300, Clear(Battery)));
        check(&script, 301, &[Cause::ResumeDelay { until: at(360) }], Some(360));
        // A guard that was clear already says nothing new when it is read as clear again.
        script.push((350, Clear(Game)));
        check(&script, 351, &[Cause::ResumeDelay { until: at(360) }], Some(360));
    }

    #[test]
    fn resuming_by_hand_skips_the_delay_but_no_guard() {
        check(&[(0, Do::Trips(Game)), (100, Clear(Game)), (101, Resume)], 101, &[], None);
        check(&[(0, Do::Trips(Game)), (1, Resume)], 1, &[cause(Game, 0)], None);
    }

    #[test]
    fn several_causes_are_told_together_and_end_with_the_last() {
        let until = PauseUntil::Instant(at(130));
        check(
            &[(0, Do::Trips(Game)), (100, Clear(Game)), (101, Pause(until))],
            110,
            &[paused(until), Cause::ResumeDelay { until: at(160) }],
            Some(160),
        );
        check(&[(0, Do::Trips(Game)), (1, Pause(until))], 2, &[paused(until), cause(Game, 0)], None);
    }

    #[test]
    fn a_pause_that_ends_in_the_middle_of_a_game_ends_no_game() {
        let until = PauseUntil::Instant(at(60));
        let script = || vec![(0, Pause(until)), (30, Do::Trips(Game))];
        check(&script(), 61, &[cause(Game, 30)], None);
        let mut over = script();
        over.push((100, Clear(Game)));
        check(&over, 101, &[Cause::ResumeDelay { until: at(160) }], Some(160));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stretch_the_delay() {
        check(&[(0, Do::Trips(Game)), (100_000, Clear(Game))], 10, &[], None);
    }

    #[test]
    fn a_trip_is_as_old_as_its_first_sight() {
        check(&[(0, Do::Trips(Game)), (50, Do::Trips(Game))], 60, &[cause(Game, 0)], None);
    }

    #[test]
    fn what_nobody_sees_any_more_holds_nothing_for_ever() {
        let script = [(0, Do::Trips(Game)), (100, Lose(Game))];
        check(&script, 101, &[Cause::ResumeDelay { until: at(160) }], Some(160));
        check(&script, 160, &[], None);
    }

    #[test]
    fn a_guard_that_is_turned_off_holds_no_longer_and_one_that_is_turned_on_holds_at_once() {
        let no_game = || GuardRules { full_screen: false, ..GuardRules::default() };
        check(&[(0, Do::Trips(Game)), (9, Follow(no_game()))], 9, &[], None);
        check(&[(0, Follow(no_game())), (1, Do::Trips(Game))], 1, &[], None);
        let on_again = [(0, Follow(no_game())), (1, Do::Trips(Game)), (5, Follow(GuardRules::default()))];
        check(&on_again, 5, &[cause(Game, 5)], None);
        // Another one is tripped all the same, and its delay is its own.
        let both = [(0, Do::Trips(Game)), (1, Do::Trips(Battery)), (9, Follow(no_game()))];
        check(&both, 9, &[cause(Battery, 1)], None);
        // GuardRules that change nothing do not cut a delay short.
        let same = [(0, Do::Trips(Game)), (100, Clear(Game)), (110, Follow(GuardRules::default()))];
        check(&same, 111, &[Cause::ResumeDelay { until: at(160) }], Some(160));
    }

    #[test]
    fn a_device_that_is_needed_leaves_the_others_at_work() {
        let script = || vec![(0, Do::Trips(Render)), (100, Clear(Render))];
        check_device(Some(1), &script()[..1], 50, &[cause(Render, 0)], None);
        check_device(Some(0), &script()[..1], 50, &[], None);
        check_device(None, &script()[..1], 50, &[], None);
        check_device(Some(1), &script(), 101, &[Cause::ResumeDelay { until: at(160) }], Some(160));
        check_device(Some(0), &script(), 101, &[], None);
        // A game that ends later delays all of them.
        let game =
            || vec![(0, Do::Trips(Render)), (5, Do::Trips(Game)), (10, Clear(Render)), (40, Clear(Game))];
        check_device(Some(1), &game(), 41, &[Cause::ResumeDelay { until: at(100) }], Some(100));
        check_device(Some(0), &game(), 41, &[Cause::ResumeDelay { until: at(100) }], Some(100));
        // While one is still needed, its delay has not begun.
        let still = [(0, Do::Trips(Render)), (5, Do::Trips(Game)), (40, Clear(Game))];
        check_device(Some(1), &still, 41, &[cause(Render, 0)], None);
    }

    #[test]
    fn one_device_is_paused_and_resumed_by_itself() {
        let until = PauseUntil::Resumed;
        let one = Cause::Paused { device: Some(1), until };
        check_device(Some(1), &[(0, PauseOne(1, until))], 1_000_000, std::slice::from_ref(&one), None);
        check_device(Some(0), &[(0, PauseOne(1, until))], 1, &[], None);
        check_device(Some(1), &[(0, PauseOne(1, until)), (5, ResumeOne(1))], 5, &[], None);
        let both = || vec![(0, PauseOne(1, until)), (1, Pause(PauseUntil::Instant(at(60))))];
        check_device(Some(1), &both(), 5, &[paused(PauseUntil::Instant(at(60))), one.clone()], None);
        check_device(Some(1), &both(), 60, &[one], None);
        // Who resumes one device does not end the pause of all; who resumes all resumes each.
        let mut script = both();
        script.push((9, ResumeOne(1)));
        check_device(Some(1), &script, 9, &[paused(PauseUntil::Instant(at(60)))], Some(60));
        let mut script = both();
        script.push((9, Resume));
        check_device(Some(1), &script, 9, &[], None);
    }

    #[test]
    fn who_resumes_one_device_does_not_wait_for_it_after_a_game() {
        let script = || vec![(0, Do::Trips(Game)), (100, Clear(Game)), (101, ResumeOne(1))];
        check_device(Some(1), &script(), 101, &[], None);
        check_device(Some(0), &script(), 101, &[Cause::ResumeDelay { until: at(160) }], Some(160));
        // The next game counts again.
        let mut again = script();
        again.extend([(110, Do::Trips(Game)), (120, Clear(Game))]);
        check_device(Some(1), &again, 121, &[Cause::ResumeDelay { until: at(180) }], Some(180));
    }

    #[test]
    fn work_waits_until_a_person_has_been_away_for_long_enough() {
        let follow = || (0, Follow(away(5)));
        check(&[follow(), (10, Do::Person(Person::Here))], 5000, &[here(10, None)], None);
        let quiet =
            || vec![follow(), (10, Do::Person(Person::Here)), (110, Do::Person(Person::QuietSince(at(100))))];
        check(&quiet(), 399, &[here(10, Some(400))], Some(400));
        check(&quiet(), 400, &[], None);
        // Back after a while, it begins anew.
        let mut back = quiet();
        back.push((900, Do::Person(Person::Here)));
        check(&back, 901, &[here(900, None)], None);
        // Back at once, it goes on.
        let mut back = quiet();
        back.push((300, Do::Person(Person::Here)));
        check(&back, 901, &[here(10, None)], None);
        // Long away when the worker starts: it need not wait once more.
        check(&[follow(), (5000, Do::Person(Person::QuietSince(at(10))))], 5000, &[], None);
        // A shorter wait counts at once, and so does none at all.
        let mut shorter = quiet();
        shorter.push((200, Follow(away(1))));
        check(&shorter, 201, &[], None);
        let mut none = quiet();
        none.push((200, Follow(GuardRules::default())));
        check(&none, 200, &[], None);
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_nobody_here() {
        let quiet = [
            (0, Follow(away(5))),
            (100_000, Do::Person(Person::Here)),
            (100_010, Do::Person(Person::QuietSince(at(100_000)))),
        ];
        check(&quiet, 10, &[], None);
    }

    #[test]
    fn hours_that_are_not_lent_hold_everything_and_end_without_a_delay() {
        const DAY: u64 = 24 * 3600;
        // 1 January 1970 was a Thursday. Lent from 8 to 10 each day.
        let plan = || GuardRules { hours: Some(WeekHours([0b11 << 8; 7])), ..GuardRules::default() };
        let closed = |since: u64, until: u64| {
            Cause::Guard(ActiveTrip { trip: Trip::Hours, since: at(since), until: Some(at(until)) })
        };
        let morning = 10 * DAY + 7 * 3600;
        let script = || vec![(10 * DAY, Follow(plan()))];
        let night = closed(9 * DAY + 10 * 3600, 10 * DAY + 8 * 3600);
        check(&script(), morning, std::slice::from_ref(&night), Some(10 * DAY + 8 * 3600));
        check(&script(), morning + 3600, &[], None);
        check_device(Some(3), &script(), morning, &[night], Some(10 * DAY + 8 * 3600));
        // A game may go on into the hours that are lent.
        let mut game = script();
        game.push((morning, Do::Trips(Game)));
        check(&game, morning + 3600, &[cause(Game, morning)], None);
        // Within the lent hours the next change is their end.
        let mut policy = Policy::new(TimeZone::UTC);
        policy.follow(plan(), at(0));
        policy.pass(at(morning + 3600));
        assert_eq!(policy.stand(None, at(morning + 3600)).changes_at, Some(at(10 * DAY + 10 * 3600)));
        policy.pass(at(morning + 3 * 3600));
        assert!(!policy.stand(None, at(morning + 3 * 3600)).is_clear());
        policy.follow(GuardRules::default(), at(morning + 3 * 3600));
        assert!(policy.stand(None, at(morning + 3 * 3600)).is_clear());
    }

    #[test]
    fn work_that_pays_again_by_the_clock_begins_then_and_is_not_delayed() {
        let rules = GuardRules { margin_floor: Some(BaseUnits(0)), ..GuardRules::default() };
        let margin = |power, later: &[(u64, i64)]| {
            let later = later.iter().map(|(from, power)| LaterPower { from: at(*from), power: *power });
            let at = Margin { gross: 100, power, power_measured: true, later: later.collect() };
            Observation::Margin { device: 1, at: Some(at) }
        };
        let mut policy = Policy::new(TimeZone::UTC);
        policy.follow(rules, at(0));
        policy.observe(margin(150, &[(500, 95), (900, 50)]), at(1));
        let held = policy.stand(Some(1), at(2));
        assert_eq!((held.clear_at, held.changes_at), (Some(at(900)), Some(at(900))));
        assert!(policy.stand(Some(0), at(2)).is_clear());
        // The price falls as it was told; the next look comes a moment later and changes nothing.
        assert!(policy.stand(Some(1), at(900)).is_clear());
        policy.observe(margin(50, &[(2000, 150)]), at(901));
        assert!(policy.stand(Some(1), at(902)).is_clear());
        // It is held again when the price rises, and waits its minute where work pays more all at once.
        policy.observe(margin(150, &[(3000, 50)]), at(2000));
        assert_eq!(policy.stand(Some(1), at(2000)).clear_at, Some(at(3000)));
        policy.observe(margin(50, &[]), at(2500));
        assert_eq!(policy.stand(Some(1), at(2501)).causes, [Cause::ResumeDelay { until: at(2560) }]);
    }

    #[test]
    fn every_guard_tells_where_it_stands() {
        let mut policy = Policy::new(TimeZone::UTC);
        let state = |policy: &Policy, of: Guard| {
            policy.guards(at(10)).find(|(guard, _)| *guard == of).map(|(_, state)| state).unwrap()
        };
        let unwatched =
            [Guard::FullScreen, Guard::GpuUse, Guard::Battery, Guard::Heat, Guard::Metered, Guard::Disk];
        for guard in Guard::ALL {
            let expected = if unwatched.contains(&guard) { GuardState::Unwatched } else { GuardState::Off };
            assert_eq!(state(&policy, guard), expected, "{guard:?}");
        }
        policy.observe(seen(Game, true), at(3));
        policy.observe(seen(Battery, false), at(4));
        policy.observe(seen(Render, false), at(4));
        let second =
            Observation::GpuUse { device: 2, by: Some(GpuUse { program: None, need: GpuNeed::Time }) };
        policy.observe(second, at(5));
        let game = ActiveTrip { trip: Trip::FullScreen { program: None }, since: at(3), until: None };
        assert_eq!(state(&policy, Guard::FullScreen), GuardState::Tripped { trips: vec![game] });
        assert_eq!(state(&policy, Guard::Battery), GuardState::Clear);
        let trip = Trip::GpuUse { device: 2, program: None, need: GpuNeed::Time };
        let trips = vec![ActiveTrip { trip, since: at(5), until: None }];
        assert_eq!(state(&policy, Guard::GpuUse), GuardState::Tripped { trips });
        policy.follow(
            GuardRules {
                full_screen: false,
                hours: Some(WeekHours([WeekHours::WHOLE_DAY; 7])),
                ..GuardRules::default()
            },
            at(6),
        );
        assert_eq!(state(&policy, Guard::FullScreen), GuardState::Off);
        assert_eq!(state(&policy, Guard::Hours), GuardState::Clear);
    }

    #[test]
    fn the_slowest_of_a_devices_paces_counts_until_its_guard_is_not_wanted() {
        let quiet = QuietLimits { fan_percent: Some(40), ..QuietLimits::default() };
        let rules = GuardRules { quiet: Some(quiet), ..GuardRules::default() };
        let mut policy = Policy::new(TimeZone::UTC);
        policy.follow(rules, at(0));
        let hot = Temperatures { core: Some(81), ..Temperatures::default() };
        let loud = Draw { fan_percent: Some(60), watts: None };
        policy.observe(Observation::Heat { device: 1, at: hot }, at(1));
        for second in 1..7 {
            policy.observe(Observation::Draw { device: 1, at: loud }, at(second));
        }
        assert_eq!((policy.pace(1), policy.pace(0)), (SLOWEST, 100));
        assert!(policy.stand(Some(1), at(7)).is_clear(), "it works slowly, but it works");
        for second in 7..40 {
            policy.observe(Observation::Draw { device: 1, at: loud }, at(second));
        }
        let trip = Trip::Quiet { device: 1, much: Loudness::Fan, value: 60 };
        let causes = policy.stand(Some(1), at(40)).causes;
        assert!(matches!(&causes[..], [Cause::Guard(held)] if held.trip == trip), "{causes:?}");
        policy.follow(GuardRules::default(), at(41));
        assert!(policy.stand(Some(1), at(41)).is_clear());
        assert_eq!(policy.pace(1), 85);
        policy.lose_sight(Guard::Heat, at(42));
        assert_eq!(policy.pace(1), 100);
    }
}
