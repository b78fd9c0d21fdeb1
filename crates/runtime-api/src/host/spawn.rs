//! Starting the child with as little of its surroundings as a GPU driver can do with.

use std::path::Path;
use std::process::Stdio;

use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{RuntimeCommand, RuntimeError};

/// What is handed on from this process's environment: where drivers and their loaders are, and how much to
/// log. Everything else stays here: credentials, session buses, the way to the display.
const ENV_HANDED_ON: &[&str] = &[
    "LD_LIBRARY_PATH",
    "LULL_LOG",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "VK_ADD_DRIVER_FILES",
    "WGPU_BACKEND",
    // The Vulkan loader looks for drivers in these.
    "XDG_CONFIG_DIRS",
    "XDG_DATA_DIRS",
    // Which GPU of several, as the person has set it for all programs.
    "DRI_PRIME",
    "MESA_VK_DEVICE_SELECT",
    "__NV_PRIME_RENDER_OFFLOAD",
    // Windows loads no system library without these.
    "PATHEXT",
    "ProgramData",
    "SystemDrive",
    "SystemRoot",
    "windir",
    "NUMBER_OF_PROCESSORS",
    "PROCESSOR_ARCHITECTURE",
    // Only Wine has this: where its Windows is.
    "WINEPREFIX",
];

/// Variables that name folders for caches, homes and temporary files; all are the scratch folder.
const ENV_SCRATCH: &[&str] = &[
    "HOME",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "MESA_SHADER_CACHE_DIR",
    "__GL_SHADER_DISK_CACHE_PATH",
    // Windows.
    "APPDATA",
    "LOCALAPPDATA",
    "TEMP",
    "TMP",
    "USERPROFILE",
];

/// A child that has just started.
pub(super) struct Spawned {
    pub process_id: u32,
    pub child: Child,
    pub stdin: ChildStdin,
    pub stdout: ChildStdout,
    pub stderr: ChildStderr,
    /// Ends the child when it is dropped.
    #[cfg(windows)]
    pub job: super::job_object::JobObject,
}

/// Starts the program of `command`.
pub(super) async fn spawn(command: &RuntimeCommand) -> Result<Spawned, RuntimeError> {
    let not_started = |reason: String| RuntimeError::NotStarted { program: command.program.clone(), reason };
    if !command.program.is_file() {
        return Err(RuntimeError::Missing { program: command.program.clone() });
    }
    // The child starts in another folder, so both must be absolute.
    let program = std::path::absolute(&command.program).map_err(|e| not_started(e.to_string()))?;
    tokio::fs::create_dir_all(&command.scratch)
        .await
        .map_err(|e| not_started(format!("its folder {} cannot be made: {e}", command.scratch.display())))?;
    let scratch = std::path::absolute(&command.scratch).map_err(|e| not_started(e.to_string()))?;

    let mut child = Command::new(program);
    child
        .args(&command.arguments)
        .env_clear()
        .envs(environment(&scratch))
        // Overlays and recorders that the person has installed would be loaded into a process that runs
        // strangers' work, and would meet a sandbox that they do not expect.
        .env("VK_LOADER_LAYERS_DISABLE", "~implicit~")
        .envs(command.env.iter().cloned())
        .current_dir(&scratch)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C in a terminal is for the worker, which then ends its runtimes in order.
    #[cfg(unix)]
    child.process_group(0);
    #[cfg(windows)]
    {
        /// `CREATE_NO_WINDOW`: no console flashes up on the contributor's screen.
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        child.creation_flags(CREATE_NO_WINDOW);
    }
    let mut child = start(child).await.map_err(|e| not_started(e.to_string()))?;

    let (Some(process_id), Some(stdin), Some(stdout), Some(stderr)) =
        (child.id(), child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err(not_started("it ended before it could be spoken to".to_owned()));
    };
    // The child runs for a moment before it is in the job. It reads no message before it says Hello, and it
    // is sent none before this has succeeded.
    #[cfg(windows)]
    let job = super::job_object::JobObject::around(&child, command.memory_bytes_max)
        .map_err(|e| not_started(format!("it could not be confined: {e}")))?;
    Ok(Spawned {
        process_id,
        child,
        stdin,
        stdout,
        stderr,
        #[cfg(windows)]
        job,
    })
}

/// The child's environment.
fn environment(scratch: &Path) -> Vec<(String, std::ffi::OsString)> {
    let handed_on =
        ENV_HANDED_ON.iter().filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?)));
    let to_scratch = ENV_SCRATCH.iter().map(|name| ((*name).to_owned(), scratch.into()));
    handed_on.chain(to_scratch).collect()
}

#[cfg(not(target_os = "linux"))]
async fn start(mut command: Command) -> std::io::Result<Child> {
    command.spawn()
}

/// Starts `command` so that it is killed when this process ends, however it ends.
///
/// Linux sends the parent-death signal when the *thread* that made the child ends, and tokio's threads come
/// and go. So every child is made by one thread that lives as long as this process.
#[cfg(target_os = "linux")]
async fn start(mut command: Command) -> std::io::Result<Child> {
    use std::sync::OnceLock;
    use std::sync::mpsc;

    type Errand = Box<dyn FnOnce() + Send>;
    static SPAWNER: OnceLock<Option<mpsc::Sender<Errand>>> = OnceLock::new();

    cut_off(&mut command);
    let spawner = SPAWNER.get_or_init(|| {
        let (errands, inbox) = mpsc::channel::<Errand>();
        std::thread::Builder::new()
            .name("lull-spawner".to_owned())
            .spawn(move || inbox.iter().for_each(|errand| errand()))
            .ok()
            .map(|_| errands)
    });
    let tokio = tokio::runtime::Handle::current();
    let (reply, answer) = tokio::sync::oneshot::channel();
    let errand: Errand = Box::new(move || {
        let _in_tokio = tokio.enter();
        // An asker who has gone drops the child, which kills it.
        let _ = reply.send(command.spawn());
    });
    let lost = || std::io::Error::other("the thread that starts programs is gone");
    spawner.as_ref().ok_or_else(lost)?.send(errand).map_err(|_| lost())?;
    answer.await.map_err(|_| lost())?
}

/// Lets the child die with its parent, and hands none of the parent's files on to it.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "both can only be asked for between fork and exec, in the child")]
fn cut_off(command: &mut Command) {
    use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

    /// The first file descriptor after the standard three.
    const FIRST_NOT_STANDARD: libc::c_uint = 3;

    let parent = getpid();
    // SAFETY: the closure runs between fork and exec, where only async-signal-safe calls are allowed. It
    // makes three system calls and allocates nothing. `close_range` has plain numbers for arguments.
    unsafe {
        command.pre_exec(move || {
            set_parent_process_death_signal(Some(Signal::KILL))?;
            // Rust opens its own files so that exec closes them; who started this process, or a C library
            // in it, may not have. Before Linux 5.11 there is no such call, and such files are inherited.
            libc::syscall(
                libc::SYS_close_range,
                FIRST_NOT_STANDARD,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            );
            // The parent may have died before it was asked for; then no signal will come.
            if getppid() == Some(parent) { Ok(()) } else { Err(rustix::io::Errno::SRCH.into()) }
        });
    }
}
