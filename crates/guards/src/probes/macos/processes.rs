//! The processes that run. Everybody may know all names and parents.

use std::collections::HashMap;
use std::time::Duration;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind, get_current_pid};

use crate::gpu_use::{Processes, Who, shown};
use crate::is_same_program;
use crate::probes::apple::programs::{is_listed, suggested};

/// So long is what is known of a process taken for granted. A number becomes another process's, but not often.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Parents are asked for up to so many generations; a desktop's programs have about four.
const GENERATIONS_MAX: usize = 32;

/// The window, from which the worker is started. To look at it is no reason to stop, as for a program that fills a screen.
const WINDOW: &str = "lull";

/// All processes that run.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// What is known of them; none before the first look.
    system: Option<System>,
}

impl Running {
    /// Those of the listed that run now, in the order and with the names of the list.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn of(&mut self, listed: &[String]) -> Result<Vec<String>, sysinfo::Error> {
        let system = opened(&mut self.system)?;
        // What a process runs is asked once.
        let kind = ProcessRefreshKind::nothing().with_exe(UpdateKind::OnlyIfNotSet);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        let files: Vec<_> = system.processes().values().map(file).collect();
        let runs = |listed: &&String| files.iter().any(|file| is_listed(file, listed));
        Ok(listed.iter().filter(runs).cloned().collect())
    }

    /// The names of the programs that this user runs, sorted: as they would be listed. None where the system does not tell.
    pub fn programs_of_this_user(&mut self) -> Vec<String> {
        let Ok(system) = opened(&mut self.system) else { return Vec::new() };
        let kind = ProcessRefreshKind::nothing()
            .with_exe(UpdateKind::OnlyIfNotSet)
            .with_user(UpdateKind::OnlyIfNotSet);
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
        let own = get_current_pid().ok().and_then(|own| system.process(own)?.user_id());
        let ours = system.processes().values().filter(|process| own.is_some() && process.user_id() == own);
        let mut names: Vec<String> =
            ours.filter_map(|process| suggested(&file(process)).map(str::to_owned)).collect();
        names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
        names.dedup_by(|later, earlier| is_same_program(later, earlier));
        names
    }
}

fn opened(system: &mut Option<System>) -> Result<&mut System, sysinfo::Error> {
    match system {
        Some(system) => Ok(system),
        none => Ok(none.insert(System::new()?)),
    }
}

/// The path of a process's file, or its name where that must not be known.
fn file(process: &sysinfo::Process) -> String {
    let path = process.exe().map(|path| path.to_string_lossy().into_owned());
    path.filter(|path| !path.is_empty()).unwrap_or_else(|| process.name().to_string_lossy().into_owned())
}

/// Whose processes are.
#[derive(Debug)]
pub(super) struct People {
    system: Option<System>,
    own: u32,
    now: Duration,
    known: HashMap<u32, (Duration, Option<Who>)>,
}

impl People {
    /// `own` is the process that asks.
    pub fn new(own: u32) -> Self {
        Self { system: None, own, now: Duration::ZERO, known: HashMap::new() }
    }

    /// It is now so late.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
        self.known.retain(|_, (read_at, _)| now.saturating_sub(*read_at) < KNOWN_FOR);
    }

    /// A process's name and its parent.
    fn read(&mut self, pid: u32) -> Option<(String, Option<u32>)> {
        let pid = Pid::from_u32(pid);
        let system = opened(&mut self.system).ok()?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[pid]),
            true,
            ProcessRefreshKind::nothing(),
        );
        let process = system.process(pid)?;
        Some((process.name().to_string_lossy().into_owned(), process.parent().map(Pid::as_u32)))
    }

    /// A process is ours when it or one that it comes from is this one, or the window.
    fn is_ours(&mut self, pid: u32, name: &str, parent: Option<u32>) -> bool {
        let (mut pid, mut name, mut parent) = (pid, name.to_owned(), parent);
        for _ in 0..GENERATIONS_MAX {
            if pid == self.own || is_same_program(&name, WINDOW) {
                return true;
            }
            let Some((of, Some((next_name, next)))) = parent.map(|of| (of, self.read(of))) else {
                return false;
            };
            (pid, name, parent) = (of, next_name, next);
        }
        false
    }
}

impl Processes for People {
    fn who(&mut self, pid: u32) -> Option<Who> {
        if let Some((_, who)) = self.known.get(&pid) {
            return who.clone();
        }
        let who = self
            .read(pid)
            .map(|(name, parent)| Who { is_ours: self.is_ours(pid, &name, parent), program: shown(&name) });
        self.known.insert(pid, (self.now, who.clone()));
        who
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_ours() {
        let own = std::process::id();
        let who = People::new(own).who(own).unwrap();
        assert!(who.is_ours && who.program.is_some(), "{who:?}");
        assert!(!People::new(own).who(1).is_some_and(|first| first.is_ours));
    }
}
