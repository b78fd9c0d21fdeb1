//! Why leaves are not an epoch.

use lull_types::{Coded, WorkerId};

use super::LEAVES_MAX;

/// These earnings cannot be an epoch. Nothing is published or paid then: the ledger that they came from is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EpochError {
    /// One `(worker, wallet)` twice. Neither is chosen: the sum would be as wrong as either, if one of them is
    /// a repetition.
    #[error("the earnings of worker {} for one wallet are listed twice, so no epoch was made; check the ledger", .0.short())]
    Duplicate(WorkerId),
    /// A leaf under which nothing can be claimed.
    #[error("worker {} is listed with no earnings, so no epoch was made; leave it out", .0.short())]
    Nothing(WorkerId),
    /// The lifetimes do not add up within 64 bits.
    #[error("the earnings of this epoch add up to more than can be written down; check the ledger")]
    TotalOverflow,
    /// More than [`LEAVES_MAX`] leaves.
    #[error("an epoch has at most {LEAVES_MAX} contributors; this one has more")]
    TooMany,
}

impl Coded for EpochError {
    fn code(&self) -> &'static str {
        match self {
            Self::Duplicate(_) => "epoch_duplicate_leaf",
            Self::Nothing(_) => "epoch_empty_leaf",
            Self::TotalOverflow => "epoch_total_overflow",
            Self::TooMany => "epoch_too_many_leaves",
        }
    }
}
