//! Peak of chained arithmetic, in each kind of number.

use std::time::Duration;

use lull_types::{DeviceKind, Fault};

use super::bench::Bench;
use super::number::{Number, Shape};
use super::{BenchmarkError, Taken};

/// Invocations of a workgroup, as in the kernel.
const LANES: u32 = 256;
/// Turns of the loop in one dispatch: keeps a broken clock from asking for minutes, and below the 65,535 turns after
/// which Mesa's llvmpipe ends an invocation's loops by itself.
const TURNS_MAX: u32 = 1 << 15;
/// Turns before a result is looked at: few, as the CPU has to follow; enough for the chains to settle.
const TURNS_CHECKED: u32 = 4;
/// Share of the measure's time for finding the best shape.
const SWEEP_SHARE: f64 = 0.5;
/// Steps that are tried besides the usual ones, with the best width and number of chains.
const OTHER_STEPS: [u32; 2] = [32, 8];

struct Kernel {
    shape: Shape,
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
    turns: u32,
    is_correct: bool,
}

/// What is the same for all shapes.
struct Peak {
    number: Number,
    workgroups: u32,
    parameters: wgpu::Buffer,
    results: wgpu::Buffer,
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>, number: Number) -> Result<Taken, BenchmarkError> {
    if !bench.has(number.features()) {
        return Ok(Taken::Skipped(Fault::new("feature_missing", number.missing())));
    }
    // Enough invocations to fill the largest GPU many times over; software needs only its threads filled.
    let workgroups = if bench.kind == DeviceKind::Software { 64 } else { 4096 };
    let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let peak = Peak {
        number,
        workgroups,
        parameters: bench.gpu.buffer(16, uniform)?,
        results: bench.gpu.buffer(u64::from(workgroups * LANES) * 4, storage)?,
    };

    let mut best: Option<(f64, Kernel)> = None;
    let mut tried = 0;
    for shape in number.shapes() {
        if tried > 0 && bench.is_past(SWEEP_SHARE) {
            break;
        }
        peak.try_shape(bench, shape, &mut best)?;
        tried += 1;
    }
    for steps in OTHER_STEPS {
        if bench.is_past(SWEEP_SHARE) {
            break;
        }
        if let Some((_, kernel)) = &best {
            let shape = Shape { steps, ..kernel.shape };
            peak.try_shape(bench, shape, &mut best)?;
            tried += 1;
        }
    }
    let Some((_, kernel)) = best else {
        return Ok(Taken::Measured(bench.measurement(Vec::new(), "no kernel ran".to_owned(), false)));
    };
    let samples = bench.sample(|bench| Ok(peak.rate(&kernel, peak.time(bench, &kernel, kernel.turns)?)))?;
    let Shape { width, chains, steps } = kernel.shape;
    let method = format!(
        "{}, {chains} independent chain(s) of width {width}, {steps} steps unrolled, {} turns, {} invocations; the \
         best of {tried} shapes; {}",
        number.chain(),
        kernel.turns,
        workgroups * LANES,
        bench.clock()
    );
    Ok(Taken::Measured(bench.measurement(samples, method, kernel.is_correct)))
}

impl Peak {
    fn time(&self, bench: &Bench<'_>, kernel: &Kernel, turns: u32) -> Result<Duration, BenchmarkError> {
        let parameters = (&self.parameters, [turns, 0, 0, 0]);
        bench.time(&kernel.pipeline, &kernel.group, parameters, (self.workgroups, 1))
    }

    /// 10⁹ operations a second.
    fn rate(&self, kernel: &Kernel, took: Duration) -> f64 {
        let operations = self.number.operations(kernel.shape, self.workgroups * LANES);
        operations * f64::from(kernel.turns) / took.as_secs_f64() / 1e9
    }

    /// Checks and times a shape, and keeps it if it is the fastest.
    fn try_shape(
        &self,
        bench: &mut Bench<'_>,
        shape: Shape,
        best: &mut Option<(f64, Kernel)>,
    ) -> Result<(), BenchmarkError> {
        let pipeline = bench.kernel(&self.number.source(shape), "peak")?;
        let group = bench.bind(&pipeline, 0, &[&self.parameters, &self.results])?;
        let mut kernel = Kernel { shape, pipeline, group, turns: 1, is_correct: false };
        self.time(bench, &kernel, TURNS_CHECKED)?;
        let read = bench.gpu.read(bench.work, &[&self.results])?;
        kernel.is_correct = self.number.is_right(shape, &read[0], TURNS_CHECKED);
        kernel.turns = bench.calibrate(TURNS_MAX, |bench, turns| self.time(bench, &kernel, turns))?;
        let mut fastest = 0.0f64;
        for _ in 0..3 {
            fastest = fastest.max(self.rate(&kernel, self.time(bench, &kernel, kernel.turns)?));
            bench.note(fastest);
        }
        if best.as_ref().is_none_or(|(value, _)| fastest > *value) {
            *best = Some((fastest, kernel));
        }
        Ok(())
    }
}
