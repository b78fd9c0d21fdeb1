//! What runtimes and blob transfers say about an assignment.

use std::time::Duration;

use lull_network_api::WorkerMessage;
use lull_types::{AssignmentId, Fault, UnixMillis};
use lull_worker_api::ShiftView;

use super::Machine;
use super::backoff::{BackOff, LOCAL, SESSION};
use super::id::{LeaseId, TransferId};
use super::input::{ChallengeEnd, RunEnd, TransferFailure};
use super::lease::Purpose;
use super::out::Out;
use super::record::Stage;
use super::task::{Activity, rest_after};

/// The network and its customer are told of progress no more often than a person can follow.
pub const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

impl Machine {
    pub(super) fn on_run_started(&mut self, lease: LeaseId) {
        for task in &mut self.tasks {
            if task.activity == Activity::Preparing(lease) {
                task.activity = Activity::Running(lease);
            }
        }
    }

    pub(super) fn on_run_progress(&mut self, lease: LeaseId, fraction: f32, now: UnixMillis, out: &mut Out) {
        let session = self.link.up();
        let network = self.network_id();
        let Some(task) = self.tasks.iter_mut().find(|task| task.lease() == Some(lease)) else { return };
        task.activity = Activity::Running(lease);
        // Progress never goes back on screen, and a runtime that says nonsense moves nothing.
        if fraction.is_finite() {
            task.fraction = fraction.clamp(task.fraction, 1.0);
        }
        if let Some(session) = session
            && Some(task.open.network) == network
            && now >= task.progress_told_at.after(PROGRESS_INTERVAL)
        {
            task.progress_told_at = now;
            let message = WorkerMessage::Progress { assignment: task.id(), fraction: task.fraction };
            self.send(session, message, out);
        }
    }

    pub(super) fn on_shift_progress(&mut self, lease: LeaseId, shift: ShiftView) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.lease() == Some(lease)) {
            task.shift = Some(shift);
        }
    }

    pub(super) fn on_run_ended(&mut self, lease: LeaseId, end: RunEnd, now: UnixMillis, out: &mut Out) {
        let Some(held) = self.leases.get(lease).copied() else { return };
        let Purpose::Run(assignment) = held.purpose else { return };
        if held.ended {
            return;
        }
        self.leases.ended(lease, now);
        let Some(task) = self.task(assignment) else { return };
        if task.lease() != Some(lease) {
            // The assignment went another way meanwhile, such as back to the network.
            return;
        }
        task.activity = Activity::Idle;
        task.shift = None;
        let device = held.lease.device;
        match end {
            // Taken even if the lease was revoked meanwhile: the work is done, and reporting it needs no GPU.
            RunEnd::Done { outputs, ran_ms } => self.on_done(assignment, device, outputs, ran_ms, now, out),
            // What follows a revocation is its consequence and nobody's fault. The task runs again later.
            RunEnd::Cancelled | RunEnd::DeviceFault(_) | RunEnd::LocalFault(_) | RunEnd::GivenBack(_)
                if held.revoked => {}
            RunEnd::Cancelled => self.try_again(assignment, LOCAL, now),
            RunEnd::TaskFault(fault) => {
                if let Some(device) = self.device(device) {
                    device.worked();
                }
                self.hand_back(assignment, Fault::new("task_fault", fault.sentence), now, out);
            }
            RunEnd::DeviceFault(fault) => {
                self.on_device_loss(device, fault.clone(), now, out);
                self.hand_back(assignment, Fault::new("device_fault", fault.sentence), now, out);
            }
            RunEnd::LocalFault(fault) => self.on_local_fault(assignment, device, fault, now, out),
            RunEnd::GivenBack(reason) => self.hand_back(assignment, reason, now, out),
        }
    }

    fn on_done(
        &mut self,
        assignment: AssignmentId,
        device: u32,
        outputs: Vec<lull_types::BlobHash>,
        ran_ms: u64,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let rest = rest_after(self.settings.effort, Duration::from_millis(ran_ms));
        if let Some(device) = self.device(device) {
            device.worked();
            device.hand_backs = 0;
            device.rest_until = now.after(rest);
        }
        self.set_stage(assignment, Stage::Uploading { outputs, ran_ms }, out);
    }

    fn on_local_fault(
        &mut self,
        assignment: AssignmentId,
        device: u32,
        fault: Fault,
        now: UnixMillis,
        out: &mut Out,
    ) {
        self.notify_problem(&fault, now, out);
        if let Some(device) = self.devices.iter_mut().find(|d| d.info.index == device) {
            device.hindered(fault.clone(), now, &mut self.chance);
        }
        self.hand_back(assignment, Fault::new("local_fault", fault.sentence), now, out);
    }

    /// The process of a lease is gone.
    pub(super) fn on_freed(&mut self, lease: LeaseId, now: UnixMillis, out: &mut Out) {
        let Some(held) = self.leases.get(lease).copied() else { return };
        if !held.ended {
            let sentence = "The program that ran the task ended without a word.";
            let died = Fault::new("runtime_died", sentence);
            match held.purpose {
                Purpose::Benchmark => self.on_benchmark_ended(lease, Err(died), now, out),
                Purpose::Challenge(_) => {
                    self.on_challenge_ended(lease, ChallengeEnd::DeviceFault(died), now, out);
                }
                Purpose::Run(_) => self.on_run_ended(lease, RunEnd::DeviceFault(died), now, out),
            }
        }
        self.leases.freed(lease);
        self.benchmark.on_freed(lease);
    }

    /// What the stage needs failed for a passing reason.
    fn try_again(&mut self, assignment: AssignmentId, back_off: BackOff, now: UnixMillis) {
        if let Some(task) = self.tasks.iter_mut().find(|task| task.id() == assignment) {
            task.activity = Activity::Idle;
            task.failures += 1;
            task.not_before = now.after(back_off.wait(task.failures, &mut self.chance));
        }
    }

    pub(super) fn on_fetched(&mut self, transfer: TransferId, output_bytes: u64, out: &mut Out) {
        let Some(task) = self.task_of_transfer(transfer) else { return };
        task.output_bytes = Some(output_bytes);
        let id = task.id();
        if task.open.stage == Stage::Fetching {
            self.set_stage(id, Stage::Running, out);
        }
    }

    pub(super) fn on_uploaded(&mut self, transfer: TransferId, out: &mut Out) {
        let Some(task) = self.task_of_transfer(transfer) else { return };
        let id = task.id();
        if let Stage::Uploading { outputs, ran_ms } = task.open.stage.clone() {
            self.set_stage(id, Stage::Reported { outputs, ran_ms, acknowledged: false }, out);
        }
    }

    pub(super) fn on_transfer_failed(
        &mut self,
        transfer: TransferId,
        failure: TransferFailure,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(task) = self.task_of_transfer(transfer) else { return };
        task.activity = Activity::Idle;
        let (id, device) = (task.id(), task.device());
        let is_upload = matches!(task.open.stage, Stage::Uploading { .. });
        match failure {
            TransferFailure::Connection(_) => self.try_again(id, SESSION, now),
            // Finished work is not thrown away for a network that is in trouble. If the assignment is void the
            // network says so, and if not its deadline ends this.
            TransferFailure::Refused(_) if is_upload => self.try_again(id, LOCAL, now),
            TransferFailure::Refused(fault) => {
                self.hand_back(id, Fault::new("blobs_refused", fault.sentence), now, out);
            }
            TransferFailure::Task(fault) => {
                self.hand_back(id, Fault::new("task_fault", fault.sentence), now, out);
            }
            // The outputs are there and only reading them failed: the work is not thrown away for that.
            TransferFailure::Local(fault) if is_upload => {
                self.notify_problem(&fault, now, out);
                self.try_again(id, LOCAL, now);
            }
            TransferFailure::Local(fault) => self.on_local_fault(id, device, fault, now, out),
            // Asked for again later each time, as the next task may be as large.
            TransferFailure::OverDataCap(fault) => {
                self.hand_back(id, Fault::new("worker_paused", fault.sentence), now, out);
                self.ask_later(device, now);
            }
            TransferFailure::GivenBack(reason) => self.hand_back(id, reason, now, out),
            TransferFailure::FilesMissing(_) => {
                self.set_stage(id, Stage::Fetching, out);
                self.try_again(id, LOCAL, now);
            }
        }
    }
}
