//! What the network has timed itself. A worker gets work once every device that it lends was timed by the network, all
//! at the same moment; what it says of them counts only up to that.

use lull_checks::product::Product;
use lull_network_api::NetworkMessage;
use lull_types::{BenchmarkReport, BlobHash, Fault, Measure, UnixMillis, WorkerId};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::sessions::Timing;
use super::turn::Turn;
use super::{Effect, Engine, EngineError, SessionId};
use crate::store::{FromJson, Json, Sql};

/// How much more a device may claim than it did when it was timed: two benchmarks of one device differ by less.
const CLAIM_GROWTH_MAX: f64 = 1.25;
/// A device that was refuted is timed again after this.
const REFUTED_PAUSE_MS: u64 = 3_600_000;
/// A device that could not be timed is tried again after this.
const NOT_NOW_PAUSE_MS: u64 = 5_000;
/// A worker asks again after this while its devices are timed; it is also told.
const ASK_AGAIN_MS: u64 = 10_000;

/// What a worker says of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// Device index.
    pub device: u32,
    /// GFLOP/s of matrix products.
    pub gigaflops: f64,
}

/// What the network found of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What was claimed.
    pub claim: Claim,
    /// What is the case.
    pub outcome: TimingOutcome,
}

/// How timing a device ended.
#[derive(Clone, Debug, PartialEq)]
pub enum TimingOutcome {
    /// It computed what it was asked.
    Timed {
        /// GFLOP/s of matrix products.
        gigaflops: f64,
        /// From which this follows.
        evidence: Evidence,
    },
    /// It could not be timed, and nothing is held against it.
    NotNow(Fault),
    /// It did not compute what it was asked, or not in any time that its claim allows.
    Refuted(Fault),
}

/// What a timing can be recomputed from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// What was to be computed.
    pub product: Product,
    /// What was committed to.
    pub root: BlobHash,
    /// The rows that were looked at.
    pub rows: Vec<u64>,
    /// From which the vector was drawn.
    pub vector_seed: [u8; 32],
    /// From sending the product to the root's arrival.
    pub elapsed_us: u64,
    /// The round trip that was taken off.
    pub round_trip_us: u64,
}

/// A device and what is known of it.
struct Known {
    claim: Claim,
    /// GFLOP/s, or why it was refuted; and when.
    timed: Option<(Result<f64, Fault>, UnixMillis)>,
}

impl Engine {
    /// Why a worker gets no work before its devices are timed, and when to ask again. Asks for the timing if that is
    /// not under way.
    pub(super) fn untimed(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        session: SessionId,
    ) -> Result<Option<(Fault, u64)>, EngineError> {
        let Some(valid_ms) = self.config.policy.timing_valid_ms else { return Ok(None) };
        if self.sessions.knows_timing(worker, turn.now) {
            return Ok(None);
        }
        let known = known(turn, worker, valid_ms)?;
        let refuted = known.iter().find_map(|device| match &device.timed {
            Some((Err(fault), at)) => Some((fault.clone(), at.0.saturating_add(REFUTED_PAUSE_MS))),
            _ => None,
        });
        if let Some((fault, until)) = refuted
            && turn.now.0 < until
        {
            return Ok(Some((fault, until - turn.now.0)));
        }
        let until = known.iter().map(|device| match device.timed {
            Some((Ok(_), at)) => Some(UnixMillis(at.0.saturating_add(valid_ms))),
            _ => None,
        });
        if let Some(until) = until.collect::<Option<Vec<_>>>() {
            if let Some(first) = until.into_iter().min() {
                self.sessions.end_timing(worker, Some(Timing::Known(first)));
            }
            return Ok(None);
        }
        let claims = known.into_iter().map(|device| device.claim).collect();
        if self.sessions.begin_timing(worker, turn.now) {
            turn.effects.push(Effect::Time { worker, session, claims });
        }
        let sentence =
            "the network times this machine's devices before it gives them work, which takes some seconds";
        Ok(Some((Fault::new("being_timed", sentence), ASK_AGAIN_MS)))
    }

    /// Takes in what was found.
    pub(super) fn timed(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        session: SessionId,
        findings: Vec<Finding>,
    ) -> Result<(), EngineError> {
        if !self.sessions.is_current(worker, session) {
            return Ok(());
        }
        let is_over = !findings.iter().any(|finding| matches!(finding.outcome, TimingOutcome::NotNow(_)));
        let next = if is_over { None } else { Some(UnixMillis(turn.now.0.saturating_add(NOT_NOW_PAUSE_MS))) };
        self.sessions.end_timing(worker, next.map(Timing::NotBefore));
        for Finding { claim, outcome } in findings {
            let (gigaflops, fault, evidence) = match &outcome {
                TimingOutcome::Timed { gigaflops, evidence } => {
                    // A claim below what was measured stands: nobody has to give all.
                    (Some(gigaflops.min(claim.gigaflops)), None, Some(Json(evidence)))
                }
                TimingOutcome::Refuted(fault) => (None, Some(Json(fault)), None),
                TimingOutcome::NotNow(fault) => {
                    tracing::info!(worker = %worker.short(), device = claim.device, code = fault.code, "not timed");
                    continue;
                }
            };
            turn.tx
                .prepare_cached(
                    "INSERT INTO timings (worker, device, name, class, claimed, gigaflops, fault, evidence, timed_at)
                     SELECT worker, device, name, class, ?3, ?4, ?5, ?6, ?7 FROM devices
                     WHERE worker = ?1 AND device = ?2
                     ON CONFLICT (worker, device) DO UPDATE SET name = excluded.name, class = excluded.class,
                         claimed = excluded.claimed, gigaflops = excluded.gigaflops, fault = excluded.fault,
                         evidence = excluded.evidence, timed_at = excluded.timed_at",
                )?
                .execute(params![
                    Sql(worker),
                    claim.device,
                    claim.gigaflops,
                    gigaflops,
                    fault,
                    evidence,
                    Sql(turn.now)
                ])?;
            if let Some(gigaflops) = gigaflops {
                self.send(turn, worker, NetworkMessage::Timed { device: claim.device, gigaflops });
            }
        }
        if is_over {
            self.send(turn, worker, NetworkMessage::WorkWaiting);
        }
        Ok(())
    }

    /// Tells a worker what was found of its devices in earlier sessions.
    pub(super) fn tell_timings(&self, turn: &mut Turn<'_>, worker: WorkerId) -> Result<(), EngineError> {
        let Some(valid_ms) = self.config.policy.timing_valid_ms else { return Ok(()) };
        for device in known(turn, worker, valid_ms)? {
            if let Some((Ok(gigaflops), _)) = device.timed {
                self.send(turn, worker, NetworkMessage::Timed { device: device.claim.device, gigaflops });
            }
        }
        Ok(())
    }
}

/// A worker's devices with their timings, as far as those still count.
fn known(turn: &Turn<'_>, worker: WorkerId, valid_ms: u64) -> Result<Vec<Known>, EngineError> {
    type Row = (u32, String, String, FromJson<BenchmarkReport>);
    type Timed = (f64, Option<f64>, Option<FromJson<Fault>>, Sql<UnixMillis>, String, String);
    let mut statement = turn.tx.prepare_cached(
        "SELECT device, name, class, benchmark FROM devices WHERE worker = ?1 ORDER BY device",
    )?;
    let rows = statement
        .query_map([Sql(worker)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<Vec<Row>, _>>()?;
    let mut statement = turn.tx.prepare_cached(
        "SELECT claimed, gigaflops, fault, timed_at, name, class FROM timings WHERE worker = ?1 AND device = ?2",
    )?;
    let mut known = Vec::with_capacity(rows.len());
    for (device, name, class, FromJson(benchmark)) in rows {
        let gigaflops = benchmark.value(Measure::GemmFp32).unwrap_or_default();
        let timed = statement
            .query_map(params![Sql(worker), device], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?
            .next()
            .transpose()?;
        let timed = timed.and_then(|(claimed, found, fault, Sql(at), old_name, old_class): Timed| {
            let is_same = old_name == name && old_class == class && gigaflops <= claimed * CLAIM_GROWTH_MAX;
            let is_fresh = turn.now.0 < at.0.saturating_add(valid_ms);
            let outcome = match (found, fault) {
                (Some(found), _) => Ok(found),
                (None, Some(FromJson(fault))) => Err(fault),
                (None, None) => return None,
            };
            (is_same && is_fresh).then_some((outcome, at))
        });
        known.push(Known { claim: Claim { device, gigaflops }, timed });
    }
    Ok(known)
}
