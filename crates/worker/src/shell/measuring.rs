//! Measuring without a worker, for the command line: a process for each device, and nothing is written down.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use lull_runtime_api::RuntimeEvent;
use lull_runtime_api::host::{RuntimeError, RuntimeProcess};
use lull_types::{BenchmarkReport, Coded, DeviceInfo, Fault, Measure};

use super::recorder::{Recorder, SharedSource};
use super::runtimes::{END_GRACE, RuntimeSource};
use crate::telemetry::SystemSource;

/// What is measured when all devices work at once: what they may take from one another.
pub const TOGETHER: [Measure; 5] =
    [Measure::Fp32Peak, Measure::MemoryRead, Measure::GemmFp32, Measure::Upload, Measure::Download];

/// What to measure, and for how long.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What.
    pub measures: Vec<Measure>,
    /// Bound on it.
    pub budget: Duration,
    /// How long the sustained measure is taken after it; zero for not at all.
    pub sustained: Duration,
}

/// This machine's devices.
///
/// # Errors
/// The runtime's fault.
pub async fn devices_once(source: &RuntimeSource, scratch: &Path) -> Result<Vec<DeviceInfo>, Fault> {
    const FOLDER: &str = "devices";
    let listed = async {
        let process = RuntimeProcess::start(source.command(scratch, FOLDER)?).await?;
        let devices = process.devices().await;
        process.stop(END_GRACE).await;
        devices
    };
    let listed = listed.await;
    remove(scratch, FOLDER).await;
    listed.map_err(|error| error.fault())
}

/// Measures one device with a process of its own.
///
/// # Errors
/// The runtime's fault.
pub async fn measure_once(
    source: &RuntimeSource,
    scratch: &Path,
    device: u32,
    plan: &Plan,
    mut progress: impl FnMut(&RuntimeEvent),
) -> Result<BenchmarkReport, Fault> {
    let folder = format!("benchmark-{device}");
    let measured = async {
        let process = RuntimeProcess::start(source.command(scratch, &folder)?).await?;
        // The runtime answers for a device only after it has listed them.
        let info = process.devices().await?.into_iter().find(|info| info.index == device);
        let telemetry: SharedSource = Arc::new(Mutex::new(Box::<SystemSource>::default()));
        let mut recorder = info.map(|info| Recorder::new(telemetry, info));
        let mut benchmarking =
            process.benchmark(device, plan.measures.clone(), plan.budget, plan.sustained).await?;
        while let Some(event) = benchmarking.progress().await {
            progress(&event);
            if let Some(recorder) = &mut recorder {
                recorder.saw(&event).await;
            }
        }
        let report = benchmarking.outcome().await;
        process.stop(END_GRACE).await;
        let mut report = report?;
        report.sustained_telemetry = recorder.map(Recorder::points).unwrap_or_default();
        Ok(report)
    };
    let measured = measured.await;
    remove(scratch, &folder).await;
    measured.map_err(|error: RuntimeError| error.fault())
}

/// Measures several devices at the same time, each with a process of its own.
///
/// # Errors
/// The first runtime's fault.
pub async fn measure_together(
    source: &RuntimeSource,
    scratch: &Path,
    devices: &[DeviceInfo],
    budget: Duration,
) -> Result<Vec<BenchmarkReport>, Fault> {
    let plan = Plan { measures: TOGETHER.to_vec(), budget, sustained: Duration::ZERO };
    let measured = devices.iter().map(|device| measure_once(source, scratch, device.index, &plan, |_| ()));
    join_all(measured).await.into_iter().collect()
}

async fn remove(scratch: &Path, folder: &str) {
    // What cannot be removed now is removed by the next start of the worker.
    let _ = tokio::fs::remove_dir_all(scratch.join(folder)).await;
}
