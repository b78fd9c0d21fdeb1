//! Messages between a worker and its runtime processes, and the host that runs such a process.
//!
//! A runtime is a separate program that speaks [`FRAMES`] over its standard input and output: a worker writes
//! [`Request`]s, the runtime writes [`RuntimeEvent`]s. It has no network and no files of the contributor; all
//! it knows it is told here. The same messages serve every runtime.

#[cfg(feature = "host")]
pub mod host;
mod message;
#[cfg(feature = "program")]
pub mod program;
mod serving;

pub use lull_frame::FrameError;
pub use message::{
    ChallengeAnswer, ChallengeStep, Limits, Request, RunOutcome, RuntimeEvent, RuntimeInfo, TaskInput,
};
pub use serving::{Answer, Ask, ChatMessage, Compute, Purpose, Serve, Served, ServingEvent};

/// Version of the messages; both sides must have the same. Raised with every change of [`Request`] or
/// [`RuntimeEvent`].
pub const PROTOCOL_VERSION: u16 = 5;

/// The frames of this protocol. The largest message carries the inputs of one task; larger buffers are filled
/// by the GPU, not sent.
pub const FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 256 * 1024 * 1024 };
