//! The host of runtime processes, against a runtime that misbehaves in every way.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lull_runtime_api::host::{RunRequest, RuntimeCommand, RuntimeError, RuntimeProcess};
use lull_runtime_api::{RunOutcome, RuntimeEvent};
use lull_testkit::fake_runtime::{Behaviour, FakeFault, Greeting};
use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask,
};
use lull_types::{Coded, JOB_KIND_WGSL, Measure};

const PROGRAM: &str = env!("CARGO_BIN_EXE_lull-runtime-fake");

fn command(scratch: &Path, behaviour: &Behaviour) -> RuntimeCommand {
    RuntimeCommand::new(PROGRAM, scratch).with_env(Behaviour::ENV, behaviour.to_json())
}

async fn start(scratch: &Path, behaviour: &Behaviour) -> RuntimeProcess {
    RuntimeProcess::start(command(scratch, behaviour)).await.expect("the fake starts")
}

fn task() -> RunRequest {
    let task = WgslTask {
        shaders: vec![String::new()],
        buffers: vec![WgslBuffer { bytes: 256, init: WgslInit::Zero, role: WgslBufferRole::ReadWrite }],
        dispatches: vec![WgslDispatch {
            shader: 0,
            entry: "main".to_owned(),
            bindings: vec![WgslBinding { group: 0, binding: 0, buffer: 0 }],
            workgroups: 1,
        }],
        outputs: vec![0],
        tolerance: Tolerance::Exact,
    };
    RunRequest::new(0, JOB_KIND_WGSL, serde_json::to_vec(&task).expect("a task is JSON"))
}

fn slow() -> Behaviour {
    Behaviour { run_ms: 60_000, ..Behaviour::default() }
}

fn faulty(fault: FakeFault) -> Behaviour {
    Behaviour { fault: Some(fault), run_ms: 60, ..Behaviour::default() }
}

/// Whether a process of that number exists, dead ones that nobody has reaped included.
#[cfg(target_os = "linux")]
fn exists(process_id: u32) -> bool {
    PathBuf::from(format!("/proc/{process_id}")).exists()
}

#[tokio::test]
async fn a_whole_life() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &Behaviour::default()).await;
    assert_eq!(runtime.info().name, lull_testkit::fake_runtime::NAME);
    assert_eq!(runtime.devices().await.unwrap(), Behaviour::default().devices);

    let mut benchmarking = runtime
        .benchmark(0, Measure::ORDINARY.to_vec(), Duration::from_secs(1), Duration::ZERO)
        .await
        .unwrap();
    let mut measured = Vec::new();
    while let Some(event) = benchmarking.progress().await {
        if let RuntimeEvent::Measured(measurement) = event {
            measured.push(measurement);
        }
    }
    assert_eq!(benchmarking.outcome().await.unwrap().measurements, measured);

    let first = runtime.run(task()).await.unwrap().outcome().await.unwrap();
    let RunOutcome::Done { outputs, .. } = first else { panic!("{first:?}") };
    assert_eq!(outputs[0].len(), 256);

    let exit = runtime.stop(Duration::from_secs(30)).await;
    assert!(exit.status.unwrap().success(), "{exit:?}");
    assert!(runtime.is_gone());
    assert_eq!(runtime.devices().await.unwrap_err().code(), "runtime_killed");
}

#[tokio::test]
async fn one_thing_at_a_time_and_cancel() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &slow()).await;
    let mut running = runtime.run(task()).await.unwrap();
    assert!(matches!(running.progress().await, Some(RuntimeEvent::RunProgress { .. })));
    assert!(matches!(runtime.devices().await, Err(RuntimeError::Busy)));
    let second = runtime.run(task()).await.unwrap().outcome().await;
    assert!(matches!(second, Err(RuntimeError::Busy)), "{second:?}");
    runtime.cancel();
    assert_eq!(running.outcome().await.unwrap(), RunOutcome::Cancelled);
    assert_eq!(runtime.devices().await.unwrap().len(), 1);

    let benchmarking =
        runtime.benchmark(9, vec![Measure::Fp32Peak], Duration::ZERO, Duration::ZERO).await.unwrap();
    assert!(matches!(benchmarking.outcome().await, Err(RuntimeError::Refused(_))));
}

#[tokio::test]
async fn dropping_a_run_cancels_it() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &slow()).await;
    let mut running = runtime.run(task()).await.unwrap();
    running.progress().await.unwrap();
    drop(running);
    let asked_at = Instant::now();
    while let Err(error) = runtime.devices().await {
        assert!(matches!(error, RuntimeError::Busy), "{error}");
        assert!(asked_at.elapsed() < Duration::from_secs(20), "it was not cancelled");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn every_fault_has_its_error_and_leaves_nothing_behind() {
    for (fault, code) in [
        (FakeFault::Crash, "runtime_died"),
        (FakeFault::OversizedFrame, "runtime_garbled"),
        (FakeFault::Garbage, "runtime_garbled"),
        (FakeFault::Hang, "runtime_silent"),
    ] {
        let scratch = tempfile::tempdir().unwrap();
        let mut command = command(scratch.path(), &faulty(fault));
        if fault == FakeFault::Hang {
            command.silence_max = Duration::from_secs(1);
        }
        let runtime = RuntimeProcess::start(command).await.unwrap();
        let error = runtime.run(task()).await.unwrap().outcome().await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}: {error}");
        // Who is told of the error may rely on the process being gone.
        assert!(runtime.is_gone(), "{fault:?}");
        #[cfg(target_os = "linux")]
        assert!(!exists(runtime.process_id()), "{fault:?}");
        assert_eq!(runtime.exited().await.reason.code(), code);
    }
}

#[tokio::test]
async fn faults_of_task_and_device_are_outcomes() {
    let scratch = tempfile::tempdir().unwrap();
    for (fault, code) in [(FakeFault::DeviceLost, "device_lost"), (FakeFault::TaskFault, "shader_invalid")] {
        let runtime = start(scratch.path(), &faulty(fault)).await;
        match runtime.run(task()).await.unwrap().outcome().await.unwrap() {
            RunOutcome::DeviceFault(fault) | RunOutcome::TaskFault(fault) => assert_eq!(fault.code, code),
            other => panic!("{other:?}"),
        }
        assert_eq!(runtime.devices().await.unwrap().len(), 1, "it goes on");
    }
    let honest = start(scratch.path(), &Behaviour::default()).await;
    let liar = start(scratch.path(), &faulty(FakeFault::WrongOutput)).await;
    let [honest, lie] = [
        honest.run(task()).await.unwrap().outcome().await.unwrap(),
        liar.run(task()).await.unwrap().outcome().await.unwrap(),
    ];
    let (RunOutcome::Done { outputs: good, .. }, RunOutcome::Done { outputs: bad, .. }) = (honest, lie)
    else {
        panic!("both claim to be done")
    };
    assert_ne!(good, bad);
}

#[tokio::test]
async fn a_hanging_process_is_killed_at_once() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &faulty(FakeFault::Hang)).await;
    let mut running = runtime.run(task()).await.unwrap();
    while running
        .progress()
        .await
        .is_some_and(|event| matches!(event, RuntimeEvent::RunProgress { fraction } if fraction < 0.3))
    {}
    let asked_at = Instant::now();
    let exit = runtime.kill().await;
    eprintln!("gone after {:?}", asked_at.elapsed());
    assert!(asked_at.elapsed() < Duration::from_secs(5));
    assert!(matches!(exit.reason, RuntimeError::Killed), "{exit:?}");
    #[cfg(target_os = "linux")]
    assert!(!exists(runtime.process_id()));
    assert!(matches!(running.outcome().await, Err(RuntimeError::Killed)));
    assert!(matches!(runtime.kill().await.reason, RuntimeError::Killed), "twice is as good");
}

#[tokio::test]
async fn stop_kills_what_does_not_follow() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &faulty(FakeFault::Hang)).await;
    let running = runtime.run(task()).await.unwrap();
    let exit = runtime.stop(Duration::from_millis(300)).await;
    assert!(matches!(exit.reason, RuntimeError::Killed), "{exit:?}");
    drop(running);
}

#[tokio::test]
async fn greetings_that_go_wrong() {
    let scratch = tempfile::tempdir().unwrap();
    let other = Behaviour { greeting: Greeting::OtherProtocol, ..Behaviour::default() };
    let error = RuntimeProcess::start(command(scratch.path(), &other)).await.unwrap_err();
    assert_eq!(error.code(), "runtime_other_protocol");

    let mut never = command(scratch.path(), &Behaviour { greeting: Greeting::Never, ..Behaviour::default() });
    never.hello_timeout = Duration::from_millis(300);
    assert_eq!(RuntimeProcess::start(never).await.unwrap_err().code(), "runtime_no_hello");

    let missing = RuntimeCommand::new(scratch.path().join("nothing"), scratch.path());
    assert_eq!(RuntimeProcess::start(missing).await.unwrap_err().code(), "runtime_missing");

    let mut unreadable = command(scratch.path(), &Behaviour::default());
    unreadable.env = vec![(Behaviour::ENV.to_owned(), "{".to_owned())];
    assert_eq!(RuntimeProcess::start(unreadable).await.unwrap_err().code(), "runtime_died");
}

#[tokio::test]
async fn a_run_beyond_its_bound_is_ended() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &slow()).await;
    let mut request = task();
    request.limits.run_ms_max = 100;
    let outcome = runtime.run(request).await.unwrap().outcome().await.unwrap();
    assert!(matches!(outcome, RunOutcome::TaskFault(fault) if fault.code == "run_too_long"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_last_handle_takes_the_process_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &Behaviour::default()).await;
    let process_id = runtime.process_id();
    drop(runtime.clone());
    assert_eq!(runtime.devices().await.unwrap().len(), 1, "a clone is not the last");
    drop(runtime);
    gone(process_id).await;
}

#[cfg(target_os = "linux")]
async fn gone(process_id: u32) {
    let asked_at = Instant::now();
    while exists(process_id) {
        assert!(asked_at.elapsed() < Duration::from_secs(20), "{process_id} is still there");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The folder of the process that is to be killed; set only in that process.
#[cfg(target_os = "linux")]
const DOOMED_ENV: &str = "LULL_TEST_DOOMED_PARENT";

/// Not a test by itself: it is the parent that the next test starts and kills.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn doomed_parent() {
    let Some(scratch) = std::env::var_os(DOOMED_ENV).map(PathBuf::from) else { return };
    let runtime = start(&scratch, &faulty(FakeFault::Hang)).await;
    let _running = runtime.run(task()).await.unwrap();
    let partial = scratch.join("process_id.partial");
    std::fs::write(&partial, runtime.process_id().to_string()).unwrap();
    std::fs::rename(partial, scratch.join("process_id")).unwrap();
    std::future::pending().await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_killed_parent_takes_a_hanging_runtime_with_it() {
    let scratch = tempfile::tempdir().unwrap();
    let mut parent = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "doomed_parent", "--nocapture"])
        .env(DOOMED_ENV, scratch.path())
        .stdout(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let asked_at = Instant::now();
    let process_id: u32 = loop {
        if let Ok(text) = std::fs::read_to_string(scratch.path().join("process_id")) {
            break text.parse().unwrap();
        }
        assert!(asked_at.elapsed() < Duration::from_secs(30), "the parent does not get ready");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert!(exists(process_id));
    parent.kill().await.unwrap();
    gone(process_id).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_the_parent_is_handed_on() {
    let scratch = tempfile::tempdir().unwrap();
    let runtime = start(scratch.path(), &Behaviour::default()).await;
    let process = PathBuf::from(format!("/proc/{}", runtime.process_id()));
    let environment = String::from_utf8(std::fs::read(process.join("environ")).unwrap()).unwrap();
    let value =
        |name: &str| environment.split('\0').find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    assert_eq!(value("HOME"), scratch.path().to_str());
    assert_eq!(value("PATH"), None);
    assert_eq!(value("CARGO_MANIFEST_DIR"), None);
    assert_eq!(std::fs::read_link(process.join("cwd")).unwrap(), scratch.path().canonicalize().unwrap());
    let open = std::fs::read_dir(process.join("fd")).unwrap().count();
    assert_eq!(open, 3, "files besides the standard three are open");
}
