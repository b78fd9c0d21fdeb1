//! Which of the programs that the contributor has listed run.
//!
//! Windows tells only administrators that a program starts, so that it is looked again and again.

use std::time::Duration;

use lull_types::Guard;

use super::processes::{self, Process};
use crate::{Observation, Probe, ProbeError, Watch, is_same_program};

/// A game takes seconds to start; the GPU is free before it draws. A look takes some hundred microseconds, and a millisecond
/// where very many threads run.
const INTERVAL: Duration = Duration::from_secs(2);

/// The probe.
#[derive(Debug)]
pub(super) struct Programs {
    interval: Duration,
    told: Option<Vec<String>>,
}

impl Programs {
    pub fn new() -> Self {
        Self::every(INTERVAL)
    }

    fn every(interval: Duration) -> Self {
        Self { interval, told: None }
    }
}

impl Probe for Programs {
    fn guard(&self) -> Guard {
        Guard::Program
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            let watched = watch.now();
            let listed = &watched.rules.programs;
            let running = if listed.is_empty() { Vec::new() } else { self.look(listed)? };
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

impl Programs {
    fn look(&mut self, listed: &[String]) -> Result<Vec<String>, ProbeError> {
        let all = processes::list().map_err(|error| {
            self.told = None;
            ProbeError { what: "which programs run", why: error.to_string() }
        })?;
        Ok(running(listed, &all))
    }
}

/// Those of the listed that run, in the order and with the names of the list.
fn running(listed: &[String], all: &[Process]) -> Vec<String> {
    let runs = |listed: &&String| all.iter().any(|process| is_same_program(&process.file, listed));
    listed.iter().filter(runs).cloned().collect()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, RecvTimeoutError};

    use lull_types::GuardRules;

    use super::processes::tests::Child;
    use super::*;
    use crate::Watched;
    use crate::probes::told_by;

    /// Bound on what takes milliseconds, or a second where a system is only played.
    const PATIENCE: Duration = Duration::from_secs(30);
    /// What is not told within this is not told: a dozen of looks.
    const SILENCE: Duration = Duration::from_millis(300);
    const SOON: Duration = Duration::from_millis(20);

    fn listing(programs: &[&str]) -> Watched {
        let programs = programs.iter().map(|name| (*name).to_owned()).collect();
        Watched { rules: GuardRules { programs, ..GuardRules::default() }, ..Watched::default() }
    }

    #[track_caller]
    fn tells(told: &Receiver<Observation>, programs: &[&str]) {
        let programs = programs.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(Observation::Programs(programs)));
    }

    #[test]
    fn what_runs_is_told_as_it_is_listed() {
        let process = |file: &str| Process { pid: 8, parent: 4, file: file.to_owned() };
        let all = [process("System"), process("GAME.exe"), process("obs64.exe")];
        let listed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(running(&listed(&["obs64", "blender", "Game"]), &all), ["obs64", "Game"]);
        assert_eq!(running(&listed(&["obs64.EXE", "obs"]), &all), ["obs64.EXE"]);
        assert!(running(&[], &all).is_empty());
    }

    #[test]
    fn real_programs_come_and_go() {
        let folder = tempfile::tempdir().unwrap();
        let path: PathBuf = folder.path().join("Lull Test Game.exe");
        let shell = std::env::var_os("ComSpec")
            .map_or_else(|| "C:\\windows\\system32\\cmd.exe".into(), PathBuf::from);
        std::fs::copy(shell, &path).unwrap();
        let watch = Watch::default();
        let told = told_by(Programs::every(SOON), &watch);
        tells(&told, &[]);
        let game = Child::run(path.as_os_str());
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout), "it is not listed");
        watch.tell(listing(&["lull test game"]));
        tells(&told, &["lull test game"]);
        drop(game);
        tells(&told, &[]);
        let game = Child::run(path.as_os_str());
        tells(&told, &["lull test game"]);
        watch.tell(listing(&[]));
        tells(&told, &[]);
        drop(game);
    }
}
