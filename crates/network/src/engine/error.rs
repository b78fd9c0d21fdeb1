//! Why an input changed nothing.

use lull_checks::receipts::ReceiptError;
use lull_types::{Coded, Fault};
use rusqlite::ErrorCode;

use crate::ledger::LedgerError;

/// An input failed; what it had written is to be rolled back. A worker's message that is merely wrong is no
/// error: it is answered with `Refused`.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// What was asked for is not possible, for the reason given.
    #[error("{sentence}")]
    Refused {
        /// Stable code.
        code: &'static str,
        /// Plain sentence.
        sentence: String,
    },
    /// The ledger refused.
    #[error(transparent)]
    Ledger(LedgerError),
    /// A receipt could not be issued.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// The disk is full.
    #[error("the network's disk is full, so nothing was changed; try again later")]
    DiskFull,
    /// The store failed.
    #[error("the network could not write its records, so nothing was changed; try again later ({0})")]
    Store(#[source] rusqlite::Error),
    /// The records contradict themselves: a fault of the program.
    #[error("the network found a contradiction in its records ({0}), so nothing was changed")]
    Contradiction(&'static str),
    /// The one that commits is gone.
    #[error("the network is shutting down")]
    ShuttingDown,
}

impl EngineError {
    pub(super) fn refused(code: &'static str, sentence: impl Into<String>) -> Self {
        Self::Refused { code, sentence: sentence.into() }
    }

    /// Whether the input itself was wrong, so that trying it again is useless.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Refused { .. } | Self::Ledger(LedgerError::Overdrawn | LedgerError::ReferenceReused)
        )
    }
}

impl From<rusqlite::Error> for EngineError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Store(error),
        }
    }
}

impl From<LedgerError> for EngineError {
    fn from(error: LedgerError) -> Self {
        match error {
            LedgerError::Store(error) => error.into(),
            other => Self::Ledger(other),
        }
    }
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        error.fault()
    }
}

impl Coded for EngineError {
    fn code(&self) -> &'static str {
        match self {
            Self::Refused { code, .. } => code,
            Self::Ledger(error) => error.code(),
            Self::Receipt(error) => error.code(),
            Self::DiskFull => "network_disk_full",
            Self::Store(_) => "network_store_failed",
            Self::Contradiction(_) => "network_contradiction",
            Self::ShuttingDown => "network_shutting_down",
        }
    }
}
