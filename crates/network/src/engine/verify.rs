//! Which reports are checked, and asking for the checks. The rules and their probabilities are in
//! [`super::policy`].

use lull_types::{AssignmentId, Fault, UnixMillis};
use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::{AssignmentRow, TaskRow};
use super::settle::{Payer, Requeue};
use super::turn::{Fresh, Turn};
use super::{Against, CheckId, CheckOutcome, CheckRequest, Effect, Engine, EngineError};
use crate::store::{CheckState, Sql, TaskState};

/// A check as it is stored.
#[derive(Clone, Debug)]
pub(super) struct CheckRow {
    pub id: CheckId,
    pub task: lull_types::TaskId,
    pub assignment: AssignmentId,
    pub against: Option<AssignmentId>,
    pub state: CheckState,
    pub tries: u32,
    pub expected: Vec<lull_types::BlobHash>,
    pub difference: String,
}

macro_rules! check_columns {
    () => {
        "id, task, assignment, against, state, tries, coalesce(expected, x''), coalesce(difference, '')"
    };
}

impl CheckRow {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get::<_, Sql<_>>(0)?.0,
            task: row.get::<_, Sql<_>>(1)?.0,
            assignment: row.get::<_, Sql<_>>(2)?.0,
            against: row.get::<_, Option<Sql<_>>>(3)?.map(|sql| sql.0),
            state: row.get(4)?,
            tries: row.get(5)?,
            expected: row.get::<_, Sql<_>>(6)?.0,
            difference: row.get(7)?,
        })
    }

    /// The checks of a task that count, of all its rounds.
    pub fn of_task(tx: &Transaction<'_>, task: lull_types::TaskId) -> Result<Vec<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            check_columns!(),
            " FROM checks WHERE task = ?1 AND state <> 'void' ORDER BY id"
        );
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map([Sql(task)], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn pending(tx: &Transaction<'_>) -> Result<Vec<Self>, EngineError> {
        let sql = concat!("SELECT ", check_columns!(), " FROM checks WHERE state = 'pending' ORDER BY id");
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map([], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn set_state(&self, tx: &Transaction<'_>, state: CheckState) -> Result<(), EngineError> {
        tx.prepare_cached("UPDATE checks SET state = ?2 WHERE id = ?1")?
            .execute(params![Sql(self.id), state])?;
        Ok(())
    }
}

impl Engine {
    /// A first report has arrived: it is accepted, or checked.
    pub(super) fn verify(
        &mut self,
        turn: &mut Turn<'_>,
        task: TaskRow,
        row: AssignmentRow,
    ) -> Result<(), EngineError> {
        let (accepted, rejected) = turn
            .tx
            .prepare_cached("SELECT accepted, rejected FROM workers WHERE id = ?1")?
            .query_row([Sql(row.worker)], |r| {
                Ok((r.get::<_, Sql<UnixMillis>>(0)?.0.0, r.get::<_, Sql<UnixMillis>>(1)?.0.0))
            })?;
        let share = self.config.policy.check_share_ppm(accepted, rejected);
        if !self.draw(share) {
            self.accept(turn, &row, false, Payer::Job)?;
            return self.finish_task(turn, &task, &row);
        }
        task.set_state(turn.tx, TaskState::Checking)?;
        let task = TaskRow { state: TaskState::Checking, ..task };
        if self.trusts(&task.kind) {
            self.ask(turn, &task, &row, None)
        } else {
            self.want_second(turn, &task)
        }
    }

    pub(super) fn trusts(&self, kind: &str) -> bool {
        self.trusted.iter().any(|k| k == kind)
    }

    /// Asks for a new check of a report: against another report, or by the trusted runtime.
    pub(super) fn ask(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        row: &AssignmentRow,
        against: Option<&AssignmentRow>,
    ) -> Result<(), EngineError> {
        let check = self.new_check_id(turn.now);
        turn.tx
            .prepare_cached(
                "INSERT INTO checks (id, task, assignment, against, state) VALUES (?1, ?2, ?3, ?4, 'pending')",
            )?
            .execute(params![Sql(check), Sql(task.id), Sql(row.id), against.map(|a| Sql(a.id))])?;
        self.request(turn, task, row, against, check);
        Ok(())
    }

    fn request(
        &self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        row: &AssignmentRow,
        against: Option<&AssignmentRow>,
        check: CheckId,
    ) {
        turn.effects.push(Effect::Check(CheckRequest {
            check,
            task: task.id,
            kind: task.kind.clone(),
            payload: task.payload,
            inputs: task.inputs.clone(),
            reported: row.outputs.clone(),
            against: match against {
                Some(other) => Against::Outputs(other.outputs.clone()),
                None => Against::TrustedRuntime,
            },
        }));
    }

    /// Asks again for a check that was asked for before.
    fn ask_again(&self, turn: &mut Turn<'_>, check: &CheckRow) -> Result<(), EngineError> {
        let gone = || EngineError::Contradiction("a check without its assignment");
        let task = TaskRow::get(turn.tx, check.task)?;
        let row = AssignmentRow::find(turn.tx, check.assignment)?.ok_or_else(gone)?;
        let against = match check.against {
            Some(other) => Some(AssignmentRow::find(turn.tx, other)?.ok_or_else(gone)?),
            None => None,
        };
        self.request(turn, &task, &row, against.as_ref(), check.id);
        Ok(())
    }

    /// Puts a reported task up for another worker, unless one has it.
    pub(super) fn want_second(&mut self, turn: &mut Turn<'_>, task: &TaskRow) -> Result<(), EngineError> {
        let placed = turn
            .tx
            .prepare_cached("SELECT 1 FROM assignments WHERE task = ?1 AND state = 'open'")?
            .exists([Sql(task.id)])?;
        let reported: Option<(String, Sql<UnixMillis>)> = turn
            .tx
            .prepare_cached(
                "SELECT class, reported_at FROM assignments WHERE task = ?1 AND state = 'reported'
                 ORDER BY reported_at, id LIMIT 1",
            )?
            .query_row([Sql(task.id)], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((class, since)) = reported
            && !placed
        {
            turn.tx
                .prepare_cached(
                    "INSERT INTO seconds (task, class, kind, since) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT (task) DO NOTHING",
                )?
                .execute(params![Sql(task.id), class, task.kind, since])?;
            turn.fresh.push(Fresh { kind: task.kind.clone(), class: Some(class), tasks: 1 });
        }
        Ok(())
    }

    /// A second worker could not do the task and blames it. That counts against the task: a task that only one
    /// worker can do is not placed for ever.
    pub(super) fn second_failed(
        &mut self,
        turn: &mut Turn<'_>,
        task: TaskRow,
        fault: &Fault,
    ) -> Result<(), EngineError> {
        let attempts = task.attempts.saturating_add(1);
        if attempts >= self.config.policy.attempts_max {
            return self.give_up(turn, &task, fault);
        }
        turn.tx
            .prepare_cached("UPDATE tasks SET attempts = ?2 WHERE id = ?1")?
            .execute(params![Sql(task.id), attempts])?;
        self.decide(turn, &TaskRow { attempts, ..task })
    }

    /// Leaves every report of a task undecided and places it again.
    pub(super) fn give_up(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        fault: &Fault,
    ) -> Result<(), EngineError> {
        for row in AssignmentRow::reported_of(turn.tx, task.id)? {
            self.leave_undecided(turn, &row, &fault.sentence)?;
        }
        for check in CheckRow::of_task(turn.tx, task.id)? {
            if check.state == CheckState::Pending {
                check.set_state(turn.tx, CheckState::Void)?;
            }
        }
        self.requeue(turn, task, &Requeue::Attempt(fault))
    }

    /// The trusted runtime came, went, or learned something: checks move between it and second workers.
    pub(super) fn trusted_runtime(
        &mut self,
        turn: &mut Turn<'_>,
        kinds: Vec<String>,
    ) -> Result<(), EngineError> {
        self.trusted = kinds;
        for check in CheckRow::pending(turn.tx)? {
            let task = TaskRow::get(turn.tx, check.task)?;
            if check.against.is_some() || self.trusts(&task.kind) {
                self.ask_again(turn, &check)?;
            } else {
                check.set_state(turn.tx, CheckState::Void)?;
                self.decide(turn, &task)?;
            }
        }
        let mut statement = turn.tx.prepare_cached("SELECT task FROM seconds ORDER BY task")?;
        let waiting = statement.query_map([], |row| row.get::<_, Sql<_>>(0))?;
        for task in waiting.collect::<Result<Vec<_>, _>>()? {
            let task = TaskRow::get(turn.tx, task.0)?;
            if self.trusts(&task.kind) {
                self.drop_second(turn, &task)?;
                self.decide(turn, &task)?;
            }
        }
        Ok(())
    }

    pub(super) fn check_ended(
        &mut self,
        turn: &mut Turn<'_>,
        id: CheckId,
        outcome: CheckOutcome,
    ) -> Result<(), EngineError> {
        let sql = concat!("SELECT ", check_columns!(), " FROM checks WHERE id = ?1 AND state = 'pending'");
        let found = turn.tx.prepare_cached(sql)?.query_row([Sql(id)], CheckRow::read).optional()?;
        // Ended twice, or no longer needed.
        let Some(check) = found else { return Ok(()) };
        let task = TaskRow::get(turn.tx, check.task)?;
        match outcome {
            CheckOutcome::Match => check.set_state(turn.tx, CheckState::Match)?,
            CheckOutcome::Mismatch { expected, difference } => {
                turn.tx
                    .prepare_cached(
                        "UPDATE checks SET state = 'mismatch', expected = ?2, difference = ?3 WHERE id = ?1",
                    )?
                    .execute(params![Sql(id), Sql(&expected[..]), difference])?;
            }
            CheckOutcome::Failed { fault, task_at_fault } => {
                if task_at_fault || check.tries >= self.config.policy.check_tries_max {
                    let sentence = format!("the result could not be checked: {}", fault.sentence);
                    return self.give_up(turn, &task, &Fault::new(fault.code, sentence));
                }
                turn.tx
                    .prepare_cached("UPDATE checks SET tries = tries + 1 WHERE id = ?1")?
                    .execute([Sql(id)])?;
                return self.ask_again(turn, &check);
            }
        }
        self.decide(turn, &task)
    }
}
