//! What people ask of the past.

use std::collections::BTreeMap;

use lull_network_api::{Assignment, Verdict};
use lull_types::{
    AnchoredEpoch, AssignmentId, BaseUnits, BlobHash, CountersignedReceipt, JobId, NetworkId, Payout,
    PictureTile, TransactionSignature, UnixMillis, WalletAddress,
};
use lull_worker_api::{EarningsBucket, EarningsPoint, ReceiptRow, TaskRow, TaskState, TripRow};
use rusqlite::params;

use super::Journal;
use super::error::JournalError;
use super::restore::limit;
use super::row::{self, integer, json, json_or_none};
use crate::machine::{SignedClaim, Stage};
use crate::statement::StatedTask;

/// The most rows that one answer has; a client that shows more pages is none that exists.
pub const ROWS_MAX: u32 = 200;

/// A part of a picture that this worker has rendered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureOutput {
    /// By which assignment.
    pub assignment: AssignmentId,
    /// Where it belongs.
    pub tile: PictureTile,
    /// Hash of its pixels.
    pub pixels: BlobHash,
}

/// What accepted work has come to, for estimates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Track {
    /// Assignments that have a receipt.
    pub tasks: u32,
    /// Time that they took on their devices.
    pub ran_ms: u64,
    /// What they earned.
    pub amount: BaseUnits,
}

impl Journal {
    /// When guards held devices free, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn trips(&self, count: u32) -> Result<Vec<TripRow>, JournalError> {
        self.rows(
            "SELECT trip, since, until, interrupted, lost FROM trips ORDER BY rowid DESC LIMIT ?",
            [count],
            |row| {
                Ok(TripRow {
                    trip: json(row, "trip")?,
                    since: row::time(row, "since")?,
                    until: row::time_or_none(row, "until")?,
                    interrupted: row.get("interrupted")?,
                    lost: row::money(row, "lost")?,
                    missed: None,
                })
            },
        )
    }

    /// What a network's receipts add up to, by bucket of local time and job kind, oldest first. Buckets without
    /// earnings are left out. Receipts of assignments that are no longer known count as of kind `unknown`.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn earnings(
        &self,
        network: NetworkId,
        from: UnixMillis,
        until: UnixMillis,
        bucket: EarningsBucket,
        utc_offset_minutes: i32,
    ) -> Result<Vec<EarningsPoint>, JournalError> {
        const HOUR_MS: i64 = 60 * 60 * 1000;
        let width = match bucket {
            EarningsBucket::Hour => HOUR_MS,
            EarningsBucket::Day => 24 * HOUR_MS,
        };
        let offset = i64::from(utc_offset_minutes) * 60_000;
        // A day west of Greenwich may begin before the epoch; times of receipts never do.
        let until = integer(until.0).unwrap_or(i64::MAX);
        let from = integer(from.0).unwrap_or(i64::MAX);
        self.rows(
            "SELECT MAX(0, ((received_at + ?4) / ?5) * ?5 - ?4) AS start,
                    COALESCE(kind, 'unknown') AS kind,
                    SUM(amount) AS amount, COUNT(*) AS tasks
             FROM receipts LEFT JOIN assignments ON assignments.id = receipts.assignment
             WHERE receipts.network = ?1 AND received_at >= ?2 AND received_at < ?3
             GROUP BY start, kind ORDER BY start, kind",
            params![network.0, from, until, offset, width],
            |row| {
                Ok(EarningsPoint {
                    at: row::time(row, "start")?,
                    kind: row.get("kind")?,
                    amount: row::money(row, "amount")?,
                    tasks: row.get("tasks")?,
                })
            },
        )
    }

    /// The last assignments of a network, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn tasks(&self, network: NetworkId, limit: u32) -> Result<Vec<TaskRow>, JournalError> {
        self.rows(
            "SELECT assignment, taken_at, stage, verdict, ran_ms,
                    EXISTS (SELECT 1 FROM receipts WHERE receipts.assignment = assignments.id) AS earned
             FROM assignments WHERE network = ? ORDER BY seq DESC LIMIT ?",
            params![network.0, limit.min(ROWS_MAX)],
            |row| {
                let assignment: Assignment = json(row, "assignment")?;
                let ran_ms: Option<i64> = row.get("ran_ms")?;
                let state = task_state(
                    json(row, "stage")?,
                    json_or_none::<Verdict>(row, "verdict")?,
                    row.get("earned")?,
                );
                Ok(TaskRow {
                    assignment: assignment.id,
                    job: assignment.job,
                    job_title: assignment.job_title,
                    customer_name: assignment.customer_name,
                    kind: assignment.kind,
                    device: assignment.device,
                    task_index: assignment.task_index,
                    task_count: assignment.task_count,
                    picture: assignment.picture,
                    started_at: row::time(row, "taken_at")?,
                    ran_ms: ran_ms.and_then(|ms| u64::try_from(ms).ok()),
                    price: assignment.price,
                    state,
                })
            },
        )
    }

    /// The last receipts of a network, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn receipts(&self, network: NetworkId, limit: u32) -> Result<Vec<ReceiptRow>, JournalError> {
        self.rows(
            "SELECT receipt, received_at, assignments.assignment AS assignment_json
             FROM receipts LEFT JOIN assignments ON assignments.id = receipts.assignment
             WHERE receipts.network = ? ORDER BY lane, nonce DESC LIMIT ?",
            params![network.0, limit.min(ROWS_MAX)],
            |row| {
                let CountersignedReceipt { signed, .. } = json(row, "receipt")?;
                let assignment = json_or_none::<Assignment>(row, "assignment_json")?;
                Ok(ReceiptRow {
                    nonce: signed.receipt.nonce,
                    epoch: signed.receipt.epoch,
                    amount: signed.leaf.amount,
                    cumulative: signed.receipt.cumulative,
                    assignment: signed.leaf.assignment,
                    job_title: assignment.map(|assignment| assignment.job_title),
                    received_at: row::time(row, "received_at")?,
                })
            },
        )
    }

    /// Every receipt of a network in order, for recomputing and for export.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn all_receipts(&self, network: NetworkId) -> Result<Vec<CountersignedReceipt>, JournalError> {
        self.rows("SELECT receipt FROM receipts WHERE network = ? ORDER BY lane, nonce", [network.0], |row| {
            json(row, "receipt")
        })
    }

    /// The last receipt of a network's lane 0, which states all that was earned in it.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn last_receipt(&self, network: NetworkId) -> Result<Option<CountersignedReceipt>, JournalError> {
        let mut rows = self.rows(
            "SELECT receipt FROM receipts WHERE network = ? AND lane = 0 ORDER BY nonce DESC LIMIT 1",
            [network.0],
            |row| json(row, "receipt"),
        )?;
        Ok(rows.pop())
    }

    /// The last payouts that a network told of, newest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn payouts(&self, network: NetworkId, limit: u32) -> Result<Vec<Payout>, JournalError> {
        self.rows(
            "SELECT payout FROM payouts WHERE network = ? ORDER BY id DESC LIMIT ?",
            params![network.0, limit],
            |row| json(row, "payout"),
        )
    }

    /// An epoch that a network said to be anchored, if it was told of and not long ago.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn anchored_epoch(
        &self,
        network: NetworkId,
        epoch: u64,
    ) -> Result<Option<AnchoredEpoch>, JournalError> {
        let mut rows = self.rows(
            "SELECT anchored FROM anchored_epochs WHERE network = ? AND epoch = ?",
            params![network.0, integer(epoch).unwrap_or(i64::MAX)],
            |row| json(row, "anchored"),
        )?;
        Ok(rows.pop())
    }

    /// The claims that were signed and are not over, by wallet.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn claims(&self, network: NetworkId) -> Result<BTreeMap<WalletAddress, SignedClaim>, JournalError> {
        let rows = self.rows(
            "SELECT wallet, signature, bytes, last_valid_height FROM claims WHERE network = ?",
            [network.0],
            |row| {
                let wallet = WalletAddress::from_bytes(row.get("wallet")?);
                let claim = SignedClaim {
                    signature: TransactionSignature(row.get("signature")?),
                    bytes: row.get("bytes")?,
                    last_valid_height: row::number(row, "last_valid_height")?,
                };
                Ok((wallet.map_err(|error| row::malformed("wallet", &error.to_string()))?, claim))
            },
        )?;
        Ok(rows.into_iter().collect())
    }

    /// The accepted tasks whose receipts came in a time, `until` excluded, in order of their receipts.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn stated_tasks(
        &self,
        network: NetworkId,
        from: UnixMillis,
        until: UnixMillis,
    ) -> Result<Vec<StatedTask>, JournalError> {
        let between =
            params![network.0, integer(from.0).unwrap_or(i64::MAX), integer(until.0).unwrap_or(i64::MAX)];
        self.rows(
            "SELECT receipt, received_at, taken_at, ran_ms, milliwatt_hours, micro_per_kwh,
                    assignments.assignment AS assignment_json
             FROM receipts LEFT JOIN assignments ON assignments.id = receipts.assignment
             WHERE receipts.network = ?1 AND received_at >= ?2 AND received_at < ?3 ORDER BY lane, nonce",
            between,
            |row| {
                let CountersignedReceipt { signed, .. } = json(row, "receipt")?;
                let assignment = json_or_none::<Assignment>(row, "assignment_json")?;
                let number = |column: &str| -> Result<Option<u64>, JournalError> {
                    let stored: Option<i64> = row.get(column)?;
                    Ok(stored.and_then(|stored| u64::try_from(stored).ok()))
                };
                Ok(StatedTask {
                    nonce: signed.receipt.nonce,
                    cumulative: signed.receipt.cumulative,
                    amount: signed.leaf.amount,
                    received_at: row::time(row, "received_at")?,
                    assignment: signed.leaf.assignment,
                    job: assignment.map(|assignment| (assignment.job_title, assignment.kind)),
                    taken_at: number("taken_at")?.map(UnixMillis),
                    ran_ms: number("ran_ms")?,
                    milliwatt_hours: number("milliwatt_hours")?,
                    micro_per_kwh: row.get("micro_per_kwh")?,
                })
            },
        )
    }

    /// The networks that have given receipts.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn paying_networks(&self) -> Result<Vec<NetworkId>, JournalError> {
        self.rows("SELECT DISTINCT network FROM lanes ORDER BY network", [], |row| {
            row::network(row, "network")
        })
    }

    /// The parts of a job's picture that this worker has rendered, oldest first, whatever became of them after.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn picture(&self, job: JobId) -> Result<Vec<PictureOutput>, JournalError> {
        let outputs = self.rows(
            "SELECT assignment, outputs FROM assignments
             WHERE job = ? AND outputs IS NOT NULL ORDER BY seq",
            [job.as_bytes()],
            |row| {
                let assignment: Assignment = json(row, "assignment")?;
                let outputs: Vec<BlobHash> = json(row, "outputs")?;
                let found = assignment.picture.zip(outputs.first().copied());
                Ok(found.map(|(tile, pixels)| PictureOutput { assignment: assignment.id, tile, pixels }))
            },
        )?;
        Ok(outputs.into_iter().flatten().collect())
    }

    /// What accepted work of a network has come to over its last tasks, for estimates.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn track(&self, network: NetworkId, tasks_max: usize) -> Result<Track, JournalError> {
        let rows = self.rows(
            "SELECT COUNT(*) AS tasks, COALESCE(SUM(ran_ms), 0) AS ran_ms, COALESCE(SUM(amount), 0) AS amount
             FROM (SELECT ran_ms, amount
                   FROM receipts JOIN assignments ON assignments.id = receipts.assignment
                   WHERE receipts.network = ? AND ran_ms IS NOT NULL ORDER BY nonce DESC LIMIT ?)",
            params![network.0, limit(tasks_max)],
            |row| {
                Ok(Track {
                    tasks: row.get("tasks")?,
                    ran_ms: row::number(row, "ran_ms")?,
                    amount: row::money(row, "amount")?,
                })
            },
        )?;
        Ok(rows.first().copied().unwrap_or_default())
    }
}

/// What became of an assignment. A receipt is worth more than a verdict, and a verdict more than a stage.
fn task_state(stage: Stage, verdict: Option<Verdict>, earned: bool) -> TaskState {
    match (verdict, stage) {
        (Some(Verdict::Accepted { checked, .. }), _) => TaskState::Accepted { checked },
        _ if earned => TaskState::Accepted { checked: false },
        (Some(Verdict::Rejected { difference, .. }), _) => TaskState::Rejected { difference },
        (Some(Verdict::Inconclusive { reason }), _) => TaskState::Inconclusive { reason },
        (None, Stage::Fetching | Stage::Running | Stage::Uploading { .. }) => TaskState::Open,
        (None, Stage::Reported { .. } | Stage::Settled) => TaskState::Reported,
        (None, Stage::HandingBack { reason } | Stage::Abandoned { reason }) => {
            TaskState::Abandoned { fault: reason }
        }
    }
}
