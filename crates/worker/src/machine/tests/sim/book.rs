//! The journal's reference model: what a restart gives back.

use std::collections::BTreeMap;

use lull_types::{AssignmentId, Guard, PayoutStage, UnixMillis};

use crate::machine::receipts::{COUNTERSIGNATURES_KEPT, QUARTER_MS};
use crate::machine::{Earned, NOTICES_KEPT, OVER_KEPT, OpenAssignment, Record, Restored, Stage};

/// Records applied so far.
#[derive(Debug, Default)]
pub struct Book {
    restored: Restored,
    stages: BTreeMap<AssignmentId, Stage>,
    /// Trips that hold.
    trips: BTreeMap<(Guard, Option<u32>), UnixMillis>,
    /// How many receipts each assignment has.
    pub paid: BTreeMap<AssignmentId, u32>,
}

impl Book {
    pub fn restore(&self) -> Restored {
        self.restored.clone()
    }

    pub fn stage(&self, id: AssignmentId) -> Option<&Stage> {
        self.stages.get(&id)
    }

    pub fn nonce(&self) -> u64 {
        self.restored.earned.values().map(|earned| earned.lane.nonce()).max().unwrap_or(0)
    }

    pub fn apply(&mut self, records: &[Record]) {
        for record in records {
            self.write(record);
        }
    }

    fn write(&mut self, record: &Record) {
        let kept = &mut self.restored;
        match record.clone() {
            Record::Intent(intent) => kept.intent = Some(intent),
            Record::Settings(settings) => kept.settings = settings,
            Record::Pauses(pauses) => kept.pauses = pauses,
            Record::TripBegan { trip, since } => {
                let key = (trip.guard(), trip.device());
                self.trips.insert(key, since);
            }
            Record::TripEnded { trip, since, until, .. } => {
                let begun = self.trips.remove(&(trip.guard(), trip.device()));
                assert_eq!(begun, Some(since), "a trip ends that began");
                assert!(since <= until);
            }
            Record::DataMoved { quarter, moved } => {
                let before = kept.data.insert(quarter, moved).unwrap_or_default();
                assert_eq!(before.max(moved), moved, "what is counted never goes down");
            }
            Record::Network(network) => kept.network = Some(network),
            Record::Wallet(wallet) => kept.wallet = wallet,
            Record::KeptWallet(wallet) => kept.kept_wallet = wallet,
            Record::Benchmark(report) => {
                kept.benchmarks.retain(|old| old.device.index != report.device.index);
                kept.benchmarks.push(*report);
                kept.benchmarks.sort_by_key(|report| report.device.index);
            }
            Record::Taken { network, assignment, at } => {
                assert!(!self.stages.contains_key(&assignment.id), "an assignment is taken once");
                self.stages.insert(assignment.id, Stage::Fetching);
                let stage = Stage::Fetching;
                kept.open.push(OpenAssignment { network, assignment: *assignment, taken_at: at, stage });
            }
            Record::Stage { assignment, stage } => self.write_stage(assignment, stage),
            Record::Verdict { assignment, .. } => {
                assert!(self.stages.contains_key(&assignment), "a verdict is about something taken");
            }
            Record::Receipt { receipt, lane, received_at } => {
                let signed = &receipt.signed;
                let (network, nonce) = (signed.receipt.network, signed.receipt.nonce);
                let earned = kept
                    .earned
                    .entry(network)
                    .or_insert_with(|| Earned::nothing(network, signed.receipt.worker));
                assert_eq!(earned.lane.nonce() + 1, nonce, "receipts are kept without gaps");
                assert_eq!(lane.nonce(), nonce);
                earned.lane = *lane;
                earned.receipts += 1;
                let sum = earned.by_quarter.entry(received_at.0 / QUARTER_MS).or_default();
                *sum = sum.plus(signed.leaf.amount).unwrap();
                earned.countersignatures.push((nonce, receipt.worker_signature));
                if earned.countersignatures.len() > COUNTERSIGNATURES_KEPT {
                    earned.countersignatures.remove(0);
                }
                *self.paid.entry(signed.leaf.assignment).or_default() += 1;
            }
            Record::Payout { network, payout } => {
                let told = kept.payouts.entry(network).or_default();
                let old = told.payouts.insert(payout.id, *payout);
                assert!(
                    old.is_none_or(|old| old.stage != PayoutStage::Confirmed),
                    "what is final is not written again"
                );
            }
            Record::PayoutStanding { network, standing } => {
                kept.payouts.entry(network).or_default().standing = Some(*standing);
            }
            Record::Energy { .. } | Record::Claim { .. } => {
                unreachable!("the machine knows no power and no chain")
            }
            Record::Notice(notice) => {
                assert!(kept.notices.last().is_none_or(|last| last.id < notice.id), "notices have an order");
                kept.notices.push(notice);
                if kept.notices.len() > NOTICES_KEPT {
                    kept.notices.remove(0);
                }
            }
        }
    }

    fn write_stage(&mut self, id: AssignmentId, stage: Stage) {
        let old = self.stages.insert(id, stage.clone()).expect("a stage is of something taken");
        assert!(may_follow(&old, &stage), "{stage:?} follows {old:?}");
        let open = &mut self.restored.open;
        if stage.is_over() {
            open.retain(|open| open.assignment.id != id);
            self.restored.over.push(id);
            if self.restored.over.len() > OVER_KEPT {
                self.restored.over.remove(0);
            }
        } else if let Some(open) = open.iter_mut().find(|open| open.assignment.id == id) {
            open.stage = stage;
        }
    }
}

/// The arrows of an assignment's life.
fn may_follow(old: &Stage, new: &Stage) -> bool {
    use Stage::{Abandoned, Fetching, HandingBack, Reported, Running, Settled, Uploading};
    match (old, new) {
        // Over is over.
        (Abandoned { .. } | Settled, _) => false,
        // The network's word ends anything.
        (_, Abandoned { .. } | Settled) => true,
        (Fetching, Running) | (Running, Uploading { .. }) => true,
        // Files were gone: the step before is done again. `Running` is fetched anew after a restart.
        (Running | Uploading { .. }, Fetching) | (Running, Running) => true,
        (Uploading { .. }, Reported { acknowledged: false, .. }) => true,
        // The network had lost the outputs.
        (Reported { acknowledged: false, .. }, Uploading { .. }) => true,
        (Reported { acknowledged: false, .. }, Reported { acknowledged: true, .. }) => true,
        (Fetching | Running | Uploading { .. }, HandingBack { .. }) => true,
        _ => false,
    }
}
