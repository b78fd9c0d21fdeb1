//! Jobs: taken, paid in advance, and withdrawn.

use lull_types::{BaseUnits, BlobHash, CustomerId, JOB_KIND_INFER, JobId};
use rusqlite::{OptionalExtension, params};

use super::customers::{AMOUNT_MAX, funds, require_customer};
use super::rows::JobRow;
use super::settle::put_in_line;
use super::shifts::COMING;
use super::turn::{Fresh, Turn};
use super::{Answer, Engine, EngineError, JobSpec, TaskSpec};
use crate::ledger::{self, Account, Transfer, TransferKind};
use crate::store::{JobStage, Json, Sql};

/// Tasks in one job: an 8K picture in tiles of 128 pixels has 2,700.
const TASKS_MAX: usize = 10_000;
/// Titles and keys are shown in lists.
const TEXT_CHARS_MAX: usize = 200;
/// Shorter than a second, an assignment would expire on its way.
const DEADLINE_MS_MIN: u64 = 1_000;
/// A day: whoever needs longer cuts tasks too large for machines that come and go.
const DEADLINE_MS_MAX: u64 = 24 * 3_600_000;

impl Engine {
    pub(super) fn create_job(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        spec: &JobSpec,
    ) -> Result<(), EngineError> {
        require_customer(turn.tx, customer)?;
        check(spec)?;
        let content = content_hash(spec);
        let known: Option<(Sql<JobId>, Sql<BlobHash>)> = turn
            .tx
            .prepare_cached("SELECT id, content FROM jobs WHERE customer = ?1 AND idempotency_key = ?2")?
            .query_row(params![Sql(customer), spec.idempotency_key], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((Sql(job), Sql(before))) = known {
            if before != content {
                return Err(EngineError::refused(
                    "idempotency_key_reused",
                    "this key was used before for a different job; give each job its own",
                ));
            }
            turn.answer(Answer::JobCreated { job, created: false });
            return Ok(());
        }
        // The network's own shifts name models, which are no blobs.
        let inputs = |task: &TaskSpec| if spec.kind == JOB_KIND_INFER { 0 } else { task.inputs.len() };
        for blob in
            spec.tasks.iter().flat_map(|task| task.inputs[..inputs(task)].iter().chain([&task.payload]))
        {
            require_blob(turn, customer, *blob)?;
        }
        let job = self.new_job_id(turn.now);
        if spec.kind == JOB_KIND_INFER {
            self.pay_for_coming(turn, job)?;
        } else {
            self.reserve(turn, customer, job, spec)?;
        }
        self.insert_job(turn, customer, job, spec, content)?;
        let tasks = spec.tasks.len() as u64;
        put_in_line(turn, customer, i64::try_from(tasks).unwrap_or(i64::MAX))?;
        turn.fresh.push(Fresh { kind: spec.kind.clone(), class: None, tasks });
        turn.job_changed(job);
        turn.answer(Answer::JobCreated { job, created: true });
        Ok(())
    }

    fn reserve(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        job: JobId,
        spec: &JobSpec,
    ) -> Result<(), EngineError> {
        let too_much =
            || EngineError::refused("amount_unusable", "this job's price is more than can be written down");
        let amount = spec.price_per_task.times(spec.tasks.len() as u64).map_err(|_| too_much())?;
        if amount > AMOUNT_MAX {
            return Err(too_much());
        }
        let available = funds(turn.tx, customer)?;
        if available < amount {
            return Err(EngineError::refused(
                "deposit_too_small",
                format!(
                    "this job costs {amount}, but only {available} is free to spend; pay in or submit less"
                ),
            ));
        }
        let transfer = Transfer {
            kind: TransferKind::Reserve,
            reference: job.as_bytes(),
            from: Account::Customer(customer),
            to: Account::Reserved(job),
            amount,
        };
        ledger::book(turn.tx, turn.now, &transfer)?;
        Ok(())
    }

    fn insert_job(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        job: JobId,
        spec: &JobSpec,
        content: BlobHash,
    ) -> Result<(), EngineError> {
        let count = Sql(BaseUnits(spec.tasks.len() as u64));
        turn.tx
            .prepare_cached(
                "INSERT INTO jobs (id, customer, idempotency_key, content, title, kind, price, task_deadline_ms,
                     stage, tasks, tasks_live, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, ?11)",
            )?
            .execute(params![
                Sql(job),
                Sql(customer),
                spec.idempotency_key,
                Sql(content),
                spec.title,
                spec.kind,
                Sql(spec.price_per_task),
                Sql(BaseUnits(spec.task_deadline_ms)),
                JobStage::Running,
                count,
                Sql(turn.now),
            ])?;
        let mut insert = turn.tx.prepare_cached(
            "INSERT INTO tasks (id, job, customer, position, kind, payload, inputs, outputs, picture, state)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'waiting')",
        )?;
        for (position, task) in (0u32..).zip(&spec.tasks) {
            let id = self.new_task_id(turn.now);
            insert.execute(params![
                Sql(id),
                Sql(job),
                Sql(customer),
                position,
                spec.kind,
                Sql(task.payload),
                Sql(&task.inputs[..]),
                task.outputs,
                task.picture.as_ref().map(Json),
            ])?;
        }
        Ok(())
    }

    pub(super) fn withdraw_job(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        job: JobId,
    ) -> Result<(), EngineError> {
        let row = JobRow::find(turn.tx, job)?.filter(|row| row.customer == customer);
        let Some(row) = row else {
            // Another customer's job looks like none.
            return Err(EngineError::refused("job_unknown", "you have no such job"));
        };
        let returned = match row.stage {
            JobStage::Running => self.close_job(turn, job, JobStage::Withdrawn, None)?,
            JobStage::Withdrawn => BaseUnits::ZERO,
            JobStage::Done | JobStage::Failed => {
                return Err(EngineError::refused(
                    "job_ended",
                    "this job has already ended, so there is nothing to withdraw",
                ));
            }
        };
        let at = turn.now;
        turn.answer(Answer::JobWithdrawn { returned, at });
        Ok(())
    }
}

fn check(spec: &JobSpec) -> Result<(), EngineError> {
    let refused = |code, sentence: String| Err(EngineError::refused(code, sentence));
    let text = |text: &str| !text.trim().is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
    if !text(&spec.idempotency_key) || !text(&spec.title) || !text(&spec.kind) {
        let sentence = format!("a job's key, title and kind must have 1 to {TEXT_CHARS_MAX} characters each");
        return refused("job_text_unusable", sentence);
    }
    if spec.tasks.is_empty() || spec.tasks.len() > TASKS_MAX {
        return refused("tasks_count_unusable", format!("a job must have 1 to {TASKS_MAX} tasks"));
    }
    if spec.price_per_task == BaseUnits::ZERO {
        return refused("price_zero", "a task must pay its worker something".to_owned());
    }
    if !(DEADLINE_MS_MIN..=DEADLINE_MS_MAX).contains(&spec.task_deadline_ms) {
        return refused(
            "deadline_unusable",
            "a task's deadline must lie between a second and a day".to_owned(),
        );
    }
    if spec.kind == JOB_KIND_INFER {
        // The network submits these itself, one shift each.
        return if spec.tasks.len() == 1 && spec.price_per_task == COMING {
            Ok(())
        } else {
            refused("kind_unknown", "the network alone submits shifts".to_owned())
        };
    }
    if spec.tasks.iter().any(|task| task.outputs == 0) {
        return refused("outputs_none", "a task must have at least one output".to_owned());
    }
    if spec.tasks.iter().any(|task| task.picture.is_some_and(|tile| !tile.is_valid())) {
        return refused(
            "picture_tile_outside",
            "a tile lies outside its picture, or the picture is too large".to_owned(),
        );
    }
    Ok(())
}

/// The customer must have shown the bytes itself: knowing a hash gives no right to what it names.
fn require_blob(turn: &Turn<'_>, customer: CustomerId, blob: BlobHash) -> Result<(), EngineError> {
    let shown = turn
        .tx
        .prepare_cached("SELECT 1 FROM blob_puts WHERE hash = ?1 AND owner = ?2")?
        .exists(params![Sql(blob), customer.as_bytes()])?;
    if shown {
        return Ok(());
    }
    let sentence = format!("the blob {blob} that the job names was not uploaded by you; upload it first");
    Err(EngineError::refused("blob_missing", sentence))
}

/// One hash over all that makes a job, each part with its length before it.
fn content_hash(spec: &JobSpec) -> BlobHash {
    let mut bytes = Vec::new();
    let mut part = |part: &[u8]| {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part);
    };
    part(spec.title.as_bytes());
    part(spec.kind.as_bytes());
    part(&spec.price_per_task.0.to_be_bytes());
    part(&spec.task_deadline_ms.to_be_bytes());
    for task in &spec.tasks {
        part(&task.payload.0);
        part(&task.inputs.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>());
        part(&task.outputs.to_be_bytes());
        let tile = task.picture.map(|t| [t.picture_width, t.picture_height, t.x, t.y, t.width, t.height]);
        part(&tile.unwrap_or_default().map(u32::to_be_bytes).concat());
    }
    BlobHash::of(&bytes)
}
