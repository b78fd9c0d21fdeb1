//! Inference: models, what is asked of them, and the shifts in which workers serve.
//!
//! A *shift* is a task of the kind `infer/1`, of a job that the network submits itself. Its price is one base unit, which
//! the network pays for coming; what is served in it is added, from those who asked. What a customer asks is reserved
//! first, at the most that it can cost. Each *serving*, what one worker did for one ask, moves its price from the ask to the
//! shift, and the end of the ask gives back what is left. A shift is decided when it is over and all of its checks are:
//! paid whole, or, when anything in it was made up, not at all; then those who asked get their money back.
//!
//! The network sees every token itself, so that nothing hangs on what the worker reports, and a worker that vanishes is
//! paid for what it had told.

use std::time::Duration;

use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, BaseUnits, BlobHash, CustomerId, Fault, JOB_KIND_INFER, JobId, UnixMillis};
use rusqlite::{OptionalExtension, params};

use super::customers::{AMOUNT_MAX, funds, require_customer};
use super::input::{Model, Served};
use super::rows::{AssignmentRow, JobRow, TaskRow};
use super::settle::Payer;
use super::turn::Turn;
use super::{Answer, Engine, EngineError};
use crate::ledger::{self, Account, Transfer, TransferKind};
use crate::store::{AssignmentState, CheckState, JobStage, Sql, TaskState};

/// What the network pays for coming: the least that a task can cost.
pub const COMING: BaseUnits = BaseUnits(1);
/// For how long a worker that gave a shift back without having served gets no other: it may not have the memory, or its
/// contributor may not want to.
const GIVEN_BACK_PAUSE: Duration = Duration::from_secs(600);

/// What was served in a shift.
struct Serving {
    id: i64,
    customer: CustomerId,
    amount: BaseUnits,
    checked: Option<CheckState>,
}

impl Engine {
    pub(super) fn add_model(&mut self, turn: &mut Turn<'_>, model: &Model) -> Result<(), EngineError> {
        let taken: bool = turn
            .tx
            .prepare_cached("SELECT 1 FROM models WHERE name = ?1 AND hash <> ?2")?
            .exists(params![model.name, Sql(model.hash)])?;
        if taken {
            let sentence =
                format!("another model is named {}; choose another name, or remove that one", model.name);
            return Err(EngineError::refused("model_name_taken", sentence));
        }
        turn.tx
            .prepare_cached(
                "INSERT INTO models (hash, name, licence, bytes, context_tokens, sequences, prompt_price,
                     generated_price, chat_template, added_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (hash) DO UPDATE SET name = ?2, licence = ?3, context_tokens = ?5, sequences = ?6,
                     prompt_price = ?7, generated_price = ?8, chat_template = ?9",
            )?
            .execute(params![
                Sql(model.hash),
                model.name,
                model.licence,
                Sql(BaseUnits(model.bytes)),
                model.context_tokens,
                model.sequences,
                Sql(model.price_per_1000_prompt_tokens),
                Sql(model.price_per_1000_generated_tokens),
                model.chat_template,
                Sql(turn.now),
            ])?;
        turn.answer(Answer::Done);
        Ok(())
    }

    pub(super) fn remove_model(&mut self, turn: &mut Turn<'_>, hash: BlobHash) -> Result<(), EngineError> {
        turn.tx.prepare_cached("DELETE FROM models WHERE hash = ?1")?.execute([Sql(hash)])?;
        turn.answer(Answer::Done);
        Ok(())
    }

    /// Reserves the most that an ask can cost.
    pub(super) fn begin_ask(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        price_max: BaseUnits,
    ) -> Result<(), EngineError> {
        require_customer(turn.tx, customer)?;
        if price_max > AMOUNT_MAX {
            return Err(EngineError::refused("amount_unusable", "this costs more than can be written down"));
        }
        let available = funds(turn.tx, customer)?;
        if available < price_max {
            let sentence = format!(
                "this may cost {price_max}, but only {available} is free to spend; pay in, or ask for fewer tokens"
            );
            return Err(EngineError::refused("deposit_too_small", sentence));
        }
        let ask = self.new_job_id(turn.now);
        turn.tx
            .prepare_cached("INSERT INTO asks (id, customer, begun_at) VALUES (?1, ?2, ?3)")?
            .execute(params![Sql(ask), Sql(customer), Sql(turn.now)])?;
        self.move_money(
            turn,
            TransferKind::Reserve,
            ask.as_bytes(),
            Account::Customer(customer),
            Account::Reserved(ask),
            price_max,
        )?;
        turn.answer(Answer::AskBegun(ask));
        Ok(())
    }

    /// Books what a worker did for an ask, and says whether it is to be checked.
    pub(super) fn served(&mut self, turn: &mut Turn<'_>, served: &Served) -> Result<(), EngineError> {
        let customer = ask_customer(turn, served.ask)?;
        let row = AssignmentRow::find(turn.tx, served.assignment)?;
        let row = row.filter(|row| row.state == AssignmentState::Open);
        let (Some(customer), Some(row)) = (customer, row) else {
            // The ask is over, or the shift was decided meanwhile: the money stays with whoever asked.
            turn.answer(Answer::Served { serving: None });
            return Ok(());
        };
        let left = reserved(turn, served.ask)?;
        let amount = served.amount.min(left);
        let (accepted, rejected) = turn
            .tx
            .prepare_cached("SELECT accepted, rejected FROM workers WHERE id = ?1")?
            .query_row([Sql(row.worker)], |r| {
                Ok((r.get::<_, Sql<BaseUnits>>(0)?.0.0, r.get::<_, Sql<BaseUnits>>(1)?.0.0))
            })?;
        let share = self.config.policy.check_share_ppm(accepted, rejected);
        let checked = self.trusts_models && self.draw(share);
        turn.tx
            .prepare_cached(
                "INSERT INTO servings (assignment, ask, customer, amount, prompt_tokens, generated_tokens, checked,
                     served_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                Sql(served.assignment),
                Sql(served.ask),
                Sql(customer),
                Sql(amount),
                served.prompt_tokens,
                served.generated_tokens,
                checked.then_some(CheckState::Pending),
                Sql(turn.now),
            ])?;
        let serving = turn.tx.last_insert_rowid();
        self.move_money(
            turn,
            TransferKind::Serve,
            &serving.to_be_bytes(),
            Account::Reserved(served.ask),
            Account::Reserved(row.job),
            amount,
        )?;
        turn.answer(Answer::Served { serving: checked.then_some(serving) });
        Ok(())
    }

    /// An ask is over: what is left of its money goes back.
    pub(super) fn end_ask(&mut self, turn: &mut Turn<'_>, ask: JobId) -> Result<(), EngineError> {
        if let Some(customer) = ask_customer(turn, ask)? {
            let left = reserved(turn, ask)?;
            self.move_money(
                turn,
                TransferKind::ReturnJob,
                ask.as_bytes(),
                Account::Reserved(ask),
                Account::Customer(customer),
                left,
            )?;
            turn.tx.prepare_cached("DELETE FROM asks WHERE id = ?1")?.execute([Sql(ask)])?;
        }
        turn.answer(Answer::Done);
        Ok(())
    }

    /// What a check of a serving found; none when it could not be made, which is held against nobody.
    pub(super) fn serving_checked(
        &mut self,
        turn: &mut Turn<'_>,
        serving: i64,
        is_right: Option<bool>,
    ) -> Result<(), EngineError> {
        let state = is_right.map(|is_right| if is_right { CheckState::Match } else { CheckState::Mismatch });
        let assignment: Option<Sql<AssignmentId>> = turn
            .tx
            .prepare_cached(
                "UPDATE servings SET checked = ?2 WHERE id = ?1 AND checked = 'pending' RETURNING assignment",
            )?
            .query_row(params![serving, state], |row| row.get(0))
            .optional()?;
        if let Some(Sql(assignment)) = assignment
            && let Some(row) = AssignmentRow::find(turn.tx, assignment)?
            && row.state == AssignmentState::Reported
        {
            self.decide_shift(turn, &row)?;
        }
        Ok(())
    }

    /// A shift is over, whoever ended it: nothing more is served in it.
    pub(super) fn shift_over(
        &mut self,
        turn: &mut Turn<'_>,
        assignment: AssignmentId,
        reason: &Fault,
    ) -> Result<(), EngineError> {
        let Some(row) = AssignmentRow::find(turn.tx, assignment)? else { return Ok(()) };
        if row.state != AssignmentState::Open {
            return Ok(());
        }
        let message = NetworkMessage::Withdrawn { assignment, reason: reason.clone() };
        self.send(turn, row.worker, message);
        self.end_shift(turn, &row, AssignmentState::Withdrawn, &reason.sentence)
    }

    /// Ends a shift that is open. One in which nothing was served, and which was not served to its end, ends as `unserved`
    /// says.
    pub(super) fn end_shift(
        &mut self,
        turn: &mut Turn<'_>,
        row: &AssignmentRow,
        unserved: AssignmentState,
        reason: &str,
    ) -> Result<(), EngineError> {
        let served_any = turn
            .tx
            .prepare_cached("SELECT 1 FROM servings WHERE assignment = ?1 AND amount > 0")?
            .exists([Sql(row.id)])?;
        if !served_any && unserved != AssignmentState::Reported {
            row.close(turn.tx, unserved, turn.now, reason)?;
            return self.close_job(turn, row.job, JobStage::Withdrawn, None).map(|_| ());
        }
        turn.tx
            .prepare_cached(
                "UPDATE assignments SET state = 'reported', outputs = x'', ran_ms = ?2 - assigned_at, reported_at = ?2
                 WHERE id = ?1",
            )?
            .execute(params![Sql(row.id), Sql(turn.now)])?;
        let task = TaskRow::get(turn.tx, row.task)?;
        task.set_state(turn.tx, TaskState::Checking)?;
        self.decide_shift(turn, &AssignmentRow { state: AssignmentState::Reported, ..row.clone() })
    }

    /// Decides a shift that is over, once nothing of it is being checked.
    fn decide_shift(&mut self, turn: &mut Turn<'_>, row: &AssignmentRow) -> Result<(), EngineError> {
        let servings = servings(turn, row.id)?;
        if servings.iter().any(|serving| serving.checked == Some(CheckState::Pending)) {
            return Ok(());
        }
        let task = TaskRow::get(turn.tx, row.task)?;
        if servings.iter().any(|serving| serving.checked == Some(CheckState::Mismatch)) {
            for serving in &servings {
                self.move_money(
                    turn,
                    TransferKind::ReturnServing,
                    &serving.id.to_be_bytes(),
                    Account::Reserved(row.job),
                    Account::Customer(serving.customer),
                    serving.amount,
                )?;
            }
            let difference = "what was generated in this shift is not what the model would have chosen";
            self.reject(turn, row, &[], difference)?;
            let job = JobRow::get(turn.tx, row.job)?;
            self.end_task_undone(turn, &task, &job, TaskState::Failed)?;
            return self.close_job(turn, row.job, JobStage::Failed, None).map(|_| ());
        }
        let sum = servings.iter().try_fold(COMING, |sum, serving| sum.plus(serving.amount));
        let price = sum.map_err(|_| ledger::LedgerError::OutOfRange)?;
        let checked = servings.iter().any(|serving| serving.checked == Some(CheckState::Match));
        turn.tx
            .prepare_cached("UPDATE assignments SET price = ?2 WHERE id = ?1")?
            .execute(params![Sql(row.id), Sql(price)])?;
        let row = AssignmentRow { price, ..row.clone() };
        self.accept(turn, &row, checked, Payer::Job)?;
        self.finish_task(turn, &task, &row)
    }

    /// Told once after every start: nobody waits for what was asked before, and no check of it will end.
    pub(super) fn forget_asks(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let mut statement = turn.tx.prepare_cached("SELECT id FROM asks ORDER BY id")?;
        let asks =
            statement.query_map([], |row| row.get::<_, Sql<JobId>>(0))?.collect::<Result<Vec<_>, _>>()?;
        for Sql(ask) in asks {
            self.end_ask(turn, ask)?;
        }
        turn.tx.prepare_cached("UPDATE servings SET checked = NULL WHERE checked = 'pending'")?.execute([])?;
        let mut statement = turn.tx.prepare_cached(
            // In this order, as few jobs are live: without statistics SQLite would rather read every assignment.
            "SELECT a.id FROM jobs j INDEXED BY jobs_live CROSS JOIN tasks t CROSS JOIN assignments a
             WHERE j.tasks_live > 0 AND j.kind = ?1 AND t.job = j.id AND a.task = t.id
               AND a.state IN ('open', 'reported') ORDER BY a.id",
        )?;
        let shifts = statement
            .query_map([JOB_KIND_INFER], |row| row.get::<_, Sql<AssignmentId>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        let fault = Fault::new("network_restarted", "the network was started again, so this shift is over");
        for Sql(shift) in shifts {
            match AssignmentRow::find(turn.tx, shift)? {
                Some(row) if row.state == AssignmentState::Reported => self.decide_shift(turn, &row)?,
                Some(_) | None => self.shift_over(turn, shift, &fault)?,
            }
        }
        let mut statement = turn.tx.prepare_cached(
            "SELECT id FROM jobs INDEXED BY jobs_live
             WHERE tasks_live > 0 AND kind = ?1 AND stage = 'running' ORDER BY id",
        )?;
        let jobs = statement
            .query_map([JOB_KIND_INFER], |row| row.get::<_, Sql<JobId>>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for Sql(job) in jobs {
            self.close_job(turn, job, JobStage::Withdrawn, None)?;
        }
        turn.answer(Answer::Done);
        Ok(())
    }

    /// Reserves what the network pays for coming to a shift.
    pub(super) fn pay_for_coming(&mut self, turn: &mut Turn<'_>, job: JobId) -> Result<(), EngineError> {
        self.move_money(
            turn,
            TransferKind::Reserve,
            job.as_bytes(),
            Account::Treasury,
            Account::Reserved(job),
            COMING,
        )
    }

    /// Books money, if there is any.
    fn move_money(
        &mut self,
        turn: &Turn<'_>,
        kind: TransferKind,
        reference: &[u8],
        from: Account,
        to: Account,
        amount: BaseUnits,
    ) -> Result<(), EngineError> {
        if amount != BaseUnits::ZERO {
            ledger::book(turn.tx, turn.now, &Transfer { kind, reference, from, to, amount })?;
        }
        Ok(())
    }

    /// Whether a worker has lately given a shift back without having served.
    pub(super) fn gave_shift_back(
        &self,
        turn: &Turn<'_>,
        worker: lull_types::WorkerId,
    ) -> Result<bool, EngineError> {
        let since = UnixMillis(turn.now.0.saturating_sub(GIVEN_BACK_PAUSE.as_millis() as u64));
        Ok(turn
            .tx
            .prepare_cached(
                "SELECT 1 FROM assignments a JOIN jobs j ON j.id = a.job
                 WHERE a.worker = ?1 AND a.state IN ('handed_back', 'blamed', 'expired') AND a.decided_at > ?2
                   AND j.kind = ?3",
            )?
            .exists(params![Sql(worker), Sql(since), JOB_KIND_INFER])?)
    }
}

fn ask_customer(turn: &Turn<'_>, ask: JobId) -> Result<Option<CustomerId>, EngineError> {
    let found: Option<Sql<CustomerId>> = turn
        .tx
        .prepare_cached("SELECT customer FROM asks WHERE id = ?1")?
        .query_row([Sql(ask)], |row| row.get(0))
        .optional()?;
    Ok(found.map(|Sql(customer)| customer))
}

fn reserved(turn: &Turn<'_>, ask: JobId) -> Result<BaseUnits, EngineError> {
    let left = ledger::balance(turn.tx, &Account::Reserved(ask))?;
    Ok(BaseUnits(u64::try_from(left).unwrap_or_default()))
}

fn servings(turn: &Turn<'_>, assignment: AssignmentId) -> Result<Vec<Serving>, EngineError> {
    let mut statement = turn.tx.prepare_cached(
        "SELECT id, customer, amount, checked FROM servings WHERE assignment = ?1 ORDER BY id",
    )?;
    let rows = statement.query_map([Sql(assignment)], |row| {
        Ok(Serving {
            id: row.get(0)?,
            customer: row.get::<_, Sql<_>>(1)?.0,
            amount: row.get::<_, Sql<_>>(2)?.0,
            checked: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
