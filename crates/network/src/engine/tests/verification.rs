use lull_network_api::customer::JobState;
use lull_network_api::{NetworkMessage, Verdict};
use lull_types::Fault;

use super::rig::*;
use crate::engine::*;
use crate::store::queries;

#[test]
fn newcomers_are_checked_and_the_proven_by_sample() {
    let mut rig = Rig::with_runtime(Policy { newcomer_tasks: 3, ..Policy::default() });
    let customer = rig.customer(1);
    rig.job(customer, "job", 200);
    let worker = rig.worker(1);
    let mut checked = Vec::new();
    for _ in 0..200 {
        let assignment = rig.take(worker);
        let told = rig.report(worker, &assignment, b"right");
        checked.push(verdicts(&told).is_empty());
        if verdicts(&told).is_empty() {
            rig.conclude(CheckOutcome::Match);
            assert_eq!(verdicts(&rig.told(worker)), [accepted(true)]);
        } else {
            assert_eq!(verdicts(&told), [accepted(false)]);
        }
    }
    assert_eq!(checked[..3], [true; 3]);
    let sampled = checked[60..].iter().filter(|c| **c).count();
    // 140 draws at 5 %: seven expected, and outside of 1..=20 less than once in a thousand seeds.
    assert!((1..=20).contains(&sampled), "{sampled}");
}

#[test]
fn a_rejection_is_remembered() {
    let mut rig = Rig::with_runtime(Policy { newcomer_tasks: 0, ..Policy::default() });
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 200);
    let worker = rig.worker(1);
    let mut rejected = 0;
    for _ in 0..200 {
        let assignment = rig.take(worker);
        let unchecked = !verdicts(&rig.report(worker, &assignment, b"wrong")).is_empty();
        if rejected > 0 {
            assert!(!unchecked, "every later report is checked");
        }
        if !unchecked {
            rejected += 1;
            rig.conclude(mismatch());
            let told = rig.told(worker);
            let [Verdict::Rejected { expected, actual, difference }] = &verdicts(&told)[..] else {
                panic!("{told:?}")
            };
            assert_eq!((expected.len(), actual.len(), difference.as_str()), (1, 1, "it differs"));
        }
    }
    assert!(rejected > 100, "{rejected}");
    assert_eq!(rig.job_view(job).state, JobState::Running, "that a worker cheats is not held against a job");
    assert_eq!(rig.idle(worker), "tasks_for_others");
}

#[test]
fn without_a_runtime_a_second_worker_of_the_class_checks() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    let (first, second, stranger) = (rig.worker(1), rig.worker(2), rig.worker_of(3, "nvidia"));
    let a = rig.take(first);
    assert_eq!(rig.idle(second), "all_placed");
    rig.told(second);
    assert_eq!(verdicts(&rig.report(first, &a, b"right")), []);
    assert_eq!(rig.told(second), [NetworkMessage::WorkWaiting]);
    assert_eq!(rig.idle(first), "all_placed", "never the same worker twice");
    assert_eq!(rig.idle(stranger), "all_placed", "never another class");
    let b = rig.take(second);
    assert_eq!((b.task, b.price), (a.task, a.price));
    let told = rig.report(second, &b, b"right");
    assert_eq!(verdicts(&told), [accepted(true)], "equal hashes need no comparison");
    assert_eq!(verdicts(&rig.told(first)), [accepted(true)]);
    assert_eq!((rig.earned(first)[0], rig.earned(second)[0]), (100, 100), "both are paid");
    let view = rig.job_view(job);
    assert_eq!((view.state, view.spent.0), (JobState::Done, PRICE), "the customer pays once");
    assert_eq!(rig.funds(customer), (DEPOSIT - PRICE) as i64);
    assert_eq!(queries::sums(&rig.connection).unwrap().treasury, -(PRICE as i64));
}

#[test]
fn two_that_differ_within_the_tolerance_agree() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let (first, second) = (rig.worker(1), rig.worker(2));
    let a = rig.take(first);
    rig.report(first, &a, b"right");
    let b = rig.take(second);
    rig.report(second, &b, b"nearly right");
    let [check] = &rig.checks[..] else { panic!("{:?}", rig.checks) };
    assert!(matches!(&check.against, Against::Outputs(outputs) if outputs.len() == 1));
    rig.conclude(CheckOutcome::Match);
    assert_eq!(verdicts(&rig.told(first)), [accepted(true)]);
    assert_eq!(verdicts(&rig.told(second)), [accepted(true)]);
}

/// What two and then three reports lead to: whether the third agrees with the first and with the second, and
/// the verdicts of the three.
#[test]
fn a_third_decides_between_two() {
    let agrees = || CheckOutcome::Match;
    let table = [
        (agrees(), agrees(), "aaa", JobState::Done),
        (agrees(), mismatch(), "ara", JobState::Done),
        (mismatch(), agrees(), "raa", JobState::Done),
        (mismatch(), mismatch(), "iii", JobState::Running),
    ];
    for (with_first, with_second, expected, state) in table {
        let mut rig = Rig::new(strict());
        let customer = rig.customer(1);
        let job = rig.job(customer, "job", 1);
        let workers = [rig.worker(1), rig.worker(2), rig.worker(3)];
        for (worker, bytes) in workers.iter().zip([b"1", b"2"]) {
            let assignment = rig.take(*worker);
            rig.report(*worker, &assignment, bytes);
        }
        rig.conclude(mismatch());
        assert_eq!(rig.idle(workers[0]), "all_placed");
        let assignment = rig.take(workers[2]);
        rig.report(workers[2], &assignment, b"3");
        let [first, second] = &rig.checks[..] else { panic!("{:?}", rig.checks) };
        let [first, second] = [first.check, second.check];
        rig.tell(Input::CheckEnded { check: second, outcome: with_second }).unwrap();
        rig.tell(Input::CheckEnded { check: first, outcome: with_first }).unwrap();
        let found: String = workers
            .iter()
            .map(|worker| match &verdicts(&rig.told(*worker))[..] {
                [Verdict::Accepted { checked: true, .. }] => 'a',
                [Verdict::Rejected { .. }] => 'r',
                [Verdict::Inconclusive { .. }] => 'i',
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(found, expected);
        assert_eq!(rig.job_view(job).state, state);
        let paid = workers.iter().map(|w| rig.earned(*w)[0]).sum::<i64>();
        assert_eq!(paid, 100 * expected.matches('a').count() as i64);
    }
}

#[test]
fn checks_move_between_the_runtime_and_second_workers() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let (first, second) = (rig.worker(1), rig.worker(2));
    let a = rig.take(first);
    rig.report(first, &a, b"right");
    let asked = rig.checks[0].clone();
    assert_eq!(asked.against, Against::TrustedRuntime);
    rig.trust(&[KIND]);
    assert_eq!(rig.checks, std::slice::from_ref(&asked), "asked again, the same");

    rig.trust(&[]);
    assert_eq!(rig.checks, []);
    rig.tell(Input::CheckEnded { check: asked.check, outcome: mismatch() }).unwrap();
    assert_eq!(verdicts(&rig.told(first)), [], "the void check counts for nothing");
    rig.trust(&[KIND]);
    assert_eq!(rig.checks.len(), 1, "nobody had taken it, so the runtime checks after all");
    rig.trust(&[]);
    let b = rig.take(second);
    rig.trust(&[KIND]);
    assert_eq!(rig.checks, [], "a second worker has it");
    rig.report(second, &b, b"nearly right");
    rig.conclude(CheckOutcome::Match);
    assert_eq!(verdicts(&rig.told(first)), [accepted(true)]);
}

#[test]
fn a_runtime_settles_what_two_workers_could_not() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    let (first, second) = (rig.worker(1), rig.worker(2));
    for (worker, bytes) in [(first, b"wrong"), (second, b"right")] {
        let assignment = rig.take(worker);
        rig.report(worker, &assignment, bytes);
    }
    rig.conclude(mismatch());
    rig.trust(&[KIND]);
    let checks = rig.checks.clone();
    assert_eq!(checks.len(), 2);
    rig.tell(Input::CheckEnded { check: checks[0].check, outcome: mismatch() }).unwrap();
    assert_eq!(verdicts(&rig.told(first)), []);
    rig.tell(Input::CheckEnded { check: checks[1].check, outcome: CheckOutcome::Match }).unwrap();
    assert!(matches!(verdicts(&rig.told(first))[..], [Verdict::Rejected { .. }]));
    assert_eq!(verdicts(&rig.told(second)), [accepted(true)]);
    assert_eq!(rig.job_view(job).state, JobState::Done);
    assert_eq!(queries::sums(&rig.connection).unwrap().treasury, 0, "one report, one payment");
}

#[test]
fn a_check_that_fails_is_tried_again_and_then_given_up() {
    let failed =
        |task_at_fault| CheckOutcome::Failed { fault: Fault::new("device_lost", "lost"), task_at_fault };
    for (task_at_fault, tries) in [(false, 3), (true, 1)] {
        let mut rig = Rig::with_runtime(strict());
        let customer = rig.customer(1);
        let job = rig.job(customer, "job", 1);
        let worker = rig.worker(1);
        let assignment = rig.take(worker);
        rig.report(worker, &assignment, b"right");
        for _ in 0..tries {
            assert_eq!(verdicts(&rig.told(worker)), []);
            rig.conclude(failed(task_at_fault));
        }
        assert!(matches!(&verdicts(&rig.told(worker))[..], [Verdict::Inconclusive { .. }]));
        assert_eq!(rig.checks, []);
        assert_eq!(rig.job_view(job).state, JobState::Running);
        rig.pass(1_000);
        assert_eq!(rig.take(worker).task, assignment.task, "nothing is held against the worker");
    }
}

#[test]
fn a_second_worker_that_never_comes_leaves_it_undecided() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    for _ in 0..5 {
        let assignment = rig.take(worker);
        rig.report(worker, &assignment, b"right");
        rig.pass(24 * 3_600_000 + 1);
        assert!(matches!(&verdicts(&rig.told(worker))[..], [Verdict::Inconclusive { .. }]));
        rig.pass(60_000);
    }
    assert_eq!(rig.job_view(job).state, JobState::Failed, "every job ends");
    assert_eq!(rig.funds(customer), DEPOSIT as i64);
}

#[test]
fn a_second_worker_that_vanishes_is_replaced() {
    let mut rig = Rig::new(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let (first, lost, gamer, third) = (rig.worker(1), rig.worker(2), rig.worker(3), rig.worker(4));
    let a = rig.take(first);
    rig.report(first, &a, b"right");
    rig.take(lost);
    rig.pass(DEADLINE_MS + 1);
    let b = rig.take(gamer);
    rig.hand_back(gamer, b.id, "game_started");
    let c = rig.take(third);
    assert_eq!(verdicts(&rig.report(third, &c, b"right")), [accepted(true)]);
    assert_eq!(verdicts(&rig.told(first)), [accepted(true)]);
}
