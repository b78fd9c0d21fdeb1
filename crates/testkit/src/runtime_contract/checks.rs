//! The checks, each a process of its own.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use lull_checks::product::{Product, Reference};
use lull_runtime_api::{
    ChallengeAnswer, ChallengeStep, Limits, PROTOCOL_VERSION, Request, RunOutcome, RuntimeEvent, TaskInput,
};
use lull_types::{BlobHash, DeviceInfo, Fault, JOB_KIND_WGSL, Measure};

use super::{Subject, tasks};
use crate::raw_runtime::{PATIENCE, RawRuntime};

/// A cancel takes effect at the next slice, which is at most 100 ms away; the rest is for a machine on which
/// all tests run at once on a software adapter.
const CANCEL_MAX: Duration = Duration::from_secs(5);

pub(super) async fn with_device(subject: &Subject) -> anyhow::Result<(RawRuntime, DeviceInfo)> {
    let (mut runtime, _) = RawRuntime::ready(&subject.program).await?;
    runtime.send(&Request::Enumerate).await?;
    match runtime.next().await? {
        RuntimeEvent::Devices(devices) => {
            let device = devices.into_iter().next().context("there is no device")?;
            Ok((runtime, device))
        }
        other => bail!("expected Devices, got {other:?}"),
    }
}

fn run(device: &DeviceInfo, payload: Vec<u8>, inputs: Vec<TaskInput>, limits: Limits) -> Request {
    Request::Run { device: device.index, kind: JOB_KIND_WGSL.to_owned(), payload, inputs, limits }
}

fn squares(device: &DeviceInfo) -> anyhow::Result<Request> {
    let (task, bytes) = tasks::squares();
    let input = TaskInput { hash: BlobHash::of(&bytes), bytes };
    Ok(run(device, serde_json::to_vec(&task)?, vec![input], Limits::default()))
}

fn endless(device: &DeviceInfo, limits: Limits) -> anyhow::Result<Request> {
    Ok(run(device, serde_json::to_vec(&tasks::endless())?, Vec::new(), limits))
}

/// The end of a run; checks the progress before it.
async fn run_ended(runtime: &mut RawRuntime, limit: Duration) -> anyhow::Result<RunOutcome> {
    let mut last = 0.0;
    let mut bad = None;
    let outcome = runtime
        .until(limit, |event| match event {
            RuntimeEvent::RunProgress { fraction } => {
                if !(last..=1.0).contains(&fraction) {
                    bad = Some(format!("progress went from {last} to {fraction}"));
                }
                last = fraction;
                None
            }
            RuntimeEvent::RunEnded(outcome) => Some(Ok(outcome)),
            other => Some(Err(anyhow::anyhow!("expected the end of a run, got {other:?}"))),
        })
        .await??;
    bad.map_or(Ok(outcome), |bad| Err(anyhow::anyhow!(bad)))
}

async fn started(runtime: &mut RawRuntime) -> anyhow::Result<()> {
    match runtime.next().await? {
        RuntimeEvent::RunProgress { .. } => Ok(()),
        other => bail!("expected progress, got {other:?}"),
    }
}

pub(super) async fn still_serves(runtime: &mut RawRuntime, device: &DeviceInfo) -> anyhow::Result<()> {
    runtime.send(&squares(device)?).await?;
    match run_ended(runtime, PATIENCE).await? {
        RunOutcome::Done { .. } => Ok(()),
        other => bail!("a good task afterwards ended with {other:?}"),
    }
}

/// `Hello` names the runtime and its kinds.
pub async fn says_hello(subject: &Subject) -> anyhow::Result<()> {
    let (_runtime, info) = RawRuntime::ready(&subject.program).await?;
    ensure!(info.protocol == PROTOCOL_VERSION, "{info:?}");
    ensure!(!info.name.is_empty() && !info.version.is_empty(), "{info:?}");
    ensure!(info.kinds.iter().any(|kind| kind == JOB_KIND_WGSL), "{info:?}");
    Ok(())
}

/// Another version is refused, and nothing is done for its speaker.
pub async fn refuses_another_protocol(subject: &Subject) -> anyhow::Result<()> {
    let mut runtime = RawRuntime::start(&subject.program).await?;
    runtime.send(&Request::Hello { protocol: PROTOCOL_VERSION + 1 }).await?;
    let event = runtime.next().await?;
    ensure!(matches!(event, RuntimeEvent::Refused(_)), "{event:?}");
    // It may have ended already, which is as good.
    if runtime.send(&Request::Enumerate).await.is_ok()
        && let Ok(event) = runtime.next().await
    {
        ensure!(matches!(event, RuntimeEvent::Refused(_)), "{event:?}");
    }
    Ok(())
}

/// Nothing is done for who did not say `Hello`.
pub async fn refuses_work_before_hello(subject: &Subject) -> anyhow::Result<()> {
    let mut runtime = RawRuntime::start(&subject.program).await?;
    runtime.send(&Request::Enumerate).await?;
    match runtime.next().await {
        Ok(RuntimeEvent::Refused(_)) => Ok(()),
        Ok(event) => bail!("expected a refusal, got {event:?}"),
        // It may as well end.
        Err(_) => runtime.exited().await.map(drop),
    }
}

/// Devices have distinct indices and names.
pub async fn lists_its_devices(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, first) = with_device(subject).await?;
    ensure!(!first.name.is_empty() && !first.vendor.is_empty() && !first.backend.is_empty(), "{first:?}");
    ensure!(first.storage_buffer_bytes_max > 0, "{first:?}");
    runtime.send(&Request::Enumerate).await?;
    let RuntimeEvent::Devices(again) = runtime.next().await? else { bail!("no second list") };
    ensure!(again.first() == Some(&first), "the list changes: {again:?}");
    let mut indices: Vec<_> = again.iter().map(|device| device.index).collect();
    indices.dedup();
    ensure!(indices.len() == again.len(), "an index is used twice: {again:?}");
    Ok(())
}

/// A benchmark's progress never falls, and its report holds what was told.
pub async fn measures_what_is_asked(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let measures = Measure::ORDINARY.to_vec();
    let request = Request::Benchmark {
        device: device.index,
        measures: measures.clone(),
        budget_ms: 3_000,
        sustained_ms: 0,
    };
    runtime.send(&request).await?;
    let (mut last, mut told, mut progress) = (0.0, Vec::new(), 0);
    let report = loop {
        match runtime.next().await? {
            RuntimeEvent::BenchmarkProgress { fraction, measure, .. } => {
                ensure!((last..=1.0).contains(&fraction), "progress went from {last} to {fraction}");
                ensure!(measures.contains(&measure), "{measure:?} was not asked for");
                last = fraction;
                progress += 1;
            }
            RuntimeEvent::Measured(measurement) => told.push(measurement),
            RuntimeEvent::BenchmarkEnded(result) => break result?,
            other => bail!("in a benchmark came {other:?}"),
        }
    };
    ensure!(progress > 0, "there was no progress");
    ensure!(report.device == device, "{report:?}");
    ensure!(report.measurements == told, "the report differs from what was told");
    let left_out = |measure: &Measure| report.skipped.iter().any(|skipped| skipped.measure == *measure);
    let expected = measures.iter().copied().filter(|measure| !left_out(measure));
    ensure!(told.iter().map(|m| m.measure).eq(expected), "other measures, or another order: {told:?}");
    ensure!(report.skipped.iter().all(|skipped| !skipped.fault.sentence.is_empty()), "{report:?}");
    for m in told {
        ensure!(m.correct, "{m:?}");
        ensure!(m.value.is_finite() && m.value > 0.0 && m.spread >= 0.0, "{m:?}");
        ensure!(m.unit == m.measure.unit() && !m.method.is_empty() && !m.samples.is_empty(), "{m:?}");
    }
    Ok(())
}

/// A cancelled benchmark ends as such, and the process goes on.
pub async fn cancels_a_benchmark(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let measures = Measure::ORDINARY.repeat(20);
    runtime
        .send(&Request::Benchmark { device: device.index, measures, budget_ms: 600_000, sustained_ms: 0 })
        .await?;
    runtime
        .until(PATIENCE, |event| matches!(event, RuntimeEvent::BenchmarkProgress { .. }).then_some(()))
        .await?;
    runtime.send(&Request::Cancel).await?;
    let ended = |event| match event {
        RuntimeEvent::BenchmarkEnded(result) => Some(result),
        _ => None,
    };
    // A cancel is seen between two slices; compiling a kernel is one.
    match runtime.until(PATIENCE, ended).await? {
        Err(fault) if fault.code == "cancelled" => {}
        other => bail!("expected the code cancelled, got {other:?}"),
    }
    still_serves(&mut runtime, &device).await
}

pub(super) async fn challenge_answered(
    runtime: &mut RawRuntime,
    step: ChallengeStep,
) -> anyhow::Result<Result<ChallengeAnswer, Fault>> {
    runtime.send(&Request::Challenge(step)).await?;
    let answered = |event| match event {
        RuntimeEvent::ChallengeAnswered(answer) => Some(answer),
        _ => None,
    };
    runtime.until(PATIENCE, answered).await
}

/// What is committed to is the true product, and what is opened is what was committed to; twice in one process.
pub async fn answers_the_challenge(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let prepared = challenge_answered(&mut runtime, ChallengeStep::Prepare { device: device.index }).await?;
    ensure!(prepared == Ok(ChallengeAnswer::Prepared), "{prepared:?}");
    for (seed, panels) in [(1, 1), (2, 3)] {
        let product = Product { seed: [seed; 32], side: 128, panels };
        let reference = Reference::compute(product);
        let committed = challenge_answered(&mut runtime, ChallengeStep::Commit(product)).await?;
        ensure!(committed == Ok(ChallengeAnswer::Committed(reference.root())), "another root: {committed:?}");
        let rows = vec![product.rows() - 1, 0, 64, 1];
        let opened = challenge_answered(&mut runtime, ChallengeStep::Open(rows.clone())).await?;
        let Ok(ChallengeAnswer::Opened(opened)) = opened else { bail!("not opened: {opened:?}") };
        product.check(reference.root(), &rows, &opened, &[9; 32])?;
    }
    Ok(())
}

/// Steps need those before them, and nothing that is asked for ends the process.
pub async fn takes_no_step_of_the_challenge_out_of_order(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let unprepared = challenge_answered(&mut runtime, ChallengeStep::Open(vec![0])).await?;
    ensure!(unprepared.is_err(), "{unprepared:?}");
    let missing = challenge_answered(&mut runtime, ChallengeStep::Prepare { device: 1_000 }).await?;
    ensure!(missing.is_err(), "{missing:?}");
    challenge_answered(&mut runtime, ChallengeStep::Prepare { device: device.index }).await??;
    for (side, panels) in [(0, 1), (129, 1), (8192, 1), (128, 0), (128, u32::MAX)] {
        let product = Product { seed: [0; 32], side, panels };
        let refused = challenge_answered(&mut runtime, ChallengeStep::Commit(product)).await?;
        ensure!(refused.is_err(), "{product:?}: {refused:?}");
    }
    let product = Product { seed: [0; 32], side: 128, panels: 1 };
    challenge_answered(&mut runtime, ChallengeStep::Commit(product)).await??;
    for rows in [vec![128], vec![0; 100_000], vec![u64::MAX]] {
        let refused = challenge_answered(&mut runtime, ChallengeStep::Open(rows)).await?;
        ensure!(refused.is_err(), "{refused:?}");
    }
    still_serves(&mut runtime, &device).await
}

/// A good task ends with outputs of the right size, and with the right ones where they are computed.
pub async fn runs_a_task(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    runtime.send(&squares(&device)?).await?;
    let RunOutcome::Done { outputs, slices, .. } = run_ended(&mut runtime, PATIENCE).await? else {
        bail!("it did not end well");
    };
    ensure!(slices > 0, "nothing was submitted");
    ensure!(outputs.len() == 1 && outputs[0].len() == tasks::SQUARES as usize * 4, "other sizes");
    if subject.computes {
        let wanted: Vec<u8> = (0..tasks::SQUARES).flat_map(|i| (i * i).to_le_bytes()).collect();
        ensure!(outputs[0] == wanted, "wrong squares");
    }
    Ok(())
}

/// The same task in one process and in another gives the same.
pub async fn gives_the_same_twice(subject: &Subject) -> anyhow::Result<()> {
    let mut seen = Vec::new();
    for _process in 0..2 {
        let (mut runtime, device) = with_device(subject).await?;
        for _run in 0..2 {
            runtime.send(&squares(&device)?).await?;
            match run_ended(&mut runtime, PATIENCE).await? {
                RunOutcome::Done { outputs, .. } => seen.push(outputs),
                other => bail!("it ended with {other:?}"),
            }
        }
    }
    ensure!(seen.windows(2).all(|pair| pair[0] == pair[1]), "the outputs differ");
    Ok(())
}

/// A bad task is the task's fault, and the process goes on.
pub async fn survives_bad_tasks(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let mut bad = tasks::bad();
    if subject.computes {
        bad.extend(tasks::bad_to_compile());
    }
    let mut requests: Vec<_> = bad
        .into_iter()
        .map(|(what, payload)| (what, run(&device, payload, Vec::new(), Limits::default())))
        .collect();
    let (task, _) = tasks::squares();
    let false_input = TaskInput { hash: task.input_blobs()[0], bytes: b"something else".to_vec() };
    let payload = serde_json::to_vec(&task)?;
    requests.push(("an input of another hash", run(&device, payload, vec![false_input], Limits::default())));
    let Request::Run { payload, inputs, .. } = squares(&device)? else { bail!("no run") };
    let narrow = Limits { buffer_bytes_max: 64, ..Limits::default() };
    requests.push(("buffers over the run's limit", run(&device, payload, inputs, narrow)));
    for (what, request) in requests {
        runtime.send(&request).await?;
        let outcome = run_ended(&mut runtime, PATIENCE).await.context(what)?;
        ensure!(matches!(outcome, RunOutcome::TaskFault(_)), "{what}: {outcome:?}");
    }
    still_serves(&mut runtime, &device).await
}

/// A kind and a device that it does not have are refused, or the task is blamed; the process goes on.
pub async fn refuses_what_it_does_not_know(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let Request::Run { payload, inputs, limits, .. } = squares(&device)? else { bail!("no run") };
    for (index, kind) in [(device.index, "shell/1"), (4_000_000, JOB_KIND_WGSL)] {
        runtime
            .send(&Request::Run {
                device: index,
                kind: kind.to_owned(),
                payload: payload.clone(),
                inputs: inputs.clone(),
                limits,
            })
            .await?;
        match runtime.next().await? {
            RuntimeEvent::Refused(_)
            | RuntimeEvent::RunEnded(RunOutcome::TaskFault(_) | RunOutcome::DeviceFault(_)) => {}
            other => bail!("{kind} on device {index}: {other:?}"),
        }
    }
    still_serves(&mut runtime, &device).await
}

/// A second run or benchmark is refused as `busy` and does not disturb the first.
pub async fn refuses_a_second_run_while_busy(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    runtime.send(&endless(&device, Limits::default())?).await?;
    started(&mut runtime).await?;
    let benchmark = Request::Benchmark {
        device: device.index,
        measures: Measure::ORDINARY.to_vec(),
        budget_ms: 1_000,
        sustained_ms: 0,
    };
    for request in [squares(&device)?, benchmark] {
        runtime.send(&request).await?;
        let refusal = |event| match event {
            RuntimeEvent::RunProgress { .. } => None,
            other => Some(other),
        };
        match runtime.until(PATIENCE, refusal).await? {
            RuntimeEvent::Refused(fault) if fault.code == "busy" => {}
            other => bail!("expected busy, got {other:?}"),
        }
    }
    runtime.send(&Request::Cancel).await?;
    let outcome = run_ended_after_cancel(&mut runtime).await?;
    ensure!(outcome == RunOutcome::Cancelled, "{outcome:?}");
    Ok(())
}

async fn run_ended_after_cancel(runtime: &mut RawRuntime) -> anyhow::Result<RunOutcome> {
    runtime
        .until(CANCEL_MAX, |event| match event {
            RuntimeEvent::RunEnded(outcome) => Some(outcome),
            _ => None,
        })
        .await
}

/// A cancelled run ends soon, and the process goes on.
pub async fn cancels_a_run(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    for _again in 0..2 {
        runtime.send(&endless(&device, Limits::default())?).await?;
        started(&mut runtime).await?;
        let asked_at = Instant::now();
        runtime.send(&Request::Cancel).await?;
        let outcome = run_ended_after_cancel(&mut runtime).await?;
        ensure!(outcome == RunOutcome::Cancelled, "{outcome:?}");
        eprintln!("cancelled after {:?}", asked_at.elapsed());
    }
    still_serves(&mut runtime, &device).await
}

/// A task that takes longer than it may is stopped and blamed.
pub async fn keeps_the_time_limit(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let limits = Limits { run_ms_max: 500, ..Limits::default() };
    runtime.send(&endless(&device, limits)?).await?;
    let outcome = run_ended(&mut runtime, PATIENCE).await?;
    ensure!(matches!(outcome, RunOutcome::TaskFault(_)), "{outcome:?}");
    still_serves(&mut runtime, &device).await
}

/// A run that is paced takes so much longer, its rests count for no limit, and it is cancelled as fast as any.
pub async fn rests_as_it_is_paced(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    let limits = Limits { run_ms_max: 500, ..Limits::default() };
    runtime.send(&endless(&device, limits)?).await?;
    started(&mut runtime).await?;
    let paced_at = Instant::now();
    runtime.send(&Request::Pace { percent: 20 }).await?;
    let outcome = run_ended(&mut runtime, PATIENCE).await?;
    let took = paced_at.elapsed();
    ensure!(matches!(outcome, RunOutcome::TaskFault(_)), "{outcome:?}");
    // Most of half a second of work is left when it is paced; at a fifth of the time that takes five times as long.
    ensure!(took > Duration::from_millis(1000), "half a second of work at a fifth of the time took {took:?}");

    runtime.send(&Request::Pace { percent: 1 }).await?;
    runtime.send(&endless(&device, Limits::default())?).await?;
    started(&mut runtime).await?;
    runtime.send(&Request::Cancel).await?;
    let outcome = run_ended_after_cancel(&mut runtime).await?;
    ensure!(outcome == RunOutcome::Cancelled, "{outcome:?}");
    runtime.send(&Request::Pace { percent: 100 }).await?;
    still_serves(&mut runtime, &device).await
}

/// A cancel that comes when all is over says nothing and spoils nothing.
pub async fn ignores_a_cancel_without_work(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    runtime.send(&Request::Cancel).await?;
    still_serves(&mut runtime, &device).await
}

/// `Shutdown` ends the process, and well.
pub async fn ends_on_shutdown(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, _) = with_device(subject).await?;
    runtime.send(&Request::Shutdown).await?;
    let status = runtime.exited().await?;
    ensure!(status.success(), "{status}");
    Ok(())
}

/// A runtime whose worker is gone ends.
pub async fn ends_when_its_input_ends(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, _) = with_device(subject).await?;
    runtime.close_input();
    runtime.exited().await.map(drop)
}

/// A runtime whose worker is gone ends, also in the middle of work.
pub async fn ends_when_its_input_ends_in_a_run(subject: &Subject) -> anyhow::Result<()> {
    let (mut runtime, device) = with_device(subject).await?;
    runtime.send(&endless(&device, Limits::default())?).await?;
    started(&mut runtime).await?;
    runtime.close_input();
    runtime.exited().await.map(drop)
}

/// A stream that is no longer frames cannot be followed: the process ends.
pub async fn ends_on_garbage(subject: &Subject) -> anyhow::Result<()> {
    for bytes in [&[0xff; 16][..], &[4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..]] {
        let (mut runtime, _) = RawRuntime::ready(&subject.program).await?;
        runtime.send_bytes(bytes).await?;
        runtime.exited().await?;
    }
    Ok(())
}
