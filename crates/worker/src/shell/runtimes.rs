//! Runtime processes: one to list the devices, and one for each lease, which lives no longer than the lease.
//!
//! A process is never kept for a next task: ending it is the one sure way to give all of the GPU's memory
//! back, and no task meets what another left behind.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lull_network_api::{Assignment, ChallengeReply, ChallengeRequest};
use lull_runtime_api::host::{
    Benchmarking, RunRequest, Running, RuntimeCommand, RuntimeError, RuntimeProcess, find_runtime,
};
use lull_runtime_api::{ChallengeAnswer, ChallengeStep, RunOutcome, RuntimeEvent, TaskInput};
use lull_types::{BenchmarkReport, Coded, Fault, Measure};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::recorder::{Recorder, SharedSource};
use super::tasks::{self, TaskBlobs};
use crate::blobs::BlobCache;
use crate::machine::{ChallengeEnd, FoundDevices, Input, Lease, LeaseId, RunEnd};
use crate::session::ChallengeStream;
use crate::telemetry;

/// The one runtime of the base install.
const RUNTIME_GPU: &str = "lull-runtime-gpu";

/// How long listing the devices and ending afterwards may take; drivers take up to a second to unload.
pub(super) const END_GRACE: Duration = Duration::from_secs(3);

/// A process that was asked to end is killed by the machine, which knows how urgent it is. This is for the
/// case that it never says so.
const END_AT_THE_LATEST: Duration = Duration::from_secs(60);

/// A network that has not got what it wants of a device by then wastes the device's time: getting ready, the product
/// and showing its rows take some seconds each, and on the slowest machine and line three minutes together.
const CHALLENGE_AT_MOST: Duration = Duration::from_secs(180);

/// Progress is shown to people; more than ten a second is lost on them.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// Where the runtime is and how it is started.
#[derive(Clone, Debug)]
pub struct RuntimeSource {
    /// The program; `None` looks for the installed one.
    pub program: Option<PathBuf>,
    /// Environment variables besides the usual.
    pub env: Vec<(String, String)>,
    /// Bound on a benchmark's measures, without the sustained one.
    pub benchmark_budget: Duration,
}

impl Default for RuntimeSource {
    fn default() -> Self {
        Self {
            program: None,
            env: Vec::new(),
            // Sixteen measures of about two seconds, and as much again for compiling and checking where that is
            // slow: the whole ends within a minute.
            benchmark_budget: Duration::from_secs(35),
        }
    }
}

impl RuntimeSource {
    pub(super) fn command(&self, scratch: &Path, folder: &str) -> Result<RuntimeCommand, RuntimeError> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => find_runtime(RUNTIME_GPU)?,
        };
        let mut command = RuntimeCommand::new(program, scratch.join(folder));
        for (name, value) in &self.env {
            command = command.with_env(name, value);
        }
        Ok(command)
    }
}

/// Everything that a lease's task needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Context {
    pub source: RuntimeSource,
    pub scratch: PathBuf,
    pub blobs: BlobCache,
    pub telemetry: SharedSource,
    pub inputs: mpsc::Sender<Input>,
}

impl Context {
    async fn tell(&self, input: Input) {
        // The shell is gone only when the process ends.
        let _ = self.inputs.send(input).await;
    }

    fn command(&self, folder: &str) -> Result<RuntimeCommand, RuntimeError> {
        self.source.command(&self.scratch, folder)
    }

    async fn remove_scratch(&self, folder: &str) {
        // What cannot be removed now is removed by the next start.
        let _ = tokio::fs::remove_dir_all(self.scratch.join(folder)).await;
    }
}

/// Lists the devices, with a process that ends before this returns.
pub(super) async fn find_devices(context: &Context) -> Result<FoundDevices, Fault> {
    const FOLDER: &str = "devices";
    let found = async {
        let process = RuntimeProcess::start(context.command(FOLDER)?).await?;
        let devices = process.devices().await;
        let info = process.info().clone();
        process.stop(END_GRACE).await;
        devices.map(|devices| (devices, info))
    };
    let found = found.await;
    context.remove_scratch(FOLDER).await;
    let (devices, info) = found.map_err(|error| error.fault())?;
    if devices.is_empty() {
        let sentence = "no GPU was found on this machine; install its driver from the vendor and try again";
        return Err(Fault::new("no_device", sentence));
    }
    let hardware = tokio::task::spawn_blocking(move || telemetry::hardware(devices)).await;
    let hardware = hardware.map_err(|error| Fault::new("internal", error.to_string()))?;
    Ok(FoundDevices { hardware, kinds: info.kinds, sandbox: info.sandbox })
}

#[derive(Debug)]
struct Holder {
    cancel: CancellationToken,
    kill: CancellationToken,
    pace: watch::Sender<u8>,
}

/// The processes of all leases.
pub(super) struct Runtimes {
    context: Context,
    holders: HashMap<LeaseId, Holder>,
}

impl Runtimes {
    pub fn new(context: Context) -> Self {
        Self { context, holders: HashMap::new() }
    }

    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Begins a benchmark under a lease.
    pub fn benchmark(&mut self, lease: Lease, sustained: Duration) {
        tokio::spawn(self.hold(lease).benchmark(sustained));
    }

    /// Answers a challenge under a lease; without a stream it is broken off already.
    pub fn challenge(&mut self, lease: Lease, stream: Option<ChallengeStream>) {
        tokio::spawn(self.hold(lease).challenge(stream));
    }

    /// Begins a run under a lease.
    pub fn run(&mut self, lease: Lease, assignment: Box<Assignment>) {
        tokio::spawn(self.hold(lease).run(assignment));
    }

    /// Asks the process of a lease to stop and end.
    pub fn cancel(&self, lease: LeaseId) {
        if let Some(holder) = self.holders.get(&lease) {
            holder.cancel.cancel();
        }
    }

    /// Has the process of a lease work so much of the time.
    pub fn pace(&self, lease: LeaseId, percent: u8) {
        if let Some(holder) = self.holders.get(&lease) {
            holder.pace.send_replace(percent);
        }
    }

    /// Kills the process of a lease.
    pub fn kill(&self, lease: LeaseId) {
        if let Some(holder) = self.holders.get(&lease) {
            holder.kill.cancel();
        }
    }

    /// The process of a lease is gone.
    pub fn freed(&mut self, lease: LeaseId) {
        self.holders.remove(&lease);
    }

    fn hold(&mut self, lease: Lease) -> Holding {
        let (pace, paces) = watch::channel(100);
        let holder = Holder { cancel: CancellationToken::new(), kill: CancellationToken::new(), pace };
        let (cancel, kill) = (holder.cancel.clone(), holder.kill.clone());
        self.holders.insert(lease.id, holder);
        Holding { context: self.context.clone(), lease, cancel, kill, paces }
    }
}

/// One lease's process, from start to gone.
struct Holding {
    context: Context,
    lease: Lease,
    cancel: CancellationToken,
    kill: CancellationToken,
    paces: watch::Receiver<u8>,
}

/// A process was not wanted any more before its work ended.
struct Revoked;

impl Holding {
    fn folder(&self) -> String {
        format!("lease-{}", self.lease.id.0)
    }

    async fn benchmark(self, sustained: Duration) {
        let lease = self.lease.id;
        let started = self.start().await;
        let (process, outcome) = match started {
            Ok(process) => {
                let outcome = self.measure(&process, sustained).await;
                (Some(process), outcome)
            }
            Err(outcome) => (None, Err(outcome.unwrap_or_else(cancelled))),
        };
        self.context.tell(Input::BenchmarkEnded { lease, outcome: outcome.map(Box::new) }).await;
        self.free(process).await;
    }

    async fn measure(&self, process: &RuntimeProcess, sustained: Duration) -> Result<BenchmarkReport, Fault> {
        let budget = self.context.source.benchmark_budget;
        let device = self.lease.device;
        let devices = self.unless_killed(process, process.devices()).await.map_err(|Revoked| cancelled())?;
        let devices = devices.map_err(|error| error.fault())?;
        let info = devices.into_iter().find(|info| info.index == device);
        let mut benchmarking = process
            .benchmark(device, Measure::ORDINARY.to_vec(), budget, sustained)
            .await
            .map_err(|error| error.fault())?;
        let recorder = info.map(|info| {
            let version = process.info().version.clone();
            Recorder::new(Arc::clone(&self.context.telemetry), info, version, Measure::ORDINARY.to_vec())
        });
        let mut recorded = Recorded { benchmarking: &mut benchmarking, recorder };
        self.watch(process, &mut recorded).await.map_err(|Revoked| cancelled())?;
        let recorder = recorded.recorder;
        let outcome =
            self.unless_killed(process, benchmarking.outcome()).await.map_err(|Revoked| cancelled())?;
        let outcome = match recorder {
            Some(recorder) => recorder.report(outcome),
            None => outcome,
        };
        outcome.map_err(|error| error.fault())
    }

    async fn challenge(self, stream: Option<ChallengeStream>) {
        let lease = self.lease.id;
        let (process, end) = match stream {
            None => (None, ChallengeEnd::BrokenOff),
            Some(stream) => match self.start().await {
                Ok(process) => {
                    let end = self.converse(&process, stream).await;
                    (Some(process), end)
                }
                Err(None) => (None, ChallengeEnd::BrokenOff),
                Err(Some(fault)) => {
                    stream.decline(fault.clone()).await;
                    (None, ChallengeEnd::DeviceFault(fault))
                }
            },
        };
        self.context.tell(Input::ChallengeEnded { lease, end }).await;
        self.free(process).await;
    }

    /// Carries steps from the network to the runtime and answers back, until either has enough.
    async fn converse(&self, process: &RuntimeProcess, mut stream: ChallengeStream) -> ChallengeEnd {
        let conversation = async {
            let mut end = ChallengeEnd::BrokenOff;
            // The runtime answers for a device only after it has listed them.
            let mut answer = match process.devices().await {
                Ok(_) => process.challenge(ChallengeStep::Prepare { device: self.lease.device }).await,
                Err(error) => Err(error),
            };
            loop {
                let reply = match answer {
                    Ok(ChallengeAnswer::Prepared) => ChallengeReply::Prepared,
                    Ok(ChallengeAnswer::Committed(root)) => {
                        end = ChallengeEnd::Answered;
                        ChallengeReply::Committed(root)
                    }
                    Ok(ChallengeAnswer::Opened(rows)) => ChallengeReply::Opened(rows),
                    Ok(ChallengeAnswer::Filled) => ChallengeReply::Filled,
                    Ok(ChallengeAnswer::Swept(hash)) => ChallengeReply::Swept(hash),
                    Ok(ChallengeAnswer::LookedUp(hash)) => ChallengeReply::LookedUp(hash),
                    Ok(ChallengeAnswer::Shown(transcript)) => ChallengeReply::Shown(transcript),
                    // The network may ask for less.
                    Err(RuntimeError::ChallengeFailed(fault)) if is_too_much(&fault) => {
                        ChallengeReply::Declined(fault)
                    }
                    Err(error) => {
                        let fault = error.fault();
                        stream.decline(fault.clone()).await;
                        return match error {
                            // What the network asked for was unusable; the device is well.
                            RuntimeError::ChallengeFailed(fault) if fault.code.starts_with("challenge_") => {
                                end
                            }
                            _ => ChallengeEnd::DeviceFault(fault),
                        };
                    }
                };
                if stream.reply(&reply).await.is_none() {
                    return end;
                }
                let step = loop {
                    match stream.next().await {
                        Some(ChallengeRequest::Ping) => {
                            if stream.reply(&ChallengeReply::Pong).await.is_none() {
                                return end;
                            }
                        }
                        Some(ChallengeRequest::Commit(product)) => break ChallengeStep::Commit(product),
                        Some(ChallengeRequest::Open(rows)) => break ChallengeStep::Open(rows),
                        Some(ChallengeRequest::Fill(memory)) => break ChallengeStep::Fill(memory),
                        Some(ChallengeRequest::Sweep(sweeps)) => break ChallengeStep::Sweep(sweeps),
                        Some(ChallengeRequest::LookUp(seed)) => break ChallengeStep::LookUp(seed),
                        Some(ChallengeRequest::Show) => break ChallengeStep::Show,
                        // Another device is another stream.
                        Some(ChallengeRequest::Prepare { .. }) | None => return end,
                    }
                };
                answer = process.challenge(step).await;
            }
        };
        tokio::select! {
            biased;
            () = self.kill.cancelled() => {
                process.kill().await;
                ChallengeEnd::BrokenOff
            }
            // Its process is asked to stop when it is freed.
            () = self.cancel.cancelled() => ChallengeEnd::BrokenOff,
            // As if it was answered: this network is not to ask again soon.
            () = tokio::time::sleep(CHALLENGE_AT_MOST) => ChallengeEnd::Answered,
            end = conversation => end,
        }
    }

    async fn run(self, assignment: Box<Assignment>) {
        let lease = self.lease.id;
        let (process, end) = match self.prepare(&assignment).await {
            Err(end) => (None, end),
            Ok(request) => match self.start().await {
                Ok(process) => {
                    let end = self.drive(&process, request).await;
                    (Some(process), end)
                }
                Err(Some(fault)) => (None, RunEnd::LocalFault(fault)),
                Err(None) => (None, RunEnd::Cancelled),
            },
        };
        self.context.tell(Input::RunEnded { lease, end }).await;
        self.free(process).await;
    }

    /// What the runtime is to be told, from the blobs on this machine.
    async fn prepare(&self, assignment: &Assignment) -> Result<RunRequest, RunEnd> {
        let loading = tasks::load(self.context.blobs.clone(), assignment.kind.clone(), assignment.payload);
        let TaskBlobs { payload, inputs } = loading.await?;
        let mut request = RunRequest::new(self.lease.device, assignment.kind.clone(), payload);
        request.inputs = inputs.into_iter().map(|(hash, bytes)| TaskInput { hash, bytes }).collect();
        Ok(request)
    }

    async fn drive(&self, process: &RuntimeProcess, request: RunRequest) -> RunEnd {
        let mut running = match process.run(request).await {
            Ok(running) => running,
            Err(error) => return failed(error),
        };
        self.context.tell(Input::RunStarted { lease: self.lease.id }).await;
        if self.watch(process, &mut running).await.is_err() {
            return RunEnd::Cancelled;
        }
        match self.unless_killed(process, running.outcome()).await {
            Err(Revoked) => RunEnd::Cancelled,
            Ok(Err(error)) => failed(error),
            Ok(Ok(RunOutcome::Cancelled)) => RunEnd::Cancelled,
            Ok(Ok(RunOutcome::TaskFault(fault))) => RunEnd::TaskFault(fault),
            Ok(Ok(RunOutcome::DeviceFault(fault))) => RunEnd::DeviceFault(fault),
            Ok(Ok(RunOutcome::Done { outputs, ran_ms, .. })) => {
                match tasks::store(self.context.blobs.clone(), outputs).await {
                    Ok(outputs) => RunEnd::Done { outputs, ran_ms },
                    Err(fault) => RunEnd::LocalFault(fault),
                }
            }
        }
    }

    /// Starts the process. `None` in the error: the lease was revoked first. A process whose start is given up
    /// is killed; before it has shaken hands it has not touched the GPU.
    async fn start(&self) -> Result<RuntimeProcess, Option<Fault>> {
        let command = self.context.command(&self.folder()).map_err(|error| Some(error.fault()))?;
        let began = Instant::now();
        tokio::select! {
            biased;
            () = self.kill.cancelled() => Err(None),
            () = self.cancel.cancelled() => Err(None),
            started = RuntimeProcess::start(command) => {
                let started = started.map_err(|error| Some(error.fault()))?;
                tracing::debug!(elapsed_ms = began.elapsed().as_millis() as u64, "a runtime was started");
                Ok(started)
            }
        }
    }

    /// Passes progress on until it ends or the process is killed. A cancel is passed on and waited for.
    async fn watch(&self, process: &RuntimeProcess, activity: &mut impl Activity) -> Result<(), Revoked> {
        let mut told_at: Option<Instant> = None;
        let mut cancelled = false;
        // What was told before the process was there counts too.
        let mut paces = self.paces.clone();
        let mut pace = 100;
        loop {
            let wanted = *paces.borrow_and_update();
            if wanted != pace {
                pace = wanted;
                process.pace(pace);
            }
            let event = tokio::select! {
                biased;
                () = self.kill.cancelled() => {
                    process.kill().await;
                    return Err(Revoked);
                }
                () = self.cancel.cancelled(), if !cancelled => {
                    cancelled = true;
                    process.cancel();
                    continue;
                }
                // A holder that is gone has no other pace any more.
                Ok(()) = paces.changed() => continue,
                event = activity.progress() => event,
            };
            let Some(event) = event else { return Ok(()) };
            if told_at.is_some_and(|at| at.elapsed() < PROGRESS_INTERVAL) {
                continue;
            }
            if let Some(input) = progress(self.lease.id, &event) {
                told_at = Some(Instant::now());
                self.context.tell(input).await;
            }
        }
    }

    async fn unless_killed<T>(
        &self,
        process: &RuntimeProcess,
        outcome: impl Future<Output = T>,
    ) -> Result<T, Revoked> {
        tokio::select! {
            biased;
            () = self.kill.cancelled() => {
                process.kill().await;
                Err(Revoked)
            }
            outcome = outcome => Ok(outcome),
        }
    }

    /// Ends the process, gently unless the lease is revoked, and says that the GPU is free.
    async fn free(self, process: Option<RuntimeProcess>) {
        if let Some(process) = process {
            tokio::select! {
                biased;
                () = self.kill.cancelled() => drop(process.kill().await),
                _ = process.stop(END_AT_THE_LATEST) => {}
            }
        }
        self.context.remove_scratch(&self.folder()).await;
        self.context.tell(Input::Freed { lease: self.lease.id }).await;
    }
}

/// A benchmark whose telemetry is written down.
struct Recorded<'a> {
    benchmarking: &'a mut Benchmarking,
    recorder: Option<Recorder>,
}

/// What [`Recorded`] and [`Running`] have in common.
trait Activity {
    async fn progress(&mut self) -> Option<RuntimeEvent>;
}

impl Activity for Recorded<'_> {
    async fn progress(&mut self) -> Option<RuntimeEvent> {
        let event = self.benchmarking.progress().await?;
        if let Some(recorder) = &mut self.recorder {
            recorder.saw(&event).await;
        }
        Some(event)
    }
}

impl Activity for Running {
    async fn progress(&mut self) -> Option<RuntimeEvent> {
        Running::progress(self).await
    }
}

fn progress(lease: LeaseId, event: &RuntimeEvent) -> Option<Input> {
    match event {
        RuntimeEvent::BenchmarkProgress { measure, fraction, value_so_far } => {
            Some(Input::BenchmarkProgress {
                lease,
                measure: *measure,
                fraction: *fraction,
                value_so_far: *value_so_far,
            })
        }
        RuntimeEvent::RunProgress { fraction } => Some(Input::RunProgress { lease, fraction: *fraction }),
        RuntimeEvent::Measured(_)
        | RuntimeEvent::Hello(_)
        | RuntimeEvent::Devices(_)
        | RuntimeEvent::BenchmarkEnded(_)
        | RuntimeEvent::RunEnded(_)
        | RuntimeEvent::ChallengeAnswered(_)
        | RuntimeEvent::Serving(_)
        | RuntimeEvent::ServingEnded(_)
        | RuntimeEvent::Refused(_) => None,
    }
}

/// Whose fault it is that a run did not end by itself.
fn failed(error: RuntimeError) -> RunEnd {
    match error {
        RuntimeError::Died { .. }
        | RuntimeError::Silent { .. }
        | RuntimeError::Overdue { .. }
        | RuntimeError::Garbled { .. } => RunEnd::DeviceFault(error.fault()),
        RuntimeError::Killed => RunEnd::Cancelled,
        RuntimeError::Missing { .. }
        | RuntimeError::NotStarted { .. }
        | RuntimeError::NoHello { .. }
        | RuntimeError::OtherProtocol { .. }
        | RuntimeError::Refused(_)
        | RuntimeError::BenchmarkFailed(_)
        | RuntimeError::ChallengeFailed(_)
        | RuntimeError::ServingFailed(_)
        | RuntimeError::Busy => RunEnd::LocalFault(error.fault()),
    }
}

/// Whether a device cannot hold what it was asked to, and is well.
fn is_too_much(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "out_of_device_memory" | "device_limit_exceeded")
}

fn cancelled() -> Fault {
    Fault::new("cancelled", "the benchmark was stopped before it ended")
}
