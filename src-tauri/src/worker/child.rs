//! The worker's process.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lull_types::Fault;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// The environment variable that names another worker than the one beside the app.
const WORKER_VARIABLE: &str = "LULL_WORKER";

/// The worker's program and how it is called.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// Its file.
    pub path: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Environment variables on top of this process's own.
    pub environment: Vec<(OsString, OsString)>,
}

impl WorkerProgram {
    /// `lull-worker run`: the one that `LULL_WORKER` names, or the one beside this executable.
    pub fn installed() -> Self {
        let beside = || {
            let name = format!("lull-worker{}", std::env::consts::EXE_SUFFIX);
            match std::env::current_exe() {
                Ok(app) => app.with_file_name(name),
                // Then the search path is the last resort.
                Err(_) => PathBuf::from(name),
            }
        };
        let path = std::env::var_os(WORKER_VARIABLE).map_or_else(beside, PathBuf::from);
        Self { path, args: vec!["run".into()], environment: Vec::new() }
    }

    /// Starts it.
    pub fn start(&self) -> Result<Running, Fault> {
        let mut command = Command::new(&self.path);
        command
            .args(&self.args)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(windows)]
        command.creation_flags(CREATE_NO_WINDOW);
        let mut child = command.spawn().map_err(|error| {
            let sentence = format!(
                "The worker at {} cannot be started: {error}. Installing Lull again puts it back.",
                self.path.display()
            );
            Fault::new("worker_cannot_start", sentence)
        })?;
        let last_line = Arc::new(Mutex::new(String::new()));
        if let Some(stderr) = child.stderr.take() {
            let last_line = Arc::clone(&last_line);
            tokio::spawn(async move {
                let mut lines = BufReader::new(stderr).lines();
                while let Ok(Some(line)) = lines.next_line().await {
                    eprintln!("{line}");
                    if !line.trim().is_empty() {
                        *last_line.lock().unwrap_or_else(PoisonError::into_inner) = line;
                    }
                }
            });
        }
        Ok(Running { child, last_line })
    }
}

/// `CREATE_NO_WINDOW` of the Windows API: a console program that a window program starts gets no console.
#[cfg(windows)]
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// A worker that this app has started.
#[derive(Debug)]
pub struct Running {
    child: Child,
    last_line: Arc<Mutex<String>>,
}

impl Running {
    /// Waits for its end and says how it ended.
    pub async fn ended(&mut self) -> Fault {
        let how = match self.child.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let last_line = self.last_line.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let last_words =
            if last_line.is_empty() { String::new() } else { format!(" Its last words: {last_line}") };
        Fault::new(
            "worker_ended",
            format!("The worker ended ({how}) and is being started again.{last_words}"),
        )
    }

    /// Whether it has ended already.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end, and ends it when that takes longer than `patience`.
    pub async fn end_within(mut self, patience: Duration) {
        if tokio::time::timeout(patience, self.child.wait()).await.is_err() {
            // An error means that it has just ended by itself.
            let _ = self.child.kill().await;
        }
    }
}
