//! The processes that run, as the kernel tells of them ([proc(5)](https://man7.org/linux/man-pages/man5/proc.5.html)).

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::is_same_program;

const FOLDER: &str = "/proc";

/// Bytes of a process's short name that the kernel keeps.
const SHORT_NAME_BYTES: usize = 15;

/// Bytes that are read of a file. The kernel gives what there is of it with one reading; a path is no longer, and what is
/// looked for in longer files stands at their beginning.
const BYTES_MAX: usize = 4096;

/// The longest name that a file can have.
const NAME_CHARS_MAX: usize = 255;

/// The kernel's folder of processes.
#[derive(Clone, Debug)]
pub(super) struct Processes {
    root: PathBuf,
    /// Whether a number may be a process's. Most are threads', and to ask the kernel is a tenth of the work of reading.
    may_be: fn(u32) -> bool,
}

/// What a process is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Process {
    /// Its short name: at first its file's, cut. It changes when another program is run in its place.
    pub short_name: String,
    /// The name of the file that runs, where it may be read.
    file: Option<String>,
    /// The names of the files that its first arguments are: the program itself, and, of a script, the script.
    arguments: [Option<String>; 2],
}

/// Where a process stands.
struct Status {
    /// Whether it is one, and not a thread of one.
    is_process: bool,
    /// Whether it runs, and does not only wait for its parent to learn of its end.
    runs: bool,
    /// Whose it is.
    user: Option<u32>,
}

impl Processes {
    pub fn new() -> Self {
        Self { root: PathBuf::from(FOLDER), may_be }
    }

    /// All of them, in no order, those of the kernel included.
    pub fn list(&self) -> impl Iterator<Item = u32> + use<> {
        let entries = fs::read_dir(&self.root).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    }

    /// The number that was given last to a process or to a thread. Numbers are given in their order, from the beginning
    /// again after the last.
    pub fn last(&self) -> Option<u32> {
        let text = fs::read_to_string(self.root.join("loadavg")).ok()?;
        // Systems that only look like Linux tell a zero.
        text.split_whitespace().last()?.parse().ok().filter(|last| *last != 0)
    }

    pub fn short_name(&self, process: u32) -> Option<String> {
        let name = self.read(process, "comm")?;
        Some(name.trim_end_matches('\n').to_owned())
    }

    /// Whether a process runs.
    pub fn runs(&self, process: u32) -> bool {
        self.status(process).is_some_and(|status| status.is_process && status.runs)
    }

    /// What a process is called; `None` when it does not run, and for those of the kernel.
    pub fn process(&self, process: u32) -> Option<Process> {
        if !(self.may_be)(process) || !self.runs(process) {
            return None;
        }
        let command = self.read(process, "cmdline")?;
        // The kernel's own have none.
        if command.is_empty() {
            return None;
        }
        let mut arguments = command.split('\0').map(base);
        let file = fs::read_link(self.root.join(format!("{process}/exe"))).ok().and_then(|path| {
            let path = path.to_string_lossy();
            // An update has replaced it, or it never was in a folder.
            base(path.strip_suffix(" (deleted)").unwrap_or(&path)).filter(|name| !name.starts_with("memfd:"))
        });
        Some(Process {
            short_name: self.short_name(process)?,
            file,
            arguments: [arguments.next().flatten(), arguments.next().flatten()],
        })
    }

    /// The names of the programs that a user runs, sorted: as they would be listed. Lull's own are none.
    pub fn programs_of(&self, user: u32) -> Vec<String> {
        let mut names: Vec<String> = self
            .list()
            .filter(|process| self.status(*process).is_some_and(|status| status.user == Some(user)))
            .filter_map(|process| self.process(process)?.name())
            .collect();
        names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
        names.dedup_by(|later, earlier| is_same_program(later, earlier));
        names
    }

    fn read(&self, process: u32, file: &str) -> Option<String> {
        let mut bytes = [0; BYTES_MAX];
        let read = File::open(self.root.join(format!("{process}/{file}"))).ok()?.read(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..read]).into_owned())
    }

    fn status(&self, process: u32) -> Option<Status> {
        let text = self.read(process, "status")?;
        let field = |name: &str| {
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            value.split_whitespace().next()
        };
        let number = |name: &str| field(name)?.parse::<u32>().ok();
        // The first thread of a program may end before the others do.
        let has_ended =
            matches!(field("State"), Some("Z" | "X")) && number("Threads").is_none_or(|count| count < 2);
        Some(Status { is_process: number("Tgid") == Some(process), runs: !has_ended, user: number("Uid") })
    }
}

fn may_be(number: u32) -> bool {
    let Some(process) = i32::try_from(number).ok().and_then(Pid::from_raw) else { return false };
    match pidfd_open(process, PidfdFlags::empty()) {
        Ok(_) => true,
        // A thread's, as older and newer kernels say, and nobody's.
        Err(Errno::INVAL | Errno::NOENT | Errno::SRCH) => false,
        // Older ones still, and those that are told not to answer.
        Err(_) => true,
    }
}

impl Process {
    /// Whether it is a program that somebody has listed.
    pub fn is(&self, listed: &str) -> bool {
        if self.names().any(|name| is_same_program(name, listed)) {
            return true;
        }
        let Some(cut) = self.cut_name() else { return false };
        let (cut, listed) = (cut.to_lowercase(), listed.trim().to_lowercase());
        listed.starts_with(&cut) || format!("{listed}.exe").starts_with(&cut)
    }

    /// Its name, as a person would list it.
    fn name(&self) -> Option<String> {
        let [program, _] = &self.arguments;
        let is_of_windows = |name: &&String| name.to_lowercase().ends_with(".exe");
        let name = match (program.as_ref().filter(is_of_windows), self.script(), &self.file) {
            // Wine and Proton run it.
            (Some(program), _, _) => &program[..program.len() - ".exe".len()],
            (None, Some(script), _) => script,
            (None, None, Some(file)) => file,
            (None, None, None) => program.as_ref().unwrap_or(&self.short_name),
        };
        let is_own = is_same_program(name, "lull") || name.to_lowercase().starts_with("lull-");
        let can_be_listed = !name.trim().is_empty()
            && name.chars().count() <= NAME_CHARS_MAX
            && !name.contains(|c: char| c.is_control() || c == '/' || c == '\\');
        (can_be_listed && !is_own).then(|| name.to_owned())
    }

    /// All that it is called.
    fn names(&self) -> impl Iterator<Item = &str> {
        let [program, _] = &self.arguments;
        let whole = (self.short_name.len() < SHORT_NAME_BYTES).then_some(self.short_name.as_str());
        [self.file.as_deref(), program.as_deref(), self.script(), whole].into_iter().flatten()
    }

    /// The script that it runs, if it does: a script gives its process its name, and its interpreter its file.
    fn script(&self) -> Option<&str> {
        let [_, script] = &self.arguments;
        let begins =
            |name: &Option<String>| name.as_ref().is_some_and(|name| name.starts_with(self.whole_part()));
        if self.short_name.is_empty() || begins(&self.file) || !begins(script) {
            return None;
        }
        script.as_deref()
    }

    /// What the kernel has left of its name, where nothing tells the rest.
    fn cut_name(&self) -> Option<&str> {
        let is_cut = self.short_name.len() >= SHORT_NAME_BYTES;
        let part = self.whole_part();
        (is_cut && !part.is_empty() && !self.names().any(|name| name.starts_with(part))).then_some(part)
    }

    /// The short name without a character that it was cut within.
    fn whole_part(&self) -> &str {
        self.short_name.trim_end_matches(char::REPLACEMENT_CHARACTER)
    }
}

/// The name of the file at the end of a path of this system or of Windows.
fn base(path: &str) -> Option<String> {
    let name = path.rsplit(['/', '\\']).next()?;
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use std::fmt::Display;
    use std::path::Path;

    use tempfile::TempDir;

    use super::*;

    /// A kernel that is none, with a few of its own processes.
    pub(in super::super) struct Fake(TempDir);

    impl Fake {
        pub fn new() -> Self {
            let fake = Self(tempfile::tempdir().unwrap());
            fake.last(10);
            fake.runs(2, "kthreadd", None, &[]);
            fs::create_dir(fake.0.path().join("sys")).unwrap();
            fake
        }

        pub fn processes(&self) -> Processes {
            Processes { root: self.0.path().to_owned(), may_be: |_| true }
        }

        /// The last number that was given.
        pub fn last(&self, last: u32) {
            fs::write(self.0.path().join("loadavg"), format!("0.20 0.18 0.12 1/80 {last}\n")).unwrap();
        }

        pub fn set(&self, process: u32, file: &str, content: impl Display) {
            let folder = self.0.path().join(process.to_string());
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), content.to_string()).unwrap();
        }

        /// Whatever ran there before, this does now.
        pub fn runs(&self, process: u32, short_name: &str, file: Option<&str>, arguments: &[&str]) {
            let status =
                format!("Name:\tx\nState:\tS (sleeping)\nTgid:\t{process}\nUid:\t7\t8\nThreads:\t3\n");
            self.set(process, "status", status);
            self.set(process, "comm", format_args!("{short_name}\n"));
            self.set(
                process,
                "cmdline",
                arguments.iter().map(|text| format!("{text}\0")).collect::<String>(),
            );
            let link = self.0.path().join(format!("{process}/exe"));
            let _ = fs::remove_file(&link);
            if let Some(file) = file {
                std::os::unix::fs::symlink(Path::new(file), link).unwrap();
            }
        }

        pub fn ends(&self, process: u32) {
            fs::remove_dir_all(self.0.path().join(process.to_string())).unwrap();
        }
    }

    /// A process as the kernel would tell of it.
    fn read(short_name: &str, file: Option<&str>, arguments: &[&str]) -> Process {
        let fake = Fake::new();
        fake.runs(3, short_name, file, arguments);
        fake.processes().process(3).unwrap()
    }

    #[test]
    fn a_program_is_known_by_each_of_its_names() {
        let check = |process: &Process, are: &[&str], are_not: &[&str]| {
            for listed in are {
                assert!(process.is(listed), "{process:?} is {listed}");
            }
            for listed in are_not {
                assert!(!process.is(listed), "{process:?} is not {listed}");
            }
        };
        let native = read("blender", Some("/usr/bin/blender"), &["blender", "/home/a/obs"]);
        check(&native, &["blender", "Blender", " BLENDER.exe"], &["", "blend", "blenderx", "obs"]);
        let renamed = read("Main Thread", Some("/opt/game-bin (deleted)"), &["./game"]);
        check(&renamed, &["Main Thread", "game-bin", "game"], &["game-bin (deleted)", "Main"]);
        // Proton: the file is the loader's, and the name is cut.
        let windows = read(
            "HorizonZeroDawn",
            Some("/usr/lib/wine/wine64-preloader"),
            &["S:\\common\\Horizon\\HorizonZeroDawn2.exe", "-x"],
        );
        check(
            &windows,
            &["horizonzerodawn2", "HorizonZeroDawn2.exe"],
            &["HorizonZeroDawn", "HorizonZeroDawn3"],
        );
        // Another user's, of which only the cut name can be read.
        let cut = read("gnome-terminal-", None, &["x"]);
        check(&cut, &["gnome-terminal-server", "Gnome-Terminal-"], &["gnome-terminal", "gnome"]);
        check(&read("fourteen_chars.", None, &["x"]), &["fourteen_chars"], &["fourteen_char"]);
        check(&read("Fünfzehn_Byte\u{fffd}", None, &["x"]), &["fünfzehn_bytes"], &["fünfzehn_byt"]);
        // A script is what it is called, and what runs it too.
        let script = read(
            "a-rather-long-s",
            Some("/usr/bin/python3.13"),
            &["/usr/bin/python3", "/usr/bin/a-rather-long-script"],
        );
        check(
            &script,
            &["a-rather-long-script", "python3", "python3.13"],
            &["a-rather-long-s", "a-rather-long-so"],
        );
    }

    #[test]
    fn only_programs_that_run_are_processes() {
        let fake = Fake::new();
        let processes = fake.processes();
        assert_eq!(processes.process(2), None, "the kernel's own");
        assert_eq!(processes.process(3), None, "none");
        fake.runs(4, "game", None, &["game"]);
        assert!(processes.runs(4) && processes.process(4).is_some());
        let status = |state: &str, of: u32, threads: u32| {
            fake.set(
                4,
                "status",
                format_args!("State:\t{state}\nTgid:\t{of}\nUid:\t7\nThreads:\t{threads}\n"),
            );
        };
        status("Z (zombie)", 4, 1);
        assert!(!processes.runs(4) && processes.process(4).is_none());
        status("Z (zombie)", 4, 2);
        assert!(processes.runs(4), "its first thread has ended, another has not");
        status("S (sleeping)", 3, 1);
        assert!(!processes.runs(4), "a thread");
        fake.set(4, "status", "");
        assert!(!processes.runs(4));
        let mut listed: Vec<u32> = processes.list().collect();
        listed.sort_unstable();
        assert_eq!((listed, processes.last()), (vec![2, 4], Some(10)));
        fake.last(0);
        assert_eq!(processes.last(), None);
    }

    #[test]
    fn a_thread_is_no_process() {
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_pid().cast_unsigned()).unwrap();
            // Until the test ends, however it does.
            let _ = stopped.recv();
        });
        let (thread_id, processes) = (told.recv().unwrap(), Processes::new());
        assert!(may_be(std::process::id()) && processes.process(std::process::id()).is_some());
        assert!(!may_be(thread_id) && !processes.runs(thread_id));
        assert!(processes.short_name(thread_id).is_some(), "it can be read nevertheless");
        assert!(!may_be(0) && !may_be(u32::MAX));
        drop(stop);
        thread.join().unwrap();
    }

    #[test]
    fn what_a_user_runs_is_named_as_it_would_be_listed() {
        let fake = Fake::new();
        let mut last = 10;
        let mut runs = |short_name: &str, file: Option<&str>, arguments: &[&str]| {
            last += 1;
            fake.runs(last, short_name, file, arguments);
            last
        };
        runs("wine64", Some("/usr/bin/wine64"), &["C:\\Games\\Game.EXE"]);
        runs("lutris", Some("/usr/bin/python3"), &["/usr/bin/python3", "/usr/bin/lutris"]);
        runs("firefox", Some("/usr/lib/firefox/firefox-bin (deleted)"), &["firefox"]);
        runs("Web Content", Some("/usr/lib/firefox/firefox-bin"), &["firefox", "-c"]);
        runs("bash", None, &["-bash"]);
        runs("lull-worker", Some("/usr/bin/lull-worker"), &["lull-worker"]);
        runs("lull", Some("/usr/bin/Lull"), &["lull"]);
        runs("x", Some("/usr/bin/a\nb"), &["x"]);
        runs("sealed", Some("/memfd:x-1 (deleted)"), &["/usr/bin/sealed"]);
        let another = runs("sshd", Some("/usr/sbin/sshd"), &["sshd"]);
        fake.set(another, "status", format_args!("State:\tS\nTgid:\t{another}\nUid:\t0\t0\nThreads:\t1\n"));
        assert_eq!(fake.processes().programs_of(7), ["-bash", "firefox-bin", "Game", "lutris", "sealed"]);
        assert_eq!(fake.processes().programs_of(0), ["sshd"]);
    }
}
