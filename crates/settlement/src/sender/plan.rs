//! What is to be done next.

use lull_types::BaseUnits;

use super::io::{Effect, Found, OnChainRoot, Purpose, SenderError, What, fresh};
use super::{
    Alarm, Batch, BatchId, BatchState, Claim, Epoch, Payee, Payout, PayoutState, Record, RefundState, Turn,
    Work, prepare,
};

impl Turn<'_> {
    pub(super) fn plan_epoch(
        &mut self,
        epoch: Epoch,
        payouts: Vec<(Payee, BaseUnits, BaseUnits)>,
    ) -> Result<(), SenderError> {
        if let Some(newest) = &self.state.epoch {
            if (epoch.number, epoch.root, epoch.total) == (newest.number, newest.root, newest.total) {
                return Ok(());
            }
            if epoch.number <= newest.number {
                return Err(SenderError::StaleEpoch { given: epoch.number, newest: newest.number });
            }
        }
        let before = self.state.epoch.as_ref().map_or(BaseUnits::ZERO, |newest| newest.total);
        let growth = epoch.total.minus(before).map_err(|_| SenderError::TotalFell(epoch.number))?;
        if growth.0 > self.policy.epoch_growth_max {
            let (epoch, limit) = (epoch.number, self.policy.epoch_growth_max);
            return Err(SenderError::Limit(Alarm::GrowthLimit { epoch, growth: growth.0, limit }));
        }
        self.record(Record::Epoch(Epoch { anchored: false, ..epoch }));
        self.withdraw_unsigned();
        let left: Vec<Payee> = self.state.waiting.iter().copied().collect();
        for payee in left {
            self.move_payout(payee, PayoutState::Left);
        }
        for (payee, lifetime, fee) in payouts {
            let payout = match self.state.payouts.get(&payee) {
                None => fresh(payee, lifetime, fee),
                Some(known) => {
                    let state = match known.state {
                        PayoutState::InBatch(batch) => PayoutState::InBatch(batch),
                        _ if known.paid >= lifetime => PayoutState::Confirmed,
                        PayoutState::Planned
                        | PayoutState::Confirmed
                        | PayoutState::Held
                        | PayoutState::Left => PayoutState::Planned,
                    };
                    Payout { lifetime, fee, state, failures: 0, ..known.clone() }
                }
            };
            self.record(Record::Payout(payout));
        }
        Ok(())
    }

    /// Takes back batches that were never signed: under a new root they are of no use.
    fn withdraw_unsigned(&mut self) {
        let unsigned = self.state.open.values().filter(|batch| batch.attempt.is_none());
        for batch in unsigned.cloned().collect::<Vec<_>>() {
            match &batch.work {
                Work::Root { .. } => {}
                Work::Claims(claims) => {
                    for claim in claims {
                        self.move_payout(claim.payee, PayoutState::Planned);
                    }
                }
                Work::Refund { refund, .. } => self.move_refund(*refund, RefundState::Planned),
            }
            self.record(Record::Batch(Batch { state: BatchState::Expired, ..batch }));
        }
    }

    pub(super) fn move_payout(&mut self, payee: Payee, state: PayoutState) {
        if let Some(payout) = self.state.payouts.get(&payee) {
            let moved = Payout { state, ..payout.clone() };
            self.record(Record::Payout(moved));
        }
    }

    /// Reads what planning needs to know.
    pub(super) fn look_for_work(&mut self) {
        let Some(epoch) = self.state.epoch.as_ref().filter(|_| self.state.stopped.is_none()) else { return };
        let purpose = Purpose::Plan;
        if !epoch.anchored {
            if !self.state.has_open_payouts() {
                self.effects.push(Effect::Read { purpose, what: What::Root });
            }
            return;
        }
        let payees: Vec<Payee> = self.state.waiting.iter().copied().take(self.room()).collect();
        if !payees.is_empty() {
            self.effects.push(Effect::Read { purpose, what: What::Paid(payees) });
        }
    }

    /// Claims that may be put into batches now.
    fn room(&self) -> usize {
        self.policy.open_batches_max.saturating_sub(self.state.open.len())
            * self.policy.claims_a_batch_max.max(1)
    }

    pub(super) fn plan_batches(&mut self, found: Found) {
        let Some(epoch) = self.state.epoch.clone().filter(|_| self.state.stopped.is_none()) else { return };
        match found {
            Found::Root(found) if !epoch.anchored && !self.state.has_open_payouts() => {
                self.plan_root(epoch, found)
            }
            Found::Paid(paid) if epoch.anchored => self.plan_claims(epoch.number, paid),
            Found::Root(_) | Found::Paid(_) | Found::Arrived(_) => {}
        }
    }

    fn plan_root(&mut self, epoch: Epoch, found: Option<OnChainRoot>) {
        match found {
            Some(found) if found.epoch == epoch.number && found.root == epoch.root => {
                self.record(Record::Epoch(Epoch { anchored: true, ..epoch }));
            }
            Some(found) if found.epoch >= epoch.number => {
                self.stop(Alarm::ForeignRoot { found: found.epoch, ours: epoch.number });
            }
            Some(_) | None => {
                self.open_batch(epoch.number, Work::Root { root: epoch.root, total: epoch.total }, 0);
            }
        }
    }

    fn plan_claims(&mut self, epoch: u64, paid: Vec<(Payee, BaseUnits)>) {
        let mut claims = Vec::new();
        for (payee, paid) in paid {
            let Some(payout) = self.state.payouts.get(&payee).filter(|p| p.state == PayoutState::Planned)
            else {
                continue;
            };
            // An answer may be older than what is known here.
            let paid = paid.max(payout.paid);
            let Payout { lifetime, fee, failures, .. } = *payout;
            if paid >= lifetime {
                let confirmed = Payout { paid, state: PayoutState::Confirmed, ..payout.clone() };
                self.record(Record::Payout(confirmed));
                continue;
            }
            let amount = BaseUnits(lifetime.0 - paid.0);
            claims.push((failures > 0, Claim { payee, lifetime, amount, fee }));
        }
        // What failed before goes alone, so that it fails nobody else.
        let (alone, together): (Vec<_>, Vec<_>) = claims.into_iter().partition(|(failed, _)| *failed);
        let bare =
            |claims: Vec<(bool, Claim)>| claims.into_iter().map(|(_, claim)| claim).collect::<Vec<_>>();
        let (alone, together) = (bare(alone), bare(together));
        let groups = together.chunks(self.policy.claims_a_batch_max.max(1)).chain(alone.chunks(1));
        for group in groups {
            if self.state.open.len() >= self.policy.open_batches_max
                || !self.open_batch(epoch, Work::Claims(group.to_vec()), group.len() as u64)
            {
                break;
            }
        }
    }

    /// Fixes a batch; false when a limit does not allow it.
    pub(super) fn open_batch(&mut self, epoch: u64, work: Work, claims: u64) -> bool {
        let lamports_max = self
            .policy
            .claim_lamports_max
            .saturating_mul(claims)
            .saturating_add(self.policy.transaction_lamports_max);
        let id = BatchId(self.state.last_batch.0 + 1);
        let batch = Batch { id, epoch, work, lamports_max, state: BatchState::Planned, attempt: None };
        let spent = self.state.spent(epoch);
        if spent.lamports.saturating_add(lamports_max) > self.policy.epoch_lamports_max {
            let limit = self.policy.epoch_lamports_max;
            self.stop(Alarm::LamportsLimit { epoch, spent: spent.lamports, limit });
            return false;
        }
        if spent.tokens.saturating_add(batch.tokens()) > self.policy.epoch_tokens_max {
            let limit = self.policy.epoch_tokens_max;
            self.stop(Alarm::TokensLimit { epoch, spent: spent.tokens, limit });
            return false;
        }
        match &batch.work {
            Work::Root { .. } => {}
            Work::Claims(claims) => {
                for claim in claims {
                    self.move_payout(claim.payee, PayoutState::InBatch(id));
                }
            }
            Work::Refund { refund, .. } => self.move_refund(*refund, RefundState::InBatch(id)),
        }
        self.effects.push(prepare(&batch));
        self.record(Record::Batch(batch));
        true
    }

    /// Goes on after an alarm.
    pub(super) fn resume(&mut self) {
        if self.state.stopped.is_some() {
            self.record(Record::Stopped(None));
        }
        let held = self.state.payouts.values().filter(|payout| payout.state == PayoutState::Held);
        for payout in held.cloned().collect::<Vec<_>>() {
            self.record(Record::Payout(Payout { state: PayoutState::Planned, failures: 0, ..payout }));
        }
    }
}
