//! Questions that are answered by reading alone, on any connection, beside the writer.

use lull_network_api::customer::{Account as CustomerAccount, Job, JobState, ProofBundle, TaskResult};
use lull_types::{
    BaseUnits, BlobHash, CountersignedReceipt, CustomerId, Fault, JobId, NetworkId, PictureTile, Receipt,
    ReceiptLeaf, SignedReceipt, TaskId, UnixMillis, WorkerId,
};
use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use super::{FromJson, JobStage, Sql};
use crate::ledger::Account;

/// The customer whose API key has this hash.
pub fn customer_by_key(connection: &Connection, api_key_hash: &[u8; 32]) -> Result<Option<CustomerId>> {
    connection
        .prepare_cached("SELECT id FROM customers WHERE api_key_hash = ?1")?
        .query_row([api_key_hash], |row| Ok(row.get::<_, Sql<_>>(0)?.0))
        .optional()
}

/// A customer's name and money.
pub fn account(connection: &Connection, customer: CustomerId) -> Result<Option<CustomerAccount>> {
    connection
        .prepare_cached(
            "SELECT c.name,
                 coalesce((SELECT balance FROM accounts WHERE kind = 'customer' AND owner = c.id), 0),
                 coalesce((SELECT sum(a.balance) FROM jobs j JOIN accounts a ON a.kind = 'reserved' AND a.owner = j.id
                     WHERE j.customer = c.id), 0),
                 coalesce((SELECT balance FROM accounts WHERE kind = 'refunding' AND owner = c.id), 0)
             FROM customers c WHERE c.id = ?1",
        )?
        .query_row([Sql(customer)], |row| {
            Ok(CustomerAccount {
                name: row.get(0)?,
                deposit: row.get::<_, Sql<_>>(1)?.0,
                reserved: row.get::<_, Sql<_>>(2)?.0,
                refunding: row.get::<_, Sql<_>>(3)?.0,
            })
        })
        .optional()
}

macro_rules! job_columns {
    () => {
        "SELECT j.id, j.title, j.kind, j.stage, j.tasks, j.tasks_done, j.price, j.created_at, j.fault_code,
             j.fault_sentence,
             coalesce((SELECT balance FROM accounts WHERE kind = 'reserved' AND owner = j.id), 0)
         FROM jobs j "
    };
}

fn read_job(row: &Row<'_>) -> Result<Job> {
    let state = match row.get(3)? {
        JobStage::Running => JobState::Running,
        JobStage::Done => JobState::Done,
        JobStage::Failed => JobState::Failed,
        JobStage::Withdrawn => JobState::Withdrawn,
    };
    let tasks_done: u32 = row.get(5)?;
    let Sql(price): Sql<BaseUnits> = row.get(6)?;
    let code: Option<String> = row.get(8)?;
    let sentence: Option<String> = row.get(9)?;
    Ok(Job {
        id: row.get::<_, Sql<_>>(0)?.0,
        title: row.get(1)?,
        kind: row.get(2)?,
        state,
        tasks: row.get(4)?,
        tasks_done,
        // The whole price was reserved, so this product was in range when the job was taken.
        spent: BaseUnits(price.0.saturating_mul(tasks_done.into())),
        reserved: row.get::<_, Sql<_>>(10)?.0,
        created_at: row.get::<_, Sql<_>>(7)?.0,
        fault: code.zip(sentence).map(|(code, sentence)| Fault { code, sentence }),
    })
}

/// A job, whoever's it is.
pub fn job(connection: &Connection, job: JobId) -> Result<Option<Job>> {
    connection
        .prepare_cached(concat!(job_columns!(), "WHERE j.id = ?1"))?
        .query_row([Sql(job)], read_job)
        .optional()
}

/// A job of this customer; another customer's looks like none.
pub fn job_of(connection: &Connection, customer: CustomerId, job: JobId) -> Result<Option<Job>> {
    connection
        .prepare_cached(concat!(job_columns!(), "WHERE j.id = ?1 AND j.customer = ?2"))?
        .query_row(params![Sql(job), Sql(customer)], read_job)
        .optional()
}

/// A customer's jobs, the newest first.
pub fn jobs_of(connection: &Connection, customer: CustomerId, limit: u32) -> Result<Vec<Job>> {
    connection
        .prepare_cached(concat!(
            job_columns!(),
            "WHERE j.customer = ?1 ORDER BY j.created_at DESC, j.id DESC LIMIT ?2"
        ))?
        .query_map(params![Sql(customer), limit], read_job)?
        .collect()
}

/// A job's accepted tasks, in their order.
pub fn results(connection: &Connection, job: JobId) -> Result<Vec<TaskResult>> {
    connection
        .prepare_cached(
            "SELECT t.id, t.position, a.worker, a.outputs, a.checked, a.price
             FROM tasks t JOIN assignments a ON a.id = t.accepted WHERE t.job = ?1 ORDER BY t.position",
        )?
        .query_map([Sql(job)], |row| {
            Ok(TaskResult {
                task: row.get::<_, Sql<_>>(0)?.0,
                index: row.get(1)?,
                worker: row.get::<_, Sql<_>>(2)?.0,
                outputs: row.get::<_, Sql<_>>(3)?.0,
                checked: row.get(4)?,
                amount: row.get::<_, Sql<_>>(5)?.0,
            })
        })?
        .collect()
}

/// A finished piece of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedTile {
    /// The task.
    pub task: TaskId,
    /// Where it belongs.
    pub tile: PictureTile,
    /// The blob of its pixels: its first output.
    pub pixels: BlobHash,
}

/// The finished pieces of a job's picture, in order of their tasks.
pub fn finished_tiles(connection: &Connection, job: JobId) -> Result<Vec<FinishedTile>> {
    let mut statement = connection.prepare_cached(
        "SELECT t.id, t.picture, a.outputs FROM tasks t JOIN assignments a ON a.id = t.accepted
         WHERE t.job = ?1 AND t.picture IS NOT NULL ORDER BY t.position",
    )?;
    let mut tiles = Vec::new();
    let mut rows = statement.query([Sql(job)])?;
    while let Some(row) = rows.next()? {
        let Sql(outputs): Sql<Vec<BlobHash>> = row.get(2)?;
        if let Some(pixels) = outputs.first() {
            let FromJson(tile) = row.get(1)?;
            tiles.push(FinishedTile { task: row.get::<_, Sql<_>>(0)?.0, tile, pixels: *pixels });
        }
    }
    Ok(tiles)
}

macro_rules! receipt_columns {
    () => {
        "SELECT worker, lane, nonce, assignment, task, outputs, amount, epoch, cumulative, job_root, expiry,
             network_signature, worker_signature FROM receipts "
    };
}

fn read_receipt(network: NetworkId, row: &Row<'_>) -> Result<SignedReceipt> {
    let number = |index| Ok::<u64, rusqlite::Error>(row.get::<_, Sql<UnixMillis>>(index)?.0.0);
    Ok(SignedReceipt {
        receipt: Receipt {
            network,
            worker: row.get::<_, Sql<_>>(0)?.0,
            lane: row.get(1)?,
            nonce: number(2)?,
            epoch: number(7)?,
            cumulative: row.get::<_, Sql<_>>(8)?.0,
            job_root: row.get::<_, Sql<_>>(9)?.0,
            expiry: row.get::<_, Sql<_>>(10)?.0,
        },
        leaf: ReceiptLeaf {
            assignment: row.get::<_, Sql<_>>(3)?.0,
            task: row.get::<_, Sql<_>>(4)?.0,
            outputs: row.get::<_, Sql<_>>(5)?.0,
            amount: row.get::<_, Sql<_>>(6)?.0,
        },
        network_signature: row.get::<_, Sql<_>>(11)?.0,
    })
}

/// A worker's receipts from a nonce on, in order.
pub fn receipts_from(
    connection: &Connection,
    network: NetworkId,
    worker: WorkerId,
    lane: u32,
    from_nonce: u64,
    limit: u32,
) -> Result<Vec<SignedReceipt>> {
    connection
        .prepare_cached(concat!(
            receipt_columns!(),
            "WHERE worker = ?1 AND lane = ?2 AND nonce >= ?3 ORDER BY nonce LIMIT ?4"
        ))?
        .query_map(params![Sql(worker), lane, Sql(UnixMillis(from_nonce)), limit], |row| {
            read_receipt(network, row)
        })?
        .collect()
}

/// One receipt.
pub fn receipt(
    connection: &Connection,
    network: NetworkId,
    worker: WorkerId,
    lane: u32,
    nonce: u64,
) -> Result<Option<SignedReceipt>> {
    connection
        .prepare_cached(concat!(receipt_columns!(), "WHERE worker = ?1 AND lane = ?2 AND nonce = ?3"))?
        .query_row(params![Sql(worker), lane, Sql(UnixMillis(nonce))], |row| read_receipt(network, row))
        .optional()
}

/// The receipts of a job's tasks that their workers have countersigned, in order of worker and nonce.
pub fn countersigned_of_job(
    connection: &Connection,
    network: NetworkId,
    job: JobId,
) -> Result<Vec<CountersignedReceipt>> {
    connection
        .prepare_cached(concat!(
            receipt_columns!(),
            "WHERE task IN (SELECT id FROM tasks WHERE job = ?1) AND worker_signature IS NOT NULL
             ORDER BY worker, lane, nonce"
        ))?
        .query_map([Sql(job)], |row| {
            let worker_signature = row.get::<_, Sql<_>>(12)?.0;
            Ok(CountersignedReceipt { signed: read_receipt(network, row)?, worker_signature })
        })?
        .collect()
}

/// Everything that a customer needs to check a job's payments without the network.
pub fn proof(
    connection: &Connection,
    network: NetworkId,
    customer: CustomerId,
    id: JobId,
) -> Result<Option<ProofBundle>> {
    let Some(job) = job_of(connection, customer, id)? else { return Ok(None) };
    Ok(Some(ProofBundle {
        network,
        job,
        results: results(connection, id)?,
        receipts: countersigned_of_job(connection, network, id)?,
    }))
}

/// Whether a worker may fetch a blob: it is the payload, or an input, of one of its open assignments.
pub fn worker_may_get(connection: &Connection, worker: WorkerId, blob: BlobHash) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT t.payload, t.inputs FROM assignments a JOIN tasks t ON t.id = a.task
         WHERE a.worker = ?1 AND a.state = 'open'",
    )?;
    let mut rows = statement.query([Sql(worker)])?;
    while let Some(row) = rows.next()? {
        let Sql(payload): Sql<BlobHash> = row.get(0)?;
        let Sql(inputs): Sql<Vec<BlobHash>> = row.get(1)?;
        if payload == blob || inputs.contains(&blob) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a worker may put blobs: it has an open assignment.
pub fn worker_may_put(connection: &Connection, worker: WorkerId) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM assignments WHERE worker = ?1 AND state = 'open'")?
        .exists([Sql(worker)])
}

/// Whether a customer may fetch a blob: it has put it, or it is an accepted output of one of its jobs.
pub fn customer_may_get(connection: &Connection, customer: CustomerId, blob: BlobHash) -> Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM blob_puts WHERE hash = ?1 AND owner = ?2")?
        .exists(params![Sql(blob), Sql(customer)])
}

/// Counts for metrics and for people. Reads small indexes, except where noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Workers that ever enrolled.
    pub workers: u64,
    /// Customers.
    pub customers: u64,
    /// Jobs with tasks that have not ended.
    pub jobs_running: u64,
    /// Tasks that can be placed or are in back-off.
    pub tasks_waiting: u64,
    /// Assignments that workers have now.
    pub assignments_open: u64,
    /// Reports that wait for a second worker.
    pub seconds_wanted: u64,
    /// Reports that were ever accepted.
    pub accepted: u64,
    /// Reports that were ever rejected.
    pub rejected: u64,
}

/// Counts now. Reads all workers.
pub fn counts(connection: &Connection) -> Result<Counts> {
    connection
        .prepare_cached(
            "SELECT (SELECT count(*) FROM workers), (SELECT count(*) FROM customers),
                 (SELECT count(*) FROM jobs WHERE tasks_live > 0),
                 (SELECT coalesce(sum(waiting), 0) FROM customers WHERE waiting > 0),
                 (SELECT count(*) FROM assignments WHERE state = 'open'),
                 (SELECT count(*) FROM seconds),
                 (SELECT coalesce(sum(accepted), 0) FROM workers),
                 (SELECT coalesce(sum(rejected), 0) FROM workers)",
        )?
        .query_row([], |row| {
            let count = |index| Ok::<u64, rusqlite::Error>(row.get::<_, Sql<BaseUnits>>(index)?.0.0);
            Ok(Counts {
                workers: count(0)?,
                customers: count(1)?,
                jobs_running: count(2)?,
                tasks_waiting: count(3)?,
                assignments_open: count(4)?,
                seconds_wanted: count(5)?,
                accepted: count(6)?,
                rejected: count(7)?,
            })
        })
}

/// The sums of all accounts of one sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// What customers can spend.
    pub customers: i64,
    /// Reserved for jobs.
    pub reserved: i64,
    /// On its way back to customers.
    pub refunding: i64,
    /// Earned, within the audit window.
    pub held: i64,
    /// Earned, free to be paid.
    pub payable: i64,
    /// Paid.
    pub paid: i64,
    /// Minus what was paid in.
    pub external: i64,
    /// Minus what the network spent on second opinions.
    pub treasury: i64,
}

/// The ledger in eight numbers, which sum to zero. Reads all accounts.
pub fn sums(connection: &Connection) -> Result<Sums> {
    let mut statement = connection.prepare_cached("SELECT kind, sum(balance) FROM accounts GROUP BY kind")?;
    let mut rows = statement.query([])?;
    let mut sums = Sums::default();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let balance = row.get(1)?;
        match kind.as_str() {
            "customer" => sums.customers = balance,
            "reserved" => sums.reserved = balance,
            "refunding" => sums.refunding = balance,
            "held" => sums.held = balance,
            "payable" => sums.payable = balance,
            "paid" => sums.paid = balance,
            "external" => sums.external = balance,
            _ => sums.treasury = balance,
        }
    }
    Ok(sums)
}

/// The balance of one account, negative only for the two of the network itself.
pub fn balance(connection: &Connection, account: &Account) -> Result<i64, crate::ledger::LedgerError> {
    crate::ledger::balance(connection, account)
}
