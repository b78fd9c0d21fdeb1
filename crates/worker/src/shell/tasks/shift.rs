//! A shift's payload, and the model that it names.

use std::sync::Arc;

use iroh::endpoint::Connection;
use lull_guards::{DataRoom, data_need};
use lull_network_api::Assignment;
use lull_types::infer::{Shift, limits};
use lull_types::{BlobHash, Fault};

use super::{blocking, fetch_one, missing, over_data_cap};
use crate::blobs::BlobCache;
use crate::machine::{RunEnd, TransferFailure};
use crate::models::{ModelFailure, Models};

/// A name that is longer is none for people.
const NAME_BYTES_MAX: usize = 200;

/// Larger than any model that is published: the sum over all of a machine's disks.
const MODEL_BYTES_MAX: u64 = 1 << 44;

/// What a payload says. `Err` says what is wrong with it.
fn parse(payload: &[u8]) -> Result<Shift, Fault> {
    let malformed = |error| Fault::new("task_malformed", format!("the shift cannot be understood: {error}"));
    let shift: Shift = serde_json::from_slice(payload).map_err(malformed)?;
    let is_within = (1..=limits::SEQUENCES_MAX).contains(&shift.sequences)
        && (1..=limits::CONTEXT_TOKENS_MAX).contains(&shift.context_tokens)
        && (1..=MODEL_BYTES_MAX).contains(&shift.bytes)
        && shift.serve_ms > 0
        && shift.name.len() <= NAME_BYTES_MAX;
    if is_within { Ok(shift) } else { Err(Fault::new("task_over_limit", "the shift is out of bounds")) }
}

/// Fetches a shift's model, if there is room for it. Gives the bytes of its outputs, of which there are none: tokens are
/// few bytes, and counted as they move.
pub(super) async fn fetch(
    connection: Connection,
    blobs: BlobCache,
    models: Arc<dyn Models>,
    assignment: &Assignment,
    room: &DataRoom,
) -> Result<u64, TransferFailure> {
    let payload = fetch_one(&connection, &blobs, assignment.payload, limits::SHIFT_BYTES_MAX as u64).await?;
    let shift = parse(&payload).map_err(TransferFailure::Task)?;
    let looking = Arc::clone(&models);
    let model = shift.model;
    let is_here = tokio::task::spawn_blocking(move || looking.held(model).is_some()).await;
    let is_here =
        is_here.map_err(|error| TransferFailure::Local(Fault::new("internal", error.to_string())))?;
    if is_here {
        return Ok(0);
    }
    if !room.holds(data_need(shift.bytes, 0)) {
        return Err(over_data_cap());
    }
    models.fetch(connection, model, shift.bytes).await.map_err(|failure| match failure {
        ModelFailure::Connection(fault) => TransferFailure::Connection(fault),
        ModelFailure::Refused(fault) => TransferFailure::Refused(fault),
        ModelFailure::Wrong(fault) => TransferFailure::Task(fault),
        ModelFailure::TooLarge(fault) => TransferFailure::GivenBack(fault),
        ModelFailure::Local(fault) => TransferFailure::Local(fault),
    })?;
    Ok(0)
}

/// Reads a shift; it was fetched before.
pub(in crate::shell) async fn load_shift(blobs: BlobCache, payload: BlobHash) -> Result<Shift, RunEnd> {
    let payload = blocking(&blobs, move |blobs| blobs.get(payload)).await.map_err(RunEnd::LocalFault)?;
    let payload = payload.ok_or_else(|| RunEnd::LocalFault(missing()))?;
    parse(&payload).map_err(RunEnd::TaskFault)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_strictly() {
        let shift = |change: &dyn Fn(&mut serde_json::Value)| {
            let mut shift = serde_json::json!({
                "model": BlobHash([1; 32]).to_string(), "name": "Small", "bytes": 1000, "context_tokens": 4096,
                "sequences": 8, "serve_ms": 600_000,
                "price_per_1000_prompt_tokens": 10, "price_per_1000_generated_tokens": 200,
            });
            change(&mut shift);
            parse(&serde_json::to_vec(&shift).unwrap()).map_err(|fault| fault.code)
        };
        assert_eq!(shift(&|_| ()).unwrap().sequences, 8);
        let set = |key: &'static str, value: u64| shift(&|shift| shift[key] = value.into()).unwrap_err();
        assert_eq!(set("more", 1), "task_malformed");
        assert_eq!(set("name", 1), "task_malformed");
        assert_eq!(set("sequences", 0), "task_over_limit");
        assert_eq!(set("sequences", 65), "task_over_limit");
        assert_eq!(set("context_tokens", 0), "task_over_limit");
        assert_eq!(set("context_tokens", 131_073), "task_over_limit");
        assert_eq!(set("bytes", 0), "task_over_limit");
        assert_eq!(set("bytes", u64::MAX), "task_over_limit");
        assert_eq!(set("serve_ms", 0), "task_over_limit");
        assert_eq!(shift(&|shift| shift["name"] = "n".repeat(201).into()).unwrap_err(), "task_over_limit");
        assert_eq!(parse(b"\xff").unwrap_err().code, "task_malformed");
    }
}
