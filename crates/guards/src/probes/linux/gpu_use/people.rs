//! Whose a process is, from `/proc/<pid>/stat`, which everybody may read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use super::files::read_small;
use crate::gpu_use::{Processes, Who, shown};

/// So long is what is known of a process taken for granted. A launcher becomes its game, and a number another process, but
/// not often.
const KNOWN_FOR: Duration = Duration::from_secs(10);

/// What nobody has asked for so long is forgotten.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// Parents are asked for up to so many generations; a desktop's programs have about six.
const GENERATIONS_MAX: usize = 32;

/// The kernel keeps so many bytes of a name.
const COMM_BYTES_MAX: usize = 15;

/// The window, from which the worker is started. To look at it is no reason to stop, as for a program that fills a screen.
const WINDOW: &str = "lull";

/// The processes of this machine.
#[derive(Debug)]
pub struct People {
    proc: PathBuf,
    own: u32,
    now: Duration,
    known: HashMap<u32, (Duration, Option<Who>)>,
}

impl People {
    /// Under this `/proc`; `own` is the process that asks.
    pub fn new(proc: PathBuf, own: u32) -> Self {
        Self { proc, own, now: Duration::ZERO, known: HashMap::new() }
    }

    /// It is now so late.
    pub fn set_time(&mut self, now: Duration) {
        self.now = now;
        self.known.retain(|_, (read_at, _)| now.saturating_sub(*read_at) < FORGOTTEN_AFTER);
    }

    fn read(&self, pid: u32) -> Option<Who> {
        let (comm, parent) = self.stat(pid)?;
        let is_ours = self.is_ours(pid, &comm, parent);
        Some(Who { program: shown(&self.whole_name(pid, comm)), is_ours })
    }

    fn stat(&self, pid: u32) -> Option<(String, u32)> {
        let mut text = Vec::new();
        read_small(&self.proc.join(format!("{pid}/stat")), &mut text).ok()?;
        stat(&text)
    }

    /// A process is ours when it or one that it comes from is this one, or the window.
    fn is_ours(&self, pid: u32, comm: &str, parent: u32) -> bool {
        let (mut pid, mut comm, mut parent) = (pid, comm.to_owned(), parent);
        for _ in 0..GENERATIONS_MAX {
            if pid == self.own || comm == WINDOW {
                return true;
            }
            let Some((name, next)) = self.stat(parent) else { return false };
            (pid, comm, parent) = (parent, name, next);
        }
        false
    }

    /// The name of a program whose name the kernel has cut off.
    fn whole_name(&self, pid: u32, comm: String) -> String {
        if comm.len() < COMM_BYTES_MAX {
            return comm;
        }
        let program = std::fs::read_link(self.proc.join(format!("{pid}/exe"))).ok();
        let name = program.as_deref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
        // Threads and interpreted programs call themselves something else.
        name.filter(|name| name.starts_with(&comm)).map_or(comm, |name| name.into_owned())
    }
}

impl Processes for People {
    fn who(&mut self, pid: u32) -> Option<Who> {
        if let Some((read_at, who)) = self.known.get(&pid)
            && self.now.saturating_sub(*read_at) < KNOWN_FOR
        {
            return who.clone();
        }
        let who = self.read(pid);
        self.known.insert(pid, (self.now, who.clone()));
        who
    }
}

/// A process' name and its parent, from `pid (name) state parent …`. A name may hold anything, brackets as well.
fn stat(text: &[u8]) -> Option<(String, u32)> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once('(')?;
    let (comm, rest) = rest.rsplit_once(')')?;
    let parent = rest.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((comm.to_owned(), parent))
}

#[cfg(test)]
mod tests {
    use super::super::tests::FakeProc;
    use super::*;

    fn who(program: &str, is_ours: bool) -> Option<Who> {
        Some(Who { program: Some(program.to_owned()), is_ours })
    }

    #[test]
    fn names_and_parents_are_read_as_they_come() {
        let check = |text: &str, expected: Option<(&str, u32)>| {
            assert_eq!(
                stat(text.as_bytes()),
                expected.map(|(name, parent)| (name.to_owned(), parent)),
                "{text:?}"
            );
        };
        check("7 (game) S 1 7 7 0", Some(("game", 1)));
        check("7 (a) b (c)) R 12 7", Some(("a) b (c)", 12)));
        check("7 () R 12", Some(("", 12)));
        for text in ["", "7", "7 (game", "7 game) S 1", "7 (game) S", "7 (game) S x", "7 (game) S -1"] {
            check(text, None);
        }
        assert_eq!(shown("a\u{1b}[31m\n"), Some("a[31m".to_owned()));
        assert_eq!(shown("\n \t"), None);
        assert_eq!(shown(&"x".repeat(300)), Some("x".repeat(64)));
    }

    #[test]
    fn ours_is_what_comes_from_us_or_from_the_window() {
        let proc = FakeProc::new();
        for (pid, name, parent) in [
            (1, "systemd", 0),
            (50, "lull", 1),
            (60, "lull-worker", 50),
            (70, "lull-runtime-gp", 60),
            (80, "WebKitWebProces", 50),
            (90, "sh", 1),
            (91, "game", 90),
            // A loop, as none can be.
            (92, "a", 93),
            (93, "b", 92),
            // A parent that is gone.
            (94, "orphan", 4000),
        ] {
            proc.process(pid, name, parent);
        }
        let mut people = People::new(proc.path(), 60);
        for (pid, name, is_ours) in [
            (60, "lull-worker", true),
            (70, "lull-runtime-gp", true),
            (80, "WebKitWebProces", true),
            (50, "lull", true),
            (91, "game", false),
            (92, "a", false),
            (94, "orphan", false),
        ] {
            assert_eq!(people.who(pid), who(name, is_ours), "{pid}");
        }
        assert_eq!(people.who(4000), None);
        // Without a window.
        let mut people = People::new(proc.path(), 90);
        assert_eq!(people.who(91), who("game", true));
    }

    #[test]
    fn a_name_that_was_cut_off_is_the_files() {
        let proc = FakeProc::new();
        proc.process(7, "DaVinci_Resolve", 1);
        proc.link(7, "exe", "/opt/resolve/bin/DaVinci_Resolve_Studio");
        proc.process(8, "Cyberpunk2077.e", 1);
        proc.link(8, "exe", "/usr/bin/wine64-preloader");
        proc.process(9, "game", 1);
        proc.link(9, "exe", "/usr/bin/game_launcher");
        let mut people = People::new(proc.path(), 60);
        assert_eq!(people.who(7), who("DaVinci_Resolve_Studio", false));
        assert_eq!(people.who(8), who("Cyberpunk2077.e", false));
        assert_eq!(people.who(9), who("game", false));
    }

    #[test]
    fn what_is_known_is_asked_again_after_a_while_and_forgotten_when_nobody_asks() {
        let proc = FakeProc::new();
        proc.process(7, "launcher", 1);
        let mut people = People::new(proc.path(), 60);
        people.set_time(Duration::from_secs(100));
        assert_eq!(people.who(7), who("launcher", false));
        proc.process(7, "game", 1);
        people.set_time(Duration::from_secs(109));
        assert_eq!(people.who(7), who("launcher", false));
        people.set_time(Duration::from_secs(110));
        assert_eq!(people.who(7), who("game", false));
        people.set_time(Duration::from_secs(169));
        assert_eq!(people.known.len(), 1);
        people.set_time(Duration::from_secs(170));
        assert_eq!(people.known.len(), 0);
    }
}
