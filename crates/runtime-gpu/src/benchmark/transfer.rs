//! Copying between the computer's memory and the device's.

use std::time::{Duration, Instant};

use lull_types::{DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;
use crate::gpu::GpuError;

/// Large beside what a submission costs, small beside any device's memory; a slow bus takes 80 ms.
const BYTES: u64 = 64 << 20;
/// The same where the processor copies: large beside its caches too, as it has a faster way for what they cannot hold.
const BYTES_SOFTWARE: u64 = 128 << 20;
/// Copies in one submission: on the slowest bus two take its time.
const COPIES_MAX: u32 = 64;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Upload,
    Download,
}

/// Measures.
pub fn measure(bench: &mut Bench<'_>, way: Way) -> Result<Measurement, BenchmarkError> {
    let gpu = &bench.gpu;
    let near = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::STORAGE;
    let bytes = if bench.kind == DeviceKind::Software { BYTES_SOFTWARE } else { BYTES };
    let device = gpu.buffer(bytes, near)?;
    let written = staged(bench, bytes)?;
    let read = gpu.buffer(bytes, wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST)?;

    // Out and back, once: what comes back must be what went out.
    copies(bench, &written, &device, 1)?;
    copies(bench, &device, &read, 1)?;
    let is_correct = bench.gpu.read_mappable(bench.work, &read)? == pattern(bytes);

    let (from, to) = match way {
        Way::Upload => (&written, &device),
        Way::Download => (&device, &read),
    };
    let count = bench.calibrate(COPIES_MAX, |bench, count| copies(bench, from, to, count))?;
    let moved = bytes as f64 * f64::from(count);
    let samples = bench.sample(|bench| Ok(moved / copies(bench, from, to, count)?.as_secs_f64() / 1e9))?;
    let method = format!(
        "{count} copies of {} MiB in a submission, from and to memory that both can reach; wall clock, submitting \
         included",
        bytes >> 20
    );
    Ok(bench.measurement(samples, method, is_correct))
}

/// A buffer in the computer's memory that holds the pattern.
fn staged(bench: &Bench<'_>, bytes: u64) -> Result<wgpu::Buffer, BenchmarkError> {
    let buffer = bench.gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: bytes,
        usage: wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    });
    bench.gpu.check()?;
    let mut view = buffer.get_mapped_range_mut(..).map_err(|error| GpuError::Internal(error.to_string()))?;
    view.copy_from_slice(&pattern(bytes));
    drop(view);
    buffer.unmap();
    Ok(buffer)
}

fn pattern(bytes: u64) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(|word| word.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
}

/// Copies so many times in one submission.
fn copies(
    bench: &Bench<'_>,
    from: &wgpu::Buffer,
    to: &wgpu::Buffer,
    count: u32,
) -> Result<Duration, BenchmarkError> {
    bench.go_on()?;
    let mut commands = bench.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for _ in 0..count {
        commands.copy_buffer_to_buffer(from, 0, to, 0, from.size());
    }
    let submitted = Instant::now();
    bench.gpu.run(bench.work, commands)?;
    Ok(submitted.elapsed())
}
