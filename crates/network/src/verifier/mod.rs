//! The verifier: compares the outputs of a report with what they should be.
//!
//! What they should be is what another worker reported, or what the network's own trusted runtime finds when it
//! runs the task again. That runtime is a process like any worker's, locked down like any, since the tasks are
//! strangers' here too. One check runs on it at a time, and it is stopped when there is nothing to check, so that
//! it holds no GPU memory. Where there is no runtime or no device, the engine is told so and has tasks done twice.

mod trusted;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use lull_network_api::BLOB_BYTES_MAX;
use lull_runtime_api::host::RuntimeCommand;
use lull_types::wgsl::{WgslTask, limits};
use lull_types::{BlobHash, Coded, Fault, JOB_KIND_WGSL};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::blobs::{BlobError, Blobs};
use crate::engine::{Against, CheckId, CheckOutcome, CheckRequest, Input};
use crate::gateway::EnginePort;
use trusted::Trusted;

/// Checks that wait. A check is a sampled share of the tasks; when more than these wait, the trusted device is
/// too slow for the network, and the engine has the rest done twice.
const CHECKS_WAITING_MAX: usize = 1024;
/// Comparisons of reported outputs at once: each holds two sets of outputs in memory.
const COMPARISONS_MAX: usize = 2;

/// A handle to the verifier.
#[derive(Clone, Debug)]
pub struct Verifier {
    requests: mpsc::Sender<CheckRequest>,
    paused: Arc<watch::Sender<bool>>,
    /// The engine asks again after each change of the trusted runtime; what is being done is not done twice.
    pending: Arc<Mutex<HashSet<CheckId>>>,
}

impl Verifier {
    /// Starts the verifier. Without a `runtime` it compares reports with each other only.
    pub fn start<E: EnginePort>(
        runtime: Option<RuntimeCommand>,
        blobs: Arc<Blobs>,
        engine: Arc<E>,
        cancel: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (requests, receiver) = mpsc::channel(CHECKS_WAITING_MAX);
        let (paused, paused_receiver) = watch::channel(false);
        let verifier = Self { requests, paused: Arc::new(paused), pending: Arc::default() };
        let desk = Desk { blobs, engine, pending: verifier.pending.clone() };
        let task = tokio::spawn(run(desk, runtime, receiver, paused_receiver, cancel));
        (verifier, task)
    }

    /// Takes a check. `Some` is the outcome when it cannot be taken.
    pub fn check(&self, request: CheckRequest) -> Option<CheckOutcome> {
        let check = request.check;
        if !lock(&self.pending).insert(check) {
            return None;
        }
        match self.requests.try_send(request) {
            Ok(()) => None,
            Err(_) => {
                lock(&self.pending).remove(&check);
                Some(CheckOutcome::Failed {
                    fault: Fault::new(
                        "checks_busy",
                        "more results wait to be checked than the network's own device can check",
                    ),
                    task_at_fault: false,
                })
            }
        }
    }

    /// While paused, the trusted runtime is not running and holds nothing of the GPU; checks wait. For a network
    /// that shares its machine with a contributor.
    pub fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // The set is whole between statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What every check needs.
struct Desk<E> {
    blobs: Arc<Blobs>,
    engine: Arc<E>,
    pending: Arc<Mutex<HashSet<CheckId>>>,
}

impl<E> Clone for Desk<E> {
    fn clone(&self) -> Self {
        Self { blobs: self.blobs.clone(), engine: self.engine.clone(), pending: self.pending.clone() }
    }
}

impl<E: EnginePort> Desk<E> {
    async fn ended(&self, check: CheckId, outcome: CheckOutcome) {
        lock(&self.pending).remove(&check);
        self.engine.tell(Input::CheckEnded { check, outcome }).await;
    }
}

async fn run<E: EnginePort>(
    desk: Desk<E>,
    runtime: Option<RuntimeCommand>,
    mut requests: mpsc::Receiver<CheckRequest>,
    paused: watch::Receiver<bool>,
    cancel: CancellationToken,
) {
    let comparisons = Arc::new(Semaphore::new(COMPARISONS_MAX));
    let (reruns, rerun_receiver) = mpsc::channel(CHECKS_WAITING_MAX);
    let trusted =
        tokio::spawn(Trusted::new(desk.clone(), runtime, paused).run(rerun_receiver, cancel.clone()));
    loop {
        let request = tokio::select! {
            () = cancel.cancelled() => break,
            request = requests.recv() => request,
        };
        let Some(request) = request else { break };
        match request.against.clone() {
            Against::TrustedRuntime => {
                let check = request.check;
                if reruns.try_send(request).is_err() {
                    let fault = Fault::new("checks_busy", "the network's own device has too much to check");
                    desk.ended(check, CheckOutcome::Failed { fault, task_at_fault: false }).await;
                }
            }
            Against::Outputs(expected) => {
                let Ok(permit) = comparisons.clone().acquire_owned().await else { break };
                let desk = desk.clone();
                tokio::spawn(async move {
                    let outcome = compare_reports(&desk.blobs, &request, &expected).await;
                    desk.ended(request.check, outcome).await;
                    drop(permit);
                });
            }
        }
    }
    drop(reruns);
    // A panic there was reported by tokio; there is nothing left to stop.
    let _ = trusted.await;
}

/// A check cannot be done for a reason that says nothing of the report.
fn failed(error: &impl Coded) -> CheckOutcome {
    CheckOutcome::Failed { fault: error.fault(), task_at_fault: false }
}

async fn compare_reports(blobs: &Blobs, request: &CheckRequest, expected: &[BlobHash]) -> CheckOutcome {
    // Equal hashes are equal bytes, which agree within any tolerance.
    if expected == request.reported {
        return CheckOutcome::Match;
    }
    let task = match payload(blobs, request).await {
        Ok(task) => task,
        Err(outcome) => return outcome,
    };
    match outputs(blobs, expected).await {
        Ok(outputs) => compare(blobs, &task, request, outputs).await,
        Err(error) => failed(&error),
    }
}

/// The payload, parsed. It was checked when the job was made, so anything wrong with it now is the network's
/// own fault, save for a kind that this verifier does not know.
async fn payload(blobs: &Blobs, request: &CheckRequest) -> Result<WgslTask, CheckOutcome> {
    if request.kind != JOB_KIND_WGSL {
        let sentence = format!("this network cannot check tasks of the kind {}", request.kind);
        return Err(CheckOutcome::Failed {
            fault: Fault::new("kind_unknown", sentence),
            task_at_fault: false,
        });
    }
    let bytes = blobs
        .read(request.payload, limits::PAYLOAD_BYTES_MAX as u64)
        .await
        .map_err(|error| failed(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| CheckOutcome::Failed {
        fault: Fault::new("payload_malformed", format!("the task's payload cannot be read: {error}")),
        task_at_fault: true,
    })
}

async fn outputs(blobs: &Blobs, hashes: &[BlobHash]) -> Result<Vec<Vec<u8>>, BlobError> {
    let mut outputs = Vec::with_capacity(hashes.len());
    let mut room = limits::OUTPUT_BYTES_TOTAL_MAX.min(BLOB_BYTES_MAX);
    for hash in hashes {
        let output = blobs.read(*hash, room).await?;
        room -= output.len() as u64;
        outputs.push(output);
    }
    Ok(outputs)
}

/// Compares `expected` with the reported outputs. When they differ, the expected ones are stored, so that the
/// contributor can be shown both.
async fn compare(
    blobs: &Blobs,
    task: &WgslTask,
    request: &CheckRequest,
    expected: Vec<Vec<u8>>,
) -> CheckOutcome {
    let mut hashes = Vec::with_capacity(expected.len());
    for output in &expected {
        hashes.push(BlobHash::of(output));
    }
    if hashes == request.reported {
        return CheckOutcome::Match;
    }
    let actual = match outputs(blobs, &request.reported).await {
        Ok(actual) => actual,
        // More than the outputs of a task can hold cannot be its outputs.
        Err(error @ BlobError::TooLarge { .. }) => {
            return CheckOutcome::Mismatch { expected: hashes, difference: error.to_string() };
        }
        Err(error) => return failed(&error),
    };
    let tolerance = task.tolerance;
    let compared = tokio::task::spawn_blocking(move || {
        let difference = lull_checks::compare::outputs(tolerance, &expected, &actual).err();
        (difference, expected)
    })
    .await;
    match compared {
        Ok((None, _)) => CheckOutcome::Match,
        Ok((Some(difference), expected)) => {
            for output in &expected {
                if let Err(error) = blobs.put(output).await {
                    return failed(&error);
                }
            }
            CheckOutcome::Mismatch { expected: hashes, difference: difference.to_string() }
        }
        Err(_) => CheckOutcome::Failed {
            fault: Fault::new("check_stopped", "the comparison was stopped before it ended"),
            task_at_fault: false,
        },
    }
}

#[cfg(test)]
mod tests;
