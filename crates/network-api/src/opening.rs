//! What a stream that the network opens is for.

use lull_types::AssignmentId;
use serde::{Deserialize, Serialize};

/// First frame of a stream that the network opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Opening {
    /// A device is timed: [`crate::ChallengeRequest`]s and [`crate::ChallengeReply`]s follow. The first reply says that the
    /// device is ready; nothing is timed before.
    Challenge {
        /// Device index.
        device: u32,
    },
    /// A shift is served: [`crate::ShiftRequest`]s and [`crate::ShiftReply`]s follow.
    Shift {
        /// The shift's assignment, which this worker has.
        assignment: AssignmentId,
    },
}

/// An opening names little.
pub const OPENING_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 64 };
