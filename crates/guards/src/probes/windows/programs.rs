//! Which of the programs that the contributor has listed run.
//!
//! Windows tells only administrators that a program starts, so that it is looked again and again.

use std::time::Duration;

use super::processes::{self, Process};
use crate::probes::programs::{Programs, Running};
use crate::{ProbeError, is_same_program};

/// A game takes seconds to start; the GPU is free before it draws. A look takes some hundred microseconds, and a millisecond
/// where very many threads run.
const INTERVAL: Duration = Duration::from_secs(2);

/// The probe.
pub(super) fn programs() -> Programs<Snapshots> {
    Programs::every(INTERVAL, Snapshots)
}

/// Lists all processes each time.
#[derive(Debug)]
pub(super) struct Snapshots;

impl Running for Snapshots {
    fn running(&mut self, listed: &[String]) -> Result<Vec<String>, ProbeError> {
        let all = processes::list().map_err(|error| ProbeError::new("which programs run", error))?;
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
    use std::sync::mpsc::RecvTimeoutError;

    use super::processes::tests::Child;
    use super::*;
    use crate::Watch;
    use crate::probes::programs::tests::{SILENCE, SOON, listing, names, tells};
    use crate::probes::told_by;

    #[test]
    fn what_runs_is_told_as_it_is_listed() {
        let process = |file: &str| Process { pid: 8, parent: 4, file: file.to_owned() };
        let all = [process("System"), process("GAME.exe"), process("obs64.exe")];
        assert_eq!(running(&names(&["obs64", "blender", "Game"]), &all), ["obs64", "Game"]);
        assert_eq!(running(&names(&["obs64.EXE", "obs"]), &all), ["obs64.EXE"]);
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
        let told = told_by(Programs::every(SOON, Snapshots), &watch);
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
