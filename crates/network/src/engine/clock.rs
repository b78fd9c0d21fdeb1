//! What the passing of time does: deadlines, the audit window, back-offs, and second opinions that never come.

use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, BaseUnits, Fault, JOB_KIND_INFER, JobId, TaskId, UnixMillis, WorkerId};
use rusqlite::params;

use super::rows::{AssignmentRow, TaskRow};
use super::settle::Requeue;
use super::turn::{Fresh, Turn};
use super::{Engine, EngineError};
use crate::ledger::{self, Account, Transfer, TransferKind};
use crate::store::{AssignmentState, JobStage, Purpose, Sql};

/// Deadlines handled in one tick, so that the mass that passes after an outage does not hold up everyone: at a
/// tick a second, a million workers' assignments take a quarter of an hour.
const DUE_MAX: u32 = 1_000;

impl Engine {
    pub(super) fn tick(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        for due in AssignmentRow::due(turn.tx, turn.now, DUE_MAX)? {
            // One that expires may end its job, and the job the next one.
            if let Some(row) = AssignmentRow::find(turn.tx, due.id)?
                && row.state == AssignmentState::Open
            {
                self.expire(turn, &row)?;
            }
        }
        self.end_lonely_checks(turn)?;
        self.end_old_jobs(turn)?;
        self.release_holds(turn)?;
        self.change_wallets(turn)?;
        self.sessions.line.lapse(turn.now);
        if self.sessions.line.anyone_waits() {
            self.call_for_ripe_tasks(turn)?;
        }
        self.ticked = turn.now;
        Ok(())
    }

    /// An open assignment's deadline has passed.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>, row: &AssignmentRow) -> Result<(), EngineError> {
        let fault = Fault::new(
            "assignment_expired",
            "the result did not arrive before the deadline, so the task goes to another worker",
        );
        let task = TaskRow::get(turn.tx, row.task)?;
        if task.kind != JOB_KIND_INFER {
            row.close(turn.tx, AssignmentState::Expired, turn.now, &fault.sentence)?;
        }
        self.send(turn, row.worker, NetworkMessage::Withdrawn { assignment: row.id, reason: fault.clone() });
        match row.purpose {
            Purpose::First if task.kind == JOB_KIND_INFER => {
                self.end_shift(turn, row, AssignmentState::Expired, &fault.sentence)
            }
            Purpose::First => self.requeue(turn, &task, &Requeue::Attempt(&fault)),
            // That a second worker vanished says nothing of the task.
            Purpose::Second => self.decide(turn, &task),
        }
    }

    /// Reports that have waited too long for a second worker.
    fn end_lonely_checks(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let oldest = UnixMillis(turn.now.0.saturating_sub(self.config.policy.second_wait_ms_max));
        let mut statement =
            turn.tx.prepare_cached("SELECT task FROM seconds WHERE since < ?1 ORDER BY since LIMIT ?2")?;
        let tasks = statement
            .query_map(params![Sql(oldest), DUE_MAX], |row| row.get::<_, Sql<TaskId>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for task in tasks {
            let task = TaskRow::get(turn.tx, task.0)?;
            let fault = Fault::new(
                "no_second_worker",
                "no other machine of the same class came in time to check the result",
            );
            self.give_up(turn, &task, &fault)?;
        }
        Ok(())
    }

    /// Jobs that nobody has finished for too long.
    fn end_old_jobs(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let oldest = UnixMillis(turn.now.0.saturating_sub(self.config.policy.job_age_ms_max));
        let mut statement = turn.tx.prepare_cached(
            "SELECT id FROM jobs WHERE stage = 'running' AND created_at < ?1 ORDER BY created_at LIMIT ?2",
        )?;
        let jobs = statement
            .query_map(params![Sql(oldest), DUE_MAX], |row| row.get::<_, Sql<JobId>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for Sql(job) in jobs {
            let fault = Fault::new(
                "job_too_old",
                "no machine could finish this job in time, so it was ended; what was not done is not paid for",
            );
            self.close_job(turn, job, JobStage::Failed, Some(&fault))?;
        }
        Ok(())
    }

    fn release_holds(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let mut statement = turn.tx.prepare_cached(
            "SELECT worker, sum(amount), max(assignment) FROM holds WHERE release_at <= ?1
             GROUP BY worker ORDER BY worker",
        )?;
        let due = statement
            .query_map([Sql(turn.now)], |row| {
                Ok((
                    row.get::<_, Sql<WorkerId>>(0)?.0,
                    row.get::<_, Sql<BaseUnits>>(1)?.0,
                    row.get::<_, Sql<AssignmentId>>(2)?.0,
                ))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        if due.is_empty() {
            return Ok(());
        }
        turn.tx.prepare_cached("DELETE FROM holds WHERE release_at <= ?1")?.execute([Sql(turn.now)])?;
        for (worker, amount, last) in due {
            let transfer = Transfer {
                kind: TransferKind::Release,
                // Each assignment is held once, so the last of a release names that release alone.
                reference: last.as_bytes(),
                from: Account::Held(worker),
                to: Account::Payable(worker),
                amount,
            };
            ledger::book(turn.tx, turn.now, &transfer)?;
            self.tell_balance(turn, worker)?;
            self.tell_payouts(turn, worker)?;
        }
        Ok(())
    }

    /// Tasks whose back-off has ended since the last tick.
    fn call_for_ripe_tasks(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let mut statement = turn.tx.prepare_cached(
            "SELECT kind, count(*) FROM tasks WHERE state = 'waiting' AND not_before > 0 AND not_before > ?1
             AND not_before <= ?2 GROUP BY kind ORDER BY kind",
        )?;
        let ripe = statement
            .query_map(params![Sql(self.ticked), Sql(turn.now)], |row| {
                Ok(Fresh { kind: row.get(0)?, class: None, tasks: row.get::<_, Sql<BaseUnits>>(1)?.0.0 })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        turn.fresh.extend(ripe);
        Ok(())
    }
}
