//! The benchmark on whatever device there is: sanity bounds, never absolute speed.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod common;

use std::time::{Duration, Instant};

use common::Runtime;
use lull_runtime_api::{Request, RuntimeEvent};
use lull_types::{BenchmarkReport, Fault, Measure};

/// Waits for the end, and tells how many progress events came before it.
fn finish(runtime: &mut Runtime) -> (Result<BenchmarkReport, Fault>, usize) {
    let (mut progress, mut last) = (0, 0.0);
    loop {
        match runtime.event() {
            RuntimeEvent::BenchmarkProgress { fraction, .. } => {
                assert!((last..=1.0).contains(&fraction), "{last} then {fraction}");
                last = fraction;
                progress += 1;
            }
            RuntimeEvent::Measured(_) => (),
            RuntimeEvent::BenchmarkEnded(result) => return (result, progress),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_measure_is_positive_correct_and_explained() {
    let Some((mut runtime, device)) = Runtime::with_device(&[]) else { return };
    let started = Instant::now();
    runtime.send(&Request::Benchmark {
        device: 0,
        measures: Measure::ORDINARY.to_vec(),
        budget_ms: 20_000,
        sustained_ms: 3_000,
    });
    let (result, progress) = finish(&mut runtime);
    let took = started.elapsed();
    let report = result.unwrap();
    eprintln!("{took:?}, {progress} progress events, {}", report.device.name);
    for measurement in &report.measurements {
        let m = measurement;
        eprintln!(
            "{:?}: {:.1} {:?}, spread {:.3}, {} samples, {}\n  {}",
            m.measure,
            m.value,
            m.unit,
            m.spread,
            m.samples.len(),
            m.correct,
            m.method
        );
        let curve: Vec<_> = m.curve.iter().map(|p| format!("{:.0}: {:.1}", p.at, p.value)).collect();
        eprintln!("  {}", curve.join(", "));
    }
    assert_eq!(report.device, device);
    for skipped in &report.skipped {
        eprintln!("{:?}: {}", skipped.measure, skipped.fault.sentence);
        assert_eq!(skipped.fault.code, "feature_missing");
    }
    let left_out = |measure: &Measure| report.skipped.iter().any(|skipped| skipped.measure == *measure);
    let expected = Measure::ORDINARY.into_iter().chain([Measure::Sustained]);
    let expected: Vec<_> = expected.filter(|measure| !left_out(measure)).collect();
    assert_eq!(report.measurements.iter().map(|m| m.measure).collect::<Vec<_>>(), expected);
    for measurement in &report.measurements {
        assert!(measurement.correct, "{measurement:?}");
        assert!(measurement.value > 0.0 && measurement.value < 1e7, "{measurement:?}");
        // What can be allocated is found once, and three seconds have few that are settled.
        let once = matches!(measurement.measure, Measure::MemoryAllocatable | Measure::Sustained);
        assert!(once || measurement.samples.len() >= 5, "{measurement:?}");
        assert!(measurement.samples.iter().all(|sample| *sample > 0.0));
        let at: Vec<f64> = measurement.curve.iter().map(|point| point.at).collect();
        assert!(at.is_sorted() && at.is_empty() == measurement.measure.axis().is_none(), "{measurement:?}");
        assert!(measurement.spread >= 0.0 && measurement.spread.is_finite());
        assert!(!measurement.method.is_empty());
    }
    assert!(progress >= 10, "{progress}");
    // The budget of 23 seconds, and room for a machine that does other things.
    assert!(took < Duration::from_secs(60), "{took:?}");
}

#[test]
fn a_benchmark_is_cancelled_soon() {
    let Some((mut runtime, _)) = Runtime::with_device(&[]) else { return };
    runtime.send(&Request::Benchmark {
        device: 0,
        measures: vec![Measure::MemoryRead],
        budget_ms: 60_000,
        sustained_ms: 0,
    });
    // Progress with a value: samples are being taken.
    while !matches!(runtime.event(), RuntimeEvent::BenchmarkProgress { value_so_far: Some(_), .. }) {}
    let asked = Instant::now();
    runtime.send(&Request::Cancel);
    let (result, _) = finish(&mut runtime);
    let took = asked.elapsed();
    eprintln!("cancelled after {took:?}");
    assert_eq!(result.unwrap_err().code, "cancelled");
    assert!(took < Duration::from_secs(1), "{took:?}");
    // It is fit for more work.
    assert!(!runtime.devices().is_empty());
}

#[test]
fn an_unknown_device_is_told() {
    let mut runtime = Runtime::greeted(&[]);
    runtime.send(&Request::Benchmark {
        device: 999,
        measures: Measure::ORDINARY.to_vec(),
        budget_ms: 1000,
        sustained_ms: 0,
    });
    let (result, _) = finish(&mut runtime);
    assert_eq!(result.unwrap_err().code, "device_unknown");
}
