//! Why the chain gave no answer.

use lull_types::Coded;

/// A question to the chain has no answer now. None of these says what became of a transaction.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Nobody answered in time.
    #[error("Solana cannot be reached ({0}); it is tried again")]
    Unreachable(String),
    /// Fewer endpoints than needed gave the same answer.
    #[error(
        "{agreed} of {asked} endpoints of Solana gave the same answer, and {needed} are needed; nothing is decided until they do"
    )]
    Disagreement {
        /// How many agreed.
        agreed: usize,
        /// How many were asked.
        asked: usize,
        /// How many must agree.
        needed: usize,
    },
    /// An endpoint would not take a transaction. Another may, or may have taken it before.
    #[error("Solana did not take the transaction: {0}")]
    Refused(String),
    /// The bytes are no transaction.
    #[error("these bytes are no signed transaction")]
    NotATransaction,
    /// An answer that this program does not understand.
    #[error("an endpoint of Solana answered in a way that is not understood ({0}); use another one")]
    Unreadable(String),
    /// The ledger in this process cannot read or write its file.
    #[error("the practice ledger's file cannot be used: {0}")]
    Ledger(String),
}

impl Coded for ChainError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "chain_unreachable",
            Self::Disagreement { .. } => "chain_disagreement",
            Self::Refused(_) => "chain_refused",
            Self::NotATransaction => "chain_not_a_transaction",
            Self::Unreadable(_) => "chain_unreadable",
            Self::Ledger(_) => "chain_ledger_unusable",
        }
    }
}
