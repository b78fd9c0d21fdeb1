//! What the sender is told, and what it asks of the shell.

use lull_types::{BaseUnits, Coded, WalletAddress};

use super::{Alarm, Attempt, BatchId, Epoch, Payee, Payout, Policy, Record, RefundId, Work};
use crate::chain::{Outcome, Signature, Status};
use crate::epoch::Hash;

/// Everything that can happen. Each may come twice, late, or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// An epoch is published: these payouts are to be sent. It takes the place of any epoch before.
    Epoch {
        /// The epoch, not anchored.
        epoch: Epoch,
        /// Lifetime and fee of everyone the network sends to. Their other fields are the sender's.
        payouts: Vec<(Payee, BaseUnits, BaseUnits)>,
    },
    /// A refund that is booked and stored. They are told in the order of their ids, and all of them.
    Refund {
        /// Which.
        id: RefundId,
        /// To which wallet.
        to: WalletAddress,
        /// How much.
        amount: BaseUnits,
    },
    /// Time has passed: told every two seconds or so.
    Tick,
    /// The answer to [`Effect::Read`].
    Read {
        /// As asked.
        purpose: Purpose,
        /// What the chain has, at `finalized`.
        found: Found,
    },
    /// The answer to [`Effect::Prepare`].
    Signed {
        /// Which.
        batch: BatchId,
        /// The transaction.
        attempt: Attempt,
    },
    /// An endpoint took what [`Effect::Send`] sent.
    Taken {
        /// Which.
        batch: BatchId,
    },
    /// The answer to [`Effect::AskStatuses`].
    Statuses(Vec<(BatchId, Status)>),
    /// A person looked at an alarm and lets the sender go on, under this policy.
    Resume(Policy),
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Make these durable, all or none, before any effect after it.
    Persist(Vec<Record>),
    /// Fetch a blockhash, compose and sign, within the cost, and tell [`Input::Signed`]. The last valid height
    /// is that of the blockhash. Nothing of it may be sent.
    Prepare {
        /// Which.
        batch: BatchId,
        /// The epoch whose proofs are needed.
        epoch: u64,
        /// What the transaction does; all of it, and nothing else.
        work: Work,
        /// What it may cost in fees and rent, in lamports.
        lamports_max: u64,
    },
    /// Give these bytes to the chain; when they were taken, tell [`Input::Taken`].
    Send {
        /// Which.
        batch: BatchId,
        /// The stored transaction.
        bytes: Vec<u8>,
    },
    /// Ask how far these are, with [`crate::chain::Chain::statuses`], and tell [`Input::Statuses`].
    AskStatuses(Vec<(BatchId, Signature)>),
    /// Read this from the chain, at `finalized`, and tell [`Input::Read`].
    Read {
        /// What for.
        purpose: Purpose,
        /// What.
        what: What,
    },
    /// A person must look. Told once; [`super::Sender::stopped`] remembers those that stop the sender.
    Alarm(Alarm),
}

/// Why something is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To plan what is still to do.
    Plan,
    /// To see whether a batch did what its end says.
    Close {
        /// Which.
        batch: BatchId,
        /// Its end.
        ending: Ending,
    },
}

/// How a batch ended. None of these can change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It is in a final block and did what it says.
    Done,
    /// It is in a final block and was undone.
    Failed,
    /// It is in no block and can be in none.
    Expired,
}

impl Ending {
    /// The end that a status tells, if any.
    pub(super) fn of(status: &Status, attempt: &Attempt) -> Option<Self> {
        match status {
            Status::Finalized { outcome: Outcome::Done, .. } => Some(Self::Done),
            Status::Finalized { outcome: Outcome::Failed(_), .. } => Some(Self::Failed),
            Status::Unknown { searched_to } if *searched_to > attempt.last_valid_height => {
                Some(Self::Expired)
            }
            Status::Unknown { .. } | Status::Seen { .. } | Status::Unsure => None,
        }
    }
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The root that the network's account has.
    Root,
    /// What the chain has paid to these.
    Paid(Vec<Payee>),
    /// What a final transaction brought to a wallet.
    Arrived {
        /// Which transaction.
        signature: Signature,
        /// Which wallet.
        to: WalletAddress,
    },
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The root; none before the first.
    Root(Option<OnChainRoot>),
    /// What the chain has paid to each, in all.
    Paid(Vec<(Payee, BaseUnits)>),
    /// What arrived; nothing if there is no such transaction, or it was undone.
    Arrived(BaseUnits),
}

/// A root on the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnChainRoot {
    /// Of which epoch.
    pub epoch: u64,
    /// The root.
    pub root: Hash,
}

/// An input that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SenderError {
    /// Its number is not above the last.
    #[error("epoch {given} was planned after epoch {newest}; epochs are numbered upwards")]
    StaleEpoch {
        /// The epoch that was given.
        given: u64,
        /// The newest.
        newest: u64,
    },
    /// Its total is below the last.
    #[error(
        "the lifetime earnings of epoch {0} are less in all than those of the epoch before; check the ledger"
    )]
    TotalFell(u64),
    /// A limit does not allow it. The alarm says which; the epoch can be given again after [`Input::Resume`].
    #[error("{0}")]
    Limit(Alarm),
}

impl Coded for SenderError {
    fn code(&self) -> &'static str {
        match self {
            Self::StaleEpoch { .. } => "sender_stale_epoch",
            Self::TotalFell(_) => "sender_total_fell",
            Self::Limit(alarm) => alarm.code(),
        }
    }
}

/// What is told of one payout of an epoch, with the sender's own fields at their beginning.
pub(super) fn fresh(payee: Payee, lifetime: BaseUnits, fee: BaseUnits) -> Payout {
    let state = super::PayoutState::Planned;
    Payout { payee, lifetime, fee, paid: BaseUnits::ZERO, state, failures: 0 }
}
