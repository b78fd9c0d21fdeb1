//! The payloads of a job, read and checked before the job is taken, so that no worker is sent nonsense.

use lull_types::wgsl::{SLICE_GROUP, WgslBufferRole, WgslInit, WgslTask, limits};
use lull_types::{BlobHash, Coded, JOB_KIND_WGSL, PictureTile};

/// What the engine must know of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Blobs that it names.
    pub inputs: Vec<BlobHash>,
    /// How many outputs it has.
    pub outputs: u32,
}

/// A payload is refused.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// No such kind.
    #[error("this network takes no jobs of the kind {0}; it takes {JOB_KIND_WGSL}")]
    KindUnknown(String),
    /// Not what the kind defines.
    #[error("the payload is no {JOB_KIND_WGSL} task: {0}")]
    Malformed(#[from] serde_json::Error),
    /// Over a limit.
    #[error("the payload is over a limit: {what} is {value}, and at most {max} is allowed")]
    OverLimit {
        /// Of what.
        what: &'static str,
        /// How much.
        value: u64,
        /// The limit.
        max: u64,
    },
    /// It contradicts itself.
    #[error("the payload contradicts itself: {0}")]
    Inconsistent(String),
    /// Its first output is no tile.
    #[error("the first output has {actual} bytes, and the picture's tile needs {expected}")]
    NotATile {
        /// As the tile says.
        expected: u64,
        /// As the payload says.
        actual: u64,
    },
}

impl Coded for PayloadError {
    fn code(&self) -> &'static str {
        match self {
            Self::KindUnknown(_) => "kind_unknown",
            Self::Malformed(_) => "payload_malformed",
            Self::OverLimit { .. } => "payload_over_limit",
            Self::Inconsistent(_) => "payload_inconsistent",
            Self::NotATile { .. } => "payload_not_a_tile",
        }
    }
}

fn at_most(what: &'static str, value: u64, max: u64) -> Result<(), PayloadError> {
    if value <= max { Ok(()) } else { Err(PayloadError::OverLimit { what, value, max }) }
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), PayloadError> {
    if holds { Ok(()) } else { Err(PayloadError::Inconsistent(otherwise())) }
}

/// Reads and checks the payload of one task.
pub fn parse(kind: &str, payload: &[u8], picture: Option<&PictureTile>) -> Result<Parsed, PayloadError> {
    if kind != JOB_KIND_WGSL {
        return Err(PayloadError::KindUnknown(kind.to_owned()));
    }
    at_most("its length in bytes", payload.len() as u64, limits::PAYLOAD_BYTES_MAX as u64)?;
    let task: WgslTask = serde_json::from_slice(payload)?;
    check(&task)?;
    if let Some(tile) = picture {
        let expected = tile.bytes() as u64;
        let actual = task
            .outputs
            .first()
            .and_then(|&at| task.buffers.get(at as usize))
            .map_or(0, |buffer| buffer.bytes);
        if actual != expected {
            return Err(PayloadError::NotATile { expected, actual });
        }
    }
    let outputs = u32::try_from(task.outputs.len()).unwrap_or(u32::MAX);
    Ok(Parsed { inputs: task.input_blobs(), outputs })
}

fn check(task: &WgslTask) -> Result<(), PayloadError> {
    at_most("the number of shaders", task.shaders.len() as u64, limits::SHADERS_MAX as u64)?;
    for shader in &task.shaders {
        at_most("the length of a shader", shader.len() as u64, limits::SHADER_BYTES_MAX as u64)?;
    }
    at_most("the number of buffers", task.buffers.len() as u64, limits::BUFFERS_MAX as u64)?;
    let mut all = 0u64;
    for (at, buffer) in task.buffers.iter().enumerate() {
        all = all.saturating_add(buffer.bytes);
        require(buffer.bytes > 0 && buffer.bytes.is_multiple_of(4), || {
            format!("buffer {at} has {} bytes, which is no multiple of 4 above 0", buffer.bytes)
        })?;
        if let WgslInit::Words(words) = &buffer.init {
            require(words.len() as u64 * 4 <= buffer.bytes, || {
                format!("the words of buffer {at} do not fit it")
            })?;
        }
    }
    at_most("the size of all buffers", all, limits::BUFFER_BYTES_TOTAL_MAX)?;
    at_most("the number of dispatches", task.dispatches.len() as u64, limits::DISPATCHES_MAX as u64)?;
    require(!task.dispatches.is_empty(), || "it dispatches nothing".to_owned())?;
    for (at, dispatch) in task.dispatches.iter().enumerate() {
        at_most("the workgroups of a dispatch", dispatch.workgroups.into(), limits::WORKGROUPS_MAX.into())?;
        require(dispatch.workgroups > 0, || format!("dispatch {at} has no workgroups"))?;
        require((dispatch.shader as usize) < task.shaders.len(), || {
            format!("dispatch {at} names a shader that is not there")
        })?;
        for binding in &dispatch.bindings {
            require((binding.buffer as usize) < task.buffers.len(), || {
                format!("dispatch {at} binds a buffer that is not there")
            })?;
            require(binding.group < SLICE_GROUP, || {
                format!(
                    "dispatch {at} binds to group {}, and only those below {SLICE_GROUP} are free",
                    binding.group
                )
            })?;
        }
    }
    at_most("the number of outputs", task.outputs.len() as u64, limits::OUTPUTS_MAX as u64)?;
    require(!task.outputs.is_empty(), || "it has no outputs".to_owned())?;
    let mut output_bytes = 0u64;
    for output in &task.outputs {
        let Some(buffer) = task.buffers.get(*output as usize) else {
            return Err(PayloadError::Inconsistent("an output names a buffer that is not there".to_owned()));
        };
        require(buffer.role == WgslBufferRole::ReadWrite, || {
            "an output names a buffer that shaders cannot write".to_owned()
        })?;
        output_bytes = output_bytes.saturating_add(buffer.bytes);
    }
    at_most("the size of all outputs", output_bytes, limits::OUTPUT_BYTES_TOTAL_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::practice::jobs;

    fn sample() -> (WgslTask, PictureTile) {
        let job = jobs::picture(1).unwrap();
        let (hash, tile) = job.tasks[0];
        let payload = job.blobs.iter().find(|blob| BlobHash::of(blob) == hash).unwrap();
        (serde_json::from_slice(payload).unwrap(), tile.unwrap())
    }

    fn code(change: impl FnOnce(&mut WgslTask, &mut PictureTile)) -> Option<&'static str> {
        let (mut task, mut tile) = sample();
        change(&mut task, &mut tile);
        let payload = serde_json::to_vec(&task).unwrap();
        parse(JOB_KIND_WGSL, &payload, Some(&tile)).err().map(|error| error.code())
    }

    #[test]
    fn payloads_are_checked() {
        assert_eq!(code(|_, _| {}), None);
        assert_eq!(code(|_, tile| tile.width = 32), Some("payload_not_a_tile"));
        assert_eq!(code(|task, _| task.dispatches[0].workgroups = 1 << 25), Some("payload_over_limit"));
        assert_eq!(code(|task, _| task.buffers[4].bytes = 1 << 40), Some("payload_over_limit"));
        assert_eq!(code(|task, _| task.buffers[4].bytes = 6), Some("payload_inconsistent"));
        assert_eq!(code(|task, _| task.dispatches[0].bindings[0].buffer = 99), Some("payload_inconsistent"));
        assert_eq!(code(|task, _| task.dispatches[0].bindings[0].group = 3), Some("payload_inconsistent"));
        assert_eq!(code(|task, _| task.outputs = vec![1]), Some("payload_inconsistent"));
        assert_eq!(code(|task, _| task.outputs.clear()), Some("payload_inconsistent"));
        assert!(matches!(parse("exe/1", b"{}", None), Err(PayloadError::KindUnknown(_))));
        assert!(matches!(parse(JOB_KIND_WGSL, b"{}", None), Err(PayloadError::Malformed(_))));
    }

    proptest::proptest! {
        #[test]
        fn no_payload_panics(bytes: Vec<u8>) {
            let _ = parse(JOB_KIND_WGSL, &bytes, None);
        }
    }
}
