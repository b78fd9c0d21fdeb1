//! The verdict on a task, from its reports and the checks that have ended.
//!
//! | reports | checks | then |
//! |---|---|---|
//! | any | by the trusted runtime | each on its own: match → accepted, mismatch → rejected |
//! | 1 | none | the trusted runtime is asked, or a second worker wanted |
//! | 2 | agree | both accepted |
//! | 2 | differ | the trusted runtime is asked, or a third worker wanted |
//! | 3 | two or three agree | those are accepted, the other is rejected |
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
        if checks.iter().any(|check| check.against.is_none()) {
            return self.decide_by_runtime(turn, task, &reports, &checks);
        }
        match &reports[..] {
            [] => Ok(()),
            [_] => self.ask_someone(turn, task, &reports, &checks),
            [first, second] => match self.compare(turn, task, &checks, first, second)? {
                Comparison::Agree => self.settle(turn, task, &[first, second], &[]),
                Comparison::Differ(_) => self.ask_someone(turn, task, &reports, &checks),
                Comparison::Open => Ok(()),
            },
            [first, second, third, ..] => self.decide_among(turn, task, &checks, [first, second, third]),
        }
    }

    /// The majority of three, whatever the order in which they came.
    fn decide_among(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        checks: &[CheckRow],
        reports: [&AssignmentRow; 3],
    ) -> Result<(), EngineError> {
        let mut agreed = [false; 3];
        let mut differences = [const { None }; 3];
        let mut open = false;
        for (one, other) in [(0, 1), (0, 2), (1, 2)] {
            match self.compare(turn, task, checks, reports[one], reports[other])? {
                Comparison::Agree => (agreed[one], agreed[other]) = (true, true),
                Comparison::Differ(difference) => {
                    differences[one] = Some(difference.clone());
                    differences[other] = Some(difference);
                }
                Comparison::Open => open = true,
            }
        }
        if open {
            return Ok(());
        }
        let right: Vec<&AssignmentRow> = (0..3).filter(|n| agreed[*n]).map(|n| reports[n]).collect();
        let Some(expected) = right.first().map(|row| row.outputs.clone()) else {
            let fault = Fault::new(
                "results_all_differ",
                "three workers reported three different results, so none could be taken for the right one",
            );
            return self.give_up(turn, task, &fault);
        };
        let wrong: Vec<Wrong<'_>> = (0..3)
            .filter(|n| !agreed[*n])
            .map(|n| Wrong {
                row: reports[n],
                expected: expected.clone(),
                difference: differences[n].take().unwrap_or_default(),
            })
            .collect();
        self.settle(turn, task, &right, &wrong)
    }

    /// Asks for one more opinion: the trusted runtime's, or another worker's.
    fn ask_someone(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        reports: &[AssignmentRow],
        checks: &[CheckRow],
    ) -> Result<(), EngineError> {
        if self.trusts(&task.kind) && !is_placed(turn, task)? {
            self.decide_by_runtime(turn, task, reports, checks)
        } else {
            self.want_second(turn, task)
        }
    }

    fn decide_by_runtime(
        &mut self,
        turn: &mut Turn<'_>,
        task: &TaskRow,
        reports: &[AssignmentRow],
        checks: &[CheckRow],
    ) -> Result<(), EngineError> {
        let mut right = Vec::new();
        let mut wrong = Vec::new();
        let mut open = false;
        for row in reports {
            match checks.iter().find(|check| check.assignment == row.id && check.against.is_none()) {
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
        let between = |check: &&CheckRow| {
            (check.assignment, check.against) == (row.id, Some(other.id))
                || (check.assignment, check.against) == (other.id, Some(row.id))
        };
        let known = checks.iter().find(between);
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
