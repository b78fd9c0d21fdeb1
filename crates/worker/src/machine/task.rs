//! Assignments that are not over: what each one waits for, and what is done next.
//!
//! `Fetching → Running (Preparing, then Running) → Uploading → Reported → Settled`, and from anywhere before
//! `Reported` to `HandingBack → Abandoned`. Every change of stage is a record, so that a restart goes on from
//! the last one.

use std::time::Duration;

use lull_network_api::{Assignment, WorkerMessage};
use lull_types::{AssignmentId, Fault, JOB_KIND_INFER, NetworkId, UnixMillis};
use lull_worker_api::{Effort, ShiftView};

use super::Machine;
use super::data::DATA_CAP_REACHED;
use super::device::{Ask, Hardware};
use super::effect::Effect;
use super::id::{LeaseId, SessionId, TransferId};
use super::lease::Purpose;
use super::link::ANSWER_TIMEOUT;
use super::out::Out;
use super::record::{OpenAssignment, Record, Stage};

/// How long a report may stay unanswered on one session before it is sent again. The stream is reliable, so
/// that an answer is missing only when the network forgot to give it.
pub const RESEND_AFTER: Duration = Duration::from_secs(30);

/// How long a device rests at most between two assignments, so that one long run does not silence it.
pub const REST_MAX: Duration = Duration::from_secs(600);

/// How many assignments that are over are remembered, so that a late message about one is known as such. A
/// worker ends some thousand a day and messages are late by seconds.
pub const OVER_KEPT: usize = 256;

/// What is under way for an assignment in its stage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activity {
    /// Nothing.
    Idle,
    /// Its blobs are on the move.
    Transfer { id: TransferId, session: SessionId },
    /// Its runtime is being started.
    Preparing(LeaseId),
    /// It runs.
    Running(LeaseId),
    /// The network was told and its answer is awaited.
    Told { session: SessionId, at: UnixMillis },
}

/// One assignment that is not over.
#[derive(Clone, Debug)]
pub(super) struct Task {
    pub open: OpenAssignment,
    pub activity: Activity,
    /// Nothing is begun for it before then.
    pub not_before: UnixMillis,
    /// Failures in a row of what its stage needs.
    pub failures: u32,
    /// How much of the run is done.
    pub fraction: f32,
    pub progress_told_at: UnixMillis,
    /// What it serves, if it is a shift that runs.
    pub shift: Option<ShiftView>,
    /// What will be sent of its outputs, once that is known.
    pub output_bytes: Option<u64>,
}

impl Task {
    pub fn new(mut open: OpenAssignment) -> Self {
        // Whether the blobs survived is for the shell to say: a fetch of what is here already ends at once.
        if open.stage == Stage::Running {
            open.stage = Stage::Fetching;
        }
        Self {
            open,
            activity: Activity::Idle,
            not_before: UnixMillis(0),
            failures: 0,
            fraction: 0.0,
            progress_told_at: UnixMillis(0),
            shift: None,
            output_bytes: None,
        }
    }

    pub fn id(&self) -> AssignmentId {
        self.open.assignment.id
    }

    pub fn device(&self) -> u32 {
        self.open.assignment.device
    }

    /// Whether there is still work to do for it on this machine.
    pub fn is_work(&self) -> bool {
        matches!(self.open.stage, Stage::Fetching | Stage::Running | Stage::Uploading { .. })
    }

    /// Whether the network must still be told of its end, or acknowledge that it was.
    pub fn is_untold(&self) -> bool {
        matches!(self.open.stage, Stage::Reported { acknowledged: false, .. } | Stage::HandingBack { .. })
    }

    pub fn lease(&self) -> Option<LeaseId> {
        match self.activity {
            Activity::Preparing(lease) | Activity::Running(lease) => Some(lease),
            _ => None,
        }
    }
}

/// The part of time that a device works.
pub(super) fn rest_after(effort: Effort, ran: Duration) -> Duration {
    let rest = match effort {
        Effort::Full => Duration::ZERO,
        // Two thirds of the time at work: half as long at rest as it ran.
        Effort::Balanced => ran / 2,
        // A third of the time at work.
        Effort::Quiet => ran.saturating_mul(2),
    };
    rest.min(REST_MAX)
}

impl Machine {
    /// Moves every assignment on that can be.
    pub(super) fn drive_tasks(&mut self, now: UnixMillis, out: &mut Out) {
        for index in 0..self.tasks.len() {
            self.forget_transfer_of_lost_session(index, out);
            if self.tasks[index].is_work() {
                self.drive_work(index, now, out);
            }
            self.drive_telling(index, now, out);
        }
    }

    fn forget_transfer_of_lost_session(&mut self, index: usize, out: &mut Out) {
        let task = &mut self.tasks[index];
        if let Activity::Transfer { id, session } = task.activity
            && self.link.up() != Some(session)
        {
            out.effect(Effect::StopTransfer { transfer: id });
            task.activity = Activity::Idle;
        }
    }

    fn drive_work(&mut self, index: usize, now: UnixMillis, out: &mut Out) {
        if let Some(reason) = self.reason_to_hand_back(index, now, out) {
            let id = self.tasks[index].id();
            self.hand_back(id, reason, now, out);
            return;
        }
        let task = &self.tasks[index];
        if task.activity != Activity::Idle || !out.due(task.not_before, now) {
            return;
        }
        let assignment = Box::new(task.open.assignment.clone());
        match task.open.stage.clone() {
            Stage::Fetching => {
                // A download is felt in a game as well, so that none is begun while a guard holds.
                if self.is_clear(assignment.device)
                    && self.works()
                    && let Some(session) = self.link.up()
                {
                    let transfer = TransferId(self.next_id());
                    self.tasks[index].activity = Activity::Transfer { id: transfer, session };
                    let room = self.data_room_for(index);
                    out.effect(Effect::Fetch { transfer, session, assignment, room });
                }
            }
            Stage::Running => {
                let device = assignment.device;
                if self.may_use(device, now, out) {
                    let id = LeaseId(self.next_id());
                    let lease = self.leases.grant(id, device, Purpose::Run(assignment.id));
                    self.tasks[index].activity = Activity::Preparing(id);
                    self.tasks[index].fraction = 0.0;
                    out.effect(Effect::Run { lease, assignment });
                }
            }
            Stage::Uploading { outputs, .. } => {
                if let Some(session) = self.link.up() {
                    let transfer = TransferId(self.next_id());
                    self.tasks[index].activity = Activity::Transfer { id: transfer, session };
                    out.effect(Effect::Upload { transfer, session, assignment: assignment.id, outputs });
                }
            }
            Stage::Reported { .. } | Stage::HandingBack { .. } | Stage::Abandoned { .. } | Stage::Settled => {
            }
        }
    }

    /// Whether a run may begin on a device now.
    fn may_use(&mut self, device: u32, now: UnixMillis, out: &mut Out) -> bool {
        let allowed = self.may_go_on(device)
            && self.works()
            && self.is_lent(device)
            && !self.leases.occupies(device)
            && !self.waits_for_benchmark();
        allowed && self.device(device).is_some_and(|device| device.is_fit(now, out))
    }

    /// Why an assignment that is not done should not be done here.
    fn reason_to_hand_back(&mut self, index: usize, now: UnixMillis, out: &mut Out) -> Option<Fault> {
        let task = &self.tasks[index];
        if self.network_id().is_some_and(|id| id != task.open.network) {
            return Some(Fault::new("network_left", "The contributor joined another network."));
        }
        let deadline = task.open.assignment.deadline;
        if out.due(deadline, now) {
            return Some(Fault::new("deadline_passed", "It could not be done before its deadline."));
        }
        if matches!(task.open.stage, Stage::Uploading { .. }) {
            return None;
        }
        if !self.works() {
            return Some(Fault::new("worker_stopped", "The contributor turned work off."));
        }
        if task.open.assignment.kind == JOB_KIND_INFER && !self.settings.serves_models {
            return Some(Fault::new(
                "models_not_served",
                "The contributor turned the serving of models off.",
            ));
        }
        // What is here already moves nothing more before it is reported.
        let goes_on = task.open.stage == Stage::Running && self.may_go_on(task.device());
        if self.is_held_until(task.device(), deadline) && !goes_on {
            let sentence = if self.costs_more_than_it_brings(task.device(), now) {
                "The power that it takes would cost the contributor more than it pays."
            } else if self.may_go_on(task.device()) {
                DATA_CAP_REACHED
            } else {
                "The contributor needs the GPU for longer than the task can wait."
            };
            return Some(Fault::new("worker_paused", sentence));
        }
        let index = task.device();
        if !matches!(self.hardware, Hardware::Known { .. }) {
            return None;
        }
        let lent = self.is_lent(index);
        match self.device(index) {
            Some(device) if lent && device.set_aside.is_none() => None,
            _ => Some(Fault::new("device_not_lent", "The device that it is for is not lent any more.")),
        }
    }

    /// Sends reports and hand-backs that the network has not acknowledged.
    fn drive_telling(&mut self, index: usize, now: UnixMillis, out: &mut Out) {
        let task = &self.tasks[index];
        let (Some(session), Some(network)) = (self.link.up(), self.network_id()) else { return };
        if !task.is_untold() || task.open.network != network {
            return;
        }
        if let Activity::Told { session: told_on, at } = task.activity
            && told_on == session
            && !out.due(at.after(RESEND_AFTER), now)
        {
            return;
        }
        if let Some(message) = telling(&task.open) {
            self.tasks[index].activity = Activity::Told { session, at: now };
            self.send(session, message, out);
        }
    }

    /// Asks again about reports that were acknowledged but whose verdict never came; the answer, if the
    /// verdict was lost, is the verdict.
    pub(super) fn repeat_reports(&mut self, session: SessionId, out: &mut Out) {
        let network = self.network_id();
        for task in &self.tasks {
            if matches!(task.open.stage, Stage::Reported { acknowledged: true, .. })
                && Some(task.open.network) == network
                && let Some(message) = telling(&task.open)
            {
                self.send(session, message, out);
            }
        }
    }

    /// Asks for work for every device that could do some.
    pub(super) fn drive_asking(&mut self, now: UnixMillis, out: &mut Out) {
        let Some(session) = self.link.up() else { return };
        let network = self.network_id();
        if !self.works() || self.waits_for_benchmark() {
            return;
        }
        for index in 0..self.devices.len() {
            let number = self.devices[index].info.index;
            let is_taken = self.tasks.iter().any(|task| {
                task.device() == number
                    && Some(task.open.network) == network
                    && (task.is_work() || task.is_untold())
            });
            let lent = self.is_lent(number)
                && self.is_clear(number)
                && self.benchmark_of(&self.devices[index].info).is_some();
            let device = &mut self.devices[index];
            if is_taken || !lent || self.leases.occupies(number) || !device.is_fit(now, out) {
                continue;
            }
            let ask = match &device.ask {
                Ask::Idle => true,
                Ask::Asked { session: asked_on, at } => {
                    *asked_on != session || out.due(at.after(ANSWER_TIMEOUT), now)
                }
                Ask::NoWork { until, .. } => out.due(*until, now),
            };
            if ask && out.due(device.ask_after, now) && out.due(device.rest_until, now) {
                device.ask = Ask::Asked { session, at: now };
                self.send(session, WorkerMessage::WantWork { device: number }, out);
            }
        }
    }

    pub(super) fn task(&mut self, id: AssignmentId) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id() == id)
    }

    /// The task whose transfer this is; transfers that were given up have none.
    pub(super) fn task_of_transfer(&mut self, transfer: TransferId) -> Option<&mut Task> {
        self.tasks
            .iter_mut()
            .find(|task| matches!(task.activity, Activity::Transfer { id, .. } if id == transfer))
    }

    pub(super) fn set_stage(&mut self, id: AssignmentId, stage: Stage, out: &mut Out) {
        if let Some(task) = self.task(id) {
            task.open.stage = stage.clone();
            task.activity = Activity::Idle;
            task.not_before = UnixMillis(0);
            task.failures = 0;
            out.record(Record::Stage { assignment: id, stage });
        }
    }

    /// Stops whatever is under way for an assignment.
    fn stop_activity(&mut self, id: AssignmentId, now: UnixMillis, out: &mut Out) {
        let Some(task) = self.task(id) else { return };
        task.shift = None;
        match std::mem::replace(&mut task.activity, Activity::Idle) {
            Activity::Transfer { id, .. } => out.effect(Effect::StopTransfer { transfer: id }),
            Activity::Preparing(lease) | Activity::Running(lease) => self.leases.revoke(lease, now, out),
            Activity::Idle | Activity::Told { .. } => {}
        }
    }

    /// Gives an assignment back to the network, which is told until it acknowledges it.
    pub(super) fn hand_back(&mut self, id: AssignmentId, reason: Fault, now: UnixMillis, out: &mut Out) {
        self.stop_activity(id, now, out);
        // What a person asked for says nothing of the work: it is asked for again at once when it may be.
        let by_person = ["worker_paused", "worker_stopped", "network_left", "models_not_served"]
            .contains(&reason.code.as_str());
        self.set_stage(id, Stage::HandingBack { reason }, out);
        out.effect(Effect::DropFiles { assignment: id });
        if !by_person && let Some(number) = self.task(id).map(|task| task.device()) {
            self.ask_later(number, now);
        }
    }

    /// Work was given back: the device asks for more a little later each time.
    pub(super) fn ask_later(&mut self, number: u32, now: UnixMillis) {
        if let Some(device) = self.devices.iter_mut().find(|device| device.info.index == number) {
            device.handed_back(now, &mut self.chance);
        }
    }

    /// An assignment is over; nothing more is done for it.
    pub(super) fn finish(&mut self, id: AssignmentId, stage: Stage, now: UnixMillis, out: &mut Out) {
        if self.task(id).is_none() {
            return;
        }
        self.stop_activity(id, now, out);
        self.set_stage(id, stage, out);
        self.tasks.retain(|task| task.id() != id);
        self.over.push_back(id);
        if self.over.len() > OVER_KEPT {
            self.over.pop_front();
        }
        out.effect(Effect::DropFiles { assignment: id });
    }

    /// The network gave work.
    pub(super) fn on_assign(
        &mut self,
        network: NetworkId,
        assignment: Assignment,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let id = assignment.id;
        if let Some(device) = self.device(assignment.device) {
            device.ask = Ask::Idle;
            device.standing = None;
        }
        if let Some(task) = self.task(id) {
            // Its answer was lost, or this is an echo: what the network was told is told again.
            if task.is_untold() {
                task.activity = Activity::Idle;
            }
            return;
        }
        if self.over.contains(&id) {
            if let Some(session) = self.link.up() {
                let reason = Fault::new("already_over", "This worker has put this assignment away already.");
                self.send(session, WorkerMessage::HandBack { assignment: id, reason }, out);
            }
            self.ask_later(assignment.device, now);
            return;
        }
        let refusal = self.reason_to_refuse(network, &assignment, now, out);
        let open = OpenAssignment { network, assignment, taken_at: now, stage: Stage::Fetching };
        out.record(Record::Taken { network, assignment: Box::new(open.assignment.clone()), at: now });
        self.tasks.push(Task::new(open));
        if let Some(reason) = refusal {
            self.hand_back(id, reason, now, out);
        }
    }

    /// Why an assignment cannot even be begun. The rest of the reasons is looked at when it is driven.
    fn reason_to_refuse(
        &mut self,
        network: NetworkId,
        assignment: &Assignment,
        now: UnixMillis,
        out: &mut Out,
    ) -> Option<Fault> {
        if assignment.deadline <= now {
            let fault = Fault::new(
                "clock_differs",
                "Work was past its deadline when it arrived; check that this computer's clock is right.",
            );
            self.notify_problem(&fault, now, out);
            return Some(fault);
        }
        if !self.kinds().any(|kind| *kind == assignment.kind) {
            return Some(Fault::new("kind_unknown", "No runtime of this worker runs this kind of job."));
        }
        let is_taken = self
            .tasks
            .iter()
            .any(|task| task.device() == assignment.device && task.open.network == network && task.is_work());
        is_taken.then(|| Fault::new("device_busy", "The device that it is for has an assignment already."))
    }
}

/// What the network is to be told of an assignment's end.
fn telling(open: &OpenAssignment) -> Option<WorkerMessage> {
    let assignment = open.assignment.id;
    match &open.stage {
        Stage::Reported { outputs, ran_ms, .. } => {
            Some(WorkerMessage::Report { assignment, outputs: outputs.clone(), ran_ms: *ran_ms })
        }
        Stage::HandingBack { reason } => Some(WorkerMessage::HandBack { assignment, reason: reason.clone() }),
        Stage::Fetching
        | Stage::Running
        | Stage::Uploading { .. }
        | Stage::Abandoned { .. }
        | Stage::Settled => None,
    }
}
