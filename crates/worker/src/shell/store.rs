//! The journal, from tasks that must not block.
//!
//! Writing goes through one connection. Each query opens one of its own, so that recomputing a hundred thousand
//! receipts never holds up a write, and none is kept while nobody asks.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use lull_types::{
    AnchoredEpoch, Coded, CountersignedReceipt, DataMoved, Fault, JobId, NetworkId, Payout, UnixMillis,
    WalletAddress,
};
use lull_worker_api::{EarningsBucket, EarningsPoint, ReceiptRow, TaskRow, TripRow};

use crate::clock;
use crate::journal::{Journal, JournalError, PictureOutput, Track};
use crate::machine::{Record, Restored, SignedClaim};
use crate::statement::StatedTask;

/// The journal of one worker; clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    /// `None` where it is only read.
    writer: Option<Arc<Mutex<Journal>>>,
}

impl Store {
    /// Opens the journal, or begins one, and reads what it holds.
    ///
    /// # Errors
    /// When it cannot be used.
    pub async fn open(path: PathBuf) -> Result<(Self, Restored), Fault> {
        blocking(move || {
            let journal = Journal::open(&path, clock::now())?;
            let restored = journal.restore()?;
            Ok((Self { path, writer: Some(Arc::new(Mutex::new(journal))) }, restored))
        })
        .await
    }

    /// The journal at `path` for queries alone, whether a worker runs or not.
    pub fn to_read(path: PathBuf) -> Self {
        Self { path, writer: None }
    }

    /// Writes records durably, all or none.
    ///
    /// # Errors
    /// When that failed; nothing was written.
    pub(crate) async fn write(&self, records: Vec<Record>) -> Result<(), Fault> {
        self.writing(move |journal| journal.apply(&records)).await
    }

    /// Checks that the journal can be written and reads it anew.
    ///
    /// # Errors
    /// When it cannot.
    pub(super) async fn restore(&self) -> Result<Restored, Fault> {
        self.writing(|journal| {
            journal.check()?;
            journal.restore()
        })
        .await
    }

    /// A network's earnings over time.
    ///
    /// # Errors
    /// When the journal cannot be read; so for all queries.
    pub async fn earnings(
        &self,
        network: NetworkId,
        from: UnixMillis,
        until: UnixMillis,
        bucket: EarningsBucket,
        utc_offset_minutes: i32,
    ) -> Result<Vec<EarningsPoint>, Fault> {
        self.reading(move |journal| journal.earnings(network, from, until, bucket, utc_offset_minutes)).await
    }

    /// A network's last tasks, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn tasks(&self, network: NetworkId, limit: u32) -> Result<Vec<TaskRow>, Fault> {
        self.reading(move |journal| journal.tasks(network, limit)).await
    }

    /// The last times for which guards held devices free, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn trips(&self, limit: u32) -> Result<Vec<TripRow>, Fault> {
        self.reading(move |journal| journal.trips(limit)).await
    }

    /// How much data moved, by quarter of an hour since the Unix epoch.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn data_moved(&self) -> Result<BTreeMap<u64, DataMoved>, Fault> {
        self.reading(Journal::data_moved).await
    }

    /// A network's last receipts, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn receipts(&self, network: NetworkId, limit: u32) -> Result<Vec<ReceiptRow>, Fault> {
        self.reading(move |journal| journal.receipts(network, limit)).await
    }

    /// Every receipt of every network, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn receipts_of_all_networks(
        &self,
    ) -> Result<Vec<(NetworkId, Vec<CountersignedReceipt>)>, Fault> {
        self.reading(|journal| {
            let networks = journal.paying_networks()?;
            networks.into_iter().map(|network| Ok((network, journal.all_receipts(network)?))).collect()
        })
        .await
    }

    /// Every receipt of one network, in order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn receipts_of_network(&self, network: NetworkId) -> Result<Vec<CountersignedReceipt>, Fault> {
        self.reading(move |journal| journal.all_receipts(network)).await
    }

    /// A network's last receipt, which states all that was earned.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn last_receipt(&self, network: NetworkId) -> Result<Option<CountersignedReceipt>, Fault> {
        self.reading(move |journal| journal.last_receipt(network)).await
    }

    /// A network's last payouts, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn payouts(&self, network: NetworkId, limit: u32) -> Result<Vec<Payout>, Fault> {
        self.reading(move |journal| journal.payouts(network, limit)).await
    }

    /// An epoch that a network said to be anchored, if it is known.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn anchored_epoch(
        &self,
        network: NetworkId,
        epoch: u64,
    ) -> Result<Option<AnchoredEpoch>, Fault> {
        self.reading(move |journal| journal.anchored_epoch(network, epoch)).await
    }

    /// The accepted tasks whose receipts came in a time, and all payouts that were ever told of: what a statement is
    /// made of.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn stated(
        &self,
        network: NetworkId,
        from: UnixMillis,
        until: UnixMillis,
    ) -> Result<(Vec<StatedTask>, Vec<Payout>), Fault> {
        self.reading(move |journal| {
            let payouts = journal.payouts(network, u32::MAX)?;
            Ok((journal.stated_tasks(network, from, until)?, payouts))
        })
        .await
    }

    /// The claims that were signed and are not over, by wallet.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn claims(&self, network: NetworkId) -> Result<BTreeMap<WalletAddress, SignedClaim>, Fault> {
        self.reading(move |journal| journal.claims(network)).await
    }

    /// The parts of a job's picture that were rendered here, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn picture(&self, job: JobId) -> Result<Vec<PictureOutput>, Fault> {
        self.reading(move |journal| journal.picture(job)).await
    }

    /// What a network's last accepted tasks have come to.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub async fn track(&self, network: NetworkId, tasks_max: usize) -> Result<Track, Fault> {
        self.reading(move |journal| journal.track(network, tasks_max)).await
    }

    async fn writing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Fault> {
        let Some(writer) = self.writer.clone() else {
            return Err(Fault::new("journal_not_allowed", "this journal was opened to be read only"));
        };
        // A transaction that panicked was rolled back as it was dropped.
        blocking(move || work(&mut writer.lock().unwrap_or_else(PoisonError::into_inner))).await
    }

    async fn reading<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, Fault> {
        let path = self.path.clone();
        blocking(move || work(&Journal::open_to_read(&path)?)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, JournalError> + Send + 'static,
) -> Result<T, Fault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| error.fault()),
        Err(error) => Err(Fault::new("internal", error.to_string())),
    }
}
