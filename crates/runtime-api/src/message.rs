//! What a worker asks of a runtime, and what the runtime tells it.

use lull_checks::memory::{Memory, MemoryTranscript, Sweeps};
use lull_checks::product::{OpenedRow, Product};
use lull_types::{BenchmarkReport, BlobHash, DeviceInfo, Fault, Measure, Measurement, SandboxPart};
use serde::{Deserialize, Serialize};

use crate::{Ask, Serve, ServingEvent};

/// Worker → runtime. A runtime does one thing at a time; a second `Benchmark`, `Run` or `Serve` before the first has
/// ended is refused with the code `busy`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// First message. The runtime answers with [`RuntimeEvent::Hello`].
    Hello {
        /// The worker's [`crate::PROTOCOL_VERSION`].
        protocol: u16,
    },
    /// List the devices.
    Enumerate,
    /// Measure one device.
    Benchmark {
        /// [`DeviceInfo::index`].
        device: u32,
        /// What to measure, in this order.
        measures: Vec<Measure>,
        /// Bound on the whole, without the sustained measure: measures are shortened to fit.
        budget_ms: u64,
        /// How long [`Measure::Sustained`] is then taken; 0 for not at all.
        sustained_ms: u64,
    },
    /// Run one task.
    Run {
        /// [`DeviceInfo::index`].
        device: u32,
        /// Job kind, such as `wgsl/1`.
        kind: String,
        /// The task's payload, as its kind defines it.
        payload: Vec<u8>,
        /// The blobs that the payload names.
        inputs: Vec<TaskInput>,
        /// Bounds on the run.
        limits: Limits,
    },
    /// One step of the network's timed challenge. Answered with [`RuntimeEvent::ChallengeAnswered`].
    Challenge(ChallengeStep),
    /// Serve the model of the program's arguments until a cancel. Answered with [`RuntimeEvent::Serving`], and at the end
    /// with [`RuntimeEvent::ServingEnded`].
    Serve(Box<Serve>),
    /// Ask something of the model that is served. Answered by number.
    Ask {
        /// Its number, chosen by who asks and not used by another that goes on.
        number: u64,
        /// What is asked.
        ask: Box<Ask>,
    },
    /// An answer is no longer wanted. Answered with [`crate::Answer::Dropped`], if it has not ended.
    Drop {
        /// The ask's.
        number: u64,
    },
    /// Rest between slices, so that the device works about `percent` of the time from now on; 100 is without rest. Not
    /// answered. Rests count neither for a run's limit nor for the time that it took.
    Pace {
        /// From 1 to 100; what is not is taken as the nearest.
        percent: u8,
    },
    /// Stop what is being done, at the next slice. Answered with the end of what was being done.
    Cancel,
    /// End the process.
    Shutdown,
}

/// A step of the timed challenge. `Prepare` comes first, `Commit` before `Open`, and `Fill` before those that read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeStep {
    /// Open a device, compile kernels and choose the fastest: what may be done before the clock runs.
    Prepare {
        /// [`DeviceInfo::index`].
        device: u32,
    },
    /// Compute a product and commit to its rows.
    Commit(Product),
    /// Show rows of it.
    Open(Vec<u64>),
    /// Fill memory. What a product took is freed before.
    Fill(Memory),
    /// Read all of it.
    Sweep(Sweeps),
    /// Go along a chain of look-ups that follows from this seed.
    LookUp([u8; 32]),
    /// Show what the last two found, and free the memory.
    Show,
}

/// What a step gave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeAnswer {
    /// The device is ready.
    Prepared,
    /// The root over the rows' digests.
    Committed(BlobHash),
    /// The rows that were asked for, in that order.
    Opened(Vec<OpenedRow>),
    /// The memory is filled.
    Filled,
    /// The hash of all digests.
    Swept(BlobHash),
    /// The hash of all states.
    LookedUp(BlobHash),
    /// All digests and states.
    Shown(MemoryTranscript),
}

/// An input blob. The receiver checks the hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInput {
    /// Hash of `bytes`.
    pub hash: BlobHash,
    /// Content.
    pub bytes: Vec<u8>,
}

/// Bounds on one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time on the GPU and waiting for it.
    pub run_ms_max: u64,
    /// Aim for the time of one submission; never above 100.
    pub slice_ms_target: u32,
    /// Memory of all buffers.
    pub buffer_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Ten minutes: tasks are cut so that one takes seconds, and a hundred times that is a hang.
            run_ms_max: 600_000,
            // A third of the hard bound of 100 ms, so that a slice that meets contention still keeps it.
            slice_ms_target: 30,
            buffer_bytes_max: lull_types::wgsl::limits::BUFFER_BYTES_TOTAL_MAX,
        }
    }
}

/// What a runtime is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeInfo {
    /// The runtime's [`crate::PROTOCOL_VERSION`].
    pub protocol: u16,
    /// Program name.
    pub name: String,
    /// Program version.
    pub version: String,
    /// Job kinds that it runs.
    pub kinds: Vec<String>,
    /// How the process is locked down; empty when it is not.
    pub sandbox: Vec<SandboxPart>,
}

/// Runtime → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RuntimeEvent {
    /// Answer to [`Request::Hello`].
    Hello(RuntimeInfo),
    /// Answer to [`Request::Enumerate`].
    Devices(Vec<DeviceInfo>),
    /// A measure is being taken.
    BenchmarkProgress {
        /// Which.
        measure: Measure,
        /// How much of the whole benchmark is done, 0 to 1.
        fraction: f32,
        /// Best value so far, in the measure's unit.
        value_so_far: Option<f64>,
    },
    /// A measure was taken.
    Measured(Measurement),
    /// The benchmark ended: whole, or `Err` with what was wrong (code `cancelled` after a cancel).
    BenchmarkEnded(Result<BenchmarkReport, Fault>),
    /// The run goes on. Sent at least every second while slices complete.
    RunProgress {
        /// How much is done, 0 to 1.
        fraction: f32,
    },
    /// The run ended.
    RunEnded(RunOutcome),
    /// A step of the challenge ended: done, or `Err` with what was wrong (code `cancelled` after a cancel).
    ChallengeAnswered(Result<ChallengeAnswer, Fault>),
    /// Of the model that is served.
    Serving(ServingEvent),
    /// The model is no longer served: it was cancelled, or `Err` with what was wrong. Asks that went on have been answered.
    ServingEnded(Result<(), Fault>),
    /// A request was refused and nothing was done.
    Refused(Fault),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RunOutcome {
    /// All dispatches ran.
    Done {
        /// One for each output that the payload names.
        outputs: Vec<Vec<u8>>,
        /// Time from the first submission to the last result.
        ran_ms: u64,
        /// Submissions made.
        slices: u32,
        /// The longest of them.
        slice_ms_max: u32,
    },
    /// A [`Request::Cancel`] was followed.
    Cancelled,
    /// The task is at fault: bad payload, over a limit, a shader that does not compile, a slice too long.
    /// The same task will fail on every device.
    TaskFault(Fault),
    /// The device or its driver is at fault. Another device may do better.
    DeviceFault(Fault),
}
