//! The verdict on a task, from its reports and the checks that have ended.
//!
//! | reports | checks | then |
//! |---|---|---|
//! | any | by the trusted runtime | each on its own: match → accepted, mismatch → rejected |
//! | 1 | none | a second worker is wanted |
//! | 2 | agree | both accepted |
//! | 2 | differ | a third worker is wanted |
//! | 3 | the third agrees with one or both | those are accepted, the other is rejected |
//! | 3 | all differ | all inconclusive, placed again |
//!
//! Reports whose hashes are equal agree without being compared.

use lull_types::Fault;

use super::rows::{AssignmentRow, TaskRow};
use super::settle::{Payer, Requeue};
use super::turn::Turn;
use super::verify::CheckRow;
use super::{Engine, EngineError};
use crate::store::{CheckState, TaskState};

/// What is known of two reports.
enum Comparison {
    Agree,
    Differ(String),
    Open,
}

/// A report that was found wrong.
struct Wrong<'a> {
    row: &'a AssignmentRow,
    expected: Vec<lull_types::BlobHash>,
    difference: String,
}

impl Engine {
    /// Decides a task that is being checked as far as it can be, and asks for what is missing.
    pub(super) fn decide(&mut self, turn: &mut Turn<'_>, task: &TaskRow) -> Result<(), EngineError> {
        let reports = AssignmentRow::reported_of(turn.tx, task.id)?;
        if task.state != TaskState::Checking {
            for row in &reports {
                self.leave_undecided(turn, row, "the task was decided before this result came")?;
            }
            return Ok(());
        }
        let mut checks = CheckRow::of_task(turn.tx, task.id)?;
        // Checks of earlier rounds are about reports that are decided.
        checks.retain(|check| reports.iter().any(|row| row.id == check.assignment));
        let by_runtime: Vec<&CheckRow> = checks.iter().filter(|check| check.against.is_none()).collect();
        if !by_runtime.is_empty() || (self.trusts(&task.kind) && !is_placed(turn, task)?) {
            return self.decide_by_runtime(turn, task, &reports, &by_runtime);
        }
        match &reports[..] {
            [] => Ok(()),
            [_] => self.want_second(turn, task),
            [first, second] => match self.compare(turn, task, &checks, second, first)? {
                Comparison::Agree => self.settle(turn, task, &[first, second], &[]),
                Comparison::Differ(_) => self.want_second(turn, task),
                Comparison::Open => Ok(()),
            },
            [first, second, third, ..] => {
                let with_first = self.compare(turn, task, &checks, third, first)?;
                let with_second = self.compare(turn, task, &checks, third, second)?;
                let wrong =
                    |row, difference: String| Wrong { row, expected: third.outputs.clone(), difference };
                match (with_first, with_second) {
                    (Comparison::Open, _) | (_, Comparison::Open) => Ok(()),
                    (Comparison::Agree, Comparison::Agree) => {
                        self.settle(turn, task, &[first, second, third], &[])
                    }
                    (Comparison::Agree, Comparison::Differ(why)) => {
                        self.settle(turn, task, &[first, third], &[wrong(second, why)])
                    }
                    (Comparison::Differ(why), Comparison::Agree) => {
                        self.settle(turn, task, &[second, third], &[wrong(first, why)])
                    }
                    (Comparison::Differ(_), Comparison::Differ(_)) => {
                        let fault = Fault::new(
                            "results_all_differ",
                            "three workers reported three different results, so none could be taken for the right one",
                        );
                        self.give_up(turn, task, &fault)
                    }
                }
            }
        }
    }

    fn decide_by_runtime(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        reports: &[AssignmentRow],
        checks: &[&CheckRow],
    ) -> Result<(), EngineError> {
        let mut right = Vec::new();
        let mut wrong = Vec::new();
        let mut open = false;
        for row in reports {
            match checks.iter().find(|check| check.assignment == row.id) {
                None if self.trusts(&task.kind) => {
                    open = true;
                    self.ask(turn, task, row, None)?;
                }
                // The runtime went away between two reports: those that it has judged are settled, and this
                // one is decided beside them by its equals, later.
                None => {}
                Some(check) => match check.state {
                    CheckState::Pending => open = true,
                    CheckState::Match => right.push(row),
                    CheckState::Mismatch => wrong.push(Wrong {
                        row,
                        expected: check.expected.clone(),
                        difference: check.difference.clone(),
                    }),
                    CheckState::Void => {}
                },
            }
        }
        if open || reports.is_empty() {
            return Ok(());
        }
        let undecided = reports.len() - right.len() - wrong.len();
        if !right.is_empty() || undecided == 0 {
            return self.settle(turn, task, &right, &wrong);
        }
        for wrong in &wrong {
            self.reject(turn, wrong.row, &wrong.expected, &wrong.difference)?;
        }
        self.want_second(turn, task)
    }

    /// Pays for what is right, rejects what is wrong, and ends the task or places it again. Reports of which
    /// nothing is known are left undecided: the task has its result without them.
    fn settle(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        right: &[&AssignmentRow],
        wrong: &[Wrong<'_>],
    ) -> Result<(), EngineError> {
        for wrong in wrong {
            self.reject(turn, wrong.row, &wrong.expected, &wrong.difference)?;
        }
        let Some(paid) = right.first() else {
            return self.requeue(turn, task, &Requeue::Clean);
        };
        for row in right {
            let payer = if row.id == paid.id { Payer::Job } else { Payer::Treasury };
            self.accept(turn, row, true, payer)?;
        }
        for row in AssignmentRow::reported_of(turn.tx, task.id)? {
            self.leave_undecided(turn, &row, "the task was decided by other workers' results")?;
        }
        self.finish_task(turn, task, paid)
    }

    fn compare(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        checks: &[CheckRow],
        row: &AssignmentRow,
        other: &AssignmentRow,
    ) -> Result<Comparison, EngineError> {
        if row.outputs == other.outputs {
            return Ok(Comparison::Agree);
        }
        let known = checks.iter().find(|c| c.assignment == row.id && c.against == Some(other.id));
        Ok(match known.map(|check| (check.state, &check.difference)) {
            Some((CheckState::Match, _)) => Comparison::Agree,
            Some((CheckState::Mismatch, difference)) => Comparison::Differ(difference.clone()),
            Some((CheckState::Pending | CheckState::Void, _)) => Comparison::Open,
            None => {
                self.ask(turn, task, row, Some(other))?;
                Comparison::Open
            }
        })
    }
}

/// Whether a second worker has the task now.
fn is_placed(turn: &Turn<'_>, task: &TaskRow) -> Result<bool, EngineError> {
    Ok(turn
        .tx
        .prepare_cached("SELECT 1 FROM assignments WHERE task = ?1 AND state = 'open'")?
        .exists([crate::store::Sql(task.id)])?)
}
