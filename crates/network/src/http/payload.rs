//! The payloads of a job, read and checked before the job is taken, so that no worker is sent nonsense.

use lull_types::wgsl::limits;
use lull_types::{BlobHash, Coded, JOB_KIND_WGSL, PictureTile};
use lull_wgsl::{TaskError, shape};

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
    #[error("This network takes no jobs of the kind {0}; it takes {JOB_KIND_WGSL}.")]
    KindUnknown(String),
    /// Not what the kind defines.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// Its first output is no tile.
    #[error("The first output has {actual} bytes, and the picture's tile needs {expected}.")]
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
            Self::Task(error) => error.code(),
            Self::NotATile { .. } => "payload_not_a_tile",
        }
    }
}

/// Reads and checks the payload of one task.
pub fn parse(kind: &str, payload: &[u8], picture: Option<&PictureTile>) -> Result<Parsed, PayloadError> {
    if kind != JOB_KIND_WGSL {
        return Err(PayloadError::KindUnknown(kind.to_owned()));
    }
    // Shaders are for a runtime's sandbox to read: a compiler's stack can be driven over by a hostile one.
    let task = shape(payload, limits::BUFFER_BYTES_TOTAL_MAX)?;
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

#[cfg(test)]
mod tests {
    use lull_types::wgsl::WgslTask;

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
        assert_eq!(code(|task, _| task.dispatches[0].workgroups = 1 << 25), Some("wgsl_limit_exceeded"));
        assert_eq!(code(|task, _| task.buffers[4].bytes = 1 << 40), Some("wgsl_limit_exceeded"));
        assert_eq!(code(|task, _| task.buffers[4].bytes = 6), Some("wgsl_payload_malformed"));
        assert_eq!(code(|task, _| task.dispatches[0].bindings[0].buffer = 99), Some("wgsl_binding_mismatch"));
        assert_eq!(code(|task, _| task.dispatches[0].bindings[0].group = 3), Some("wgsl_binding_mismatch"));
        assert_eq!(code(|task, _| task.outputs = vec![1]), Some("wgsl_payload_malformed"));
        assert_eq!(code(|task, _| task.outputs.clear()), Some("wgsl_payload_malformed"));
        assert!(matches!(parse("exe/1", b"{}", None), Err(PayloadError::KindUnknown(_))));
        assert!(matches!(
            parse(JOB_KIND_WGSL, b"{}", None),
            Err(PayloadError::Task(TaskError::Malformed(_)))
        ));
    }

    proptest::proptest! {
        #[test]
        fn no_payload_panics(bytes: Vec<u8>) {
            let _ = parse(JOB_KIND_WGSL, &bytes, None);
        }
    }
}
