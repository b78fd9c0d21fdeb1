//! Where a device stands that gets nothing: what keeps it from each task that waits, and who is called before it.

use lull_network_api::Exclusion::{self, *};
use lull_network_api::{COUNTED_MAX, NetworkMessage, Standing, WITHHELD_MAX, WorkerMessage};
use lull_types::{CustomerId, Fault, WorkerId};

use super::rig::*;
use super::timing::{conclude, timed};
use crate::engine::*;

/// Longer than counts of what waits for others are kept.
const COUNTS_KEPT_MS: u64 = 5_000;

fn withheld(rig: &mut Rig, worker: WorkerId) -> Vec<(u32, Exclusion)> {
    groups(rig.standing(worker, 0))
}

fn groups(standing: Standing) -> Vec<(u32, Exclusion)> {
    standing.withheld.into_iter().map(|group| (group.tasks, group.by)).collect()
}

fn job_of(rig: &mut Rig, customer: CustomerId, kind: &str, tasks: u32) {
    let spec = rig.spec(customer, kind, tasks);
    rig.submit(customer, JobSpec { kind: kind.to_owned(), price_per_task: lull_types::BaseUnits(1), ..spec })
        .unwrap();
}

#[test]
fn nothing_is_withheld_where_nothing_waits() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let (first, second) = (rig.worker(1), rig.worker(2));
    assert_eq!(rig.standing(first, 0), Standing { ahead: Some(0), withheld: Vec::new() });
    rig.job(customer, "job", 1);
    rig.take(first);
    assert_eq!(withheld(&mut rig, second), [], "what is being worked on does not wait");
}

#[test]
fn kinds_that_a_worker_does_not_run_are_counted_each() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let worker = rig.worker(1);
    job_of(&mut rig, customer, "store/1", 3);
    job_of(&mut rig, customer, "train/1", 5);
    let kinds = [(5, Kind("train/1".to_owned())), (3, Kind("store/1".to_owned()))];
    assert_eq!(withheld(&mut rig, worker), kinds);

    // Counts of what waits for others are a little old.
    job_of(&mut rig, customer, "prove/1", 9);
    assert_eq!(withheld(&mut rig, worker), kinds);
    rig.pass(COUNTS_KEPT_MS);
    assert_eq!(withheld(&mut rig, worker)[0], (9, Kind("prove/1".to_owned())));
}

#[test]
fn counting_ends_and_so_does_the_list() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let worker = rig.worker(1);
    job_of(&mut rig, customer, "a-kind/1", COUNTED_MAX + 1);
    for n in 0..WITHHELD_MAX + 4 {
        job_of(&mut rig, customer, &format!("kind/{n}"), 1);
    }
    let groups = withheld(&mut rig, worker);
    assert_eq!(groups.len(), WITHHELD_MAX);
    assert_eq!(groups[0], (COUNTED_MAX, Kind("a-kind/1".to_owned())));
}

#[test]
fn who_is_not_known_or_not_measured_is_kept_from_everything() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    rig.job(customer, "job", 4);
    job_of(&mut rig, customer, "store/1", 2);
    let worker = rig.worker(1);
    let unmeasured = rig.standing(worker, 1);
    assert_eq!(unmeasured.ahead, None, "it is not in line");
    assert_eq!(groups(unmeasured), [(4, NotMeasured), (2, Kind("store/1".to_owned()))]);
    let stranger = key(9).worker_id();
    rig.connect(stranger);
    assert_eq!(withheld(&mut rig, stranger), [(6, NotEnrolled)]);
}

#[test]
fn devices_that_are_being_timed_or_were_refuted_are_kept_from_their_kinds() {
    let mut rig = Rig::timing();
    let customer = rig.customer(1);
    rig.job(customer, "job", 4);
    job_of(&mut rig, customer, "store/1", 2);
    let worker = rig.worker(1);
    let other_kind = (2, Kind("store/1".to_owned()));
    assert_eq!(withheld(&mut rig, worker), [(4, BeingTimed), other_kind.clone()]);
    conclude(&mut rig, &TimingOutcome::Refuted(Fault::new("product_wrong", "it did not compute")));
    rig.pass(60_000);
    let refuted = Refuted { again_in_ms: 3_600_000 - 60_000 };
    assert_eq!(withheld(&mut rig, worker), [(4, refuted), other_kind]);
    rig.pass(3_600_000);
    assert_eq!(withheld(&mut rig, worker)[0], (4, BeingTimed));
    conclude(&mut rig, &timed(1.0));
    rig.take(worker);
}

#[test]
fn second_opinions_are_for_other_workers_of_the_class() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 2);
    let (reporter, stranger) = (rig.worker(1), rig.worker_of(2, "nvidia"));
    for _ in 0..2 {
        let assignment = rig.take(reporter);
        rig.report(reporter, &assignment, b"right");
    }
    assert_eq!(withheld(&mut rig, reporter), [(2, OwnReport)]);
    assert_eq!(withheld(&mut rig, stranger), [(2, DeviceClass)]);

    let second = rig.worker(3);
    let opinion = rig.take(second);
    rig.hand_back(second, opinion.id, "game_started");
    let opinion = rig.take(second);
    rig.report(second, &opinion, b"right");
    assert_eq!(withheld(&mut rig, second), [(1, TriedLately { again_in_ms: 59_999 })]);
    assert_eq!(withheld(&mut rig, reporter), [(1, OwnReport)]);
    rig.pass(COUNTS_KEPT_MS);
    assert_eq!(withheld(&mut rig, stranger), [(1, DeviceClass)]);
}

#[test]
fn a_device_that_is_timed_gets_no_second_opinion_either() {
    let mut rig = Rig::timing();
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let reporter = rig.worker(1);
    rig.idle(reporter);
    conclude(&mut rig, &timed(1.0));
    let assignment = rig.take(reporter);
    rig.trust(&[]);
    rig.report(reporter, &assignment, b"right");
    rig.pass(COUNTS_KEPT_MS);
    let (same, other) = (rig.worker(2), rig.worker_of(3, "nvidia"));
    assert_eq!(withheld(&mut rig, same), [(1, BeingTimed)]);
    assert_eq!(withheld(&mut rig, other), [(1, DeviceClass)]);
}

#[test]
fn what_a_worker_tried_goes_to_others_for_a_while() {
    // code, others connected, ms until it comes back
    let table = [
        ("game_started", 0, 5_000),
        ("game_started", 1, 60_000),
        // It backs off for a second besides, which is over sooner.
        ("task_fault", 1, 600_000),
    ];
    for (code, others, again_in_ms) in table {
        let mut rig = Rig::with_runtime(Policy::default());
        let customer = rig.customer(1);
        rig.job(customer, "job", 1);
        let worker = rig.worker(1);
        for other in 0..others {
            rig.worker(100 + other);
        }
        let assignment = rig.take(worker);
        rig.hand_back(worker, assignment.id, code);
        assert_eq!(withheld(&mut rig, worker), [(1, TriedLately { again_in_ms })], "{code}");
        rig.pass(2_000);
        let again_in_ms = again_in_ms - 2_000;
        assert_eq!(withheld(&mut rig, worker), [(1, TriedLately { again_in_ms })], "{code}");
        rig.pass(again_in_ms);
        assert_eq!(rig.take(worker).task, assignment.task, "{code}: told truly");
    }
}

#[test]
fn what_failed_for_anyone_backs_off_for_everyone() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    rig.job(customer, "job", 2);
    let (first, second, third) = (rig.worker(1), rig.worker(2), rig.worker(3));
    let (one, two) = (rig.take(first), rig.take(second));
    rig.hand_back(first, one.id, "task_fault");
    rig.pass(400);
    rig.hand_back(second, two.id, "task_fault");
    assert_eq!(withheld(&mut rig, third), [(2, BackingOff { again_in_ms: 600 })]);
    let of_first = [(1, TriedLately { again_in_ms: 599_600 }), (1, BackingOff { again_in_ms: 1_000 })];
    assert_eq!(withheld(&mut rig, first), of_first);
    rig.pass(600);
    rig.take(third);
}

#[test]
fn what_was_found_wrong_goes_to_others_for_good() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    let assignment = rig.take(worker);
    rig.report(worker, &assignment, b"wrong");
    rig.conclude(mismatch());
    rig.pass(24 * 3_600_000);
    assert_eq!(withheld(&mut rig, worker), [(1, FoundWrong)]);
}

#[test]
fn places_are_those_in_which_devices_are_called() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let workers: Vec<_> = (1..=4).map(|n| rig.worker(n)).collect();
    let order = [2, 0, 3, 1].map(|n| workers[n]);
    for (ahead, worker) in (0..).zip(order) {
        assert_eq!(rig.standing(worker, 0).ahead, Some(ahead));
        rig.pass(1_000);
    }
    // Asking again keeps the place.
    for (ahead, worker) in (0..).zip(order) {
        assert_eq!(rig.standing(worker, 0).ahead, Some(ahead));
    }
    rig.job(customer, "job", 2);
    let told = order.map(|worker| rig.told(worker) == [NetworkMessage::WorkWaiting]);
    assert_eq!(told, [true, true, false, false]);
    rig.take(order[0]);
    rig.take(order[1]);
    assert_eq!(rig.standing(order[3], 0).ahead, Some(1));

    // Whoever went away, or stopped asking, is before nobody.
    rig.disconnect(order[2]);
    assert_eq!(rig.standing(order[3], 0).ahead, Some(0));
    rig.pass(61_000);
    let late = rig.worker(9);
    assert_eq!(rig.standing(late, 0).ahead, Some(0));
    rig.pass(1);
    assert_eq!(rig.standing(order[3], 0).ahead, Some(1));
}

#[test]
fn only_devices_that_run_the_same_kinds_are_before_one() {
    let mut rig = Rig::with_runtime(Policy::default());
    let other = key(1).worker_id();
    rig.connect(other);
    let of_another_kind = enrolment(vec![device(0, "amd")], &["store/1"]);
    rig.say(other, WorkerMessage::Enrol(Box::new(of_another_kind)));
    assert_eq!(rig.standing(other, 0).ahead, Some(0));
    let worker = rig.worker(2);
    assert_eq!(rig.standing(worker, 0).ahead, Some(0));
}
