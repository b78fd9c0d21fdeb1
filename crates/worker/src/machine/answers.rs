//! What the network answers about work and about assignments.

use std::time::Duration;

use lull_network_api::Standing;
use lull_types::{AssignmentId, Fault, UnixMillis};

use super::Machine;
use super::device::Ask;
use super::effect::Effect;
use super::out::Out;
use super::record::Stage;
use super::standing::heard;

/// The network says when to ask again; a wish below a second would be a loop, and above ten minutes a contributor
/// would look at an idle machine although `WorkWaiting` may have been lost.
pub const ASK_AGAIN_MIN: Duration = Duration::from_secs(1);
/// See [`ASK_AGAIN_MIN`].
pub const ASK_AGAIN_MAX: Duration = Duration::from_secs(600);

impl Machine {
    pub(super) fn on_no_work(
        &mut self,
        device: u32,
        reason: Fault,
        retry_after_ms: u64,
        standing: Standing,
        now: UnixMillis,
    ) {
        let is_up = self.link.up().is_some();
        if let Some(device) = self.device(device) {
            let wait = Duration::from_millis(retry_after_ms).clamp(ASK_AGAIN_MIN, ASK_AGAIN_MAX);
            device.ask = Ask::NoWork { until: now.after(wait), reason };
            device.standing = is_up.then(|| heard(standing, now));
        }
    }

    pub(super) fn on_work_waiting(&mut self) {
        for device in &mut self.devices {
            if matches!(device.ask, Ask::NoWork { .. }) {
                device.ask = Ask::Idle;
            }
        }
    }

    pub(super) fn on_report_received(&mut self, id: AssignmentId, out: &mut Out) {
        let Some(task) = self.task(id) else { return };
        if let Stage::Reported { outputs, ran_ms, acknowledged: false } = task.open.stage.clone() {
            self.set_stage(id, Stage::Reported { outputs, ran_ms, acknowledged: true }, out);
            out.effect(Effect::DropFiles { assignment: id });
        }
    }

    pub(super) fn on_hand_back_received(&mut self, id: AssignmentId, now: UnixMillis, out: &mut Out) {
        let Some(task) = self.task(id) else { return };
        if let Stage::HandingBack { reason } = task.open.stage.clone() {
            self.finish(id, Stage::Abandoned { reason }, now, out);
        }
    }

    pub(super) fn on_withdrawn(
        &mut self,
        id: AssignmentId,
        withdrawn: Fault,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(task) = self.task(id) else { return };
        let reason = match task.open.stage.clone() {
            // Why it was given back is what the contributor should read.
            Stage::HandingBack { reason } => reason,
            _ => withdrawn,
        };
        self.finish(id, Stage::Abandoned { reason }, now, out);
    }

    /// The network refused something about an assignment. Finished work is given up only when the refusal says
    /// that it no longer counts.
    pub(super) fn on_assignment_refused(
        &mut self,
        id: AssignmentId,
        fault: Fault,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let Some(task) = self.task(id) else { return };
        match task.open.stage.clone() {
            // A report that was acknowledged once is the network's to decide on; only its verdict ends it.
            Stage::Reported { acknowledged: true, .. } => {}
            // It is told again after a while, as if it had not been answered.
            _ if is_passing(&fault) => {}
            // The network has lost what it had stored. It is here until the report is acknowledged.
            Stage::Reported { outputs, ran_ms, acknowledged: false } if fault.code == OUTPUT_MISSING => {
                self.set_stage(id, Stage::Uploading { outputs, ran_ms }, out);
            }
            // The assignment is no longer this worker's, or never was.
            Stage::Fetching
            | Stage::Running
            | Stage::Uploading { .. }
            | Stage::Reported { .. }
            | Stage::HandingBack { .. }
            | Stage::Abandoned { .. }
            | Stage::Settled => self.on_withdrawn(id, fault, now, out),
        }
    }
}

/// The code with which a network refuses a report whose outputs it does not have.
const OUTPUT_MISSING: &str = "output_missing";

/// Whether a refusal is about the network's own state, such as a full disk, and not about what it was told. Such
/// codes begin with `network_`.
pub(super) fn is_passing(fault: &Fault) -> bool {
    fault.code.starts_with("network_")
}
