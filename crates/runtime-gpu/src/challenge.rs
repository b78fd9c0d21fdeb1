//! The network's timed challenge: a product whose matrices nobody knew before, committed to row by row, then opened
//! where the network wants to look; then memory, filled and read. [`lull_checks::product`] and
//! [`lull_checks::memory`] say what they prove.

use lull_checks::memory::{Memory, MemoryFault, MemoryTranscript, Sweeps};
use lull_checks::merkle::{Accumulator, leaf_hash, prove_hashed};
use lull_checks::product::{DIGEST_BYTES, LEAF_ROWS, Matrix, OpenedRow, Product, ProductFault};
use lull_runtime_api::{ChallengeAnswer, ChallengeStep};
use lull_types::{BlobHash, Coded};

use crate::adapters::{Adapters, FoundAdapter};
use crate::benchmark::{Bench, BenchmarkError};
use crate::gpu::GpuError;
use crate::memory::{Filled, MemoryKernels};
use crate::product::{Helpers, Matrices, Multiplier, Panels};
use crate::work::Work;

/// Why a step was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// The device is at fault.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The worker asked to stop.
    #[error("The challenge was stopped as asked.")]
    Cancelled,
    /// The step before it is missing.
    #[error("The network's challenge came out of order.")]
    OutOfOrder,
    /// The network asks for a product that no device can answer.
    #[error("The network's challenge cannot be answered by any device: {0}.")]
    Unusable(ProductFault),
    /// The network asks for memory that no device can answer.
    #[error("The network's challenge cannot be answered by any device: {0}.")]
    MemoryUnusable(MemoryFault),
}

impl Coded for ChallengeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Gpu(error) => error.code(),
            Self::Cancelled => "cancelled",
            Self::OutOfOrder => "challenge_out_of_order",
            Self::Unusable(_) | Self::MemoryUnusable(_) => "challenge_unusable",
        }
    }
}

impl From<BenchmarkError> for ChallengeError {
    fn from(error: BenchmarkError) -> Self {
        match error {
            BenchmarkError::Gpu(error) => Self::Gpu(error),
            BenchmarkError::Cancelled => Self::Cancelled,
        }
    }
}

impl From<MemoryFault> for ChallengeError {
    fn from(fault: MemoryFault) -> Self {
        Self::MemoryUnusable(fault)
    }
}

impl From<ProductFault> for ChallengeError {
    fn from(fault: ProductFault) -> Self {
        Self::Unusable(fault)
    }
}

/// How far a challenge has come.
#[derive(Default)]
pub struct Challenged<'a>(Option<Prepared<'a>>);

impl<'a> Challenged<'a> {
    /// Takes a step.
    pub fn step(
        &mut self,
        step: ChallengeStep,
        adapters: &Adapters,
        work: &'a Work,
    ) -> Result<ChallengeAnswer, ChallengeError> {
        match step {
            ChallengeStep::Prepare { device } => {
                // What it holds would be missing from the device.
                self.0 = None;
                let adapter = adapters.get(device)?;
                work.is_for(adapter.info.kind);
                self.0 = Some(Prepared::new(adapter, work)?);
                Ok(ChallengeAnswer::Prepared)
            }
            ChallengeStep::Commit(product) => {
                let prepared = self.0.as_mut().ok_or(ChallengeError::OutOfOrder)?;
                Ok(ChallengeAnswer::Committed(prepared.commit(product)?))
            }
            ChallengeStep::Open(rows) => {
                let prepared = self.0.as_ref().ok_or(ChallengeError::OutOfOrder)?;
                Ok(ChallengeAnswer::Opened(prepared.open(&rows)?))
            }
            ChallengeStep::Fill(memory) => {
                let prepared = self.0.as_mut().ok_or(ChallengeError::OutOfOrder)?;
                prepared.fill(memory)?;
                Ok(ChallengeAnswer::Filled)
            }
            ChallengeStep::Sweep(sweeps) => {
                let prepared = self.0.as_mut().ok_or(ChallengeError::OutOfOrder)?;
                Ok(ChallengeAnswer::Swept(prepared.sweep(&sweeps)?))
            }
            ChallengeStep::LookUp(seed) => {
                let prepared = self.0.as_mut().ok_or(ChallengeError::OutOfOrder)?;
                Ok(ChallengeAnswer::LookedUp(prepared.look_up(&seed)?))
            }
            ChallengeStep::Show => {
                let prepared = self.0.as_mut().ok_or(ChallengeError::OutOfOrder)?;
                Ok(ChallengeAnswer::Shown(prepared.show()?))
            }
        }
    }
}

/// A device that is opened, and kernels that are compiled and chosen.
struct Prepared<'a> {
    bench: Bench<'a>,
    helpers: Helpers,
    multiplier: Multiplier,
    computed: Option<Computed>,
    memory_kernels: MemoryKernels,
    held: Option<Held>,
}

/// Memory that is filled, and what was found in it.
struct Held {
    memory: Memory,
    filled: Filled,
    found: MemoryTranscript,
}

/// A product that was committed to.
struct Computed {
    product: Product,
    matrices: Matrices,
    leaves: Vec<Vec<u8>>,
    hashes: Vec<BlobHash>,
}

impl<'a> Prepared<'a> {
    fn new(adapter: &FoundAdapter, work: &'a Work) -> Result<Self, BenchmarkError> {
        let mut bench = Bench::open(adapter, work)?;
        let helpers = Helpers::new(&bench)?;
        let multiplier = Multiplier::tuned(&mut bench, &helpers, |_, _| ())?;
        let memory_kernels = MemoryKernels::new(&bench)?;
        Ok(Self { bench, helpers, multiplier, computed: None, memory_kernels, held: None })
    }

    /// Fills memory; all that was held before is given back first.
    fn fill(&mut self, memory: Memory) -> Result<(), ChallengeError> {
        memory.check_shape()?;
        (self.computed, self.held) = (None, None);
        // What was dropped is given back to the driver only when the device is next waited for.
        self.bench.gpu.finish(self.bench.work)?;
        match Filled::new(&self.bench, &self.memory_kernels, memory) {
            Ok(filled) => {
                self.held = Some(Held { memory, filled, found: MemoryTranscript::default() });
                Ok(())
            }
            Err(error) => {
                // What could be had of it is given back, so that less may be tried at once.
                self.bench.gpu.finish(self.bench.work)?;
                Err(error.into())
            }
        }
    }

    fn sweep(&mut self, sweeps: &Sweeps) -> Result<BlobHash, ChallengeError> {
        let held = self.held.as_mut().ok_or(ChallengeError::OutOfOrder)?;
        held.memory.check_sweeps(sweeps)?;
        held.found.sweeps = held.filled.sweep(&self.bench, &self.memory_kernels, sweeps)?;
        Ok(BlobHash::of(&held.found.sweeps))
    }

    fn look_up(&mut self, seed: &[u8; 32]) -> Result<BlobHash, ChallengeError> {
        let held = self.held.as_mut().ok_or(ChallengeError::OutOfOrder)?;
        held.found.look_ups = held.filled.look_up(&self.bench, &self.memory_kernels, seed)?;
        Ok(BlobHash::of(&held.found.look_ups))
    }

    fn show(&mut self) -> Result<MemoryTranscript, ChallengeError> {
        let held = self.held.take().ok_or(ChallengeError::OutOfOrder)?;
        Ok(held.found)
    }

    /// Computes the whole product, and gives the root over its rows.
    fn commit(&mut self, product: Product) -> Result<BlobHash, ChallengeError> {
        product.check_shape()?;
        (self.computed, self.held) = (None, None);
        let matrices = Matrices::new(&self.bench, &self.helpers, product)?;
        let mut leaves: Vec<Vec<u8>> = Vec::new();
        let mut hashes = Vec::new();
        let mut tree = Accumulator::default();
        Panels::new(&self.bench, &self.helpers, &self.multiplier, &matrices)?.digest_all(|digests| {
            for leaf in digests.chunks(LEAF_ROWS * DIGEST_BYTES) {
                tree.push(leaf);
                hashes.push(leaf_hash(leaf));
                leaves.push(leaf.to_vec());
            }
        })?;
        self.computed = Some(Computed { product, matrices, leaves, hashes });
        Ok(tree.root())
    }

    /// Shows rows of the product that was committed to; computes their panels again, as C is not kept.
    fn open(&self, rows: &[u64]) -> Result<Vec<OpenedRow>, ChallengeError> {
        let computed = self.computed.as_ref().ok_or(ChallengeError::OutOfOrder)?;
        let Computed { product, matrices, leaves, hashes } = computed;
        product.check_rows(rows)?;
        let side = product.side as usize;
        // By panel, so that none is computed twice.
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by_key(|at| rows[*at]);
        let mut opened = Vec::with_capacity(rows.len());
        let mut present: Option<(u32, Vec<i32>)> = None;
        for at in order {
            let row = rows[at];
            let panel = (row / side as u64) as u32;
            let c = match present.take() {
                Some((held, c)) if held == panel => c,
                _ => {
                    matrices.fill(&self.bench, &self.helpers, Matrix::A { panel })?;
                    matrices.multiply(&self.bench, &self.multiplier)?;
                    matrices.read_product(&self.bench)?
                }
            };
            let values = c[(row % side as u64) as usize * side..][..side].to_vec();
            present = Some((panel, c));
            let leaf = (row / LEAF_ROWS as u64) as usize;
            let proof = prove_hashed(hashes, leaf).unwrap_or_default();
            opened.push((at, OpenedRow { values, leaf: leaves[leaf].clone(), proof }));
        }
        opened.sort_by_key(|(at, _)| *at);
        Ok(opened.into_iter().map(|(_, row)| row).collect())
    }
}
