//! The OpenAI-compatible HTTP API that customers' clients already speak.

pub mod backend;
pub mod limits;

pub use backend::Backend;
