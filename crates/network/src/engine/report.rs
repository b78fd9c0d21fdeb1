//! What a worker says of its assignments.

use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, BlobHash, Fault, JOB_KIND_INFER, UnixMillis, WorkerId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::{AssignmentRow, TaskRow};
use super::settle::Requeue;
use super::turn::Turn;
use super::{Effect, Engine, EngineError};
use crate::store::{AssignmentState, Purpose, Sql};

/// The code of a hand-back that blames the task.
const TASK_FAULT: &str = "task_fault";
/// A reason is kept for the customer; a worker does not fill the store with it.
const REASON_CHARS_MAX: usize = 400;

/// Code and sentence of a refusal.
type Refusal = (&'static str, &'static str);

const UNKNOWN: Refusal =
    ("assignment_unknown", "the network knows no such assignment; the worker drops it and asks for another");
const NOT_YOURS: Refusal = (
    "assignment_not_yours",
    "this assignment belongs to another worker; only the one that it was given to may report it",
);
const EXPIRED: Refusal = (
    "assignment_expired",
    "this assignment's deadline has passed and its task was given to another worker, so the result counts for nothing",
);
const WITHDRAWN: Refusal = (
    "assignment_withdrawn",
    "the customer's job has ended, so the result of this assignment is no longer needed",
);
const HANDED_BACK: Refusal =
    ("assignment_handed_back", "this worker has given this assignment back, so it can no longer be reported");
const REPORTED: Refusal =
    ("assignment_reported", "this assignment was already reported, so it can no longer be given back");
const DIFFERS: Refusal =
    ("report_differs", "this assignment was already reported with other outputs; the first report stands");
const COUNT_WRONG: Refusal =
    ("outputs_count_wrong", "the report names more or fewer outputs than the task has");
const MISSING: Refusal = (
    "output_missing",
    "an output in the report was not uploaded by this worker; it must be uploaded before it is reported",
);

impl Engine {
    pub(super) fn report(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        id: AssignmentId,
        outputs: &[BlobHash],
        ran_ms: u64,
    ) -> Result<(), EngineError> {
        use AssignmentState as State;
        let row = match own(turn.tx, worker, id)? {
            Ok(row) => row,
            Err(refusal) => return self.refuse_one(turn, worker, id, refusal),
        };
        match row.state {
            State::Open if row.deadline < turn.now => self.refuse_one(turn, worker, id, EXPIRED),
            State::Open => self.take_report(turn, row, outputs, ran_ms),
            State::Reported | State::Accepted | State::Rejected | State::Inconclusive => {
                if row.outputs != outputs {
                    return self.refuse_one(turn, worker, id, DIFFERS);
                }
                self.send(turn, worker, NetworkMessage::ReportReceived { assignment: id });
                self.tell_verdict(turn, &row);
                Ok(())
            }
            State::Expired => self.refuse_one(turn, worker, id, EXPIRED),
            State::Withdrawn => self.refuse_one(turn, worker, id, WITHDRAWN),
            State::HandedBack | State::Blamed => self.refuse_one(turn, worker, id, HANDED_BACK),
        }
    }

    fn take_report(
        &mut self,
        turn: &mut Turn<'_>,
        row: AssignmentRow,
        outputs: &[BlobHash],
        ran_ms: u64,
    ) -> Result<(), EngineError> {
        let task = TaskRow::get(turn.tx, row.task)?;
        if outputs.len() != task.outputs as usize {
            return self.refuse_one(turn, row.worker, row.id, COUNT_WRONG);
        }
        if task.kind == JOB_KIND_INFER {
            self.send(turn, row.worker, NetworkMessage::ReportReceived { assignment: row.id });
            return self.end_shift(turn, &row, AssignmentState::Reported, "");
        }
        // The worker must have shown the bytes itself: a hash alone could be copied from another worker.
        for output in outputs {
            let shown = turn
                .tx
                .prepare_cached("SELECT 1 FROM blob_puts WHERE hash = ?1 AND owner = ?2")?
                .exists(params![Sql(*output), Sql(row.worker)])?;
            if !shown {
                return self.refuse_one(turn, row.worker, row.id, MISSING);
            }
        }
        turn.tx
            .prepare_cached(
                "UPDATE assignments SET state = 'reported', outputs = ?2, ran_ms = ?3, reported_at = ?4
                 WHERE id = ?1",
            )?
            .execute(params![Sql(row.id), Sql(outputs), Sql(UnixMillis(ran_ms)), Sql(turn.now)])?;
        self.send(turn, row.worker, NetworkMessage::ReportReceived { assignment: row.id });
        let row = AssignmentRow { state: AssignmentState::Reported, outputs: outputs.to_vec(), ..row };
        match row.purpose {
            Purpose::First => self.verify(turn, task, row),
            Purpose::Second => self.decide(turn, &task),
        }
    }

    pub(super) fn hand_back(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        id: AssignmentId,
        reason: &Fault,
    ) -> Result<(), EngineError> {
        use AssignmentState as State;
        let row = match own(turn.tx, worker, id)? {
            Ok(row) => row,
            Err(refusal) => return self.refuse_one(turn, worker, id, refusal),
        };
        match row.state {
            State::Open => {}
            // It is off the worker's hands already.
            State::HandedBack | State::Blamed | State::Expired | State::Withdrawn => {
                self.send(turn, worker, NetworkMessage::HandBackReceived { assignment: id });
                return Ok(());
            }
            State::Reported | State::Accepted | State::Rejected | State::Inconclusive => {
                return self.refuse_one(turn, worker, id, REPORTED);
            }
        }
        let blamed = reason.code == TASK_FAULT;
        let sentence: String = reason.sentence.chars().take(REASON_CHARS_MAX).collect();
        let state = if blamed { State::Blamed } else { State::HandedBack };
        let task = TaskRow::get(turn.tx, row.task)?;
        if task.kind == JOB_KIND_INFER {
            self.send(turn, worker, NetworkMessage::HandBackReceived { assignment: id });
            return self.end_shift(turn, &row, state, &sentence);
        }
        row.close(turn.tx, state, turn.now, &sentence)?;
        self.send(turn, worker, NetworkMessage::HandBackReceived { assignment: id });
        let fault = Fault::new(TASK_FAULT, sentence);
        match (row.purpose, blamed) {
            (Purpose::First, true) => self.requeue(turn, &task, &Requeue::Attempt(&fault)),
            (Purpose::First, false) => self.requeue(turn, &task, &Requeue::Clean),
            (Purpose::Second, true) => self.second_failed(turn, task, &fault),
            (Purpose::Second, false) => self.decide(turn, &task),
        }
    }

    fn refuse_one(
        &self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        id: AssignmentId,
        (code, sentence): Refusal,
    ) -> Result<(), EngineError> {
        self.refuse(turn, worker, Some(id), code, sentence);
        Ok(())
    }
}

/// Passes on how far a worker is, if the assignment is its own and open.
pub(super) fn progress(
    turn: &mut Turn<'_>,
    worker: WorkerId,
    id: AssignmentId,
    fraction: f32,
) -> Result<(), EngineError> {
    let found: Option<(Sql<lull_types::JobId>, Sql<lull_types::TaskId>)> = turn
        .tx
        .prepare_cached("SELECT job, task FROM assignments WHERE id = ?1 AND worker = ?2 AND state = 'open'")?
        .query_row(params![Sql(id), Sql(worker)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((Sql(job), Sql(task))) = found
        && fraction.is_finite()
    {
        let fraction = fraction.clamp(0.0, 1.0);
        turn.effects.push(Effect::Progress { job, task, assignment: id, fraction });
    }
    Ok(())
}

/// An assignment, if it is this worker's.
fn own(
    tx: &Transaction<'_>,
    worker: WorkerId,
    id: AssignmentId,
) -> Result<Result<AssignmentRow, Refusal>, EngineError> {
    Ok(match AssignmentRow::find(tx, id)? {
        None => Err(UNKNOWN),
        Some(row) if row.worker != worker => Err(NOT_YOURS),
        Some(row) => Ok(row),
    })
}
