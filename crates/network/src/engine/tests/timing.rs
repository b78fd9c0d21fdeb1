//! Devices are timed before they get work.

use lull_checks::product::Product;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{BlobHash, Fault, WorkerId};

use super::rig::{Rig, TIMING_VALID_MS, device, enrolment};
use crate::engine::{Asked, Evidence, Finding, FoundOf, Input, MemoryFinding, Round, TimingOutcome};

pub(super) fn timed(gigaflops: f64) -> TimingOutcome {
    let product = Product { seed: [1; 32], side: 256, panels: 1 };
    let evidence = Evidence {
        product,
        root: BlobHash([2; 32]),
        rows: vec![3],
        vector_seed: [4; 32],
        elapsed_us: 5,
        round_trip_us: 6,
    };
    TimingOutcome::Timed { gigaflops, evidence, memory: MemoryFinding::NotClaimed }
}

/// Ends the timing that is under way, with the same outcome for all devices.
pub(super) fn conclude(rig: &mut Rig, outcome: &TimingOutcome) {
    conclude_each(rig, |_| outcome.clone());
}

/// Ends it, with an outcome for each worker.
pub(super) fn conclude_each(rig: &mut Rig, outcome: impl Fn(WorkerId) -> TimingOutcome) {
    let Round { account, asked, .. } = rig.timings.pop().expect("no timing was asked for");
    let found = asked.into_iter().map(|Asked { worker, session, claims }| {
        let finding = |claim| Finding { claim, outcome: outcome(worker) };
        FoundOf { worker, session, findings: claims.into_iter().map(finding).collect() }
    });
    rig.tell(Input::Timed { account, found: found.collect() }).unwrap();
}

/// The worker comes back in a new session; returns what it is told.
fn come_back(rig: &mut Rig, worker: WorkerId) -> Vec<NetworkMessage> {
    rig.connect(worker);
    let one = enrolment(vec![device(0, "amd")], &[super::rig::KIND]);
    rig.say(worker, WorkerMessage::Enrol(Box::new(one)))
}

pub(super) fn speeds(told: &[NetworkMessage]) -> Vec<(u32, f64)> {
    let timed = told.iter().filter_map(|message| match message {
        NetworkMessage::Timed { device, gigaflops, .. } => Some((*device, *gigaflops)),
        _ => None,
    });
    timed.collect()
}

fn rig() -> Rig {
    let mut rig = Rig::timing();
    let customer = rig.customer(1);
    rig.job(customer, "job", 10);
    rig
}

#[test]
fn work_comes_once_a_device_was_timed() {
    let mut rig = rig();
    let worker = rig.worker(1);
    assert_eq!(rig.idle(worker), "being_timed");
    assert_eq!(rig.idle(worker), "being_timed");
    assert_eq!(rig.timings.len(), 1, "it is asked for once");
    let claimed = rig.timings[0].asked[0].claims[0].gigaflops;
    conclude(&mut rig, &timed(claimed / 2.0));
    assert_eq!(speeds(&rig.told(worker)), [(0, claimed / 2.0)], "a claim above it is lowered");
    rig.take(worker);

    // It is believed for a while, in other sessions too, and then timed anew.
    assert_eq!(speeds(&come_back(&mut rig, worker)), [(0, claimed / 2.0)]);
    let assignment = rig.take(worker);
    rig.hand_back(worker, assignment.id, "paused");
    rig.pass(TIMING_VALID_MS);
    come_back(&mut rig, worker);
    assert_eq!(rig.idle(worker), "being_timed");
}

#[test]
fn a_claim_below_what_was_found_stands() {
    let mut rig = rig();
    let worker = rig.worker(1);
    rig.idle(worker);
    let claimed = rig.timings[0].asked[0].claims[0].gigaflops;
    conclude(&mut rig, &timed(claimed * 2.0));
    assert_eq!(speeds(&rig.told(worker)), [(0, claimed)]);
}

#[test]
fn all_devices_are_timed_at_once_and_wait_for_each_other() {
    let mut rig = rig();
    let worker = rig.worker(1);
    let two = enrolment(vec![device(0, "amd"), device(1, "amd")], &[super::rig::KIND]);
    rig.say(worker, WorkerMessage::Enrol(Box::new(two)));
    for device in [0, 1] {
        rig.say(worker, WorkerMessage::WantWork { device });
    }
    assert_eq!(rig.timings.len(), 1);
    assert_eq!(rig.timings[0].asked[0].claims.len(), 2);
    let not_now = TimingOutcome::NotNow(Fault::new("challenge_declined", "it is at work"));
    conclude(&mut rig, &not_now);
    assert_eq!(rig.idle(worker), "being_timed");
    assert!(rig.timings.is_empty(), "it is tried again, but not at once");
    rig.pass(5_000);
    assert_eq!(rig.idle(worker), "being_timed");
    conclude(&mut rig, &timed(1.0));
    assert_eq!(speeds(&rig.told(worker)).len(), 2);
    rig.take(worker);
}

#[test]
fn who_is_refuted_gets_no_work_for_an_hour() {
    let mut rig = rig();
    let worker = rig.worker(1);
    rig.idle(worker);
    conclude(&mut rig, &TimingOutcome::Refuted(Fault::new("product_wrong", "it did not compute")));
    assert_eq!(rig.idle(worker), "product_wrong");
    come_back(&mut rig, worker);
    assert_eq!(rig.idle(worker), "product_wrong", "a new session does not help");
    rig.pass(3_600_000);
    assert_eq!(rig.idle(worker), "being_timed");
    conclude(&mut rig, &timed(1.0));
    rig.take(worker);
}

#[test]
fn what_an_older_session_found_counts_for_nothing() {
    let mut rig = rig();
    let worker = rig.worker(1);
    rig.idle(worker);
    rig.connect(worker);
    conclude(&mut rig, &timed(1.0));
    assert_eq!(rig.idle(worker), "being_timed");
    assert_eq!(rig.timings.len(), 1, "the new session is timed itself");
}
