//! How long one load takes whose address is known only once the load before it is done.

use std::time::{Duration, Instant};

use lull_types::{CurvePoint, DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;
use super::memory::{buffer_bytes, working_sets};

/// Bytes between two places, as in the kernel.
const STRIDE_BYTES: u64 = 128;
/// Loads of one round, as in the kernel.
const LOADS: u32 = 8;
/// Invocations of a workgroup that lays a chain, as in the kernel.
const LAY_LANES: u32 = 256;
/// Workgroups in one dispatch: every device allows so many.
const WORKGROUPS_MAX: u32 = 32_768;
/// Rounds in one dispatch: keeps a broken clock from asking for minutes, and below the turns after which Mesa's
/// llvmpipe ends a loop.
const ROUNDS_MAX: u32 = 1 << 15;
/// Rounds after which the place is compared with what it must be: the CPU follows.
const ROUNDS_CHECKED: u32 = 1000;
/// The largest working set: beyond the caches that GPUs have; a larger one measures their address translation.
const BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Share of the measure's time for working sets that fit into caches.
const CURVE_SHARE: f64 = 0.5;

struct Chain {
    parameters: wgpu::Buffer,
    standing: wgpu::Buffer,
    lay: wgpu::ComputePipeline,
    lay_group: wgpu::BindGroup,
    follow: wgpu::ComputePipeline,
    follow_group: wgpu::BindGroup,
}

impl Chain {
    fn new(bench: &Bench<'_>, bytes: u64) -> Result<Self, BenchmarkError> {
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let storage = wgpu::BufferUsages::STORAGE;
        let parameters = bench.gpu.buffer(16, uniform)?;
        let places = bench.gpu.buffer(bytes, storage)?;
        let read_and_written = storage | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let standing = bench.gpu.buffer(4, read_and_written)?;
        let source = include_str!("kernels/latency.wgsl");
        let (lay, follow) = (bench.kernel(source, "lay")?, bench.kernel(source, "follow")?);
        let lay_group = bench.bind_at(&lay, &[(0, &parameters), (1, &places)])?;
        let follow_group = bench.bind_at(&follow, &[(0, &parameters), (1, &places), (2, &standing)])?;
        Ok(Self { parameters, standing, lay, lay_group, follow, follow_group })
    }

    /// Lays a chain through a working set, and stands at its beginning.
    fn lay(&self, bench: &Bench<'_>, bytes: u64) -> Result<(), BenchmarkError> {
        let places = (bytes / STRIDE_BYTES) as u32;
        for first in (0..places).step_by((WORKGROUPS_MAX * LAY_LANES) as usize) {
            let workgroups = (places - first).div_ceil(LAY_LANES).min(WORKGROUPS_MAX);
            let words = [first, places - 1, 0, 0];
            bench.time(&self.lay, &self.lay_group, (&self.parameters, words), (workgroups, 1))?;
        }
        bench.gpu.queue.write_buffer(&self.standing, 0, &[0; 4]);
        Ok(())
    }

    fn follow(&self, bench: &Bench<'_>, rounds: u32) -> Result<Duration, BenchmarkError> {
        let words = [rounds, 0, 0, 0];
        bench.time(&self.follow, &self.follow_group, (&self.parameters, words), (1, 1))
    }

    /// Whether it stands where it must after some rounds.
    fn is_right(&self, bench: &Bench<'_>, bytes: u64) -> Result<bool, BenchmarkError> {
        self.follow(bench, ROUNDS_CHECKED)?;
        let read = bench.gpu.read(bench.work, &[&self.standing])?;
        let expected = standing_after(ROUNDS_CHECKED * LOADS, (bytes / STRIDE_BYTES) as u32);
        Ok(read[0] == expected.to_le_bytes())
    }
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let most = if bench.kind == DeviceKind::Software { BYTES_MAX / 2 } else { BYTES_MAX };
    let bytes = buffer_bytes(bench).min(most);
    let chain = Chain::new(bench, bytes)?;
    let nanoseconds = |rounds: u32, took: Duration| took.as_secs_f64() * 1e9 / f64::from(rounds * LOADS);

    let kept = bench.reserve(CURVE_SHARE);
    chain.lay(bench, bytes)?;
    let mut is_correct = chain.is_right(bench, bytes)?;
    let rounds = bench.calibrate(ROUNDS_MAX, |bench, rounds| chain.follow(bench, rounds))?;
    let samples = bench.sample(|bench| Ok(nanoseconds(rounds, chain.follow(bench, rounds)?)))?;
    bench.release(kept);
    let loads = rounds * LOADS;

    let sets: Vec<u64> = working_sets(bytes).collect();
    let each = bench.left() / sets.len().max(1) as u32;
    let mut curve = Vec::with_capacity(sets.len() + 1);
    for set in sets {
        let began = Instant::now();
        chain.lay(bench, set)?;
        is_correct &= chain.is_right(bench, set)?;
        let rounds = bench.calibrate(ROUNDS_MAX, |bench, rounds| chain.follow(bench, rounds))?;
        let mut best = f64::INFINITY;
        while best.is_infinite() || began.elapsed() < each {
            best = best.min(nanoseconds(rounds, chain.follow(bench, rounds)?));
            bench.tell_if_due();
        }
        curve.push(CurvePoint { at: set as f64, value: best });
    }
    let method = format!(
        "one invocation follows a chain in no order that can be foretold through {} MiB, {STRIDE_BYTES} bytes a \
         place, {loads} loads a dispatch; {}",
        bytes >> 20,
        bench.clock()
    );
    let mut measurement = bench.measurement(samples, method, is_correct);
    curve.push(CurvePoint { at: bytes as f64, value: measurement.value });
    measurement.curve = curve;
    Ok(measurement)
}

/// The word at which a chase through so many places stands after so many loads.
fn standing_after(loads: u32, places: u32) -> u32 {
    let next = |place: u32| place.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) & (places - 1);
    (0..loads).fold(0, |place, _| next(place)) * (STRIDE_BYTES as u32 / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_valid_wgsl() {
        let source = include_str!("kernels/latency.wgsl");
        let parsed = naga::front::wgsl::parse_str(source);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(source));
    }

    #[test]
    fn a_chain_visits_every_place_once() {
        for places in [128u32, 4096] {
            let mut visited = vec![false; places as usize];
            for loads in 0..places {
                let place = standing_after(loads, places) as usize / (STRIDE_BYTES as usize / 4);
                assert!(!visited[place], "{place} twice within {places}");
                visited[place] = true;
            }
        }
    }
}
