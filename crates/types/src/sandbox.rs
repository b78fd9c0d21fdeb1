//! How a runtime's process is locked down.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// One part of a runtime's lock-down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct SandboxPart {
    /// Whether this system has it.
    pub holds: bool,
    /// What it keeps a job from; of a part that this system lacks, what a job could do.
    pub words: String,
}

impl SandboxPart {
    /// A part that holds.
    pub fn held(words: impl Into<String>) -> Self {
        Self { holds: true, words: words.into() }
    }

    /// A part that this system lacks.
    pub fn missing(words: impl Into<String>) -> Self {
        Self { holds: false, words: words.into() }
    }
}
