//! The worker as a process, with a fake runtime and a network in the test.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::time::Duration;

use lull_testkit::fake_runtime::{Behaviour, FakeFault, fake_device};
use lull_types::{BaseUnits, BenchmarkReport, Measure};
use lull_worker_api::{AssignmentStage, Command, PauseFor, Reply, StateView, TaskState};
use support::network::{Network, PRICE};
use support::{Worker, done, until};

fn quick() -> Behaviour {
    Behaviour { benchmark_ms_per_measure: 20, ..Behaviour::default() }
}

fn enrol(network: &Network) -> Command {
    Command::Enrol { ticket: Some(network.ticket.to_string()) }
}

#[tokio::test]
async fn a_job_goes_from_enrolment_to_receipts_that_can_be_checked_offline() {
    let network = Network::start(3).await;
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    let end = until(&client, "three receipts", |s| s.earnings.receipts == 3).await;
    assert_eq!(end.earnings.all_time, BaseUnits(3 * PRICE.0));
    assert_eq!(end.earnings.today, end.earnings.all_time);
    assert!(end.steps.first_receipt && end.steps.enrolled && end.steps.benchmarked);
    assert!(end.estimate.as_ref().is_some_and(|estimate| !estimate.basis.is_empty()));
    until(&client, "nothing to do", |s| matches!(s.state, StateView::Ready { .. })).await;
    network.state(|state| {
        assert!(state.paid.values().all(|times| *times == 1));
        assert_eq!(state.paid.len(), 3);
        assert!(state.countersigned >= 3);
    });

    let Reply::Tasks(tasks) = client.command(Command::Tasks { limit: 10 }).await.unwrap() else { panic!() };
    assert_eq!(tasks.len(), 3);
    assert!(tasks.iter().all(|task| matches!(task.state, TaskState::Accepted { .. })), "{tasks:?}");
    let picture = client.command(Command::Picture { job: tasks[0].job }).await.unwrap();
    let Reply::Picture(Some(picture)) = picture else { panic!("{picture:?}") };
    assert!(picture.starts_with("iVBOR"), "a PNG in base 64");
    let check = client.command(Command::VerifyReceipts).await.unwrap();
    let Reply::ReceiptsChecked(check) = check else { panic!("{check:?}") };
    assert_eq!((check.receipts, check.fault, check.total), (3, None, BaseUnits(3 * PRICE.0)));
    let Reply::Receipts(rows) = client.command(Command::Receipts { limit: 2 }).await.unwrap() else {
        panic!()
    };
    assert_eq!(rows.iter().map(|row| row.nonce).collect::<Vec<_>>(), [3, 2]);
    let now = end.taken_at;
    let earnings = Command::Earnings {
        from: lull_types::UnixMillis(now.0 - 86_400_000),
        until: lull_types::UnixMillis(now.0 + 86_400_000),
        bucket: lull_worker_api::EarningsBucket::Day,
        utc_offset_minutes: 0,
    };
    let Reply::Earnings(points) = client.command(earnings).await.unwrap() else { panic!() };
    assert_eq!(points.iter().map(|point| point.amount.0).sum::<u64>(), 3 * PRICE.0);

    let Reply::Exported { path } = client.command(Command::ExportReceipts).await.unwrap() else { panic!() };
    let Reply::Exported { path: logs } = client.command(Command::ExportLogs).await.unwrap() else { panic!() };
    let logs = std::fs::read_to_string(logs).unwrap();
    assert!(!logs.contains(&end.worker.to_string()), "keys are cut short");

    // Beside the running worker, and after it.
    assert_eq!(worker.call(&["receipts", "verify"]).await.0, 0);
    assert_eq!(worker.call(&["status"]).await.0, 0);
    worker.shut_down(&client).await;
    assert_eq!(worker.call(&["receipts", "verify"]).await.0, 0);
    assert_eq!(worker.call(&["status"]).await.0, 1, "nobody answers");
    let (code, text) = worker.call(&["receipts", "verify", &path]).await;
    assert_eq!(code, 0, "{text}");
    let exported = std::fs::read_to_string(&path).unwrap();
    let forged = exported.replace(&format!("\"amount\": {}", PRICE.0), "\"amount\": 999999");
    assert_ne!(exported, forged);
    std::fs::write(&path, forged).unwrap();
    let (code, text) = worker.call(&["receipts", "verify", &path]).await;
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("WRONG"), "{text}");
}

#[tokio::test]
async fn a_killed_worker_goes_on_where_it_was_and_is_paid_once() {
    let network = Network::start(2).await;
    let mut worker = Worker::new(&Behaviour { run_ms: 1500, ..quick() });
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    let running = |s: &lull_worker_api::Snapshot| {
        matches!(&s.state, StateView::Working { assignments }
            if assignments.iter().any(|a| a.stage == lull_worker_api::AssignmentStage::Running))
    };
    let before = until(&client, "a run", running).await;
    worker.kill().await;
    drop(client);

    let client = worker.start().await;
    let after = until(&client, "both receipts", |s| s.earnings.receipts == 2).await;
    assert_eq!(after.worker, before.worker, "the key stays");
    network.state(|state| {
        assert_eq!(state.paid.len(), 2);
        assert!(state.paid.values().all(|times| *times == 1), "{:?}", state.paid);
    });
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_report_whose_answer_is_lost_is_sent_again_and_counted_once() {
    let network = Network::start(1).await;
    network.state(|state| state.hang_ups = 1);
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    until(&client, "the receipt", |s| s.earnings.receipts == 1).await;
    network.state(|state| {
        assert!(state.sessions >= 2);
        assert!(state.paid.values().all(|times| *times == 1));
    });
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_pause_frees_the_gpu_and_resuming_finishes_the_work() {
    let network = Network::start(1).await;
    // It ignores a cancel until it is half-way, as a busy driver would.
    let mut worker = Worker::new(&Behaviour { run_ms: 4000, ..quick() });
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    until(&client, "a run", |s| matches!(s.state, StateView::Working { .. })).await;
    done(&client, Command::Pause { duration: PauseFor::Minutes(5), device: None }).await;
    until(&client, "the GPU free", |s| matches!(s.state, StateView::Yielding { .. })).await;
    worker.behave(&quick());
    done(&client, Command::Resume { device: None }).await;
    until(&client, "the receipt", |s| s.earnings.receipts == 1).await;
    worker.shut_down(&client).await;
}

/// The runtimes that a process has started and that are not gone.
#[cfg(target_os = "linux")]
fn runtimes_of(worker: u32) -> Vec<u32> {
    let is_runtime = |process: &u32| {
        // What follows the name in its `stat`: state, parent, …
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(')') else { return false };
        let mut fields = rest.split_whitespace();
        let (state, parent) = (fields.next(), fields.next());
        head.contains("(lull-runtime") && state != Some("Z") && parent == Some(&worker.to_string())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_runtime).collect()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_runtime_that_does_not_hear_is_killed_in_time() {
    let network = Network::start(1).await;
    let deaf = Behaviour { fault: Some(FakeFault::Hang), run_ms: 0, ..quick() };
    let mut worker = Worker::new(&deaf);
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    let runs = |s: &lull_worker_api::Snapshot| match &s.state {
        StateView::Working { assignments } => assignments.iter().any(|a| a.stage == AssignmentStage::Running),
        _ => false,
    };
    until(&client, "a run", runs).await;
    let process = worker.process.as_ref().and_then(tokio::process::Child::id).unwrap();
    let deaf = runtimes_of(process);
    assert_eq!(deaf.len(), 1, "one runtime runs");
    let asked = std::time::Instant::now();
    done(&client, Command::Pause { duration: PauseFor::UntilResumed, device: None }).await;
    while runtimes_of(process).contains(&deaf[0]) {
        tokio::task::yield_now().await;
        assert!(asked.elapsed() < Duration::from_secs(30), "it is still there");
    }
    let took = asked.elapsed();
    println!("a deaf runtime was gone after {took:?}");
    // A quarter of a second on a machine of one's own, and more where other tests take the processor; who is never killed
    // stays for minutes.
    assert!(took < Duration::from_secs(2), "{took:?}");
    worker.behave(&quick());
    done(&client, Command::Resume { device: None }).await;
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_second_worker_of_the_same_folder_is_refused() {
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    let (code, text) = worker.call(&["run"]).await;
    assert_eq!(code, 1);
    assert!(text.contains("already_running"), "{text}");
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_network_that_talks_nonsense_is_left_and_tried_again() {
    let network = Network::start(1).await;
    network.state(|state| state.garbage = 1);
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    let mut garbled = false;
    until(&client, "the receipt after all", |s| {
        if let StateView::Connecting { fault: Some(fault), .. } = &s.state {
            garbled |= fault.code == "network_garbled";
        }
        s.earnings.receipts == 1
    })
    .await;
    assert!(garbled, "the fault was shown");
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_blob_with_another_content_is_never_run() {
    let network = Network::start(1).await;
    network.state(|state| state.wrong_blobs = 1);
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    until(&client, "a hand-back or a receipt", |s| {
        s.earnings.receipts == 1 || network.state(|state| !state.hand_backs.is_empty())
    })
    .await;
    let Reply::Tasks(tasks) = client.command(Command::Tasks { limit: 10 }).await.unwrap() else { panic!() };
    assert!(
        tasks.iter().any(|task| matches!(task.state, TaskState::Abandoned { .. })),
        "the first was given back: {tasks:?}"
    );
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_runtime_that_crashes_is_reported_and_nothing_else_is_harmed() {
    let network = Network::start(1).await;
    let crash = Behaviour { fault: Some(FakeFault::Crash), run_ms: 100, ..quick() };
    let mut worker = Worker::new(&crash);
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    until(&client, "the hand-back", |_| network.state(|state| !state.hand_backs.is_empty())).await;
    network.state(|state| assert!(state.paid.is_empty()));
    // The worker still answers, and ends in order.
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_missing_runtime_is_a_fault_that_says_so() {
    let mut worker = Worker::new(&quick());
    std::fs::remove_dir_all(worker.programs()).unwrap();
    let client = worker.start().await;
    done(&client, Command::Start).await;
    until(
        &client,
        "the fault",
        |s| matches!(&s.state, StateView::Faulted { fault, .. } if fault.code == "runtime_missing"),
    )
    .await;
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_benchmark_runs_with_a_worker_and_without_one() {
    let mut worker = Worker::new(&quick());
    let (code, text) = worker.call(&["benchmark", "--json"]).await;
    assert_eq!(code, 0, "{text}");
    let report: BenchmarkReport = serde_json::from_str(&text).unwrap();
    assert_eq!(report.measurements.len(), Measure::ORDINARY.len() + 1, "and the sustained one");
    let (_, text) = worker.call(&["benchmark", "--json", "--sustained", "0"]).await;
    let report: BenchmarkReport = serde_json::from_str(&text).unwrap();
    assert_eq!(report.measurements.len(), Measure::ORDINARY.len());

    let client = worker.start().await;
    done(&client, Command::Start).await;
    until(&client, "devices", |s| s.steps.devices_found).await;
    let (code, text) = worker.call(&["benchmark"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Fake device 0") && text.contains("sustained FP32"), "{text}");
    let refused = worker.call(&["benchmark", "--all"]).await.1;
    assert!(refused.contains("worker_running"), "{refused}");
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_report_is_signed_checked_and_compared() {
    let mut worker = Worker::new(&quick());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let file = file.to_str().unwrap();
    let (code, text) = worker.call(&["benchmark", "--sustained", "0", "--export", file]).await;
    assert_eq!(code, 0, "{text}");
    let (code, text) = worker.call(&["benchmark", "--check", file]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Fake device 0") && text.contains("signed by worker"), "{text}");

    let client = worker.start().await;
    done(&client, Command::Start).await;
    until(&client, "devices", |s| s.steps.devices_found).await;
    let (code, text) = worker.call(&["benchmark", "--sustained", "0", "--compare", file]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("FP32 peak") && text.contains("within noise"), "{text}");
    let Ok(Reply::Exported { path }) = client.command(Command::ExportBenchmark { device: 0 }).await else {
        panic!("no report was exported");
    };
    let (code, text) = worker.call(&["benchmark", "--check", &path]).await;
    assert_eq!(code, 0, "{text}");
    worker.shut_down(&client).await;

    // The text of the report is a JSON string within JSON.
    let changed = std::fs::read_to_string(file).unwrap().replace("Fake device 0", "Fast device 0");
    std::fs::write(file, changed).unwrap();
    let (code, text) = worker.call(&["benchmark", "--check", file]).await;
    assert!(code != 0 && text.contains("benchmark_signature_wrong"), "{text}");
    let (code, text) = worker.call(&["benchmark", "--compare", "/nowhere/at/all"]).await;
    assert!(code != 0 && text.contains("file_unusable"), "{text}");
}

#[tokio::test]
async fn devices_are_measured_alone_and_together() {
    let two = Behaviour { devices: vec![fake_device(0), fake_device(1)], ..quick() };
    let worker = Worker::new(&two);
    let (code, text) = worker.call(&["benchmark", "--all", "--sustained", "0"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Fake device 1 (device 1) with all devices at work"), "{text}");
    assert!(text.contains("100 % of what it does alone"), "{text}");
}

#[tokio::test]
async fn headless_with_a_count_ends_by_itself() {
    let network = Network::start(2).await;
    let mut worker = Worker::new(&quick());
    let client = worker.start().await;
    done(&client, enrol(&network)).await;
    until(&client, "one receipt", |s| s.earnings.receipts >= 1).await;
    worker.shut_down(&client).await;
    network.state(|state| state.tasks_left = 2);
    let (code, text) = worker.call(&["run", "--tasks", "1"]).await;
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("everything holds"), "{text}");
    assert!(tokio::time::timeout(Duration::from_secs(5), worker.call(&["status"])).await.unwrap().0 == 1);
}
