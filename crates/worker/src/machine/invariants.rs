//! What must hold after every input, whatever happened before it.

use std::collections::BTreeSet;

use lull_types::UnixMillis;
use lull_worker_api::StateView;

use super::Machine;
use super::lease::{CANCEL_GRACE, END_GRACE, Held, Hold, Purpose};
use super::record::Stage;
use super::task::Activity;

impl Machine {
    /// Checks every invariant of the machine. For tests; cheap enough to be called after each input.
    ///
    /// # Panics
    /// When one does not hold.
    pub fn assert_invariants(&self, now: UnixMillis) {
        self.assert_leases(now);
        self.assert_tasks();
        self.assert_standings();
        self.assert_power_limits();
        assert!(self.wake.is_none_or(|wake| wake > now), "a wake-up lies ahead, or what is due was not done");
        for (network, earned) in &self.earned {
            assert_eq!(earned.lane.nonce(), u64::from(earned.receipts), "receipts of {network} have no gap");
        }
        if let Some(wanted) = self.wallets.wanted {
            assert!(!self.is_unconfirmed(wanted), "no wallet is paid to whose words nobody may have");
        }
        assert!(!self.exited || self.drain.is_none(), "nothing is put away after the end");
    }

    fn assert_leases(&self, now: UnixMillis) {
        let state = self.state(now);
        let mut devices = BTreeSet::new();
        for held in self.leases.iter() {
            assert!(devices.insert(held.lease.device), "a device is leased once");
            match held.hold {
                Hold::Active => {
                    let may = match held.purpose {
                        Purpose::Benchmark => matches!(state, StateView::Benchmarking(_)),
                        // While one device is timed, another may work.
                        Purpose::Challenge(_) => {
                            matches!(state, StateView::Benchmarking(_) | StateView::Working { .. })
                        }
                        Purpose::Run(_) => matches!(state, StateView::Working { .. }),
                    };
                    assert!(may, "only Benchmarking and Working hold a lease, not {state:?}");
                    assert!(
                        self.policy.stand(Some(held.lease.device), now).lets_finish(),
                        "no lease is held while a guard is tripped"
                    );
                }
                Hold::Ending { since, kill_at } => {
                    assert!(now < kill_at, "what had time enough to end was killed");
                    assert!(kill_at <= since.after(END_GRACE.max(CANCEL_GRACE)), "the kill comes in time");
                    if !self.policy.stand(Some(held.lease.device), now).lets_finish() {
                        assert!(kill_at <= now.after(CANCEL_GRACE), "a guard makes it hurry");
                    }
                }
                Hold::Killed { since } => assert!(since <= now),
            }
        }
        let by_benchmark = self.leases.active().any(|held| held.purpose == Purpose::Benchmark);
        assert!(!by_benchmark || self.leases.iter().count() == 1, "a benchmark has the machine to itself");
    }

    fn assert_power_limits(&self) {
        for device in self.power_limits.wanted().keys() {
            let works = |held: &Held| held.lease.device == *device && matches!(held.purpose, Purpose::Run(_));
            assert!(self.leases.active().any(works), "a board is held to a limit only while it works");
        }
    }

    fn assert_tasks(&self) {
        let mut ids = BTreeSet::new();
        let mut busy = BTreeSet::new();
        for task in &self.tasks {
            assert!(ids.insert(task.id()), "an assignment is held once");
            assert!(!task.open.stage.is_over(), "what is over is not held");
            assert!(!self.over.contains(&task.id()), "what is over is not open");
            if task.is_work() {
                let place = (task.open.network, task.device());
                assert!(busy.insert(place), "a device does one assignment at a time");
            }
            match task.activity {
                Activity::Idle => {}
                Activity::Transfer { .. } => {
                    let moves = matches!(task.open.stage, Stage::Fetching | Stage::Uploading { .. });
                    assert!(moves, "blobs move only in Fetching and Uploading");
                }
                Activity::Preparing(lease) | Activity::Running(lease) => {
                    assert_eq!(task.open.stage, Stage::Running, "only Running holds a lease");
                    let held = self.leases.get(lease).map(|held| (held.purpose, held.lease.device));
                    assert_eq!(held, Some((Purpose::Run(task.id()), task.device())), "its lease is held");
                }
                Activity::Told { .. } => {
                    let told = matches!(task.open.stage, Stage::Reported { .. } | Stage::HandingBack { .. });
                    assert!(told, "only what is untold is told");
                }
            }
        }
    }
}
