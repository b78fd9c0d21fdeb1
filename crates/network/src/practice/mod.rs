//! The practice network: a treasury of worthless tokens, and real sample jobs that never run out.
pub mod jobs;
pub mod scene;
pub mod wine;
