//! Measurements of one device: each checked against the CPU, with method, samples and spread.

mod bench;
mod fp32;
mod gemm;
mod memory;
mod statistics;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_runtime_api::RuntimeEvent;
use lull_types::{BenchmarkReport, Coded, Measure, UnixMillis};

use crate::adapters::FoundAdapter;
use crate::gpu::GpuError;
use crate::work::Work;
pub use bench::Bench;

/// Why a benchmark did not get done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BenchmarkError {
    /// The device is at fault.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The worker asked to stop.
    #[error("The benchmark was stopped as asked.")]
    Cancelled,
}

impl Coded for BenchmarkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Gpu(error) => error.code(),
            Self::Cancelled => "cancelled",
        }
    }
}

/// Takes the measures in order within `budget`, and tells each as it is done.
pub fn run(
    adapter: &FoundAdapter,
    measures: &[Measure],
    budget: Duration,
    work: &Work,
) -> Result<BenchmarkReport, BenchmarkError> {
    let started = Instant::now();
    let mut bench = Bench::open(adapter, work)?;
    let result = take(&mut bench, measures, started, budget);
    let measurements = match result {
        Ok(measurements) => measurements,
        Err(error) => {
            if matches!(&error, BenchmarkError::Gpu(error) if error.ends_process()) {
                bench.abandon();
            }
            return Err(error);
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(BenchmarkReport {
        device: adapter.info.clone(),
        runtime_version: env!("CARGO_PKG_VERSION").to_owned(),
        measured_at: UnixMillis::default().after(now),
        duration_ms: started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        measurements,
    })
}

fn take(
    bench: &mut Bench<'_>,
    measures: &[Measure],
    started: Instant,
    budget: Duration,
) -> Result<Vec<lull_types::Measurement>, BenchmarkError> {
    let mut measurements = Vec::with_capacity(measures.len());
    for (position, &measure) in measures.iter().enumerate() {
        // What earlier measures left unused, or used too much, is shared by the rest.
        let left = (measures.len() - position) as u32;
        let share = budget.saturating_sub(started.elapsed()) / left;
        bench.begin(measure, position, measures.len(), share);
        let measurement = match measure {
            Measure::Fp32Peak => fp32::measure(bench)?,
            Measure::MemoryRead => memory::measure(bench)?,
            Measure::GemmFp32 => gemm::measure(bench)?,
        };
        bench.work.emit(RuntimeEvent::Measured(measurement.clone()));
        measurements.push(measurement);
    }
    Ok(measurements)
}
