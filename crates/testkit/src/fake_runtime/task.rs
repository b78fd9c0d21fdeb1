//! Reading a `wgsl/1` task as far as a fake needs it.

use std::time::Duration;

use lull_runtime_api::{Limits, TaskInput};
use lull_types::wgsl::{WgslTask, limits};
use lull_types::{BlobHash, Fault};

use super::Behaviour;

/// What a task comes to.
pub(super) struct Plan {
    payload: BlobHash,
    sizes: Vec<usize>,
    /// How long it pretends to compute.
    pub takes: Duration,
}

/// Checks what can be checked without compiling.
pub(super) fn plan(
    payload: &[u8],
    inputs: &[TaskInput],
    bounds: &Limits,
    behaviour: &Behaviour,
) -> Result<Plan, Fault> {
    let bad = |sentence: String| Fault::new("payload_invalid", sentence);
    if payload.len() > limits::PAYLOAD_BYTES_MAX {
        return Err(bad("the payload is too long".to_owned()));
    }
    let task: WgslTask =
        serde_json::from_slice(payload).map_err(|error| bad(format!("the payload is no task: {error}")))?;
    for input in inputs {
        if BlobHash::of(&input.bytes) != input.hash {
            return Err(bad(format!("the input {} has another hash", input.hash)));
        }
    }
    for hash in task.input_blobs() {
        if !inputs.iter().any(|input| input.hash == hash) {
            return Err(bad(format!("the input {hash} is missing")));
        }
    }
    let bytes_total = task.buffers.iter().try_fold(0_u64, |sum, buffer| sum.checked_add(buffer.bytes));
    if bytes_total.is_none_or(|bytes| bytes > bounds.buffer_bytes_max.min(limits::BUFFER_BYTES_TOTAL_MAX)) {
        return Err(bad("the buffers are too large".to_owned()));
    }
    let mut sizes = Vec::new();
    for &output in &task.outputs {
        let buffer = task.buffers.get(output as usize).ok_or_else(|| bad("no such output".to_owned()))?;
        sizes.push(usize::try_from(buffer.bytes).map_err(|error| bad(error.to_string()))?);
    }
    for dispatch in &task.dispatches {
        let bound = |b: &lull_types::wgsl::WgslBinding| task.buffers.get(b.buffer as usize).is_some();
        if task.shaders.get(dispatch.shader as usize).is_none() || !dispatch.bindings.iter().all(bound) {
            return Err(bad("a dispatch refers to what is not there".to_owned()));
        }
    }
    if sizes.iter().sum::<usize>() as u64 > limits::OUTPUT_BYTES_TOTAL_MAX {
        return Err(bad("the outputs are too large".to_owned()));
    }
    let workgroups: u64 = task.dispatches.iter().map(|dispatch| u64::from(dispatch.workgroups)).sum();
    let takes_ms = behaviour.run_ms + workgroups / behaviour.workgroups_per_ms.max(1);
    Ok(Plan { payload: BlobHash::of(payload), sizes, takes: Duration::from_millis(takes_ms) })
}

impl Plan {
    /// One stretch of the payload's BLAKE3 expansion for each output.
    pub(super) fn outputs(&self) -> Vec<Vec<u8>> {
        let mut expansion = blake3::Hasher::new().update(&self.payload.0).finalize_xof();
        let mut fill = |&size: &usize| {
            let mut bytes = vec![0; size];
            expansion.fill(&mut bytes);
            bytes
        };
        self.sizes.iter().map(&mut fill).collect()
    }
}
