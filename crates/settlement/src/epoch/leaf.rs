//! Leaves in their one order.

use lull_types::{BaseUnits, MoneyError, WalletAddress, WorkerId};
use rayon::prelude::*;

use super::{EpochError, LEAVES_MAX};

/// All that a worker has ever earned for one wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Who earned it.
    pub worker: WorkerId,
    /// Where it is paid.
    pub wallet: WalletAddress,
    /// Lifetime earnings, those included that were paid before.
    pub lifetime: BaseUnits,
}

impl Leaf {
    /// What leaves are sorted by, and are unique in.
    pub fn key(&self) -> (WorkerId, WalletAddress) {
        (self.worker, self.wallet)
    }
}

/// Leaves of one epoch: sorted, unique, none without earnings, and their total is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leaves {
    sorted: Vec<Leaf>,
    total: BaseUnits,
}

impl Leaves {
    /// Sorts and checks leaves in any order.
    ///
    /// # Errors
    /// [`EpochError`].
    pub fn new(mut leaves: Vec<Leaf>) -> Result<Self, EpochError> {
        if leaves.len() as u64 > LEAVES_MAX {
            return Err(EpochError::TooMany);
        }
        leaves.par_sort_unstable_by_key(Leaf::key);
        if let Some(pair) = leaves.windows(2).find(|pair| pair[0].key() == pair[1].key()) {
            return Err(EpochError::Duplicate(pair[0].worker));
        }
        if let Some(leaf) = leaves.iter().find(|leaf| leaf.lifetime == BaseUnits::ZERO) {
            return Err(EpochError::Nothing(leaf.worker));
        }
        let total = leaves
            .iter()
            .try_fold(BaseUnits::ZERO, |total, leaf| total.plus(leaf.lifetime))
            .map_err(|MoneyError| EpochError::TotalOverflow)?;
        Ok(Self { sorted: leaves, total })
    }

    /// In ascending order of [`Leaf::key`].
    pub fn as_slice(&self) -> &[Leaf] {
        &self.sorted
    }

    /// The sum of all lifetimes.
    pub fn total(&self) -> BaseUnits {
        self.total
    }

    /// The place of a worker's earnings for one wallet.
    pub fn position(&self, worker: WorkerId, wallet: WalletAddress) -> Option<usize> {
        self.sorted.binary_search_by_key(&(worker, wallet), Leaf::key).ok()
    }
}
