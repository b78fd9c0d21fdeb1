//! Which of the programs that the contributor has listed run.
//!
//! Nothing tells who may not trace the whole system that a program starts, so it is looked each second. What is read is only
//! what may be new: the kernel numbers processes in their order, and tells the last number that it gave.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::processes::{Process, Processes};
use crate::ProbeError;
use crate::probes::programs::{Programs, Running};

/// A game takes seconds to start; the GPU is free before it draws.
const INTERVAL: Duration = Duration::from_secs(1);

/// How often all processes are looked at: for those that run another program in their place long after they were started,
/// as launchers do, and for those whose numbers were not given in order.
const LIST_INTERVAL: Duration = Duration::from_secs(30);

/// For so many looks a process is new: a shell, a launcher and Wine all start as themselves and become the program then.
const NEW_LOOKS: u8 = 5;

/// Up to so many new numbers are looked at one by one; most are threads, which takes a microsecond or two. For more, listing
/// all processes is less work.
const ONE_BY_ONE_MAX: u32 = 256;

/// The probe.
pub(super) fn programs() -> Programs<Looks> {
    Programs::every(INTERVAL, Looks::of(Processes::new(), LIST_INTERVAL))
}

/// What is known of the processes that run.
#[derive(Debug)]
pub(super) struct Looks {
    processes: Processes,
    list_interval: Duration,
    listed: Vec<String>,
    known: BTreeMap<u32, Known>,
    /// New processes, and for how many looks they are still.
    new: BTreeMap<u32, u8>,
    last: Option<u32>,
    all_looked_at: Option<Instant>,
}

/// A process that was looked at.
#[derive(Debug)]
struct Known {
    short_name: String,
    /// Which of the listed programs it is, by their places.
    programs: Vec<usize>,
}

impl Looks {
    fn of(processes: Processes, list_interval: Duration) -> Self {
        Self {
            processes,
            list_interval,
            listed: Vec::new(),
            known: BTreeMap::new(),
            new: BTreeMap::new(),
            last: None,
            all_looked_at: None,
        }
    }

    /// The listed programs that run now.
    fn look(&mut self) -> Vec<String> {
        let last = self.processes.last();
        let before = std::mem::replace(&mut self.last, last);
        let is_due = self.all_looked_at.is_none_or(|at| at.elapsed() >= self.list_interval);
        self.look_at_new();
        match (before, last) {
            // They begin from the start again, and what is known may be another by now.
            (Some(before), Some(last)) if last < before => self.forget(),
            (Some(before), Some(last)) if !is_due && last - before <= ONE_BY_ONE_MAX => {
                for process in before + 1..=last {
                    self.read(process);
                }
                return self.those_that_run();
            }
            _ => {}
        }
        let is_new =
            |process: u32| before.zip(last).is_some_and(|(before, last)| process > before && process <= last);
        let mut gone = std::mem::take(&mut self.known);
        for process in self.processes.list() {
            match gone.remove(&process) {
                Some(known) if !is_new(process) => {
                    self.known.insert(process, known);
                    if is_due {
                        self.look_again(process);
                    }
                }
                _ => self.read(process),
            }
        }
        if is_due {
            self.all_looked_at = Some(Instant::now());
        }
        self.those_that_run()
    }

    fn look_at_new(&mut self) {
        let new: Vec<u32> = self.new.keys().copied().collect();
        for process in new {
            self.look_again(process);
        }
        self.new.retain(|_, looks| {
            *looks = looks.saturating_sub(1);
            *looks > 0
        });
    }

    /// Reads what a process is anew if another program runs in it.
    fn look_again(&mut self, process: u32) {
        let known = self.known.get(&process).map(|known| &known.short_name);
        if self.processes.short_name(process).as_ref() != known {
            self.read(process);
        }
    }

    fn read(&mut self, process: u32) {
        let Some(read) = self.processes.process(process) else {
            self.known.remove(&process);
            return;
        };
        let is = |(place, listed): (usize, &String)| read.is(listed).then_some(place);
        let programs = self.listed.iter().enumerate().filter_map(is).collect();
        let Process { short_name, .. } = read;
        self.known.insert(process, Known { short_name, programs });
        self.new.entry(process).or_insert(NEW_LOOKS);
    }

    fn those_that_run(&mut self) -> Vec<String> {
        let is_listed = |(process, known): (&u32, &Known)| (!known.programs.is_empty()).then_some(*process);
        let processes: Vec<u32> = self.known.iter().filter_map(is_listed).collect();
        let mut runs = vec![false; self.listed.len()];
        for process in processes {
            // One process of a program is enough.
            let is_news = |known: &Known| known.programs.iter().any(|place| !runs[*place]);
            if self.known.get(&process).is_some_and(is_news) && self.still_runs(process) {
                let known = self.known.get(&process);
                known.into_iter().flat_map(|known| &known.programs).for_each(|place| runs[*place] = true);
            }
        }
        self.listed.iter().zip(runs).filter(|(_, runs)| *runs).map(|(listed, _)| listed.clone()).collect()
    }

    /// Whether a process runs; what it is may be another by now.
    fn still_runs(&mut self, process: u32) -> bool {
        let runs = self.processes.runs(process);
        if runs {
            self.look_again(process);
        } else {
            self.known.remove(&process);
        }
        runs
    }

    fn forget(&mut self) {
        self.known.clear();
        self.new.clear();
        self.all_looked_at = None;
    }
}

impl Running for Looks {
    fn running(&mut self, listed: &[String]) -> Result<Vec<String>, ProbeError> {
        if self.listed != listed {
            self.listed = listed.to_vec();
            self.forget();
            self.last = None;
        }
        Ok(self.look())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write as _;
    use std::path::{Path, PathBuf};
    use std::process::{Child, Command, Stdio};
    use std::sync::mpsc::RecvTimeoutError;

    use tempfile::TempDir;

    use super::*;
    use crate::probes::here::processes::tests::Fake;
    use crate::probes::programs::tests::{PATIENCE, SILENCE, SOON, listing, tells};
    use crate::probes::told_by;
    use crate::{Observation, Watch};

    const NEVER: Duration = Duration::from_secs(3600);

    /// Looks at a kernel that is none, and lists all processes so often.
    fn probe(fake: &Fake, list_interval: Duration) -> Looks {
        let mut probe = Looks::of(fake.processes(), list_interval);
        probe.listed = vec!["game".to_owned(), "blender".to_owned()];
        probe
    }

    #[test]
    fn what_is_listed_is_seen_while_it_runs() {
        let fake = Fake::new();
        let mut probe = probe(&fake, NEVER);
        assert!(probe.look().is_empty());
        fake.runs(20, "blender", Some("/usr/bin/blender"), &["blender"]);
        fake.runs(21, "game", Some("/opt/game"), &["/opt/game"]);
        fake.last(21);
        assert_eq!(probe.look(), ["game", "blender"], "in the order of the list");
        // A second one of it, and the first ends.
        fake.runs(22, "game", Some("/opt/game"), &["/opt/game"]);
        fake.last(22);
        assert_eq!(probe.look(), ["game", "blender"]);
        fake.ends(21);
        assert_eq!(probe.look(), ["game", "blender"]);
        fake.set(22, "status", "State:\tZ (zombie)\nTgid:\t22\nUid:\t7\nThreads:\t1\n");
        assert_eq!(probe.look(), ["blender"], "it has ended, and its parent does not care");
        fake.ends(20);
        assert!(probe.look().is_empty());
    }

    #[test]
    fn only_numbers_that_were_given_meanwhile_are_looked_at() {
        let fake = Fake::new();
        let mut rare = probe(&fake, NEVER);
        let mut often = probe(&fake, Duration::ZERO);
        assert!(rare.look().is_empty() && often.look().is_empty());
        fake.runs(900, "game", None, &["game"]);
        assert!(rare.look().is_empty(), "the kernel says that there is nothing new");
        assert_eq!(often.look(), ["game"], "it is found when all are listed");
        // Many at once: all are listed.
        fake.last(1000);
        assert_eq!(rare.look(), ["game"]);
    }

    #[test]
    fn a_process_is_looked_at_again_when_it_may_be_another() {
        let fake = Fake::new();
        let mut probe = probe(&fake, NEVER);
        probe.look();
        fake.runs(50, "sh", Some("/bin/dash"), &["sh", "-c", "game"]);
        fake.last(50);
        assert!(probe.look().is_empty());
        fake.runs(50, "game", Some("/opt/game"), &["/opt/game"]);
        assert_eq!(probe.look(), ["game"], "it is new, and has become another");
        fake.runs(50, "crash-reporter", Some("/opt/crash-reporter"), &["crash-reporter"]);
        assert!(probe.look().is_empty());
        for _ in 0..NEW_LOOKS {
            probe.look();
        }
        fake.runs(50, "game", Some("/opt/game"), &["/opt/game"]);
        assert!(probe.look().is_empty(), "it is not new any more");
        probe.list_interval = Duration::ZERO;
        assert_eq!(probe.look(), ["game"]);
        // The numbers begin from the start again, and one is given to another.
        probe.list_interval = NEVER;
        fake.runs(50, "game", Some("/opt/blender"), &["/opt/blender"]);
        fake.last(2);
        assert_eq!(probe.look(), ["game", "blender"]);
    }

    #[test]
    fn a_kernel_that_tells_no_numbers_is_listed() {
        let fake = Fake::new();
        fake.last(0);
        let mut probe = probe(&fake, NEVER);
        assert!(probe.look().is_empty());
        fake.runs(50, "game", None, &["game"]);
        assert_eq!(probe.look(), ["game"]);
        fake.ends(50);
        assert!(probe.look().is_empty());
    }

    /// A program of the test's own, which ends when it is told to.
    struct Program {
        running: Child,
        _folder: TempDir,
    }

    impl Program {
        /// A copy of the shell under this name.
        fn copy(folder: &Path, name: &str) -> PathBuf {
            let path = folder.join(name);
            // Not by this process: a file that is open for writing in one that forks cannot be run.
            assert!(Command::new("cp").arg("/bin/sh").arg(&path).status().unwrap().success());
            path
        }

        fn start(name: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = Self::copy(folder.path(), name);
            let running = Command::new(path).args(["-c", "read line"]).stdin(Stdio::piped()).spawn().unwrap();
            Self { running, _folder: folder }
        }

        /// A script that becomes the program when it is told to.
        fn launcher(name: &str, program: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (script, path) = (folder.path().join(name), Self::copy(folder.path(), program));
            let lines = format!("read line; exec '{}' -c 'read line'", path.display());
            fs::write(&script, lines).unwrap();
            let running = Command::new("/bin/sh").arg(script).stdin(Stdio::piped()).spawn().unwrap();
            Self { running, _folder: folder }
        }

        fn goes_on(&mut self) {
            self.running.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        }
    }

    impl Drop for Program {
        fn drop(&mut self) {
            drop(self.running.stdin.take());
            let _ = self.running.wait();
        }
    }

    #[test]
    fn real_programs_come_and_go() {
        let watch = Watch::default();
        // With so many looks, a process is new for less time than a busy machine needs to start it.
        let told = told_by(Programs::every(SOON, Looks::of(Processes::new(), SOON)), &watch);
        tells(&told, &[]);
        let (long, short) = ("A Game With A Long Name", "lulltestgame");
        watch.tell(listing(&[short, "a game with a long name.EXE"]));
        let mut game = Program::start(long);
        tells(&told, &["a game with a long name.EXE"]);
        let other = Program::start(short);
        tells(&told, &[short, "a game with a long name.EXE"]);
        // It ends, and nobody has asked yet how.
        game.goes_on();
        tells(&told, &[short]);
        drop(game);
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
        watch.tell(listing(&[]));
        tells(&told, &[]);
        watch.tell(listing(&[short]));
        tells(&told, &[short]);
        drop(other);
        tells(&told, &[]);
    }

    #[test]
    fn a_launcher_that_becomes_a_game_is_one() {
        let watch = Watch::default();
        watch.tell(listing(&["lulltestlater"]));
        let told = told_by(Programs::every(SOON, Looks::of(Processes::new(), SOON)), &watch);
        tells(&told, &[]);
        let mut launcher = Program::launcher("lulltestlauncher", "lulltestlater");
        assert_eq!(told.recv_timeout(SILENCE), Err(RecvTimeoutError::Timeout));
        launcher.goes_on();
        tells(&told, &["lulltestlater"]);
        launcher.goes_on();
        tells(&told, &[]);
    }

    #[test]
    fn what_runs_is_suggested() {
        let game = Program::start("lulltestsuggested");
        let watch = Watch::default();
        watch.tell(listing(&["lulltestsuggested"]));
        let told = told_by(Programs::every(SOON, Looks::of(Processes::new(), SOON)), &watch);
        while told.recv_timeout(PATIENCE) == Ok(Observation::Programs(Vec::new())) {}
        let running = crate::probes::running_programs();
        assert!(running.contains(&"lulltestsuggested".to_owned()), "{running:?}");
        assert!(!running.iter().any(|name| name.contains("kthreadd")), "{running:?}");
        drop(game);
    }
}
