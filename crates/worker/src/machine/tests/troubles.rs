//! Tables of what goes wrong: from a fault to who is blamed and what is tried again when.

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{BaseUnits, UnixMillis};
use lull_worker_api::{PauseFor, StateView};

use super::bench::{Bench, T0, done};
use super::fixture::{assignment, fault, found, identity, network_info, network_key, ticket};
use crate::machine::{Effect, Input, Order, RunEnd, Stage, TransferFailure};

#[test]
fn a_clock_that_is_set_back_does_not_stretch_a_kill() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause { duration: PauseFor::Minutes(1), device: None });
    bench.now -= 600_000;
    bench.last = bench.machine.handle(Input::Tick, UnixMillis(bench.now));
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
}

#[test]
fn what_is_not_answered_is_told_again_on_the_same_session() {
    let (mut bench, lease) = Bench::running();
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    let report = |m: &WorkerMessage| matches!(m, WorkerMessage::Report { .. });
    assert!(bench.sends(report));
    assert!(!bench.after(29_999).sends(report));
    assert!(bench.after(1).sends(report));
    // A network that cannot write is told again, and one that has lost the outputs gets them again.
    let id = assignment(7, 0, 0).id;
    let refused = |code| NetworkMessage::Refused { assignment: Some(id), fault: fault(code) };
    bench.said(refused("network_disk_full"));
    assert!(bench.after(30_000).sends(report));
    bench.said(refused("output_missing"));
    let transfer = bench.transfer();
    assert!(bench.give(Input::Uploaded { transfer }).sends(report));
    bench.said(refused("assignment_expired"));
    assert!(bench.machine.tasks.is_empty());
}

#[test]
fn a_missing_receipt_is_asked_for_by_a_new_greeting() {
    let mut lane = lull_checks::receipts::Lane::new(ticket().id, identity(1).key.worker_id(), 0);
    let mut receipt = |number| {
        let assignment = assignment(number, 0, 0);
        let leaf = lull_types::ReceiptLeaf {
            assignment: assignment.id,
            task: assignment.task,
            outputs: lull_types::BlobHash([0; 32]),
            amount: BaseUnits(5),
        };
        let signed = lane.issue(&network_key(), leaf, 1, UnixMillis(u64::MAX)).unwrap();
        NetworkMessage::Receipt(Box::new(signed))
    };
    let mut bench = Bench::up(1);
    let (first, second, third) = (receipt(1), receipt(2), receipt(3));
    bench.said(first.clone());
    assert!(bench.has(|effect| matches!(effect, Effect::Notify(notice) if notice.code == "first_earning")));
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Countersign { nonce: 1, .. })));
    bench.said(third);
    assert!(bench.has(|effect| matches!(effect, Effect::CloseSession { .. })));
    bench.after(500);
    let session = bench.session();
    bench.give(Input::SessionOpened { session });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Hello { nonce_held: 1, .. })));
    bench.said(second).said(first);
    assert!(!bench.has(|effect| matches!(effect, Effect::Journal(_))), "an echo adds nothing");
    let earnings = bench.machine.view(UnixMillis(bench.now), 0).earnings;
    assert_eq!((earnings.all_time, earnings.today, earnings.receipts), (BaseUnits(10), BaseUnits(10), 2));
}

#[test]
fn draining_ends_at_its_deadline_even_if_nobody_answers() {
    let (mut bench, _) = Bench::running();
    bench.order(Order::Shutdown).after(5000);
    assert!(bench.has(|effect| *effect == Effect::Exit));
}

#[test]
fn a_full_disk_does_not_keep_the_process_from_ending() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Shutdown).give(Input::Freed { lease: lease.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(bench.has(|effect| matches!(effect, Effect::Journal(_))));
    assert!(bench.has(|effect| *effect == Effect::Exit));
    // The shell dropped the end of that list.
    bench.give(Input::JournalFailed(fault("disk_full")));
    assert_eq!(bench.last, [Effect::Exit]);
    // And in the middle of draining.
    let (mut bench, _) = Bench::running();
    bench.order(Order::Shutdown).give(Input::JournalFailed(fault("disk_full")));
    assert!(bench.has(|effect| *effect == Effect::Exit));
}

#[test]
fn faults_are_blamed_on_who_is_at_fault() {
    let cases = [
        (RunEnd::TaskFault(fault("shader_invalid")), "task_fault", "ready"),
        (RunEnd::DeviceFault(fault("device_lost")), "device_fault", "faulted"),
        (RunEnd::LocalFault(fault("disk_full")), "local_fault", "faulted"),
    ];
    for (end, code, state) in cases {
        let (mut bench, lease) = Bench::running();
        bench.give(Input::RunEnded { lease: lease.id, end: end.clone() });
        assert!(bench.hands_back(code), "{end:?}");
        bench.give(Input::Freed { lease: lease.id });
        bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
        assert_eq!(bench.state_name(), state, "{end:?}");
    }
}

#[test]
fn a_runtime_that_dies_without_a_word_lost_its_device() {
    let (mut bench, lease) = Bench::running();
    bench.give(Input::Freed { lease: lease.id });
    assert!(bench.hands_back("device_fault"));
}

#[test]
fn three_losses_in_a_row_set_a_device_aside_and_say_so() {
    let (mut bench, mut lease) = Bench::running();
    for loss in 1..=3u128 {
        bench.give(Input::RunEnded { lease: lease.id, end: RunEnd::DeviceFault(fault("device_lost")) });
        let told = bench.has(|e| matches!(e, Effect::Notify(notice) if notice.code == "device_set_aside"));
        assert_eq!(told, loss == 3);
        bench.give(Input::Freed { lease: lease.id });
        let id = assignment(6 + loss, 0, 0).id;
        bench.said(NetworkMessage::HandBackReceived { assignment: id });
        if loss < 3 {
            bench.after(600_000);
            bench.said(NetworkMessage::Assign(Box::new(assignment(7 + loss, 0, bench.now + 600_000))));
            let transfer = bench.transfer();
            bench.give(Input::Fetched { transfer, output_bytes: 1000 });
            lease = bench.lease();
        }
    }
    let StateView::Faulted { fault, retry_at: None } = bench.state() else { panic!("{:?}", bench.state()) };
    assert_eq!(fault.code, "device_set_aside");
}

#[test]
fn a_withdrawn_assignment_is_stopped() {
    let (mut bench, lease) = Bench::running();
    let id = assignment(7, 0, 0).id;
    bench.said(NetworkMessage::Withdrawn { assignment: id, reason: fault("job_withdrawn") });
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
    assert!(bench.has(|effect| *effect == Effect::DropFiles { assignment: id }));
    assert!(bench.machine.tasks.is_empty());
}

#[test]
fn after_a_restart_a_run_is_prepared_again_and_a_report_is_sent_again() {
    let (mut bench, lease) = Bench::running();
    let mut book = Bench::joined(1);
    let open = |bench: &Bench| bench.machine.tasks.iter().map(|task| task.open.clone()).collect::<Vec<_>>();
    book.open = open(&bench);
    assert_eq!(book.open[0].stage, Stage::Running);
    let mut again = Bench::start(book.clone());
    again.give(Input::DevicesFound(Ok(found(1))));
    let session = again.session();
    again.give(Input::SessionOpened { session });
    again.said(NetworkMessage::Welcome { network: network_info(), enrolled: true });
    again.said(NetworkMessage::Enrolled);
    assert!(again.has(|effect| matches!(effect, Effect::Fetch { .. })), "what is here is not fetched again");
    assert!(!again.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));

    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Uploaded { transfer });
    book.open = open(&bench);
    let mut again = Bench::start(book);
    again.give(Input::DevicesFound(Ok(found(1))));
    let session = again.session();
    again.give(Input::SessionOpened { session });
    again.said(NetworkMessage::Welcome { network: network_info(), enrolled: true });
    again.said(NetworkMessage::Enrolled);
    assert!(again.sends(|m| matches!(m, WorkerMessage::Report { .. })));
}

#[test]
fn after_a_restart_an_assignment_past_its_deadline_is_handed_back() {
    let (bench, _) = Bench::running();
    let mut book = Bench::joined(1);
    book.open = vec![bench.machine.tasks[0].open.clone()];
    book.open[0].assignment.deadline = UnixMillis(T0 - 1);
    let bench = Bench::start(book);
    assert!(bench.hands_back("deadline_passed"));
}

#[test]
fn lost_sessions_are_retried_with_growing_waits() {
    let mut bench = Bench::up(1);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let session = bench.machine.link.session.id().expect("a session is tried");
        bench.give(Input::SessionLost { session, fault: fault("unreachable") });
        let StateView::Connecting { retry_at: Some(retry_at), fault: Some(_), .. } = bench.state() else {
            panic!("{:?}", bench.state())
        };
        let wait = retry_at.0 - bench.now;
        waits.push(wait);
        bench.after(wait);
    }
    assert!(waits[5] > waits[0] * 8, "{waits:?}");
}

#[test]
fn a_transfer_that_the_network_refuses_goes_back_and_a_bad_payload_is_the_task_s_fault() {
    let cases = [
        (TransferFailure::Refused(fault("not_yours")), "blobs_refused"),
        (TransferFailure::Task(fault("payload_malformed")), "task_fault"),
        (TransferFailure::Local(fault("disk_full")), "local_fault"),
    ];
    for (failure, code) in cases {
        let mut bench = Bench::up(1);
        bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000))));
        let transfer = bench.transfer();
        bench.give(Input::FetchFailed { transfer, failure });
        assert!(bench.hands_back(code), "{code}");
    }
}

#[test]
fn an_echo_of_an_assignment_is_not_run_twice() {
    let (mut bench, lease) = Bench::running();
    let echo = NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000)));
    bench.said(echo.clone());
    assert!(!bench.has(|effect| matches!(effect, Effect::Fetch { .. } | Effect::Run { .. })));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let id = assignment(7, 0, 0).id;
    bench.said(NetworkMessage::Withdrawn { assignment: id, reason: fault("job_withdrawn") });
    bench.said(echo);
    assert!(
        bench.sends(|m| matches!(m, WorkerMessage::HandBack { reason, .. } if reason.code == "already_over"))
    );
}

#[test]
fn a_disk_that_is_full_frees_the_gpu_and_everything_is_read_again() {
    let (mut bench, lease) = Bench::running();
    bench.give(Input::JournalFailed(fault("disk_full")));
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
    assert_eq!(bench.state_name(), "faulted");
    assert!(bench.machine.check(&Order::Start, UnixMillis(bench.now)).is_err());
    bench.give(Input::Freed { lease: lease.id }).after(5000);
    assert!(bench.has(|effect| *effect == Effect::Restore));
    bench.give(Input::JournalRestored(Box::new(Bench::joined(1))));
    assert_eq!(bench.state_name(), "connecting");
}

#[test]
fn a_network_that_does_not_answer_is_asked_again_or_left() {
    let want = |m: &WorkerMessage| matches!(m, WorkerMessage::WantWork { .. });
    let mut bench = Bench::up(1);
    assert!(bench.sends(want));
    assert!(!bench.after(29_999).sends(want));
    assert!(bench.after(1).sends(want));

    let mut bench = Bench::start(Bench::joined(1));
    bench.give(Input::DevicesFound(Ok(found(1))));
    let session = bench.session();
    bench.give(Input::SessionOpened { session }).after(30_000);
    assert!(bench.has(|effect| *effect == Effect::CloseSession { session }));
    let StateView::Connecting { fault: Some(fault), .. } = bench.state() else { panic!("it tries again") };
    assert_eq!(fault.code, "network_silent");

    let mut bench = Bench::start(Bench::joined(1));
    bench.give(Input::DevicesFound(Ok(found(1))));
    let session = bench.session();
    bench.after(30_000);
    assert!(bench.has(|effect| *effect == Effect::CloseSession { session }));
}

#[test]
fn a_refused_enrolment_is_shown_and_tried_again_much_later() {
    let mut bench = Bench::start(Bench::joined(1));
    bench.give(Input::DevicesFound(Ok(found(1))));
    let session = bench.session();
    bench.give(Input::SessionOpened { session });
    bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: false });
    bench.said(NetworkMessage::Refused { assignment: None, fault: fault("benchmark_unsound") });
    let StateView::Faulted { fault, retry_at: Some(retry_at) } = bench.state() else {
        panic!("it is refused")
    };
    assert_eq!((fault.code.as_str(), retry_at.0), ("benchmark_unsound", bench.now + 300_000));
    bench.after(300_000);
    assert!(bench.has(|effect| matches!(effect, Effect::OpenSession { .. })));
}
