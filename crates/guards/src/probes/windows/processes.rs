//! The processes that run, by a
//! [snapshot](https://learn.microsoft.com/windows/win32/api/tlhelp32/nf-tlhelp32-createtoolhelp32snapshot) of them. Everybody
//! may know all names and parents; who started a process when is only told of those that may be asked.

use std::io;

use windows_sys::Win32::Foundation::{
    CloseHandle, ERROR_BAD_LENGTH, ERROR_NO_MORE_FILES, FILETIME, GetLastError, HANDLE, INVALID_HANDLE_VALUE,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_LIMITED_INFORMATION,
    QueryFullProcessImageNameW,
};

use crate::is_same_program;

/// So often a snapshot is tried: processes that start meanwhile make one fail, as its documentation says.
const TRIES: u32 = 3;

/// The longest name of a program that can be listed.
const NAME_CHARS_MAX: usize = 255;

/// Longest path of a program that is asked for; Windows has none that is longer.
const PATH_MAX: usize = 32_768;

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: u32,
    /// The one that started it. It may be gone, and its number another's.
    pub parent: u32,
    /// The name of its file.
    pub file: String,
}

impl Process {
    /// Its program's name, without the ending that all of them have.
    pub fn program(&self) -> &str {
        without_ending(&self.file)
    }
}

fn without_ending(file: &str) -> &str {
    const ENDING: &str = ".exe";
    match file.len().checked_sub(ENDING.len()).and_then(|at| file.split_at_checked(at)) {
        Some((name, ending)) if !name.is_empty() && ending.eq_ignore_ascii_case(ENDING) => name,
        _ => file,
    }
}

/// Something of the system's that is given back when it is not needed any more.
struct Handle(HANDLE);

impl Drop for Handle {
    #[allow(unsafe_code, reason = "handles are only closed by the Win32 interface")]
    fn drop(&mut self) {
        // SAFETY: it was opened by this program, is closed once, and is not used after.
        unsafe {
            CloseHandle(self.0);
        }
    }
}

/// All that run, in no order.
///
/// # Errors
/// When the system does not tell.
pub(super) fn list() -> io::Result<Vec<Process>> {
    let snapshot = snapshot()?;
    let mut processes = Vec::new();
    let mut entry =
        PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..PROCESSENTRY32W::default() };
    #[allow(unsafe_code, reason = "processes are only told by the Win32 interface")]
    // SAFETY: the snapshot is open, and the pointer is to a structure of the type that is filled in, with its size in it; both
    // live through the call.
    let mut told = unsafe { Process32FirstW(snapshot.0, &raw mut entry) };
    while told != 0 {
        processes.push(Process {
            pid: entry.th32ProcessID,
            parent: entry.th32ParentProcessID,
            file: text(&entry.szExeFile),
        });
        #[allow(unsafe_code, reason = "processes are only told by the Win32 interface")]
        // SAFETY: as above.
        let next = unsafe { Process32NextW(snapshot.0, &raw mut entry) };
        told = next;
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(ERROR_NO_MORE_FILES as i32) { Ok(processes) } else { Err(error) }
}

fn snapshot() -> io::Result<Handle> {
    for _ in 0..TRIES {
        #[allow(unsafe_code, reason = "processes are only told by the Win32 interface")]
        // SAFETY: nothing is pointed to.
        let (snapshot, error) = unsafe {
            let snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
            (snapshot, GetLastError())
        };
        if snapshot != INVALID_HANDLE_VALUE {
            return Ok(Handle(snapshot));
        }
        if error != ERROR_BAD_LENGTH {
            return Err(io::Error::from_raw_os_error(error as i32));
        }
    }
    Err(io::Error::from_raw_os_error(ERROR_BAD_LENGTH as i32))
}

/// The characters before the first zero.
pub(super) fn text(characters: &[u16]) -> String {
    let length = characters.iter().position(|character| *character == 0).unwrap_or(characters.len());
    String::from_utf16_lossy(&characters[..length])
}

fn open(pid: u32) -> Option<Handle> {
    #[allow(unsafe_code, reason = "processes of other programs are only told by the Win32 interface")]
    // SAFETY: nothing is pointed to.
    let process = unsafe { OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, 0, pid) };
    (!process.is_null()).then_some(Handle(process))
}

/// When a process was started, in steps of 100 ns; `None` for one that is gone or must not be asked.
pub(super) fn started(pid: u32) -> Option<u64> {
    let process = open(pid)?;
    let mut times = [FILETIME::default(); 4];
    let [created, exited, kernel, user] = &mut times;
    #[allow(unsafe_code, reason = "processes of other programs are only told by the Win32 interface")]
    // SAFETY: the process is open, and the pointers are to four structures of the type that is filled in; all live through
    // the call.
    let told = unsafe { GetProcessTimes(process.0, created, exited, kernel, user) };
    (told != 0).then(|| u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
}

/// In whose session a process runs; services have their own.
fn session(pid: u32) -> Option<u32> {
    let mut session = 0;
    #[allow(unsafe_code, reason = "processes of other programs are only told by the Win32 interface")]
    // SAFETY: the pointer is to a number of the type that is filled in, which lives through the call.
    let told = unsafe { ProcessIdToSessionId(pid, &raw mut session) };
    (told != 0).then_some(session)
}

/// Where the file of a process is.
fn path(process: &Handle) -> Option<String> {
    let mut path = vec![0u16; PATH_MAX];
    let mut length = PATH_MAX as u32;
    #[allow(unsafe_code, reason = "processes of other programs are only told by the Win32 interface")]
    // SAFETY: the process is open, and the pointers are to what is filled in and to its length; all live through the call.
    let told = unsafe {
        QueryFullProcessImageNameW(process.0, PROCESS_NAME_WIN32, path.as_mut_ptr(), &raw mut length)
    };
    (told != 0).then(|| text(&path))
}

/// The names of the programs that this user runs, sorted: as they would be listed. Neither Lull's own nor the system's are.
pub(super) fn programs() -> Vec<String> {
    let own_session = session(std::process::id());
    let system = std::env::var("SystemRoot").unwrap_or_else(|_| "C:\\Windows".to_owned());
    let is_this_users = |process: &Process| {
        // Those of others in this session, as the one that draws the desktop, must not be asked.
        session(process.pid) == own_session
            && open(process.pid).and_then(|process| path(&process)).is_some_and(|path| !is_in(&path, &system))
    };
    let running = list().unwrap_or_default();
    names(running.iter().filter(|process| is_this_users(process)).map(Process::program))
}

/// Whether a file is in a folder. Upper and lower case are the same.
fn is_in(path: &str, folder: &str) -> bool {
    let (path, folder) = (path.to_lowercase(), folder.to_lowercase());
    path.strip_prefix(folder.trim_end_matches('\\')).is_some_and(|rest| rest.starts_with('\\'))
}

fn names<'a>(programs: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = programs.filter(|name| is_for_people(name)).map(str::to_owned).collect();
    names.sort_by_cached_key(|name| (name.to_lowercase(), name.clone()));
    names.dedup_by(|later, earlier| is_same_program(later, earlier));
    names
}

fn is_for_people(name: &str) -> bool {
    let is_own = is_same_program(name, "lull") || name.to_lowercase().starts_with("lull-");
    let can_be_listed = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.contains(|c: char| c.is_control() || c == '/' || c == '\\');
    can_be_listed && !is_own
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    #[test]
    fn this_process_is_listed_with_its_parent_and_its_start() {
        let own = std::process::id();
        let listed = list().unwrap();
        let this = listed.iter().find(|process| process.pid == own).unwrap();
        assert!(this.program().starts_with("lull_guards"), "{this:?}");
        assert_ne!(this.parent, own);
        let begun = started(own).unwrap();
        assert_eq!(started(own), Some(begun));
        let child = Child::start();
        let listed = list().unwrap();
        let of_child = listed.iter().find(|process| process.pid == child.0.id()).unwrap();
        assert_eq!(of_child.parent, own);
        assert!(started(child.0.id()).unwrap() >= begun);
        assert_eq!(session(child.0.id()), session(own));
        assert_eq!(started(u32::MAX - 3), None);
    }

    #[test]
    fn what_this_user_runs_is_suggested_and_what_the_system_does_is_not() {
        let this = std::env::current_exe().unwrap();
        let this = this.file_stem().unwrap().to_str().unwrap().to_owned();
        // It waits in the system's folder.
        let systems = Child::start();
        let running = programs();
        assert!(running.contains(&this), "{running:?}");
        assert!(list().unwrap().iter().any(|process| process.pid == systems.0.id()));
        assert!(!running.iter().any(|name| is_same_program(name, "cmd")), "{running:?}");
        assert!(!running.iter().any(|name| name.to_lowercase().ends_with(".exe")), "{running:?}");
    }

    #[test]
    fn programs_are_named_as_they_would_be_listed() {
        let files = ["Game.EXE", "b.exe", "game.exe", "A", ".exe", "Lull.exe", "lull-worker.exe", "a\nb"];
        let listed = names(files.iter().map(|file| without_ending(file)));
        assert_eq!(listed, [".exe", "A", "b", "Game"]);
        assert_eq!(without_ending("xé.exe"), "xé");
        assert_eq!(without_ending("é"), "é");
        assert_eq!(text(&[0x61, 0x62, 0, 0x63]), "ab");
        assert_eq!(text(&[0x61]), "a");
    }

    #[test]
    fn folders_end_where_their_names_do() {
        for (path, folder, expected) in [
            ("C:\\Windows\\explorer.exe", "C:\\WINDOWS", true),
            ("c:\\windows\\System32\\a.exe", "C:\\Windows\\", true),
            ("C:\\Windows.old\\a.exe", "C:\\Windows", false),
            ("C:\\Games\\Windows\\a.exe", "C:\\Windows", false),
            ("D:\\Windows\\a.exe", "C:\\Windows", false),
        ] {
            assert_eq!(is_in(path, folder), expected, "{path} in {folder}");
        }
    }

    /// A process that waits until it is told to end.
    pub(in super::super) struct Child(pub std::process::Child);

    impl Child {
        pub fn start() -> Self {
            Self::run("cmd.exe".as_ref())
        }

        /// A copy of the system's shell under this name.
        pub fn run(program: &std::ffi::OsStr) -> Self {
            let mut command = std::process::Command::new(program);
            // Waits for a line.
            command.args(["/d", "/c", "set /p line="]).stdin(std::process::Stdio::piped());
            Self(command.stdout(std::process::Stdio::null()).spawn().unwrap())
        }
    }

    impl Drop for Child {
        fn drop(&mut self) {
            drop(self.0.stdin.take());
            let _ = self.0.wait();
        }
    }
}
