//! Attempts to get out of the sandbox, by a process that may run any code it likes.
//!
//! A test starts its own program again, which locks itself down and then makes one attempt. What the attempt met
//! is told by the exit status, so that no output has to be trusted.
#![cfg(target_os = "linux")]

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use lull_sandbox::{Policy, lock_down};

/// Names the attempt; set only in the process that makes it.
const ATTEMPT_ENV: &str = "LULL_TEST_ESCAPE";
/// What the attempt is made on: a path or an address.
const TARGET_ENV: &str = "LULL_TEST_ESCAPE_TARGET";
/// A file that the policy lets it read.
const READABLE_ENV: &str = "LULL_TEST_ESCAPE_READABLE";

/// Exit statuses of the process that makes the attempt. None is 0, 1 or 101, which mean other things.
const SUCCEEDED: i32 = 40;
const PREVENTED: i32 = 41;
const OTHER_FAILURE: i32 = 42;
const NO_SANDBOX: i32 = 43;

/// What an allocation may take in these tests.
const MEMORY_BYTES_MAX: u64 = 512 * 1024 * 1024;

struct Attempt {
    status: ExitStatus,
}

/// Starts this program again for one attempt.
fn attempt(name: &str, target: impl AsRef<std::ffi::OsStr>) -> Attempt {
    attempt_with(name, target, &[])
}

fn attempt_with(name: &str, target: impl AsRef<std::ffi::OsStr>, more: &[(&str, &Path)]) -> Attempt {
    let scratch = tempfile::tempdir().expect("a folder can be made");
    let status = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", "the_process_that_tries", "--nocapture", "--test-threads=1"])
        .env(ATTEMPT_ENV, name)
        .env(TARGET_ENV, target)
        .envs(more.iter().copied())
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .expect("this program can be started");
    Attempt { status }
}

impl Attempt {
    #[track_caller]
    fn is_prevented(&self) {
        match self.status.code() {
            Some(PREVENTED) => {}
            Some(SUCCEEDED) => panic!("it got out"),
            Some(NO_SANDBOX) => eprintln!("SKIPPED: this kernel lacks a part of the sandbox"),
            _ => panic!("neither out nor prevented: {}", self.status),
        }
    }

    #[track_caller]
    fn succeeds(&self) {
        assert_eq!(self.status.code(), Some(SUCCEEDED), "{}", self.status);
    }
}

/// Not a test by itself: the process that a test starts. It locks itself down and tries one thing.
#[test]
fn the_process_that_tries() {
    let Ok(name) = std::env::var(ATTEMPT_ENV) else { return };
    let target = PathBuf::from(std::env::var_os(TARGET_ENV).unwrap());
    // The test harness has threads already, and landlock binds only the calling one and its children: that is
    // where the attempt is made. Seccomp binds all.
    let mut policy = Policy::of_this_process(MEMORY_BYTES_MAX).expect("a folder");
    policy.readable.extend(std::env::var_os(READABLE_ENV).map(PathBuf::from));
    let held = lock_down(&policy).expect("the sandbox can be made");
    if held.iter().any(|part| !part.holds) {
        eprintln!("{held:#?}");
        std::process::exit(NO_SANDBOX);
    }
    std::process::exit(match try_to(&name, &target) {
        Ok(()) => SUCCEEDED,
        // `EPERM` from seccomp, `EACCES` and (for links) `EXDEV` from landlock, `ENOMEM` from the limit.
        Err(error) => match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::CrossesDevices | ErrorKind::OutOfMemory => PREVENTED,
            _ => {
                eprintln!("{name}: {error}");
                OTHER_FAILURE
            }
        },
    });
}

fn try_to(name: &str, target: &Path) -> io::Result<()> {
    match name {
        "nothing" => Ok(()),
        "read" => File::open(target).map(drop),
        "list" => std::fs::read_dir(target).map(drop),
        "write" => File::create(target).map(drop),
        "append" => File::options().append(true).open(target).map(drop),
        "remove" => std::fs::remove_file(target),
        "truncate" => system_call(libc::SYS_truncate, [c_path(target).as_ptr() as usize, 0, 0, 0]),
        "chmod" => std::fs::set_permissions(target, std::os::unix::fs::PermissionsExt::from_mode(0o777)),
        "link into scratch" => std::fs::hard_link(target, "link"),
        "read by symbolic link" => {
            std::os::unix::fs::symlink(target, "link")?;
            File::open("link").map(drop)
        }
        "tcp" => TcpStream::connect(text(target)).map(drop),
        "tcp listen" => TcpListener::bind("127.0.0.1:0").map(drop),
        "udp" => UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", text(target)).map(drop),
        "unix socket" => UnixStream::connect(target).map(drop),
        "exec" => Command::new(target).status().map(drop),
        "exec in place" => Err(std::os::unix::process::CommandExt::exec(&mut Command::new(target))),
        "fork" => system_call(libc::SYS_clone, [libc::SIGCHLD as usize, 0, 0, 0]),
        #[cfg(target_arch = "x86_64")]
        "old fork" => system_call(libc::SYS_fork, [0; 4]),
        #[cfg(target_arch = "x86_64")]
        "x32 fork" => system_call(0x4000_0000 | libc::SYS_fork, [0; 4]),
        // The answer to a `clone3` must be "no such call", for then the C library takes another way.
        "clone3" => match system_call(libc::SYS_clone3, [0; 4]) {
            Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                Err(ErrorKind::PermissionDenied.into())
            }
            other => other,
        },
        "ptrace parent" => system_call(libc::SYS_ptrace, [libc::PTRACE_ATTACH as usize, parent(), 0, 0]),
        "read parent's memory" => File::open(format!("/proc/{}/mem", parent())).map(drop),
        "read parent's environment" => File::open(format!("/proc/{}/environ", parent())).map(drop),
        "process_vm_readv" => system_call(libc::SYS_process_vm_readv, [parent(), 0, 0, 0]),
        "kill parent" => system_call(libc::SYS_kill, [parent(), 0, 0, 0]),
        "raise parent's limits" => system_call(libc::SYS_prlimit64, [parent(), 0, 0, 0]),
        "raise own limits" => {
            let more = [u64::MAX; 2];
            let pointer = more.as_ptr() as usize;
            system_call(libc::SYS_prlimit64, [0, libc::RLIMIT_DATA as usize, pointer, 0])
        }
        "be dumpable" => system_call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0]),
        "outlive parent" => system_call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG as usize, 0, 0, 0]),
        "io_uring" => system_call(libc::SYS_io_uring_setup, [8, 0, 0, 0]),
        "bpf" => system_call(libc::SYS_bpf, [0; 4]),
        "user namespace" => system_call(libc::SYS_unshare, [libc::CLONE_NEWUSER as usize, 0, 0, 0]),
        "mount" => system_call(libc::SYS_mount, [0; 4]),
        "keyring" => system_call(libc::SYS_keyctl, [0; 4]),
        "allocate" => {
            let mut held = Vec::new();
            // In pieces, as a shader compiler that is fed a bomb would.
            for _ in 0..=MEMORY_BYTES_MAX / (1024 * 1024) {
                let mut piece = Vec::<u8>::new();
                piece.try_reserve_exact(1024 * 1024).map_err(|_| ErrorKind::OutOfMemory)?;
                held.push(piece);
            }
            Ok(())
        }
        "write scratch" => {
            std::fs::create_dir("folder")?;
            File::create("folder/file")?.write_all(b"x")?;
            std::fs::rename("folder/file", "folder/other")?;
            std::fs::remove_dir_all("folder")
        }
        "make threads" => {
            let threads: Vec<_> =
                (0..4).map(|i| std::thread::Builder::new().spawn(move || i)).collect::<Result<_, _>>()?;
            threads
                .into_iter()
                .try_for_each(|thread| thread.join().map(drop).map_err(|_| io::Error::other("it panicked")))
        }
        "read libraries" => File::open("/proc/self/maps").and_then(|_| File::open("/usr/bin/env")).map(drop),
        "read in a thread" => {
            let target = target.to_owned();
            std::thread::spawn(move || File::open(target).map(drop)).join().map_err(|_| ErrorKind::Other)?
        }
        other => Err(io::Error::other(format!("there is no attempt {other:?}"))),
    }
}

fn text(target: &Path) -> &str {
    target.to_str().expect("an address is text")
}

fn c_path(target: &Path) -> std::ffi::CString {
    std::ffi::CString::new(target.as_os_str().as_encoded_bytes()).expect("a path has no zeroes")
}

fn parent() -> usize {
    std::os::unix::process::parent_id() as usize
}

#[allow(unsafe_code, reason = "hostile code is not bound to what the standard library offers")]
fn system_call(number: libc::c_long, arguments: [usize; 4]) -> io::Result<()> {
    let [a, b, c, d] = arguments;
    // SAFETY: the process exists only to make this call; pointers among the arguments outlive it.
    let result = unsafe { libc::syscall(number, a, b, c, d, 0_usize) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A file in a folder of its own, outside every scratch folder.
fn secret() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("secret");
    std::fs::write(&file, b"a wallet").expect("a file can be written");
    (folder, file)
}

#[test]
fn the_sandbox_lets_the_runtime_work() {
    attempt("nothing", "").succeeds();
    attempt("write scratch", "").succeeds();
    attempt("make threads", "").succeeds();
    attempt("read libraries", "").succeeds();
}

#[test]
fn files_outside_are_out_of_reach() {
    let (folder, file) = secret();
    for name in [
        "read",
        "append",
        "remove",
        "truncate",
        "chmod",
        "link into scratch",
        "read by symbolic link",
        "read in a thread",
    ] {
        eprintln!("{name}");
        attempt(name, &file).is_prevented();
    }
    attempt("list", folder.path()).is_prevented();
    attempt("write", folder.path().join("new")).is_prevented();
    assert_eq!(std::fs::read(&file).unwrap(), b"a wallet");
    assert!(!folder.path().join("new").exists());
}

#[test]
fn a_file_that_it_is_given_can_be_read_and_nothing_else() {
    let (_folder, file) = secret();
    let given = [(READABLE_ENV, &file as &Path)];
    attempt_with("read", &file, &given).succeeds();
    for name in ["append", "truncate", "remove", "chmod", "link into scratch"] {
        eprintln!("{name}");
        attempt_with(name, &file, &given).is_prevented();
    }
    let (_other_folder, other) = secret();
    attempt_with("read", &other, &given).is_prevented();
    assert_eq!(std::fs::read(&file).unwrap(), b"a wallet");
}

#[test]
fn the_home_folder_is_out_of_reach() {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap();
    let file = tempfile::Builder::new().prefix(".lull-escape-test").tempfile_in(&home).unwrap();
    attempt("read", file.path()).is_prevented();
    attempt("list", &home).is_prevented();
    attempt("write", home.join(".lull-escape-test-new")).is_prevented();
    attempt("read", "/etc/passwd").is_prevented();
}

#[test]
fn the_network_is_out_of_reach() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    attempt("tcp", tcp.local_addr().unwrap().to_string()).is_prevented();
    assert_eq!(tcp.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "a connection arrived");
    attempt("tcp listen", "").is_prevented();

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    attempt("udp", udp.local_addr().unwrap().to_string()).is_prevented();
    assert_eq!(udp.recv(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock, "a datagram arrived");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    unix.set_nonblocking(true).unwrap();
    attempt("unix socket", &path).is_prevented();
    assert_eq!(unix.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "a connection arrived");
}

#[test]
fn no_program_can_be_started() {
    for name in ["exec", "exec in place"] {
        attempt(name, "/bin/true").is_prevented();
    }
    attempt("fork", "").is_prevented();
    attempt("clone3", "").is_prevented();
    #[cfg(target_arch = "x86_64")]
    {
        attempt("old fork", "").is_prevented();
        attempt("x32 fork", "").is_prevented();
    }
}

#[test]
fn the_worker_is_out_of_reach() {
    for name in [
        "ptrace parent",
        "read parent's memory",
        "read parent's environment",
        "process_vm_readv",
        "kill parent",
        "raise parent's limits",
        "outlive parent",
    ] {
        eprintln!("{name}");
        attempt(name, "").is_prevented();
    }
}

#[test]
fn the_kernel_is_out_of_reach() {
    for name in ["io_uring", "bpf", "user namespace", "mount", "keyring", "be dumpable", "raise own limits"] {
        eprintln!("{name}");
        attempt(name, "").is_prevented();
    }
}

#[test]
fn memory_has_an_end() {
    attempt("allocate", "").is_prevented();
}

/// Every attempt works without the sandbox, or the tests above would prove nothing. Those that need a privilege
/// or would end the test are left out.
#[test]
fn the_attempts_work_outside() {
    let (folder, file) = secret();
    assert!(try_to("read", &file).is_ok());
    assert!(try_to("list", folder.path()).is_ok());
    assert!(try_to("append", &file).is_ok());
    assert!(try_to("chmod", &file).is_ok());
    assert!(try_to("write", &folder.path().join("new")).is_ok());
    assert!(try_to("exec", Path::new("/bin/true")).is_ok());
    assert!(try_to("kill parent", Path::new("")).is_ok());
    assert!(try_to("raise parent's limits", Path::new("")).is_ok());
    assert!(try_to("allocate", Path::new("")).is_ok());
    assert!(try_to("read in a thread", &file).is_ok());
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(try_to("tcp", Path::new(&tcp.local_addr().unwrap().to_string())).is_ok());
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(try_to("udp", Path::new(&udp.local_addr().unwrap().to_string())).is_ok());
}
