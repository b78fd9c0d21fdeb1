//! Tables: from a state, an input, to a state and effects.

use std::time::Duration;

use lull_network_api::{NetworkMessage, Verdict, WorkerMessage};
use lull_types::{BaseUnits, UnixMillis};
use lull_worker_api::{AssignmentStage, Cause, Effort, Intent, PauseFor, SettingsChange, StateView};

use super::fixture::{
    assignment, fault, found, identity, network_info, network_key, outputs, report, ticket,
};
use crate::machine::task::rest_after;
use crate::machine::{
    Effect, Input, JoinedNetwork, Lease, LeaseId, Machine, NetworkChoice, Order, Record, Restored, RunEnd,
    SessionId, Stage, TransferFailure, TransferId,
};

const T0: u64 = 1_000_000;

/// A machine with a clock that the test turns.
struct Bench {
    machine: Machine,
    now: u64,
    last: Vec<Effect>,
}

impl Bench {
    fn start(restored: Restored) -> Self {
        let (machine, last) = Machine::start(identity(1), restored, UnixMillis(T0));
        Self { machine, now: T0, last }
    }

    /// Joined to a network by ticket, with `devices` measured.
    fn joined(devices: u32) -> Restored {
        Restored {
            intent: Some(Intent::On),
            network: Some(JoinedNetwork {
                choice: NetworkChoice::Ticket(ticket()),
                info: None,
                enrolled: true,
            }),
            benchmarks: (0..devices).map(report).collect(),
            ..Restored::default()
        }
    }

    /// Connected and enrolled, and asking for work.
    fn up(devices: u32) -> Self {
        let mut bench = Self::start(Self::joined(devices));
        bench.give(Input::DevicesFound(Ok(found(devices))));
        let session = bench.session();
        bench.give(Input::SessionOpened { session });
        bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: true });
        bench.said(NetworkMessage::Enrolled);
        bench
    }

    /// With assignment 7 running on device 0.
    fn running() -> (Self, Lease) {
        let mut bench = Self::up(1);
        bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, T0 + 600_000))));
        let transfer = bench.transfer();
        bench.give(Input::Fetched { transfer });
        let lease = bench.lease();
        bench.give(Input::RunStarted { lease: lease.id });
        (bench, lease)
    }

    fn give(&mut self, input: Input) -> &mut Self {
        self.last = self.machine.handle(input, UnixMillis(self.now));
        self.machine.assert_invariants(UnixMillis(self.now));
        self
    }

    fn order(&mut self, order: Order) -> &mut Self {
        self.machine.check(&order, UnixMillis(self.now)).expect("the order can be followed");
        self.give(Input::Order(order))
    }

    fn said(&mut self, message: NetworkMessage) -> &mut Self {
        let session = self.machine.link.session.id().unwrap_or(SessionId(0));
        self.give(Input::NetworkSaid { session, message: Box::new(message) })
    }

    fn after(&mut self, ms: u64) -> &mut Self {
        self.now += ms;
        self.give(Input::Tick)
    }

    fn state(&self) -> StateView {
        self.machine.state(UnixMillis(self.now))
    }

    fn state_name(&self) -> String {
        let json = serde_json::to_value(self.state()).unwrap();
        json["name"].as_str().unwrap_or_default().to_owned()
    }

    fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.last.iter().any(wanted)
    }

    fn sends(&self, wanted: impl Fn(&WorkerMessage) -> bool) -> bool {
        self.has(|effect| matches!(effect, Effect::Send { message, .. } if wanted(message)))
    }

    fn hands_back(&self, code: &str) -> bool {
        let recorded = |record: &Record| matches!(record, Record::Stage { stage: Stage::HandingBack { reason }, .. } if reason.code == code);
        self.has(|effect| matches!(effect, Effect::Journal(records) if records.iter().any(recorded)))
    }

    fn session(&self) -> SessionId {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::OpenSession { session, .. } => Some(*session),
            _ => None,
        });
        found.expect("a session is opened")
    }

    fn transfer(&self) -> TransferId {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::Fetch { transfer, .. } | Effect::Upload { transfer, .. } => Some(*transfer),
            _ => None,
        });
        found.expect("blobs are moved")
    }

    fn lease(&self) -> Lease {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::Run { lease, .. } | Effect::StartBenchmark { lease } => Some(*lease),
            _ => None,
        });
        found.expect("a lease is given")
    }
}

fn done() -> RunEnd {
    RunEnd::Done { outputs: outputs(assignment(7, 0, 0).task), ran_ms: 3000 }
}

#[test]
fn a_newcomer_starts_and_then_stands_still() {
    let mut bench = Bench::start(Restored::default());
    assert_eq!(bench.state_name(), "starting");
    assert!(bench.has(|effect| *effect == Effect::FindDevices));
    bench.give(Input::DevicesFound(Ok(found(1))));
    assert_eq!(bench.state_name(), "stopped");
    bench.order(Order::Start);
    assert!(
        matches!(bench.state(), StateView::Ready { reason: Some(reason) } if reason.code == "no_network")
    );
}

#[test]
fn joining_measures_first_then_starts_the_practice_network_then_enrols() {
    let mut bench = Bench::start(Restored::default());
    bench.give(Input::DevicesFound(Ok(found(1)))).order(Order::Join(None));
    assert_eq!(bench.state_name(), "benchmarking");
    let lease = bench.lease().id;
    bench.give(Input::BenchmarkEnded { lease, outcome: Ok(Box::new(report(0))) });
    bench.give(Input::Freed { lease });
    assert!(
        bench.has(|effect| *effect == Effect::StartPracticeNetwork) || bench.state_name() == "connecting"
    );
    bench.give(Input::PracticeStarted(Ok(ticket())));
    let session = bench.session();
    bench.give(Input::SessionOpened { session });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Hello { nonce_held: 0, .. })));
    bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: false });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Enrol(e) if e.benchmarks.len() == 1)));
    bench.said(NetworkMessage::Enrolled);
    assert!(bench.sends(|m| *m == WorkerMessage::WantWork { device: 0 }));
    assert_eq!(bench.state_name(), "ready");
    assert!(bench.machine.view(UnixMillis(bench.now), 0).steps.enrolled);
}

#[test]
fn an_assignment_goes_its_way_and_every_step_is_written_down_first() {
    let (mut bench, lease) = Bench::running();
    let StateView::Working { assignments } = bench.state() else { panic!("it works") };
    assert_eq!((assignments.len(), assignments[0].stage), (1, AssignmentStage::Running));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    assert!(matches!(&bench.last[0], Effect::Journal(_)), "{:?}", bench.last);
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    assert!(matches!(&bench.last[0], Effect::Journal(_)));
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Report { ran_ms: 3000, .. })));
    assert!(!bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })), "the report is not acknowledged");
    let id = assignment(7, 0, 0).id;
    bench.said(NetworkMessage::ReportReceived { assignment: id });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));
    bench.said(NetworkMessage::Verdict {
        assignment: id,
        verdict: Verdict::Accepted { amount: BaseUnits(1), checked: true },
    });
    assert!(bench.machine.tasks.is_empty());
}

#[test]
fn a_pause_frees_the_gpu_in_time_and_the_run_begins_again_after_it() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause(PauseFor::Minutes(1)));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id }, "freeing waits for nothing");
    let until = UnixMillis(bench.now + 60_000);
    let StateView::Yielding { causes, .. } = bench.state() else { panic!("it yields") };
    assert_eq!(causes, [Cause::Paused { until: Some(until) }]);
    assert_eq!(bench.machine.next_deadline(), Some(UnixMillis(bench.now + 150)));
    bench.after(150);
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id }).after(59_850);
    assert_eq!(bench.lease().device, 0, "it runs again, without the resume delay");
    assert_eq!(bench.state_name(), "working");
}

#[test]
fn a_clock_that_is_set_back_does_not_stretch_a_kill() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause(PauseFor::Minutes(1)));
    bench.now -= 600_000;
    bench.last = bench.machine.handle(Input::Tick, UnixMillis(bench.now));
    assert_eq!(bench.last[0], Effect::Kill { lease: lease.id });
}

#[test]
fn a_pause_that_outlasts_the_deadline_hands_work_back() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause(PauseFor::UntilRestart));
    assert!(bench.hands_back("worker_paused"));
    assert!(bench.sends(|m| matches!(m, WorkerMessage::HandBack { .. })));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id }).order(Order::Resume);
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::WantWork { .. })));
}

#[test]
fn work_that_ended_in_the_moment_of_a_pause_is_not_lost() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Pause(PauseFor::Minutes(1)));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    let transfer = bench.transfer();
    bench.give(Input::Freed { lease: lease.id }).give(Input::Uploaded { transfer });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::Report { .. })));
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
fn turning_off_hands_back_then_hangs_up() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Stop);
    assert_eq!(bench.state_name(), "draining");
    assert!(bench.hands_back("worker_stopped"));
    bench.give(Input::Freed { lease: lease.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: assignment(7, 0, 0).id });
    assert!(bench.has(|effect| matches!(effect, Effect::CloseSession { .. })));
    assert_eq!(bench.state_name(), "stopped");
    bench.order(Order::Shutdown);
    assert_eq!(bench.last.last(), Some(&Effect::Publish));
    assert!(bench.has(|effect| *effect == Effect::Exit));
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
            bench.give(Input::Fetched { transfer });
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
fn effort_is_a_rest_between_assignments() {
    let ran = Duration::from_secs(30);
    let rests =
        [Effort::Full, Effort::Balanced, Effort::Quiet].map(|effort| rest_after(effort, ran).as_secs());
    assert_eq!(rests, [0, 15, 60]);
    assert_eq!(rest_after(Effort::Quiet, Duration::from_secs(3600)), Duration::from_secs(600));
}

#[test]
fn orders_that_cannot_be_followed_are_refused_and_change_nothing() {
    let (bench, _) = Bench::running();
    let unlend = |index| {
        let devices_not_lent = Some(vec![index]);
        Order::Configure(SettingsChange { devices_not_lent, ..SettingsChange::default() })
    };
    let cases = [
        (Order::Benchmark { device: 9 }, Some("no_such_device")),
        (Order::Benchmark { device: 0 }, None),
        (Order::Pause(PauseFor::Minutes(0)), Some("pause_length")),
        (Order::Pause(PauseFor::Minutes(60)), None),
        (unlend(9), Some("no_such_device")),
        (unlend(0), None),
    ];
    for (order, code) in cases {
        let refused = bench.machine.check(&order, UnixMillis(bench.now)).err().map(|fault| fault.code);
        assert_eq!(refused.as_deref(), code, "{order:?}");
    }
}

#[test]
fn a_benchmark_by_hand_has_the_machine_to_itself() {
    let (mut bench, lease) = Bench::running();
    bench.order(Order::Benchmark { device: 0 });
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
    bench.give(Input::Freed { lease: lease.id });
    assert_eq!(bench.state_name(), "benchmarking");
    let benchmark = bench.lease().id;
    assert_ne!(benchmark, LeaseId(0));
    bench.order(Order::CancelBenchmark);
    assert_eq!(bench.last[0], Effect::Cancel { lease: benchmark });
    bench.give(Input::BenchmarkEnded { lease: benchmark, outcome: Err(fault("cancelled")) });
    bench.give(Input::Freed { lease: benchmark });
    assert_eq!(bench.state_name(), "working", "the task goes on");
}

#[test]
fn a_device_that_is_no_longer_lent_gives_its_work_back() {
    let (mut bench, lease) = Bench::running();
    let devices_not_lent = Some(vec![0]);
    bench.order(Order::Configure(SettingsChange { devices_not_lent, ..SettingsChange::default() }));
    assert!(bench.hands_back("device_not_lent"));
    assert_eq!(bench.last[0], Effect::Cancel { lease: lease.id });
}
