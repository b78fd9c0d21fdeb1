//! Serving a model: what a worker or a network asks of a runtime that holds one, many things at once.
//!
//! The model's file is named by the program's arguments, as a runtime may read no other. [`Request::Serve`] loads it; from
//! [`ServingEvent::Ready`] on [`Request::Ask`] is answered, until [`Request::Cancel`].
//!
//! Each answer is told as it comes. What a text has become so far is therefore known outside of the runtime at any instant,
//! and somebody else can go on with it ([`lull_types::infer::Generate::tokens`] with what was generated).
//!
//! [`Request::Serve`]: crate::Request::Serve
//! [`Request::Ask`]: crate::Request::Ask
//! [`Request::Cancel`]: crate::Request::Cancel

use lull_types::infer::{Finish, Generate, Sampling, Token};
use lull_types::{DeviceInfo, Fault};
use serde::{Deserialize, Serialize};

/// How a model is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serve {
    /// What for.
    pub purpose: Purpose,
    /// A Jinja template for chats, in the place of the model's own.
    pub chat_template: Option<String>,
}

/// What a model is served for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// To compute with it.
    Compute(Box<Compute>),
    /// To turn text into tokens and back, for which its vocabulary alone is loaded.
    Vocabulary,
}

/// What a model may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compute {
    /// The device, as a runtime that enumerates described it.
    pub device: DeviceInfo,
    /// Tokens of a sequence, prompt and answer together.
    pub context_tokens: u32,
    /// Sequences that are computed at once.
    pub sequences: u32,
    /// Memory of the device.
    pub device_bytes_max: u64,
    /// Memory of the machine.
    pub machine_bytes_max: u64,
    /// Threads for what the device does not compute. More than there are idle cores makes it many times slower.
    pub threads: u32,
}

/// One thing that is asked of a model that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Ask {
    /// Go on with a text.
    Generate(Generate),
    /// Tell where a text is among all texts, as a vector of length 1.
    Embed {
        /// The text.
        tokens: Vec<Token>,
    },
    /// Tell how far each of a text's last tokens is from what the model would have chosen.
    Check {
        /// The text, prompt first.
        tokens: Vec<Token>,
        /// How many of them are given, and not checked: the prompt, and what was generated elsewhere. At least one.
        given_tokens: u32,
        /// How many of those were generated.
        generated: u32,
        /// How the others are said to have been chosen.
        sampling: Sampling,
    },
    /// Turn text into tokens.
    Tokenize {
        /// The text. What looks like one of the model's control tokens in it is text, too.
        text: String,
    },
    /// Turn a chat into the tokens of a prompt for the assistant's next message.
    Chat {
        /// Its messages.
        messages: Vec<ChatMessage>,
    },
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatMessage {
    /// `system`, `user` or `assistant`; templates refuse what they do not know.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// What a runtime that serves a model tells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ServingEvent {
    /// The model is being loaded.
    Loading {
        /// How much of it is, 0 to 1.
        fraction: f32,
    },
    /// The model is loaded, and asks are answered.
    Ready(Box<Served>),
    /// An ask goes on or has ended.
    Answer {
        /// The ask's number.
        number: u64,
        /// How.
        answer: Answer,
    },
}

/// A model that is served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Served {
    /// Tokens in its vocabulary.
    pub vocabulary_tokens: u32,
    /// Each token's bytes, in order; only for [`Purpose::Vocabulary`].
    pub pieces: Vec<Vec<u8>>,
    /// The tokens with which it ends a text.
    pub ends: Vec<Token>,
    /// Whether it has a template for chats, its own or the one that was given.
    pub chats: bool,
    /// Tokens that it was trained to take.
    pub context_tokens_trained: u32,
    /// Length of its embeddings.
    pub embedding_numbers: u32,
    /// Layers that the device computes, with the output as one.
    pub device_layers: u32,
    /// What it takes of the device's memory, as counted before it was loaded.
    pub device_bytes: u64,
}

/// How an ask goes on or has ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Answer {
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
    /// The answer to [`Ask::Embed`].
    Embedding(Vec<f32>),
    /// The answer to [`Ask::Check`]: for each token after the prompt its gap, in logarithms of likelihood.
    Gaps(Vec<f32>),
    /// The answer to [`Ask::Tokenize`] and [`Ask::Chat`].
    Tokens(Vec<Token>),
    /// It was dropped, or serving was cancelled. Tokens that were told hold.
    Dropped,
    /// It cannot be answered.
    Failed(Fault),
}

impl Answer {
    /// Whether nothing follows.
    pub fn is_last(&self) -> bool {
        match self {
            Self::Reading { .. } | Self::Token { .. } => false,
            Self::Finished { .. }
            | Self::Embedding(_)
            | Self::Gaps(_)
            | Self::Tokens(_)
            | Self::Dropped
            | Self::Failed(_) => true,
        }
    }
}
