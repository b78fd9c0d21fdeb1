//! Reading what payouts go on from, on any connection, beside the writer.

use lull_settlement::chain::Signature;
use lull_settlement::epoch::Leaf;
use lull_settlement::sender::{
    Attempt, Batch, BatchId, BatchState, Claim, Epoch, Payee, Payout, PayoutState, Record, RefundId, Work,
};
use lull_types::{BaseUnits, WalletAddress, WorkerId};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::{BatchStage, FromJson, PlanStage, Sql};

/// All that `lull_settlement::sender::Sender::restore` needs.
pub fn records(connection: &Connection) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let epoch = published(connection, "1")?;
    let newest = epoch.as_ref().map_or(0, |epoch| epoch.number);
    records.extend(epoch.map(Record::Epoch));
    let mut plans = connection.prepare_cached(
        "SELECT worker, wallet, lifetime, fee, paid, state, batch, failures FROM planned_payouts",
    )?;
    for payout in plans.query_map([], read_plan)? {
        records.push(Record::Payout(payout?));
    }
    let mut batches = connection.prepare_cached(
        "SELECT b.id, b.epoch, b.root, b.total, b.lamports_max, b.state, b.signature, b.bytes, b.last_valid_height,
             r.id, r.wallet, r.amount
         FROM batches b LEFT JOIN refunds r ON r.id = b.refund
         WHERE b.state IN ('planned', 'signed', 'sent') OR b.epoch = ?1 OR b.id = (SELECT max(id) FROM batches)",
    )?;
    let found = batches.query_map([number(newest)], read_batch)?.collect::<Result<Vec<_>>>()?;
    for mut batch in found {
        if let Work::Claims(claims) = &mut batch.work {
            *claims = claims_of(connection, batch.id)?;
        }
        records.push(Record::Batch(batch));
    }
    records.extend(super::funds::sent_refunds(connection)?.into_iter().map(Record::Refund));
    let alarm = connection
        .prepare_cached("SELECT alarm FROM payouts_stopped")?
        .query_row([], |row| row.get::<_, FromJson<_>>(0))
        .optional()?;
    records.push(Record::Stopped(alarm.map(|FromJson(alarm)| alarm)));
    Ok(records)
}

/// The newest epoch whose root is on the chain.
pub fn anchored(connection: &Connection) -> Result<Option<Epoch>> {
    published(connection, "anchored_at IS NOT NULL")
}

/// The newest epoch whose leaves are all written, published or not.
pub fn closed(connection: &Connection) -> Result<Option<u64>> {
    connection
        .prepare_cached("SELECT max(number) FROM epochs WHERE closed_at IS NOT NULL")?
        .query_row([], |row| {
            Ok(row.get::<_, Option<Sql<BaseUnits>>>(0)?.map(|Sql(BaseUnits(number))| number))
        })
}

fn published(connection: &Connection, which: &str) -> Result<Option<Epoch>> {
    connection
        .prepare_cached(&format!(
            "SELECT number, root, total, anchored_at IS NOT NULL FROM epochs
             WHERE root IS NOT NULL AND {which} ORDER BY number DESC LIMIT 1"
        ))?
        .query_row([], |row| {
            Ok(Epoch {
                number: row.get::<_, Sql<BaseUnits>>(0)?.0.0,
                root: row.get(1)?,
                total: row.get::<_, Sql<_>>(2)?.0,
                anchored: row.get(3)?,
            })
        })
        .optional()
}

/// All leaves, as the last closed epoch has them.
pub fn leaves(connection: &Connection) -> Result<Vec<Leaf>> {
    connection
        .prepare_cached("SELECT worker, wallet, lifetime FROM leaves")?
        .query_map([], |row| {
            Ok(Leaf {
                worker: row.get::<_, Sql<_>>(0)?.0,
                wallet: row.get::<_, Sql<_>>(1)?.0,
                lifetime: row.get::<_, Sql<_>>(2)?.0,
            })
        })?
        .collect()
}

/// What the network sends after the last closed epoch: payee, lifetime and fee.
pub fn sent(connection: &Connection) -> Result<Vec<(Payee, BaseUnits, BaseUnits)>> {
    connection
        .prepare_cached(
            "SELECT worker, wallet, lifetime, fee FROM leaves WHERE fee IS NOT NULL AND lifetime > paid",
        )?
        .query_map([], |row| Ok((read_payee(row)?, row.get::<_, Sql<_>>(2)?.0, row.get::<_, Sql<_>>(3)?.0)))?
        .collect()
}

/// The next payees, in order, to whom something is owed that the chain may have paid.
pub fn owed(connection: &Connection, after: Option<Payee>, limit: u32) -> Result<Vec<Payee>> {
    let (worker, wallet) = after
        .map_or((Vec::new(), String::new()), |payee| (payee.worker.0.to_vec(), payee.wallet.to_string()));
    connection
        .prepare_cached(
            "SELECT worker, wallet FROM leaves WHERE lifetime > paid AND (worker, wallet) > (?1, ?2)
             ORDER BY worker, wallet LIMIT ?3",
        )?
        .query_map(params![worker, wallet, limit], read_payee)?
        .collect()
}

fn read_payee(row: &Row<'_>) -> Result<Payee> {
    Ok(Payee { worker: row.get::<_, Sql<WorkerId>>(0)?.0, wallet: row.get::<_, Sql<WalletAddress>>(1)?.0 })
}

fn read_plan(row: &Row<'_>) -> Result<Payout> {
    let state = match (row.get(5)?, row.get::<_, Option<Sql<BaseUnits>>>(6)?) {
        (PlanStage::InBatch, Some(Sql(BaseUnits(batch)))) => PayoutState::InBatch(BatchId(batch)),
        (PlanStage::Planned | PlanStage::InBatch, _) => PayoutState::Planned,
        (PlanStage::Confirmed, _) => PayoutState::Confirmed,
        (PlanStage::Held, _) => PayoutState::Held,
        (PlanStage::Left, _) => PayoutState::Left,
    };
    Ok(Payout {
        payee: read_payee(row)?,
        lifetime: row.get::<_, Sql<_>>(2)?.0,
        fee: row.get::<_, Sql<_>>(3)?.0,
        paid: row.get::<_, Sql<_>>(4)?.0,
        state,
        failures: row.get(7)?,
    })
}

fn read_batch(row: &Row<'_>) -> Result<Batch> {
    let state = match row.get(5)? {
        BatchStage::Planned => BatchState::Planned,
        BatchStage::Signed => BatchState::Signed,
        BatchStage::Sent => BatchState::Sent,
        BatchStage::Confirmed => BatchState::Confirmed,
        BatchStage::Failed => BatchState::Failed,
        BatchStage::Expired => BatchState::Expired,
    };
    let root = row.get::<_, Option<[u8; 32]>>(2)?.zip(row.get::<_, Option<Sql<BaseUnits>>>(3)?);
    let work = match (root, row.get::<_, Option<Sql<BaseUnits>>>(9)?) {
        (Some((root, Sql(total))), _) => Work::Root { root, total },
        (None, Some(Sql(BaseUnits(refund)))) => Work::Refund {
            refund: RefundId(refund),
            to: row.get::<_, Sql<_>>(10)?.0,
            amount: row.get::<_, Sql<_>>(11)?.0,
        },
        (None, None) => Work::Claims(Vec::new()),
    };
    let signature = row.get::<_, Option<[u8; 64]>>(6)?;
    let bytes = row.get::<_, Option<Vec<u8>>>(7)?;
    let height = row.get::<_, Option<Sql<BaseUnits>>>(8)?;
    let attempt = match (signature, bytes, height) {
        (Some(signature), Some(bytes), Some(Sql(BaseUnits(last_valid_height)))) => {
            Some(Attempt { signature: Signature::from(signature), bytes, last_valid_height })
        }
        _ => None,
    };
    Ok(Batch {
        id: BatchId(row.get::<_, Sql<BaseUnits>>(0)?.0.0),
        epoch: row.get::<_, Sql<BaseUnits>>(1)?.0.0,
        work,
        lamports_max: row.get::<_, Sql<BaseUnits>>(4)?.0.0,
        state,
        attempt,
    })
}

fn claims_of(connection: &Connection, batch: BatchId) -> Result<Vec<Claim>> {
    connection
        .prepare_cached(
            "SELECT worker, wallet, lifetime, amount, fee FROM payouts WHERE batch = ?1 ORDER BY id",
        )?
        .query_map([number(batch.0)], |row| {
            Ok(Claim {
                payee: read_payee(row)?,
                lifetime: row.get::<_, Sql<_>>(2)?.0,
                amount: row.get::<_, Sql<_>>(3)?.0,
                fee: row.get::<_, Sql<_>>(4)?.0,
            })
        })?
        .collect()
}

/// A count as a column.
fn number(number: u64) -> Sql<BaseUnits> {
    Sql(BaseUnits(number))
}
