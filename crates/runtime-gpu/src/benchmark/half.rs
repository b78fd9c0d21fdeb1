//! Products of matrices in 16-bit floats: by ordinary arithmetic, and by the units that a device has for them.

use std::time::Duration;

use lull_types::{DeviceKind, Fault};
use wgpu::CooperativeScalarType as Scalar;

use super::bench::Bench;
use super::gemm::PRODUCT_MAX;
use super::{BenchmarkError, Taken};
use crate::product::{Element, VARIANTS};

/// Sides of the matrices, all multiples of every tile. With longer sums 16 bits would round.
const SIDES: [u32; 4] = [256, 512, 1024, 2048];
/// Invocations of a workgroup that fills, as in the kernel.
const FILL_LANES: u32 = 256;
/// What A and B differ by.
const SALTS: [u32; 2] = [0x1234_5678, 0x9abc_def0];
/// Runs of each kernel when the fastest is looked for.
const TRIES: u32 = 3;

/// A kernel that multiplies.
struct Kernel {
    name: String,
    /// Rows and columns of C that a workgroup computes.
    tile: u32,
    pipeline: wgpu::ComputePipeline,
    /// What C is made of.
    result: Element,
}

/// A, B and C.
struct Matrices {
    side: u32,
    parameters: wgpu::Buffer,
    a: wgpu::Buffer,
    b: wgpu::Buffer,
    c: wgpu::Buffer,
    result: Element,
}

/// Measures ordinary arithmetic.
pub fn measure_plain(bench: &mut Bench<'_>) -> Result<Taken, BenchmarkError> {
    if !bench.has(wgpu::Features::SHADER_F16) {
        let sentence = "This device, or its driver, has no arithmetic in 16-bit floats.";
        return Ok(Taken::Skipped(Fault::new("feature_missing", sentence)));
    }
    let mut kernels = Vec::new();
    for variant in VARIANTS {
        kernels.push(Kernel {
            name: format!("8×8 in registers, {}", variant.name()),
            tile: variant.tile(),
            pipeline: bench.kernel(&variant.source(Element::F16), "multiply")?,
            result: Element::F16,
        });
    }
    measure(bench, kernels)
}

/// Measures matrix units.
pub fn measure_units(bench: &mut Bench<'_>) -> Result<Taken, BenchmarkError> {
    let needs = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    let tile = bench.matrix_units.iter().find(|units| {
        (units.m_size, units.n_size, units.k_size) == (16, 16, 16)
            && units.ab_type == Scalar::F16
            && units.cr_type == Scalar::F32
    });
    let (true, Some(tile)) = (bench.has(needs), tile.map(|units| units.m_size)) else {
        let sentence =
            "This device has no units for matrices of 16-bit floats, or its driver does not offer them.";
        return Ok(Taken::Skipped(Fault::new("feature_missing", sentence)));
    };
    let kernel = Kernel {
        name: format!("matrix units of {tile}×{tile}×{tile}, summed in 32 bits"),
        tile: 4 * tile,
        pipeline: bench.kernel(&units_source(tile, bench.subgroup_size), "multiply")?,
        result: Element::F32,
    };
    measure(bench, vec![kernel])
}

fn units_source(tile: u32, subgroup: u32) -> String {
    let of = |role: &str, scalar: &str| format!("coop_mat{tile}x{tile}<{scalar}, {role}>");
    let places = || (0..4u32).flat_map(|row| (0..4u32).map(move |column| (row, column)));
    let start = places().map(|(row, column)| format!("var c{row}{column} = {}();", of("C", "f32")));
    let load = (0..4u32).flat_map(|part| {
        let a =
            format!("let a{part} = coopLoad<{}>(&a[k * side + row + {part}u * TILE], side);", of("A", "f16"));
        let b = format!(
            "let b{part} = coopLoadT<{}>(&b[k * side + column + {part}u * TILE], side);",
            of("B", "f16")
        );
        [a, b]
    });
    let steps = places()
        .map(|(row, column)| format!("c{row}{column} = coopMultiplyAdd(a{row}, b{column}, c{row}{column});"));
    let store = places().map(|(row, column)| {
        format!(
            "coopStoreT(c{row}{column}, &c[(row + {row}u * TILE) * side + column + {column}u * TILE], side);"
        )
    });
    include_str!("kernels/units.wgsl")
        .replace("{{ENABLE}}", "enable f16;")
        .replace("{{INPUT}}", "f16")
        .replace("{{TILE}}", &tile.to_string())
        .replace("{{SUBGROUP}}", &subgroup.to_string())
        .replace("{{START}}", &start.collect::<Vec<_>>().join("\n    "))
        .replace("{{LOAD}}", &load.collect::<Vec<_>>().join("\n        "))
        .replace("{{STEPS}}", &steps.collect::<Vec<_>>().join("\n        "))
        .replace("{{STORE}}", &store.collect::<Vec<_>>().join("\n    "))
}

fn measure(bench: &mut Bench<'_>, kernels: Vec<Kernel>) -> Result<Taken, BenchmarkError> {
    let fill = bench.kernel(include_str!("kernels/half.wgsl"), "fill")?;
    let smallest = if bench.kind == DeviceKind::Software { SIDES[0] } else { SIDES[1] };
    let count = kernels.len();
    let mut best: Option<(Duration, Kernel)> = None;
    for kernel in kernels {
        let matrices = Matrices::new(bench, &fill, smallest, kernel.result)?;
        // The first dispatch is discarded: drivers finish compiling in it.
        matrices.multiply(bench, &kernel)?;
        let mut fastest = Duration::MAX;
        for _ in 0..TRIES {
            fastest = fastest.min(matrices.multiply(bench, &kernel)?);
            bench.note(matrices.rate(fastest));
        }
        if best.as_ref().is_none_or(|(time, _)| fastest < *time) {
            best = Some((fastest, kernel));
        }
    }
    let Some((_, kernel)) = best else {
        return Ok(Taken::Measured(bench.measurement(Vec::new(), "no kernel ran".to_owned(), false)));
    };
    // Grows while the next size, with eight times the work, is expected to stay short.
    let mut matrices = Matrices::new(bench, &fill, smallest, kernel.result)?;
    loop {
        matrices.multiply(bench, &kernel)?;
        let took = matrices.multiply(bench, &kernel)?;
        bench.note(matrices.rate(took));
        match SIDES.into_iter().find(|side| *side > matrices.side) {
            Some(next) if took * 8 <= PRODUCT_MAX => {
                matrices = Matrices::new(bench, &fill, next, kernel.result)?;
            }
            _ => break,
        }
    }
    matrices.multiply(bench, &kernel)?;
    let is_correct = matrices.hold_product(bench)?;
    let samples = bench.sample(|bench| Ok(matrices.rate(matrices.multiply(bench, &kernel)?)))?;
    let method = format!(
        "C = AᵀB of 16-bit floats, {side}×{side}, {}; the best of {count} kernel(s); {}",
        kernel.name,
        bench.clock(),
        side = matrices.side
    );
    Ok(Taken::Measured(bench.measurement(samples, method, is_correct)))
}

impl Matrices {
    fn new(
        bench: &Bench<'_>,
        fill: &wgpu::ComputePipeline,
        side: u32,
        result: Element,
    ) -> Result<Self, BenchmarkError> {
        let cells = u64::from(side) * u64::from(side);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let matrices = Self {
            side,
            parameters: bench.gpu.buffer(16, uniform)?,
            a: bench.gpu.buffer(cells * 2, usage)?,
            b: bench.gpu.buffer(cells * 2, usage)?,
            c: bench.gpu.buffer(cells * result.bytes(), usage)?,
            result,
        };
        for (buffer, salt) in [&matrices.a, &matrices.b].into_iter().zip(SALTS) {
            let group = bench.bind(fill, 0, &[&matrices.parameters, buffer])?;
            let workgroups = (cells as u32 / 4).div_ceil(FILL_LANES);
            bench.time(fill, &group, (&matrices.parameters, [salt, 0, 0, 0]), (workgroups, 1))?;
        }
        Ok(matrices)
    }

    fn multiply(&self, bench: &Bench<'_>, kernel: &Kernel) -> Result<Duration, BenchmarkError> {
        let group = bench.bind(&kernel.pipeline, 0, &[&self.parameters, &self.a, &self.b, &self.c])?;
        let tiles = self.side / kernel.tile;
        bench.time(&kernel.pipeline, &group, (&self.parameters, [self.side, 0, 0, 0]), (tiles, tiles))
    }

    /// GFLOP/s of a multiplication that took so long.
    fn rate(&self, took: Duration) -> f64 {
        2.0 * f64::from(self.side).powi(3) / took.as_secs_f64() / 1e9
    }

    fn hold_product(&self, bench: &Bench<'_>) -> Result<bool, BenchmarkError> {
        let read = bench.gpu.read(bench.work, &[&self.a, &self.b, &self.c])?;
        let halves = |bytes: &[u8]| -> Option<Vec<i64>> {
            let (words, _) = bytes.as_chunks::<2>();
            words.iter().map(|word| whole(half(u16::from_le_bytes(*word)))).collect()
        };
        let singles = |bytes: &[u8]| -> Option<Vec<i64>> {
            let (words, _) = bytes.as_chunks::<4>();
            words.iter().map(|word| whole(f32::from_le_bytes(*word))).collect()
        };
        let c = match self.result {
            Element::F16 => halves(&read[2]),
            Element::F32 => singles(&read[2]),
        };
        let (Some(a), Some(b), Some(c)) = (halves(&read[0]), halves(&read[1]), c) else { return Ok(false) };
        Ok(is_product(&a, &b, &c, self.side as usize))
    }
}

/// Freivalds' check of `C = AᵀB` with one vector of 20 bits each: a wrong C passes once in a million times. A and B
/// that are all alike would prove nothing.
fn is_product(a: &[i64], b: &[i64], c: &[i64], side: usize) -> bool {
    let varies = |matrix: &[i64]| matrix.iter().any(|x| *x != matrix[0]);
    let r: Vec<i64> = (1..=side as u32).map(|i| i64::from(i.wrapping_mul(2_654_435_761) >> 12)).collect();
    let dot = |row: &[i64], r: &[i64]| -> i64 { row.iter().zip(r).map(|(x, r)| x * r).sum() };
    let b_r: Vec<i64> = b.chunks(side).map(|row| dot(row, &r)).collect();
    let mut a_b_r = vec![0i64; side];
    for (row, b_r) in a.chunks(side).zip(&b_r) {
        for (sum, a) in a_b_r.iter_mut().zip(row) {
            *sum += a * b_r;
        }
    }
    varies(a) && varies(b) && c.chunks(side).zip(&a_b_r).all(|(row, expected)| dot(row, &r) == *expected)
}

/// The value as a whole number, if it is one.
fn whole(value: f32) -> Option<i64> {
    (value.fract() == 0.0).then_some(value as i64)
}

/// The value of a 16-bit float (IEEE 754 binary16).
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    match exponent {
        0 => sign * fraction * 2f32.powi(-24),
        31 => f32::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_is_valid_wgsl() {
        let plain = VARIANTS.map(|variant| variant.source(Element::F16));
        let others = [units_source(16, 32), include_str!("kernels/half.wgsl").to_owned()];
        for source in plain.into_iter().chain(others) {
            let module = naga::front::wgsl::parse_str(&source);
            let module = module.unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
            let flags = naga::valid::ValidationFlags::all();
            let capabilities = naga::valid::Capabilities::all();
            let valid = naga::valid::Validator::new(flags, capabilities).validate(&module);
            assert!(valid.is_ok(), "{}\n{source}", valid.unwrap_err().emit_to_string(&source));
        }
    }

    #[test]
    fn halves_are_read() {
        assert_eq!([0x3c00, 0xbc00, 0x0000, 0x6800, 0x3800].map(half), [1.0, -1.0, 0.0, 2048.0, 0.5]);
        assert!(half(0x7c00).is_nan());
        assert_eq!([1.5, 2.0].map(whole), [None, Some(2)]);
    }

    #[test]
    fn one_wrong_entry_is_noticed() {
        let side = 8;
        let entry = |i: usize, salt: usize| (i * 7 + salt) as i64 % 3 - 1;
        let a: Vec<i64> = (0..side * side).map(|i| entry(i, 1)).collect();
        let b: Vec<i64> = (0..side * side).map(|i| entry(i * i, 2)).collect();
        let cell =
            |row: usize, column: usize| (0..side).map(|k| a[k * side + row] * b[k * side + column]).sum();
        let mut c: Vec<i64> = (0..side * side).map(|i| cell(i / side, i % side)).collect();
        assert!(is_product(&a, &b, &c, side));
        c[13] += 1;
        assert!(!is_product(&a, &b, &c, side));
    }
}
