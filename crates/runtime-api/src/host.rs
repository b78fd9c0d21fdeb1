//! The process around a runtime: start it, speak to it, and be sure that it is gone.
//!
//! A [`RuntimeProcess`] is a cheap handle; its clones share one process. The process ends when it is told to,
//! when it misbehaves, or when the last handle is dropped. A supervising task owns the child: it alone reads
//! and writes the pipes, watches for silence, and reaps the process.
//!
//! ```no_run
//! # async fn example() -> Result<(), lull_runtime_api::host::RuntimeError> {
//! use lull_runtime_api::host::{RunRequest, RuntimeCommand, RuntimeProcess, find_runtime};
//!
//! let runtime = RuntimeProcess::start(RuntimeCommand::new(find_runtime("lull-runtime-gpu")?, "scratch")).await?;
//! let device = runtime.devices().await?.remove(0);
//! let request = RunRequest::new(device.index, "wgsl/1", br#"{"shaders":[]}"#.to_vec());
//! let mut running = runtime.run(request).await?;
//! while let Some(event) = running.progress().await {
//!     println!("{event:?}");
//! }
//! let outcome = running.outcome().await?;
//! # Ok(()) }
//! ```

mod activity;
mod error;
mod find;
#[cfg(windows)]
mod job_object;
mod serving;
mod spawn;
mod stderr;
mod supervisor;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use lull_types::{DeviceInfo, Measure};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use activity::{Benchmarking, Running};
pub use error::RuntimeError;
pub use find::find_runtime;
pub use serving::Serving;

use crate::{ChallengeAnswer, ChallengeStep, Limits, Request, RuntimeInfo, TaskInput};
use supervisor::Command;

/// Events are far smaller than requests: the largest carries the outputs of one task. What is over that is
/// refused, so that a runtime cannot make its worker allocate.
const EVENT_FRAMES: lull_frame::Frames = lull_frame::Frames {
    // One mebibyte for everything that is not output.
    bytes_max: lull_types::wgsl::limits::OUTPUT_BYTES_TOTAL_MAX as usize + 1024 * 1024,
};

/// How a runtime process is started and how long it may take over things.
#[derive(Clone, Debug)]
pub struct RuntimeCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The only folder that it may write to; its working directory. Made if missing.
    pub scratch: PathBuf,
    /// Environment variables besides those that a GPU driver needs.
    pub env: Vec<(String, String)>,
    /// Time from the start of the process to its `Hello`.
    pub hello_timeout: Duration,
    /// Time to list the devices.
    pub devices_timeout: Duration,
    /// The longest silence during a run or a benchmark.
    pub silence_max: Duration,
    /// Main memory that the process may use, where the host enforces it (Windows); elsewhere the runtime
    /// limits itself before it reads a job.
    pub memory_bytes_max: u64,
}

impl RuntimeCommand {
    /// `program` with its own `scratch` folder and the usual bounds.
    pub fn new(program: impl Into<PathBuf>, scratch: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            arguments: Vec::new(),
            scratch: scratch.into(),
            env: Vec::new(),
            // A cold start from a slow disk with a virus scanner in between takes a few seconds.
            hello_timeout: Duration::from_secs(15),
            // Drivers of several vendors are loaded here, one after the other; a sleeping GPU wakes up.
            devices_timeout: Duration::from_secs(45),
            // Progress comes every second, except while a driver compiles a large shader. Longer than the GPU
            // runtime's own watchdog on a software device (75 s), whose error says more.
            silence_max: Duration::from_secs(90),
            // Four times what the buffers of the largest task take, for staging copies and the driver.
            memory_bytes_max: 4 * lull_types::wgsl::limits::BUFFER_BYTES_TOTAL_MAX,
        }
    }

    /// Adds an argument.
    #[must_use]
    pub fn with_argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn with_env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }
}

/// One task to run, as [`Request::Run`] carries it.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRequest {
    /// [`DeviceInfo::index`].
    pub device: u32,
    /// Job kind, such as `wgsl/1`.
    pub kind: String,
    /// The task's payload, as its kind defines it.
    pub payload: Vec<u8>,
    /// The blobs that the payload names.
    pub inputs: Vec<TaskInput>,
    /// Bounds on the run.
    pub limits: Limits,
}

impl RunRequest {
    /// A task without inputs, under the default limits.
    pub fn new(device: u32, kind: impl Into<String>, payload: Vec<u8>) -> Self {
        Self { device, kind: kind.into(), payload, inputs: Vec::new(), limits: Limits::default() }
    }
}

/// A handle to a running runtime process.
#[derive(Clone, Debug)]
pub struct RuntimeProcess {
    info: Arc<RuntimeInfo>,
    process_id: u32,
    commands: mpsc::UnboundedSender<Command>,
    kill: CancellationToken,
    exit: watch::Receiver<Option<Exit>>,
}

/// How a runtime process ended. It has been reaped: it holds no memory of the machine nor of the GPU.
#[derive(Clone, Debug)]
pub struct Exit {
    /// The operating system's word on it; `None` where it could not be asked.
    pub status: Option<ExitStatus>,
    /// Why it ended.
    pub reason: RuntimeError,
}

impl RuntimeProcess {
    /// Starts the program and shakes hands.
    ///
    /// Must be called within a tokio runtime. On an error the process is killed and reaped.
    pub async fn start(command: RuntimeCommand) -> Result<Self, RuntimeError> {
        let spawned = spawn::spawn(&command).await?;
        let process_id = spawned.process_id;
        let started = supervisor::start(spawned, &command).await?;
        Ok(Self {
            info: Arc::new(started.info),
            process_id,
            commands: started.commands,
            kill: started.kill,
            exit: started.exit,
        })
    }

    /// What the runtime said of itself in its `Hello`.
    pub fn info(&self) -> &RuntimeInfo {
        &self.info
    }

    /// The operating system's number of the process.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// Lists the devices.
    pub async fn devices(&self) -> Result<Vec<DeviceInfo>, RuntimeError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Devices { reply })?;
        self.answered(answer).await
    }

    /// Measures one device, and then `sustained` long what it keeps up. The benchmark goes on until it ends, is cancelled, or the returned handle is
    /// dropped.
    pub async fn benchmark(
        &self,
        device: u32,
        measures: Vec<Measure>,
        budget: Duration,
        sustained: Duration,
    ) -> Result<Benchmarking, RuntimeError> {
        let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (budget_ms, sustained_ms) = (millis(budget), millis(sustained));
        let (end, ended) = oneshot::channel();
        let (progress, events) = mpsc::channel(activity::PROGRESS_KEPT_MAX);
        self.send(Command::Benchmark {
            request: Request::Benchmark { device, measures, budget_ms, sustained_ms },
            // Compiling the kernels and checking their results is outside the budget of the measures.
            bound: budget + sustained + Duration::from_secs(60),
            progress,
            end,
        })?;
        Ok(Benchmarking::new(events, ended, self.exit.clone()))
    }

    /// Runs one task. It goes on until it ends, is cancelled, or the returned handle is dropped.
    pub async fn run(&self, request: RunRequest) -> Result<Running, RuntimeError> {
        let RunRequest { device, kind, payload, inputs, limits } = request;
        // The runtime itself keeps the limit; a minute more is for a driver that compiles, and then it is
        // a runtime that does not keep it.
        let bound = Duration::from_millis(limits.run_ms_max).saturating_add(Duration::from_secs(60));
        let (end, ended) = oneshot::channel();
        let (progress, events) = mpsc::channel(activity::PROGRESS_KEPT_MAX);
        self.send(Command::Run {
            request: Request::Run { device, kind, payload, inputs, limits },
            bound,
            progress,
            end,
        })?;
        Ok(Running::new(events, ended, self.exit.clone()))
    }

    /// Takes a step of the network's challenge. It goes on until it ends, is cancelled, or the future is dropped.
    ///
    /// # Errors
    /// [`RuntimeError::ChallengeFailed`] with the runtime's fault, or what ended the process.
    pub async fn challenge(&self, step: ChallengeStep) -> Result<ChallengeAnswer, RuntimeError> {
        let (reply, answer) = oneshot::channel();
        self.send(Command::Challenge { step, reply })?;
        self.answered(answer).await
    }

    /// Asks the runtime to stop what it does. The activity's handle tells when it has. Does nothing when it
    /// does nothing.
    pub fn cancel(&self) {
        // A closed channel means that the process is gone, and what it did with it.
        let _ = self.commands.send(Command::Cancel);
    }

    /// Has the runtime rest between slices, so that the device works about `percent` of the time. A run that rests may
    /// take so much longer.
    pub fn pace(&self, percent: u8) {
        // A closed channel means that the process is gone.
        let _ = self.commands.send(Command::Pace { percent });
    }

    /// Kills the process and returns once it is gone, and with it all that it held of the GPU. May be called
    /// at any time, more than once, and during anything else.
    ///
    /// A process that waits inside a broken driver may not die; bound the wait where that matters.
    pub async fn kill(&self) -> Exit {
        self.kill.cancel();
        self.exited().await
    }

    /// Asks the runtime to stop what it does and to end, and kills it if it has not within `grace`. Returns
    /// once it is gone.
    pub async fn stop(&self, grace: Duration) -> Exit {
        self.cancel();
        let _ = self.commands.send(Command::Shutdown);
        match tokio::time::timeout(grace, self.exited()).await {
            Ok(exit) => exit,
            Err(_) => self.kill().await,
        }
    }

    /// Waits until the process is gone, for whatever reason.
    pub async fn exited(&self) -> Exit {
        activity::exited(self.exit.clone()).await
    }

    /// Whether the process is gone.
    pub fn is_gone(&self) -> bool {
        self.exit.borrow().is_some()
    }

    fn send(&self, command: Command) -> Result<(), RuntimeError> {
        self.commands.send(command).map_err(|_| activity::reason(&self.exit))
    }

    async fn answered<T>(
        &self,
        answer: oneshot::Receiver<Result<T, RuntimeError>>,
    ) -> Result<T, RuntimeError> {
        match answer.await {
            Ok(result) => result,
            Err(_) => Err(self.exited().await.reason),
        }
    }
}
