//! The runtime of language models. It loads one GGUF file with llama.cpp and serves it to many at once.
//!
//! `serve` speaks with the worker, `batch` decides what is computed next, `llama` computes it.

pub mod batch;
pub mod chat;
#[cfg(feature = "llama")]
mod llama;
pub mod model;
pub mod serve;
#[cfg(any(feature = "llama", test))]
mod templates;
