//! Product of two square matrices.

use std::time::Duration;

use lull_checks::product::{Product, Verifier};
use lull_types::{DeviceKind, Measurement};

use super::{Bench, BenchmarkError};
use crate::product::{Helpers, Matrices, Multiplier, VARIANTS};

/// Rows of the matrices, all multiples of every tile. The last is the largest whose 64 MiB every device can bind.
const SIDES: [u32; 5] = [256, 512, 1024, 2048, 4096];
/// The largest time that a product may be expected to take: half of what a submission may, as an estimate errs.
const PRODUCT_MAX: Duration = Duration::from_millis(50);
/// Matrices that differ from run to run would make runs differ.
const SEED: [u8; 32] = [1; 32];

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
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
    let c = matrices.read_product(bench)?;
    let verifier = Verifier::new(product, &SEED);
    let is_correct = (0u64..).zip(c.chunks(product.side as usize)).all(|(row, c)| verifier.is_row(row, c));
    bench.tell_if_due();
    let samples = bench.sample(|bench| Ok(matrices.rate(matrices.multiply(bench, &multiplier)?)))?;
    let method = format!(
        "C = AᵀB, {side}×{side}, 8×8 in registers, {}; the best of {} kernels; {}",
        multiplier.variant.name(),
        VARIANTS.len(),
        bench.clock(),
        side = product.side,
    );
    Ok(bench.measurement(samples, method, is_correct))
}
