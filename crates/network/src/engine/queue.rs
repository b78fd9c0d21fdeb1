//! What waits in the whole network, counted for those who get none of it. Every idle device is told, so the counts are
//! kept for some seconds, and none goes beyond what is told.

use std::collections::BTreeSet;

use lull_network_api::{COUNTED_MAX, WITHHELD_MAX};
use lull_types::UnixMillis;
use rusqlite::{Transaction, params};

use super::EngineError;

/// How old the counts may be: nobody reads a figure twice within it, and counting takes some milliseconds at worst.
const FRESH_MS: u64 = 5_000;
/// Second opinions that are looked at: so many that most of them can be of one class and the rest is still counted.
const SECONDS_MAX: u32 = 10 * COUNTED_MAX;

/// The counts, and since when they are known.
#[derive(Debug, Default)]
pub(super) struct Queue {
    counted_at: Option<UnixMillis>,
    /// Tasks that wait for a first worker, by kind.
    pub firsts: Vec<(String, u32)>,
    /// Reports that wait for a second one, by class and kind.
    pub seconds: Vec<(String, String, u32)>,
}

impl Queue {
    /// Counts anew, if that was not done a moment ago.
    pub fn refresh(&mut self, tx: &Transaction<'_>, now: UnixMillis) -> Result<(), EngineError> {
        if self.counted_at.is_none_or(|at| now.0 >= at.0.saturating_add(FRESH_MS)) {
            *self = Self { counted_at: Some(now), firsts: firsts(tx)?, seconds: seconds(tx)? };
        }
        Ok(())
    }

    /// Tasks that wait, of kinds that are not among these.
    pub fn of_other_kinds<'a>(
        &'a self,
        kinds: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = (&'a str, u32)> + 'a {
        let firsts = self.firsts.iter().map(|(kind, tasks)| (kind.as_str(), *tasks));
        let seconds = self.seconds.iter().map(|(_, kind, tasks)| (kind.as_str(), *tasks));
        firsts.chain(seconds).filter(|(kind, _)| !kinds.contains(*kind))
    }

    /// Second opinions of these kinds that are wanted from other classes.
    pub fn of_other_classes<'a>(
        &'a self,
        kinds: &'a BTreeSet<String>,
        class: &'a str,
    ) -> impl Iterator<Item = u32> + 'a {
        let others = self.seconds.iter().filter(move |(of, kind, _)| kinds.contains(kind) && of != class);
        others.map(|(_, _, tasks)| *tasks)
    }
}

const NEXT_KIND: &str =
    "SELECT min(kind) FROM tasks INDEXED BY tasks_waiting_of_kind WHERE state = 'waiting' AND kind > ?1";
const COUNT_OF_KIND: &str = "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_waiting_of_kind
     WHERE state = 'waiting' AND kind = ?1 LIMIT ?2)";

/// Goes from kind to kind through the index, and no further into each than is told.
fn firsts(tx: &Transaction<'_>) -> Result<Vec<(String, u32)>, EngineError> {
    let mut next = tx.prepare_cached(NEXT_KIND)?;
    let mut count = tx.prepare_cached(COUNT_OF_KIND)?;
    let mut firsts: Vec<(String, u32)> = Vec::new();
    while firsts.len() < WITHHELD_MAX {
        let last = firsts.last().map_or("", |(kind, _)| kind);
        let Some(kind) = next.query_row([last], |row| row.get::<_, Option<String>>(0))? else { break };
        let tasks = count.query_row(params![kind, COUNTED_MAX], |row| row.get(0))?;
        firsts.push((kind, tasks));
    }
    Ok(firsts)
}

fn seconds(tx: &Transaction<'_>) -> Result<Vec<(String, String, u32)>, EngineError> {
    let mut statement = tx.prepare_cached(
        "SELECT class, kind, count(*) FROM (SELECT class, kind FROM seconds LIMIT ?1) GROUP BY class, kind",
    )?;
    let rows = statement.query_map([SECONDS_MAX], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store;

    /// A count that read all that waits would stop the network for as long as that takes.
    #[test]
    fn tasks_are_sought_and_not_scanned() {
        let connection = store::open_in_memory().unwrap();
        for sql in [NEXT_KIND, COUNT_OF_KIND] {
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let rows = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            let plan = rows.collect::<Result<Vec<_>, _>>().unwrap();
            assert!(plan.iter().any(|step| step.starts_with("SEARCH tasks")), "{plan:?}");
            assert!(!plan.iter().any(|step| step.starts_with("SCAN tasks")), "{plan:?}");
        }
    }
}
