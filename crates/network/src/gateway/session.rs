//! One worker's connection, from its `Hello` to its end.

use std::sync::Arc;
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_models::Library;
use lull_network_api::{FRAMES, FrameError, NetworkMessage, WorkerMessage};
use lull_types::WorkerId;
use tokio::sync::mpsc;

use super::rate::Bucket;
use super::{EnginePort, Hub, blob_stream, close_code};
use crate::blobs::Blobs;
use crate::engine::{Input, SessionId};

/// A worker that connects has something to say at once.
const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// A `Hello` is a version and a number. Who has not said it gets no more memory than this.
const HELLO_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 1024 };
/// A frame that cannot be handed to the connection for this long means that the worker does not read.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Messages at once: a worker with eight devices that comes back with everything that it has to tell.
const MESSAGES_BURST: f64 = 256.0;
/// Messages a second after that: eight devices that report progress and ask for work twice a second each.
const MESSAGES_PER_SECOND: f64 = 32.0;

/// What all connections share.
pub(super) struct Shared<E> {
    pub hub: Arc<Hub>,
    pub blobs: Arc<Blobs>,
    pub models: Library,
    pub engine: Arc<E>,
}

/// Why a session ends.
enum End {
    /// The connection is gone.
    Gone,
    /// It is closed for this reason.
    Close(u32, &'static str),
}

impl From<FrameError> for End {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Gone,
            FrameError::TooLarge { .. } => Self::Close(close_code::MALFORMED, "a message is too large"),
            FrameError::Malformed(_) => Self::Close(close_code::MALFORMED, "a message cannot be understood"),
        }
    }
}

/// Serves one connection until it ends.
pub(super) async fn serve<E: EnginePort>(connection: Connection, shared: Shared<E>) {
    let worker = WorkerId(*connection.remote_id().as_bytes());
    let end = match tokio::time::timeout(HELLO_TIMEOUT, hello(&connection)).await {
        Ok(Ok((send, recv, hello))) => {
            let (session, outbox) = shared.hub.open(worker, connection.clone());
            let end = talk(&connection, &shared, (worker, session), hello, (send, recv), outbox).await;
            shared.hub.closed(worker, session);
            shared.engine.tell(Input::WorkerDisconnected { worker, session }).await;
            end
        }
        Ok(Err(end)) => end,
        Err(_) => End::Close(close_code::TOO_SLOW, "no hello came"),
    };
    if let End::Close(code, reason) = end {
        tracing::debug!(worker = %worker.short(), code, reason, "closing a connection");
        connection.close(VarInt::from_u32(code), reason.as_bytes());
    }
}

async fn hello(connection: &Connection) -> Result<(SendStream, RecvStream, WorkerMessage), End> {
    let (send, mut recv) = connection.accept_bi().await.map_err(|_| End::Gone)?;
    let hello = HELLO_FRAMES.read(&mut recv).await?;
    match hello {
        WorkerMessage::Hello { .. } => Ok((send, recv, hello)),
        _ => Err(End::Close(close_code::MALFORMED, "the first message is not a hello")),
    }
}

async fn talk<E: EnginePort>(
    connection: &Connection,
    shared: &Shared<E>,
    (worker, session): (WorkerId, SessionId),
    hello: WorkerMessage,
    (send, recv): (SendStream, RecvStream),
    outbox: mpsc::Receiver<NetworkMessage>,
) -> End {
    shared.engine.tell(Input::WorkerConnected { worker, session }).await;
    shared.engine.tell(Input::FromWorker { worker, session, message: hello }).await;
    // Whichever ends first ends the others with it.
    tokio::select! {
        end = read(recv, shared, worker, session) => end,
        end = write(send, outbox) => end,
        () = blob_stream::accept(connection, shared, worker) => End::Gone,
    }
}

async fn read<E: EnginePort>(
    mut recv: RecvStream,
    shared: &Shared<E>,
    worker: WorkerId,
    session: SessionId,
) -> End {
    let mut bucket = Bucket::new(MESSAGES_BURST, MESSAGES_PER_SECOND, Instant::now());
    loop {
        let message: WorkerMessage = match FRAMES.read(&mut recv).await {
            Ok(message) => message,
            Err(error) => return error.into(),
        };
        // Who talks too much is read more slowly; QUIC then holds the sender back.
        let wait = bucket.take_later(Instant::now());
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        shared.engine.tell(Input::FromWorker { worker, session, message }).await;
    }
}

async fn write(mut send: SendStream, mut outbox: mpsc::Receiver<NetworkMessage>) -> End {
    while let Some(message) = outbox.recv().await {
        match tokio::time::timeout(WRITE_TIMEOUT, FRAMES.write(&mut send, &message)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error.into(),
            Err(_) => return End::Close(close_code::TOO_SLOW, "messages are not read"),
        }
    }
    // The hub dropped the outbox: a newer session took this one's place, and has closed this connection.
    End::Gone
}
