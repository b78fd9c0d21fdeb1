//! Errors as they cross a boundary: a stable code for programs, a sentence for people.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// An error that can tell its stable code.
pub trait Coded: std::error::Error {
    /// A stable, lower-case, snake-case code. A published code never changes its meaning.
    fn code(&self) -> &'static str;

    /// This error as it crosses a boundary.
    fn fault(&self) -> Fault {
        Fault { code: self.code().to_owned(), sentence: self.to_string() }
    }
}

/// An error after it has crossed a process or network boundary.
///
/// `sentence` says what happened, what it means and what to do, in English; a user interface translates by
/// `code` and falls back to `sentence`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[error("{sentence} [{code}]")]
pub struct Fault {
    /// Stable code.
    pub code: String,
    /// Plain sentence.
    pub sentence: String,
}

impl Fault {
    /// A fault from its two parts.
    pub fn new(code: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { code: code.into(), sentence: sentence.into() }
    }
}
