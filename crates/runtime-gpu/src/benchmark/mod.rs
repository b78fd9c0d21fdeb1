//! Measurements of one device: each checked against the CPU, with method, samples and spread.

mod allocatable;
mod arithmetic;
mod bench;
mod gemm;
mod half;
mod latency;
mod launch;
mod memory;
mod number;
mod sustained;
mod transfer;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use lull_runtime_api::RuntimeEvent;
use lull_types::{BenchmarkReport, Coded, Fault, Measure, Measurement, Skipped, UnixMillis};

use crate::adapters::FoundAdapter;
use crate::gpu::GpuError;
use crate::work::Work;
pub use bench::Bench;
use memory::Stream;
use number::Number;
use transfer::Way;

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
    let last = (!sustained.is_zero()).then_some(Measure::Sustained);
    let all: Vec<Measure> = measures.iter().copied().chain(last).collect();
    for (position, &measure) in all.iter().enumerate() {
        // What earlier measures left unused, or used too much, is shared by the rest.
        let ahead: u32 = measures.iter().skip(position).map(|measure| weight(*measure)).sum();
        let share = match measure {
            Measure::Sustained => sustained,
            _ => budget.saturating_sub(started.elapsed()) * weight(measure) / ahead.max(1),
        };
        let done = started.elapsed().as_secs_f32();
        let whole = (budget + sustained).as_secs_f32().max(0.001);
        bench.begin(measure, [done / whole, (done + share.as_secs_f32()) / whole], share);
        let taken = match measure {
            Measure::Fp32Peak => arithmetic::measure(bench, Number::Fp32)?,
            Measure::Fp16Peak => arithmetic::measure(bench, Number::Fp16)?,
            Measure::Fp64Peak => arithmetic::measure(bench, Number::Fp64)?,
            Measure::Int32Peak => arithmetic::measure(bench, Number::Int32)?,
            Measure::Int8DotPeak => arithmetic::measure(bench, Number::Int8x4)?,
            Measure::MemoryRead => Taken::Measured(memory::measure(bench, Stream::Read)?),
            Measure::MemoryWrite => Taken::Measured(memory::measure(bench, Stream::Write)?),
            Measure::MemoryCopy => Taken::Measured(memory::measure(bench, Stream::Copy)?),
            Measure::MemoryLatency => Taken::Measured(latency::measure(bench)?),
            Measure::Upload => Taken::Measured(transfer::measure(bench, Way::Upload)?),
            Measure::Download => Taken::Measured(transfer::measure(bench, Way::Download)?),
            Measure::GemmFp32 => Taken::Measured(gemm::measure(bench)?),
            Measure::GemmFp16 => half::measure_plain(bench)?,
            Measure::GemmMatrixUnits => half::measure_units(bench)?,
            Measure::LaunchLatency => Taken::Measured(launch::measure(bench)?),
            Measure::MemoryAllocatable => Taken::Measured(allocatable::measure(bench)?),
            Measure::Sustained => Taken::Measured(sustained::measure(bench)?),
        };
        match taken {
            Taken::Measured(measurement) => {
                bench.work.emit(RuntimeEvent::Measured(measurement.clone()));
                measurements.push(measurement);
            }
            Taken::Skipped(fault) => skipped.push(Skipped { measure, fault }),
        }
    }
    Ok((measurements, skipped))
}

/// How much of the time a measure gets: what is looked at first, and what scores rest on, the most.
fn weight(measure: Measure) -> u32 {
    match measure {
        Measure::Fp32Peak | Measure::MemoryRead | Measure::GemmFp32 => 6,
        Measure::Fp16Peak | Measure::GemmFp16 | Measure::GemmMatrixUnits | Measure::MemoryLatency => 4,
        Measure::Int8DotPeak | Measure::Int32Peak | Measure::Fp64Peak => 3,
        Measure::MemoryWrite | Measure::MemoryCopy | Measure::Upload | Measure::Download => 2,
        Measure::LaunchLatency | Measure::MemoryAllocatable => 1,
        // It has a time of its own.
        Measure::Sustained => 0,
    }
}
