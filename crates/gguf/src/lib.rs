//! What a GGUF model file says of itself, and the memory that it will take, before anything loads it. Pure.
//!
//! A model file comes from a stranger. Its header alone is read here, from any [`Read`], in one pass and with a bound on
//! what is read and on what is kept, so that a worker or a network knows what a model needs before llama.cpp, in a sandbox
//! of its own, touches the file. (The crates that read this format reserve memory for whatever number a header names.)
//!
//! The format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.

mod header;
mod memory;
mod read;
mod tensor;

use std::io::Read;

pub use header::{Attention, Model};
use lull_types::Coded;
pub use memory::{Memory, Placement, Room};
pub use tensor::Encoding;

/// Reads a model file's header.
///
/// # Errors
/// When it is no GGUF file, is cut off, contradicts itself, or is larger than any real model's header.
pub fn read(file: impl Read) -> Result<Model, GgufError> {
    header::read(file)
}

/// A file that cannot be used as a model.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// Another format.
    #[error("This file is no GGUF model. Choose a file that ends in .gguf, from a source that you trust.")]
    NotGguf,
    /// A version of the format that is not known here.
    #[error(
        "This model file is of version {0} of its format, and versions 2 and 3 can be read. Convert it again with a present llama.cpp."
    )]
    Version(u32),
    /// It contradicts itself or the format.
    #[error("This model file is damaged: {0}. Fetch it again.")]
    Damaged(&'static str),
    /// A header larger than any real one.
    #[error("This model file says more of itself than any real model does, so it is not read.")]
    HeaderTooLarge,
    /// It is one part of several, or has an encoding that is not known.
    #[error("This model file cannot be used here: {0}.")]
    Unsupported(&'static str),
    /// The disk failed.
    #[error("The model file cannot be read: {0}.")]
    Io(#[from] std::io::Error),
}

impl Coded for GgufError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotGguf => "not_gguf",
            Self::Version(_) => "gguf_version",
            Self::Damaged(_) => "gguf_damaged",
            Self::HeaderTooLarge => "gguf_header_too_large",
            Self::Unsupported(_) => "gguf_unsupported",
            Self::Io(_) => "gguf_unreadable",
        }
    }
}

#[cfg(test)]
mod tests;
