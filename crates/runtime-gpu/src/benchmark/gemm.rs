//! Product of two square matrices.

use std::time::Duration;

use lull_types::{DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;

/// A kernel and its tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Variant {
    /// Through workgroup memory, with this tile.
    Shared(u32),
    /// Straight from the buffers.
    Direct,
}

const VARIANTS: [Variant; 3] = [Variant::Shared(128), Variant::Shared(64), Variant::Direct];

/// Rows of the matrices, all multiples of every tile. The last is the largest whose 64 MiB every device can bind.
const SIZES: [u32; 5] = [256, 512, 1024, 2048, 4096];
/// The largest time that a product may be expected to take: half of what a submission may, as an estimate errs.
const PRODUCT_MAX: Duration = Duration::from_millis(50);
/// Entries are whole numbers from -8 to 7: a sum of 4096 products stays below 2^24, so that f32 is exact and the
/// check can be for equality.
const ENTRY_BITS: u32 = 4;

impl Variant {
    fn tile(self) -> u32 {
        match self {
            Self::Shared(tile) => tile,
            Self::Direct => 64,
        }
    }

    fn name(self) -> String {
        match self {
            Self::Shared(tile) => format!("{tile}×{tile}×16 tiles in workgroup memory"),
            Self::Direct => "no workgroup memory".to_owned(),
        }
    }

    fn source(self) -> String {
        let (template, tile) = match self {
            Self::Shared(tile) => (include_str!("kernels/gemm_shared.wgsl"), tile),
            Self::Direct => (include_str!("kernels/gemm_direct.wgsl"), 64),
        };
        let cells = || (0..8u32).flat_map(|row| [0u32, 1].map(|half| (row, half)));
        let start = cells().map(|(row, half)| format!("var c{row}{half} = vec4<f32>();"));
        let steps = cells().map(|(row, half)| {
            let a = format!("a{}.{}", row / 4, ["x", "y", "z", "w"][row as usize % 4]);
            format!("c{row}{half} = fma(vec4({a}), b{half}, c{row}{half});")
        });
        let store = cells().map(|(row, half)| {
            format!("c[(row_{} + {}u) * row_vectors + column_{half}] = c{row}{half};", row / 4, row % 4)
        });
        template
            .replace("{{TILE}}", &tile.to_string())
            .replace("{{THREADS}}", &(tile * tile / 64).to_string())
            .replace("{{START}}", &start.collect::<Vec<_>>().join("\n    "))
            .replace("{{STEPS}}", &steps.collect::<Vec<_>>().join("\n            "))
            .replace("{{STORE}}", &store.collect::<Vec<_>>().join("\n    "))
    }
}

/// A small whole number for each place of a matrix (the finaliser of SplitMix64).
fn entry(seed: u64, place: u64) -> i64 {
    let mut z = (seed << 32 | place).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> (64 - ENTRY_BITS)) as i64 - (1 << (ENTRY_BITS - 1))
}

const SEED_A: u64 = 1;
const SEED_B: u64 = 2;
const SEED_VECTOR: u64 = 3;

fn matrix(seed: u64, n: u32) -> Vec<u8> {
    (0..u64::from(n) * u64::from(n)).flat_map(|place| (entry(seed, place) as f32).to_le_bytes()).collect()
}

/// Matrices of one size on the device.
struct Matrices {
    n: u32,
    parameters: wgpu::Buffer,
    a: wgpu::Buffer,
    b: wgpu::Buffer,
    c: wgpu::Buffer,
}

impl Matrices {
    fn new(bench: &Bench<'_>, n: u32) -> Result<Self, BenchmarkError> {
        let bytes = u64::from(n) * u64::from(n) * 4;
        let filled = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let gpu = &bench.gpu;
        let matrices = Self {
            n,
            parameters: gpu.buffer(16, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST)?,
            a: gpu.buffer(bytes, filled)?,
            b: gpu.buffer(bytes, filled)?,
            c: gpu.buffer(bytes, wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC)?,
        };
        gpu.queue.write_buffer(&matrices.a, 0, &matrix(SEED_A, n));
        gpu.queue.write_buffer(&matrices.b, 0, &matrix(SEED_B, n));
        Ok(matrices)
    }

    fn multiply(
        &self,
        bench: &Bench<'_>,
        variant: Variant,
        kernel: &wgpu::ComputePipeline,
    ) -> Result<Duration, BenchmarkError> {
        let group = bench.bind(kernel, 0, &[&self.parameters, &self.a, &self.b, &self.c])?;
        let tiles = self.n / variant.tile();
        bench.time(kernel, &group, (&self.parameters, [self.n, 0, 0, 0]), (tiles, tiles))
    }

    fn rate(&self, took: Duration) -> f64 {
        2.0 * f64::from(self.n).powi(3) / took.as_secs_f64() / 1e9
    }

    /// Freivalds' check: C·x against Aᵀ·(B·x), in whole numbers. A wrong C passes only if its error is at right angles
    /// to x, which no fault of a GPU arranges.
    fn is_correct(&self, bench: &Bench<'_>) -> Result<bool, BenchmarkError> {
        let read = bench.gpu.read(bench.work, &[&self.c])?;
        let (words, _) = read[0].as_chunks::<4>();
        Ok(is_product(self.n as usize, |place| f32::from_le_bytes(words[place])))
    }
}

fn is_product(n: usize, c: impl Fn(usize) -> f32) -> bool {
    let x: Vec<i64> = (0..n).map(|i| (entry(SEED_VECTOR, i as u64) << 16) + i as i64 * 77 + 1).collect();
    let b_x: Vec<i64> =
        (0..n).map(|k| (0..n).map(|j| entry(SEED_B, (k * n + j) as u64) * x[j]).sum()).collect();
    let mut expected = vec![0i64; n];
    for (k, b_x) in b_x.iter().enumerate() {
        for (i, expected) in expected.iter_mut().enumerate() {
            *expected += entry(SEED_A, (k * n + i) as u64) * b_x;
        }
    }
    expected.iter().enumerate().all(|(i, expected)| {
        // A value that is not whole would be cut to one and might pass.
        let mut sum = 0i64;
        for (j, x) in x.iter().enumerate() {
            let value = c(i * n + j);
            if value.fract() != 0.0 || !value.is_finite() {
                return false;
            }
            sum += value as i64 * x;
        }
        sum == *expected
    })
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    // Tuned where a product is short on any device of its sort.
    let tune = Matrices::new(bench, if bench.kind == DeviceKind::Software { 256 } else { 512 })?;
    let mut best: Option<(Duration, Variant, wgpu::ComputePipeline)> = None;
    for variant in VARIANTS {
        let kernel = bench.kernel(&variant.source(), "multiply")?;
        // The first dispatch is discarded: drivers finish compiling in it.
        tune.multiply(bench, variant, &kernel)?;
        let mut fastest = Duration::MAX;
        for _ in 0..3 {
            fastest = fastest.min(tune.multiply(bench, variant, &kernel)?);
            bench.note(tune.rate(fastest));
        }
        if best.as_ref().is_none_or(|(time, ..)| fastest < *time) {
            best = Some((fastest, variant, kernel));
        }
    }
    let Some((_, variant, kernel)) = best else {
        return Ok(bench.measurement(Vec::new(), "no kernel ran".to_owned(), false));
    };

    // Grows while the next size, with eight times the work, is expected to stay short.
    let mut matrices = tune;
    loop {
        matrices.multiply(bench, variant, &kernel)?;
        let took = matrices.multiply(bench, variant, &kernel)?;
        bench.note(matrices.rate(took));
        let next = SIZES.into_iter().find(|size| *size > matrices.n);
        match next {
            Some(next) if took * 8 <= PRODUCT_MAX => matrices = Matrices::new(bench, next)?,
            _ => break,
        }
    }
    let correct = matrices.is_correct(bench)?;
    bench.tell_if_due();
    let samples = bench.sample(|bench| {
        let took = matrices.multiply(bench, variant, &kernel)?;
        Ok(matrices.rate(took))
    })?;
    let method = format!(
        "C = AᵀB, {n}×{n}, 8×8 in registers, {}; the best of {} kernels; {}",
        variant.name(),
        VARIANTS.len(),
        bench.clock(),
        n = matrices.n,
    );
    Ok(bench.measurement(samples, method, correct))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_is_valid_wgsl() {
        for variant in VARIANTS {
            let source = variant.source();
            let parsed = naga::front::wgsl::parse_str(&source);
            assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(&source));
        }
    }

    #[test]
    fn one_wrong_entry_is_noticed() {
        let n = 16;
        let product = |place: usize| -> f32 {
            let (i, j) = (place / n, place % n);
            let at = |seed, k: usize, i: usize| entry(seed, (k * n + i) as u64);
            (0..n).map(|k| at(SEED_A, k, i) * at(SEED_B, k, j)).sum::<i64>() as f32
        };
        assert!(is_product(n, product));
        assert!(!is_product(n, |place| product(place) + if place == 77 { 1.0 } else { 0.0 }));
        assert!(!is_product(n, |place| product(place) + if place == 77 { 0.25 } else { 0.0 }));
        assert!(!is_product(n, |_| f32::NAN));
    }
}
