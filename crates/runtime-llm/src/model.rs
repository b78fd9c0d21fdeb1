//! What is needed of a model. llama.cpp is behind it, and in tests a model of a few lines.

use lull_types::infer::Token;
use lull_types::{Coded, Fault};

/// A model's vocabulary.
pub trait Vocabulary {
    /// Tokens in it.
    fn tokens(&self) -> u32;

    /// A token's bytes; empty for control tokens.
    fn piece(&self, token: Token) -> Vec<u8>;

    /// Whether the token ends a text.
    fn is_end(&self, token: Token) -> bool;

    /// The tokens of a text. `control` takes what looks like a control token for one; `whole` adds what the model wants
    /// around a text.
    fn tokenize(&self, text: &str, control: bool, whole: bool) -> Vec<Token>;
}

/// One token to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which.
    pub token: Token,
    /// The sequence that it goes on with.
    pub sequence: u32,
    /// Its place in the sequence, from 0.
    pub place: u32,
    /// Whether the scores of what follows it are wanted.
    pub scores: bool,
}

/// A model that computes.
pub trait Model: Vocabulary {
    /// Computes tokens, at most [`crate::batch::ENTRIES_MAX`] of them. Those of a sequence come in order and go on with
    /// what it holds.
    ///
    /// # Errors
    /// When they were not computed. What their sequences hold is not known then.
    fn compute(&mut self, entries: &[Entry]) -> Result<(), ModelError>;

    /// The scores after an entry of the last computation, by its position there; it must have wanted them.
    fn scores(&self, entry: usize) -> &[f32];

    /// Has a sequence hold its first `tokens` tokens alone, and tells whether it could; else it holds none.
    fn keep(&mut self, sequence: u32, tokens: u32) -> bool;

    /// A text as a vector of length 1.
    ///
    /// # Errors
    /// When it is too long to be computed at once, or was not computed.
    fn embed(&mut self, tokens: &[Token]) -> Result<Vec<f32>, ModelError>;
}

/// A model does not do what was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ModelError {
    /// The file is no model that can be loaded.
    #[error("This model cannot be loaded: {0}. Another version of it may do.")]
    NotLoaded(String),
    /// It takes more memory than it may.
    #[error(
        "This model takes {needed_mib} MiB of memory where {allowed_mib} MiB are free for it. A smaller one fits, or more memory may be lent in the settings."
    )]
    TooLarge {
        /// What it takes.
        needed_mib: u64,
        /// What it may take.
        allowed_mib: u64,
    },
    /// The device is not one of llama.cpp's.
    #[error("This build computes no models on {0}. Another device may do.")]
    NoSuchDevice(String),
    /// Text that is computed as one is too long for it.
    #[error("This text has {tokens} tokens, and at most {tokens_max} can be embedded at once. Split it.")]
    TooLong {
        /// Its tokens.
        tokens: usize,
        /// The most that can be.
        tokens_max: usize,
    },
    /// Computing failed.
    #[error("The model could not be computed: {0}. The device or its driver may be at fault.")]
    Failed(String),
    /// The program was built without llama.cpp.
    #[error("This program was built without llama.cpp, so it computes no models.")]
    NotBuilt,
}

impl Coded for ModelError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotLoaded(_) => "model_not_loaded",
            Self::TooLarge { .. } => "model_too_large",
            Self::NoSuchDevice(_) => "model_no_such_device",
            Self::TooLong { .. } => "embedding_too_long",
            Self::Failed(_) => "model_failed",
            Self::NotBuilt => "model_not_built",
        }
    }
}

impl From<ModelError> for Fault {
    fn from(error: ModelError) -> Self {
        error.fault()
    }
}
