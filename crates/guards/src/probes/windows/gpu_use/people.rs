//! Whose a process is, by its name and by those that it comes from.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use super::super::processes::{self, Process};
use crate::gpu_use::{Processes, Who, shown};
use crate::is_same_program;

/// So long is what is known of a process taken for granted. A number becomes another process', but not often.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// Parents are asked for up to so many generations; a desktop's programs have about six.
const GENERATIONS_MAX: usize = 32;

/// The window, from which the worker is started. To look at it is no reason to stop, as for a program that fills a screen.
const WINDOW: &str = "lull";

/// Processes that are none: the idle one, and the kernel's, which moves memory for all others.
const SYSTEM_PIDS: [u32; 2] = [0, 4];

/// Who tells of processes.
pub(super) trait Listing: Send {
    /// All that run; none where that is not told.
    fn list(&mut self) -> Vec<Process>;

    /// When one was started; `None` where that is not told.
    fn started(&mut self, pid: u32) -> Option<u64>;
}

/// The system itself.
#[derive(Debug)]
pub(super) struct System;

impl Listing for System {
    fn list(&mut self) -> Vec<Process> {
        processes::list().unwrap_or_default()
    }

    fn started(&mut self, pid: u32) -> Option<u64> {
        processes::started(pid)
    }
}

/// The processes of this machine.
pub(super) struct People {
    listing: Box<dyn Listing>,
    own: u32,
    now: Duration,
    /// All processes, and when they were listed.
    listed: Option<(Duration, HashMap<u32, Process>)>,
    known: HashMap<u32, (Duration, Option<Who>)>,
}

impl People {
    /// `own` is the process that asks.
    pub fn new(listing: Box<dyn Listing>, own: u32) -> Self {
        Self { listing, own, now: Duration::ZERO, listed: None, known: HashMap::new() }
    }

    /// It is now so late.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
        self.known.retain(|_, (read_at, _)| now.saturating_sub(*read_at) < KNOWN_FOR);
    }

    fn read(&mut self, pid: u32) -> Option<Who> {
        if SYSTEM_PIDS.contains(&pid) {
            return None;
        }
        // All are listed once in a round at most, and only when there is one that is not known.
        if self.listed.as_ref().is_none_or(|(at, _)| *at != self.now) {
            let all = self.listing.list().into_iter().map(|process| (process.pid, process));
            self.listed = Some((self.now, all.collect()));
        }
        let (_, all) = self.listed.as_ref()?;
        let process = all.get(&pid)?;
        let is_ours = is_ours(self.listing.as_mut(), all, process, self.own);
        Some(Who { program: shown(process.program()), is_ours })
    }
}

impl Processes for People {
    fn who(&mut self, pid: u32) -> Option<Who> {
        if let Some((_, who)) = self.known.get(&pid) {
            return who.clone();
        }
        let who = self.read(pid);
        self.known.insert(pid, (self.now, who.clone()));
        who
    }
}

/// A process is ours when it or one that it comes from is this one, or the window.
fn is_ours(listing: &mut dyn Listing, all: &HashMap<u32, Process>, process: &Process, own: u32) -> bool {
    let mut process = process;
    let mut passed = BTreeSet::new();
    for _ in 0..GENERATIONS_MAX {
        if process.pid == own || is_same_program(&process.file, WINDOW) {
            return true;
        }
        let Some(parent) = all.get(&process.parent) else { return false };
        // A parent that has ended leaves its number, which another process may have been given since. Those that must not be
        // asked are not ours, and neither are those that come from them.
        let in_order = listing.started(parent.pid).zip(listing.started(process.pid));
        if !passed.insert(process.pid) || in_order.is_none_or(|(parent, child)| parent > child) {
            return false;
        }
        process = parent;
    }
    false
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// Processes that are none: number, file, parent, and when it was started.
    #[derive(Clone, Default)]
    pub(in super::super) struct Fake(pub Arc<Mutex<FakeProcesses>>);

    #[derive(Default)]
    pub(in super::super) struct FakeProcesses {
        pub all: Vec<(u32, &'static str, u32, Option<u64>)>,
        pub listed: u32,
    }

    impl Listing for Fake {
        fn list(&mut self) -> Vec<Process> {
            let mut fake = self.0.lock().unwrap();
            fake.listed += 1;
            let all = fake.all.iter();
            all.map(|(pid, file, parent, _)| Process { pid: *pid, parent: *parent, file: (*file).to_owned() })
                .collect()
        }

        fn started(&mut self, pid: u32) -> Option<u64> {
            self.0.lock().unwrap().all.iter().find(|(of, ..)| *of == pid).and_then(|(.., started)| *started)
        }
    }

    impl Fake {
        pub fn of(all: &[(u32, &'static str, u32, Option<u64>)]) -> Self {
            let fake = Self::default();
            fake.0.lock().unwrap().all = all.to_vec();
            fake
        }
    }

    fn who(program: &str, is_ours: bool) -> Option<Who> {
        Some(Who { program: Some(program.to_owned()), is_ours })
    }

    #[test]
    fn ours_is_what_comes_from_us_or_from_the_window() {
        let fake = Fake::of(&[
            (0, "[System Process]", 0, None),
            (4, "System", 0, None),
            (40, "explorer.exe", 39, Some(100)),
            (50, "Lull.exe", 40, Some(200)),
            (60, "lull-worker.exe", 50, Some(210)),
            (70, "lull-runtime-gpu.exe", 60, Some(300)),
            (80, "msedgewebview2.exe", 50, Some(205)),
            (81, "msedgewebview2.exe", 80, Some(206)),
            (90, "game.exe", 40, Some(150)),
            // The number of its parent was given to the worker since.
            (91, "launcher.exe", 60, Some(120)),
            // Loops, as numbers that are given again can make them.
            (92, "a.exe", 93, Some(100)),
            (93, "b.exe", 92, Some(100)),
            // Nobody may ask when it was started, or from where it comes.
            (94, "sealed.exe", 60, None),
            (95, "child.exe", 94, Some(400)),
        ]);
        let mut people = People::new(Box::new(fake.clone()), 60);
        for (pid, name, is_ours) in [
            (40, "explorer", false),
            (50, "Lull", true),
            (60, "lull-worker", true),
            (70, "lull-runtime-gpu", true),
            (81, "msedgewebview2", true),
            (90, "game", false),
            (91, "launcher", false),
            (92, "a", false),
            (94, "sealed", false),
            (95, "child", false),
        ] {
            assert_eq!(people.who(pid), who(name, is_ours), "{pid}");
        }
        assert_eq!((people.who(0), people.who(4), people.who(4000)), (None, None, None));
        assert_eq!(fake.0.lock().unwrap().listed, 1, "all in one round");
    }

    #[test]
    fn what_is_known_is_asked_again_after_a_while() {
        let fake = Fake::of(&[(7, "launcher.exe", 1, Some(1))]);
        let mut people = People::new(Box::new(fake.clone()), 60);
        let listed = || fake.0.lock().unwrap().listed;
        people.set_time(Duration::from_secs(100));
        assert_eq!(people.who(7), who("launcher", false));
        fake.0.lock().unwrap().all = vec![(7, "game.exe", 1, Some(2))];
        people.set_time(Duration::from_secs(109));
        assert_eq!((people.who(7), listed()), (who("launcher", false), 1));
        people.set_time(Duration::from_secs(110));
        assert_eq!((people.who(7), listed()), (who("game", false), 2));
    }

    #[test]
    fn names_can_be_shown() {
        assert_eq!(shown("a\u{1b}[31m\n"), Some("a[31m".to_owned()));
        assert_eq!(shown("\n \t"), None);
        assert_eq!(shown(&"x".repeat(300)), Some("x".repeat(64)));
    }

    #[test]
    fn this_process_and_its_children_are_ours() {
        let child = super::super::super::processes::tests::Child::start();
        let mut people = People::new(Box::new(System), std::process::id());
        assert!(people.who(std::process::id()).unwrap().is_ours);
        assert!(people.who(child.0.id()).unwrap().is_ours);
        let mut people = People::new(Box::new(System), child.0.id());
        assert!(!people.who(std::process::id()).unwrap().is_ours);
    }
}
