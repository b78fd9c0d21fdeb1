//! Product of two square matrices in 32-bit floats.

use std::time::Duration;

use lull_checks::product::{Product, Verifier};
use lull_types::{DeviceKind, Measurement};

use super::{Bench, BenchmarkError};
use crate::product::{Helpers, Matrices, Multiplier, VARIANTS};

/// Rows of the matrices, all multiples of every tile. The last is the largest whose 64 MiB every device can bind.
const SIDES: [u32; 5] = [256, 512, 1024, 2048, 4096];
/// The largest time that a product may be expected to take: half of what a submission may, as an estimate errs.
pub const PRODUCT_MAX: Duration = Duration::from_millis(50);
/// Matrices that differ from run to run would make runs differ.
const SEED: [u8; 32] = [1; 32];

/// A product of a size that suits the device, by the kernel that suits it.
pub struct Gemm {
    product: Product,
    multiplier: Multiplier,
    matrices: Matrices,
}

impl Gemm {
    /// Finds kernel and size.
    pub fn new(bench: &mut Bench<'_>) -> Result<Self, BenchmarkError> {
        let helpers = Helpers::new(bench)?;
        let multiplier = Multiplier::tuned(bench, &helpers, Bench::note)?;
        let of = |side| Product { seed: SEED, side, panels: 1 };
        // Grows while the next size, with eight times the work, is expected to stay short.
        let mut product = of(if bench.kind == DeviceKind::Software { SIDES[0] } else { SIDES[1] });
        let mut matrices = Matrices::new(bench, &helpers, product)?;
        loop {
            matrices.multiply(bench, &multiplier)?;
            let took = matrices.multiply(bench, &multiplier)?;
            bench.note(matrices.rate(took));
            match SIDES.into_iter().find(|side| *side > product.side) {
                Some(next) if took * 8 <= PRODUCT_MAX => {
                    product = of(next);
                    matrices = Matrices::new(bench, &helpers, product)?;
                }
                _ => break,
            }
        }
        Ok(Self { product, multiplier, matrices })
    }

    /// Multiplies once.
    pub fn multiply(&self, bench: &Bench<'_>) -> Result<Duration, BenchmarkError> {
        self.matrices.multiply(bench, &self.multiplier)
    }

    /// GFLOP/s of a multiplication that took so long.
    pub fn rate(&self, took: Duration) -> f64 {
        self.matrices.rate(took)
    }

    /// Whether the last product is the true one.
    pub fn is_correct(&self, bench: &Bench<'_>) -> Result<bool, BenchmarkError> {
        let c = self.matrices.read_product(bench)?;
        let verifier = Verifier::new(self.product, &SEED);
        Ok((0u64..).zip(c.chunks(self.product.side as usize)).all(|(row, c)| verifier.is_row(row, c)))
    }

    /// Kernel and size, in words.
    pub fn method(&self) -> String {
        let (side, kernel) = (self.product.side, self.multiplier.variant.name());
        format!("C = AᵀB, {side}×{side}, 8×8 in registers, {kernel}, the best of {} kernels", VARIANTS.len())
    }
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let gemm = Gemm::new(bench)?;
    gemm.multiply(bench)?;
    let is_correct = gemm.is_correct(bench)?;
    bench.tell_if_due();
    let samples = bench.sample(|bench| Ok(gemm.rate(gemm.multiply(bench)?)))?;
    let method = format!("{}; {}", gemm.method(), bench.clock());
    Ok(bench.measurement(samples, method, is_correct))
}
