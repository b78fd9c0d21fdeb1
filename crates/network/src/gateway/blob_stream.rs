//! Blob streams: one request, one answer, and the bytes of one blob, one way or the other.

use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_models::{Library, SendOptions};
use lull_network_api::{BLOB_BYTES_MAX, BlobRequest, BlobResponse, FRAMES};
use lull_types::{BlobHash, Coded, Fault, WorkerId};
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use super::session::Shared;
use super::{EnginePort, Hub, OpenAssignment, close_code};
use crate::blobs::{BlobError, Blobs};

/// A request is a hash and a length.
const REQUEST_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 256 };
/// Who opens a stream has a request ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a blob of no length: a few round trips and a disk that is busy.
const TRANSFER_TIMEOUT_MIN: Duration = Duration::from_secs(30);
/// The slowest line that is waited for, a quarter of a megabit a second: who is slower holds a place for
/// nothing, as the assignment's deadline passes before.
const TRANSFER_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;

/// Serves the blob streams of one connection until it ends. Their number at once is bounded by the transport.
pub(super) async fn accept<E: EnginePort>(connection: &Connection, shared: &Shared<E>, worker: WorkerId) {
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            stream = connection.accept_bi() => {
                let Ok((send, recv)) = stream else { return };
                let (hub, blobs, models, engine) =
                    (shared.hub.clone(), shared.blobs.clone(), shared.models.clone(), shared.engine.clone());
                streams.spawn(async move { serve(send, recv, worker, hub, blobs, models, engine).await });
            }
            // Streams that have ended are forgotten as they end.
            Some(_) = streams.join_next() => {}
        }
    }
}

async fn serve<E: EnginePort>(
    mut send: SendStream,
    mut recv: RecvStream,
    worker: WorkerId,
    hub: Arc<Hub>,
    blobs: Arc<Blobs>,
    models: Library,
    engine: Arc<E>,
) {
    let request = tokio::time::timeout(REQUEST_TIMEOUT, REQUEST_FRAMES.read(&mut recv)).await;
    let Ok(Ok(request)) = request else {
        reset(&mut send, &mut recv, close_code::MALFORMED);
        return;
    };
    let result = match engine.open_assignments(worker).await {
        Err(fault) => Err(fault),
        Ok(open) => {
            answer(request, &open, (&mut send, &mut recv), worker, &hub, (&blobs, &models), &*engine).await
        }
    };
    if let Err(fault) = result {
        // Whether the refusal arrives is the worker's concern; the stream ends either way.
        let _ = tokio::time::timeout(
            TRANSFER_TIMEOUT_MIN,
            FRAMES.write(&mut send, &BlobResponse::Refused(fault)),
        )
        .await;
        let _ = send.finish();
        let _ = recv.stop(VarInt::from_u32(close_code::MALFORMED));
    }
}

async fn answer<E: EnginePort>(
    request: BlobRequest,
    open: &[OpenAssignment],
    (send, recv): (&mut SendStream, &mut RecvStream),
    worker: WorkerId,
    hub: &Hub,
    (blobs, models): (&Blobs, &Library),
    engine: &E,
) -> Result<(), Fault> {
    match request {
        BlobRequest::Get(hash) => {
            if open.iter().any(|assignment| assignment.blobs.contains(&hash)) {
                give(send, blobs, hash).await
            } else {
                Err(not_allowed(
                    "blob_not_assigned",
                    "this blob belongs to no assignment that this worker has open; ask for work first",
                ))
            }
        }
        BlobRequest::Model(hash) if !open.iter().any(|assignment| assignment.blobs.contains(&hash)) => Err(
            not_allowed("model_not_assigned", "this worker has no shift of this model; ask for work first"),
        ),
        BlobRequest::Model(_) => {
            // A refusal is told in the words of the transfer itself, and a line that breaks is taken up again.
            let stream = tokio::io::join(&mut *recv, &mut *send);
            if let Err(error) = lull_models::send(models, stream, &SendOptions::default()).await {
                tracing::debug!(worker = %worker.short(), code = error.code(), "a model was not sent whole");
            }
            let _ = send.finish();
            Ok(())
        }
        BlobRequest::Put { bytes, .. } if bytes > BLOB_BYTES_MAX => {
            Err(BlobError::TooLarge { bytes_max: BLOB_BYTES_MAX }.fault())
        }
        BlobRequest::Put { hash, bytes } => {
            if hub.charge_put(worker, open, bytes) {
                take(recv, blobs, hash, bytes).await?;
                engine.blob_stored(worker, hash, bytes).await?;
                // A worker that does not hear this puts the blob again, which does no harm.
                let _ = tokio::time::timeout(TRANSFER_TIMEOUT_MIN, FRAMES.write(send, &BlobResponse::Stored))
                    .await;
                let _ = send.finish();
                Ok(())
            } else if open.is_empty() {
                Err(not_allowed(
                    "no_open_assignment",
                    "this worker has no assignment open, so nothing is stored for it",
                ))
            } else {
                Err(not_allowed(
                    "put_too_much",
                    "this worker has stored more for its open assignments than their outputs may hold",
                ))
            }
        }
    }
}

/// Sends a blob. An error before the first frame is for the worker; after it the stream is cut, and the worker
/// sees from the length that it is not whole.
async fn give(send: &mut SendStream, blobs: &Blobs, hash: BlobHash) -> Result<(), Fault> {
    let (file, bytes) = blobs.reader(hash).await.map_err(|error| error.fault())?;
    let sent = tokio::time::timeout(transfer_timeout(bytes), async {
        FRAMES.write(send, &BlobResponse::Sending { bytes }).await.ok()?;
        tokio::io::copy(&mut file.take(bytes), send).await.ok()
    })
    .await;
    match sent {
        Ok(Some(sent)) if sent == bytes => {
            // An error means that the worker has stopped reading; it has what it wants.
            let _ = send.finish();
        }
        _ => {
            let _ = send.reset(VarInt::from_u32(close_code::TOO_SLOW));
        }
    }
    Ok(())
}

async fn take(recv: &mut RecvStream, blobs: &Blobs, hash: BlobHash, bytes: u64) -> Result<(), Fault> {
    // Reads no more than was announced: what follows would not be part of the blob.
    let source = AsyncReadExt::take(&mut *recv, bytes);
    let stored = tokio::time::timeout(
        transfer_timeout(bytes),
        blobs.put_from(hash, Some(bytes), BLOB_BYTES_MAX, source),
    )
    .await
    .map_err(|_| {
        not_allowed("blob_too_slow", "the blob did not arrive in time; nothing was stored, send it again")
    })?;
    stored.map_err(|error| error.fault())?;
    Ok(())
}

fn transfer_timeout(bytes: u64) -> Duration {
    TRANSFER_TIMEOUT_MIN + Duration::from_secs(bytes / TRANSFER_BYTES_PER_SECOND_MIN)
}

fn not_allowed(code: &'static str, sentence: &'static str) -> Fault {
    Fault::new(code, sentence)
}

fn reset(send: &mut SendStream, recv: &mut RecvStream, code: u32) {
    // Errors say that the stream is gone already.
    let _ = send.reset(VarInt::from_u32(code));
    let _ = recv.stop(VarInt::from_u32(code));
}
