//! Writing records.

use lull_types::{NetworkId, PayoutStanding};
use rusqlite::{Transaction, TransactionBehavior, params};

use super::Journal;
use super::error::JournalError;
use super::row::{integer, to_json};
use crate::machine::{Record, Stage};

/// Anchored epochs of a network that are kept: twenty years of weekly ones, six weeks of hourly ones. They only save a
/// search on the chain.
const EPOCHS_KEPT: u32 = 1000;

/// Quarters of an hour of which it is kept how much data moved in them: over thirteen months. Those without data take no
/// row, and the newest are kept whatever the clock says, as one that is wrong for a moment must not cost a year.
const DATA_QUARTERS_KEPT: u32 = 400 * 24 * 4;

/// Trips that are kept: a year of three a day.
const TRIPS_KEPT: u32 = 1000;

impl Journal {
    /// Writes records in one transaction. They are on the disk when this returns.
    ///
    /// # Errors
    /// When that fails; then none of them is written.
    pub fn apply(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for record in records {
            write(&transaction, record)?;
        }
        transaction.commit()?;
        Ok(())
    }
}

fn write(to: &Transaction<'_>, record: &Record) -> Result<(), JournalError> {
    match record {
        Record::Intent(intent) => set(to, "intent", &to_json(intent)?),
        Record::Settings(settings) => set(to, "settings", &to_json(settings)?),
        Record::Pauses(pauses) => set(to, "pauses", &to_json(pauses)?),
        Record::TripBegan { trip, since } => {
            let statement = "INSERT INTO trips (since, guard, device, trip) VALUES (?, ?, ?, ?)";
            let row = params![integer(since.0)?, to_json(&trip.guard())?, trip.device(), to_json(trip)?];
            to.prepare_cached(statement)?.execute(row)?;
            let statement = "DELETE FROM trips WHERE rowid <=
                (SELECT rowid FROM trips ORDER BY rowid DESC LIMIT 1 OFFSET ?)";
            to.prepare_cached(statement)?.execute([TRIPS_KEPT])?;
            Ok(())
        }
        Record::TripEnded { trip, since, until, cost } => {
            let statement = "UPDATE trips SET until = ?, interrupted = ?, lost = ?
                WHERE since = ? AND guard = ? AND device IS ?";
            let row = params![
                integer(until.0)?,
                cost.interrupted,
                integer(cost.lost.0)?,
                integer(since.0)?,
                to_json(&trip.guard())?,
                trip.device()
            ];
            to.prepare_cached(statement)?.execute(row)?;
            Ok(())
        }
        Record::DataMoved { quarter, moved } => {
            // What is counted never goes down, whatever is written again.
            let statement = "INSERT INTO data_moved (quarter, sent, received) VALUES (?, ?, ?)
                ON CONFLICT (quarter) DO UPDATE SET
                    sent = MAX(sent, excluded.sent), received = MAX(received, excluded.received)";
            let row = params![integer(*quarter)?, integer(moved.sent_bytes)?, integer(moved.received_bytes)?];
            to.prepare_cached(statement)?.execute(row)?;
            let statement = "DELETE FROM data_moved WHERE quarter <=
                (SELECT quarter FROM data_moved ORDER BY quarter DESC LIMIT 1 OFFSET ?)";
            to.prepare_cached(statement)?.execute([DATA_QUARTERS_KEPT])?;
            Ok(())
        }
        Record::Network(network) => set(to, "network", &to_json(network)?),
        Record::Wallet(wallet) => set(to, "wallet", &to_json(wallet)?),
        Record::KeptWallet(kept) => set(to, "kept_wallet", &to_json(kept)?),
        Record::Benchmark(report) => {
            let statement = "INSERT OR REPLACE INTO benchmarks (device, report) VALUES (?, ?)";
            to.prepare_cached(statement)?.execute(params![report.device.index, to_json(report)?])?;
            Ok(())
        }
        Record::Taken { network, assignment, at } => {
            let statement = "INSERT OR IGNORE INTO assignments
                (id, network, job, kind, taken_at, assignment, stage) VALUES (?, ?, ?, ?, ?, ?, ?)";
            to.prepare_cached(statement)?.execute(params![
                assignment.id.as_bytes(),
                network.0,
                assignment.job.as_bytes(),
                assignment.kind,
                integer(at.0)?,
                to_json(assignment)?,
                to_json(&Stage::Fetching)?,
            ])?;
            Ok(())
        }
        Record::Stage { assignment, stage } => write_stage(to, assignment.as_bytes(), stage),
        Record::Verdict { assignment, verdict } => {
            let statement = "UPDATE assignments SET verdict = ? WHERE id = ?";
            to.prepare_cached(statement)?.execute(params![to_json(verdict)?, assignment.as_bytes()])?;
            Ok(())
        }
        Record::Receipt { receipt, lane, received_at } => {
            let signed = &receipt.signed;
            let number = signed.receipt.lane;
            let statement = "INSERT INTO receipts
                (network, lane, nonce, assignment, amount, received_at, receipt) VALUES (?, ?, ?, ?, ?, ?, ?)";
            to.prepare_cached(statement)?.execute(params![
                signed.receipt.network.0,
                number,
                integer(signed.receipt.nonce)?,
                signed.leaf.assignment.as_bytes(),
                integer(signed.leaf.amount.0)?,
                integer(received_at.0)?,
                to_json(receipt)?,
            ])?;
            let statement = "INSERT OR REPLACE INTO lanes (network, lane, state) VALUES (?, ?, ?)";
            let network = signed.receipt.network.0;
            to.prepare_cached(statement)?.execute(params![network, number, to_json(lane)?])?;
            Ok(())
        }
        Record::Payout { network, payout } => {
            let statement = "INSERT OR REPLACE INTO payouts (network, id, payout) VALUES (?, ?, ?)";
            let row = params![network.0, integer(payout.id)?, to_json(payout)?];
            to.prepare_cached(statement)?.execute(row)?;
            Ok(())
        }
        Record::PayoutStanding { network, standing } => write_standing(to, *network, standing),
        Record::Energy { assignment, milliwatt_hours, micro_per_kwh } => {
            let statement = "UPDATE assignments SET milliwatt_hours = ?, micro_per_kwh = ? WHERE id = ?";
            let energy = milliwatt_hours.map(integer).transpose()?;
            let row = params![energy, micro_per_kwh, assignment.as_bytes()];
            to.prepare_cached(statement)?.execute(row)?;
            Ok(())
        }
        Record::Claim { network, wallet, claim: Some(claim) } => {
            let statement = "INSERT OR REPLACE INTO claims
                (network, wallet, signature, bytes, last_valid_height) VALUES (?, ?, ?, ?, ?)";
            to.prepare_cached(statement)?.execute(params![
                network.0,
                wallet.as_bytes(),
                claim.signature.0,
                claim.bytes,
                integer(claim.last_valid_height)?,
            ])?;
            Ok(())
        }
        Record::Claim { network, wallet, claim: None } => {
            let statement = "DELETE FROM claims WHERE network = ? AND wallet = ?";
            to.prepare_cached(statement)?.execute(params![network.0, wallet.as_bytes()])?;
            Ok(())
        }
        Record::Notice(notice) => {
            let statement =
                "INSERT OR REPLACE INTO notices (id, at, code, sentence, problem) VALUES (?, ?, ?, ?, ?)";
            to.prepare_cached(statement)?.execute(params![
                integer(notice.id)?,
                integer(notice.at.0)?,
                notice.code,
                notice.sentence,
                notice.problem,
            ])?;
            Ok(())
        }
    }
}

/// The standing, and the epoch that it says to be anchored. Of those the newest are kept.
fn write_standing(
    to: &Transaction<'_>,
    network: NetworkId,
    standing: &PayoutStanding,
) -> Result<(), JournalError> {
    let statement = "INSERT OR REPLACE INTO payout_standings (network, standing) VALUES (?, ?)";
    to.prepare_cached(statement)?.execute(params![network.0, to_json(standing)?])?;
    let Some(anchored) = &standing.anchored else { return Ok(()) };
    let statement = "INSERT OR REPLACE INTO anchored_epochs (network, epoch, anchored) VALUES (?, ?, ?)";
    let row = params![network.0, integer(anchored.epoch)?, to_json(anchored)?];
    to.prepare_cached(statement)?.execute(row)?;
    let statement = "DELETE FROM anchored_epochs WHERE network = ?1 AND epoch <=
        (SELECT epoch FROM anchored_epochs WHERE network = ?1 ORDER BY epoch DESC LIMIT 1 OFFSET ?2)";
    to.prepare_cached(statement)?.execute(params![network.0, EPOCHS_KEPT])?;
    Ok(())
}

fn set(to: &Transaction<'_>, key: &str, value: &str) -> Result<(), JournalError> {
    let statement = "INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)";
    to.prepare_cached(statement)?.execute([key, value])?;
    Ok(())
}

fn write_stage(to: &Transaction<'_>, id: &[u8; 16], stage: &Stage) -> Result<(), JournalError> {
    if let Stage::Uploading { outputs, ran_ms } = stage {
        let statement = "UPDATE assignments SET outputs = ?, ran_ms = ? WHERE id = ?";
        to.prepare_cached(statement)?.execute(params![to_json(outputs)?, integer(*ran_ms)?, id])?;
    }
    let statement = if stage.is_over() {
        "UPDATE assignments SET stage = ?1,
            over_seq = COALESCE(over_seq, (SELECT COALESCE(MAX(over_seq), 0) + 1 FROM assignments))
         WHERE id = ?2"
    } else {
        "UPDATE assignments SET stage = ?1 WHERE id = ?2"
    };
    to.prepare_cached(statement)?.execute(params![to_json(stage)?, id])?;
    Ok(())
}
