//! Memory that can really be allocated: in pieces, each written and timed, until one is refused or is far slower
//! than the first, as where a driver moves to the computer's memory without saying so.

use std::time::Duration;

use lull_types::{DeviceKind, Measurement};

use super::BenchmarkError;
use super::bench::Bench;
use super::memory::PATTERN;
use crate::gpu::GpuError;

/// One piece: every device can bind so much, and a card of 24 GB is done after 96 of them.
const PIECE_BYTES: u64 = 256 << 20;
/// What is tried where the memory is the computer's own, which other programs need.
const SHARED_BYTES_MAX: u64 = 1 << 30;
/// A piece that is written this many times slower than the fastest lies somewhere else.
const SLOWER_MAX: u32 = 4;
/// Invocations of a workgroup, as in the kernel.
const LANES: u32 = 256;
/// Workgroups of one dispatch.
const WORKGROUPS: u32 = 1024;
/// Bytes that an invocation writes in one step.
const ELEMENT_BYTES: u64 = 16;

/// Measures.
pub fn measure(bench: &mut Bench<'_>) -> Result<Measurement, BenchmarkError> {
    let limits = bench.limits.max_buffer_size.min(bench.limits.max_storage_buffer_binding_size);
    let piece_bytes = if limits < PIECE_BYTES { 1 << limits.ilog2() } else { PIECE_BYTES };
    let bytes_max = match bench.kind {
        DeviceKind::Discrete | DeviceKind::Virtual => bench.vram_bytes.unwrap_or(u64::MAX),
        DeviceKind::Integrated | DeviceKind::Software | DeviceKind::Other => SHARED_BYTES_MAX,
    };
    let kernel = bench.kernel(include_str!("kernels/memory.wgsl"), "write")?;
    let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let parameters = bench.gpu.buffer(16, uniform)?;
    let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let mut pieces = Vec::new();
    let mut fastest = Duration::MAX;
    let mut why = "all that there is";
    while (pieces.len() as u64 + 1) * piece_bytes <= bytes_max {
        let piece = match bench.gpu.buffer(piece_bytes, storage) {
            Ok(piece) => piece,
            Err(GpuError::OutOfMemory) => {
                why = "until the driver refused more";
                break;
            }
            Err(error) => return Err(error.into()),
        };
        let elements = (piece_bytes / ELEMENT_BYTES) as u32;
        let group = bench.bind_at(&kernel, &[(0, &parameters), (3, &piece)])?;
        let rounds = elements / (WORKGROUPS * LANES * 8);
        let words = [0, rounds.max(1), WORKGROUPS * LANES, elements - 1];
        let took = match bench.time(&kernel, &group, (&parameters, words), (WORKGROUPS, 1)) {
            Ok(took) => took,
            // Some drivers promise memory and find out only here that they have none.
            Err(BenchmarkError::Gpu(GpuError::OutOfMemory)) => {
                why = "until the driver had no more";
                break;
            }
            Err(error) => return Err(error),
        };
        if took > fastest.saturating_mul(SLOWER_MAX) {
            why = "until a piece was slow, as the computer's own memory is";
            break;
        }
        fastest = fastest.min(took);
        pieces.push(piece);
        bench.note(pieces.len() as f64 * piece_bytes as f64 / 1e9);
    }
    let bytes = pieces.len() as u64 * piece_bytes;
    let is_correct = hold_pattern(bench, &pieces, piece_bytes)?;
    if bytes_max == SHARED_BYTES_MAX && bytes == SHARED_BYTES_MAX {
        why = "no more was tried, as the memory is the computer's own";
    }
    // Freed before anything else is measured.
    drop(pieces);
    bench.gpu.finish(bench.work)?;
    let method = format!("pieces of {} MiB, each written; {why}", piece_bytes >> 20);
    Ok(bench.measurement(vec![bytes as f64 / 1e9], method, is_correct))
}

/// Whether the last word of each piece is what was written there.
fn hold_pattern(
    bench: &Bench<'_>,
    pieces: &[wgpu::Buffer],
    piece_bytes: u64,
) -> Result<bool, BenchmarkError> {
    if pieces.is_empty() {
        return Ok(false);
    }
    let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let ends = bench.gpu.buffer(4 * pieces.len() as u64, usage)?;
    let mut commands = bench.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    for (place, piece) in (0u64..).zip(pieces) {
        commands.copy_buffer_to_buffer(piece, piece_bytes - 4, &ends, place * 4, 4);
    }
    bench.gpu.run(bench.work, commands)?;
    let read = bench.gpu.read(bench.work, &[&ends])?;
    let (words, _) = read[0].as_chunks::<4>();
    let expected = ((piece_bytes / 4 - 1) as u32).wrapping_mul(PATTERN);
    Ok(words.iter().all(|word| u32::from_le_bytes(*word) == expected))
}
