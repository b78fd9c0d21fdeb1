//! What all measures share: the device, the clock, calibration, sampling and progress.

use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_types::{DeviceKind, Measure, Measurement};

use super::BenchmarkError;
use crate::adapters::FoundAdapter;
use crate::gpu::{Gpu, GpuError};
use crate::work::{Step, Work};

/// Aim for one timed submission: long against the cost of submitting, well below the 100 ms that a desktop feels.
const DISPATCH_AIM: Duration = Duration::from_millis(25);
/// A calibration that got this near to the aim is good enough.
const DISPATCH_ENOUGH: Duration = Duration::from_millis(15);
/// Samples of one measure: quartiles do not get better after that.
const SAMPLES_MAX: usize = 100;
/// Samples that a measure takes even when its time is over.
const SAMPLES_MIN: usize = 5;
/// Share of a measure's time in which clocks and caches settle and samples are thrown away.
const WARM_UP_SHARE: f64 = 0.1;
/// Time between two tellings of progress: a number that moves eight times a second looks live.
const PROGRESS_EVERY: Duration = Duration::from_millis(120);
/// What measures ask for, where it is there.
const FEATURES: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SHADER_F16)
    .union(wgpu::Features::SHADER_F64)
    .union(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
/// Bytes of two timestamps.
const TIMESTAMPS_BYTES: u64 = 16;

/// A device under measurement.
pub struct Bench<'a> {
    /// The device.
    pub gpu: Gpu,
    /// Surroundings.
    pub work: &'a Work,
    /// What sort of device it is, which decides sizes.
    pub kind: DeviceKind,
    /// Memory of its own, where known.
    pub vram_bytes: Option<u64>,
    /// Limits of the opened device.
    pub limits: wgpu::Limits,
    /// What the adapter does with its matrix units.
    pub matrix_units: Vec<wgpu::CooperativeMatrixProperties>,
    /// Invocations of its largest subgroup.
    pub subgroup_size: u32,
    features: wgpu::Features,
    timestamps: Option<Timestamps>,
    progress: Progress,
}

struct Timestamps {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    mappable: wgpu::Buffer,
    period_ns: f64,
}

struct Progress {
    measure: Measure,
    /// Of the whole, at the beginning and at the end of the measure.
    bounds: [f32; 2],
    started: Instant,
    share: Duration,
    told: Instant,
    fraction: f32,
    best: Option<f64>,
}

impl<'a> Bench<'a> {
    /// Opens a device with all that it can do.
    pub fn open(adapter: &FoundAdapter, work: &'a Work) -> Result<Self, GpuError> {
        let able = adapter.adapter.limits();
        // Nothing else of the limits is raised: the kernels are written for what every device has.
        let limits = wgpu::Limits {
            max_buffer_size: able.max_buffer_size,
            max_storage_buffer_binding_size: able.max_storage_buffer_binding_size,
            ..wgpu::Limits::default()
        };
        let mut features = adapter.adapter.features() & FEATURES;
        let mut opened = Gpu::open(adapter, features, limits.clone());
        let experimental = features & wgpu::Features::all_experimental_mask();
        if opened.is_err() && !experimental.is_empty() {
            features = features.difference(experimental);
            opened = Gpu::open(adapter, features, limits.clone());
        }
        let gpu = opened?;
        let has_timestamps = features.contains(wgpu::Features::TIMESTAMP_QUERY);
        let timestamps = if has_timestamps { Some(Timestamps::new(&gpu)?) } else { None };
        let now = Instant::now();
        let progress = Progress {
            measure: Measure::Fp32Peak,
            bounds: [0.0, 1.0],
            started: now,
            share: Duration::ZERO,
            told: now,
            fraction: 0.0,
            best: None,
        };
        let (kind, vram_bytes) = (adapter.info.kind, adapter.info.vram_bytes);
        let matrix_units = adapter.adapter.cooperative_matrix_properties();
        let subgroup_size = adapter.adapter.get_info().subgroup_max_size;
        let bench = Self {
            gpu,
            work,
            kind,
            vram_bytes,
            limits,
            matrix_units,
            subgroup_size,
            features,
            timestamps,
            progress,
        };
        Ok(bench)
    }

    /// Begins a measure, which should take `share` of time and brings the whole from one bound to the other.
    pub fn begin(&mut self, measure: Measure, bounds: [f32; 2], share: Duration) {
        let now = Instant::now();
        let fraction = self.progress.fraction;
        self.progress = Progress { measure, bounds, started: now, share, told: now, fraction, best: None };
        self.tell();
    }

    /// Whether the opened device can do this.
    pub fn has(&self, features: wgpu::Features) -> bool {
        self.features.contains(features)
    }

    /// How long the measure has left.
    pub fn left(&self) -> Duration {
        self.progress.share.saturating_sub(self.progress.started.elapsed())
    }

    /// Keeps a share of the measure's time for what comes after its samples; [`Self::release`] gives it back.
    pub fn reserve(&mut self, share: f64) -> Duration {
        let reserved = self.progress.share.mul_f64(share);
        self.progress.share -= reserved;
        reserved
    }

    /// Gives back what was kept.
    pub fn release(&mut self, reserved: Duration) {
        self.progress.share += reserved;
    }

    /// Whether more than this share of the measure's time is used.
    pub fn is_past(&self, share: f64) -> bool {
        self.progress.started.elapsed() > self.progress.share.mul_f64(share)
    }

    /// The clock, in words.
    pub fn clock(&self) -> &'static str {
        if self.timestamps.is_some() { "GPU timestamps" } else { "wall clock of each submission" }
    }

    /// Gives a hung device up.
    pub fn abandon(self) {
        self.gpu.abandon();
    }

    /// Compiles an entry point without the checks that jobs get: it is our own, and the checks would be measured.
    #[allow(
        unsafe_code,
        reason = "unchecked shader modules are unsafe; these kernels are ours and stay in bounds"
    )]
    pub fn kernel(&self, source: &str, entry: &str) -> Result<wgpu::ComputePipeline, BenchmarkError> {
        self.go_on()?;
        let pipeline = self.work.step(Step::Compile, || {
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(entry),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            };
            // SAFETY: the kernels index within their buffers, whose sizes their measures set, and all loops end.
            let module = unsafe {
                let checks = wgpu::ShaderRuntimeChecks::unchecked();
                self.gpu.device.create_shader_module_trusted(descriptor, checks)
            };
            self.gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &[],
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
        });
        self.gpu.check()?;
        Ok(pipeline)
    }

    /// Binds buffers to consecutive bindings of group 0, from `first`.
    pub fn bind(
        &self,
        kernel: &wgpu::ComputePipeline,
        first: u32,
        buffers: &[&wgpu::Buffer],
    ) -> Result<wgpu::BindGroup, GpuError> {
        let placed: Vec<_> = (first..).zip(buffers.iter().copied()).collect();
        self.bind_at(kernel, &placed)
    }

    /// Binds buffers to bindings of group 0.
    pub fn bind_at(
        &self,
        kernel: &wgpu::ComputePipeline,
        buffers: &[(u32, &wgpu::Buffer)],
    ) -> Result<wgpu::BindGroup, GpuError> {
        let entries: Vec<_> = buffers
            .iter()
            .map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding: *binding,
                resource: buffer.as_entire_binding(),
            })
            .collect();
        let group = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &kernel.get_bind_group_layout(0),
            entries: &entries,
        });
        self.gpu.check()?;
        Ok(group)
    }

    /// Runs a kernel once, with `words` in its parameters, and tells how long the GPU took.
    pub fn time(
        &self,
        kernel: &wgpu::ComputePipeline,
        group: &wgpu::BindGroup,
        parameters: (&wgpu::Buffer, [u32; 4]),
        workgroups: (u32, u32),
    ) -> Result<Duration, BenchmarkError> {
        self.go_on()?;
        let (buffer, words) = parameters;
        self.gpu.queue.write_buffer(buffer, 0, words.map(u32::to_le_bytes).as_flattened());
        let mut commands = self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: self.timestamps.as_ref().map(|timestamps| wgpu::ComputePassTimestampWrites {
                query_set: &timestamps.queries,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            }),
        });
        pass.set_pipeline(kernel);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(workgroups.0, workgroups.1, 1);
        drop(pass);
        if let Some(timestamps) = &self.timestamps {
            commands.resolve_query_set(&timestamps.queries, 0..2, &timestamps.resolved, 0);
            commands.copy_buffer_to_buffer(
                &timestamps.resolved,
                0,
                &timestamps.mappable,
                0,
                TIMESTAMPS_BYTES,
            );
        }
        let submitted = Instant::now();
        self.gpu.run(self.work, commands)?;
        let wall = submitted.elapsed();
        let Some(timestamps) = &self.timestamps else { return Ok(wall) };
        let on_gpu = timestamps.read(&self.gpu, self.work)?;
        // Some drivers' counters stand still or jump; a submission cannot take longer than was waited for it.
        Ok(on_gpu.filter(|time| *time <= wall).unwrap_or(wall))
    }

    /// Finds an amount of work, from 1 to `amount_max`, that takes about [`DISPATCH_AIM`]. Also discards the first
    /// dispatch, in which drivers finish compiling.
    pub fn calibrate(
        &mut self,
        amount_max: u32,
        mut time: impl FnMut(&Self, u32) -> Result<Duration, BenchmarkError>,
    ) -> Result<u32, BenchmarkError> {
        time(self, 1)?;
        let mut amount = 1u32;
        loop {
            let took = time(self, amount)?;
            self.tell_if_due();
            if took >= DISPATCH_ENOUGH || amount >= amount_max {
                return Ok(amount);
            }
            // By at most ten times, as the cost of an empty dispatch hides how long the work takes.
            let growth = (DISPATCH_AIM.as_secs_f64() / took.as_secs_f64().max(1e-6)).clamp(1.2, 10.0);
            amount = ((f64::from(amount) * growth).ceil() as u32).min(amount_max);
        }
    }

    /// Warms up, then samples until the measure's time is over.
    pub fn sample(
        &mut self,
        mut value: impl FnMut(&Self) -> Result<f64, BenchmarkError>,
    ) -> Result<Vec<f64>, BenchmarkError> {
        let warm_until = Instant::now() + self.left().mul_f64(WARM_UP_SHARE);
        while Instant::now() < warm_until {
            let warm = value(self)?;
            self.note(warm);
        }
        let mut samples = Vec::new();
        while samples.len() < SAMPLES_MIN || (samples.len() < SAMPLES_MAX && !self.left().is_zero()) {
            let sample = value(self)?;
            self.note(sample);
            samples.push(sample);
        }
        Ok(samples)
    }

    /// Takes a value into the best so far, and tells progress if it is due.
    pub fn note(&mut self, value: f64) {
        let is_better_lower = self.progress.measure.is_better_lower();
        let better = |best: f64| if is_better_lower { best.min(value) } else { best.max(value) };
        self.progress.best = Some(self.progress.best.map_or(value, better));
        self.tell_if_due();
    }

    /// Tells progress if it is due.
    pub fn tell_if_due(&mut self) {
        if self.progress.told.elapsed() >= PROGRESS_EVERY {
            self.tell();
        }
    }

    fn tell(&mut self) {
        let progress = &mut self.progress;
        let spent = progress.started.elapsed().as_secs_f32();
        let of_measure = (spent / progress.share.as_secs_f32().max(0.001)).min(1.0);
        let [first, last] = progress.bounds;
        let fraction = (first + (last - first) * of_measure).min(1.0);
        // A bar that goes back looks broken.
        progress.fraction = progress.fraction.max(fraction);
        progress.told = Instant::now();
        self.work.emit(RuntimeEvent::BenchmarkProgress {
            measure: progress.measure,
            fraction: progress.fraction,
            value_so_far: progress.best,
        });
    }

    /// The measurement that samples make.
    pub fn measurement(&self, samples: Vec<f64>, method: String, correct: bool) -> Measurement {
        Measurement::new(self.progress.measure, samples, method, correct)
    }

    /// An encoder for one submission.
    pub fn commands(&self) -> wgpu::CommandEncoder {
        self.gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
    }

    /// Fails once the worker has asked to stop.
    pub fn go_on(&self) -> Result<(), BenchmarkError> {
        if self.work.is_cancelled() { Err(BenchmarkError::Cancelled) } else { Ok(()) }
    }
}

impl Timestamps {
    fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        let queries = gpu.device.create_query_set(&wgpu::QuerySetDescriptor {
            label: None,
            ty: wgpu::QueryType::Timestamp,
            count: 2,
        });
        let resolved = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let mappable = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ;
        Ok(Self {
            queries,
            resolved: gpu.buffer(TIMESTAMPS_BYTES, resolved)?,
            mappable: gpu.buffer(TIMESTAMPS_BYTES, mappable)?,
            period_ns: gpu.queue.get_timestamp_period().into(),
        })
    }

    /// The time between the two, unless they make no sense.
    fn read(&self, gpu: &Gpu, work: &Work) -> Result<Option<Duration>, GpuError> {
        let bytes = gpu.read_mappable(work, &self.mappable)?;
        let (ticks, _) = bytes.as_chunks::<8>();
        let (start, end) = (u64::from_le_bytes(ticks[0]), u64::from_le_bytes(ticks[1]));
        let ns = end.checked_sub(start).map_or(0.0, |ticks| ticks as f64 * self.period_ns);
        Ok((ns >= 1.0).then(|| Duration::from_nanos(ns as u64)))
    }
}
