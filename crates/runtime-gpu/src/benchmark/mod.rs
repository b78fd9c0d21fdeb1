//! Measurements of one device: each checked against the CPU, with method, samples and spread.

mod bench;
mod fp32;
mod gemm;
mod memory;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_runtime_api::RuntimeEvent;
use lull_types::{BenchmarkReport, Coded, Fault, Measure, Measurement, Skipped, UnixMillis};

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

/// What became of a measure.
enum Taken {
    Measured(Measurement),
    /// The device cannot do it, or not here.
    Skipped(Fault),
}

/// Takes the measures in order within `budget`, then `sustained` long what the device keeps up; tells each as it is
/// done.
pub fn run(
    adapter: &FoundAdapter,
    measures: &[Measure],
    budget: Duration,
    sustained: Duration,
    work: &Work,
) -> Result<BenchmarkReport, BenchmarkError> {
    let started = Instant::now();
    let mut bench = Bench::open(adapter, work)?;
    let result = take(&mut bench, measures, started, budget, sustained);
    let (measurements, skipped) = match result {
        Ok(taken) => taken,
        Err(error) => {
            if matches!(&error, BenchmarkError::Gpu(error) if error.ends_process()) {
                bench.abandon();
            }
            return Err(error);
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (device, measured_at) = (adapter.info.clone(), UnixMillis::default().after(now));
    let version = env!("CARGO_PKG_VERSION");
    let report = BenchmarkReport::new(device, version, measured_at, started.elapsed(), measurements);
    Ok(BenchmarkReport { skipped, ..report })
}

fn take(
    bench: &mut Bench<'_>,
    measures: &[Measure],
    started: Instant,
    budget: Duration,
    sustained: Duration,
) -> Result<(Vec<Measurement>, Vec<Skipped>), BenchmarkError> {
    let mut measurements = Vec::with_capacity(measures.len());
    let mut skipped = Vec::new();
    for (position, &measure) in measures.iter().enumerate() {
        // What earlier measures left unused, or used too much, is shared by the rest.
        let left = (measures.len() - position) as u32;
        let share = budget.saturating_sub(started.elapsed()) / left;
        bench.begin(measure, position, measures.len(), share);
        let taken = match measure {
            Measure::Fp32Peak => Taken::Measured(fp32::measure(bench)?),
            Measure::MemoryRead => Taken::Measured(memory::measure(bench)?),
            Measure::GemmFp32 => Taken::Measured(gemm::measure(bench)?),
            _ => Taken::Skipped(Fault::new("measure_unsupported", "This cannot be measured yet.")),
        };
        match taken {
            Taken::Measured(measurement) => {
                bench.work.emit(RuntimeEvent::Measured(measurement.clone()));
                measurements.push(measurement);
            }
            Taken::Skipped(fault) => skipped.push(Skipped { measure, fault }),
        }
    }
    let _ = sustained;
    Ok((measurements, skipped))
}
