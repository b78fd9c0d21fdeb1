//! Asking somebody for a model.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bao_tree::io::fsm::{ResponseDecoder, ResponseDecoderNext};
use bao_tree::io::{BaoContentItem, DecodeError};
use lull_frame::FrameError;
use lull_types::{BlobHash, Coded, Fault};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::LibraryError;
use crate::groups::{GROUP_BYTES, Groups, Segment, tree};
use crate::library::{Claim, Claimed, Library, PartWriter, Progress, blocking};
use crate::line::{Incoming, LineError, SILENCE_MAX};
use crate::rate::RateLimit;
use crate::wire::{
    ANSWER_FRAMES, Answer, PIECES_MAX, REQUEST_FRAMES, Request, RequestV1, groups_of, pieces_of,
};

/// Groups and hashes that wait to be written: about 1 MiB, so that the line and the disk run beside each other.
const WAITING_MAX: usize = 128;

/// Groups and hashes that are written at a time: as many.
const BATCH_MAX: usize = 128;

/// What a power cut or a kill may cost: on a fast line a second of it.
pub const UNSAVED_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// The same on a slow line. Each time costs one wait for the disk, beside the transfer.
const UNSAVED_MAX: Duration = Duration::from_secs(10);

/// How to fetch.
#[derive(Clone)]
pub struct FetchOptions {
    /// The cap on the rate, shared with all that hold it.
    pub rate: RateLimit,
    /// How long the sender may take to answer, and for each 16 KiB. Time that is spent waiting because of `rate` does
    /// not count.
    pub silence_max: Duration,
    /// Ends it; what is verified by then is kept. Better than dropping the future, which keeps it only for this
    /// process where it has not been written down yet.
    pub cancel: CancellationToken,
    /// How much may come before it is made to last. More than [`UNSAVED_BYTES_MAX`] wastes much when the power goes,
    /// far less wears on the disk.
    pub unsaved_bytes_max: u64,
    /// Is told how much of the model is here whenever more has been written. It must not block.
    pub on_progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

impl Default for FetchOptions {
    fn default() -> Self {
        Self {
            rate: RateLimit::unlimited(),
            silence_max: SILENCE_MAX,
            cancel: CancellationToken::new(),
            unsaved_bytes_max: UNSAVED_BYTES_MAX,
            on_progress: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for FetchOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FetchOptions")
            .field("rate", &self.rate)
            .field("silence_max", &self.silence_max)
            .field("unsaved_bytes_max", &self.unsaved_bytes_max)
            .finish_non_exhaustive()
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Bytes of the model that came and were verified.
    pub arrived_bytes: u64,
    /// Bytes of the model that are not here yet: more than none when the sender has only some of it. Ask another.
    pub missing_bytes: u64,
}

/// What a sender did that no broken line does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Lie {
    /// Bytes do not have the hash that they should.
    #[error("what it sent for the 16 KiB at byte {offset_bytes} is not in the model")]
    WrongBytes {
        /// Where: the beginning of the group, or of the segment where an inner hash is wrong.
        offset_bytes: u64,
    },
    /// A hash has one length. When several senders agree on another than the caller was told, it was the caller who
    /// was told wrong.
    #[error("it says that the model has {claimed} bytes, and it has {expected}")]
    WrongLength {
        /// What it says.
        claimed: u64,
        /// What the caller said.
        expected: u64,
    },
    /// It announces what nobody asked for.
    #[error("it wants to send what was not asked for")]
    NotAsked,
    /// It goes on after the end. All of the model that was asked for is here nevertheless.
    #[error("it sent more than it had announced")]
    TooMuch,
    /// Its answer is none.
    #[error("its answer cannot be understood: {0}")]
    Garbled(String),
}

/// A fetch did not come to its end. What was verified is kept, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The library cannot take it.
    #[error(transparent)]
    Library(#[from] LibraryError),
    /// The sender does not give it. What is in this are a stranger's words, and not to be shown to anybody.
    #[error("the sender does not give the model; try another sender")]
    Refused(Fault),
    /// The line broke, or the sender gave up.
    #[error(
        "the connection broke while a model was fetched: {0}; it goes on from there when it is fetched again"
    )]
    Broken(String),
    /// Too little came for too long.
    #[error("next to nothing of a model came for {} s; try another sender", .silence_max.as_secs())]
    Stalled {
        /// The bound.
        silence_max: Duration,
    },
    /// The sender is not honest, or its memory is damaged: blame it.
    #[error("the sender of a model is not to be trusted: {0}")]
    Lied(Lie),
    /// [`FetchOptions::cancel`].
    #[error("a model is fetched no longer, as was asked")]
    Cancelled,
}

impl FetchError {
    /// Whether the sender is to blame, and not the line or this machine.
    pub fn is_senders_fault(&self) -> bool {
        matches!(self, Self::Lied(_))
    }
}

impl Coded for FetchError {
    fn code(&self) -> &'static str {
        match self {
            Self::Library(error) => error.code(),
            Self::Refused(_) => "models_refused",
            Self::Broken(_) => "models_line_broken",
            Self::Stalled { .. } => "models_sender_stalled",
            Self::Lied(_) => "models_sender_lied",
            Self::Cancelled => "models_fetch_cancelled",
        }
    }
}

/// Fetches what is missing of a model from one sender, over a stream of its own, and keeps what is verified. `bytes` is
/// the length of the model as the caller knows it. Nothing moves when the model is here.
///
/// Room is made before the first byte comes, and after the sender has agreed to send. Sources may be asked one after
/// the other until nothing is missing; a second fetch of the same model at the same time is refused. At most some
/// mebibytes wait in memory.
///
/// Two halves of a stream are made one by `tokio::io::join`.
///
/// # Errors
/// [`FetchError`]; what was verified is kept.
pub async fn fetch<S: AsyncRead + AsyncWrite + Unpin>(
    library: &Library,
    hash: BlobHash,
    bytes: u64,
    stream: S,
    options: &FetchOptions,
) -> Result<Fetched, FetchError> {
    let inner = library.0.clone();
    let claim = match blocking(move || inner.claim(hash, bytes)).await? {
        Claimed::Whole => return Ok(Fetched { arrived_bytes: 0, missing_bytes: 0 }),
        Claimed::Missing(claim) => claim,
    };
    let missing_before_bytes = claim.missing_bytes();
    let result = transfer(&claim, hash, stream, options).await;
    let missing_bytes = claim.missing_bytes();
    // Letting go of a claim may remove files.
    blocking(move || {
        drop(claim);
        Ok(())
    })
    .await?;
    result?;
    Ok(Fetched { arrived_bytes: missing_before_bytes.saturating_sub(missing_bytes), missing_bytes })
}

async fn transfer<S: AsyncRead + AsyncWrite + Unpin>(
    claim: &Arc<Claim>,
    hash: BlobHash,
    mut stream: S,
    options: &FetchOptions,
) -> Result<(), FetchError> {
    let missing = claim.missing();
    if missing.is_empty() {
        // Only the last step was not taken.
        let claim = claim.clone();
        return Ok(blocking(move || claim.begin()?.complete()).await?);
    }
    let wanted = missing.first_pieces(PIECES_MAX);
    let wants_proof = Groups::last(claim.bytes()).is_subset(&missing);
    let request = RequestV1 { hash, wants_proof, pieces: pieces_of(&wanted) };
    let asked = ask(&mut stream, request, options.silence_max);
    let offer = unless_cancelled(options, asked).await?.check(claim.bytes(), wants_proof, &wanted)?;
    if offer.groups.is_empty() {
        return Ok(());
    }
    let beginner = claim.clone();
    let writer = blocking(move || beginner.begin()).await?;
    let mut incoming = Incoming::new(stream, options.rate.clone(), options.silence_max);
    let (sink, items) = mpsc::channel(WAITING_MAX);
    let receiving = unless_cancelled(options, receive(&mut incoming, claim, &offer, sink));
    let (received, kept) = tokio::join!(receiving, keep(writer, items, options));
    let writer = kept?;
    if claim.missing().is_empty() {
        blocking(move || writer.complete()).await?;
    }
    received?;
    let ends = tokio::select! {
        // All that was wanted has come; only how the sender behaves is still looked at.
        () = options.cancel.cancelled() => true,
        ends = incoming.ends() => ends,
    };
    if ends { Ok(()) } else { Err(FetchError::Lied(Lie::TooMuch)) }
}

async fn unless_cancelled<T>(
    options: &FetchOptions,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    tokio::select! {
        biased;
        () = options.cancel.cancelled() => Err(FetchError::Cancelled),
        done = work => done,
    }
}

/// What a sender says that it will send, not looked at yet.
struct Announced {
    bytes: u64,
    has_proof: bool,
    pieces: Vec<(u64, u64)>,
}

/// What a sender will send.
struct Offer {
    has_proof: bool,
    groups: Groups,
}

impl Announced {
    fn check(self, bytes: u64, wants_proof: bool, wanted: &Groups) -> Result<Offer, FetchError> {
        if self.bytes != bytes {
            let lie = Lie::WrongLength { claimed: self.bytes, expected: bytes };
            return Err(FetchError::Lied(lie));
        }
        match groups_of(self.pieces) {
            Some(groups) if groups.is_subset(wanted) && (wants_proof || !self.has_proof) => {
                Ok(Offer { has_proof: self.has_proof, groups })
            }
            _ => Err(FetchError::Lied(Lie::NotAsked)),
        }
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    request: RequestV1,
    silence_max: Duration,
) -> Result<Announced, FetchError> {
    let answer = timeout(silence_max, async {
        REQUEST_FRAMES.write(stream, &Request::V1(request)).await?;
        ANSWER_FRAMES.read(stream).await
    });
    match answer.await {
        Err(_) => Err(FetchError::Stalled { silence_max }),
        Ok(Err(error @ (FrameError::Closed | FrameError::Io(_)))) => {
            Err(FetchError::Broken(error.to_string()))
        }
        Ok(Err(error @ (FrameError::TooLarge { .. } | FrameError::Malformed(_)))) => {
            Err(FetchError::Lied(Lie::Garbled(error.to_string())))
        }
        Ok(Ok(Answer::Refused(fault))) => Err(FetchError::Refused(fault)),
        Ok(Ok(Answer::Sending { bytes, has_proof, pieces })) => Ok(Announced { bytes, has_proof, pieces }),
    }
}

/// Takes what comes, checks it, and passes it on.
async fn receive<S: AsyncRead + Unpin>(
    incoming: &mut Incoming<S>,
    claim: &Claim,
    offer: &Offer,
    sink: mpsc::Sender<BaoContentItem>,
) -> Result<(), FetchError> {
    if offer.has_proof {
        for segment in Groups::last(claim.bytes()).segments() {
            // It comes again in its turn: some file systems fill the gap when the end of a file is written first.
            decode(incoming, claim, segment, None).await?;
        }
    }
    for segment in offer.groups.segments() {
        decode(incoming, claim, segment, Some(&sink)).await?;
    }
    Ok(())
}

async fn decode<S: AsyncRead + Unpin>(
    incoming: &mut Incoming<S>,
    claim: &Claim,
    segment: Segment,
    sink: Option<&mpsc::Sender<BaoContentItem>>,
) -> Result<(), FetchError> {
    let silence_max = incoming.silence_max();
    let mut decoder =
        ResponseDecoder::new(claim.root(), segment.chunks(), tree(claim.bytes()), &mut *incoming);
    let error = loop {
        match decoder.next().await {
            ResponseDecoderNext::Done(_) => return Ok(()),
            ResponseDecoderNext::More((next, Ok(item))) => {
                if let Some(sink) = sink
                    && sink.send(item).await.is_err()
                {
                    // Who writes has failed, and says why.
                    return Ok(());
                }
                decoder = next;
            }
            ResponseDecoderNext::More((_, Err(error))) => break error,
        }
    };
    Err(match error {
        DecodeError::LeafHashMismatch(chunk) => {
            FetchError::Lied(Lie::WrongBytes { offset_bytes: chunk.to_bytes() })
        }
        DecodeError::ParentHashMismatch(_) => {
            FetchError::Lied(Lie::WrongBytes { offset_bytes: segment.start * GROUP_BYTES })
        }
        DecodeError::ParentNotFound(_) | DecodeError::LeafNotFound(_) | DecodeError::Io(_) => {
            match incoming.failure.take() {
                Some(LineError::Stalled) => FetchError::Stalled { silence_max },
                Some(LineError::Broken(error)) => FetchError::Broken(error.to_string()),
                Some(LineError::Closed) | None => FetchError::Broken("it ended too early".to_owned()),
            }
        }
    })
}

/// Writes what was checked, until nothing more comes, and sees that it lasts.
async fn keep(
    mut writer: PartWriter,
    mut items: mpsc::Receiver<BaoContentItem>,
    options: &FetchOptions,
) -> Result<PartWriter, LibraryError> {
    let mut saving = None;
    let mut saved_at = Instant::now();
    let mut unsaved_bytes = 0;
    let stored = loop {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        if items.recv_many(&mut batch, BATCH_MAX).await == 0 {
            break Ok(());
        }
        unsaved_bytes += batch.iter().map(bytes_of).sum::<u64>();
        let stored;
        (writer, stored) = blocking(move || {
            let stored = writer.store(&batch);
            Ok((writer, stored))
        })
        .await?;
        if stored.is_err() {
            break stored;
        }
        let bytes = writer.claim().bytes();
        (options.on_progress)(Progress { done_bytes: bytes - writer.claim().missing_bytes(), bytes });
        if unsaved_bytes >= options.unsaved_bytes_max || saved_at.elapsed() >= UNSAVED_MAX {
            // No more than this much is ever on its way to the disk.
            if let Err(error) = saved(saving.take()).await {
                break Err(error);
            }
            let checkpoint = writer.checkpoint()?;
            saving = Some(tokio::task::spawn_blocking(move || checkpoint.run()));
            (saved_at, unsaved_bytes) = (Instant::now(), 0);
        }
    };
    // From here on nobody checks what nobody writes.
    drop(items);
    let saved = saved(saving).await;
    if !writer.claim().missing().is_empty() {
        let checkpoint = writer.checkpoint()?;
        let last = blocking(move || checkpoint.run()).await;
        stored.and(saved).and(last)?;
    } else {
        stored.and(saved)?;
    }
    Ok(writer)
}

type Saving = tokio::task::JoinHandle<Result<(), LibraryError>>;

async fn saved(saving: Option<Saving>) -> Result<(), LibraryError> {
    match saving {
        None => Ok(()),
        Some(saving) => {
            saving.await.unwrap_or_else(|error| Err(LibraryError::Disk(std::io::Error::other(error))))
        }
    }
}

fn bytes_of(item: &BaoContentItem) -> u64 {
    match item {
        BaoContentItem::Parent(_) => 0,
        BaoContentItem::Leaf(leaf) => leaf.data.len() as u64,
    }
}
