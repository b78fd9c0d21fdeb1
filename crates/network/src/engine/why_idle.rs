//! Why a device gets nothing: in a sentence, and as data about every task that waits.
//!
//! Tasks of kinds that the device runs are looked at as they are now, but only as many as are counted; what waits for
//! others is counted for all at once (see [`super::queue`]).

use std::collections::BTreeSet;

use lull_network_api::{COUNTED_MAX, Exclusion, NetworkMessage, Standing, WITHHELD_MAX, Withheld};
use lull_types::{Fault, UnixMillis, WorkerId};
use rusqlite::{ToSql, Transaction};

use super::claim::Asker;
use super::turn::Turn;
use super::{Engine, EngineError};
use crate::store::Sql;

/// A worker that asks, and what is known of it before anything is looked for.
pub(super) struct Barred<'a> {
    pub worker: WorkerId,
    pub device: u32,
    /// None for one that has never told them, which is kept from all tasks alike.
    pub kinds: Option<&'a BTreeSet<String>>,
    /// None for a device that has not told what it is.
    pub class: Option<&'a str>,
}

impl Engine {
    /// Answers a device that is kept from all work of its kinds by one thing.
    pub(super) fn bar(
        &mut self,
        turn: &mut Turn<'_>,
        asker: &Barred<'_>,
        by: &Exclusion,
        reason: Fault,
        retry_after_ms: u64,
    ) -> Result<(), EngineError> {
        self.queue.refresh(turn.tx, turn.now)?;
        let mut groups = Groups::default();
        let firsts = self.queue.firsts.iter().map(|(kind, tasks)| (None, kind, *tasks));
        let seconds = self.queue.seconds.iter().map(|(class, kind, tasks)| (Some(class), kind, *tasks));
        for (class, kind, tasks) in firsts.chain(seconds) {
            let is_of_kind = asker.kinds.is_none_or(|kinds| kinds.contains(kind));
            let is_of_class = class.is_none_or(|of| asker.class.is_none_or(|own| own == of));
            let why = match (is_of_kind, is_of_class) {
                (false, _) => Exclusion::Kind(kind.clone()),
                (true, false) => Exclusion::DeviceClass,
                (true, true) => by.clone(),
            };
            groups.add(tasks, why);
        }
        let standing = Standing { ahead: None, withheld: groups.told() };
        let Barred { worker, device, .. } = *asker;
        self.send(turn, worker, NetworkMessage::NoWork { device, reason, retry_after_ms, standing });
        Ok(())
    }

    /// Where a device stands for which nothing was found.
    pub(super) fn stand(&mut self, turn: &Turn<'_>, asker: &Asker) -> Result<Standing, EngineError> {
        self.queue.refresh(turn.tx, turn.now)?;
        let mut groups = Groups::default();
        for (kind, tasks) in self.queue.of_other_kinds(&asker.kinds) {
            groups.add(tasks, Exclusion::Kind(kind.to_owned()));
        }
        for tasks in self.queue.of_other_classes(&asker.kinds, &asker.class) {
            groups.add(tasks, Exclusion::DeviceClass);
        }
        let kept = kept_from(turn.tx, asker, turn.now)?;
        groups.add(kept.found_wrong, Exclusion::FoundWrong);
        groups.add(kept.own_reports, Exclusion::OwnReport);
        groups.add(kept.tried.0, Exclusion::TriedLately { again_in_ms: kept.tried.1 });
        groups.add(kept.backing_off.0, Exclusion::BackingOff { again_in_ms: kept.backing_off.1 });
        let ahead = self.sessions.line.ahead((asker.worker, asker.device));
        Ok(Standing { ahead, withheld: groups.told() })
    }
}

/// Tasks by what keeps a device from them.
#[derive(Debug, Default)]
struct Groups(Vec<Withheld>);

impl Groups {
    fn add(&mut self, tasks: u32, by: Exclusion) {
        if tasks == 0 {
            return;
        }
        match self.0.iter_mut().find(|group| group.by == by) {
            Some(group) => group.tasks = group.tasks.saturating_add(tasks).min(COUNTED_MAX),
            None => self.0.push(Withheld { tasks: tasks.min(COUNTED_MAX), by }),
        }
    }

    fn told(self) -> Vec<Withheld> {
        let mut groups = self.0;
        groups.sort_by_key(|group| std::cmp::Reverse(group.tasks));
        groups.truncate(WITHHELD_MAX);
        groups
    }
}

/// What waits of a device's own kinds and class, by what keeps its worker from it; with two of them, in how many
/// milliseconds the first comes back.
#[derive(Debug, Default)]
struct Kept {
    found_wrong: u32,
    own_reports: u32,
    tried: (u32, u64),
    backing_off: (u32, u64),
}

impl Kept {
    fn add(&mut self, row: &KeptRow, now: UnixMillis) {
        let later = |count: &mut (u32, u64), in_ms: u64| {
            *count = (count.0 + 1, if count.0 == 0 { in_ms } else { count.1.min(in_ms) });
        };
        let ripe_in_ms = row.not_before.0.saturating_sub(now.0);
        match row.why {
            Some(FOUND_WRONG) => self.found_wrong += 1,
            Some(OWN_REPORT) => self.own_reports += 1,
            Some(_) => later(&mut self.tried, row.free_in_ms.max(ripe_in_ms)),
            None if ripe_in_ms > 0 => later(&mut self.backing_off, ripe_in_ms),
            // It has come meanwhile, and is found when the device asks again.
            None => {}
        }
    }
}

/// One task, and the strongest of the reasons for which it is kept from the worker.
struct KeptRow {
    not_before: UnixMillis,
    why: Option<i64>,
    free_in_ms: u64,
}

/// As the query below ranks them.
const FOUND_WRONG: i64 = 3;
const OWN_REPORT: i64 = 2;

/// For tasks, the reasons of `not_kept_from!`. `?1` is the worker, `?2` and `?3` the instants from which pauses still
/// count, so that what lies after one is how much of the pause is left.
macro_rules! kept {
    ($tasks:literal) => {
        concat!(
            "SELECT t.not_before,
                 max(CASE a.state WHEN 'rejected' THEN 3 WHEN 'open' THEN 2 WHEN 'reported' THEN 2
                     WHEN 'handed_back' THEN 1 WHEN 'expired' THEN 1 WHEN 'blamed' THEN 1 END),
                 coalesce(max(a.decided_at - CASE a.state WHEN 'blamed' THEN ?3 ELSE ?2 END), 0)
             FROM (",
            $tasks,
            ") t LEFT JOIN assignments a ON a.task = t.id AND a.worker = ?1
                 AND (a.state IN ('open', 'reported', 'rejected')
                     OR (a.state IN ('handed_back', 'expired') AND a.decided_at > ?2)
                     OR (a.state = 'blamed' AND a.decided_at > ?3))
             GROUP BY t.id"
        )
    };
}

const FIRSTS_KEPT: &str = kept!(
    "SELECT id, not_before FROM tasks INDEXED BY tasks_waiting_of_kind
     WHERE state = 'waiting' AND kind = ?4 LIMIT ?5"
);
const SECONDS_KEPT: &str =
    kept!("SELECT task AS id, 0 AS not_before FROM seconds WHERE kind = ?4 AND class = ?6 LIMIT ?5");

fn kept_from(tx: &Transaction<'_>, asker: &Asker, now: UnixMillis) -> Result<Kept, EngineError> {
    let mut kept = Kept::default();
    let (worker, paused, blamed) = (Sql(asker.worker), Sql(asker.paused_since), Sql(asker.blamed_since));
    let mut add = |sql: &str, params: &[&dyn ToSql]| -> Result<(), EngineError> {
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| {
            let free_in_ms = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
            Ok(KeptRow { not_before: row.get::<_, Sql<_>>(0)?.0, why: row.get(1)?, free_in_ms })
        })?;
        for row in rows {
            kept.add(&row?, now);
        }
        Ok(())
    };
    for kind in &asker.kinds {
        add(FIRSTS_KEPT, &[&worker, &paused, &blamed, kind, &COUNTED_MAX])?;
        add(SECONDS_KEPT, &[&worker, &paused, &blamed, kind, &COUNTED_MAX, &asker.class])?;
    }
    Ok(kept)
}

/// Why there is nothing for this asker, for the contributor.
pub(super) fn reason(tx: &Transaction<'_>, asker: &Asker, now: UnixMillis) -> Result<Fault, EngineError> {
    let any = |sql: &str, params: &[&dyn ToSql]| -> Result<bool, EngineError> {
        Ok(tx.prepare_cached(sql)?.exists(params)?)
    };
    if !any("SELECT 1 FROM tasks WHERE state = 'waiting' LIMIT 1", &[])? {
        return Ok(if any("SELECT 1 FROM jobs WHERE tasks_live > 0 LIMIT 1", &[])? {
            Fault::new(
                "all_placed",
                "every task of every customer is being worked on; work starts by itself when one is free",
            )
        } else {
            Fault::new("no_jobs", "no customer has a job waiting; work starts by itself when one arrives")
        });
    }
    let mut of_kind = false;
    let mut ripe = false;
    for kind in &asker.kinds {
        of_kind |= any("SELECT 1 FROM tasks WHERE state = 'waiting' AND kind = ?1 LIMIT 1", &[kind])?;
        ripe |= any(
            "SELECT 1 FROM tasks WHERE state = 'waiting' AND kind = ?1 AND not_before <= ?2 LIMIT 1",
            &[kind, &Sql(now)],
        )?;
    }
    Ok(if !of_kind {
        Fault::new("no_matching_kind", "the waiting jobs are of kinds that this machine does not run")
    } else if !ripe {
        Fault::new("tasks_backing_off", "the waiting tasks failed a moment ago and are tried again shortly")
    } else {
        Fault::new(
            "tasks_for_others",
            "this machine has already tried the waiting tasks, so they go to other machines first",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    /// A table that is read from end to end would make each idle device cost as much as the network is large.
    #[test]
    fn nothing_is_read_but_what_is_counted() {
        let connection = store::open_in_memory().unwrap();
        for sql in [FIRSTS_KEPT, SECONDS_KEPT] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let rows = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            let plan = rows.collect::<Result<Vec<_>, _>>().unwrap();
            let scans: Vec<_> = plan.iter().filter(|step| step.starts_with("SCAN")).collect();
            assert_eq!(scans, ["SCAN t"], "only the rows that the limit leaves: {plan:?}");
            assert!(plan.iter().any(|step| step.contains("assignments_by_task")), "{plan:?}");
        }
    }
}
