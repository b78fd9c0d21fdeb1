//! The timed challenge, on a stream that the network opens for each device that it wants to know.
//!
//! [`crate::Opening::Challenge`] → `Prepared`, some `Ping → Pong`, then `Commit → Committed` against the clock, then `Open → Opened`. Where
//! memory is claimed there follow `Fill → Filled`, `Sweep → Swept` and `LookUp → LookedUp`, each against the clock, and
//! `Show → Shown`. [`lull_checks::product`] and [`lull_checks::memory`] say what it proves. `Fill` may be declined with
//! `out_of_device_memory` and is then asked again for less. The worker may answer any request with `Declined` and is then
//! asked again later; it ends the stream when its person wants the device.

use lull_checks::memory::{Memory, MemoryTranscript, Sweeps};
use lull_checks::product::{OpenedRow, Product};
use lull_types::{BlobHash, Fault};
use serde::{Deserialize, Serialize};

/// Network → worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeRequest {
    /// Answer at once; tells how long the way there and back takes.
    Ping,
    /// Compute a product and commit to its rows. The clock runs until the answer is here.
    Commit(Product),
    /// Show these rows of it.
    Open(Vec<u64>),
    /// Fill memory. The clock runs until the answer is here, as with the next two.
    Fill(Memory),
    /// Read all of it and commit to what was found.
    Sweep(Sweeps),
    /// Go along a chain of look-ups that follows from this seed and commit to what was found.
    LookUp([u8; 32]),
    /// Show what the last two found.
    Show,
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
    /// The memory is filled.
    Filled,
    /// The hash of all digests.
    Swept(BlobHash),
    /// The hash of all states.
    LookedUp(BlobHash),
    /// All digests and states.
    Shown(MemoryTranscript),
    /// Not now, and why.
    Declined(Fault),
}

/// Requests are small: the largest names rows.
pub const CHALLENGE_REQUEST_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 16 * 1024 };

/// The largest reply shows [`lull_checks::product::OPENED_MAX`] rows of the largest side, at most five bytes a value,
/// each with the digests of its leaf and a proof. All that is found in memory is five megabytes at most.
pub const CHALLENGE_REPLY_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 8 * 1024 * 1024 };
