//! Refunds: money of customers that goes back.

use lull_types::{BaseUnits, WalletAddress};

use super::io::Ending;
use super::{Batch, Record, Refund, RefundId, RefundState, Turn, Work};

impl Turn<'_> {
    pub(super) fn take_refund(&mut self, id: RefundId, to: WalletAddress, amount: BaseUnits) {
        if id > self.state.last_refund {
            self.record(Record::Refund(Refund { id, to, amount, state: RefundState::Planned, failures: 0 }));
        }
    }

    pub(super) fn move_refund(&mut self, id: RefundId, state: RefundState) {
        if let Some(refund) = self.state.refunds.get(&id) {
            let moved = Refund { state, ..refund.clone() };
            self.record(Record::Refund(moved));
        }
    }

    /// Puts what waits into batches, one each: what fails fails nobody else. Until the first epoch they count in epoch 0.
    pub(super) fn plan_refunds(&mut self) {
        if self.state.stopped.is_some() {
            return;
        }
        let epoch = self.state.epoch.as_ref().map_or(0, |epoch| epoch.number);
        let waiting = self.state.refunds.values().filter(|refund| refund.state == RefundState::Planned);
        let room = self.policy.open_batches_max.saturating_sub(self.state.open.len());
        for Refund { id, to, amount, .. } in waiting.take(room).cloned().collect::<Vec<_>>() {
            if !self.open_batch(epoch, Work::Refund { refund: id, to, amount }, 0) {
                break;
            }
        }
    }

    /// An end is believed when the transaction itself agrees with it.
    pub(super) fn close_refund(
        &mut self,
        batch: &Batch,
        id: RefundId,
        amount: BaseUnits,
        ending: Ending,
        arrived: BaseUnits,
    ) {
        let has_arrived = arrived >= amount;
        if (ending == Ending::Done) != has_arrived {
            return;
        }
        self.end(batch, ending);
        let Some(refund) = self.state.refunds.get(&id).cloned() else { return };
        let failures = refund.failures + u32::from(!has_arrived);
        let state = if has_arrived {
            RefundState::Paid
        } else if failures >= self.policy.failures_max {
            RefundState::Returned
        } else {
            RefundState::Planned
        };
        self.record(Record::Refund(Refund { state, failures, ..refund }));
    }
}
