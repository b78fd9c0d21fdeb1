//! The reference model: what the network has promised, gathered from its effects alone, and the rules that its
//! store must keep, written as queries that the engine does not use.

use std::collections::BTreeMap;

use lull_network::ledger;
use lull_network_api::{NetworkMessage, Verdict};
use lull_types::{AssignmentId, BaseUnits, BlobHash, WorkerId};
use rusqlite::Connection;

#[derive(Default)]
pub struct Model {
    /// Reports that were acknowledged, with who made them.
    reports: BTreeMap<AssignmentId, WorkerId>,
    /// Verdicts that were told.
    verdicts: BTreeMap<AssignmentId, Verdict>,
    commits: u64,
}

/// Rules over the store; each must find no row.
const RULES: [(&str, &str); 12] = [
    (
        "an accepted assignment is paid once",
        "SELECT 1 FROM assignments a WHERE state = 'accepted'
        AND (SELECT count(*) FROM transfers WHERE kind = 'accept' AND reference = a.id) <> 1",
    ),
    (
        "only accepted assignments are paid",
        "SELECT 1 FROM transfers t WHERE kind = 'accept'
        AND NOT EXISTS (SELECT 1 FROM assignments WHERE id = t.reference AND state = 'accepted')",
    ),
    (
        "an accepted assignment has one receipt",
        "SELECT 1 FROM assignments a WHERE state = 'accepted'
        AND (SELECT count(*) FROM receipts WHERE assignment = a.id) <> 1",
    ),
    (
        "only accepted assignments have receipts",
        "SELECT 1 FROM receipts r
        WHERE NOT EXISTS (SELECT 1 FROM assignments WHERE id = r.assignment AND state = 'accepted')",
    ),
    (
        "what is reserved is the price of what has not ended",
        "SELECT 1 FROM jobs j WHERE price * tasks_live
        <> (SELECT balance FROM accounts WHERE kind = 'reserved' AND owner = j.id)",
    ),
    (
        "a job knows how many of its tasks have not ended",
        "SELECT 1 FROM jobs j WHERE tasks_live
        <> (SELECT count(*) FROM tasks WHERE job = j.id AND state IN ('waiting', 'placed', 'checking'))",
    ),
    (
        "a job knows how many of its tasks are done",
        "SELECT 1 FROM jobs j WHERE tasks_done
        <> (SELECT count(*) FROM tasks WHERE job = j.id AND state = 'done')",
    ),
    (
        "a running job has tasks that have not ended",
        "SELECT 1 FROM jobs WHERE stage = 'running' AND tasks_live = 0",
    ),
    (
        "a customer knows how many of its tasks wait",
        "SELECT 1 FROM customers c WHERE waiting
        <> (SELECT count(*) FROM tasks WHERE customer = c.id AND state = 'waiting')",
    ),
    (
        "a placed task is held by one worker, a waiting or ended one by none",
        "SELECT 1 FROM tasks t WHERE
        (SELECT count(*) FROM assignments WHERE task = t.id AND state IN ('open', 'reported'))
        NOT BETWEEN CASE state WHEN 'placed' THEN 1 WHEN 'checking' THEN 1 ELSE 0 END
            AND CASE state WHEN 'placed' THEN 1 WHEN 'checking' THEN 3 ELSE 0 END",
    ),
    (
        "no worker has a task twice at once",
        "SELECT 1 FROM assignments WHERE state IN ('open', 'reported')
        GROUP BY task, worker HAVING count(*) > 1",
    ),
    (
        "what is held is held for an accepted assignment",
        "SELECT 1 FROM accounts a WHERE kind = 'held' AND balance
        <> (SELECT coalesce(sum(amount), 0) FROM holds WHERE worker = a.owner)",
    ),
];

impl Model {
    /// Notes what the network says, as it says it.
    pub fn hears(&mut self, worker: WorkerId, message: &NetworkMessage) {
        match message {
            NetworkMessage::ReportReceived { assignment } => {
                self.reports.insert(*assignment, worker);
            }
            NetworkMessage::Verdict { assignment, verdict } => {
                let before = self.verdicts.insert(*assignment, verdict.clone());
                assert!(before.is_none_or(|b| b == *verdict), "the network changed its mind on {assignment}");
            }
            _ => {}
        }
    }

    /// Checks the books after a commit.
    pub fn check(&mut self, connection: &Connection) {
        let sum: i64 = connection
            .prepare_cached("SELECT coalesce(sum(balance), 0) FROM accounts")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .unwrap();
        assert_eq!(sum, 0, "the ledger sums to zero");
        self.commits += 1;
        // The rest reads the whole store: often enough to be near the fault, seldom enough for a thousand runs.
        if self.commits.is_multiple_of(16) {
            self.check_all(connection);
        }
    }

    pub fn check_all(&self, connection: &Connection) {
        ledger::audit(connection).unwrap();
        for (rule, sql) in RULES {
            assert!(!connection.prepare_cached(sql).unwrap().exists([]).unwrap(), "broken: {rule}");
        }
        let promised = |worker: &WorkerId| -> u64 {
            let of = |(id, verdict): (&AssignmentId, &Verdict)| match verdict {
                Verdict::Accepted { amount: BaseUnits(amount), .. }
                    if self.reports.get(id) == Some(worker) =>
                {
                    *amount
                }
                _ => 0,
            };
            self.verdicts.iter().map(of).sum()
        };
        for worker in self.reports.values().collect::<std::collections::BTreeSet<_>>() {
            let earned = earned(connection, *worker);
            // A verdict can be committed and lost on its way; told and not committed it can never be.
            assert!(
                promised(worker) <= earned,
                "{worker} was promised {} and has {earned}",
                promised(worker)
            );
        }
    }

    /// Every report that was acknowledged has its verdict. By the store, since the telling may have been lost.
    pub fn check_end(&self, connection: &Connection, right: impl Fn(&[BlobHash]) -> bool) -> Verdicts {
        self.check_all(connection);
        let mut verdicts = Verdicts::default();
        for (assignment, worker) in &self.reports {
            let (state, outputs, checked): (String, Vec<u8>, Option<bool>) = connection
                .query_row(
                    "SELECT state, outputs, checked FROM assignments WHERE id = ?1",
                    [assignment.as_bytes().as_slice()],
                    |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
                )
                .unwrap();
            let outputs: Vec<BlobHash> =
                outputs.as_chunks::<32>().0.iter().map(|hash| BlobHash(*hash)).collect();
            match state.as_str() {
                "accepted" => {
                    verdicts.accepted += 1;
                    let right = right(&outputs);
                    verdicts.accepted_wrong += u64::from(!right);
                    assert!(right || checked == Some(false), "a checked report was wrong and accepted");
                }
                "rejected" => {
                    verdicts.rejected += 1;
                    assert!(!right(&outputs), "{worker} was right and rejected");
                }
                "inconclusive" => verdicts.inconclusive += 1,
                other => panic!("the report of {assignment} was acknowledged and is {other} at the end"),
            }
            if let Some(told) = self.verdicts.get(assignment) {
                let word = match told {
                    Verdict::Accepted { .. } => "accepted",
                    Verdict::Rejected { .. } => "rejected",
                    Verdict::Inconclusive { .. } => "inconclusive",
                };
                assert_eq!(word, state, "what was told is what is stored");
            }
        }
        verdicts
    }
}

/// How the reports of a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    pub accepted: u64,
    pub accepted_wrong: u64,
    pub rejected: u64,
    pub inconclusive: u64,
}

/// All that a worker has, in whatever state.
pub fn earned(connection: &Connection, worker: WorkerId) -> u64 {
    use ledger::Account::{Held, Paid, Payable};
    let of = |account| ledger::balance(connection, &account).unwrap();
    u64::try_from(of(Held(worker)) + of(Payable(worker)) + of(Paid(worker))).unwrap()
}
