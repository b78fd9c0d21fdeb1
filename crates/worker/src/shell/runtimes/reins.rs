//! What the machine wants of a process while it works: a pace, a cancel, a kill.

use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_runtime_api::host::{Running, RuntimeProcess};
use tokio::sync::watch;

use super::{Holding, Revoked};
use crate::machine::{Input, LeaseId};

/// Progress is shown to people; more than ten a second is lost on them.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// What a process is to do about its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pull {
    /// It was asked to stop, and will end by itself. Told once.
    Cancelled,
    /// It is to be killed at once.
    Kill,
}

/// How the machine leads a process that works.
pub(super) struct Reins<'a> {
    holding: &'a Holding,
    process: &'a RuntimeProcess,
    paces: watch::Receiver<u8>,
    pace: u8,
    cancelled: bool,
}

impl Reins<'_> {
    /// Passes paces and a cancel on until the work is to end. Safe to cancel.
    pub async fn pulled(&mut self) -> Pull {
        loop {
            let wanted = *self.paces.borrow_and_update();
            if wanted != self.pace {
                self.pace = wanted;
                self.process.pace(wanted);
            }
            tokio::select! {
                biased;
                () = self.holding.kill.cancelled() => return Pull::Kill,
                () = self.holding.cancel.cancelled(), if !self.cancelled => {
                    self.cancelled = true;
                    self.process.cancel();
                    return Pull::Cancelled;
                }
                // A holder that is gone has no other pace any more.
                Ok(()) = self.paces.changed() => {}
            }
        }
    }
}

impl Holding {
    pub(super) fn reins<'a>(&'a self, process: &'a RuntimeProcess) -> Reins<'a> {
        // What was told before the process was there counts too.
        Reins { holding: self, process, paces: self.paces.clone(), pace: 100, cancelled: false }
    }

    /// Passes progress on until it ends or the process is killed. A cancel is passed on and waited for.
    pub(super) async fn watch(
        &self,
        process: &RuntimeProcess,
        activity: &mut impl Activity,
    ) -> Result<(), Revoked> {
        let mut told_at: Option<Instant> = None;
        let mut reins = self.reins(process);
        loop {
            let event = tokio::select! {
                biased;
                pull = reins.pulled() => match pull {
                    Pull::Cancelled => continue,
                    Pull::Kill => {
                        process.kill().await;
                        return Err(Revoked);
                    }
                },
                event = activity.progress() => event,
            };
            let Some(event) = event else { return Ok(()) };
            if told_at.is_some_and(|at| at.elapsed() < PROGRESS_INTERVAL) {
                continue;
            }
            if let Some(input) = progress(self.lease.id, &event) {
                told_at = Some(Instant::now());
                self.context.tell(input).await;
            }
        }
    }
}

/// What tells of its progress: a benchmark or a run.
pub(super) trait Activity {
    async fn progress(&mut self) -> Option<RuntimeEvent>;
}

impl Activity for Running {
    async fn progress(&mut self) -> Option<RuntimeEvent> {
        Running::progress(self).await
    }
}

fn progress(lease: LeaseId, event: &RuntimeEvent) -> Option<Input> {
    match event {
        RuntimeEvent::BenchmarkProgress { measure, fraction, value_so_far } => {
            Some(Input::BenchmarkProgress {
                lease,
                measure: *measure,
                fraction: *fraction,
                value_so_far: *value_so_far,
            })
        }
        RuntimeEvent::RunProgress { fraction } => Some(Input::RunProgress { lease, fraction: *fraction }),
        RuntimeEvent::Measured(_)
        | RuntimeEvent::Hello(_)
        | RuntimeEvent::Devices(_)
        | RuntimeEvent::BenchmarkEnded(_)
        | RuntimeEvent::RunEnded(_)
        | RuntimeEvent::ChallengeAnswered(_)
        | RuntimeEvent::Serving(_)
        | RuntimeEvent::ServingEnded(_)
        | RuntimeEvent::Refused(_) => None,
    }
}
