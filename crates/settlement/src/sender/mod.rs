//! Sending payouts: `handle(input)` → effects.
//!
//! ```text
//! epoch:   planned ── root batch confirmed → anchored
//! payout:  planned → in a batch → confirmed        (or held, after failing; or left to its contributor)
//! refund:  planned → in a batch → paid             (or returned, after failing)
//! batch:   planned → signed → sent → confirmed | failed | expired
//! ```
//! An epoch's root is posted first; then every payout of the epoch is claimed for its contributor. What a batch
//! does is fixed before it is signed, and it is signed once. Its bytes are stored before they are sent, and
//! those bytes are sent again until the batch has ended. Whatever is left to do after it has expired or failed
//! goes into another batch.
//!
//! # API boundary
//! The sender opens no socket, file or clock. The shell carries out effects in order and tells what came of
//! them; answers may be lost, repeated and late. When [`Effect::Persist`] cannot be carried out, the shell drops
//! the sender with all that is left to do, and restores it from the store.
//!
//! # Invariants
//! - Records are durable before any effect that follows from them: bytes that were never stored are never sent.
//! - A payout, and a refund, is in at most one batch that may still reach the chain. A batch ends by a fact that cannot change:
//!   it is in a final block, or its blockhash ended at a height that enough histories have searched without
//!   finding it.
//! - An end is believed only if the accounts agree with it: confirmed means that the chain has paid the lifetime.
//! - What an epoch may cost is bounded. At a limit nothing more is signed until somebody raises it.
//! - No root is replaced while a claim under it may still reach the chain.

mod close;
mod io;
mod limits;
mod plan;
mod record;
mod refunds;
mod state;
mod store;

pub use io::{Effect, Ending, Found, Input, OnChainRoot, Purpose, SenderError, What};
pub use limits::{Alarm, Policy};
pub use record::{
    Attempt, Batch, BatchId, BatchState, Claim, Epoch, Payee, Payout, PayoutState, Record, Refund, RefundId,
    RefundState, Settled, Work,
};
pub use state::Spent;
pub use store::{Memory, Store};

use crate::chain::Status;
use state::State;

/// Decides what is sent. See the module.
#[derive(Debug)]
pub struct Sender {
    policy: Policy,
    state: State,
}

impl Sender {
    /// A sender that goes on from what a store holds; from nothing, one that has done nothing.
    pub fn restore(policy: Policy, records: impl IntoIterator<Item = Record>) -> Self {
        let mut state = State::default();
        records.into_iter().for_each(|record| state.apply(&record));
        Self { policy, state }
    }

    /// The epoch that was planned last, anchored or not.
    pub fn epoch(&self) -> Option<&Epoch> {
        self.state.epoch.as_ref()
    }

    /// One payout.
    pub fn payout(&self, payee: &Payee) -> Option<&Payout> {
        self.state.payouts.get(payee)
    }

    /// Batches that have not ended.
    pub fn open_batches(&self) -> impl Iterator<Item = &Batch> {
        self.state.open.values()
    }

    /// What an epoch has cost at most, so far: of one whose batches are known here.
    pub fn spent(&self, epoch: u64) -> Spent {
        self.state.spent(epoch)
    }

    /// What it decides by now.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The last refund that was taken.
    pub fn last_refund(&self) -> RefundId {
        self.state.last_refund
    }

    /// Why nothing more is signed, if so.
    pub fn stopped(&self) -> Option<&Alarm> {
        self.state.stopped.as_ref()
    }

    /// Takes one input.
    ///
    /// # Errors
    /// [`SenderError`]: nothing was changed.
    pub fn handle(&mut self, input: Input) -> Result<Vec<Effect>, SenderError> {
        let mut turn =
            Turn { policy: &self.policy, state: &mut self.state, records: Vec::new(), effects: Vec::new() };
        match input {
            Input::Epoch { epoch, payouts } => turn.plan_epoch(epoch, payouts)?,
            Input::Refund { id, to, amount } => turn.take_refund(id, to, amount),
            Input::Tick => turn.tick(),
            Input::Read { purpose: Purpose::Plan, found } => turn.plan_batches(found),
            Input::Read { purpose: Purpose::Close { batch, ending }, found } => {
                turn.close(batch, ending, &found)
            }
            Input::Signed { batch, attempt } => turn.signed(batch, attempt),
            Input::Taken { batch } => turn.taken(batch),
            Input::Statuses(statuses) => {
                statuses.into_iter().for_each(|(batch, status)| turn.status(batch, &status))
            }
            Input::Resume(policy) => {
                turn.resume();
                let effects = turn.finish();
                self.policy = policy;
                return Ok(effects);
            }
        }
        Ok(turn.finish())
    }
}

/// One input on its way through: what it changes is applied at once and made durable before it has effects.
struct Turn<'a> {
    policy: &'a Policy,
    state: &'a mut State,
    records: Vec<Record>,
    effects: Vec<Effect>,
}

impl Turn<'_> {
    fn record(&mut self, record: Record) {
        self.state.apply(&record);
        self.records.push(record);
    }

    fn stop(&mut self, alarm: Alarm) {
        if self.state.stopped.is_none() {
            self.record(Record::Stopped(Some(alarm.clone())));
            self.effects.push(Effect::Alarm(alarm));
        }
    }

    fn finish(self) -> Vec<Effect> {
        let persist = (!self.records.is_empty()).then_some(Effect::Persist(self.records));
        persist.into_iter().chain(self.effects).collect()
    }

    /// Goes on with every open batch, and plans more.
    fn tick(&mut self) {
        let mut asked = Vec::new();
        for batch in self.state.open.values() {
            match &batch.attempt {
                Some(attempt) => {
                    self.effects.push(Effect::Send { batch: batch.id, bytes: attempt.bytes.clone() });
                    asked.push((batch.id, attempt.signature));
                }
                None if self.state.stopped.is_none() => self.effects.push(prepare(batch)),
                None => {}
            }
        }
        if !asked.is_empty() {
            self.effects.push(Effect::AskStatuses(asked));
        }
        self.plan_refunds();
        self.look_for_work();
    }

    fn signed(&mut self, batch: BatchId, attempt: Attempt) {
        // Signed once: whatever else was signed for it is never sent.
        let Some(planned) = self.state.open.get(&batch).filter(|batch| batch.attempt.is_none()) else {
            return;
        };
        if self.state.stopped.is_some() {
            return;
        }
        let bytes = attempt.bytes.clone();
        let signed = Batch { state: BatchState::Signed, attempt: Some(attempt), ..planned.clone() };
        self.record(Record::Batch(signed));
        self.effects.push(Effect::Send { batch, bytes });
    }

    fn taken(&mut self, batch: BatchId) {
        if let Some(signed) = self.state.open.get(&batch).filter(|batch| batch.state == BatchState::Signed) {
            let sent = Batch { state: BatchState::Sent, ..signed.clone() };
            self.record(Record::Batch(sent));
        }
    }

    fn status(&mut self, id: BatchId, status: &Status) {
        let Some((batch, attempt)) = self.state.open.get(&id).and_then(|b| Some((b, b.attempt.as_ref()?)))
        else {
            return;
        };
        if let Some(ending) = Ending::of(status, attempt) {
            let what = batch.what(attempt);
            self.effects.push(Effect::Read { purpose: Purpose::Close { batch: id, ending }, what });
        }
    }
}

fn prepare(batch: &Batch) -> Effect {
    Effect::Prepare {
        batch: batch.id,
        epoch: batch.epoch,
        work: batch.work.clone(),
        lamports_max: batch.lamports_max,
    }
}

#[cfg(test)]
mod tests;
