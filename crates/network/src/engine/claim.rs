//! Placing work: which task a device gets when it asks.
//!
//! Second opinions come first, because someone waits for money. Otherwise customers are served by *stride
//! scheduling* (Waldspurger and Weihl, 1995): each has a pass, the lowest pass in line is served, and a served
//! customer's pass grows by the time that its task may take of a worker. So customers who always have work
//! waiting get equal shares of worker time, whatever the number and length of their tasks; asking for long
//! deadlines costs turns. A customer who was away starts level with the lowest in line. Within a customer,
//! tasks go in the order in which they were submitted.

use std::collections::BTreeSet;
use std::time::Duration;

use lull_network_api::{Assignment, Exclusion, NetworkMessage};
use lull_types::{CustomerId, Fault, JOB_KIND_INFER, TaskId, UnixMillis, WorkerId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::rows::{AssignmentRow, JobRow, TaskRow};
use super::timing::Untimed;
use super::turn::Turn;
use super::why_idle::{self, Barred};
use super::{Engine, EngineError};
use crate::store::{AssignmentState, FromJson, Purpose, Sql, TaskState};

/// Who asks.
pub(super) struct Asker {
    pub worker: WorkerId,
    pub device: u32,
    pub class: String,
    pub kinds: BTreeSet<String>,
    /// Tasks that this worker gave back or let expire after this instant go to others.
    pub paused_since: UnixMillis,
    /// Tasks that this worker blamed after this instant go to others.
    pub blamed_since: UnixMillis,
}

/// A worker is kept from a task that it has now or had wrong for ever, and from one that it gave back, blamed or
/// let expire for a while. `?1` is the worker, `?2` and `?3` the instants from which pauses still count.
macro_rules! not_kept_from {
    ($task:literal) => {
        concat!(
            "NOT EXISTS (SELECT 1 FROM assignments a WHERE a.task = ",
            $task,
            " AND a.worker = ?1 AND (a.state IN ('open', 'reported', 'rejected')
                OR (a.state IN ('handed_back', 'expired') AND a.decided_at > ?2)
                OR (a.state = 'blamed' AND a.decided_at > ?3)))"
        )
    };
}

impl Engine {
    pub(super) fn want_work(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        device: u32,
    ) -> Result<(), EngineError> {
        let retry_ms = self.config.policy.no_work_retry_ms;
        let known: Option<(Option<String>, FromJson<BTreeSet<String>>)> = turn
            .tx
            .prepare_cached(
                "SELECT d.class, w.kinds FROM workers w LEFT JOIN devices d ON d.worker = w.id AND d.device = ?2
                 WHERE w.id = ?1",
            )?
            .query_row(params![Sql(worker), device], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((class, FromJson(kinds))) = known else {
            let sentence = "this worker is not enrolled, so it gets no work; enrol first";
            let reason = Fault::new("not_enrolled", sentence);
            let asker = Barred { worker, device, kinds: None, class: None };
            return self.bar(turn, &asker, &Exclusion::NotEnrolled, reason, retry_ms);
        };
        let mut kinds = kinds;
        if kinds.contains(JOB_KIND_INFER) && self.gave_shift_back(turn, worker)? {
            kinds.remove(JOB_KIND_INFER);
        }
        let Some(class) = class else {
            let sentence =
                format!("device {device} was not measured when this worker enrolled; enrol again with it");
            let reason = Fault::new("device_not_enrolled", sentence);
            let asker = Barred { worker, device, kinds: Some(&kinds), class: None };
            return self.bar(turn, &asker, &Exclusion::NotMeasured, reason, retry_ms);
        };
        if let Some(open) = AssignmentRow::open_of_device(turn.tx, worker, device)? {
            if open.deadline >= turn.now {
                return self.tell_assignment(turn, &open);
            }
            self.expire(turn, &open)?;
        }
        if let Some(Untimed { reason, retry_ms, is_refuted }) = self.untimed(turn, worker)? {
            let by = match is_refuted {
                true => Exclusion::Refuted { again_in_ms: retry_ms },
                false => Exclusion::BeingTimed,
            };
            let asker = Barred { worker, device, kinds: Some(&kinds), class: Some(&class) };
            return self.bar(turn, &asker, &by, reason, retry_ms);
        }
        let ago = |ms: u64| UnixMillis(turn.now.0.saturating_sub(ms));
        let policy = &self.config.policy;
        let is_alone = self.sessions.len() < 2;
        let pause_ms = if is_alone { policy.handback_pause_alone_ms } else { policy.handback_pause_ms };
        let (paused_since, blamed_since) = (ago(pause_ms), ago(policy.blame_pause_ms));
        let asker = Asker { worker, device, class, kinds, paused_since, blamed_since };
        if let Some(task) = find_second(turn.tx, &asker)? {
            return self.place(turn, &asker, task, Purpose::Second);
        }
        if let Some(task) = find_first(turn.tx, &asker, turn.now)? {
            return self.place(turn, &asker, task, Purpose::First);
        }
        let reason = why_idle::reason(turn.tx, &asker, turn.now)?;
        let retry_after_ms = match reason.code.as_str() {
            "tasks_for_others" => retry_ms.min(pause_ms),
            _ => retry_ms,
        };
        // Twice the time, so that a late answer or a slow worker costs nobody its place.
        let asks_by = turn.now.after(Duration::from_millis(retry_after_ms.saturating_mul(2)));
        let (class, kinds) = (asker.class.clone(), asker.kinds.clone());
        self.sessions.line.wait((worker, device), class, kinds, turn.now, asks_by);
        let standing = self.stand(turn, &asker)?;
        self.send(turn, worker, NetworkMessage::NoWork { device, reason, retry_after_ms, standing });
        Ok(())
    }

    fn place(
        &mut self,
        turn: &mut Turn<'_>,
        asker: &Asker,
        task: TaskId,
        purpose: Purpose,
    ) -> Result<(), EngineError> {
        let task = TaskRow::get(turn.tx, task)?;
        let job = JobRow::get(turn.tx, task.job)?;
        let row = AssignmentRow {
            id: self.new_assignment_id(turn.now),
            task: task.id,
            job: job.id,
            worker: asker.worker,
            device: asker.device,
            class: asker.class.clone(),
            purpose,
            state: AssignmentState::Open,
            price: job.price,
            deadline: turn.now.after(Duration::from_millis(job.task_deadline_ms)),
            outputs: Vec::new(),
            checked: false,
            expected: Vec::new(),
            reason: None,
        };
        turn.tx
            .prepare_cached(
                "INSERT INTO assignments (id, task, job, worker, device, class, purpose, state, price,
                     assigned_at, deadline)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?
            .execute(params![
                Sql(row.id),
                Sql(row.task),
                Sql(row.job),
                Sql(row.worker),
                row.device,
                row.class,
                row.purpose,
                row.state,
                Sql(row.price),
                Sql(turn.now),
                Sql(row.deadline),
            ])?;
        match purpose {
            Purpose::First => {
                task.set_state(turn.tx, TaskState::Placed)?;
                turn.tx
                    .prepare_cached(
                        "UPDATE customers SET waiting = waiting - 1, pass = pass + ?2 WHERE id = ?1",
                    )?
                    .execute(params![Sql(task.customer), Sql(UnixMillis(job.task_deadline_ms))])?;
            }
            Purpose::Second => self.drop_second(turn, &task)?,
        }
        self.sessions.line.leave((asker.worker, asker.device));
        self.tell(turn, &row, task, job);
        Ok(())
    }

    fn tell_assignment(&self, turn: &mut Turn<'_>, row: &AssignmentRow) -> Result<(), EngineError> {
        let task = TaskRow::get(turn.tx, row.task)?;
        let job = JobRow::get(turn.tx, row.job)?;
        self.tell(turn, row, task, job);
        Ok(())
    }

    fn tell(&self, turn: &mut Turn<'_>, row: &AssignmentRow, task: TaskRow, job: JobRow) {
        let assignment = Assignment {
            id: row.id,
            task: row.task,
            job: row.job,
            job_title: job.title,
            customer_name: job.customer_name,
            kind: task.kind,
            device: row.device,
            payload: task.payload,
            price: row.price,
            deadline: row.deadline,
            picture: task.picture,
            task_index: task.position,
            task_count: job.tasks,
        };
        self.send(turn, row.worker, NetworkMessage::Assign(Box::new(assignment)));
    }
}

/// A reported task that waits for another worker of this class, the longest waiting first.
fn find_second(tx: &Transaction<'_>, asker: &Asker) -> Result<Option<TaskId>, EngineError> {
    let mut oldest: Option<(UnixMillis, TaskId)> = None;
    for kind in &asker.kinds {
        let found: Option<(Sql<UnixMillis>, Sql<TaskId>)> = tx
            .prepare_cached(concat!(
                "SELECT s.since, s.task FROM seconds s WHERE s.class = ?4 AND s.kind = ?5 AND ",
                not_kept_from!("s.task"),
                " ORDER BY s.since, s.task LIMIT 1"
            ))?
            .query_row(
                params![
                    Sql(asker.worker),
                    Sql(asker.paused_since),
                    Sql(asker.blamed_since),
                    asker.class,
                    kind
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        if let Some((Sql(since), Sql(task))) = found
            && oldest.is_none_or(|first| (since, task) < first)
        {
            oldest = Some((since, task));
        }
    }
    Ok(oldest.map(|(_, task)| task))
}

/// The first task that this asker may have, of the first customer in line who has one. The index is named
/// because it alone gives the tasks in order: without statistics SQLite would rather sort all that wait.
fn find_first(tx: &Transaction<'_>, asker: &Asker, now: UnixMillis) -> Result<Option<TaskId>, EngineError> {
    let mut line = tx.prepare_cached("SELECT id FROM customers WHERE waiting > 0 ORDER BY pass, id")?;
    let mut customers = line.query([])?;
    while let Some(row) = customers.next()? {
        let Sql(customer): Sql<CustomerId> = row.get(0)?;
        let mut earliest: Option<(i64, TaskId)> = None;
        for kind in &asker.kinds {
            let found: Option<(i64, Sql<TaskId>)> = tx
                .prepare_cached(concat!(
                    "SELECT t.seq, t.id FROM tasks t INDEXED BY tasks_waiting WHERE t.customer = ?4 AND t.kind = ?5 AND t.state = 'waiting'
                     AND t.not_before <= ?6 AND ",
                    not_kept_from!("t.id"),
                    " ORDER BY t.seq LIMIT 1"
                ))?
                .query_row(
                    params![Sql(asker.worker), Sql(asker.paused_since), Sql(asker.blamed_since), Sql(customer), kind, Sql(now)],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?;
            if let Some((seq, Sql(task))) = found
                && earliest.is_none_or(|(first, _)| seq < first)
            {
                earliest = Some((seq, task));
            }
        }
        if let Some((_, task)) = earliest {
            return Ok(Some(task));
        }
    }
    Ok(None)
}
