//! The practice network: a child of this worker that ends with it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use lull_network_api::NetworkTicket;
use lull_types::{Coded, Fault};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::machine::Input;

/// Names the network's program, instead of the one beside this program.
pub const NETWORK_BIN_ENV: &str = "LULL_NETWORK_BIN";

/// It opens a database, seeds it and finds a GPU for its checks; on a slow disk that takes a while.
const READY_TIMEOUT: Duration = Duration::from_secs(90);

/// It ends when its input closes; it commits what is under way first.
const END_GRACE: Duration = Duration::from_secs(10);

/// Its first line holds a ticket and two addresses; ten times that is no such line.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// The practice network cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum PracticeError {
    #[error("the program {} is missing; reinstall Lull to restore it", .0.display())]
    Missing(PathBuf),
    #[error("the practice network could not be started: {0}")]
    NotStarted(String),
    #[error("the practice network was started but was not ready within {} s", READY_TIMEOUT.as_secs())]
    NotReady,
    #[error("the practice network said something else than that it is ready: {0}")]
    Garbled(String),
    #[error("the practice network ended unexpectedly ({0})")]
    Ended(String),
}

impl Coded for PracticeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "practice_missing",
            Self::NotStarted(_) => "practice_not_started",
            Self::NotReady => "practice_not_ready",
            Self::Garbled(_) => "practice_garbled",
            Self::Ended(_) => "practice_ended",
        }
    }
}

/// The first line of the network's output.
#[derive(Deserialize)]
struct Ready {
    ticket: String,
}

/// A practice network that is starting or runs. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Practice {
    stop: CancellationToken,
    over: Option<JoinHandle<()>>,
    yields: watch::Sender<bool>,
}

impl Practice {
    /// Starts it. → [`Input::PracticeStarted`], and [`Input::PracticeEnded`] when it ends untold.
    /// Waits for the one before, which has the same folder.
    pub fn start(
        program: Option<PathBuf>,
        data_dir: PathBuf,
        before: Option<Self>,
        inputs: mpsc::Sender<Input>,
    ) -> Self {
        let stop = CancellationToken::new();
        let token = stop.clone();
        let (yields, yielding) = watch::channel(false);
        let over = tokio::spawn(async move {
            if let Some(before) = before {
                before.stop().await;
            }
            let (mut child, output) = match launch(program, data_dir).await {
                Ok(launched) => launched,
                Err(error) => {
                    let _ = inputs.send(Input::PracticeStarted(Err(error.fault()))).await;
                    return;
                }
            };
            // Waiting for a child closes its input, which would end this one: the input is kept apart.
            let mut input = child.stdin.take();
            let mut output = BufReader::new(output);
            let ready = tokio::select! {
                ready = timeout(READY_TIMEOUT, ready(&mut output)) => {
                    ready.unwrap_or(Err(PracticeError::NotReady))
                }
                () = token.cancelled() => return end(child, input).await,
            };
            let started = ready.is_ok();
            let _ = inputs.send(Input::PracticeStarted(ready.map_err(|error| error.fault()))).await;
            if !started {
                return end(child, input).await;
            }
            tokio::select! {
                status = child.wait() => {
                    let how = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                    let fault: Fault = PracticeError::Ended(how).fault();
                    let _ = inputs.send(Input::PracticeEnded(fault)).await;
                    return;
                }
                () = drain(output) => {}
                () = pass_on(&mut input, yielding) => {}
                () = token.cancelled() => {}
            }
            end(child, input).await;
        });
        Self { stop, over: Some(over), yields }
    }

    /// Says whether this machine's GPU must be free of its checks.
    pub fn set_yielding(&self, must_be_free: bool) {
        self.yields.send_if_modified(|now| std::mem::replace(now, must_be_free) != must_be_free);
    }

    /// Tells it to end.
    pub fn cancel(&self) {
        self.stop.cancel();
    }

    /// Ends it and waits until it has ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // Its task cannot fail; if it panicked, the child was killed as it was dropped.
        if let Some(over) = self.over.take() {
            let _ = over.await;
        }
    }
}

impl Drop for Practice {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn launch(program: Option<PathBuf>, data_dir: PathBuf) -> Result<(Child, ChildStdout), PracticeError> {
    let program = match program.or_else(|| std::env::var_os(NETWORK_BIN_ENV).map(PathBuf::from)) {
        Some(program) => program,
        None => std::env::current_exe()
            .map_err(|error| PracticeError::NotStarted(error.to_string()))?
            .with_file_name(format!("lull-network{}", std::env::consts::EXE_SUFFIX)),
    };
    if !program.is_file() {
        return Err(PracticeError::Missing(program));
    }
    crate::paths::create_private(&data_dir).map_err(|error| PracticeError::NotStarted(error.to_string()))?;
    let log = std::fs::File::create(data_dir.join("network.log"))
        .map_err(|error| PracticeError::NotStarted(error.to_string()))?;
    let mut command = Command::new(program);
    command
        .arg("--practice")
        .arg("--data-dir")
        .arg(&data_dir)
        .arg("--parent-stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(log)
        .kill_on_drop(true);
    #[cfg(windows)]
    {
        /// `CREATE_NO_WINDOW`: no console flashes up on the contributor's screen.
        const CREATE_NO_WINDOW: u32 = 0x0800_0000;
        command.creation_flags(CREATE_NO_WINDOW);
    }
    // Ctrl-C in a terminal goes to the whole group; the network ends after the worker, through its input.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| PracticeError::NotStarted(error.to_string()))?;
    match child.stdout.take() {
        Some(output) => Ok((child, output)),
        None => Err(PracticeError::NotStarted("it has no output".to_owned())),
    }
}

async fn ready(output: &mut BufReader<ChildStdout>) -> Result<NetworkTicket, PracticeError> {
    let mut line = String::new();
    let read = output.take(LINE_BYTES_MAX).read_line(&mut line).await;
    match read {
        Err(error) => Err(PracticeError::Garbled(error.to_string())),
        Ok(0) => Err(PracticeError::Ended("see network.log in its folder".to_owned())),
        Ok(_) => {
            let garbled = |what: String| PracticeError::Garbled(what);
            let ready: Ready = serde_json::from_str(&line).map_err(|error| garbled(error.to_string()))?;
            ready.ticket.parse().map_err(|error: lull_network_api::TicketError| garbled(error.to_string()))
        }
    }
}

/// Reads and forgets, because a pipe that nobody reads would stop the network when it is full. Never returns.
async fn drain(mut output: BufReader<ChildStdout>) {
    let mut buffer = [0; 1024];
    while output.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    // The exit follows and says more than the closed pipe.
    std::future::pending::<()>().await;
}

/// Tells the network when this machine's GPU must be free, so that it does not check others' work on it then.
/// Never returns.
async fn pass_on(input: &mut Option<ChildStdin>, mut yielding: watch::Receiver<bool>) {
    let mut told = false;
    loop {
        let now = *yielding.borrow_and_update();
        if now != told
            && let Some(input) = input.as_mut()
        {
            let word: &[u8] = if now { b"pause\n" } else { b"resume\n" };
            // It fails only when the network is gone, and that shows by itself.
            let _ = input.write_all(word).await;
            let _ = input.flush().await;
            told = now;
        }
        if yielding.changed().await.is_err() {
            return std::future::pending().await;
        }
    }
}

async fn end(mut child: Child, input: Option<ChildStdin>) {
    // Closing its input tells it to end.
    drop(input);
    if timeout(END_GRACE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}
