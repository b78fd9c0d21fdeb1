//! A checked task on a device.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use lull_runtime_api::{Limits, RunOutcome, RuntimeEvent};
use lull_types::BlobHash;
use lull_types::wgsl::{SLICE_BINDING, SLICE_GROUP, SLICE_UNIFORM_BYTES, WgslBufferRole, WgslInit};
use lull_wgsl::{Access, CheckedTask, DispatchPlan, PlannedBinding, TaskError};

use super::error::RunError;
use super::session::{Kernel, KernelKey, Session};
use super::slicing::Slicer;
use crate::adapters::FoundAdapter;
use crate::gpu::{Gpu, GpuError};
use crate::work::{Step, Work};

/// Time between two tellings of progress: a bar that moves four times a second looks alive.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);

/// Runs a task to its end, in the session of an earlier task if it can. A session in which something went wrong with
/// the device is not used again.
pub fn run(
    adapter: &FoundAdapter,
    kept: &mut Option<Session>,
    task: &CheckedTask<'_>,
    limits: &Limits,
    work: &Work,
) -> Result<RunOutcome, RunError> {
    let started = Instant::now();
    check_size(adapter, task)?;
    let mut session = match kept.take().filter(|session| session.is_with(adapter)) {
        Some(session) => session,
        None => work.step(Step::Submission, || Session::open(adapter))?,
    };
    let result = Run { task, limits, work, started, rested: Cell::default() }.whole(&mut session);
    match &result {
        Err(RunError::Gpu(error)) if error.ends_process() => session.gpu.abandon(),
        Err(RunError::Gpu(_)) => (),
        Ok(_) | Err(RunError::Task(_) | RunError::Cancelled) => {
            // The task's buffers are let go of by now, and this frees them.
            work.step(Step::Submission, || session.gpu.device.poll(wgpu::PollType::Poll))
                .map_err(|error| GpuError::Internal(error.to_string()))?;
            *kept = Some(session);
        }
    }
    result
}

fn check_size(adapter: &FoundAdapter, task: &CheckedTask<'_>) -> Result<(), GpuError> {
    let largest = task.task.buffers.iter().map(|buffer| buffer.bytes).max().unwrap_or(0);
    let able = adapter.adapter.limits();
    let able = able.max_buffer_size.min(able.max_storage_buffer_binding_size);
    if largest > able {
        return Err(GpuError::TooSmall(format!("a buffer has {largest} bytes, and it can bind {able}")));
    }
    Ok(())
}

struct Run<'a> {
    task: &'a CheckedTask<'a>,
    limits: &'a Limits,
    work: &'a Work,
    started: Instant,
    /// How long it has rested.
    rested: Cell<Duration>,
}

impl Run<'_> {
    fn whole(&self, session: &mut Session) -> Result<RunOutcome, RunError> {
        let buffers = self.buffers(&session.gpu)?;
        let uniform_usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        let slice_uniform = session.gpu.buffer(SLICE_UNIFORM_BYTES, uniform_usage)?;
        let keys = self.work.step(Step::Compile, || self.compile(session))?;
        self.go_on()?;
        let (gpu, kernels) = (&session.gpu, &mut session.kernels);
        let mut slicers: HashMap<&KernelKey, Slicer> = HashMap::new();

        let first_submission = Instant::now();
        let total: u64 = self.task.plans.iter().map(|plan| u64::from(plan.workgroups)).sum();
        let (mut done, mut slices, mut longest) = (0u64, 0u32, Duration::ZERO);
        let mut told = Instant::now();
        for (plan, key) in self.task.plans.iter().zip(&keys) {
            let Some(kernel) = kernels.get_mut(key) else {
                return Err(GpuError::Internal("a kernel is missing".to_owned()).into());
            };
            let slicer = slicers
                .entry(key)
                .or_insert_with(|| Slicer::new(self.limits.slice_ms_target, kernel.has_run));
            let groups = bind_groups(gpu, plan, kernel, &buffers, &slice_uniform)?;
            let mut first = 0;
            while first < plan.workgroups {
                self.go_on()?;
                let count = slicer.next(plan.workgroups - first);
                let slice = [first, plan.workgroups, 0, 0].map(u32::to_le_bytes);
                gpu.queue.write_buffer(&slice_uniform, 0, slice.as_flattened());
                let submitted = Instant::now();
                gpu.run(self.work, commands(gpu, &kernel.pipeline, &groups, count))?;
                kernel.has_run = true;
                let time = submitted.elapsed();
                longest = longest.max(time);
                slices += 1;
                first += count;
                done += u64::from(count);
                slicer.took(count, time).map_err(|time| TaskError::SliceTooLong { ms: ms(time) })?;
                if told.elapsed() >= PROGRESS_EVERY {
                    told = Instant::now();
                    let fraction = done as f32 / total as f32;
                    self.work.emit(RuntimeEvent::RunProgress { fraction });
                }
                self.rested.set(self.rested.get() + self.work.rest_after(time));
            }
        }
        let outputs: Vec<&wgpu::Buffer> =
            self.task.task.outputs.iter().map(|&output| &buffers[output as usize]).collect();
        let outputs = gpu.read(self.work, &outputs)?;
        self.go_on()?;
        Ok(RunOutcome::Done {
            outputs,
            ran_ms: ms(first_submission.elapsed().saturating_sub(self.rested.get())),
            slices,
            slice_ms_max: ms(longest).try_into().unwrap_or(u32::MAX),
        })
    }

    /// Whether to go on: neither cancelled nor over time.
    fn go_on(&self) -> Result<(), RunError> {
        if self.work.is_cancelled() {
            return Err(RunError::Cancelled);
        }
        let ms_max = self.limits.run_ms_max;
        if ms(self.started.elapsed().saturating_sub(self.rested.get())) > ms_max {
            return Err(TaskError::RunTooLong { ms_max }.into());
        }
        Ok(())
    }

    /// The task's buffers with their first content. Filling is submitted by itself, as it would make the first
    /// slice look long.
    fn buffers(&self, gpu: &Gpu) -> Result<Vec<wgpu::Buffer>, RunError> {
        let mut commands = encoder(gpu);
        let mut buffers = Vec::with_capacity(self.task.task.buffers.len());
        for description in &self.task.task.buffers {
            let role = match description.role {
                WgslBufferRole::Uniform => wgpu::BufferUsages::UNIFORM,
                WgslBufferRole::ReadOnly => wgpu::BufferUsages::STORAGE,
                WgslBufferRole::ReadWrite => wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
            };
            let buffer = gpu.buffer(description.bytes, role | wgpu::BufferUsages::COPY_DST)?;
            match &description.init {
                WgslInit::Zero => commands.clear_buffer(&buffer, 0, None),
                WgslInit::Words(words) => {
                    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
                    gpu.queue.write_buffer(&buffer, 0, &bytes);
                }
                WgslInit::Blob(hash) => {
                    let blob = self.task.blobs.get(hash).ok_or(TaskError::InputMissing(*hash))?;
                    // Writes are whole words; the last one of an odd blob is filled up with zeroes.
                    let (words, rest) = blob.split_at(blob.len() / 4 * 4);
                    gpu.queue.write_buffer(&buffer, 0, words);
                    if !rest.is_empty() {
                        let mut word = [0; 4];
                        word[..rest.len()].copy_from_slice(rest);
                        gpu.queue.write_buffer(&buffer, words.len() as u64, &word);
                    }
                }
            }
            self.go_on()?;
            buffers.push(buffer);
        }
        gpu.run(self.work, commands)?;
        Ok(buffers)
    }

    /// Compiles what is not yet compiled, and tells the kernel of each dispatch.
    fn compile(&self, session: &mut Session) -> Result<Vec<KernelKey>, RunError> {
        let hashes: Vec<_> =
            self.task.task.shaders.iter().map(|source| BlobHash::of(source.as_bytes())).collect();
        let keys: Vec<KernelKey> =
            self.task.plans.iter().map(|plan| (hashes[plan.shader], plan.entry.clone())).collect();
        session.make_room(keys.iter().collect::<HashSet<_>>().len());
        let mut modules: HashMap<usize, wgpu::ShaderModule> = HashMap::new();
        for (plan, key) in self.task.plans.iter().zip(&keys) {
            self.go_on()?;
            if session.kernels.contains_key(key) {
                continue;
            }
            // Checked modules: bounds checks and loop bounds stay on for what strangers wrote.
            let module = modules.entry(plan.shader).or_insert_with(|| {
                session.gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: None,
                    source: wgpu::ShaderSource::Wgsl(self.task.task.shaders[plan.shader].as_str().into()),
                })
            });
            session.kernels.insert(key.clone(), compile_kernel(&session.gpu, plan, module)?);
        }
        Ok(keys)
    }
}

fn compile_kernel(gpu: &Gpu, plan: &DispatchPlan, module: &wgpu::ShaderModule) -> Result<Kernel, RunError> {
    let layouts: Vec<_> = (0..=SLICE_GROUP).map(|group| layout(gpu, group, &plan.bindings)).collect();
    let layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: &layouts.iter().map(Option::as_ref).collect::<Vec<_>>(),
        immediate_size: 0,
    });
    let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: None,
        layout: Some(&layout),
        module,
        entry_point: Some(&plan.entry),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &[],
            // Else a job could read what another program left in the GPU's memory.
            zero_initialize_workgroup_memory: true,
        },
        cache: None,
    });
    match gpu.check() {
        // Valid to naga, but not to wgpu or the driver: no other device will do better.
        Err(GpuError::Refused(reason)) => Err(TaskError::Invalid { shader: plan.shader, reason }.into()),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(Kernel { pipeline, layouts, has_run: false }),
    }
}

fn layout(gpu: &Gpu, group: u32, bindings: &[PlannedBinding]) -> Option<wgpu::BindGroupLayout> {
    let entry = |binding, access| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty: match access {
                Access::Uniform => wgpu::BufferBindingType::Uniform,
                Access::Read => wgpu::BufferBindingType::Storage { read_only: true },
                Access::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    };
    let entries: Vec<_> = if group == SLICE_GROUP {
        vec![entry(SLICE_BINDING, Access::Uniform)]
    } else {
        let own = bindings.iter().filter(|b| b.group == group);
        own.map(|b| entry(b.binding, b.access)).collect()
    };
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: None, entries: &entries };
    (!entries.is_empty()).then(|| gpu.device.create_bind_group_layout(&descriptor))
}

fn bind_groups(
    gpu: &Gpu,
    plan: &DispatchPlan,
    kernel: &Kernel,
    buffers: &[wgpu::Buffer],
    slice_uniform: &wgpu::Buffer,
) -> Result<Vec<(u32, wgpu::BindGroup)>, GpuError> {
    let mut groups = Vec::new();
    for (group, layout) in (0..).zip(&kernel.layouts) {
        let Some(layout) = layout else { continue };
        let entries: Vec<_> = if group == SLICE_GROUP {
            vec![wgpu::BindGroupEntry { binding: SLICE_BINDING, resource: slice_uniform.as_entire_binding() }]
        } else {
            let own = plan.bindings.iter().filter(|b| b.group == group);
            own.map(|b| wgpu::BindGroupEntry {
                binding: b.binding,
                resource: buffers[b.buffer].as_entire_binding(),
            })
            .collect()
        };
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
        groups.push((group, gpu.device.create_bind_group(&descriptor)));
    }
    gpu.check()?;
    Ok(groups)
}

fn commands(
    gpu: &Gpu,
    pipeline: &wgpu::ComputePipeline,
    groups: &[(u32, wgpu::BindGroup)],
    workgroups: u32,
) -> wgpu::CommandEncoder {
    let mut commands = encoder(gpu);
    let mut pass = commands.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(pipeline);
    for (group, bind_group) in groups {
        pass.set_bind_group(*group, bind_group, &[]);
    }
    pass.dispatch_workgroups(workgroups, 1, 1);
    drop(pass);
    commands
}

fn encoder(gpu: &Gpu) -> wgpu::CommandEncoder {
    gpu.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default())
}

fn ms(time: Duration) -> u64 {
    time.as_millis().try_into().unwrap_or(u64::MAX)
}
