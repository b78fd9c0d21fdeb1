//! The shape of a task: its counts, sizes and references, without its inputs and without a look into its shaders.

use lull_types::wgsl::{SLICE_GROUP, WgslBufferRole, WgslInit, WgslTask, limits};

use crate::fault::TaskError;

/// A uniform buffer that every device can bind: the default of WebGPU.
const UNIFORM_BYTES_MAX: u64 = 64 * 1024;

/// Reads a task's description and checks its shape; its buffers take `buffer_bytes_max` in all at most, and never
/// more than the kind's own limit.
pub fn shape(payload: &[u8], buffer_bytes_max: u64) -> Result<WgslTask, TaskError> {
    at_most("the description's length in bytes", payload.len() as u64, limits::PAYLOAD_BYTES_MAX as u64)?;
    let task: WgslTask =
        serde_json::from_slice(payload).map_err(|error| TaskError::Malformed(error.to_string()))?;
    check_counts(&task)?;
    check_buffers(&task, buffer_bytes_max)?;
    check_bindings(&task)?;
    check_outputs(&task)?;
    Ok(task)
}

pub(crate) fn at_most(what: &'static str, value: u64, max: u64) -> Result<(), TaskError> {
    if value <= max { Ok(()) } else { Err(TaskError::LimitExceeded { what, value, max }) }
}

pub(crate) fn malformed(reason: impl Into<String>) -> TaskError {
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

fn check_buffers(task: &WgslTask, buffer_bytes_max: u64) -> Result<(), TaskError> {
    let total_max = limits::BUFFER_BYTES_TOTAL_MAX.min(buffer_bytes_max);
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

fn check_bindings(task: &WgslTask) -> Result<(), TaskError> {
    for (position, dispatch) in task.dispatches.iter().enumerate() {
        let mismatch = |reason: String| Err(TaskError::BindingMismatch { dispatch: position, reason });
        for binding in &dispatch.bindings {
            let place = format!("group {}, binding {}", binding.group, binding.binding);
            if binding.group >= SLICE_GROUP {
                return mismatch(format!("{place}: jobs use groups below {SLICE_GROUP}"));
            }
            if binding.buffer as usize >= task.buffers.len() {
                return mismatch(format!("{place}: there is no buffer {}", binding.buffer));
            }
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
