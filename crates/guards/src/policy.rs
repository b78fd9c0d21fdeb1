//! What the readings of all guards come to.

use std::collections::BTreeSet;
use std::time::Duration;

use lull_types::UnixMillis;

/// How long all guards must have been clear before work resumes: a minute. Loading screens, changes of the map
/// and a look at the desktop are shorter, and work that comes and goes with them would be felt.
pub const RESUME_DELAY: Duration = Duration::from_secs(60);

/// What one guard said at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading<G> {
    /// Which guard.
    pub guard: G,
    /// Whether it wants the GPU free.
    pub tripped: bool,
    /// When it looked.
    pub at: UnixMillis,
}

/// When a pause by hand ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseUntil {
    /// At that instant.
    Instant(UnixMillis),
    /// When the worker is started again.
    Restart,
}

/// One reason why the GPU is held free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause<G> {
    /// The contributor said so.
    Paused(PauseUntil),
    /// A guard is tripped.
    Guard(G),
    /// All guards are clear, but not for long enough.
    ResumeDelay {
        /// When they are.
        until: UnixMillis,
    },
}

/// What the guards come to at one instant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stand<G> {
    /// Why the GPU must be free; empty when it need not be.
    pub causes: Vec<Cause<G>>,
    /// The earliest instant at which it can be used again, if nothing new happens. `None` when it is clear
    /// now, and when that is not known.
    pub clear_at: Option<UnixMillis>,
    /// When the causes change by themselves; ask again then.
    pub changes_at: Option<UnixMillis>,
}

impl<G> Stand<G> {
    /// Whether the GPU may be used.
    pub fn is_clear(&self) -> bool {
        self.causes.is_empty()
    }
}

/// The readings so far. `G` names the guards besides the pause by hand, and sorts them for display.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy<G> {
    pause: Option<PauseUntil>,
    tripped: BTreeSet<G>,
    /// When the last of the tripped guards cleared.
    cleared_at: Option<UnixMillis>,
}

impl<G> Default for Policy<G> {
    fn default() -> Self {
        Self { pause: None, tripped: BTreeSet::new(), cleared_at: None }
    }
}

impl<G: Copy + Ord> Policy<G> {
    /// Takes a reading of a guard.
    pub fn read(&mut self, reading: Reading<G>) {
        if reading.tripped {
            self.tripped.insert(reading.guard);
            self.cleared_at = None;
        } else if self.tripped.remove(&reading.guard) && self.tripped.is_empty() {
            self.cleared_at = Some(reading.at);
        }
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
    pub fn stand(&self, now: UnixMillis) -> Stand<G> {
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
        for guard in &self.tripped {
            causes.push(Cause::Guard(*guard));
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

    /// Two guards made up for these tests.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum Made {
        Game,
        Battery,
    }
    use Made::{Battery, Game};

    enum Do {
        Trip(Made),
        Clear(Made),
        Pause(PauseUntil),
        Resume,
    }
    use Do::{Clear, Pause, Resume, Trip};

    const fn at(seconds: u64) -> UnixMillis {
        UnixMillis(seconds * 1000)
    }

    /// Plays a script of instants in seconds and compares the stand at one instant.
    fn check(script: &[(u64, Do)], now: u64, causes: &[Cause<Made>], clear_at: Option<u64>) {
        let mut policy = Policy::default();
        for (seconds, step) in script {
            match step {
                Trip(guard) => policy.read(Reading { guard: *guard, tripped: true, at: at(*seconds) }),
                Clear(guard) => policy.read(Reading { guard: *guard, tripped: false, at: at(*seconds) }),
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
        check(&[(0, Trip(Game))], 500, &[Cause::Guard(Game)], None);
        let cleared = || vec![(0, Trip(Game)), (100, Clear(Game))];
        check(&cleared(), 159, &[Cause::ResumeDelay { until: at(160) }], Some(160));
        check(&cleared(), 160, &[], None);
    }

    #[test]
    fn tripping_again_in_the_delay_starts_over() {
        let mut script = vec![(0, Trip(Game)), (100, Clear(Game)), (130, Trip(Game))];
        check(&script, 161, &[Cause::Guard(Game)], None);
        script.push((170, Clear(Game)));
        check(&script, 200, &[Cause::ResumeDelay { until: at(230) }], Some(230));
    }

    #[test]
    fn the_delay_begins_when_the_last_guard_clears() {
        let mut script = vec![(0, Trip(Game)), (10, Trip(Battery)), (20, Clear(Game))];
        check(&script, 200, &[Cause::Guard(Battery)], None);
        script.push((300, Clear(Battery)));
        check(&script, 301, &[Cause::ResumeDelay { until: at(360) }], Some(360));
        // A guard that was clear already says nothing new when it is read as clear again.
        script.push((350, Clear(Game)));
        check(&script, 351, &[Cause::ResumeDelay { until: at(360) }], Some(360));
    }

    #[test]
    fn resuming_by_hand_skips_the_delay_but_no_guard() {
        check(&[(0, Trip(Game)), (100, Clear(Game)), (101, Resume)], 101, &[], None);
        check(&[(0, Trip(Game)), (1, Resume)], 1, &[Cause::Guard(Game)], None);
    }

    #[test]
    fn several_causes_are_told_together_and_end_with_the_last() {
        let until = PauseUntil::Instant(at(130));
        check(
            &[(0, Trip(Game)), (100, Clear(Game)), (101, Pause(until))],
            110,
            &[Cause::Paused(until), Cause::ResumeDelay { until: at(160) }],
            Some(160),
        );
        check(&[(0, Trip(Game)), (1, Pause(until))], 2, &[Cause::Paused(until), Cause::Guard(Game)], None);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_stretch_the_delay() {
        check(&[(0, Trip(Game)), (100_000, Clear(Game))], 10, &[], None);
    }
}
