//! Memory that the network's challenge has filled and read: [`lull_checks::memory`] on a device.
//!
//! What is to be done is cut into units, the least that can be submitted, and as many of them go into one submission
//! as take about [`SUBMISSION_AIM`]. What lies in the memory itself is all that goes on from one to the next.

use std::time::{Duration, Instant};

use lull_checks::memory::{
    ENTRY_BYTES, LANE_BYTES, LOOK_UPS, Memory, STEPS, Sweeps, first_state, next_key, sweep_key,
};

use crate::benchmark::{Bench, BenchmarkError};
use crate::gpu::GpuError;

/// Aim for one submission: long against the cost of submitting, and less than half of the 100 ms that a desktop feels.
const SUBMISSION_AIM: Duration = Duration::from_millis(25);
/// How much longer than the last one a submission may be meant to take: what a device is asked first is short, and
/// says little of what comes.
const GROWTH_MAX: f64 = 4.0;
/// Lanes of a unit of a sweep: 128 MiB, which memory of 4 GB/s reads within 40 ms.
const SWEEP_UNIT_LANES: u32 = 32;
/// Dispatches of a submission of look-ups. If each goes on, these are 8,192 look-ups, which take ten milliseconds on most
/// devices and not 40 on the slowest; if none does, they take less than a millisecond.
const DISPATCHES_AT_ONCE: usize = 128;
/// Bytes that are cleared in a submission, so that the driver gives the memory before it is timed what takes how long.
const CLEARED_AT_ONCE_BYTES: u64 = 128 * 1024 * 1024;
/// Bytes of a dispatch's parameters, as in the kernels.
const FILL_BYTES: u64 = 48;
/// As in the kernels.
const SWEEP_BYTES: u64 = 32;

/// The kernels.
pub struct MemoryKernels {
    fill: wgpu::ComputePipeline,
    sweep: wgpu::ComputePipeline,
    look_up: wgpu::ComputePipeline,
}

impl MemoryKernels {
    /// Compiles them.
    pub fn new(bench: &Bench<'_>) -> Result<Self, BenchmarkError> {
        let source = include_str!("kernels/memory.wgsl");
        let kernel = |entry| bench.kernel(source, entry);
        Ok(Self { fill: kernel("fill")?, sweep: kernel("sweep")?, look_up: kernel("look_up")? })
    }
}

/// Memory of a device that is filled.
pub struct Filled {
    memory: Memory,
    regions: Vec<Region>,
    digests: wgpu::Buffer,
    chain: wgpu::Buffer,
    /// Where the head of the chain is read.
    head: wgpu::Buffer,
}

/// Some of it in one buffer, and what its dispatches are told.
struct Region {
    buffer: wgpu::Buffer,
    first_lane: u32,
    lanes: u32,
    parameters: wgpu::Buffer,
}

/// How many units a submission takes, so that it is neither long nor many are needed.
struct Pace {
    units: u64,
}

impl Pace {
    fn new() -> Self {
        Self { units: 1 }
    }

    /// After so many units took so long.
    fn took(&mut self, units: u64, time: Duration) {
        let growth = SUBMISSION_AIM.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // Less is right at once; the last submission of a row was cut short and says nothing of more.
        if units == self.units || growth < 1.0 {
            self.units = (units as f64 * growth.min(GROWTH_MAX)).max(1.0) as u64;
        }
    }
}

impl Filled {
    /// Allocates memory and fills it.
    pub fn new(bench: &Bench<'_>, kernels: &MemoryKernels, memory: Memory) -> Result<Self, BenchmarkError> {
        let filled = Self::allocate(bench, memory)?;
        filled.fill(bench, kernels)?;
        Ok(filled)
    }

    fn allocate(bench: &Bench<'_>, memory: Memory) -> Result<Self, BenchmarkError> {
        let region_bytes = u64::from(memory.region_lanes.min(memory.lanes)) * LANE_BYTES;
        if region_bytes > bench.limits.max_buffer_size.min(bench.limits.max_storage_buffer_binding_size) {
            let needed = format!("it needs buffers of {} MiB", region_bytes / (1024 * 1024));
            return Err(GpuError::TooSmall(needed).into());
        }
        let storage =
            wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let mut regions = Vec::with_capacity(memory.regions() as usize);
        for region in 0..memory.regions() {
            let lanes = memory.lanes_of_region(region);
            let buffer = bench.gpu.buffer(u64::from(lanes) * LANE_BYTES, storage)?;
            for at in (0..buffer.size()).step_by(CLEARED_AT_ONCE_BYTES as usize) {
                bench.go_on()?;
                let mut commands = bench.commands();
                let bytes = CLEARED_AT_ONCE_BYTES.min(buffer.size() - at);
                commands.clear_buffer(&buffer, at, Some(bytes));
                bench.gpu.run(bench.work, commands)?;
            }
            let parameters = bench.gpu.buffer(FILL_BYTES, uniform)?;
            regions.push(Region { buffer, first_lane: region * memory.region_lanes, lanes, parameters });
        }
        let digests = bench.gpu.buffer(u64::from(memory.lanes) * ENTRY_BYTES as u64, storage)?;
        // Before the states there is the count of those that were made, and the one before the first.
        let chain = bench.gpu.buffer((u64::from(LOOK_UPS) + 2) * ENTRY_BYTES as u64, storage)?;
        let mappable = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let head = bench.gpu.buffer(ENTRY_BYTES as u64, mappable)?;
        Ok(Self { memory, regions, digests, chain, head })
    }

    /// A unit is a step of all lanes of a region; units go by step, then by region.
    fn fill(&self, bench: &Bench<'_>, kernels: &MemoryKernels) -> Result<(), BenchmarkError> {
        let bind =
            |region: &Region| bench.bind_at(&kernels.fill, &[(0, &region.parameters), (1, &region.buffer)]);
        let groups = self.regions.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let key = self.memory.key();
        let regions = self.regions.len() as u64;
        let all = u64::from(STEPS) * regions;
        let (mut done, mut pace) = (0, Pace::new());
        while done < all {
            bench.go_on()?;
            let units = pace.units.min(all - done);
            let mut commands = bench.commands();
            let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&kernels.fill);
            for ((at, region), group) in (0..).zip(&self.regions).zip(&groups) {
                // Units of this region are those that leave its number when divided by how many there are.
                let before = |unit: u64| unit.saturating_sub(at).div_ceil(regions);
                let (first, end) = (before(done) as u32, before(done + units) as u32);
                if first == end {
                    continue;
                }
                let mut words = key.to_vec();
                words.extend([first, end - first, region.first_lane, 0]);
                bench.gpu.queue.write_buffer(&region.parameters, 0, &bytes(&words));
                pass.set_bind_group(0, group, &[]);
                pass.dispatch_workgroups(region.lanes, 1, 1);
            }
            drop(pass);
            pace.took(units, timed(bench, commands)?);
            done += units;
        }
        Ok(())
    }

    /// Reads it all as often as asked, and gives what goes into the transcript. A unit is some lanes of a region.
    pub fn sweep(
        &self,
        bench: &Bench<'_>,
        kernels: &MemoryKernels,
        sweeps: &Sweeps,
    ) -> Result<Vec<u8>, BenchmarkError> {
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let mut units = Vec::new();
        for region in &self.regions {
            for first in (0..region.lanes).step_by(SWEEP_UNIT_LANES as usize) {
                let parameters = bench.gpu.buffer(SWEEP_BYTES, uniform)?;
                let buffers = [(1, &region.buffer), (2, &parameters), (3, &self.digests)];
                let group = bench.bind_at(&kernels.sweep, &buffers)?;
                let lanes = SWEEP_UNIT_LANES.min(region.lanes - first);
                units.push((parameters, group, first, region.first_lane + first, lanes));
            }
        }
        let mut key = sweep_key(&sweeps.seed);
        let mut all = Vec::new();
        let mut pace = Pace::new();
        for _ in 0..sweeps.sweeps {
            let mut left = units.as_slice();
            while !left.is_empty() {
                bench.go_on()?;
                let now = pace.units.min(left.len() as u64);
                let (these, others) = left.split_at(now as usize);
                let mut commands = bench.commands();
                let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&kernels.sweep);
                for (parameters, group, first_of_region, first_lane, lanes) in these {
                    let mut words = key.to_vec();
                    words.extend([*first_of_region, *first_lane, 0, 0]);
                    bench.gpu.queue.write_buffer(parameters, 0, &bytes(&words));
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(*lanes, 1, 1);
                }
                drop(pass);
                pace.took(now, timed(bench, commands)?);
                left = others;
            }
            let digests = bench.gpu.read(bench.work, &[&self.digests])?.swap_remove(0);
            key = next_key(key, &digests);
            all.extend(digests);
        }
        Ok(all)
    }

    /// Goes along the chain, and gives what goes into the transcript.
    pub fn look_up(
        &self,
        bench: &Bench<'_>,
        kernels: &MemoryKernels,
        seed: &[u8; 32],
    ) -> Result<Vec<u8>, BenchmarkError> {
        let bind = |region: &Region| {
            bench.bind_at(&kernels.look_up, &[(0, &region.parameters), (1, &region.buffer), (4, &self.chain)])
        };
        let groups = self.regions.iter().map(bind).collect::<Result<Vec<_>, _>>()?;
        let state = first_state(seed);
        let (regions, region_lanes) = (self.memory.regions(), self.memory.region_lanes);
        let mut start = vec![0, state[1] % regions * region_lanes, regions, region_lanes];
        start.extend(state);
        bench.gpu.queue.write_buffer(&self.chain, 0, &bytes(&start));
        let rounds = (DISPATCHES_AT_ONCE / groups.len()).max(1);
        let mut done = 0;
        while done < LOOK_UPS {
            bench.go_on()?;
            let mut commands = bench.commands();
            let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&kernels.look_up);
            for _ in 0..rounds {
                // Every region is asked whether it is its turn; at least one goes on in every round.
                for group in &groups {
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(1, 1, 1);
                }
            }
            drop(pass);
            commands.copy_buffer_to_buffer(&self.chain, 0, &self.head, 0, self.head.size());
            bench.gpu.run(bench.work, commands)?;
            let head = bench.gpu.read_mappable(bench.work, &self.head)?;
            let (words, _) = head.as_chunks::<4>();
            done = words.first().map_or(0, |word| u32::from_le_bytes(*word));
        }
        let chain = bench.gpu.read(bench.work, &[&self.chain])?.swap_remove(0);
        Ok(chain[2 * ENTRY_BYTES..].to_vec())
    }
}

fn timed(bench: &Bench<'_>, commands: wgpu::CommandEncoder) -> Result<Duration, BenchmarkError> {
    let submitted = Instant::now();
    bench.gpu.run(bench.work, commands)?;
    Ok(submitted.elapsed())
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_are_valid_wgsl() {
        let source = include_str!("kernels/memory.wgsl");
        let parsed = naga::front::wgsl::parse_str(source);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(source));
    }

    #[test]
    fn a_submission_comes_near_its_aim() {
        // A device that takes 3 ms a unit, and one that takes 7 µs.
        for (unit_us, least, most) in [(3_000u64, 4, 9), (7, 2_500, 4_000), (90_000, 1, 1)] {
            let mut pace = Pace::new();
            for _ in 0..20 {
                pace.took(pace.units, Duration::from_micros(unit_us * pace.units));
            }
            assert!((least..=most).contains(&pace.units), "{unit_us} µs a unit: {} units", pace.units);
            let before = pace.units;
            pace.took(1, Duration::from_micros(1));
            assert!(pace.units <= before.max(4), "a short last submission changes little");
        }
    }
}
