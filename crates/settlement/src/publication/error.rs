//! Why a file is not a published epoch.

use lull_types::Coded;

/// The file cannot be believed. Places count leaves from 0.
#[derive(Debug, thiserror::Error)]
pub enum PublicationError {
    /// Reading failed.
    #[error("the published epoch cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// It is something else, or of a version that this program does not know.
    #[error(
        "this file is no published epoch that this program knows; fetch it again, or use a newer program"
    )]
    WrongFormat,
    /// It ends too early.
    #[error("the published epoch ends too early; fetch it again")]
    Truncated,
    /// It goes on after its end.
    #[error("the published epoch goes on after its end; fetch it again")]
    TooLong,
    /// It states more leaves than an epoch can have.
    #[error("the published epoch states more contributors than an epoch can have; do not use it")]
    TooManyLeaves,
    /// A leaf's wallet is none.
    #[error("the published epoch pays to something that is no wallet, at leaf {0}; do not use it")]
    NotAWallet(u64),
    /// A leaf is not after the one before; it may be the same.
    #[error("the published epoch is out of order at leaf {0}; do not use it")]
    Unsorted(u64),
    /// A leaf has no earnings.
    #[error("the published epoch lists no earnings at leaf {0}; do not use it")]
    Nothing(u64),
    /// The lifetimes add up to something else, or to more than 64 bits hold.
    #[error("the earnings in the published epoch do not add up to its total; do not use it")]
    WrongTotal,
    /// The leaves have another root.
    #[error("the leaves of the published epoch have another root than it states; do not use it")]
    WrongRoot,
    /// The checksum is of something else.
    #[error("the published epoch was damaged on its way; fetch it again")]
    WrongChecksum,
}

impl Coded for PublicationError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "publication_unreadable",
            Self::WrongFormat => "publication_wrong_format",
            Self::Truncated => "publication_truncated",
            Self::TooLong => "publication_too_long",
            Self::TooManyLeaves => "publication_too_many_leaves",
            Self::NotAWallet(_) => "publication_not_a_wallet",
            Self::Unsorted(_) => "publication_unsorted",
            Self::Nothing(_) => "publication_empty_leaf",
            Self::WrongTotal => "publication_wrong_total",
            Self::WrongRoot => "publication_wrong_root",
            Self::WrongChecksum => "publication_wrong_checksum",
        }
    }
}
