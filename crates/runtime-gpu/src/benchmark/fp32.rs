//! Peak of chained fused multiply-adds.

use std::time::Duration;

use lull_types::{DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;

/// Steps of every chain in one turn of the loop. With fewer, the loop itself is measured: by a factor of three on
/// some compilers.
const STEPS: u32 = 16;
/// Invocations of a workgroup, as in the kernel.
const LANES: u32 = 256;
/// Starting values: positive and below the golden ratio's inverse, where rounding cannot decide into which of its two
/// phases a chain falls.
const START_FIRST: f32 = 0.05;
const START_STEP: f32 = 0.025;
/// How far the GPU may be from the CPU: chains forget rounding, so only a wrong result is farther.
const TOLERANCE: f32 = 1e-3;
/// Turns of the loop in one dispatch: keeps a broken clock from asking for minutes, and below the 65,535 turns after
/// which Mesa's llvmpipe ends an invocation's loops by itself.
const TURNS_MAX: u32 = 1 << 15;
/// Share of the measure's time for finding the best shape.
const SWEEP_SHARE: f64 = 0.5;

/// A shape of the kernel: how many floats a chain has, and how many independent chains there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    width: u32,
    chains: u32,
}

/// The likeliest first, as a short budget may not reach all.
const SHAPES: [Shape; 9] = [
    Shape { width: 4, chains: 1 },
    Shape { width: 4, chains: 2 },
    Shape { width: 1, chains: 4 },
    Shape { width: 2, chains: 2 },
    Shape { width: 2, chains: 4 },
    Shape { width: 4, chains: 4 },
    Shape { width: 1, chains: 2 },
    Shape { width: 2, chains: 1 },
    Shape { width: 1, chains: 1 },
];

impl Shape {
    fn start(self, chain: u32, component: u32) -> f32 {
        START_FIRST + START_STEP * (chain * self.width + component) as f32
    }

    fn source(self) -> String {
        let vector = if self.width == 1 { "f32".to_owned() } else { format!("vec{}<f32>", self.width) };
        let lines = |line: &dyn Fn(u32) -> String| (0..self.chains).map(line).collect::<Vec<_>>();
        let start = lines(&|chain| {
            let values: Vec<_> =
                (0..self.width).map(|component| format!("{:?}f", self.start(chain, component))).collect();
            format!("var x{chain} = {vector}({});", values.join(", "))
        });
        let step = lines(&|chain| format!("x{chain} = fma(x{chain}, x{chain}, c);")).join(" ");
        let total = match self.width {
            1 => "sum",
            2 => "sum.x + sum.y",
            _ => "(sum.x + sum.y) + (sum.z + sum.w)",
        };
        include_str!("kernels/fp32.wgsl")
            .replace("{{VECTOR}}", &vector)
            .replace("{{START}}", &start.join("\n    "))
            .replace("{{STEPS}}", &vec![step; STEPS as usize].join("\n        "))
            .replace("{{SUM}}", &lines(&|chain| format!("x{chain}")).join(" + "))
            .replace("{{TOTAL}}", total)
    }

    /// What the kernel computes for one lane.
    fn expected(self, lane: u32, turns: u32) -> f32 {
        let c = -1.2f32 + 0.4 * (lane & 63) as f32 / 64.0;
        let places = (0..self.chains).flat_map(|chain| (0..self.width).map(move |part| (chain, part)));
        places
            .map(|(chain, part)| (0..turns * STEPS).fold(self.start(chain, part), |x, _| x.mul_add(x, c)))
            .sum()
    }

    /// Operations of one turn of the loop in all lanes: a fused multiply-add counts as two.
    fn operations(self, lanes: u32) -> f64 {
        2.0 * f64::from(STEPS) * f64::from(self.width * self.chains) * f64::from(lanes)
    }
}

struct Kernel {
    shape: Shape,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    turns: u32,
    is_correct: bool,
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    // Enough invocations to fill the largest GPU many times over; software needs only its threads filled.
    let workgroups = if bench.kind == DeviceKind::Software { 64 } else { 4096 };
    let lanes = workgroups * LANES;
    let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let parameters = bench.gpu.buffer(16, uniform)?;
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let results = bench.gpu.buffer(u64::from(lanes) * 4, storage)?;

    let time = |bench: &Bench<'_>, kernel: &Kernel, turns: u32| -> Result<Duration, BenchmarkError> {
        bench.time(&kernel.pipeline, &kernel.group, (&parameters, [turns, 0, 0, 0]), (workgroups, 1))
    };
    let rate = |kernel: &Kernel, took: Duration| {
        kernel.shape.operations(lanes) * f64::from(kernel.turns) / took.as_secs_f64() / 1e9
    };

    let mut best: Option<(f64, Kernel)> = None;
    let mut tried = 0;
    for shape in SHAPES {
        if tried > 0 && bench.is_past(SWEEP_SHARE) {
            break;
        }
        let pipeline = bench.kernel(&shape.source(), "peak")?;
        let group = bench.bind(&pipeline, 0, &[&parameters, &results])?;
        let mut kernel = Kernel { shape, pipeline, group, turns: 1, is_correct: false };
        // Few turns, as the CPU has to follow; enough for the chains to settle.
        time(bench, &kernel, 4)?;
        let read = bench.gpu.read(bench.work, &[&results])?;
        kernel.is_correct = is_correct(shape, &read[0], 4);
        kernel.turns = bench.calibrate(TURNS_MAX, |bench, turns| time(bench, &kernel, turns))?;
        let mut fastest = 0.0f64;
        for _ in 0..3 {
            fastest = fastest.max(rate(&kernel, time(bench, &kernel, kernel.turns)?));
            bench.note(fastest);
        }
        tried += 1;
        if best.as_ref().is_none_or(|(value, _)| fastest > *value) {
            best = Some((fastest, kernel));
        }
    }
    let Some((_, kernel)) = best else {
        return Ok(bench.measurement(Vec::new(), "no kernel ran".to_owned(), false));
    };
    let samples = bench.sample(|bench| Ok(rate(&kernel, time(bench, &kernel, kernel.turns)?)))?;
    let Shape { width, chains } = kernel.shape;
    let method = format!(
        "x = fma(x, x, c), {chains} independent chain(s) of vec{width}, {STEPS} steps unrolled, {} turns, {lanes} \
         invocations; the best of {tried} shapes; {}",
        kernel.turns,
        bench.clock()
    );
    Ok(bench.measurement(samples, method, kernel.is_correct))
}

fn is_correct(shape: Shape, results: &[u8], turns: u32) -> bool {
    let expected: Vec<f32> = (0..64).map(|lane| shape.expected(lane, turns)).collect();
    let (words, _) = results.as_chunks::<4>();
    words.iter().enumerate().all(|(lane, word)| {
        let value = f32::from_le_bytes(*word);
        let expected = expected[lane & 63];
        (value - expected).abs() <= TOLERANCE * expected.abs().max(1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_valid_wgsl() {
        for shape in SHAPES {
            let source = shape.source();
            let parsed = naga::front::wgsl::parse_str(&source);
            assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(&source));
        }
    }

    #[test]
    fn the_chain_forgets_rounding() {
        // Unfused on purpose: a GPU may do either.
        let shape = Shape { width: 4, chains: 4 };
        for lane in 0..64 {
            let c = -1.2f32 + 0.4 * lane as f32 / 64.0;
            let unfused: f32 =
                (0..16).map(|i| (0..64).fold(shape.start(i / 4, i % 4), |x, _| x * x + c)).sum();
            let fused = shape.expected(lane, 4);
            assert!((unfused - fused).abs() <= TOLERANCE * fused.abs().max(1.0), "{lane}: {unfused} {fused}");
        }
    }
}
