//! What the sender may spend, and when a person must look.

use lull_types::Coded;
use serde::{Deserialize, Serialize};

use super::Payee;

/// What the sender decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Claims in one transaction.
    pub claims_a_batch_max: usize,
    /// Batches that may be open at once.
    pub open_batches_max: usize,
    /// What a transaction may cost beside its claims, in lamports: base fee and priority fee.
    pub transaction_lamports_max: u64,
    /// What each claim may cost, in lamports: rent of the account of claims and of a token account, once.
    pub claim_lamports_max: u64,
    /// What one epoch may cost, in lamports.
    pub epoch_lamports_max: u64,
    /// What may be paid out in one epoch, in base units of the token.
    pub epoch_tokens_max: u64,
    /// By how much the total of one epoch may exceed that of the one before, in base units.
    pub epoch_growth_max: u64,
    /// How often the chain may undo a payout before it is held.
    pub failures_max: u32,
}

impl Default for Policy {
    /// Costs as Solana charges them: 5,000 lamports a signature and at most as much again for priority; rent of
    /// 16 bytes of claims and 165 of a token account, 1,002,240 and 2,039,280 lamports. An epoch may cost 1 SOL
    /// and pay 10,000 USDC; a network that pays more raises that.
    fn default() -> Self {
        Self {
            claims_a_batch_max: 1,
            open_batches_max: 32,
            transaction_lamports_max: 10_000,
            claim_lamports_max: 1_002_240 + 2_039_280,
            epoch_lamports_max: 1_000_000_000,
            epoch_tokens_max: 10_000_000_000,
            epoch_growth_max: 10_000_000_000,
            failures_max: 3,
        }
    }
}

/// A person must look.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// Stops the sender: the next batch would exceed [`Policy::epoch_lamports_max`].
    #[error(
        "the payouts of epoch {epoch} have cost {spent} lamports and may cost {limit}; nothing more is sent. See whether the costs are right, then raise the limit"
    )]
    LamportsLimit {
        /// Which epoch.
        epoch: u64,
        /// What it has cost, at most.
        spent: u64,
        /// The limit.
        limit: u64,
    },
    /// Stops the sender: the next batch would exceed [`Policy::epoch_tokens_max`].
    #[error(
        "the payouts of epoch {epoch} come to {spent} base units and may come to {limit}; nothing more is sent. See whether the earnings are right, then raise the limit"
    )]
    TokensLimit {
        /// Which epoch.
        epoch: u64,
        /// What was paid out, at most.
        spent: u64,
        /// The limit.
        limit: u64,
    },
    /// Stops the sender: the epoch grew by more than [`Policy::epoch_growth_max`].
    #[error(
        "epoch {epoch} adds {growth} base units of earnings and may add {limit}; it is not posted. See whether the earnings are right, then raise the limit"
    )]
    GrowthLimit {
        /// Which epoch.
        epoch: u64,
        /// By how much it grew.
        growth: u64,
        /// The limit.
        limit: u64,
    },
    /// Stops the sender: the chain has a root that this sender did not post.
    #[error(
        "the chain has a root of epoch {found} that is not the one of epoch {ours} here; nothing more is sent. Somebody else holds the key that posts roots, or these records are old"
    )]
    ForeignRoot {
        /// The epoch on the chain.
        found: u64,
        /// The epoch here.
        ours: u64,
    },
    /// A payout is held.
    #[error("the payout to worker {} fails again and again and is held until the next epoch", .0.worker.short())]
    Held(Payee),
}

impl Coded for Alarm {
    fn code(&self) -> &'static str {
        match self {
            Self::LamportsLimit { .. } => "sender_lamports_limit",
            Self::TokensLimit { .. } => "sender_tokens_limit",
            Self::GrowthLimit { .. } => "sender_growth_limit",
            Self::ForeignRoot { .. } => "sender_foreign_root",
            Self::Held(_) => "sender_payout_held",
        }
    }
}
