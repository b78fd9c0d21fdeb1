//! Which of the programs that the contributor has listed run. Systems tell only administrators that a program starts, so
//! that it is looked again and again, while any is listed; how it is looked is each system's own, behind [`Running`].

use std::time::Duration;

use lull_types::Guard;

use crate::{Observation, Probe, ProbeError, Watch};

/// Looks for programs that run.
pub(super) trait Running: Send {
    /// Those of the listed that run now, in the order and with the names of the list.
    ///
    /// # Errors
    /// When the system does not tell.
    fn running(&mut self, listed: &[String]) -> Result<Vec<String>, ProbeError>;
}

/// The probe.
#[derive(Debug)]
pub(super) struct Programs<R> {
    pub looks: R,
    interval: Duration,
    told: Option<Vec<String>>,
}

impl<R: Running> Programs<R> {
    /// Looks so, and that often.
    pub fn every(interval: Duration, looks: R) -> Self {
        Self { looks, interval, told: None }
    }
}

impl<R: Running> Probe for Programs<R> {
    fn guard(&self) -> Guard {
        Guard::Program
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let watched = watch.now();
            let listed = &watched.rules.programs;
            let running = match listed.is_empty() {
                true => Vec::new(),
                false => self.looks.running(listed).inspect_err(|_| self.told = None)?,
            };
            if self.told.as_ref() != Some(&running) {
                self.told = Some(running.clone());
                return Ok(Observation::Programs(running));
            }
            if listed.is_empty() {
                watch.until(|watched| !watched.rules.programs.is_empty());
            } else {
                watch.sleep(self.interval, &watched);
            }
        }
    }
}

#[cfg(test)]
#[cfg_attr(
    target_os = "macos",
    allow(dead_code, reason = "nobody has run tests of real programs and people on a Mac yet")
)]
pub(super) mod tests {
    use std::sync::mpsc::Receiver;

    use lull_types::GuardRules;

    use super::*;
    use crate::Watched;

    /// Bound on what takes milliseconds, or a second where a system is only played.
    pub const PATIENCE: Duration = Duration::from_secs(30);
    /// What is not told within this is not told: a dozen of looks.
    pub const SILENCE: Duration = Duration::from_millis(300);
    pub const SOON: Duration = Duration::from_millis(20);

    pub fn names(programs: &[&str]) -> Vec<String> {
        programs.iter().map(|name| (*name).to_owned()).collect()
    }

    pub fn listing(programs: &[&str]) -> Watched {
        let rules = GuardRules { programs: names(programs), ..GuardRules::default() };
        Watched { rules, ..Watched::default() }
    }

    #[track_caller]
    pub fn tells(told: &Receiver<Observation>, programs: &[&str]) {
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Programs(names(programs))));
    }

    /// What is to be found with each look.
    struct Fake(Vec<Result<Vec<String>, ProbeError>>);

    impl Running for Fake {
        fn running(&mut self, _listed: &[String]) -> Result<Vec<String>, ProbeError> {
            self.0.remove(0)
        }
    }

    #[test]
    fn what_runs_is_told_when_it_changes_and_anew_after_an_error() {
        let error = ProbeError::new("which programs run", "no");
        let found =
            vec![Ok(names(&["a"])), Ok(names(&["a"])), Ok(names(&[])), Err(error.clone()), Ok(names(&[]))];
        let mut probe = Programs::every(Duration::ZERO, Fake(found));
        let watch = Watch::default();
        let told = |programs: &[&str]| Ok(Observation::Programs(names(programs)));
        assert_eq!(probe.next(&watch), told(&[]), "nothing is listed, and nothing looked for");
        watch.tell(listing(&["a"]));
        assert_eq!(probe.next(&watch), told(&["a"]));
        assert_eq!(probe.next(&watch), told(&[]));
        assert_eq!(probe.next(&watch), Err(error));
        assert_eq!(probe.next(&watch), told(&[]));
        assert!(probe.looks.0.is_empty());
    }
}
