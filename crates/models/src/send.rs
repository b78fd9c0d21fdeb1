//! Giving a model to somebody who asks for it.

use std::sync::Arc;
use std::time::Duration;

use lull_frame::FrameError;
use lull_types::{BlobHash, Coded, Fault};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::error::LibraryError;
use crate::groups::{Groups, Segment};
use crate::library::{Lent, Library, blocking};
use crate::line::{self, LineError, SILENCE_MAX};
use crate::rate::RateLimit;
use crate::wire::{ANSWER_FRAMES, Answer, PIECES_MAX, REQUEST_FRAMES, Request, groups_of, pieces_of};

/// How to give.
#[derive(Clone, Debug)]
pub struct SendOptions {
    /// The cap on the rate, shared with all that hold it.
    pub rate: RateLimit,
    /// How long the requester may say or take nothing.
    pub silence_max: Duration,
    /// Ends it.
    pub cancel: CancellationToken,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { rate: RateLimit::unlimited(), silence_max: SILENCE_MAX, cancel: CancellationToken::new() }
    }
}

/// What was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Of which model.
    pub hash: BlobHash,
    /// Bytes of the model, without the hashes that prove them.
    pub bytes: u64,
}

/// A request was not served to its end.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It is no request.
    #[error("a request for a model cannot be understood: {0}")]
    Garbled(String),
    /// The library does not give it. The requester was told, unless it had begun.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The requester went away.
    #[error("the connection broke while a model was sent: {0}")]
    Broken(String),
    /// The requester takes nothing.
    #[error("nobody took anything of a model for {} s; it is sent no longer", .silence_max.as_secs())]
    Stalled {
        /// The bound.
        silence_max: Duration,
    },
    /// [`SendOptions::cancel`].
    #[error("a model is sent no longer, as was asked")]
    Cancelled,
}

impl Coded for SendError {
    fn code(&self) -> &'static str {
        match self {
            Self::Garbled(_) => "models_request_garbled",
            Self::Library(error) => error.code(),
            Self::Broken(_) => "models_line_broken",
            Self::Stalled { .. } => "models_receiver_stalled",
            Self::Cancelled => "models_send_cancelled",
        }
    }
}

/// Answers one request on a stream of its own, and ends the stream. Of a model of which only some is here, that is
/// given. Every group is checked before it is given, so that what has suffered on this disk goes nowhere.
///
/// Who may have which model is for the caller to say, before this is called. Two halves of a stream are made one by
/// `tokio::io::join`.
///
/// # Errors
/// [`SendError`]. Where the data had begun, the stream ends too early for the requester to take it for whole.
pub async fn send<S: AsyncRead + AsyncWrite + Unpin>(
    library: &Library,
    mut stream: S,
    options: &SendOptions,
) -> Result<Sent, SendError> {
    tokio::select! {
        biased;
        () = options.cancel.cancelled() => Err(SendError::Cancelled),
        sent = serve(library, &mut stream, options) => sent,
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    library: &Library,
    stream: &mut S,
    options: &SendOptions,
) -> Result<Sent, SendError> {
    let silence_max = options.silence_max;
    let broken = |error| match error {
        LineError::Closed => SendError::Broken("the other side closed it".to_owned()),
        LineError::Broken(error) => SendError::Broken(error.to_string()),
        LineError::Stalled => SendError::Stalled { silence_max },
    };
    let request = match timeout(silence_max, REQUEST_FRAMES.read(stream)).await {
        Err(_) => return Err(SendError::Stalled { silence_max }),
        Ok(Err(error @ (FrameError::Closed | FrameError::Io(_)))) => {
            return Err(SendError::Broken(error.to_string()));
        }
        Ok(Err(error @ (FrameError::TooLarge { .. } | FrameError::Malformed(_)))) => {
            return refuse(stream, SendError::Garbled(error.to_string()), silence_max).await;
        }
        Ok(Ok(Request::V1(request))) => request,
    };
    let Some(wanted) = groups_of(request.pieces) else {
        let error = SendError::Garbled("its pieces overlap, are empty, or are too many".to_owned());
        return refuse(stream, error, silence_max).await;
    };
    let (inner, hash) = (library.0.clone(), request.hash);
    let lent = match blocking(move || inner.lend(hash)).await {
        Ok(lent) => Arc::new(lent),
        Err(error) => return refuse(stream, error.into(), silence_max).await,
    };
    let groups = wanted.intersection(&lent.groups).first_pieces(PIECES_MAX);
    let last = Groups::last(lent.bytes);
    let has_proof = request.wants_proof && last.is_subset(&lent.groups);
    let answer = Answer::Sending { bytes: lent.bytes, has_proof, pieces: pieces_of(&groups) };
    tell(stream, &answer, silence_max).await?;

    let proof = if has_proof { last } else { Groups::none() };
    let mut segments = proof.segments().chain(groups.segments());
    // One segment is read from the disk while the one before is on the line.
    let mut ahead = segments.next().map(|segment| encode(&lent, segment));
    while let Some(encoding) = ahead {
        let encoded = encoding.await?;
        ahead = segments.next().map(|segment| encode(&lent, segment));
        line::write_all(stream, &encoded, &options.rate, silence_max).await.map_err(broken)?;
    }
    line::end(stream, silence_max).await.map_err(broken)?;
    Ok(Sent { hash, bytes: groups.bytes_of(lent.bytes) })
}

/// Begins at once, and not when it is waited for.
fn encode(lent: &Arc<Lent>, segment: Segment) -> impl Future<Output = Result<Vec<u8>, LibraryError>> + use<> {
    let lent = lent.clone();
    let encoding = tokio::task::spawn_blocking(move || lent.encode(segment));
    async move { encoding.await.unwrap_or_else(|error| Err(LibraryError::Disk(std::io::Error::other(error)))) }
}

async fn refuse<S: AsyncWrite + Unpin>(
    stream: &mut S,
    error: SendError,
    silence_max: Duration,
) -> Result<Sent, SendError> {
    let fault = match &error {
        // What is wrong with this disk is nobody else's business.
        SendError::Library(LibraryError::Disk(_)) => Fault::new(error.code(), "the sender's disk failed"),
        error => error.fault(),
    };
    // Whether it arrives is the requester's concern.
    let _ = tell(stream, &Answer::Refused(fault), silence_max).await;
    let _ = line::end(stream, silence_max).await;
    Err(error)
}

async fn tell<S: AsyncWrite + Unpin>(
    stream: &mut S,
    answer: &Answer,
    silence_max: Duration,
) -> Result<(), SendError> {
    match timeout(silence_max, ANSWER_FRAMES.write(stream, answer)).await {
        Err(_) => Err(SendError::Stalled { silence_max }),
        Ok(written) => written.map_err(|error| SendError::Broken(error.to_string())),
    }
}
