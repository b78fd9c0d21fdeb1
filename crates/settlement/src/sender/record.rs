//! What the sender remembers, as it is stored.

use lull_types::{BaseUnits, WalletAddress, WorkerId};
use serde::{Deserialize, Serialize};

use super::Alarm;
use super::io::What;
use crate::chain::Signature;
use crate::epoch::Hash;

/// Whose earnings, and where they are paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Payee {
    /// Who earned.
    pub worker: WorkerId,
    /// Where it is paid.
    pub wallet: WalletAddress,
}

/// An epoch that is paid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Epoch {
    /// Its number; greater than any before.
    pub number: u64,
    /// The root over its leaves.
    pub root: Hash,
    /// The sum of its lifetimes; at least that of the epoch before.
    pub total: BaseUnits,
    /// Whether the root is on the chain, at `finalized`.
    pub anchored: bool,
}

/// What the network is to send to one payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payout {
    /// To whom.
    pub payee: Payee,
    /// Lifetime earnings in the newest epoch that has the payee.
    pub lifetime: BaseUnits,
    /// What the contributor owes the network for sending it.
    pub fee: BaseUnits,
    /// What the chain is known to have paid of the lifetime.
    pub paid: BaseUnits,
    /// How far it is.
    pub state: PayoutState,
    /// How often a batch with it was undone by the chain. After the first it goes alone.
    pub failures: u32,
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PayoutState {
    /// To be put into a batch.
    Planned,
    /// In a batch that has not ended.
    InBatch(BatchId),
    /// The chain has paid the lifetime, whoever claimed it.
    Confirmed,
    /// The chain undid it [`super::Policy::failures_max`] times. The next epoch or a person tries again.
    Held,
    /// The newest epoch does not list it: its contributor claims.
    Left,
}

/// Counts batches; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId(pub u64);

/// What one transaction does. It is fixed before the transaction is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Which.
    pub id: BatchId,
    /// For which epoch.
    pub epoch: u64,
    /// What it does.
    pub work: Work,
    /// What it may cost in fees and rent, in lamports.
    pub lamports_max: u64,
    /// How far it is.
    pub state: BatchState,
    /// Its one signed transaction.
    pub attempt: Option<Attempt>,
}

/// What a batch does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Posts the epoch's root.
    Root {
        /// The root.
        root: Hash,
        /// The sum of lifetimes under it.
        total: BaseUnits,
    },
    /// Claims for these.
    Claims(Vec<Claim>),
    /// Pays a refund.
    Refund {
        /// Which.
        refund: RefundId,
        /// To which wallet.
        to: WalletAddress,
        /// How much.
        amount: BaseUnits,
    },
}

/// Counts refunds in the order in which they were asked for; never used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundId(pub u64);

/// Money of a customer that goes back. Nothing on the chain keeps it from being paid twice but the discipline of
/// batches: it is in at most one that may still reach the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Which.
    pub id: RefundId,
    /// To which wallet.
    pub to: WalletAddress,
    /// How much.
    pub amount: BaseUnits,
    /// How far it is.
    pub state: RefundState,
    /// How often a batch with it ended without paying it.
    pub failures: u32,
}

/// How far a refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundState {
    /// To be put into a batch.
    Planned,
    /// In a batch that has not ended.
    InBatch(BatchId),
    /// It has arrived.
    Paid,
    /// It ended without being paid [`super::Policy::failures_max`] times, and goes back to the customer's account.
    Returned,
}

impl RefundState {
    /// Whether it can still change.
    pub fn is_open(self) -> bool {
        match self {
            Self::Planned | Self::InBatch(_) => true,
            Self::Paid | Self::Returned => false,
        }
    }
}

/// One claim of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// For whom.
    pub payee: Payee,
    /// The lifetime that is claimed.
    pub lifetime: BaseUnits,
    /// What it pays: the lifetime less what was paid before.
    pub amount: BaseUnits,
    /// What the contributor owes once it is confirmed.
    pub fee: BaseUnits,
}

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its signature.
    pub signature: Signature,
    /// All of it, as it is sent.
    pub bytes: Vec<u8>,
    /// The height of the last block that takes it.
    pub last_valid_height: u64,
}

/// How far a batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Fixed, not signed.
    Planned,
    /// Signed and stored; it may have been sent.
    Signed,
    /// An endpoint took it.
    Sent,
    /// In a final block, and the chain has what it was to do.
    Confirmed,
    /// In a final block that undid it: it cost its fee and did nothing.
    Failed,
    /// It can never be in a block.
    Expired,
}

impl BatchState {
    /// Whether it can still change.
    pub fn is_open(self) -> bool {
        match self {
            Self::Planned | Self::Signed | Self::Sent => true,
            Self::Confirmed | Self::Failed | Self::Expired => false,
        }
    }
}

impl Batch {
    /// What it pays out.
    pub fn tokens(&self) -> u64 {
        match &self.work {
            Work::Root { .. } => 0,
            Work::Claims(claims) => claims.iter().fold(0, |sum, claim| claim.amount.0.saturating_add(sum)),
            Work::Refund { amount, .. } => amount.0,
        }
    }

    /// What on the chain tells whether it was done, once it is signed.
    pub(super) fn what(&self, attempt: &Attempt) -> What {
        match &self.work {
            Work::Root { .. } => What::Root,
            Work::Claims(claims) => What::Paid(claims.iter().map(|claim| claim.payee).collect()),
            Work::Refund { to, .. } => What::Arrived { signature: attempt.signature, to: *to },
        }
    }
}

/// The network paid a contributor; booked once for each batch and payee.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// By which batch.
    pub batch: BatchId,
    /// Its transaction.
    pub signature: Signature,
    /// What was claimed.
    pub claim: Claim,
}

/// One line of the store. A later one of the same epoch, payee or batch replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// The newest epoch.
    Epoch(Epoch),
    /// A payout.
    Payout(Payout),
    /// A batch.
    Batch(Batch),
    /// A refund. When it is paid or returned, the ledger books that.
    Refund(Refund),
    /// For the ledger: it books what was paid, and the fee.
    Settled(Settled),
    /// Whether the sender is stopped, and why.
    Stopped(Option<Alarm>),
}
