//! Moving one blob on a stream of its own.

use std::time::Duration;

use iroh::endpoint::{Connection, RecvStream, VarInt};
use lull_network_api::{BlobRequest, BlobResponse, FRAMES, FrameError};
use lull_types::{BlobHash, Coded, Fault};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

/// A transfer that moves nothing for this long is broken. Home lines stall for seconds; QUIC itself takes a
/// silent connection for lost after thirty.
const STALL_MAX: Duration = Duration::from_secs(30);

/// Room that is made at once for a blob; more grows with what arrives, so that a false length costs its sender
/// the bytes.
const FIRST_BYTES_MAX: u64 = 1024 * 1024;

/// Tells the network that the rest of a stream is not wanted.
const NOT_WANTED: VarInt = VarInt::from_u32(1);

/// A blob could not be moved.
#[derive(Debug, thiserror::Error)]
pub enum BlobFailure {
    /// The connection broke or stalled.
    #[error("the connection to the network broke while data was moved: {0}")]
    Connection(String),
    /// The network broke the protocol.
    #[error("the network answered a request for data with something that makes no sense: {0}")]
    Garbled(String),
    /// The network does not give or take it.
    #[error("the network refused: {}", .0.sentence)]
    Refused(Fault),
    /// It is over the cap.
    #[error("the task names a piece of data of {bytes} bytes, over the limit of {bytes_max}")]
    TooLarge {
        /// Announced length.
        bytes: u64,
        /// The cap.
        bytes_max: u64,
    },
    /// What came has another hash.
    #[error("the network sent other data than the task names")]
    WrongHash,
}

impl Coded for BlobFailure {
    fn code(&self) -> &'static str {
        match self {
            Self::Connection(_) => "blob_connection",
            Self::Garbled(_) => "network_garbled",
            Self::Refused(_) => "blob_refused",
            Self::TooLarge { .. } => "blob_too_large",
            Self::WrongHash => "blob_wrong_hash",
        }
    }
}

/// Fetches a blob of at most `bytes_max` and checks its hash. Dropping the future stops the transfer.
///
/// # Errors
/// [`BlobFailure`].
pub async fn get_blob(
    connection: &Connection,
    hash: BlobHash,
    bytes_max: u64,
) -> Result<Vec<u8>, BlobFailure> {
    let (mut send, mut receive) = bounded(connection.open_bi()).await?;
    bounded(FRAMES.write(&mut send, &BlobRequest::Get(hash))).await?;
    // The network has what it needs either way.
    let _ = send.finish();
    match bounded(FRAMES.read::<BlobResponse>(&mut receive)).await? {
        BlobResponse::Sending { bytes } if bytes > bytes_max => {
            let _ = receive.stop(NOT_WANTED);
            Err(BlobFailure::TooLarge { bytes, bytes_max })
        }
        BlobResponse::Sending { bytes } => {
            let blob = read_exactly(&mut receive, bytes).await?;
            // Whatever may follow is not read.
            let _ = receive.stop(NOT_WANTED);
            if BlobHash::of(&blob) == hash { Ok(blob) } else { Err(BlobFailure::WrongHash) }
        }
        BlobResponse::Refused(fault) => Err(BlobFailure::Refused(fault)),
        BlobResponse::Stored => {
            Err(BlobFailure::Garbled("it says that it stored what was asked of it".into()))
        }
    }
}

/// Sends a blob and waits until the network has stored it. Dropping the future stops the transfer.
///
/// # Errors
/// [`BlobFailure`].
pub async fn put_blob(connection: &Connection, hash: BlobHash, blob: &[u8]) -> Result<(), BlobFailure> {
    let (mut send, mut receive) = bounded(connection.open_bi()).await?;
    let request = BlobRequest::Put { hash, bytes: blob.len() as u64 };
    bounded(FRAMES.write(&mut send, &request)).await?;
    let answer = FRAMES.read::<BlobResponse>(&mut receive);
    tokio::pin!(answer);
    let sending = async {
        for piece in blob.chunks(CHUNK_BYTES) {
            bounded(send.write_all(piece)).await?;
        }
        // It fails only when the network has stopped the stream, and then its answer says why.
        let _ = send.finish();
        Ok(())
    };
    let response = tokio::select! {
        // A network that already has the blob, or does not want it, answers before it has read everything.
        biased;
        response = &mut answer => response.map_err(BlobFailure::from)?,
        sent = sending => {
            // A broken write may be a refusal that is on its way.
            let response = bounded(answer).await;
            match (sent, response) {
                (_, Ok(response)) => response,
                (Err(failure), Err(_)) => return Err(failure),
                (Ok(()), Err(failure)) => return Err(failure),
            }
        }
    };
    match response {
        BlobResponse::Stored => Ok(()),
        BlobResponse::Refused(fault) => Err(BlobFailure::Refused(fault)),
        BlobResponse::Sending { .. } => Err(BlobFailure::Garbled("it sends where it should store".into())),
    }
}

/// Small enough that a slow line moves one well within the bound on stalls.
const CHUNK_BYTES: usize = 64 * 1024;

async fn read_exactly(receive: &mut RecvStream, bytes: u64) -> Result<Vec<u8>, BlobFailure> {
    let mut blob = Vec::with_capacity(bytes.min(FIRST_BYTES_MAX) as usize);
    let mut rest = receive.take(bytes);
    loop {
        let read = bounded(rest.read_buf(&mut blob)).await?;
        if blob.len() as u64 == bytes {
            return Ok(blob);
        }
        if read == 0 {
            return Err(BlobFailure::Connection("it ended in the middle".to_owned()));
        }
    }
}

/// Bounds one step of a transfer.
async fn bounded<T, E: Into<BlobFailure>>(
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, BlobFailure> {
    match timeout(STALL_MAX, step).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(BlobFailure::Connection(format!("nothing moved for {} s", STALL_MAX.as_secs()))),
    }
}

impl From<FrameError> for BlobFailure {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Connection(error.to_string()),
            FrameError::TooLarge { .. } | FrameError::Malformed(_) => Self::Garbled(error.to_string()),
        }
    }
}

macro_rules! connection_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for BlobFailure {
            fn from(error: $error) -> Self {
                Self::Connection(error.to_string())
            }
        })*
    };
}
connection_errors!(std::io::Error, iroh::endpoint::ConnectionError, iroh::endpoint::WriteError);
