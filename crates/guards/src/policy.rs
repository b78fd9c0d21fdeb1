//! What everything that was seen comes to.

use std::collections::BTreeMap;
use std::time::Duration;

use lull_types::{Guard, GuardRules, GuardState, Trip, UnixMillis};

use crate::{Observation, judge};

/// How long all guards must have been clear before work resumes: a minute. Loading screens, changes of the map
/// and a look at the desktop are shorter, and work that comes and goes with them would be felt.
pub const RESUME_DELAY: Duration = Duration::from_secs(60);

/// When a pause by hand ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseUntil {
    /// At that instant.
    Instant(UnixMillis),
    /// When the worker is started again.
    Restart,
}

/// One reason why the GPU is held free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The contributor said so.
    Paused(PauseUntil),
    /// A guard is tripped.
    Guard {
        /// Why.
        trip: Trip,
        /// Since when.
        since: UnixMillis,
    },
    /// All guards are clear, but not for long enough.
    ResumeDelay {
        /// When they are.
        until: UnixMillis,
    },
}

/// What the guards come to at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Why the GPU must be free; empty when it need not be.
    pub causes: Vec<Cause>,
    /// The earliest instant at which it can be used again, if nothing new happens. `None` when it is clear
    /// now, and when that is not known.
    pub clear_at: Option<UnixMillis>,
    /// When the causes change by themselves; ask again then.
    pub changes_at: Option<UnixMillis>,
}

impl Stand {
    /// Whether the GPU may be used.
    pub fn is_clear(&self) -> bool {
        self.causes.is_empty()
    }
}

/// What was seen so far, and what the contributor wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    rules: GuardRules,
    pause: Option<PauseUntil>,
    /// The last of each guard, so that a change of the rules counts at once.
    seen: BTreeMap<Guard, Observation>,
    tripped: BTreeMap<Guard, (Trip, UnixMillis)>,
    /// When the last of the tripped guards cleared.
    cleared_at: Option<UnixMillis>,
}

impl Policy {
    /// Takes in what a probe saw.
    pub fn observe(&mut self, seen: Observation, now: UnixMillis) {
        let guard = seen.guard();
        let trip = judge(&self.rules, &seen);
        self.seen.insert(guard, seen);
        self.set(guard, trip, now);
    }

    /// A probe can tell no more. What nobody sees holds nothing free for ever.
    pub fn lose_sight(&mut self, guard: Guard, now: UnixMillis) {
        self.seen.remove(&guard);
        self.set(guard, None, now);
    }

    /// Which guards are wanted from now on.
    pub fn follow(&mut self, rules: GuardRules, now: UnixMillis) {
        self.rules = rules;
        for guard in Guard::ALL {
            let trip = self.seen.get(&guard).and_then(|seen| judge(&self.rules, seen));
            let was_tripped = self.tripped.contains_key(&guard);
            self.set(guard, trip, now);
            // Who turns a guard off wants work now, as who resumes by hand.
            if was_tripped && !self.rules.wants(guard) && self.tripped.is_empty() {
                self.cleared_at = None;
            }
        }
    }

    fn set(&mut self, guard: Guard, trip: Option<Trip>, now: UnixMillis) {
        match trip {
            Some(trip) => {
                let since = self.tripped.get(&guard).map_or(now, |(_, since)| *since);
                self.tripped.insert(guard, (trip, since));
                self.cleared_at = None;
            }
            None => {
                if self.tripped.remove(&guard).is_some() && self.tripped.is_empty() {
                    self.cleared_at = Some(now);
                }
            }
        }
    }

    /// Where each guard stands, in the order in which they are shown.
    pub fn guards(&self) -> impl Iterator<Item = (Guard, GuardState)> + '_ {
        Guard::ALL.into_iter().map(|guard| {
            let state = match self.tripped.get(&guard) {
                _ if !self.rules.wants(guard) => GuardState::Off,
                Some((trip, since)) => GuardState::Tripped { trip: trip.clone(), since: *since },
                None if self.seen.contains_key(&guard) => GuardState::Clear,
                None => GuardState::Unwatched,
            };
            (guard, state)
        })
    }

    /// The contributor pauses. Replaces an earlier pause, so that a shorter one can be chosen too.
    pub fn pause(&mut self, until: PauseUntil) {
        self.pause = Some(until);
    }

    /// The contributor resumes: ends the pause and a resume delay at once, because a person who asks for work
    /// does not want to wait for it. Guards that are tripped stay so.
    pub fn resume(&mut self) {
        self.pause = None;
        self.cleared_at = None;
    }

    /// The pause by hand, if one is in force.
    pub fn paused(&self, now: UnixMillis) -> Option<PauseUntil> {
        self.pause.filter(|until| match until {
            PauseUntil::Instant(instant) => now < *instant,
            PauseUntil::Restart => true,
        })
    }

    /// What it all comes to now. A pause ends without the resume delay: its end was chosen by the contributor.
    pub fn stand(&self, now: UnixMillis) -> Stand {
        let mut causes = Vec::new();
        // `None` stands for an end that is not known.
        let mut ends = Vec::new();
        if let Some(until) = self.paused(now) {
            causes.push(Cause::Paused(until));
            ends.push(match until {
                PauseUntil::Instant(instant) => Some(instant),
                PauseUntil::Restart => None,
            });
        }
        for (trip, since) in self.tripped.values() {
            causes.push(Cause::Guard { trip: trip.clone(), since: *since });
            ends.push(None);
        }
        if let Some(cleared_at) = self.cleared_at {
            let until = cleared_at.after(RESUME_DELAY);
            // A clock that was set back must not stretch the delay, so that it is bounded from both sides.
            if now < until && cleared_at <= now.after(RESUME_DELAY) {
                causes.push(Cause::ResumeDelay { until });
                ends.push(Some(until));
            }
        }
        let changes_at = ends.iter().flatten().min().copied();
        let all_known: Option<Vec<UnixMillis>> = ends.into_iter().collect();
        Stand { causes, clear_at: all_known.and_then(|ends| ends.into_iter().max()), changes_at }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{FullScreen, Power};

    /// What is looked at in these tests.
    #[derive(Clone, Copy)]
    enum What {
        Game,
        Battery,
    }
    use What::{Battery, Game};

    enum Do {
        Trips(What),
        Clear(What),
        Lose(What),
        Pause(PauseUntil),
        Resume,
        Follow(GuardRules),
    }
    use Do::{Clear, Follow, Lose, Pause, Resume};

    fn seen(what: What, tripped: bool) -> Observation {
        match what {
            Game => Observation::FullScreen(tripped.then_some(FullScreen { program: None })),
            Battery if tripped => Observation::Power(Power::Battery { percent: None }),
            Battery => Observation::Power(Power::Mains),
        }
    }

    fn cause(what: What, since: u64) -> Cause {
        let trip = judge(&GuardRules::default(), &seen(what, true)).unwrap();
        Cause::Guard { trip, since: at(since) }
    }

    const fn at(seconds: u64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    /// Plays a script of instants in seconds and compares the stand at one instant.
    fn check(script: &[(u64, Do)], now: u64, causes: &[Cause], clear_at: Option<u64>) {
        let mut policy = Policy::default();
        for (seconds, step) in script {
            match step {
                Do::Trips(what) => policy.observe(seen(*what, true), at(*seconds)),
                Clear(what) => policy.observe(seen(*what, false), at(*seconds)),
                Lose(what) => policy.lose_sight(seen(*what, true).guard(), at(*seconds)),
                Follow(rules) => policy.follow(rules.clone(), at(*seconds)),
                Pause(until) => policy.pause(*until),
                Resume => policy.resume(),
            }
        }
        let stand = policy.stand(at(now));
        assert_eq!(stand.causes, causes, "at {now} s");
        assert_eq!(stand.clear_at, clear_at.map(at), "at {now} s");
        assert_eq!(stand.is_clear(), causes.is_empty());
        if let Some(changes_at) = stand.changes_at {
            assert!(changes_at > at(now), "a change lies ahead");
            assert_ne!(policy.stand(changes_at).causes, causes, "it does change then");
        }
    }

    #[test]
    fn a_pause_holds_until_its_end_and_no_longer() {
        let until = PauseUntil::Instant(at(3600));
        check(&[], 0, &[], None);
        check(&[(0, Pause(until))], 3599, &[Cause::Paused(until)], Some(3600));
        check(&[(0, Pause(until))], 3600, &[], None);
        check(&[(0, Pause(until)), (9, Resume)], 9, &[], None);
        check(
            &[(0, Pause(until)), (9, Pause(PauseUntil::Instant(at(60))))],
            59,
            &[Cause::Paused(PauseUntil::Instant(at(60)))],
            Some(60),
        );
    }

    #[test]
    fn a_pause_until_restart_has_no_known_end() {
        let pause = [(0, Pause(PauseUntil::Restart))];
        check(&pause, 1_000_000, &[Cause::Paused(PauseUntil::Restart)], None);
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
            &[Cause::Paused(until), Cause::ResumeDelay { until: at(160) }],
            Some(160),
        );
        check(&[(0, Do::Trips(Game)), (1, Pause(until))], 2, &[Cause::Paused(until), cause(Game, 0)], None);
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
    fn every_guard_tells_where_it_stands() {
        let mut policy = Policy::default();
        let states = |policy: &Policy| policy.guards().map(|(_, state)| state).collect::<Vec<_>>();
        assert_eq!(states(&policy), [GuardState::Unwatched, GuardState::Unwatched]);
        policy.observe(seen(Game, true), at(3));
        policy.observe(seen(Battery, false), at(4));
        let tripped = GuardState::Tripped { trip: Trip::FullScreen { program: None }, since: at(3) };
        assert_eq!(states(&policy), [tripped, GuardState::Clear]);
        policy.follow(GuardRules { full_screen: false, ..GuardRules::default() }, at(5));
        assert_eq!(states(&policy), [GuardState::Off, GuardState::Clear]);
    }
}
