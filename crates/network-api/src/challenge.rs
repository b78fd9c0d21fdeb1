//! The timed challenge, on a stream that the network opens for each device that it wants to know.
//!
//! `Prepare → Prepared`, some `Ping → Pong`, then `Commit → Committed` against the clock, then `Open → Opened`.
//! [`lull_checks::product`] says what it proves. The worker may answer any request with `Declined` and is then
//! asked again later; it ends the stream when its person wants the device.

use lull_checks::product::{OpenedRow, Product};
use lull_types::{BlobHash, Fault};
use serde::{Deserialize, Serialize};

/// Network → worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeRequest {
    /// Make a device ready. Nothing is timed.
    Prepare {
        /// Device index.
        device: u32,
    },
    /// Answer at once; tells how long the way there and back takes.
    Ping,
    /// Compute a product and commit to its rows. The clock runs until the answer is here.
    Commit(Product),
    /// Show these rows of it.
    Open(Vec<u64>),
}

/// Worker → network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeReply {
    /// The device is ready.
    Prepared,
    /// At once.
    Pong,
    /// The root over all rows' digests.
    Committed(BlobHash),
    /// The rows that were asked for, in that order.
    Opened(Vec<OpenedRow>),
    /// Not now, and why.
    Declined(Fault),
}

/// Requests are small: the largest names rows.
pub const CHALLENGE_REQUEST_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 16 * 1024 };

/// The largest reply shows [`lull_checks::product::OPENED_MAX`] rows of the largest side, at most five bytes a value,
/// each with the digests of its leaf and a proof.
pub const CHALLENGE_REPLY_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 8 * 1024 * 1024 };
