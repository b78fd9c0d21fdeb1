//! A shift of `infer/1`: one worker serves one model, on a stream that the network opens while the shift's assignment runs.
//!
//! First comes [`crate::Opening::Shift`], then [`ShiftRequest`]s one way and [`ShiftReply`]s the other. The worker says
//! `Ready` when its model is loaded; asks that come before wait. What is asked is answered by number, side by side. Tokens
//! are told as they are chosen, so that the network can have another worker go on with a text at any of them.
//!
//! The network ends a shift by finishing its side; the worker then reports the assignment. The worker ends it by handing
//! the assignment back, or by its end; every ask that went on is then open, with the tokens that were told.

use lull_types::Fault;
use lull_types::infer::{Finish, Generate, Token};
use serde::{Deserialize, Serialize};

/// Network → worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ShiftRequest {
    /// Go on with a text. Answered with tokens and an end.
    Generate {
        /// Its number on this stream.
        number: u64,
        /// The text.
        generate: Box<Generate>,
    },
    /// Tell where a text is among all texts. Answered with `Embedding`.
    Embed {
        /// Its number on this stream.
        number: u64,
        /// The text.
        tokens: Vec<Token>,
    },
    /// An answer is no longer wanted. Answered with `Dropped`, if it has not ended.
    Drop {
        /// The ask's.
        number: u64,
    },
}

/// Worker → network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ShiftReply {
    /// The model is being fetched or loaded.
    Preparing {
        /// How much of that is done, 0 to 1.
        fraction: f32,
    },
    /// The model is loaded.
    Ready {
        /// Texts that it takes at once; no more than the shift asks for.
        sequences: u32,
    },
    /// An ask goes on or has ended.
    Answer {
        /// Its number.
        number: u64,
        /// How.
        answer: ShiftAnswer,
    },
}

/// How an ask goes on or has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ShiftAnswer {
    /// The prompt is being read.
    Reading {
        /// Tokens of it that were computed or kept from before.
        tokens: u32,
    },
    /// The text goes on.
    Token {
        /// By this token.
        token: Token,
        /// Its log-probability, where it was asked for.
        log_probability: Option<f32>,
    },
    /// The text has ended.
    Finished {
        /// Why.
        finish: Finish,
        /// Tokens of the prompt that need not be computed, as a text before had them.
        kept_tokens: u32,
    },
    /// Where the text is, as a vector of length 1.
    Embedding(Vec<f32>),
    /// It was dropped. Tokens that were told hold.
    Dropped,
    /// It cannot be answered, here or at all.
    Failed(Fault),
}

impl ShiftAnswer {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Reading { .. } | Self::Token { .. })
    }
}

/// The largest message is a text of as many tokens as a context takes, at most five bytes each.
pub const SHIFT_FRAMES: lull_frame::Frames = lull_frame::Frames { bytes_max: 1024 * 1024 };
