//! Rows that several decisions read.

use lull_types::{
    AssignmentId, BaseUnits, BlobHash, CustomerId, JobId, PictureTile, TaskId, UnixMillis, WorkerId,
};
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::EngineError;
use crate::store::{AssignmentState, FromJson, JobStage, Purpose, Sql, TaskState};

/// An assignment as it is stored.
#[derive(Clone, Debug)]
pub(super) struct AssignmentRow {
    pub id: AssignmentId,
    pub task: TaskId,
    pub job: JobId,
    pub worker: WorkerId,
    pub device: u32,
    pub class: String,
    pub purpose: Purpose,
    pub state: AssignmentState,
    pub price: BaseUnits,
    pub deadline: UnixMillis,
    pub outputs: Vec<BlobHash>,
    pub checked: bool,
    pub expected: Vec<BlobHash>,
    pub reason: Option<String>,
}

macro_rules! assignment_columns {
    () => {
        "id, task, job, worker, device, class, purpose, state, price, deadline, coalesce(outputs, x''), \
         coalesce(checked, 0), coalesce(expected, x''), reason"
    };
}

impl AssignmentRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get::<_, Sql<_>>(0)?.0,
            task: row.get::<_, Sql<_>>(1)?.0,
            job: row.get::<_, Sql<_>>(2)?.0,
            worker: row.get::<_, Sql<_>>(3)?.0,
            device: row.get(4)?,
            class: row.get(5)?,
            purpose: row.get(6)?,
            state: row.get(7)?,
            price: row.get::<_, Sql<_>>(8)?.0,
            deadline: row.get::<_, Sql<_>>(9)?.0,
            outputs: row.get::<_, Sql<_>>(10)?.0,
            checked: row.get(11)?,
            expected: row.get::<_, Sql<_>>(12)?.0,
            reason: row.get(13)?,
        })
    }

    pub fn find(tx: &Transaction<'_>, id: AssignmentId) -> Result<Option<Self>, EngineError> {
        let sql = concat!("SELECT ", assignment_columns!(), " FROM assignments WHERE id = ?1");
        Ok(tx.prepare_cached(sql)?.query_row([Sql(id)], Self::read).optional()?)
    }

    pub fn open_of_device(
        tx: &Transaction<'_>,
        worker: WorkerId,
        device: u32,
    ) -> Result<Option<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            assignment_columns!(),
            " FROM assignments WHERE worker = ?1 AND device = ?2 AND state = 'open'"
        );
        Ok(tx.prepare_cached(sql)?.query_row(params![Sql(worker), device], Self::read).optional()?)
    }

    /// The assignments of a task whose verdict is open, in order of report.
    pub fn reported_of(tx: &Transaction<'_>, task: TaskId) -> Result<Vec<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            assignment_columns!(),
            " FROM assignments WHERE task = ?1 AND state = 'reported' ORDER BY reported_at, id"
        );
        Self::all(tx, sql, params![Sql(task)])
    }

    /// The open assignments of a job that are not second opinions.
    pub fn open_firsts_of_job(tx: &Transaction<'_>, job: JobId) -> Result<Vec<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            assignment_columns!(),
            " FROM assignments WHERE task IN (SELECT id FROM tasks WHERE job = ?1 AND state = 'placed')
              AND state = 'open' AND purpose = 'first' ORDER BY id"
        );
        Self::all(tx, sql, params![Sql(job)])
    }

    /// Open assignments whose deadline has passed.
    pub fn due(tx: &Transaction<'_>, now: UnixMillis, limit: u32) -> Result<Vec<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            assignment_columns!(),
            " FROM assignments WHERE state = 'open' AND deadline < ?1 ORDER BY deadline, id LIMIT ?2"
        );
        Self::all(tx, sql, params![Sql(now), limit])
    }

    /// Assignments of a worker that were rejected or stayed undecided since an instant, the latest first.
    pub fn lost_of(
        tx: &Transaction<'_>,
        worker: WorkerId,
        since: UnixMillis,
        limit: u32,
    ) -> Result<Vec<Self>, EngineError> {
        let sql = concat!(
            "SELECT ",
            assignment_columns!(),
            " FROM assignments WHERE worker = ?1 AND state IN ('rejected', 'inconclusive') AND decided_at >= ?2
              ORDER BY decided_at DESC, id LIMIT ?3"
        );
        Self::all(tx, sql, params![Sql(worker), Sql(since), limit])
    }

    fn all(tx: &Transaction<'_>, sql: &str, params: impl rusqlite::Params) -> Result<Vec<Self>, EngineError> {
        let mut statement = tx.prepare_cached(sql)?;
        let rows = statement.query_map(params, Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Ends an assignment that was neither accepted nor rejected.
    pub fn close(
        &self,
        tx: &Transaction<'_>,
        state: AssignmentState,
        now: UnixMillis,
        reason: &str,
    ) -> Result<(), EngineError> {
        tx.prepare_cached("UPDATE assignments SET state = ?2, decided_at = ?3, reason = ?4 WHERE id = ?1")?
            .execute(params![Sql(self.id), state, Sql(now), reason])?;
        Ok(())
    }
}

/// A task as it is stored.
#[derive(Clone, Debug)]
pub(super) struct TaskRow {
    pub id: TaskId,
    pub job: JobId,
    pub customer: CustomerId,
    pub position: u32,
    pub kind: String,
    pub payload: BlobHash,
    pub inputs: Vec<BlobHash>,
    pub outputs: u32,
    pub picture: Option<PictureTile>,
    pub state: TaskState,
    pub attempts: u32,
}

impl TaskRow {
    pub fn get(tx: &Transaction<'_>, id: TaskId) -> Result<Self, EngineError> {
        let row = tx
            .prepare_cached(
                "SELECT id, job, customer, position, kind, payload, inputs, outputs, picture, state, attempts
                 FROM tasks WHERE id = ?1",
            )?
            .query_row([Sql(id)], |row| {
                Ok(Self {
                    id: row.get::<_, Sql<_>>(0)?.0,
                    job: row.get::<_, Sql<_>>(1)?.0,
                    customer: row.get::<_, Sql<_>>(2)?.0,
                    position: row.get(3)?,
                    kind: row.get(4)?,
                    payload: row.get::<_, Sql<_>>(5)?.0,
                    inputs: row.get::<_, Sql<_>>(6)?.0,
                    outputs: row.get(7)?,
                    picture: row.get::<_, Option<FromJson<_>>>(8)?.map(|json| json.0),
                    state: row.get(9)?,
                    attempts: row.get(10)?,
                })
            })
            .optional()?;
        row.ok_or(EngineError::Contradiction("an assignment without its task"))
    }

    pub fn set_state(&self, tx: &Transaction<'_>, state: TaskState) -> Result<(), EngineError> {
        tx.prepare_cached("UPDATE tasks SET state = ?2 WHERE id = ?1")?
            .execute(params![Sql(self.id), state])?;
        Ok(())
    }
}

/// A job as it is stored.
#[derive(Clone, Debug)]
pub(super) struct JobRow {
    pub id: JobId,
    pub customer: CustomerId,
    pub customer_name: String,
    pub title: String,
    pub price: BaseUnits,
    pub task_deadline_ms: u64,
    pub stage: JobStage,
    pub tasks: u32,
}

impl JobRow {
    pub fn find(tx: &Transaction<'_>, id: JobId) -> Result<Option<Self>, EngineError> {
        Ok(tx
            .prepare_cached(
                "SELECT j.id, j.customer, c.name, j.title, j.price, j.task_deadline_ms, j.stage, j.tasks
                 FROM jobs j JOIN customers c ON c.id = j.customer WHERE j.id = ?1",
            )?
            .query_row([Sql(id)], |row| {
                Ok(Self {
                    id: row.get::<_, Sql<_>>(0)?.0,
                    customer: row.get::<_, Sql<_>>(1)?.0,
                    customer_name: row.get(2)?,
                    title: row.get(3)?,
                    price: row.get::<_, Sql<_>>(4)?.0,
                    task_deadline_ms: row.get::<_, Sql<UnixMillis>>(5)?.0.0,
                    stage: row.get(6)?,
                    tasks: row.get(7)?,
                })
            })
            .optional()?)
    }

    pub fn get(tx: &Transaction<'_>, id: JobId) -> Result<Self, EngineError> {
        Self::find(tx, id)?.ok_or(EngineError::Contradiction("a task without its job"))
    }
}
