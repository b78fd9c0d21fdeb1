//! What work has lately paid, for those who want to know what their device could earn.

use std::collections::BTreeMap;

use lull_network_api::{NetworkMessage, RecentPrice};
use lull_types::{BaseUnits, BenchmarkReport, UnixMillis, WorkClass, WorkerId};

use rusqlite::params;

use super::turn::Turn;
use super::{Engine, EngineError};
use crate::store::{FromJson, Sql};

/// Accepted tasks that a price rests on: enough to even out, few enough to follow a change.
const TASKS_MAX: u32 = 500;
/// With fewer tasks a price says more about them than about the network.
const TASKS_MIN: u32 = 3;
/// How old what is told may be: prices do not move faster, and looking them up takes some milliseconds.
const FRESH_MS: u64 = 60_000;
const MS_PER_HOUR: f64 = 3_600_000.0;

/// What is told, and since when it is known.
#[derive(Debug, Default)]
pub(super) struct Prices {
    told: Vec<RecentPrice>,
    looked_up: Option<UnixMillis>,
}

/// Accepted tasks of one kind, added up.
#[derive(Debug, Default)]
struct Sum {
    tasks: u32,
    earned: u64,
    /// Time that devices had the tasks, each hour counted as often as the device's score says.
    score_hours: f64,
}

impl Engine {
    /// Tells a worker what work has lately paid.
    pub(super) fn tell_prices(&mut self, turn: &mut Turn<'_>, worker: WorkerId) -> Result<(), EngineError> {
        let is_fresh = self.prices.looked_up.is_some_and(|at| turn.now.0 < at.0.saturating_add(FRESH_MS));
        if !is_fresh {
            self.prices = Prices { told: look_up(turn)?, looked_up: Some(turn.now) };
        }
        if !self.prices.told.is_empty() {
            self.send(turn, worker, NetworkMessage::Prices(self.prices.told.clone()));
        }
        Ok(())
    }
}

/// From the accepted tasks that are in their audit window.
fn look_up(turn: &Turn<'_>) -> Result<Vec<RecentPrice>, EngineError> {
    type Row = (String, Sql<WorkerId>, u32, Sql<BaseUnits>, Sql<UnixMillis>, Option<Sql<UnixMillis>>);
    let mut statement = turn.tx.prepare_cached(
        "SELECT jobs.kind, assignments.worker, assignments.device, holds.amount, assigned_at, reported_at
         FROM (SELECT assignment, amount FROM holds ORDER BY release_at DESC LIMIT ?1) AS holds
         JOIN assignments ON assignments.id = holds.assignment
         JOIN jobs ON jobs.id = assignments.job",
    )?;
    let rows = statement
        .query_map([TASKS_MAX], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })?
        .collect::<Result<Vec<Row>, _>>()?;
    let mut scores: BTreeMap<(WorkerId, u32, WorkClass), Option<f64>> = BTreeMap::new();
    let mut sums: BTreeMap<String, (WorkClass, Sum)> = BTreeMap::new();
    for (kind, Sql(worker), device, Sql(amount), Sql(assigned_at), reported_at) in rows {
        let (Some(work), Some(Sql(reported_at))) = (WorkClass::of_job_kind(&kind), reported_at) else {
            continue;
        };
        let score = match scores.get(&(worker, device, work)) {
            Some(known) => *known,
            None => {
                let score = score(turn, worker, device, work)?;
                scores.insert((worker, device, work), score);
                score
            }
        };
        let hours = reported_at.0.saturating_sub(assigned_at.0).max(1) as f64 / MS_PER_HOUR;
        if let Some(score) = score {
            let (_, sum) = sums.entry(kind).or_insert_with(|| (work, Sum::default()));
            sum.tasks += 1;
            sum.earned = sum.earned.saturating_add(amount.0);
            sum.score_hours += score * hours;
        }
    }
    let price = |(kind, (work, sum)): (String, (WorkClass, Sum))| {
        (sum.tasks >= TASKS_MIN && sum.score_hours > 0.0).then(|| RecentPrice {
            kind,
            work,
            // Casting saturates.
            per_score_hour: BaseUnits((sum.earned as f64 / sum.score_hours).round() as u64),
            tasks: sum.tasks,
        })
    };
    Ok(sums.into_iter().filter_map(price).collect())
}

/// A device's score by what it enrolled with.
fn score(
    turn: &Turn<'_>,
    worker: WorkerId,
    device: u32,
    work: WorkClass,
) -> Result<Option<f64>, EngineError> {
    let mut statement =
        turn.tx.prepare_cached("SELECT benchmark FROM devices WHERE worker = ?1 AND device = ?2")?;
    let report = statement
        .query_map(params![Sql(worker), device], |row| row.get::<_, FromJson<BenchmarkReport>>(0))?
        .next()
        .transpose()?;
    Ok(report.and_then(|FromJson(report)| report.score(work)))
}
