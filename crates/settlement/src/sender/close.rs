//! How batches end.

use lull_types::BaseUnits;

use super::io::{Effect, Ending, Found, OnChainRoot};
use super::{
    Alarm, Batch, BatchId, BatchState, Claim, Epoch, Payee, PayoutState, Record, Settled, Turn, Work,
};
use crate::chain::Signature;

impl Turn<'_> {
    /// A batch ended, and this is what the chain has now.
    pub(super) fn close(&mut self, id: BatchId, ending: Ending, found: &Found) {
        let Some(batch) = self.state.open.get(&id).cloned() else { return };
        let Some(signature) = batch.attempt.as_ref().map(|attempt| attempt.signature) else { return };
        match (&batch.work, found) {
            (Work::Root { .. }, Found::Root(found)) => self.close_root(&batch, ending, *found),
            (Work::Claims(claims), Found::Paid(paid)) => {
                self.close_claims(&batch, claims, signature, ending, paid);
            }
            (Work::Refund { refund, amount, .. }, Found::Arrived(arrived)) => {
                self.close_refund(&batch, *refund, *amount, ending, *arrived);
            }
            // An answer to another question.
            (Work::Root { .. }, Found::Paid(_) | Found::Arrived(_))
            | (Work::Claims(_), Found::Root(_) | Found::Arrived(_))
            | (Work::Refund { .. }, Found::Root(_) | Found::Paid(_)) => {}
        }
    }

    pub(super) fn end(&mut self, batch: &Batch, ending: Ending) {
        let state = match ending {
            Ending::Done => BatchState::Confirmed,
            Ending::Failed => BatchState::Failed,
            Ending::Expired => BatchState::Expired,
        };
        self.record(Record::Batch(Batch { state, ..batch.clone() }));
    }

    fn close_root(&mut self, batch: &Batch, ending: Ending, found: Option<OnChainRoot>) {
        let Work::Root { root, .. } = batch.work else { return };
        let is_there = found == Some(OnChainRoot { epoch: batch.epoch, root });
        // Epochs on the chain only rise, so that this is no older answer: it was replaced by somebody else.
        let foreign = found.filter(|found| !is_there && found.epoch >= batch.epoch);
        if let Some(found) = foreign {
            self.stop(Alarm::ForeignRoot { found: found.epoch, ours: batch.epoch });
        } else if ending == Ending::Done && !is_there {
            return;
        }
        self.end(batch, ending);
        let newest = self.state.epoch.clone().filter(|newest| is_there && newest.number == batch.epoch);
        if let Some(newest) = newest {
            self.record(Record::Epoch(Epoch { anchored: true, ..newest }));
        }
    }

    fn close_claims(
        &mut self,
        batch: &Batch,
        claims: &[Claim],
        signature: Signature,
        ending: Ending,
        paid: &[(Payee, BaseUnits)],
    ) {
        let paid_to = |payee: Payee| {
            paid.iter().find(|(of, _)| *of == payee).map_or(BaseUnits::ZERO, |(_, paid)| *paid)
        };
        if ending == Ending::Done && !claims.iter().all(|claim| paid_to(claim.payee) >= claim.lifetime) {
            return;
        }
        self.end(batch, ending);
        for claim in claims {
            if ending == Ending::Done {
                self.record(Record::Settled(Settled { batch: batch.id, signature, claim: claim.clone() }));
            }
            let Some(payout) = self.state.payouts.get(&claim.payee) else { continue };
            let mut payout = payout.clone();
            payout.paid = payout.paid.max(paid_to(claim.payee));
            payout.failures += u32::from(ending == Ending::Failed);
            payout.state = if payout.paid >= payout.lifetime {
                PayoutState::Confirmed
            } else if payout.failures >= self.policy.failures_max {
                PayoutState::Held
            } else {
                PayoutState::Planned
            };
            if payout.state == PayoutState::Held {
                self.effects.push(Effect::Alarm(Alarm::Held(payout.payee)));
            }
            self.record(Record::Payout(payout));
        }
    }
}
