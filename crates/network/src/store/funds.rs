//! Reading what customers pay in and get back, and what is published of epochs.

use lull_network_api::funds::{DepositPayment, PublishedEpoch, Refund, RefundState as RefundTold};
use lull_settlement::sender::{BatchId, Refund as SentRefund, RefundId, RefundState};
use lull_types::{
    BaseUnits, ChainAddress, CustomerId, DepositId, TransactionSignature, UnixMillis, WalletAddress,
};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::{RefundStage, Sql};

/// A deposit as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DepositRow {
    /// Which.
    pub id: DepositId,
    /// The address by which it is found.
    pub reference: ChainAddress,
    /// What was asked for.
    pub amount: Option<BaseUnits>,
    /// When.
    pub created_at: UnixMillis,
}

macro_rules! deposits {
    ($where:literal) => {
        concat!("SELECT id, reference, amount, created_at FROM deposits WHERE ", $where)
    };
}

fn read_deposit(row: &Row<'_>) -> Result<DepositRow> {
    Ok(DepositRow {
        id: row.get::<_, Sql<_>>(0)?.0,
        reference: ChainAddress(row.get(1)?),
        amount: row.get::<_, Option<Sql<_>>>(2)?.map(|Sql(amount)| amount),
        created_at: row.get::<_, Sql<_>>(3)?.0,
    })
}

/// A deposit of this customer; another customer's looks like none.
pub fn deposit_of(
    connection: &Connection,
    customer: CustomerId,
    id: DepositId,
) -> Result<Option<DepositRow>> {
    connection
        .prepare_cached(deposits!("id = ?1 AND customer = ?2"))?
        .query_row(params![Sql(id), Sql(customer)], read_deposit)
        .optional()
}

/// The newest deposits of a customer.
pub fn deposits_of(connection: &Connection, customer: CustomerId, limit: u32) -> Result<Vec<DepositRow>> {
    connection
        .prepare_cached(deposits!("customer = ?1 ORDER BY created_at DESC, id DESC LIMIT ?2"))?
        .query_map(params![Sql(customer), limit], read_deposit)?
        .collect()
}

/// All deposits that were asked for since.
pub fn deposits_since(connection: &Connection, since: UnixMillis) -> Result<Vec<DepositRow>> {
    connection
        .prepare_cached(deposits!("created_at >= ?1 ORDER BY created_at"))?
        .query_map([Sql(since)], read_deposit)?
        .collect()
}

/// What has arrived for a deposit, the oldest first.
pub fn payments(connection: &Connection, deposit: DepositId) -> Result<Vec<DepositPayment>> {
    connection
        .prepare_cached(
            "SELECT signature, amount, booked_at FROM deposit_payments WHERE deposit = ?1
             ORDER BY booked_at, signature",
        )?
        .query_map([Sql(deposit)], |row| {
            Ok(DepositPayment {
                signature: TransactionSignature(row.get(0)?),
                amount: row.get::<_, Sql<_>>(1)?.0,
                at: row.get::<_, Sql<_>>(2)?.0,
            })
        })?
        .collect()
}

macro_rules! refunds {
    ($where:literal) => {
        concat!(
            "SELECT r.id, r.state, r.amount, r.wallet, b.signature, r.created_at FROM refunds r
             LEFT JOIN batches b ON b.id = (SELECT max(id) FROM batches
                 WHERE refund = r.id AND signature IS NOT NULL AND (r.state <> 'paid' OR state = 'confirmed'))
             WHERE ",
            $where
        )
    };
}

fn read_refund(row: &Row<'_>) -> Result<Refund> {
    let signature = row.get::<_, Option<[u8; 64]>>(4)?.map(TransactionSignature);
    let state = match (row.get(1)?, signature) {
        (RefundStage::Planned, _) | (RefundStage::InBatch, None) => RefundTold::Planned,
        (RefundStage::InBatch, Some(_)) => RefundTold::Sent,
        (RefundStage::Paid, _) => RefundTold::Paid,
        (RefundStage::Returned, _) => RefundTold::Returned,
    };
    Ok(Refund {
        id: row.get::<_, Sql<BaseUnits>>(0)?.0.0,
        state,
        amount: row.get::<_, Sql<_>>(2)?.0,
        to: row.get::<_, Sql<WalletAddress>>(3)?.0,
        signature,
        created_at: row.get::<_, Sql<_>>(5)?.0,
    })
}

/// A refund of this customer; another customer's looks like none.
pub fn refund_of(connection: &Connection, customer: CustomerId, id: u64) -> Result<Option<Refund>> {
    // No number of a refund is beyond the range of the column.
    let Ok(id) = i64::try_from(id) else { return Ok(None) };
    connection
        .prepare_cached(refunds!("r.id = ?1 AND r.customer = ?2"))?
        .query_row(params![id, Sql(customer)], read_refund)
        .optional()
}

/// The newest refunds of a customer.
pub fn refunds_of(connection: &Connection, customer: CustomerId, limit: u32) -> Result<Vec<Refund>> {
    connection
        .prepare_cached(refunds!("r.customer = ?1 ORDER BY r.id DESC LIMIT ?2"))?
        .query_map(params![Sql(customer), limit], read_refund)?
        .collect()
}

/// Refunds that the sender of payouts has not taken, in order.
pub fn refunds_after(connection: &Connection, last: RefundId) -> Result<Vec<SentRefund>> {
    connection
        .prepare_cached(
            "SELECT id, wallet, amount, state, batch, failures FROM refunds WHERE id > ?1 ORDER BY id",
        )?
        .query_map([Sql(BaseUnits(last.0))], read_sent_refund)?
        .collect()
}

/// What the sender of payouts goes on from: refunds that have not ended, and the last of those that are not new to it.
pub fn sent_refunds(connection: &Connection) -> Result<Vec<SentRefund>> {
    connection
        .prepare_cached(
            "SELECT id, wallet, amount, state, batch, failures FROM refunds
             WHERE state IN ('planned', 'in_batch') OR id = (SELECT max(id) FROM refunds) ORDER BY id",
        )?
        .query_map([], read_sent_refund)?
        .collect()
}

fn read_sent_refund(row: &Row<'_>) -> Result<SentRefund> {
    let batch = row.get::<_, Option<Sql<BaseUnits>>>(4)?.map(|Sql(BaseUnits(batch))| BatchId(batch));
    let state = match (row.get(3)?, batch) {
        (RefundStage::InBatch, Some(batch)) => RefundState::InBatch(batch),
        (RefundStage::Planned | RefundStage::InBatch, _) => RefundState::Planned,
        (RefundStage::Paid, _) => RefundState::Paid,
        (RefundStage::Returned, _) => RefundState::Returned,
    };
    Ok(SentRefund {
        id: RefundId(row.get::<_, Sql<BaseUnits>>(0)?.0.0),
        to: row.get::<_, Sql<WalletAddress>>(1)?.0,
        amount: row.get::<_, Sql<_>>(2)?.0,
        state,
        failures: row.get(5)?,
    })
}

/// The newest published epochs.
pub fn epochs(connection: &Connection, limit: u32) -> Result<Vec<PublishedEpoch>> {
    connection
        .prepare_cached(
            "SELECT e.number, e.root, e.total, e.anchored_at,
                 (SELECT b.signature FROM batches b
                  WHERE b.epoch = e.number AND b.root IS NOT NULL AND b.state = 'confirmed' LIMIT 1)
             FROM epochs e WHERE e.root IS NOT NULL ORDER BY e.number DESC LIMIT ?1",
        )?
        .query_map([limit], |row| {
            Ok(PublishedEpoch {
                epoch: row.get::<_, Sql<BaseUnits>>(0)?.0.0,
                root: data_encoding::HEXLOWER.encode(&row.get::<_, [u8; 32]>(1)?),
                total: row.get::<_, Sql<_>>(2)?.0,
                anchored_at: row.get::<_, Option<Sql<_>>>(3)?.map(|Sql(at)| at),
                signature: row.get::<_, Option<[u8; 64]>>(4)?.map(TransactionSignature),
            })
        })?
        .collect()
}

/// The root of a published epoch.
pub fn epoch_root(connection: &Connection, number: u64) -> Result<Option<[u8; 32]>> {
    let Ok(number) = i64::try_from(number) else { return Ok(None) };
    connection
        .prepare_cached("SELECT root FROM epochs WHERE number = ?1 AND root IS NOT NULL")?
        .query_row([number], |row| row.get(0))
        .optional()
}
