//! Reading memory that is larger than the caches.

use std::time::Duration;

use lull_types::{DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;

/// Steps of one round, as in the kernel.
const STEPS: u32 = 8;
/// Invocations of a workgroup, as in the kernel.
const LANES: u32 = 256;
/// Bytes of one element.
const ELEMENT_BYTES: u32 = 16;
/// Factor of the kernel's pattern.
const PATTERN: u32 = 2_654_435_761;
/// Rounds in one dispatch: keeps a broken clock from asking for minutes.
const ROUNDS_MAX: u32 = 1 << 12;
const MIB: u64 = 1024 * 1024;

/// A power of two, well above the largest cache of its sort (256 MB on GPUs, some 64 MB of a CPU's for two threads),
/// and at most a quarter of the GPU's memory.
fn buffer_bytes(bench: &Bench<'_>) -> u64 {
    let wanted = match bench.kind {
        DeviceKind::Discrete | DeviceKind::Virtual => 1024 * MIB,
        DeviceKind::Integrated | DeviceKind::Other => 256 * MIB,
        DeviceKind::Software => 128 * MIB,
    };
    let limits = bench.limits.max_buffer_size.min(bench.limits.max_storage_buffer_binding_size);
    let bytes = wanted.min(limits).min(bench.vram_bytes.map_or(u64::MAX, |bytes| bytes / 4));
    1 << bytes.max(MIB).ilog2()
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let bytes = buffer_bytes(bench);
    let elements = (bytes / u64::from(ELEMENT_BYTES)) as u32;
    // A dispatch of one round takes some milliseconds on the slowest memory of its sort.
    let wanted = if bench.kind == DeviceKind::Software { 64 } else { 1024 };
    let workgroups = wanted.min(elements / (STEPS * LANES));
    let lanes = workgroups * LANES;

    let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let parameters = bench.gpu.buffer(16, uniform)?;
    let data = bench.gpu.buffer(bytes, wgpu::BufferUsages::STORAGE)?;
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let sums = bench.gpu.buffer(u64::from(lanes) * 4, storage)?;

    let source = include_str!("kernels/memory.wgsl");
    let fill = bench.kernel(source, "fill")?;
    let fill_group = bench.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &fill.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: parameters.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 3, resource: data.as_entire_binding() },
        ],
    });
    let read = bench.kernel(source, "add_up")?;
    let read_group = bench.bind(&read, 0, &[&parameters, &data, &sums])?;

    // Filled and read in pieces of one round, each a short submission.
    let round_elements = lanes * STEPS;
    for first in (0..elements).step_by(round_elements as usize) {
        bench.time(&fill, &fill_group, (&parameters, [first, STEPS, lanes, 0]), (workgroups, 1))?;
        bench.tell_if_due();
    }
    let mut sum = 0u32;
    for first in (0..elements).step_by(round_elements as usize) {
        bench.time(&read, &read_group, (&parameters, [first, 1, lanes, elements - 1]), (workgroups, 1))?;
        let read_back = bench.gpu.read(bench.work, &[&sums])?;
        let (words, _) = read_back[0].as_chunks::<4>();
        sum = words.iter().fold(sum, |sum, word| sum.wrapping_add(u32::from_le_bytes(*word)));
        bench.tell_if_due();
    }
    let correct = sum == expected_sum(bytes / 4);

    // Every dispatch goes on where the last one stopped, so that it meets nothing that is still in a cache.
    let first = std::cell::Cell::new(0u32);
    let time = |bench: &Bench<'_>, rounds: u32| -> Result<Duration, BenchmarkError> {
        let words = [first.get(), rounds, lanes, elements - 1];
        first.set(first.get().wrapping_add(rounds.wrapping_mul(round_elements)) & (elements - 1));
        bench.time(&read, &read_group, (&parameters, words), (workgroups, 1))
    };
    let rounds = bench.calibrate(ROUNDS_MAX, time)?;
    let read_bytes = f64::from(rounds) * f64::from(round_elements) * f64::from(ELEMENT_BYTES);
    let samples = bench.sample(|bench| Ok(read_bytes / time(bench, rounds)?.as_secs_f64() / 1e9))?;
    let method = format!(
        "16-byte loads by {lanes} invocations, {} MiB a dispatch, around a buffer of {} MiB; {}",
        read_bytes as u64 / MIB,
        bytes / MIB,
        bench.clock()
    );
    Ok(bench.measurement(samples, method, correct))
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
}
