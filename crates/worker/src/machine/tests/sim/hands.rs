//! The worker's hands: runtimes that run, die and ignore, and blobs that move or do not.

use lull_guards::{DataRoom, data_need};
use lull_types::{AssignmentId, PowerLimit};

use super::super::fixture::{fault, outputs, report};
use super::world::{Event, World};
use crate::machine::{ChallengeEnd, Input, Lease, LeaseId, RunEnd, SessionId, TransferFailure, TransferId};

/// The process of a lease.
#[derive(Debug)]
pub struct Process {
    lease: Lease,
    /// Whether it does not follow a cancel.
    deaf: bool,
    ending: bool,
}

impl World {
    pub fn run_benchmark(&mut self, lease: Lease) {
        let Lease { id, device } = lease;
        let deaf = self.happens(0.3);
        self.processes.insert(id, Process { lease, deaf, ending: false });
        let took = self.between(500, 3000);
        let outcome =
            if self.happens(0.1) { Err(fault("device_lost")) } else { Ok(Box::new(report(device))) };
        if !self.happens(0.05) {
            self.tell(took, Input::BenchmarkEnded { lease: id, outcome });
        }
        self.later(took + 40, Event::Worker { life: self.life, input: Input::Freed { lease: id } });
    }

    pub fn answer_challenge(&mut self, lease: Lease) {
        let busy = self.processes.values().any(|process| process.lease.device == lease.device);
        assert!(!busy, "a device does one thing");
        let id = lease.id;
        let deaf = self.happens(0.3);
        self.processes.insert(id, Process { lease, deaf, ending: false });
        let took = self.between(1000, 5000);
        let end = if self.happens(0.1) {
            ChallengeEnd::DeviceFault(fault("device_lost"))
        } else if self.happens(0.2) {
            ChallengeEnd::BrokenOff
        } else {
            ChallengeEnd::Answered
        };
        if !self.happens(0.05) {
            self.tell(took, Input::ChallengeEnded { lease: id, end });
        }
        self.tell(took + 40, Input::Freed { lease: id });
    }

    pub fn run_task(&mut self, lease: Lease, assignment: AssignmentId, task: lull_types::TaskId) {
        assert!(self.fetched.contains(&assignment), "a run needs its blobs");
        self.tally.runs += 1;
        let busy = self.processes.values().any(|process| process.lease.device == lease.device);
        assert!(!busy, "a device runs one thing");
        let id = lease.id;
        let deaf = self.happens(0.3);
        self.processes.insert(id, Process { lease, deaf, ending: false });
        let started = self.between(20, 300);
        let took = started + self.between(200, 6000);
        self.tell(started, Input::RunStarted { lease: id });
        self.tell(started + (took - started) / 2, Input::RunProgress { lease: id, fraction: 0.5 });
        let end = if self.network.poisoned.contains(&task.0.as_u128()) {
            Some(RunEnd::TaskFault(fault("shader_invalid")))
        } else if self.happens(0.1) {
            Some(RunEnd::DeviceFault(fault("device_lost")))
        } else if self.happens(0.05) {
            Some(RunEnd::LocalFault(fault("disk_full")))
        } else if self.happens(0.02) {
            Some(RunEnd::GivenBack(fault("model_too_large")))
        } else if self.happens(0.05) {
            // It dies without a word.
            None
        } else {
            Some(RunEnd::Done { outputs: outputs(task), ran_ms: took - started })
        };
        if let Some(end) = end {
            if matches!(end, RunEnd::Done { .. }) {
                self.rendered.insert(assignment);
            }
            self.tell(took, Input::RunEnded { lease: id, end });
        }
        let after = self.between(1, 100);
        self.tell(took + after, Input::Freed { lease: id });
    }

    /// Holds a board to a ceiling, or says why it cannot.
    pub fn hold_to(&mut self, device: u32, ceiling_watts: Option<u16>) {
        let limit = match ceiling_watts {
            Some(watts) => {
                self.tally.lowered += 1;
                self.ceilings.insert(device, watts);
                if self.happens(0.05) {
                    PowerLimit::NotPermitted
                } else if self.happens(0.1) {
                    PowerLimit::Failed { fault: fault("power_limit_refused") }
                } else {
                    PowerLimit::Lowered { watts, former_watts: 320 }
                }
            }
            None => {
                self.ceilings.remove(&device);
                PowerLimit::Own { watts: 320 }
            }
        };
        // A driver that hangs tells seconds later, when something else is wanted.
        let delay = if self.happens(0.1) { self.between(1000, 9000) } else { self.between(1, 40) };
        self.tell(delay, Input::PowerLimit { device, limit });
    }

    pub fn cancel(&mut self, lease: LeaseId) {
        let Some(process) = self.processes.get_mut(&lease) else {
            self.tell(1, Input::Freed { lease });
            return;
        };
        if process.deaf || process.ending {
            return;
        }
        process.ending = true;
        let delay = self.between(1, 140);
        self.tell(delay, Input::RunEnded { lease, end: RunEnd::Cancelled });
        self.tell(delay, Input::Freed { lease });
    }

    pub fn fetch(
        &mut self,
        transfer: TransferId,
        session: SessionId,
        assignment: AssignmentId,
        room: &DataRoom,
    ) {
        let delay = self.between(5, 800);
        let input = if self.session.is_none_or(|(open, ..)| open != session) || self.happens(0.1) {
            let failure = TransferFailure::Connection(fault("connection_broken"));
            Input::FetchFailed { transfer, failure }
        } else if self.happens(0.03) {
            Input::FetchFailed { transfer, failure: TransferFailure::Local(fault("disk_full")) }
        } else if !room.holds(data_need(1_000_000, 10_000_000)) {
            Input::FetchFailed { transfer, failure: TransferFailure::OverDataCap(fault("data_cap_reached")) }
        } else if !self.fetched.contains(&assignment) && !self.network.gives_blobs(assignment) {
            Input::FetchFailed { transfer, failure: TransferFailure::Refused(fault("not_yours")) }
        } else {
            self.fetched.insert(assignment);
            Input::Fetched { transfer, output_bytes: 10_000_000 }
        };
        self.tell(delay, input);
    }

    pub fn upload(
        &mut self,
        transfer: TransferId,
        session: SessionId,
        assignment: AssignmentId,
        hashes: &[lull_types::BlobHash],
    ) {
        let delay = self.between(5, 1500);
        let input = if !self.rendered.contains(&assignment) {
            Input::UploadFailed { transfer, failure: TransferFailure::FilesMissing(fault("files_missing")) }
        } else if self.session.is_none_or(|(open, ..)| open != session) || self.happens(0.1) {
            let failure = TransferFailure::Connection(fault("connection_broken"));
            Input::UploadFailed { transfer, failure }
        } else if self.network.store(assignment, hashes) {
            Input::Uploaded { transfer }
        } else {
            Input::UploadFailed { transfer, failure: TransferFailure::Refused(fault("not_yours")) }
        };
        self.tell(delay, input);
    }

    /// Whether an input that was under way still comes: a process that is gone says nothing more, and its end
    /// is told once.
    pub fn is_still_said(&mut self, input: &Input) -> bool {
        match input {
            Input::Freed { lease } => {
                self.processes.remove(lease);
                self.freed.insert((self.life, *lease))
            }
            Input::RunStarted { lease }
            | Input::RunProgress { lease, .. }
            | Input::ShiftProgress { lease, .. }
            | Input::RunEnded { lease, .. }
            | Input::ChallengeEnded { lease, .. }
            | Input::BenchmarkEnded { lease, .. } => !self.freed.contains(&(self.life, *lease)),
            _ => true,
        }
    }
}
