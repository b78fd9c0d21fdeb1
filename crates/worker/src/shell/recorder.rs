//! Writes down what a benchmark tells while it goes on: clocks, heat and power, which a runtime cannot see, and each
//! measure that is done, so that a driver that fails on the last one does not take the others with it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_runtime_api::host::RuntimeError;
use lull_types::{BenchmarkReport, Coded, DeviceInfo, Measure, Measurement, Skipped, TelemetryPoint};

use crate::clock;
use crate::telemetry::Source;

/// Heat and clocks do not move faster than this shows.
const INTERVAL: Duration = Duration::from_secs(1);

/// A source of telemetry that is asked from several places.
pub(super) type SharedSource = Arc<Mutex<Box<dyn Source>>>;

/// What became known of a device while it was measured.
pub(super) struct Recorder {
    source: SharedSource,
    device: DeviceInfo,
    runtime_version: String,
    asked: Vec<Measure>,
    started: Instant,
    measured: Vec<Measurement>,
    began: Option<Instant>,
    sampled: Option<Instant>,
    points: Vec<TelemetryPoint>,
}

impl Recorder {
    pub fn new(
        source: SharedSource,
        device: DeviceInfo,
        runtime_version: String,
        asked: Vec<Measure>,
    ) -> Self {
        let started = Instant::now();
        let measured = Vec::new();
        let points = Vec::new();
        Self { source, device, runtime_version, asked, started, measured, began: None, sampled: None, points }
    }

    /// Takes note of an event, and samples if it is time.
    pub async fn saw(&mut self, event: &RuntimeEvent) {
        if let RuntimeEvent::Measured(measurement) = event {
            self.measured.push(measurement.clone());
            return;
        }
        let is_sustained =
            matches!(event, RuntimeEvent::BenchmarkProgress { measure: Measure::Sustained, .. });
        if !is_sustained || self.sampled.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        let now = Instant::now();
        let began = *self.began.get_or_insert(now);
        self.sampled = Some(now);
        let (source, device) = (Arc::clone(&self.source), self.device.clone());
        // Drivers block.
        let sampled = tokio::task::spawn_blocking(move || {
            source.lock().unwrap_or_else(PoisonError::into_inner).sample(&device).telemetry
        });
        if let Ok(telemetry) = sampled.await {
            self.points.push(TelemetryPoint { seconds: (now - began).as_secs_f64(), telemetry });
        }
    }

    /// The report, completed. A device or driver that failed after everything essential was measured has a report
    /// all the same, which says what is missing and why.
    pub fn report(
        self,
        outcome: Result<BenchmarkReport, RuntimeError>,
    ) -> Result<BenchmarkReport, RuntimeError> {
        let has_essential =
            Measure::ESSENTIAL.iter().all(|measure| self.measured.iter().any(|m| m.measure == *measure));
        let report = match outcome {
            Ok(report) => report,
            Err(error) if has_essential && is_trouble(&error) => {
                let fault = match error {
                    // The runtime's own words say more.
                    RuntimeError::BenchmarkFailed(fault) => fault,
                    error => error.fault(),
                };
                tracing::warn!(code = fault.code, "a benchmark ended early");
                let is_missing = |measure: &&Measure| !self.measured.iter().any(|m| m.measure == **measure);
                let missing = self.asked.iter().filter(is_missing);
                let skipped =
                    missing.map(|measure| Skipped { measure: *measure, fault: fault.clone() }).collect();
                let took = self.started.elapsed();
                let version = self.runtime_version;
                let report = BenchmarkReport::new(self.device, version, clock::now(), took, self.measured);
                BenchmarkReport { skipped, ..report }
            }
            Err(error) => return Err(error),
        };
        Ok(BenchmarkReport { sustained_telemetry: self.points, ..report })
    }
}

/// Whether the device, its driver or the runtime failed, as opposed to a benchmark that somebody stopped.
fn is_trouble(error: &RuntimeError) -> bool {
    match error {
        RuntimeError::Died { .. }
        | RuntimeError::Silent { .. }
        | RuntimeError::Overdue { .. }
        | RuntimeError::Garbled { .. } => true,
        RuntimeError::BenchmarkFailed(fault) => fault.code != "cancelled",
        RuntimeError::Killed
        | RuntimeError::Missing { .. }
        | RuntimeError::NotStarted { .. }
        | RuntimeError::NoHello { .. }
        | RuntimeError::OtherProtocol { .. }
        | RuntimeError::Refused(_)
        | RuntimeError::ChallengeFailed(_)
        | RuntimeError::ServingFailed(_)
        | RuntimeError::Busy => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::fixture;
    use crate::telemetry::SystemSource;
    use lull_types::Fault;

    async fn recorder(measured: &[Measure]) -> Recorder {
        let source: SharedSource = Arc::new(Mutex::new(Box::<SystemSource>::default()));
        let asked = Measure::ORDINARY.to_vec();
        let mut recorder = Recorder::new(source, fixture::report(0).device, "1".to_owned(), asked);
        for measure in measured {
            let measurement = Measurement::new(*measure, vec![1.0], "", true);
            recorder.saw(&RuntimeEvent::Measured(measurement)).await;
        }
        recorder
    }

    fn lost() -> RuntimeError {
        RuntimeError::BenchmarkFailed(Fault::new("device_lost", "The driver lost the GPU."))
    }

    #[tokio::test]
    async fn what_was_measured_before_a_driver_failed_is_kept() {
        let report = recorder(&Measure::ESSENTIAL).await.report(Err(lost())).unwrap();
        assert_eq!(report.measurements.len(), Measure::ESSENTIAL.len());
        assert_eq!(report.skipped.len(), Measure::ORDINARY.len() - Measure::ESSENTIAL.len());
        assert!(report.skipped.iter().all(|skipped| skipped.fault.code == "device_lost"));
    }

    #[tokio::test]
    async fn too_little_or_a_cancel_is_no_report() {
        assert!(recorder(&Measure::ESSENTIAL[..2]).await.report(Err(lost())).is_err());
        let cancelled = RuntimeError::BenchmarkFailed(Fault::new("cancelled", ""));
        assert!(recorder(&Measure::ESSENTIAL).await.report(Err(cancelled)).is_err());
        assert!(recorder(&Measure::ESSENTIAL).await.report(Err(RuntimeError::Killed)).is_err());
    }
}
