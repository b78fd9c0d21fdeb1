use lull_network_api::customer::JobState;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::WorkerId;

use super::rig::*;
use crate::engine::*;

/// How many tasks each of two customers got out of `turns`.
fn shares(rig: &mut Rig, workers: &[WorkerId], titles: [&str; 2]) -> [usize; 2] {
    let mut counts = [0; 2];
    for worker in workers {
        let got = rig.take(*worker).job_title;
        counts[titles.iter().position(|title| *title == got).unwrap()] += 1;
    }
    counts
}

#[test]
fn customers_take_turns_whatever_they_submit() {
    let mut rig = Rig::with_runtime(Policy::default());
    let (big, small) = (rig.customer(1), rig.customer(2));
    rig.job(big, "big", 40);
    rig.job(small, "small", 5);
    let workers: Vec<_> = (1..=20).map(|n| rig.worker(n)).collect();
    assert_eq!(shares(&mut rig, &workers[..10], ["big", "small"]), [5, 5]);
    assert_eq!(
        shares(&mut rig, &workers[10..], ["big", "small"]),
        [10, 0],
        "whoever has no work loses no turns"
    );
}

#[test]
fn long_deadlines_cost_turns() {
    let mut rig = Rig::with_runtime(Policy::default());
    let (long, short) = (rig.customer(1), rig.customer(2));
    let spec = rig.spec(long, "long", 20);
    rig.submit(long, JobSpec { task_deadline_ms: 3 * DEADLINE_MS, ..spec }).unwrap();
    rig.job(short, "short", 20);
    let workers: Vec<_> = (1..=16).map(|n| rig.worker(n)).collect();
    assert_eq!(shares(&mut rig, &workers, ["long", "short"]), [4, 12]);
}

#[test]
fn time_away_earns_no_claim() {
    let mut rig = Rig::with_runtime(Policy::default());
    let (busy, late) = (rig.customer(1), rig.customer(2));
    rig.job(busy, "busy", 40);
    let workers: Vec<_> = (1..=20).map(|n| rig.worker(n)).collect();
    for worker in &workers[..10] {
        rig.take(*worker);
    }
    rig.job(late, "late", 40);
    assert_eq!(shares(&mut rig, &workers[10..], ["busy", "late"]), [5, 5]);
}

#[test]
fn asking_again_gets_the_same_assignment() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    rig.job(customer, "job", 3);
    let worker = rig.worker(1);
    let first = rig.take(worker);
    assert_eq!(rig.take(worker), first);
    rig.connect(worker);
    assert_eq!(rig.take(worker), first, "over a new session, too");
    assert_eq!((first.task_count, first.customer_name.as_str()), (3, "customer 1"));
}

#[test]
fn each_device_has_its_own_assignment() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    rig.job(customer, "job", 3);
    let worker = key(1).worker_id();
    rig.connect(worker);
    let both = enrolment(vec![device(0, "amd"), device(1, "nvidia")], &[KIND]);
    rig.say(worker, WorkerMessage::Enrol(Box::new(both)));
    let want = |rig: &mut Rig, device| match rig.say(worker, WorkerMessage::WantWork { device }).pop() {
        Some(NetworkMessage::Assign(assignment)) => assignment.task_index,
        other => panic!("{other:?}"),
    };
    assert_eq!((want(&mut rig, 0), want(&mut rig, 1)), (0, 1));
    let none = rig.say(worker, WorkerMessage::WantWork { device: 2 });
    assert!(
        matches!(&none[..], [NetworkMessage::NoWork { device: 2, reason, .. }] if reason.code == "device_not_enrolled")
    );
}

#[test]
fn an_idle_worker_is_told_why() {
    let mut rig = Rig::with_runtime(Policy::default());
    let worker = rig.worker(1);
    assert_eq!(rig.idle(worker), "no_jobs");
    let customer = rig.customer(1);
    let spec = rig.spec(customer, "other kind", 1);
    rig.submit(customer, JobSpec { kind: "train/1".to_owned(), ..spec }).unwrap();
    assert_eq!(rig.idle(worker), "no_matching_kind");
    rig.job(customer, "job", 1);
    let first = rig.take(worker);
    let second = rig.worker(2);
    assert_eq!(rig.idle(second), "no_matching_kind");
    rig.hand_back(worker, first.id, "game_started");
    assert_eq!(rig.idle(worker), "tasks_for_others", "somebody else first");
    let first = rig.take(second);
    rig.hand_back(second, first.id, "task_fault");
    assert_eq!(rig.idle(worker), "tasks_backing_off");

    let stranger = key(9).worker_id();
    rig.connect(stranger);
    assert_eq!(rig.idle(stranger), "not_enrolled");
}

#[test]
fn whoever_waits_is_told_of_new_work() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let workers: Vec<_> = (1..=3).map(|n| rig.worker(n)).collect();
    for worker in &workers {
        rig.idle(*worker);
    }
    rig.job(customer, "job", 2);
    let told = workers.iter().filter(|w| rig.told(**w) == [NetworkMessage::WorkWaiting]).count();
    assert_eq!(told, 2, "as many as there are tasks");

    // A task that failed is called out when its back-off ends.
    let assignment = rig.take(workers[0]);
    let other = rig.take(workers[1]);
    rig.told(workers[2]);
    rig.hand_back(workers[0], assignment.id, "task_fault");
    rig.idle(workers[2]);
    rig.pass(500);
    assert_eq!(rig.told(workers[2]), []);
    rig.pass(600);
    assert_eq!(rig.told(workers[2]), [NetworkMessage::WorkWaiting]);
    rig.report(workers[1], &other, b"right");
}

#[test]
fn a_deadline_passes_and_the_task_goes_on() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let (slow, other) = (rig.worker(1), rig.worker(2));
    let late = rig.take(slow);
    rig.pass(DEADLINE_MS);
    assert_eq!(rig.told(slow), [], "the deadline itself is still in time");
    rig.pass(1);
    assert!(
        matches!(&rig.told(slow)[..], [NetworkMessage::Withdrawn { assignment, .. }] if *assignment == late.id)
    );
    assert_eq!(rig.idle(other), "tasks_backing_off");
    rig.pass(1_000);
    let again = rig.take(other);
    assert_eq!((again.task, again.id == late.id), (late.task, false));
    assert_eq!(refused(&rig.report(slow, &late, b"right")), "assignment_expired");
}

#[test]
fn hand_backs_count_only_where_they_blame_the_task() {
    // code, rounds, state afterwards
    let table = [
        ("game_started", 12, JobState::Running),
        ("device_lost", 12, JobState::Running),
        ("task_fault", 4, JobState::Running),
        ("task_fault", 5, JobState::Failed),
    ];
    for (code, rounds, state) in table {
        let mut rig = Rig::with_runtime(Policy::default());
        let customer = rig.customer(1);
        let spec = rig.spec(customer, "job", 2);
        // The task that is held must not expire meanwhile.
        let job = rig.submit(customer, JobSpec { task_deadline_ms: 3_600_000, ..spec }).unwrap();
        let workers: Vec<_> = (1..=rounds).map(|n| rig.worker(n)).collect();
        let held = rig.worker(100);
        let other = rig.take(held);
        assert_eq!(other.task_index, 0);
        for worker in &workers {
            let assignment = rig.take(*worker);
            assert_eq!(assignment.task_index, 1);
            let told = rig.hand_back(*worker, assignment.id, code);
            assert!(told.contains(&NetworkMessage::HandBackReceived { assignment: assignment.id }));
            assert_eq!(
                rig.hand_back(*worker, assignment.id, code),
                [NetworkMessage::HandBackReceived { assignment: assignment.id }],
                "a repetition changes nothing"
            );
            rig.pass(60_000);
        }
        let view = rig.job_view(job);
        assert_eq!(view.state, state, "{code} × {rounds}");
        if state == JobState::Failed {
            assert_eq!(view.fault.unwrap().code, "task_failed");
            assert_eq!(view.reserved.0, 0);
            assert_eq!(rig.funds(customer), DEPOSIT as i64, "all of it returned");
            assert!(matches!(&rig.told(held)[..], [NetworkMessage::Withdrawn { .. }]));
        }
    }
}

#[test]
fn what_was_given_back_comes_again_sooner_to_a_lone_worker() {
    // others connected, ms passed, whether it comes again
    for (others, ms, again) in [(0, 4_999, false), (0, 5_000, true), (1, 59_999, false), (1, 60_000, true)] {
        let mut rig = Rig::with_runtime(Policy::default());
        let customer = rig.customer(1);
        rig.job(customer, "job", 1);
        let worker = rig.worker(1);
        let assignment = rig.take(worker);
        rig.hand_back(worker, assignment.id, "device_lost");
        for other in 0..others {
            rig.worker(100 + other);
        }
        rig.pass(ms);
        if again {
            assert_eq!(rig.take(worker).task, assignment.task, "{others} others, {ms} ms");
        } else {
            assert_eq!(rig.idle(worker), "tasks_for_others", "{others} others, {ms} ms");
        }
    }
}

#[test]
fn a_lone_worker_brings_a_bad_task_to_its_end() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    for _ in 0..5 {
        let assignment = rig.take(worker);
        rig.hand_back(worker, assignment.id, "task_fault");
        rig.pass(10 * 60_000);
    }
    assert_eq!(rig.job_view(job).state, JobState::Failed);
}

#[test]
fn a_job_that_nobody_can_do_ends_by_its_age() {
    let mut rig = Rig::with_runtime(Policy::default());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    rig.pass(30 * 24 * 3_600_000);
    assert_eq!(rig.job_view(job).state, JobState::Running);
    rig.pass(1);
    let view = rig.job_view(job);
    assert_eq!((view.state, view.fault.unwrap().code.as_str()), (JobState::Failed, "job_too_old"));
    assert_eq!(rig.funds(customer), DEPOSIT as i64);
}

#[test]
fn an_expiry_that_ends_a_job_ends_its_other_tasks_once() {
    let mut rig = Rig::with_runtime(Policy { attempts_max: 1, ..Policy::default() });
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 3);
    for n in 1..=2 {
        let worker = rig.worker(n);
        rig.take(worker);
    }
    rig.pass(DEADLINE_MS + 1);
    let view = rig.job_view(job);
    assert_eq!((view.state, view.reserved.0), (JobState::Failed, 0));
    assert_eq!(rig.funds(customer), DEPOSIT as i64);
}
