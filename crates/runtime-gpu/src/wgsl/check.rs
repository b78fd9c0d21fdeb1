//! All that can be known of a task before it touches a device. Pure.

use std::collections::HashMap;

use lull_runtime_api::{Limits, TaskInput};
use lull_types::BlobHash;
use lull_types::wgsl::{SLICE_GROUP, WgslBufferRole, WgslInit, WgslTask, limits};

use super::fault::TaskError;
use super::shader::{Access, Shader};

/// A uniform buffer that every device can bind: the default of WebGPU.
const UNIFORM_BYTES_MAX: u64 = 64 * 1024;

/// A task that keeps to every limit and whose parts fit each other.
pub struct CheckedTask<'a> {
    /// The task.
    pub task: WgslTask,
    /// What to run, in order.
    pub plans: Vec<DispatchPlan>,
    /// The input blobs.
    pub blobs: HashMap<BlobHash, &'a [u8]>,
}

/// One dispatch and exactly the bindings that its entry point uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchPlan {
    /// Position of the shader.
    pub shader: usize,
    /// Entry point.
    pub entry: String,
    /// Bindings, by group and binding.
    pub bindings: Vec<PlannedBinding>,
    /// Workgroups in all.
    pub workgroups: u32,
}

/// A buffer as an entry point uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedBinding {
    /// Group.
    pub group: u32,
    /// Binding in the group.
    pub binding: u32,
    /// Position of the buffer.
    pub buffer: usize,
    /// What the shader does with it.
    pub access: Access,
}

/// Checks a task: its size first, then its shape, its inputs, and last its shaders, which cost the most to check.
pub fn check<'a>(
    payload: &[u8],
    inputs: &'a [TaskInput],
    bounds: &Limits,
) -> Result<CheckedTask<'a>, TaskError> {
    at_most("the description's length in bytes", payload.len() as u64, limits::PAYLOAD_BYTES_MAX as u64)?;
    let task: WgslTask =
        serde_json::from_slice(payload).map_err(|error| TaskError::Malformed(error.to_string()))?;
    check_counts(&task)?;
    check_buffers(&task, bounds)?;
    check_outputs(&task)?;
    let blobs = check_inputs(&task, inputs)?;
    let mut shaders = Vec::with_capacity(task.shaders.len());
    for (position, source) in task.shaders.iter().enumerate() {
        shaders.push(Shader::parse(position, source)?);
    }
    let plans = (0..task.dispatches.len()).map(|position| plan(&task, &shaders, position));
    let plans = plans.collect::<Result<_, _>>()?;
    Ok(CheckedTask { plans, blobs, task })
}

fn at_most(what: &'static str, value: u64, max: u64) -> Result<(), TaskError> {
    if value <= max { Ok(()) } else { Err(TaskError::LimitExceeded { what, value, max }) }
}

fn malformed(reason: impl Into<String>) -> TaskError {
    TaskError::Malformed(reason.into())
}

fn check_counts(task: &WgslTask) -> Result<(), TaskError> {
    at_most("the number of shaders", task.shaders.len() as u64, limits::SHADERS_MAX as u64)?;
    at_most("the number of buffers", task.buffers.len() as u64, limits::BUFFERS_MAX as u64)?;
    at_most("the number of dispatches", task.dispatches.len() as u64, limits::DISPATCHES_MAX as u64)?;
    at_most("the number of outputs", task.outputs.len() as u64, limits::OUTPUTS_MAX as u64)?;
    for source in &task.shaders {
        at_most("the length of a shader in bytes", source.len() as u64, limits::SHADER_BYTES_MAX as u64)?;
    }
    if task.dispatches.is_empty() || task.outputs.is_empty() {
        return Err(malformed("it runs nothing or returns nothing"));
    }
    for dispatch in &task.dispatches {
        at_most("the number of workgroups", dispatch.workgroups.into(), limits::WORKGROUPS_MAX.into())?;
        let bindings = dispatch.bindings.len() as u64;
        at_most("the number of bindings of a dispatch", bindings, limits::BUFFERS_MAX as u64)?;
        if dispatch.workgroups == 0 {
            return Err(malformed("a dispatch has no workgroups"));
        }
        if dispatch.shader as usize >= task.shaders.len() {
            return Err(malformed(format!("there is no shader {}", dispatch.shader)));
        }
    }
    Ok(())
}

fn check_buffers(task: &WgslTask, bounds: &Limits) -> Result<(), TaskError> {
    let total_max = limits::BUFFER_BYTES_TOTAL_MAX.min(bounds.buffer_bytes_max);
    let mut total = 0u64;
    for (position, buffer) in task.buffers.iter().enumerate() {
        total = total.saturating_add(buffer.bytes);
        at_most("the size of all buffers in bytes", total, total_max)?;
        if buffer.bytes == 0 || !buffer.bytes.is_multiple_of(4) {
            return Err(malformed(format!("the size of buffer {position} is no multiple of 4 above zero")));
        }
        if buffer.role == WgslBufferRole::Uniform {
            at_most("the size of a uniform buffer in bytes", buffer.bytes, UNIFORM_BYTES_MAX)?;
        }
        if let WgslInit::Words(words) = &buffer.init
            && words.len() as u64 * 4 > buffer.bytes
        {
            return Err(malformed(format!("the content of buffer {position} is longer than the buffer")));
        }
    }
    Ok(())
}

fn check_outputs(task: &WgslTask) -> Result<(), TaskError> {
    let mut total = 0u64;
    for &output in &task.outputs {
        let buffer = task
            .buffers
            .get(output as usize)
            .ok_or_else(|| malformed(format!("there is no buffer {output} to return")))?;
        if buffer.role != WgslBufferRole::ReadWrite {
            return Err(malformed(format!("buffer {output} is returned but never written")));
        }
        total += buffer.bytes;
    }
    at_most("the size of all outputs in bytes", total, limits::OUTPUT_BYTES_TOTAL_MAX)
}

fn check_inputs<'a>(
    task: &WgslTask,
    inputs: &'a [TaskInput],
) -> Result<HashMap<BlobHash, &'a [u8]>, TaskError> {
    let mut blobs = HashMap::new();
    for input in inputs {
        if BlobHash::of(&input.bytes) != input.hash {
            return Err(TaskError::InputHashMismatch(input.hash));
        }
        blobs.insert(input.hash, input.bytes.as_slice());
    }
    for (position, buffer) in task.buffers.iter().enumerate() {
        if let WgslInit::Blob(hash) = buffer.init {
            let blob = blobs.get(&hash).ok_or(TaskError::InputMissing(hash))?;
            if blob.len() as u64 > buffer.bytes {
                return Err(malformed(format!("the input for buffer {position} is longer than the buffer")));
            }
        }
    }
    Ok(blobs)
}

fn plan(task: &WgslTask, shaders: &[Shader], position: usize) -> Result<DispatchPlan, TaskError> {
    let dispatch = &task.dispatches[position];
    let shader = dispatch.shader as usize;
    let mismatch = |reason: String| TaskError::BindingMismatch { dispatch: position, reason };

    let mut given: HashMap<(u32, u32), usize> = HashMap::new();
    for binding in &dispatch.bindings {
        let (group, number, buffer) = (binding.group, binding.binding, binding.buffer as usize);
        let place = format!("group {group}, binding {number}");
        if group >= SLICE_GROUP {
            return Err(mismatch(format!("{place}: jobs use groups below {SLICE_GROUP}")));
        }
        if buffer >= task.buffers.len() {
            return Err(mismatch(format!("{place}: there is no buffer {buffer}")));
        }
        if !shaders[shader].declares(group, number) {
            return Err(mismatch(format!("{place}: the shader has no such variable")));
        }
        if given.insert((group, number), buffer).is_some() {
            return Err(mismatch(format!("{place}: bound twice")));
        }
    }

    let entry = shaders[shader].entry(&dispatch.entry, position)?;
    let mut bindings = Vec::with_capacity(entry.variables.len());
    for variable in &entry.variables {
        let (group, binding) = (variable.group, variable.binding);
        let place = format!("group {group}, binding {binding}");
        let Some(&buffer) = given.get(&(group, binding)) else {
            return Err(mismatch(format!("{place}: the shader uses it, and nothing is bound")));
        };
        let bound = &task.buffers[buffer];
        let fits = match (variable.access, bound.role) {
            (Access::Uniform, WgslBufferRole::Uniform)
            | (Access::Read, WgslBufferRole::ReadOnly | WgslBufferRole::ReadWrite)
            | (Access::ReadWrite, WgslBufferRole::ReadWrite) => true,
            (Access::Uniform | Access::Read | Access::ReadWrite, _) => false,
        };
        if !fits {
            return Err(mismatch(format!(
                "{place}: the shader wants {:?}, buffer {buffer} is {:?}",
                variable.access, bound.role
            )));
        }
        if bound.bytes < variable.bytes_min {
            return Err(mismatch(format!(
                "{place}: the shader needs {} bytes, buffer {buffer} has {}",
                variable.bytes_min, bound.bytes
            )));
        }
        bindings.push(PlannedBinding { group, binding, buffer, access: variable.access });
    }
    for (i, a) in bindings.iter().enumerate() {
        let written = |b: &PlannedBinding| a.access == Access::ReadWrite || b.access == Access::ReadWrite;
        if bindings[..i].iter().any(|b| b.buffer == a.buffer && written(b)) {
            return Err(mismatch(format!("buffer {} is written and also bound elsewhere", a.buffer)));
        }
    }
    bindings.sort_by_key(|b| (b.group, b.binding));
    Ok(DispatchPlan { shader, entry: dispatch.entry.clone(), bindings, workgroups: dispatch.workgroups })
}
