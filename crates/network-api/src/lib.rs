//! Wire types between worker and network, and the customer HTTP types.
//!
//! A worker dials the network over iroh with [`ALPN`]. It opens one bidirectional stream for the session
//! ([`WorkerMessage`] one way, [`NetworkMessage`] the other) and one more for each blob ([`BlobRequest`],
//! [`BlobResponse`], then raw bytes). Every message is one of [`FRAMES`]. The network opens streams of its own, each of
//! which begins with an [`Opening`].

mod challenge;
pub mod customer;
pub mod funds;
mod message;
mod opening;
mod shift;
mod standing;
mod ticket;

pub use challenge::{CHALLENGE_REPLY_FRAMES, CHALLENGE_REQUEST_FRAMES, ChallengeReply, ChallengeRequest};
pub use lull_frame::FrameError;
pub use message::{
    ALPN, Assignment, Balance, BlobRequest, BlobResponse, Enrolment, NetworkInfo, NetworkMessage,
    RecentPrice, Verdict, WorkerMessage,
};
pub use opening::{OPENING_FRAMES, Opening};
pub use shift::{SHIFT_FRAMES, ShiftAnswer, ShiftReply, ShiftRequest};
pub use standing::{COUNTED_MAX, Exclusion, Standing, WITHHELD_MAX, Withheld};
pub use ticket::{NetworkTicket, TicketError};

/// The frames of the session and of the first message of each blob stream. The largest message is an enrolment
/// with the reports of a machine full of GPUs.
pub const FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 1024 * 1024 };

/// The largest blob: the inputs of one task must fit a message to its runtime.
pub const BLOB_BYTES_MAX: u64 = 128 * 1024 * 1024;
