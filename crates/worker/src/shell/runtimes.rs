//! Runtime processes: one to list the devices, and one for each lease, which lives no longer than the lease.
//!
//! A process is never kept for a next task: ending it is the one sure way to give all of the GPU's memory
//! back, and no task meets what another left behind.

mod benchmark;
mod challenge;
mod reins;
mod run;
mod shift;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lull_network_api::Assignment;
use lull_runtime_api::host::{RuntimeCommand, RuntimeError, RuntimeProcess, find_runtime};
use lull_types::{Coded, DeviceInfo, Fault, JOB_KIND_INFER};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::recorder::SharedSource;
use super::shifts::Shifts;
use crate::blobs::BlobCache;
use crate::machine::{FoundDevices, Input, Lease, LeaseId};
use crate::models::Models;
use crate::session::ChallengeStream;
use crate::telemetry;

/// The runtime of the base install, which finds the devices.
const RUNTIME_GPU: &str = "lull-runtime-gpu";

/// The runtime of language models, where it is installed.
const RUNTIME_LLM: &str = "lull-runtime-llm";

/// How long listing the devices and ending afterwards may take; drivers take up to a second to unload.
pub(super) const END_GRACE: Duration = Duration::from_secs(3);

/// A process that was asked to end is killed by the machine, which knows how urgent it is. This is for the
/// case that it never says so.
const END_AT_THE_LATEST: Duration = Duration::from_secs(60);

/// Where the runtimes are and how they are started.
#[derive(Clone, Debug)]
pub struct RuntimeSource {
    /// The program; `None` looks for the installed one.
    pub program: Option<PathBuf>,
    /// The program that serves models; `None` looks for the installed one.
    pub program_llm: Option<PathBuf>,
    /// Environment variables besides the usual.
    pub env: Vec<(String, String)>,
    /// Bound on a benchmark's measures, without the sustained one.
    pub benchmark_budget: Duration,
}

impl Default for RuntimeSource {
    fn default() -> Self {
        Self {
            program: None,
            program_llm: None,
            env: Vec::new(),
            // Sixteen measures of about two seconds, and as much again for compiling and checking where that is
            // slow: the whole ends within a minute.
            benchmark_budget: Duration::from_secs(35),
        }
    }
}

impl RuntimeSource {
    pub(super) fn command(&self, scratch: &Path, folder: &str) -> Result<RuntimeCommand, RuntimeError> {
        let program = self.program.clone().map_or_else(|| find_runtime(RUNTIME_GPU), Ok)?;
        Ok(self.command_of(program, scratch, folder))
    }

    /// As [`Self::command`], for the runtime of models, without the arguments that name one.
    fn command_llm(&self, scratch: &Path, folder: &str) -> Result<RuntimeCommand, RuntimeError> {
        Ok(self.command_of(self.find_llm()?, scratch, folder))
    }

    fn find_llm(&self) -> Result<PathBuf, RuntimeError> {
        self.program_llm.clone().map_or_else(|| find_runtime(RUNTIME_LLM), Ok)
    }

    fn command_of(&self, program: PathBuf, scratch: &Path, folder: &str) -> RuntimeCommand {
        let mut command = RuntimeCommand::new(program, scratch.join(folder));
        for (name, value) in &self.env {
            command = command.with_env(name, value);
        }
        command
    }
}

/// Everything that a lease's task needs; cheap to clone.
#[derive(Clone)]
pub(super) struct Context {
    pub source: RuntimeSource,
    pub scratch: PathBuf,
    pub blobs: BlobCache,
    pub models: Arc<dyn Models>,
    pub shifts: Shifts,
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
    let mut kinds = info.kinds;
    // It starts with a model alone, so that its being there has to do.
    if context.source.find_llm().is_ok() {
        kinds.push(JOB_KIND_INFER.to_owned());
    }
    Ok(FoundDevices { hardware, kinds, sandbox: info.sandbox })
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
    /// The devices, as they were found.
    devices: Vec<DeviceInfo>,
}

impl Runtimes {
    pub fn new(context: Context) -> Self {
        Self { context, holders: HashMap::new(), devices: Vec::new() }
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
        let device = self.devices.iter().find(|device| device.index == lease.device).cloned();
        let holding = self.hold(lease);
        match device {
            Some(device) if assignment.kind == JOB_KIND_INFER => {
                tokio::spawn(holding.shift(assignment, device));
            }
            _ => {
                tokio::spawn(holding.run(assignment));
            }
        }
    }

    /// The devices were found.
    pub fn found(&mut self, devices: Vec<DeviceInfo>) {
        self.devices = devices;
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

    async fn start(&self) -> Result<RuntimeProcess, Option<Fault>> {
        let command = self.context.command(&self.folder()).map_err(|error| Some(error.fault()))?;
        self.start_with(command).await
    }

    /// Starts the process. `None` in the error: the lease was revoked first. A process whose start is given up
    /// is killed; before it has shaken hands it has not touched the GPU.
    async fn start_with(&self, command: RuntimeCommand) -> Result<RuntimeProcess, Option<Fault>> {
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
