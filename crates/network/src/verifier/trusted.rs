//! The network's own runtime process: started when there is something to check, stopped when there is not.

use std::time::Duration;

use lull_runtime_api::host::{RunRequest, RuntimeCommand, RuntimeError, RuntimeProcess};
use lull_runtime_api::{Limits, RunOutcome, TaskInput};
use lull_types::{Coded, DeviceInfo, DeviceKind, Fault};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Desk, compare, failed, payload};
use crate::engine::{CheckOutcome, CheckRequest, Input};
use crate::gateway::EnginePort;

/// An idle runtime holds a driver's context, some 100 MB; starting one takes about a second.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// How long after a failure to find a runtime and a device it is tried again: drivers are installed, and GPUs
/// plugged in, by people.
const PROBE_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// A runtime that has not left by then is killed.
const STOP_GRACE: Duration = Duration::from_secs(2);
/// Time for one run: a tenth of a worker's, as one stuck check would hold up all others.
const RUN_MS_MAX: u64 = 60_000;
/// Failures in a row after which the device is no longer trusted to work.
const FAILURES_MAX: u32 = 3;
/// All inputs of one task together: what fits a message to the runtime, with room for the payload.
const INPUT_BYTES_MAX: u64 = 240 * 1024 * 1024;

/// A runtime process and the device that is used.
struct Running {
    process: RuntimeProcess,
    device: DeviceInfo,
}

pub(super) struct Trusted<E> {
    desk: Desk<E>,
    command: Option<RuntimeCommand>,
    paused: watch::Receiver<bool>,
    running: Option<Running>,
    /// What the engine was told last.
    kinds: Option<Vec<String>>,
    failures: u32,
    /// Not before this instant is a runtime looked for.
    probe_at: Instant,
}

impl<E: EnginePort> Trusted<E> {
    pub(super) fn new(desk: Desk<E>, command: Option<RuntimeCommand>, paused: watch::Receiver<bool>) -> Self {
        Self { desk, command, paused, running: None, kinds: None, failures: 0, probe_at: Instant::now() }
    }

    pub(super) async fn run(mut self, mut requests: mpsc::Receiver<CheckRequest>, cancel: CancellationToken) {
        if self.command.is_none() {
            self.tell(Vec::new()).await;
        }
        loop {
            let is_paused = *self.paused.borrow();
            if is_paused {
                self.kill().await;
            }
            let works = self.kinds.as_ref().is_some_and(|kinds| !kinds.is_empty());
            let looks = self.command.is_some() && !works && !is_paused;
            tokio::select! {
                () = cancel.cancelled() => break,
                changed = self.paused.changed() => if changed.is_err() { break },
                request = requests.recv(), if !is_paused => {
                    let Some(request) = request else { break };
                    let check = request.check;
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        outcome = self.check(&request) => self.desk.ended(check, outcome).await,
                    }
                }
                () = tokio::time::sleep(IDLE_MAX), if self.running.is_some() => self.stop().await,
                () = tokio::time::sleep_until(self.probe_at), if looks => {
                    self.probe_at = Instant::now() + PROBE_AGAIN_AFTER;
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = self.probe() => {}
                    }
                }
            }
        }
        self.kill().await;
    }

    /// Looks whether there is a runtime with a device, and tells the engine.
    async fn probe(&mut self) {
        let kinds = match self.start().await {
            Ok(kinds) => kinds,
            Err(error) => {
                tracing::warn!(
                    code = error.code(),
                    %error,
                    "no trusted runtime: results are checked by having tasks done twice"
                );
                Vec::new()
            }
        };
        self.tell(kinds).await;
    }

    async fn tell(&mut self, kinds: Vec<String>) {
        if self.kinds.as_ref() != Some(&kinds) {
            self.kinds = Some(kinds.clone());
            self.desk.engine.tell(Input::TrustedRuntime { kinds }).await;
        }
    }

    /// Starts the process if it is not running. Returns the kinds that it runs; none without a device.
    async fn start(&mut self) -> Result<Vec<String>, RuntimeError> {
        if let Some(running) = self.running.as_ref().filter(|running| !running.process.is_gone()) {
            return Ok(running.process.info().kinds.clone());
        }
        let Some(command) = self.command.clone() else { return Ok(Vec::new()) };
        let process = RuntimeProcess::start(command).await?;
        let devices = process.devices().await?;
        let Some(device) = devices.into_iter().max_by_key(preference) else {
            process.stop(STOP_GRACE).await;
            return Ok(Vec::new());
        };
        let kinds = process.info().kinds.clone();
        tracing::info!(device = %device.name, sandbox = ?process.info().sandbox, "the trusted runtime is ready");
        self.running = Some(Running { process, device });
        Ok(kinds)
    }

    /// Does one check, or ends it when the verifier is paused.
    async fn check(&mut self, request: &CheckRequest) -> CheckOutcome {
        let mut paused = self.paused.clone();
        loop {
            // A sender that is gone pauses nothing any more.
            let _ = paused.wait_for(|paused| !paused).await;
            let outcome = tokio::select! {
                outcome = self.run_again(request) => Some(outcome),
                Ok(_) = paused.wait_for(|paused| *paused) => None,
            };
            match outcome {
                Some(outcome) => return outcome,
                // The run is dropped and the process killed; the check begins again when it may.
                None => self.kill().await,
            }
        }
    }

    async fn run_again(&mut self, request: &CheckRequest) -> CheckOutcome {
        let task = match payload(&self.desk.blobs, request).await {
            Ok(task) => task,
            Err(outcome) => return outcome,
        };
        let run = match self.request(request).await {
            Ok(run) => run,
            Err(outcome) => return outcome,
        };
        match self.outcome(run).await {
            Ok(RunOutcome::Done { outputs, .. }) => {
                self.failures = 0;
                compare(&self.desk.blobs, &task, request, outputs).await
            }
            Ok(RunOutcome::TaskFault(fault)) => CheckOutcome::Failed { fault, task_at_fault: true },
            Ok(RunOutcome::Cancelled) => {
                self.failed_here(Fault::new("cancelled", "the check was cancelled")).await
            }
            Ok(RunOutcome::DeviceFault(fault)) => self.failed_here(fault).await,
            Err(error) => self.failed_here(error.fault()).await,
        }
    }

    async fn request(&self, request: &CheckRequest) -> Result<RunRequest, CheckOutcome> {
        let read = |hash, room| self.desk.blobs.read(hash, room);
        let payload = read(request.payload, INPUT_BYTES_MAX).await.map_err(|error| failed(&error))?;
        let mut room = INPUT_BYTES_MAX;
        let mut inputs = Vec::with_capacity(request.inputs.len());
        for hash in &request.inputs {
            let bytes = read(*hash, room).await.map_err(|error| failed(&error))?;
            room -= bytes.len() as u64;
            inputs.push(TaskInput { hash: *hash, bytes });
        }
        let limits = Limits { run_ms_max: RUN_MS_MAX, ..Limits::default() };
        Ok(RunRequest { device: 0, kind: request.kind.clone(), payload, inputs, limits })
    }

    async fn outcome(&mut self, mut run: RunRequest) -> Result<RunOutcome, RuntimeError> {
        self.start().await?;
        let Some(running) = &self.running else {
            return Err(RuntimeError::Refused(Fault::new("no_device", "there is no device to check on")));
        };
        run.device = running.device.index;
        running.process.run(run).await?.outcome().await
    }

    /// The trusted device failed, which says nothing of the report. After a few of these in a row the engine is
    /// told that there is none, and it is looked for again later.
    async fn failed_here(&mut self, fault: Fault) -> CheckOutcome {
        tracing::warn!(code = fault.code, sentence = fault.sentence, "a check failed on the trusted device");
        self.failures += 1;
        self.kill().await;
        if self.failures >= FAILURES_MAX {
            self.failures = 0;
            self.probe_at = Instant::now() + PROBE_AGAIN_AFTER;
            self.tell(Vec::new()).await;
        }
        CheckOutcome::Failed { fault, task_at_fault: false }
    }

    async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.process.stop(STOP_GRACE).await;
        }
    }

    async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.process.kill().await;
        }
    }
}

/// The fastest sort of device first; of those, the first in the driver's order.
fn preference(device: &DeviceInfo) -> (u8, std::cmp::Reverse<u32>) {
    let sort = match device.kind {
        DeviceKind::Discrete => 4,
        DeviceKind::Integrated => 3,
        DeviceKind::Virtual => 2,
        DeviceKind::Other => 1,
        DeviceKind::Software => 0,
    };
    (sort, std::cmp::Reverse(device.index))
}
