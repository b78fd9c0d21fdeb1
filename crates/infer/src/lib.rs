//! How the tokens of `infer/1` are chosen from a model's scores, how a choice is checked, and how tokens become text.
//! Pure, and the same for the worker that generates and for whoever checks it.

mod chance;
mod sampling;
mod text;
mod verdict;

pub use sampling::{Choice, Sampler, Scores};
pub use text::{Text, Written};
pub use verdict::{is_honest, is_same_embedding, mean_gap};
