//! What happened in a run, and in many.

use crate::model::Verdicts;

/// What happened, so that a simulation in which nothing happens is noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub verdicts: Verdicts,
    pub commits: u64,
    pub inputs: u64,
    pub network_crashes: u64,
    pub worker_crashes: u64,
    pub lost: u64,
    pub doubled: u64,
    pub jobs_done: u64,
    pub jobs_failed: u64,
    pub jobs_withdrawn: u64,
    pub paid_out: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Self) {
        self.verdicts.accepted += other.verdicts.accepted;
        self.verdicts.accepted_wrong += other.verdicts.accepted_wrong;
        self.verdicts.rejected += other.verdicts.rejected;
        self.verdicts.inconclusive += other.verdicts.inconclusive;
        self.commits += other.commits;
        self.inputs += other.inputs;
        self.network_crashes += other.network_crashes;
        self.worker_crashes += other.worker_crashes;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.jobs_done += other.jobs_done;
        self.jobs_failed += other.jobs_failed;
        self.jobs_withdrawn += other.jobs_withdrawn;
        self.paid_out += other.paid_out;
    }

    pub fn assert_that_everything_happened(&self) {
        let Verdicts { accepted, rejected, inconclusive, .. } = self.verdicts;
        let all = [
            accepted,
            rejected,
            inconclusive,
            self.network_crashes,
            self.worker_crashes,
            self.lost,
            self.doubled,
        ];
        assert!(all.iter().all(|count| *count > 20), "{self:?}");
        let jobs = [self.jobs_done, self.jobs_failed, self.jobs_withdrawn, self.paid_out];
        assert!(jobs.iter().all(|count| *count > 20), "{self:?}");
        // Cheats are caught while they are few: nearly all that was accepted was right.
        assert!(self.verdicts.accepted_wrong * 20 < accepted, "{self:?}");
    }
}
