//! What is claimed of a device, what was found of it, and from what that follows.

use lull_checks::memory::{Memory, MemoryAnswer};
use lull_checks::product::Product;
use lull_types::{BenchmarkReport, BlobHash, Fault, Measure, WorkerId};
use serde::{Deserialize, Serialize};

use crate::engine::SessionId;

/// How much more a device may claim than it did when it was timed, and how much less may be found before that is told:
/// two benchmarks of one device differ by less.
pub const CLAIM_GROWTH_MAX: f64 = 1.25;

/// What a worker says of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Device index.
    pub device: u32,
    /// GFLOP/s of matrix products.
    pub gigaflops: f64,
    /// Memory that can be allocated; 0 where none was measured.
    pub memory_bytes: u64,
    /// What is read of it a second, in 10⁹ bytes.
    pub memory_gigabytes_per_second: f64,
    /// The largest buffer that a kernel can be given.
    pub buffer_bytes_max: u64,
}

impl Claim {
    /// What a benchmark claims.
    pub fn of(device: u32, benchmark: &BenchmarkReport) -> Self {
        // What a device got wrong, it does not claim.
        let right = |measure| benchmark.measurement(measure).filter(|measurement| measurement.correct);
        let value = |measure| right(measure).map_or(0.0, |measurement| measurement.value);
        Self {
            device,
            gigaflops: value(Measure::GemmFp32),
            memory_bytes: (value(Measure::MemoryAllocatable) * 1e9) as u64,
            memory_gigabytes_per_second: value(Measure::MemoryRead),
            buffer_bytes_max: benchmark.device.storage_buffer_bytes_max,
        }
    }

    /// Whether it is not much more than this.
    pub fn is_within(&self, gigaflops: f64, memory_bytes: u64) -> bool {
        self.gigaflops <= gigaflops * CLAIM_GROWTH_MAX
            && self.memory_bytes as f64 <= memory_bytes as f64 * CLAIM_GROWTH_MAX
    }
}

/// Devices of one account that are timed at the same moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Whose they are: a wallet's address, or for a worker without one its own id.
    pub account: String,
    /// The workers, and what they claim.
    pub asked: Vec<Asked>,
    /// Workers that are not ready have been waited for long enough.
    pub goes_without: bool,
}

/// A worker whose devices are timed.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Whose.
    pub worker: WorkerId,
    /// On which session.
    pub session: SessionId,
    /// Which, and what is said of them.
    pub claims: Vec<Claim>,
}

/// What was found of a worker's devices.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundOf {
    /// Whose.
    pub worker: WorkerId,
    /// The session on which they were timed.
    pub session: SessionId,
    /// For each device.
    pub findings: Vec<Finding>,
}

/// What the network found of a device.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was claimed.
    pub claim: Claim,
    /// What is the case.
    pub outcome: TimingOutcome,
}

/// How timing a device ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TimingOutcome {
    /// It computed what it was asked.
    Timed {
        /// GFLOP/s of matrix products.
        gigaflops: f64,
        /// From which this follows.
        evidence: Evidence,
        /// What became of its memory.
        memory: MemoryFinding,
    },
    /// It could not be timed, and nothing is held against it.
    NotNow(Fault),
    /// It did not compute what it was asked, or not in any time that its claim allows.
    Refuted(Fault),
}

/// What a device's memory was found to be.
#[derive(Clone, Debug, PartialEq)]
pub enum MemoryFinding {
    /// None was claimed.
    NotClaimed,
    /// It is there, as far as was asked for.
    Found {
        /// Less than was to be asked for could be had, and why.
        lowered: Option<Fault>,
        /// From which this follows.
        evidence: Box<MemoryEvidence>,
    },
    /// It could not be had, or is not as fast as it was claimed.
    NotFound(Fault),
}

/// What a timing can be recomputed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was to be computed.
    pub product: Product,
    /// What was committed to.
    pub root: BlobHash,
    /// The rows that were looked at.
    pub rows: Vec<u64>,
    /// From which the vector was drawn.
    pub vector_seed: [u8; 32],
    /// From sending the product to the root's arrival.
    pub elapsed_us: u64,
    /// The round trip that was taken off.
    pub round_trip_us: u64,
}

/// What a proof of memory can be recomputed from, but for the transcript itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemoryEvidence {
    /// What it was filled with.
    pub memory: Memory,
    /// How it was read, and what was committed to.
    pub answer: MemoryAnswer,
    /// The lanes that were computed anew.
    pub lanes: Vec<u32>,
    /// From sending the seed until it was filled.
    pub fill_us: u64,
    /// From sending the first key to the hash's arrival.
    pub sweep_us: u64,
    /// From sending the first place to the hash's arrival.
    pub look_up_us: u64,
}

impl Finding {
    /// What its contributor is told of claims that do not count.
    pub fn lowered(&self) -> Vec<Fault> {
        let Claim { gigaflops: claimed, .. } = self.claim;
        let TimingOutcome::Timed { gigaflops, memory, .. } = &self.outcome else { return Vec::new() };
        let mut faults = Vec::new();
        if gigaflops * CLAIM_GROWTH_MAX < claimed {
            let sentence = format!(
                "its benchmark says {claimed:.1} billion operations a second of matrix products, and the network timed {gigaflops:.1}, which counts; if something else was using it, run the benchmark again later"
            );
            faults.push(Fault::new("claim_lowered", sentence));
        }
        match memory {
            MemoryFinding::NotClaimed => {}
            MemoryFinding::Found { lowered, .. } => faults.extend(lowered.clone()),
            MemoryFinding::NotFound(fault) => faults.push(fault.clone()),
        }
        faults
    }
}
