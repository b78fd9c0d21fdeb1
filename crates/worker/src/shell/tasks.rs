//! A task's blobs: what its kind says that it needs, where they come from, and where its outputs go.

mod shift;

use std::sync::Arc;

use iroh::endpoint::Connection;
use lull_guards::{DataRoom, data_need};
use lull_network_api::{Assignment, BLOB_BYTES_MAX};
use lull_types::wgsl::{WgslInit, WgslTask, limits};
use lull_types::{BlobHash, Coded, Fault, JOB_KIND_INFER, JOB_KIND_WGSL};

use crate::blobs::{BlobCache, BlobError};
use crate::machine::{RunEnd, TransferFailure};
use crate::models::Models;
use crate::session::{BlobFailure, get_blob, put_blob};

pub(super) use shift::load_shift;

/// All inputs of a task travel to its runtime in one message; a mebibyte is for what is around them.
const INPUT_BYTES_TOTAL_MAX: u64 =
    lull_runtime_api::FRAMES.bytes_max as u64 - limits::PAYLOAD_BYTES_MAX as u64 - 1024 * 1024;

/// Everything that a task's runtime is given.
pub(super) struct TaskBlobs {
    pub payload: Vec<u8>,
    pub inputs: Vec<(BlobHash, Vec<u8>)>,
}

/// What a payload says of the data that moves for its task.
#[derive(Debug, PartialEq)]
struct Named {
    /// Its inputs, each with the largest that it can be: no longer than any buffer that it fills.
    inputs: Vec<(BlobHash, u64)>,
    /// All its outputs.
    output_bytes: u64,
}

/// What a payload names. `Err` says what is wrong with the task.
fn named(kind: &str, payload: &[u8]) -> Result<Named, Fault> {
    if kind != JOB_KIND_WGSL {
        let sentence = format!("this worker does not run tasks of the kind {kind}");
        return Err(Fault::new("kind_unknown", sentence));
    }
    let task: WgslTask = serde_json::from_slice(payload)
        .map_err(|error| Fault::new("task_malformed", format!("the task cannot be understood: {error}")))?;
    let inputs = task.input_blobs();
    if inputs.len() > limits::BUFFERS_MAX {
        let sentence = format!("the task names {} inputs, over the limit", inputs.len());
        return Err(Fault::new("task_over_limit", sentence));
    }
    let bytes_max = |hash: &BlobHash| {
        let filled = task.buffers.iter().filter(|buffer| buffer.init == WgslInit::Blob(*hash));
        filled.map(|buffer| buffer.bytes).min().unwrap_or(0).min(BLOB_BYTES_MAX)
    };
    let outputs = task.outputs.iter().filter_map(|at| task.buffers.get(usize::try_from(*at).ok()?));
    // A runtime refuses a task that has more.
    let output_bytes = outputs
        .fold(0, |sum: u64, buffer| sum.saturating_add(buffer.bytes))
        .min(limits::OUTPUT_BYTES_TOTAL_MAX);
    Ok(Named { inputs: inputs.iter().map(|hash| (*hash, bytes_max(hash))).collect(), output_bytes })
}

/// Fetches what an assignment needs and is not here yet, if that and what it sends later has room. Gives the bytes of its
/// outputs.
pub(super) async fn fetch(
    connection: Connection,
    blobs: BlobCache,
    models: Arc<dyn Models>,
    assignment: &Assignment,
    room: &DataRoom,
) -> Result<u64, TransferFailure> {
    if assignment.kind == JOB_KIND_INFER {
        return shift::fetch(connection, blobs, models, assignment, room).await;
    }
    let payload =
        fetch_one(&connection, &blobs, assignment.payload, limits::PAYLOAD_BYTES_MAX as u64).await?;
    let Named { inputs, output_bytes } = named(&assignment.kind, &payload).map_err(TransferFailure::Task)?;
    drop(payload);
    let missing = inputs.iter().filter(|(hash, _)| !blobs.contains(*hash));
    let input_bytes = missing.fold(0, |sum: u64, (_, bytes_max)| sum.saturating_add(*bytes_max));
    if !room.holds(data_need(input_bytes.min(INPUT_BYTES_TOTAL_MAX), output_bytes)) {
        return Err(over_data_cap());
    }
    let mut left = INPUT_BYTES_TOTAL_MAX;
    for (input, bytes_max) in inputs {
        let bytes = fetch_one(&connection, &blobs, input, left.min(bytes_max)).await?.len() as u64;
        left = left.saturating_sub(bytes);
    }
    Ok(output_bytes)
}

fn over_data_cap() -> TransferFailure {
    let sentence = "What the task moves would overrun the contributor's cap of data for this month.";
    TransferFailure::OverDataCap(Fault::new("data_cap_reached", sentence))
}

async fn fetch_one(
    connection: &Connection,
    blobs: &BlobCache,
    hash: BlobHash,
    bytes_max: u64,
) -> Result<Vec<u8>, TransferFailure> {
    let found = blocking(blobs, move |blobs| blobs.get(hash)).await.map_err(TransferFailure::Local)?;
    if let Some(blob) = found {
        return if blob.len() as u64 <= bytes_max {
            Ok(blob)
        } else {
            let failure = BlobFailure::TooLarge { bytes: blob.len() as u64, bytes_max };
            Err(TransferFailure::Task(failure.fault()))
        };
    }
    let blob = get_blob(connection, hash, bytes_max).await.map_err(transfer_failure)?;
    blocking(blobs, move |blobs| blobs.put(&blob).map(|_| blob)).await.map_err(TransferFailure::Local)
}

/// Sends an assignment's outputs.
pub(super) async fn upload(
    connection: Connection,
    blobs: BlobCache,
    outputs: Vec<BlobHash>,
) -> Result<(), TransferFailure> {
    for hash in outputs {
        let found = blocking(&blobs, move |blobs| blobs.get(hash)).await.map_err(TransferFailure::Local)?;
        let Some(blob) = found else { return Err(TransferFailure::FilesMissing(missing())) };
        put_blob(&connection, hash, &blob).await.map_err(transfer_failure)?;
    }
    Ok(())
}

/// Reads what an assignment's runtime is given; it was fetched before.
pub(super) async fn load(blobs: BlobCache, kind: String, payload: BlobHash) -> Result<TaskBlobs, RunEnd> {
    let get = async |hash| match blocking(&blobs, move |blobs| blobs.get(hash)).await {
        Ok(Some(blob)) => Ok(blob),
        Ok(None) => Err(RunEnd::LocalFault(missing())),
        Err(fault) => Err(RunEnd::LocalFault(fault)),
    };
    let payload = get(payload).await?;
    let mut inputs = Vec::new();
    for (hash, _) in named(&kind, &payload).map_err(RunEnd::TaskFault)?.inputs {
        inputs.push((hash, get(hash).await?));
    }
    Ok(TaskBlobs { payload, inputs })
}

/// Keeps a run's outputs durably.
pub(super) async fn store(blobs: BlobCache, outputs: Vec<Vec<u8>>) -> Result<Vec<BlobHash>, Fault> {
    blocking(&blobs, move |blobs| outputs.iter().map(|output| blobs.put(output)).collect()).await
}

pub(super) fn missing() -> Fault {
    Fault::new(
        "files_missing",
        "data of this task is no longer on this disk; it is fetched or computed again",
    )
}

fn transfer_failure(failure: BlobFailure) -> TransferFailure {
    let fault = failure.fault();
    match failure {
        // A network that talks nonsense is left like one whose line broke; a next session may do better.
        BlobFailure::Connection(_) | BlobFailure::Garbled(_) => TransferFailure::Connection(fault),
        BlobFailure::Refused(_) => TransferFailure::Refused(fault),
        BlobFailure::TooLarge { .. } | BlobFailure::WrongHash => TransferFailure::Task(fault),
    }
}

async fn blocking<T: Send + 'static>(
    blobs: &BlobCache,
    work: impl FnOnce(&BlobCache) -> Result<T, BlobError> + Send + 'static,
) -> Result<T, Fault> {
    let blobs = blobs.clone();
    match tokio::task::spawn_blocking(move || work(&blobs)).await {
        Ok(result) => result.map_err(|error| error.fault()),
        Err(error) => Err(Fault::new("internal", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_payload_needs_is_read_strictly() {
        let code = |kind: &str, payload: &[u8]| named(kind, payload).unwrap_err().code;
        assert_eq!(code("infer/1", b"{}"), "kind_unknown");
        assert_eq!(code(JOB_KIND_WGSL, b"{}"), "task_malformed");
        assert_eq!(code(JOB_KIND_WGSL, b"\xff\xff"), "task_malformed");
        let payload = |count: u8| {
            let buffers: Vec<_> = (0..count)
                .map(|n| {
                    let hash = BlobHash([n; 32]).to_string();
                    serde_json::json!({"bytes": 4, "init": {"blob": hash}, "role": "read_only"})
                })
                .collect();
            let task = serde_json::json!({
                "shaders": [], "buffers": buffers, "dispatches": [], "outputs": [], "tolerance": "exact",
            });
            serde_json::to_vec(&task).unwrap()
        };
        assert_eq!(named(JOB_KIND_WGSL, &payload(2)).unwrap().inputs.len(), 2);
        assert_eq!(code(JOB_KIND_WGSL, &payload(17)), "task_over_limit");
    }

    #[test]
    fn a_payload_tells_how_much_moves_for_its_task() {
        let blob = |n: u8| serde_json::json!({ "blob": BlobHash([n; 32]).to_string() });
        let buffer =
            |bytes: u64, init| serde_json::json!({"bytes": bytes, "init": init, "role": "read_write"});
        let payload = |outputs: &[u32]| {
            let task = serde_json::json!({
                "shaders": [], "dispatches": [], "outputs": outputs, "tolerance": "exact",
                "buffers": [
                    buffer(400, blob(1)), buffer(100, blob(1)), buffer(1 << 30, blob(2)), buffer(64, "zero".into()),
                    buffer(u64::MAX, "zero".into()),
                ],
            });
            named(JOB_KIND_WGSL, &serde_json::to_vec(&task).unwrap()).unwrap()
        };
        let inputs = vec![(BlobHash([1; 32]), 100), (BlobHash([2; 32]), BLOB_BYTES_MAX)];
        assert_eq!(payload(&[3, 1, 9]), Named { inputs, output_bytes: 164 });
        assert_eq!(payload(&[3, 4, 4]).output_bytes, limits::OUTPUT_BYTES_TOTAL_MAX);
    }
}
