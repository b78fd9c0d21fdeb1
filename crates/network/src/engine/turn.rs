//! What one input works with: the transaction, the instant, and the effects that gather.

use lull_types::{AssignmentId, CustomerId, DepositId, Fault, JobId, TaskId, UnixMillis, WorkerId};
use rand_chacha::rand_core::RngCore;
use rusqlite::Transaction;
use uuid::Uuid;

use super::{Answer, CheckId, Effect, Engine, SessionId};

/// Work that has become available and that someone who waits should ask for.
#[derive(Debug)]
pub(super) struct Fresh {
    /// The job kind.
    pub kind: String,
    /// The device class, for second opinions; any for the rest.
    pub class: Option<String>,
    /// How many tasks.
    pub tasks: u64,
}

/// One input being handled.
pub(super) struct Turn<'a> {
    pub tx: &'a Transaction<'a>,
    pub now: UnixMillis,
    pub effects: Vec<Effect>,
    pub fresh: Vec<Fresh>,
}

impl<'a> Turn<'a> {
    pub fn new(tx: &'a Transaction<'a>, now: UnixMillis) -> Self {
        Self { tx, now, effects: Vec::new(), fresh: Vec::new() }
    }

    pub fn answer(&mut self, answer: Answer) {
        self.effects.push(Effect::Answer(answer));
    }

    /// Tells once that a job changed, however often it did.
    pub fn job_changed(&mut self, job: JobId) {
        let effect = Effect::JobChanged { job };
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }

    pub fn drop_session(&mut self, worker: WorkerId, session: SessionId) {
        let reason = Fault::new(
            "session_replaced",
            "this worker has opened a newer connection, so this one is closed; if you did not start a second worker with the same key, someone else has it",
        );
        self.effects.push(Effect::DropSession { worker, session, reason });
    }
}

impl Engine {
    fn uuid(&mut self, now: UnixMillis) -> Uuid {
        let mut random = [0; 10];
        self.dice.fill_bytes(&mut random);
        JobId::from_parts(now, &random).0
    }

    /// 32 hexadecimal digits that nobody can foresee.
    pub(super) fn draw_nonce(&mut self) -> String {
        let mut random = [0; 16];
        self.dice.fill_bytes(&mut random);
        random.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn new_job_id(&mut self, now: UnixMillis) -> JobId {
        JobId(self.uuid(now))
    }

    pub(super) fn new_task_id(&mut self, now: UnixMillis) -> TaskId {
        TaskId(self.uuid(now))
    }

    pub(super) fn new_assignment_id(&mut self, now: UnixMillis) -> AssignmentId {
        AssignmentId(self.uuid(now))
    }

    pub(super) fn new_customer_id(&mut self, now: UnixMillis) -> CustomerId {
        CustomerId(self.uuid(now))
    }

    pub(super) fn new_deposit_id(&mut self, now: UnixMillis) -> DepositId {
        DepositId(self.uuid(now))
    }

    pub(super) fn new_check_id(&mut self, now: UnixMillis) -> CheckId {
        CheckId(self.uuid(now))
    }

    /// True with a probability in millionths.
    pub(super) fn draw(&mut self, share_ppm: u32) -> bool {
        // The bias of the remainder is below one in 10^13.
        self.dice.next_u64() % 1_000_000 < u64::from(share_ppm)
    }
}
