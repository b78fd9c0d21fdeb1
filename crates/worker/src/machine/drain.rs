//! Putting work away: after a person turned it off, and before the process ends.

use std::time::Duration;

use lull_types::UnixMillis;

use super::Machine;
use super::effect::Effect;
use super::lease::Purpose;
use super::link::Practice;
use super::out::Out;
use super::record::Stage;

/// How long putting away may take. Outputs of a task leave a home line in seconds; longer, and a person who quits
/// thinks that the program hangs.
pub const DRAIN_TIME: Duration = Duration::from_secs(5);

/// Work is being put away until `deadline`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Drain {
    pub deadline: UnixMillis,
}

impl Machine {
    pub(super) fn begin_drain(&mut self, now: UnixMillis, out: &mut Out) {
        self.cancel_benchmark(now, out);
        if self.drain.is_none() {
            self.drain = Some(Drain { deadline: now.after(DRAIN_TIME) });
        }
    }

    /// Ends draining once everything is put away or its time is over. What the network could not be told is in
    /// the journal and is told when it is next heard.
    pub(super) fn drive_drain(&mut self, now: UnixMillis, out: &mut Out) {
        let Some(drain) = self.drain else { return };
        let network = self.network_id();
        let can_tell = self.link.up().is_some();
        let untold = self.tasks.iter().any(|task| {
            Some(task.open.network) == network
                && (task.is_untold() || matches!(task.open.stage, Stage::Uploading { .. }))
        });
        let done = self.leases.is_empty() && !(can_tell && untold);
        if !done && !out.due(drain.deadline, now) {
            return;
        }
        self.drain = None;
        self.hang_up(out);
        if self.shutting_down {
            if self.link.practice != Practice::Off {
                out.effect(Effect::StopPracticeNetwork);
                self.link.practice = Practice::Off;
            }
            self.exited = true;
            out.effect(Effect::Exit);
        }
    }

    /// Takes back every lease that nothing justifies any more.
    pub(super) fn drive_leases(&mut self, now: UnixMillis, out: &mut Out) {
        let waiting_benchmark = self.waiting_benchmark().is_some();
        self.count_interrupted();
        let revoked: Vec<_> = self
            .leases
            .active()
            .filter(|held| match held.purpose {
                Purpose::Benchmark => !self.may_go_on(held.lease.device) || self.shutting_down,
                Purpose::Run(_) | Purpose::Challenge(_) => {
                    let device = held.lease.device;
                    !self.may_go_on(device) || !self.works() || waiting_benchmark || !self.is_lent(device)
                }
            })
            .map(|held| held.lease.id)
            .collect();
        for lease in revoked {
            self.leases.revoke(lease, now, out);
        }
        // Nobody waits for the GPU while a process ends by itself, but for a guard it must hurry.
        let urgent: Vec<_> = self
            .leases
            .iter()
            .filter(|held| !self.may_go_on(held.lease.device))
            .map(|held| held.lease.id)
            .collect();
        for lease in urgent {
            self.leases.revoke(lease, now, out);
        }
    }
}
