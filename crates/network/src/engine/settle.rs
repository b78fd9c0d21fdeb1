//! What a verdict does: to the worker's money and name, and to the task and its job.

use std::time::Duration;

use lull_network_api::NetworkMessage;
use lull_types::{BaseUnits, BlobHash, Fault, JobId};
use rusqlite::params;

use super::rows::{AssignmentRow, JobRow, TaskRow};
use super::turn::{Fresh, Turn};
use super::{Engine, EngineError};
use crate::ledger::{self, Account, LedgerError, Transfer, TransferKind};
use crate::store::{AssignmentState, JobStage, Sql, TaskState};

/// Who pays for an accepted report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payer {
    /// The customer, from what is reserved for the job.
    Job,
    /// The network, for a second opinion.
    Treasury,
}

/// How a placed or checked task comes back.
#[derive(Debug)]
pub(super) enum Requeue<'a> {
    /// Nothing is wrong with the task.
    Clean,
    /// It counts against the task, for this reason.
    Attempt(&'a Fault),
}

impl Engine {
    /// Accepts a report: money, receipt, verdict, in one transaction.
    pub(super) fn accept(
        &mut self,
        turn: &mut Turn<'_>,
        row: &AssignmentRow,
        checked: bool,
        payer: Payer,
    ) -> Result<(), EngineError> {
        let from = match payer {
            Payer::Job => Account::Reserved(row.job),
            Payer::Treasury => Account::Treasury,
        };
        let transfer = Transfer {
            kind: TransferKind::Accept,
            reference: row.id.as_bytes(),
            from,
            to: Account::Held(row.worker),
            amount: row.price,
        };
        if !ledger::book(turn.tx, turn.now, &transfer)? {
            return Err(EngineError::Contradiction("an assignment was paid before it was accepted"));
        }
        let release_at = turn.now.after(Duration::from_millis(self.config.policy.audit_window_ms));
        turn.tx
            .prepare_cached(
                "INSERT INTO holds (assignment, worker, amount, release_at) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![Sql(row.id), Sql(row.worker), Sql(row.price), Sql(release_at)])?;
        turn.tx
            .prepare_cached(
                "UPDATE assignments SET state = 'accepted', decided_at = ?2, checked = ?3 WHERE id = ?1",
            )?
            .execute(params![Sql(row.id), Sql(turn.now), checked])?;
        turn.tx
            .prepare_cached("UPDATE workers SET accepted = accepted + 1 WHERE id = ?1")?
            .execute([Sql(row.worker)])?;
        let signed = self.issue_receipt(turn, row)?;
        let decided = AssignmentRow { state: AssignmentState::Accepted, checked, ..row.clone() };
        self.tell_verdict(turn, &decided);
        // While older receipts are still being sent again, this one follows them in its turn: the worker
        // takes them in order alone.
        if !self.sessions.resend.contains_key(&row.worker) {
            self.send(turn, row.worker, NetworkMessage::Receipt(Box::new(signed)));
        }
        self.tell_balance(turn, row.worker)
    }

    /// Rejects a report. All the later work of its worker is checked.
    pub(super) fn reject(
        &mut self,
        turn: &mut Turn<'_>,
        row: &AssignmentRow,
        expected: &[BlobHash],
        difference: &str,
    ) -> Result<(), EngineError> {
        turn.tx
            .prepare_cached(
                "UPDATE assignments SET state = 'rejected', decided_at = ?2, checked = 1, expected = ?3,
                     reason = ?4 WHERE id = ?1",
            )?
            .execute(params![Sql(row.id), Sql(turn.now), Sql(expected), difference])?;
        turn.tx
            .prepare_cached("UPDATE workers SET rejected = rejected + 1 WHERE id = ?1")?
            .execute([Sql(row.worker)])?;
        let decided = AssignmentRow {
            state: AssignmentState::Rejected,
            expected: expected.to_vec(),
            reason: Some(difference.to_owned()),
            ..row.clone()
        };
        self.tell_verdict(turn, &decided);
        Ok(())
    }

    /// Leaves a report undecided; nothing is held against its worker.
    pub(super) fn leave_undecided(
        &mut self,
        turn: &mut Turn<'_>,
        row: &AssignmentRow,
        reason: &str,
    ) -> Result<(), EngineError> {
        row.close(turn.tx, AssignmentState::Inconclusive, turn.now, reason)?;
        let decided = AssignmentRow {
            state: AssignmentState::Inconclusive,
            reason: Some(reason.to_owned()),
            ..row.clone()
        };
        self.tell_verdict(turn, &decided);
        Ok(())
    }

    /// A task is done; `accepted` is what the customer paid for.
    pub(super) fn finish_task(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        accepted: &AssignmentRow,
    ) -> Result<(), EngineError> {
        turn.tx
            .prepare_cached("UPDATE tasks SET state = 'done', accepted = ?2 WHERE id = ?1")?
            .execute(params![Sql(task.id), Sql(accepted.id)])?;
        // The customer knows these bytes from now on, as if it had put them itself.
        for output in &accepted.outputs {
            turn.tx
                .prepare_cached("INSERT INTO blob_puts (hash, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
                .execute(params![Sql(*output), Sql(task.customer)])?;
        }
        self.drop_second(turn, task)?;
        turn.tx
            .prepare_cached(
                "UPDATE jobs SET tasks_done = tasks_done + 1, tasks_live = tasks_live - 1,
                     stage = CASE WHEN stage = 'running' AND tasks_live = 1 THEN 'done' ELSE stage END,
                     ended_at = CASE WHEN stage = 'running' AND tasks_live = 1 THEN ?2 ELSE ended_at END
                 WHERE id = ?1",
            )?
            .execute(params![Sql(task.job), Sql(turn.now)])?;
        turn.job_changed(task.job);
        Ok(())
    }

    /// A task that was placed or checked has no result: it is placed again, or it ends with its job.
    pub(super) fn requeue(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        how: &Requeue<'_>,
    ) -> Result<(), EngineError> {
        self.drop_second(turn, task)?;
        let job = JobRow::get(turn.tx, task.job)?;
        if job.stage != JobStage::Running {
            return self.end_task_undone(turn, task, &job, TaskState::Withdrawn);
        }
        let (attempts, not_before) = match how {
            Requeue::Clean => (task.attempts, lull_types::UnixMillis(0)),
            Requeue::Attempt(_) => {
                let attempts = task.attempts.saturating_add(1);
                (attempts, self.config.policy.backoff(attempts, turn.now))
            }
        };
        turn.tx
            .prepare_cached(
                "UPDATE tasks SET attempts = ?2, not_before = ?3, state = 'waiting' WHERE id = ?1",
            )?
            .execute(params![Sql(task.id), attempts, Sql(not_before)])?;
        if let Requeue::Attempt(fault) = how
            && attempts >= self.config.policy.attempts_max
        {
            self.end_task_undone(turn, task, &job, TaskState::Failed)?;
            let fault = Fault::new(
                "task_failed",
                format!(
                    "task {} was tried {attempts} times without a result, so the job was ended and what was not done is not paid for; the last reason: {}",
                    task.position, fault.sentence
                ),
            );
            return self.close_job(turn, task.job, JobStage::Failed, Some(&fault)).map(|_| ());
        }
        put_in_line(turn, task.customer, 1)?;
        turn.job_changed(task.job);
        if not_before.0 == 0 {
            turn.fresh.push(Fresh { kind: task.kind.clone(), class: None, tasks: 1 });
        }
        Ok(())
    }

    /// One task ends without a result, and its money returns.
    pub(super) fn end_task_undone(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        job: &JobRow,
        state: TaskState,
    ) -> Result<(), EngineError> {
        task.set_state(turn.tx, state)?;
        turn.tx
            .prepare_cached("UPDATE jobs SET tasks_live = tasks_live - 1 WHERE id = ?1")?
            .execute([Sql(job.id)])?;
        let transfer = Transfer {
            kind: TransferKind::ReturnTask,
            reference: task.id.as_bytes(),
            from: Account::Reserved(job.id),
            to: Account::Customer(job.customer),
            amount: job.price,
        };
        ledger::book(turn.tx, turn.now, &transfer)?;
        turn.job_changed(job.id);
        Ok(())
    }

    /// Ends a job before all its tasks are done. Tasks that wait or are being worked on end at once; reported
    /// ones are decided first, and paid if they are right: their money stays reserved until then. Returns what
    /// went back to the customer.
    pub(super) fn close_job(
        &mut self,
        turn: &mut Turn<'_>,
        job: JobId,
        stage: JobStage,
        fault: Option<&Fault>,
    ) -> Result<BaseUnits, EngineError> {
        let row = JobRow::get(turn.tx, job)?;
        if row.stage != JobStage::Running {
            return Ok(BaseUnits::ZERO);
        }
        let void = Fault::new(
            "job_ended",
            "the customer's job has ended, so this task is no longer needed; the worker looks for another",
        );
        for open in AssignmentRow::open_firsts_of_job(turn.tx, job)? {
            open.close(turn.tx, AssignmentState::Withdrawn, turn.now, &void.sentence)?;
            let message = NetworkMessage::Withdrawn { assignment: open.id, reason: void.clone() };
            self.send(turn, open.worker, message);
        }
        let mut ended = 0u64;
        for state in [TaskState::Waiting, TaskState::Placed] {
            let count = turn
                .tx
                .prepare_cached("UPDATE tasks SET state = 'withdrawn' WHERE job = ?1 AND state = ?2")?
                .execute(params![Sql(job), state])?;
            if state == TaskState::Waiting {
                put_in_line(turn, row.customer, -i64::try_from(count).unwrap_or(i64::MAX))?;
            }
            ended += count as u64;
        }
        turn.tx
            .prepare_cached(
                "UPDATE jobs SET stage = ?2, tasks_live = tasks_live - ?3, ended_at = ?4, fault_code = ?5,
                     fault_sentence = ?6 WHERE id = ?1",
            )?
            .execute(params![
                Sql(job),
                stage,
                Sql(BaseUnits(ended)),
                Sql(turn.now),
                fault.map(|f| &f.code),
                fault.map(|f| &f.sentence)
            ])?;
        let returned = row.price.times(ended).map_err(|_| LedgerError::OutOfRange)?;
        if returned != BaseUnits::ZERO {
            let transfer = Transfer {
                kind: TransferKind::ReturnJob,
                reference: job.as_bytes(),
                from: Account::Reserved(job),
                to: Account::Customer(row.customer),
                amount: returned,
            };
            ledger::book(turn.tx, turn.now, &transfer)?;
        }
        turn.job_changed(job);
        Ok(returned)
    }

    /// A task no longer looks for a second worker.
    pub(super) fn drop_second(&mut self, turn: &mut Turn<'_>, task: &TaskRow) -> Result<(), EngineError> {
        turn.tx.prepare_cached("DELETE FROM seconds WHERE task = ?1")?.execute([Sql(task.id)])?;
        Ok(())
    }
}

/// Adds to a customer's count of waiting tasks. Whoever comes back in line starts level with the others: time
/// without work earns no claim on later time.
pub(super) fn put_in_line(
    turn: &mut Turn<'_>,
    customer: lull_types::CustomerId,
    tasks: i64,
) -> Result<(), EngineError> {
    turn.tx
        .prepare_cached(
            "UPDATE customers SET
                 pass = CASE WHEN waiting = 0 AND ?2 > 0
                     THEN max(pass, coalesce((SELECT min(pass) FROM customers WHERE waiting > 0),
                         (SELECT max(pass) FROM customers)))
                     ELSE pass END,
                 waiting = waiting + ?2
             WHERE id = ?1",
        )?
        .execute(params![Sql(customer), tasks])?;
    Ok(())
}
