//! Writes down clocks, heat and power while a device is measured for minutes: a runtime cannot see them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_types::{DeviceInfo, Measure, TelemetryPoint};

use crate::telemetry::Source;

/// Heat and clocks do not move faster than this shows.
const INTERVAL: Duration = Duration::from_secs(1);

/// A source of telemetry that is asked from several places.
pub(super) type SharedSource = Arc<Mutex<Box<dyn Source>>>;

/// What a device does during [`Measure::Sustained`].
pub(super) struct Recorder {
    source: SharedSource,
    device: DeviceInfo,
    began: Option<Instant>,
    sampled: Option<Instant>,
    points: Vec<TelemetryPoint>,
}

impl Recorder {
    pub fn new(source: SharedSource, device: DeviceInfo) -> Self {
        Self { source, device, began: None, sampled: None, points: Vec::new() }
    }

    /// Takes note of an event, and samples if it is time.
    pub async fn saw(&mut self, event: &RuntimeEvent) {
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
            source.lock().unwrap_or_else(PoisonError::into_inner).sample(&device)
        });
        if let Ok(telemetry) = sampled.await {
            self.points.push(TelemetryPoint { seconds: (now - began).as_secs_f64(), telemetry });
        }
    }

    pub fn points(self) -> Vec<TelemetryPoint> {
        self.points
    }
}
