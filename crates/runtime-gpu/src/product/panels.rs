//! All panels of a product, one after the other, without the processor between them.
//!
//! Several panels go into one submission, as many as take about half of [`SUBMISSIONS_AIM`], and while the device works on one
//! submission the digests of the last are hashed and the next is recorded. A device that is fast enough to multiply in
//! a millisecond would otherwise wait for the processor as long as it works.

use std::time::{Duration, Instant};

use lull_checks::product::{DIGEST_BYTES, Matrix};

use super::{FILL_LANES, Helpers, Matrices, Multiplier};
use crate::benchmark::{Bench, BenchmarkError};

/// Aim for the two submissions that are under way at a time: a cancel waits for both, and a desktop has its turn between
/// them.
const SUBMISSIONS_AIM: Duration = Duration::from_millis(40);
/// Panels of one submission: the digests of so many are kept on the device.
const PANELS_AT_ONCE: u32 = 64;
/// Bytes of what a kernel is told.
const PARAMETERS_BYTES: u64 = 16;

/// What panels are computed with.
pub struct Panels<'a> {
    bench: &'a Bench<'a>,
    helpers: &'a Helpers,
    by: &'a Multiplier,
    matrices: &'a Matrices,
    multiply: wgpu::BindGroup,
    batches: [Batch; 2],
}

/// The panels of one submission.
struct Batch {
    /// The keys of each panel.
    parameters: Vec<wgpu::Buffer>,
    fill: Vec<wgpu::BindGroup>,
    digest: wgpu::BindGroup,
    /// Of the present panel, then of all.
    digests: wgpu::Buffer,
    mappable: wgpu::Buffer,
}

/// A submission that is under way.
struct Submitted {
    panels: u32,
    index: wgpu::SubmissionIndex,
    at: Instant,
}

impl<'a> Panels<'a> {
    /// Makes all that is needed, once for all panels.
    pub fn new(
        bench: &'a Bench<'a>,
        helpers: &'a Helpers,
        by: &'a Multiplier,
        matrices: &'a Matrices,
    ) -> Result<Self, BenchmarkError> {
        let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let side = bench.gpu.buffer(PARAMETERS_BYTES, uniform)?;
        let words = [matrices.product.side, 0, 0, 0];
        bench.gpu.queue.write_buffer(&side, 0, words.map(u32::to_le_bytes).as_flattened());
        let buffers = [(0, &side), (1, &matrices.a), (2, &matrices.b), (3, &matrices.c)];
        let multiply = bench.bind_at(&by.kernel, &buffers)?;
        let panels = matrices.product.panels.min(PANELS_AT_ONCE);
        let batch = || Batch::new(bench, helpers, matrices, &side, panels);
        let batches = [batch()?, batch()?];
        Ok(Self { bench, helpers, by, matrices, multiply, batches })
    }

    /// Computes all of them and gives each panel's digests, in order.
    pub fn digest_all(&self, mut take: impl FnMut(&[u8])) -> Result<(), BenchmarkError> {
        let all = self.matrices.product.panels;
        let (mut begun, mut at_once) = (0, 1);
        let mut under_way: Option<(Submitted, &Batch)> = None;
        for batch in self.batches.iter().cycle() {
            self.bench.go_on()?;
            let panels = at_once.min(all - begun).min(PANELS_AT_ONCE);
            let next = (panels > 0).then(|| self.submit(batch, begun, panels));
            begun += panels;
            if let Some((submitted, batch)) = under_way.take() {
                let Submitted { panels, index, at } = submitted;
                let digests = self.bench.gpu.read_after(self.bench.work, &batch.mappable, Some(index))?;
                // Half of it may have been spent waiting for the one before, so that two take the aim together.
                let each = at.elapsed().as_secs_f64().max(1e-6) / f64::from(panels);
                at_once = ((SUBMISSIONS_AIM.as_secs_f64() / each).max(1.0) as u32).min(panels * 4);
                let row_bytes = self.matrices.product.side as usize * DIGEST_BYTES;
                digests.chunks(row_bytes).take(panels as usize).for_each(&mut take);
            }
            match next {
                Some(submitted) => under_way = Some((submitted, batch)),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    fn submit(&self, batch: &Batch, first: u32, panels: u32) -> Submitted {
        let side = self.matrices.product.side;
        let tiles = side / self.by.variant.tile();
        let row_bytes = u64::from(side) * DIGEST_BYTES as u64;
        let mut commands = self.bench.commands();
        for ((at, parameters), fill) in (0..panels).zip(&batch.parameters).zip(&batch.fill) {
            let [one, two] = self.matrices.product.keys(Matrix::A { panel: first + at });
            let words = [side, one, two, 0].map(u32::to_le_bytes);
            self.bench.gpu.queue.write_buffer(parameters, 0, words.as_flattened());
            let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(&self.helpers.fill);
            pass.set_bind_group(0, fill, &[]);
            pass.dispatch_workgroups((side * side / 4).div_ceil(FILL_LANES), 1, 1);
            pass.set_pipeline(&self.by.kernel);
            pass.set_bind_group(0, &self.multiply, &[]);
            pass.dispatch_workgroups(tiles, tiles, 1);
            pass.set_pipeline(&self.helpers.digest);
            pass.set_bind_group(0, &batch.digest, &[]);
            pass.dispatch_workgroups(side, 1, 1);
            drop(pass);
            let to = u64::from(at) * row_bytes;
            commands.copy_buffer_to_buffer(&batch.digests, 0, &batch.mappable, to, row_bytes);
        }
        let at = Instant::now();
        Submitted { panels, index: self.bench.gpu.submit(self.bench.work, commands), at }
    }
}

impl Batch {
    fn new(
        bench: &Bench<'_>,
        helpers: &Helpers,
        matrices: &Matrices,
        side: &wgpu::Buffer,
        panels: u32,
    ) -> Result<Self, BenchmarkError> {
        let row_bytes = u64::from(matrices.product.side) * DIGEST_BYTES as u64;
        let storage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let digests = bench.gpu.buffer(row_bytes, storage)?;
        let copied = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let mappable = bench.gpu.buffer(row_bytes * u64::from(panels), copied)?;
        let digest = bench.bind_at(&helpers.digest, &[(0, side), (2, &matrices.c), (3, &digests)])?;
        let (mut parameters, mut fill) = (Vec::new(), Vec::new());
        for _ in 0..panels {
            let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let keys = bench.gpu.buffer(PARAMETERS_BYTES, uniform)?;
            fill.push(bench.bind(&helpers.fill, 0, &[&keys, &matrices.a])?);
            parameters.push(keys);
        }
        Ok(Self { parameters, fill, digest, digests, mappable })
    }
}
