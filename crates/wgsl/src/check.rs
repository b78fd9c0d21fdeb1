//! A task with its inputs and shaders, made ready to run.

use std::collections::HashMap;

use lull_runtime_api::{Limits, TaskInput};
use lull_types::BlobHash;
use lull_types::wgsl::{WgslBufferRole, WgslInit, WgslTask};

use crate::fault::TaskError;
use crate::shader::{Access, Shader};
use crate::shape::{malformed, shape};

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
    let task = shape(payload, bounds.buffer_bytes_max)?;
    let blobs = check_inputs(&task, inputs)?;
    let mut shaders = Vec::with_capacity(task.shaders.len());
    for (position, source) in task.shaders.iter().enumerate() {
        shaders.push(Shader::parse(position, source)?);
    }
    let plans = (0..task.dispatches.len()).map(|position| plan(&task, &shaders, position));
    let plans = plans.collect::<Result<_, _>>()?;
    Ok(CheckedTask { plans, blobs, task })
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
