//! What is stored of timings.

use lull_types::{BenchmarkReport, Fault, UnixMillis, WalletAddress, WorkerId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::finding::{Claim, Finding, MemoryFinding, TimingOutcome};
use crate::engine::EngineError;
use crate::engine::turn::Turn;
use crate::store::{FromJson, Json, Sql};

/// What was found of a device: GFLOP/s and memory, or why it was refuted.
pub type Counted = Result<(f64, Option<u64>), Fault>;

/// A device and what is known of it.
pub struct Known {
    pub claim: Claim,
    /// What was found and still counts, when, and until when.
    pub timed: Option<(Counted, UnixMillis, UnixMillis)>,
}

/// Whose devices are timed together: all of one wallet's, or those of a worker without one.
pub fn account(tx: &Transaction<'_>, worker: WorkerId) -> Result<String, EngineError> {
    let wallet: Option<Option<Sql<WalletAddress>>> = tx
        .prepare_cached("SELECT wallet FROM workers WHERE id = ?1")?
        .query_row([Sql(worker)], |row| row.get(0))
        .optional()?;
    Ok(wallet.flatten().map_or_else(|| worker.to_string(), |Sql(wallet)| wallet.to_string()))
}

/// The workers of an account, connected or not.
pub fn workers(tx: &Transaction<'_>, account: &str, worker: WorkerId) -> Result<Vec<WorkerId>, EngineError> {
    let mut statement = tx.prepare_cached("SELECT id FROM workers WHERE wallet = ?1 ORDER BY id")?;
    let rows = statement.query_map([account], |row| row.get::<_, Sql<WorkerId>>(0))?;
    let mut workers = rows.map(|row| row.map(|Sql(id)| id)).collect::<Result<Vec<_>, _>>()?;
    if !workers.contains(&worker) {
        workers.push(worker);
    }
    Ok(workers)
}

/// Whether any device of a worker is at work.
pub fn is_at_work(tx: &Transaction<'_>, worker: WorkerId) -> Result<bool, EngineError> {
    Ok(tx
        .prepare_cached("SELECT 1 FROM assignments WHERE worker = ?1 AND state = 'open'")?
        .exists([Sql(worker)])?)
}

/// When an account was last timed.
pub fn last_round(tx: &Transaction<'_>, account: &str) -> Result<Option<UnixMillis>, EngineError> {
    let last: Option<Sql<UnixMillis>> = tx
        .prepare_cached("SELECT MAX(timed_at) FROM timings WHERE account = ?1")?
        .query_row([account], |row| row.get(0))?;
    Ok(last.map(|Sql(at)| at))
}

/// A worker's devices with their timings, as far as those still count.
pub fn known(turn: &Turn<'_>, worker: WorkerId, account: &str) -> Result<Vec<Known>, EngineError> {
    type Device = (u32, String, String, FromJson<BenchmarkReport>);
    let mut statement = turn.tx.prepare_cached(
        "SELECT device, name, class, benchmark FROM devices WHERE worker = ?1 ORDER BY device",
    )?;
    let devices = statement
        .query_map([Sql(worker)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<Vec<Device>, _>>()?;
    let last_round = last_round(turn.tx, account)?;
    let mut known = Vec::with_capacity(devices.len());
    for (device, name, class, FromJson(benchmark)) in devices {
        let claim = Claim::of(device, &benchmark);
        let row = row(turn.tx, worker, device)?.filter(|row| {
            row.name == name
                && row.class == class
                && row.account == account
                && turn.now < row.valid_until
                && claim.is_within(row.claimed, row.claimed_memory)
                // What was found in an earlier round may be another device's, which is timed by now.
                && (row.fault.is_some() || Some(row.timed_at) == last_round)
        });
        let timed = row.and_then(|row| {
            let found = match (row.gigaflops, row.fault) {
                (Some(gigaflops), _) => Ok((gigaflops, row.memory)),
                (None, Some(fault)) => Err(fault),
                (None, None) => return None,
            };
            Some((found, row.timed_at, row.valid_until))
        });
        known.push(Known { claim, timed });
    }
    Ok(known)
}

struct Row {
    name: String,
    class: String,
    account: String,
    claimed: f64,
    claimed_memory: u64,
    gigaflops: Option<f64>,
    memory: Option<u64>,
    fault: Option<Fault>,
    timed_at: UnixMillis,
    valid_until: UnixMillis,
}

fn row(tx: &Transaction<'_>, worker: WorkerId, device: u32) -> Result<Option<Row>, EngineError> {
    let mut statement = tx.prepare_cached(
        "SELECT name, class, account, claimed, claimed_memory, gigaflops, memory, fault, timed_at, valid_until
         FROM timings WHERE worker = ?1 AND device = ?2",
    )?;
    let row = statement
        .query_row(params![Sql(worker), device], |row| {
            Ok(Row {
                name: row.get(0)?,
                class: row.get(1)?,
                account: row.get(2)?,
                claimed: row.get(3)?,
                claimed_memory: unsigned(row.get(4)?),
                gigaflops: row.get(5)?,
                memory: row.get::<_, Option<i64>>(6)?.map(unsigned),
                fault: row.get::<_, Option<FromJson<Fault>>>(7)?.map(|FromJson(fault)| fault),
                timed_at: row.get::<_, Sql<UnixMillis>>(8)?.0,
                valid_until: row.get::<_, Sql<UnixMillis>>(9)?.0,
            })
        })
        .optional()?;
    Ok(row)
}

/// Bytes fit a column by far.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn unsigned(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or_default()
}

/// Stores a finding; gives what counts from now on, and nothing where nothing was found out.
pub fn store(
    turn: &Turn<'_>,
    worker: WorkerId,
    account: &str,
    finding: &Finding,
    valid_until: UnixMillis,
) -> Result<Option<Counted>, EngineError> {
    let Finding { claim, outcome } = finding;
    let (counted, evidence, memory) = match outcome {
        // A claim below what was measured stands: nobody has to give all.
        TimingOutcome::Timed { gigaflops, evidence, memory } => {
            let (bytes, fault, of_memory) = match memory {
                MemoryFinding::NotClaimed => (None, None, None),
                MemoryFinding::Found { lowered, evidence } => {
                    let bytes = evidence.memory.bytes().min(claim.memory_bytes);
                    (Some(bytes), lowered.as_ref(), Some(evidence.as_ref()))
                }
                MemoryFinding::NotFound(fault) => (Some(0), Some(fault), None),
            };
            (Ok((gigaflops.min(claim.gigaflops), bytes)), Some(evidence), (fault, of_memory))
        }
        TimingOutcome::Refuted(fault) => (Err(fault.clone()), None, (None, None)),
        TimingOutcome::NotNow(_) => return Ok(None),
    };
    let found = counted.as_ref().ok();
    turn.tx
        .prepare_cached(
            "INSERT INTO timings (worker, device, name, class, account, claimed, claimed_memory, gigaflops, memory,
                 fault, evidence, memory_fault, memory_evidence, timed_at, valid_until)
             SELECT worker, device, name, class, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13 FROM devices
             WHERE worker = ?1 AND device = ?2
             ON CONFLICT (worker, device) DO UPDATE SET name = excluded.name, class = excluded.class,
                 account = excluded.account, claimed = excluded.claimed,
                 claimed_memory = excluded.claimed_memory, gigaflops = excluded.gigaflops,
                 memory = excluded.memory, fault = excluded.fault, evidence = excluded.evidence,
                 memory_fault = excluded.memory_fault, memory_evidence = excluded.memory_evidence,
                 timed_at = excluded.timed_at, valid_until = excluded.valid_until",
        )?
        .execute(params![
            Sql(worker),
            claim.device,
            account,
            claim.gigaflops,
            signed(claim.memory_bytes),
            found.map(|(gigaflops, _)| *gigaflops),
            found.and_then(|(_, memory)| memory.map(signed)),
            counted.as_ref().err().map(Json),
            evidence.map(Json),
            memory.0.map(Json),
            memory.1.map(Json),
            Sql(turn.now),
            Sql(valid_until),
        ])?;
    Ok(Some(counted))
}

/// A worker is paid elsewhere from now on. If nobody else is paid there, what was found of its devices still counts;
/// else all of that account are timed together.
pub fn move_account(tx: &Transaction<'_>, worker: WorkerId) -> Result<(), EngineError> {
    let account = account(tx, worker)?;
    if workers(tx, &account, worker)?.len() == 1 {
        tx.prepare_cached("UPDATE timings SET account = ?2 WHERE worker = ?1")?
            .execute(params![Sql(worker), account])?;
    }
    Ok(())
}
