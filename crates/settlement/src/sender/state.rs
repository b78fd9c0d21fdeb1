//! All that is remembered, and the one place where it changes.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Alarm, Batch, BatchId, BatchState, Epoch, Payee, Payout, PayoutState, Record, Refund, RefundId, Work,
};

/// What an epoch has cost, at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// In fees and rent, in lamports.
    pub lamports: u64,
    /// Paid out, in base units.
    pub tokens: u64,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) epoch: Option<Epoch>,
    pub(super) payouts: BTreeMap<Payee, Payout>,
    /// Those of `payouts` that are planned.
    pub(super) waiting: BTreeSet<Payee>,
    /// Batches that have not ended.
    pub(super) open: BTreeMap<BatchId, Batch>,
    pub(super) last_batch: BatchId,
    /// Refunds that have not ended.
    pub(super) refunds: BTreeMap<RefundId, Refund>,
    /// The last that was taken. What is told again, however late, is not above it.
    pub(super) last_refund: RefundId,
    pub(super) stopped: Option<Alarm>,
    /// Of every epoch that has batches.
    spent: BTreeMap<u64, Spent>,
}

impl State {
    pub(super) fn apply(&mut self, record: &Record) {
        match record {
            Record::Epoch(epoch) => self.epoch = Some(epoch.clone()),
            Record::Payout(payout) => {
                if payout.state == PayoutState::Planned {
                    self.waiting.insert(payout.payee);
                } else {
                    self.waiting.remove(&payout.payee);
                }
                self.payouts.insert(payout.payee, payout.clone());
            }
            Record::Batch(batch) => self.apply_batch(batch),
            Record::Refund(refund) => {
                self.last_refund = self.last_refund.max(refund.id);
                if refund.state.is_open() {
                    self.refunds.insert(refund.id, refund.clone());
                } else {
                    self.refunds.remove(&refund.id);
                }
            }
            Record::Settled(_) => {}
            Record::Stopped(alarm) => self.stopped.clone_from(alarm),
        }
    }

    fn apply_batch(&mut self, batch: &Batch) {
        let before = self.open.remove(&batch.id).map_or(Spent::default(), |before| cost(&before));
        let now = cost(batch);
        let spent = self.spent.entry(batch.epoch).or_default();
        spent.lamports = spent.lamports.saturating_sub(before.lamports).saturating_add(now.lamports);
        spent.tokens = spent.tokens.saturating_sub(before.tokens).saturating_add(now.tokens);
        self.last_batch = self.last_batch.max(batch.id);
        if batch.state.is_open() {
            self.open.insert(batch.id, batch.clone());
        }
    }

    /// Whether a root or claims may still reach the chain, as far as is known here. Refunds have nothing to do with roots.
    pub(super) fn has_open_payouts(&self) -> bool {
        self.open.values().any(|batch| match batch.work {
            Work::Root { .. } | Work::Claims(_) => true,
            Work::Refund { .. } => false,
        })
    }

    pub(super) fn spent(&self, epoch: u64) -> Spent {
        self.spent.get(&epoch).copied().unwrap_or_default()
    }
}

/// What a batch costs at most: all that it may, until it has ended otherwise.
fn cost(batch: &Batch) -> Spent {
    match batch.state {
        BatchState::Planned | BatchState::Signed | BatchState::Sent | BatchState::Confirmed => {
            Spent { lamports: batch.lamports_max, tokens: batch.tokens() }
        }
        BatchState::Failed => Spent { lamports: batch.lamports_max, tokens: 0 },
        BatchState::Expired => Spent::default(),
    }
}
