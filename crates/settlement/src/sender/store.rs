//! Where records are kept.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{Alarm, Batch, BatchId, Epoch, Payee, Payout, Record, Refund, RefundId, Settled};

/// Durable records. A network keeps them beside its ledger, so that what was paid is booked in the same commit.
pub trait Store {
    /// Why it cannot be read or written.
    type Error;

    /// Makes records durable, all or none; they are on the disk when this returns. [`Record::Settled`] is told
    /// once for each batch and payee, unless a commit was repeated.
    fn commit(&mut self, records: &[Record]) -> Result<(), Self::Error>;

    /// What [`super::Sender::restore`] needs, in any order: the newest epoch, its payouts and those that are in a
    /// batch, the batches that have not ended, those of the newest epoch, the batch with the highest id, the refunds that have not
    /// ended and the one with the highest id, and whether the sender is stopped.
    fn load(&self) -> Result<Vec<Record>, Self::Error>;
}

/// Records in memory, for tests and simulations.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    epoch: Option<Epoch>,
    payouts: BTreeMap<Payee, Payout>,
    batches: BTreeMap<BatchId, Batch>,
    /// What was paid, by batch and payee.
    pub settled: BTreeMap<(BatchId, Payee), Settled>,
    /// Every refund that there was.
    pub refunds: BTreeMap<RefundId, Refund>,
    stopped: Option<Alarm>,
}

impl Memory {
    /// Every batch that there was.
    pub fn batches(&self) -> impl Iterator<Item = &Batch> {
        self.batches.values()
    }
}

impl Store for Memory {
    type Error = Infallible;

    fn commit(&mut self, records: &[Record]) -> Result<(), Infallible> {
        for record in records.iter().cloned() {
            match record {
                Record::Epoch(epoch) => self.epoch = Some(epoch),
                Record::Payout(payout) => {
                    self.payouts.insert(payout.payee, payout);
                }
                Record::Batch(batch) => {
                    self.batches.insert(batch.id, batch);
                }
                Record::Refund(refund) => {
                    self.refunds.insert(refund.id, refund);
                }
                Record::Settled(settled) => {
                    self.settled.insert((settled.batch, settled.claim.payee), settled);
                }
                Record::Stopped(alarm) => self.stopped = alarm,
            }
        }
        Ok(())
    }

    fn load(&self) -> Result<Vec<Record>, Infallible> {
        let epoch = self.epoch.iter().cloned().map(Record::Epoch);
        let payouts = self.payouts.values().cloned().map(Record::Payout);
        let batches = self.batches.values().cloned().map(Record::Batch);
        let stopped = std::iter::once(Record::Stopped(self.stopped.clone()));
        let refunds = self.refunds.values().cloned().map(Record::Refund);
        Ok(epoch.chain(payouts).chain(batches).chain(refunds).chain(stopped).collect())
    }
}
