//! Reading, writing and copying memory that is larger than the caches, and reading what is smaller.

use std::cell::Cell;
use std::time::{Duration, Instant};

use lull_types::{CurvePoint, DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;

/// Steps of one round, as in the kernels.
const STEPS: u32 = 8;
/// Invocations of a workgroup, as in the kernels.
const LANES: u32 = 256;
/// Bytes of one element.
const ELEMENT_BYTES: u32 = 16;
/// Factor of the kernels' pattern.
pub const PATTERN: u32 = 2_654_435_761;
/// Rounds in one dispatch: keeps a broken clock from asking for minutes.
const ROUNDS_MAX: u32 = 1 << 12;
const MIB: u64 = 1024 * 1024;
/// The smallest working set: half of the smallest first-level cache in use.
const WORKING_SET_MIN: u64 = 16 * 1024;
/// From one working set to the next.
const WORKING_SET_GROWTH: u64 = 4;
/// Runs of each way when the fastest is looked for.
const TRIES: u32 = 3;
/// Share of the measure's time for working sets that fit into caches.
const CURVE_SHARE: f64 = 0.4;

/// What is done with the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Read,
    Write,
    Copy,
}

impl Stream {
    fn entry(self) -> &'static str {
        match self {
            Self::Read => "add_up",
            Self::Write => "write",
            Self::Copy => "copy",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Read => "16-byte loads",
            Self::Write => "16-byte stores",
            Self::Copy => "16-byte loads and stores, both counted,",
        }
    }

    /// Bytes that move for each byte of the buffer.
    fn bytes_for_each(self) -> f64 {
        if self == Self::Copy { 2.0 } else { 1.0 }
    }
}

/// A power of two, well above the largest cache of its sort (256 MB on GPUs, some 64 MB of a CPU's for two threads),
/// and at most an eighth of the GPU's memory, as a copy takes two.
pub fn buffer_bytes(bench: &Bench<'_>) -> u64 {
    let wanted = match bench.kind {
        DeviceKind::Discrete | DeviceKind::Virtual => 1024 * MIB,
        DeviceKind::Integrated | DeviceKind::Other => 256 * MIB,
        DeviceKind::Software => 128 * MIB,
    };
    let limits = bench.limits.max_buffer_size.min(bench.limits.max_storage_buffer_binding_size);
    let bytes = wanted.min(limits).min(bench.vram_bytes.map_or(u64::MAX, |bytes| bytes / 8));
    1 << bytes.max(MIB).ilog2()
}

/// Working sets that are gone over besides the whole buffer.
pub fn working_sets(buffer_bytes: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(WORKING_SET_MIN), |bytes| Some(bytes * WORKING_SET_GROWTH))
        .take_while(move |bytes| *bytes < buffer_bytes)
}

/// A kernel bound to its buffers.
struct Bound {
    kernel: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

struct Buffers {
    parameters: wgpu::Buffer,
    data: wgpu::Buffer,
    sums: wgpu::Buffer,
    target: Option<wgpu::Buffer>,
    workgroups: u32,
    /// A power of two.
    elements: u32,
    /// Elements from one step of an invocation to the next: found by trying.
    step: Cell<u32>,
    /// Where the next dispatch goes on.
    first: Cell<u32>,
}

impl Buffers {
    fn new(bench: &Bench<'_>, stream: Stream) -> Result<Self, BenchmarkError> {
        let bytes = buffer_bytes(bench);
        let elements = (bytes / u64::from(ELEMENT_BYTES)) as u32;
        // A dispatch of one round takes some milliseconds on the slowest memory of its sort.
        let wanted = if bench.kind == DeviceKind::Software { 64 } else { 1024 };
        let workgroups = wanted.min(elements / (STEPS * LANES));
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let readable = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let storage = readable | wgpu::BufferUsages::COPY_DST;
        let target = match stream {
            Stream::Copy => Some(bench.gpu.buffer(bytes, storage)?),
            Stream::Read | Stream::Write => None,
        };
        Ok(Self {
            parameters: bench.gpu.buffer(16, uniform)?,
            data: bench.gpu.buffer(bytes, storage)?,
            sums: bench.gpu.buffer(u64::from(workgroups * LANES) * 4, readable)?,
            target,
            workgroups,
            elements,
            step: Cell::new(workgroups * LANES),
            first: Cell::new(0),
        })
    }

    fn lanes(&self) -> u32 {
        self.workgroups * LANES
    }

    fn round_elements(&self) -> u32 {
        self.lanes() * STEPS
    }

    fn bind(&self, bench: &Bench<'_>, stream: Stream, data: &wgpu::Buffer) -> Result<Bound, BenchmarkError> {
        let kernel = bench.kernel(include_str!("kernels/memory.wgsl"), stream.entry())?;
        let filled = self.target.as_ref().unwrap_or(&self.data);
        let buffers: &[(u32, &wgpu::Buffer)] = match stream {
            Stream::Read => &[(0, &self.parameters), (1, data), (2, &self.sums)],
            Stream::Write => &[(0, &self.parameters), (3, data)],
            Stream::Copy => &[(0, &self.parameters), (1, data), (3, filled)],
        };
        let group = bench.bind_at(&kernel, buffers)?;
        Ok(Bound { kernel, group })
    }

    /// Goes over `rounds` from `first`, within the elements that `mask` leaves.
    fn go(
        &self,
        bench: &Bench<'_>,
        bound: &Bound,
        first: u32,
        rounds: u32,
        mask: u32,
    ) -> Result<Duration, BenchmarkError> {
        let words = [first, rounds, self.step.get(), mask];
        bench.time(&bound.kernel, &bound.group, (&self.parameters, words), (self.workgroups, 1))
    }

    /// Goes on where the last dispatch stopped, so that it meets nothing that is still in a cache.
    fn go_on(&self, bench: &Bench<'_>, bound: &Bound, rounds: u32) -> Result<Duration, BenchmarkError> {
        let (first, mask) = (self.first.get(), self.elements - 1);
        self.first.set(first.wrapping_add(rounds.wrapping_mul(self.round_elements())) & mask);
        self.go(bench, bound, first, rounds, mask)
    }

    /// Goes once over the whole buffer, in pieces of one round, each a short submission.
    fn go_over(
        &self,
        bench: &mut Bench<'_>,
        bound: &Bound,
        mut after: impl FnMut(&Bench<'_>) -> Result<(), BenchmarkError>,
    ) -> Result<(), BenchmarkError> {
        for first in (0..self.elements).step_by(self.round_elements() as usize) {
            self.go(bench, bound, first, 1, self.elements - 1)?;
            after(bench)?;
            bench.tell_if_due();
        }
        Ok(())
    }

    /// Whether a buffer holds the pattern, by its sum.
    fn holds_pattern(&self, bench: &mut Bench<'_>, buffer: &wgpu::Buffer) -> Result<bool, BenchmarkError> {
        let read = self.bind(bench, Stream::Read, buffer)?;
        let mut sum = 0u32;
        self.go_over(bench, &read, |bench| {
            let read_back = bench.gpu.read(bench.work, &[&self.sums])?;
            let (words, _) = read_back[0].as_chunks::<4>();
            sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u32::from_le_bytes(*word)));
            Ok(())
        })?;
        Ok(sum == expected_sum(u64::from(self.elements) * u64::from(ELEMENT_BYTES / 4)))
    }

    /// The fastest way: a kernel with the better step, or the driver's own command.
    fn fastest(&self, bench: &mut Bench<'_>, stream: Stream, kernel: Way) -> Result<Way, BenchmarkError> {
        let mut fastest = (0.0, self.step.get());
        for step in [self.lanes(), LANES] {
            self.step.set(step);
            let rate = self.try_way(bench, stream, &kernel)?;
            if rate > fastest.0 {
                fastest = (rate, step);
            }
        }
        self.step.set(fastest.1);
        let has_command = stream != Stream::Read;
        if has_command && self.try_way(bench, stream, &Way::Command)? > fastest.0 {
            return Ok(Way::Command);
        }
        Ok(kernel)
    }

    /// The best of some runs.
    fn try_way(&self, bench: &mut Bench<'_>, stream: Stream, way: &Way) -> Result<f64, BenchmarkError> {
        let rounds = match way {
            Way::Kernel(bound) => {
                bench.calibrate(ROUNDS_MAX, |bench, rounds| self.go_on(bench, bound, rounds))?
            }
            Way::Command => 1,
        };
        let mut best = 0.0f64;
        for _ in 0..TRIES {
            best = best.max(self.rate(bench, way, rounds, stream)?);
            bench.note(best);
        }
        Ok(best)
    }

    /// GB/s of one submission.
    fn rate(&self, bench: &Bench<'_>, way: &Way, rounds: u32, stream: Stream) -> Result<f64, BenchmarkError> {
        let (moved, took) = match way {
            Way::Kernel(bound) => (self.bytes(rounds, stream), self.go_on(bench, bound, rounds)?),
            Way::Command => {
                bench.go_on()?;
                let descriptor = wgpu::CommandEncoderDescriptor::default();
                let mut commands = bench.gpu.device.create_command_encoder(&descriptor);
                match &self.target {
                    Some(target) => {
                        commands.copy_buffer_to_buffer(&self.data, 0, target, 0, self.data.size())
                    }
                    None => commands.clear_buffer(&self.data, 0, None),
                }
                let submitted = Instant::now();
                bench.gpu.run(bench.work, commands)?;
                (self.data.size() as f64 * stream.bytes_for_each(), submitted.elapsed())
            }
        };
        Ok(moved / took.as_secs_f64() / 1e9)
    }

    fn bytes(&self, rounds: u32, stream: Stream) -> f64 {
        let elements = f64::from(rounds) * f64::from(self.round_elements());
        elements * f64::from(ELEMENT_BYTES) * stream.bytes_for_each()
    }
}

/// How the stream is made.
enum Way {
    Kernel(Bound),
    /// By the driver's own command, which may know a faster way.
    Command,
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>, stream: Stream) -> Result<Measurement, BenchmarkError> {
    let buffers = Buffers::new(bench, stream)?;
    let fill = buffers.bind(bench, Stream::Write, &buffers.data)?;
    buffers.go_over(bench, &fill, |_| Ok(()))?;
    let bound = buffers.bind(bench, stream, &buffers.data)?;
    if buffers.target.is_some() {
        buffers.go_over(bench, &bound, |_| Ok(()))?;
    }
    let filled = buffers.target.as_ref().unwrap_or(&buffers.data);
    let is_correct = buffers.holds_pattern(bench, filled)?;

    let kept = if stream == Stream::Read { bench.reserve(CURVE_SHARE) } else { Duration::ZERO };
    let way = buffers.fastest(bench, stream, Way::Kernel(bound))?;
    let rounds = match &way {
        Way::Kernel(bound) => {
            bench.calibrate(ROUNDS_MAX, |bench, rounds| buffers.go_on(bench, bound, rounds))?
        }
        Way::Command => 1,
    };
    let samples = bench.sample(|bench| buffers.rate(bench, &way, rounds, stream))?;
    bench.release(kept);
    let whole = u64::from(buffers.elements) * u64::from(ELEMENT_BYTES);
    let method = match &way {
        Way::Kernel(_) => format!(
            "{} by {} invocations, {}, {} MiB a dispatch, around a buffer of {} MiB; {}",
            stream.words(),
            buffers.lanes(),
            if buffers.step.get() == LANES {
                "each workgroup in a stretch of its own"
            } else {
                "all side by side"
            },
            buffers.bytes(rounds, stream) as u64 / MIB,
            whole / MIB,
            bench.clock()
        ),
        Way::Command => format!(
            "the driver's own command for {} MiB, {}, which is faster here than a kernel; wall clock",
            whole / MIB,
            if stream == Stream::Copy {
                "bytes read and written both counted"
            } else {
                "filled with one word"
            },
        ),
    };
    let mut measurement = bench.measurement(samples, method, is_correct);
    if let (Stream::Read, Way::Kernel(bound)) = (stream, &way) {
        measurement.curve = cached(bench, &buffers, bound)?;
        measurement.curve.push(CurvePoint { at: whole as f64, value: measurement.value });
    }
    Ok(measurement)
}

/// The rate at which smaller working sets are read, the best of a short look at each.
fn cached(
    bench: &mut Bench<'_>,
    buffers: &Buffers,
    bound: &Bound,
) -> Result<Vec<CurvePoint>, BenchmarkError> {
    let sets: Vec<u64> = working_sets(u64::from(buffers.elements) * u64::from(ELEMENT_BYTES)).collect();
    let each = bench.left() / sets.len().max(1) as u32;
    let mut curve = Vec::with_capacity(sets.len());
    for bytes in sets {
        let began = Instant::now();
        let mask = (bytes / u64::from(ELEMENT_BYTES)) as u32 - 1;
        let rounds =
            bench.calibrate(ROUNDS_MAX, |bench, rounds| buffers.go(bench, bound, 0, rounds, mask))?;
        let mut best = 0.0f64;
        while best == 0.0 || began.elapsed() < each {
            let took = buffers.go(bench, bound, 0, rounds, mask)?;
            best = best.max(buffers.bytes(rounds, Stream::Read) / took.as_secs_f64() / 1e9);
            bench.tell_if_due();
        }
        curve.push(CurvePoint { at: bytes as f64, value: best });
    }
    Ok(curve)
}

/// Sum of the first `words` words of the pattern, modulo 2³².
fn expected_sum(words: u64) -> u32 {
    // One of two neighbours is even, so the division is exact.
    let pairs = if words.is_multiple_of(2) { (words / 2) * (words - 1) } else { words * ((words - 1) / 2) };
    (pairs as u32).wrapping_mul(PATTERN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_valid_wgsl() {
        let source = include_str!("kernels/memory.wgsl");
        let parsed = naga::front::wgsl::parse_str(source);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(source));
    }

    #[test]
    fn the_sum_of_the_pattern() {
        for words in [1u32, 2, 5, 1000] {
            let sum = (0..words).fold(0u32, |sum, i| sum.wrapping_add(i.wrapping_mul(PATTERN)));
            assert_eq!(expected_sum(words.into()), sum);
        }
    }

    #[test]
    fn working_sets_end_below_the_buffer() {
        assert_eq!(working_sets(MIB).collect::<Vec<_>>(), [16 << 10, 64 << 10, 256 << 10]);
    }
}
