use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{AssignmentId, BlobHash, Signature, UnixMillis};

use super::rig::*;
use crate::engine::*;

fn report(assignment: AssignmentId, outputs: Vec<BlobHash>) -> WorkerMessage {
    WorkerMessage::Report { assignment, outputs, ran_ms: 1 }
}

#[test]
fn reports_that_do_not_fit_change_nothing() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let (worker, thief) = (rig.worker(1), rig.worker(2));
    let assignment = rig.take(worker);
    let id = assignment.id;
    let right = rig.put_by(BlobOwner::Worker(worker), b"right");
    let stolen = rig.put_by(BlobOwner::Worker(thief), b"stolen");
    let unknown = AssignmentId::from_parts(UnixMillis(0), &[0; 10]);
    for (who, message, code) in [
        (thief, report(id, vec![stolen]), "assignment_not_yours"),
        (
            thief,
            WorkerMessage::HandBack { assignment: id, reason: lull_types::Fault::new("a", "b") },
            "assignment_not_yours",
        ),
        (worker, report(unknown, vec![right]), "assignment_unknown"),
        (worker, report(id, vec![]), "outputs_count_wrong"),
        (worker, report(id, vec![right, right]), "outputs_count_wrong"),
        (worker, report(id, vec![BlobHash::of(b"never uploaded")]), "output_missing"),
        (worker, report(id, vec![stolen]), "output_missing"),
    ] {
        assert_eq!(refused(&rig.say(who, message)), code);
        assert_eq!(rig.take(worker), assignment, "it is still open");
    }
    assert!(rig.say(thief, WorkerMessage::Progress { assignment: id, fraction: 0.5 }).is_empty());
}

#[test]
fn a_report_counts_once_however_often_it_comes() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    let assignment = rig.take(worker);
    let received = NetworkMessage::ReportReceived { assignment: assignment.id };
    for _ in 0..3 {
        assert_eq!(rig.report(worker, &assignment, b"right"), std::slice::from_ref(&received));
    }
    assert_eq!(refused(&rig.report(worker, &assignment, b"on second thoughts")), "report_differs");
    assert_eq!(refused(&rig.hand_back(worker, assignment.id, "late")), "assignment_reported");
    let check = rig.checks[0].check;
    for _ in 0..2 {
        rig.tell(Input::CheckEnded { check, outcome: CheckOutcome::Match }).unwrap();
    }
    rig.tell(Input::CheckEnded { check, outcome: mismatch() }).unwrap();
    let told = rig.report(worker, &assignment, b"right");
    assert_eq!(told[0], received);
    assert_eq!(verdicts(&told), [accepted(true)]);
    assert_eq!(rig.earned(worker), [100, 0, 0]);
}

#[test]
fn what_is_over_is_refused_by_its_state() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 3);
    let (a, b, c) = (rig.worker(1), rig.worker(2), rig.worker(3));
    let handed_back = rig.take(a);
    rig.hand_back(a, handed_back.id, "game_started");
    let blamed = rig.take(b);
    rig.hand_back(b, blamed.id, "task_fault");
    let withdrawn = rig.take(c);
    rig.tell(Input::WithdrawJob { customer, job }).unwrap();
    assert_eq!(refused(&rig.report(a, &handed_back, b"x")), "assignment_handed_back");
    assert_eq!(refused(&rig.report(b, &blamed, b"x")), "assignment_handed_back");
    assert_eq!(refused(&rig.report(c, &withdrawn, b"x")), "assignment_withdrawn");
    let received = [NetworkMessage::HandBackReceived { assignment: withdrawn.id }];
    assert_eq!(rig.hand_back(c, withdrawn.id, "late"), received, "it is off the worker's hands");
}

#[test]
fn a_report_after_the_deadline_counts_for_nothing_even_before_the_tick() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    let assignment = rig.take(worker);
    rig.now = UnixMillis(assignment.deadline.0 + 1);
    assert_eq!(refused(&rig.report(worker, &assignment, b"right")), "assignment_expired");
}

#[test]
fn an_older_session_is_dropped_and_not_listened_to() {
    let mut rig = Rig::with_runtime(strict());
    let worker = rig.worker(1);
    let older = rig.connect(worker);
    let newer = rig.connect(worker);
    let message = WorkerMessage::WantWork { device: 0 };
    let tx = rig.connection.transaction().unwrap();
    let effects =
        rig.engine.handle(&tx, Input::FromWorker { worker, session: older, message }, rig.now).unwrap();
    drop(tx);
    assert!(
        matches!(&effects[..], [Effect::DropSession { session, reason, .. }] if *session == older && reason.code == "session_replaced")
    );
    rig.tell(Input::WorkerDisconnected { worker, session: older }).unwrap();
    assert_eq!(rig.engine.connected(), 1, "the end of the older does not end the newer");
    rig.tell(Input::WorkerDisconnected { worker, session: newer }).unwrap();
    assert_eq!(rig.engine.connected(), 0);
}

#[test]
fn countersignatures_must_hold() {
    let mut rig = Rig::with_runtime(strict());
    let worker = rig.worker(1);
    let forged = WorkerMessage::Countersign { lane: 0, nonce: 1, signature: Signature([7; 64]) };
    assert_eq!(refused(&rig.say(worker, forged.clone())), "receipt_unknown");
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let assignment = rig.take(worker);
    rig.report(worker, &assignment, b"right");
    rig.conclude(CheckOutcome::Match);
    assert_eq!(refused(&rig.say(worker, forged)), "countersignature_wrong");
}
