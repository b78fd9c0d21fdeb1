//! Enrolment: what a worker says of its machine, taken only where it is physically possible. Being possible is
//! no proof: the verification of its first tasks is.

use std::time::Duration;

use lull_network_api::{Enrolment, NetworkMessage};
use lull_types::{BenchmarkReport, DeviceInfo, DeviceKind, Measure, Measurement, Unit, UnixMillis, WorkerId};
use rusqlite::params;

use super::turn::Turn;
use super::{Engine, EngineError};
use crate::store::{Json, Sql};

/// Devices in one machine: mining frames hold a dozen.
const DEVICES_MAX: usize = 16;
/// Job kinds of one worker.
const KINDS_MAX: usize = 32;
/// Names, versions and descriptions: ten times the longest seen.
const TEXT_BYTES_MAX: usize = 512;
/// Repetitions of one measurement that are worth keeping.
const SAMPLES_MAX: usize = 1024;
/// How far a worker's clock may run ahead.
const CLOCK_AHEAD_MAX: Duration = Duration::from_secs(24 * 3600);

/// The fastest device of 2026 reaches 105,000 (GeForce RTX 5090) outside its matrix units; twice that leaves
/// room for the next generation.
const FP32_GIGAFLOPS_MAX: f64 = 210_000.0;
/// A product of matrices cannot beat the peak; clocks vary between the two measurements by less than this.
const GEMM_OVER_PEAK_MAX: f64 = 1.3;
/// The widest memory on the market reaches 8,000 (HBM3e); half as much again for the next.
const MEMORY_GIGABYTES_MAX: f64 = 12_000.0;
/// Memory that is shared with a processor: 800 in the widest desktop chips.
const SHARED_MEMORY_GIGABYTES_MAX: f64 = 1_200.0;
/// 16-bit floats are twice as fast on most GPUs, and four times on some.
const HALF_OVER_SINGLE_MAX: f64 = 4.0;
/// Matrix units reach sixteen times the plain peak in 16 bits, and twice that in 8.
const MATRIX_UNITS_OVER_SINGLE_MAX: f64 = 32.0;
/// Links between a processor and its GPU on one board carry 450 (PCI Express 6.0 with 16 lanes 128); twice that.
const BUS_GIGABYTES_MAX: f64 = 900.0;
/// The largest device of 2026 has 288; twice that for the next.
const ALLOCATABLE_GIGABYTES_MAX: f64 = 600.0;
/// Measures of one device, taken or not: twice those that there are.
const MEASURES_MAX: usize = 32;
/// Points of one curve that are worth keeping: ten minutes, a point a second.
const CURVE_MAX: usize = 600;

/// Why an enrolment is not believed: code and sentence.
type Doubt = (&'static str, String);

impl Engine {
    pub(super) fn enrol(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        enrolment: &Enrolment,
    ) -> Result<(), EngineError> {
        if let Err((code, sentence)) = plausible(enrolment, turn.now) {
            self.refuse(turn, worker, None, code, &sentence);
            return Ok(());
        }
        turn.tx
            .prepare_cached(
                "INSERT INTO workers (id, hardware, kinds, enrolled_at, seen_at) VALUES (?1, ?2, ?3, ?4, ?4)
                 ON CONFLICT (id) DO UPDATE SET hardware = excluded.hardware, kinds = excluded.kinds,
                     seen_at = excluded.seen_at",
            )?
            .execute(params![
                Sql(worker),
                Json(&enrolment.hardware),
                Json(&enrolment.kinds),
                Sql(turn.now)
            ])?;
        turn.tx.prepare_cached("DELETE FROM devices WHERE worker = ?1")?.execute([Sql(worker)])?;
        for benchmark in &enrolment.benchmarks {
            let device = &benchmark.device;
            turn.tx
                .prepare_cached(
                    "INSERT INTO devices (worker, device, class, name, benchmark) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![
                    Sql(worker),
                    device.index,
                    device.class().0,
                    device.name,
                    Json(benchmark)
                ])?;
        }
        self.sessions.forget_known_timing(worker);
        self.send(turn, worker, NetworkMessage::Enrolled);
        self.tell_prices(turn, worker)?;
        self.tell_timings(turn, worker)
    }
}

fn plausible(enrolment: &Enrolment, now: UnixMillis) -> Result<(), Doubt> {
    let hardware = &enrolment.hardware;
    let malformed = |what: &str| Err(("enrolment_malformed", format!("the enrolment was refused: {what}")));
    if hardware.devices.is_empty() || enrolment.benchmarks.is_empty() {
        return malformed("it names no device to lend; run the benchmark first");
    }
    if hardware.devices.len() > DEVICES_MAX || enrolment.benchmarks.len() > hardware.devices.len() {
        return malformed("it names more devices than one machine can hold");
    }
    if enrolment.kinds.is_empty() || enrolment.kinds.len() > KINDS_MAX {
        return malformed("it must name the job kinds that the machine can run");
    }
    let texts = hardware.devices.iter().flat_map(|d| [&d.name, &d.vendor, &d.backend, &d.driver]);
    let texts = texts.chain(&enrolment.kinds).chain([&hardware.os, &hardware.cpu]);
    if texts.into_iter().any(|text| text.len() > TEXT_BYTES_MAX) {
        return malformed("a name in it is too long");
    }
    let mut seen = Vec::new();
    for benchmark in &enrolment.benchmarks {
        let index = benchmark.device.index;
        if !hardware.devices.contains(&benchmark.device) {
            return malformed(&format!("device {index} was measured, but the machine does not have it"));
        }
        if seen.contains(&index) {
            return malformed(&format!("device {index} was measured twice"));
        }
        seen.push(index);
        if benchmark.measured_at > now.after(CLOCK_AHEAD_MAX) {
            return malformed("its benchmark lies in the future; set this computer's clock");
        }
        let parts = benchmark.measurements.len() + benchmark.skipped.len();
        let texts =
            benchmark.skipped.iter().flat_map(|skipped| [&skipped.fault.code, &skipped.fault.sentence]);
        if parts > MEASURES_MAX
            || benchmark.sustained_telemetry.len() > CURVE_MAX
            || texts.into_iter().any(|text| text.len() > TEXT_BYTES_MAX)
        {
            return malformed("its benchmark is longer than any benchmark");
        }
        believable(benchmark)?;
    }
    Ok(())
}

fn believable(benchmark: &BenchmarkReport) -> Result<(), Doubt> {
    let device = &benchmark.device;
    if benchmark.measurements.is_empty() {
        let sentence = format!("nothing was measured on {}; run the benchmark again", device.name);
        return Err(("benchmark_empty", sentence));
    }
    for measurement in &benchmark.measurements {
        sound(device, measurement)?;
        let bound = bound(device, measurement.measure);
        if measurement.value > bound {
            return Err(impossible(device, measurement, &format!("no such device exceeds {bound:.0}")));
        }
    }
    if let (Some(peak), Some(gemm)) = (benchmark.value(Measure::Fp32Peak), benchmark.value(Measure::GemmFp32))
        && gemm > peak * GEMM_OVER_PEAK_MAX
        && let Some(measurement) = benchmark.measurements.iter().find(|m| m.measure == Measure::GemmFp32)
    {
        let why = format!("its own measured peak is {peak:.1}");
        return Err(impossible(device, measurement, &why));
    }
    Ok(())
}

/// Whether a measurement agrees with itself.
fn sound(device: &DeviceInfo, measurement: &Measurement) -> Result<(), Doubt> {
    let samples = &measurement.samples;
    let curve = measurement.curve.iter().flat_map(|point| [&point.at, &point.value]);
    let numbers = samples.iter().chain([&measurement.value, &measurement.spread]).chain(curve);
    let finite = numbers.copied().all(f64::is_finite);
    let within =
        samples.iter().any(|s| *s <= measurement.value) && samples.iter().any(|s| *s >= measurement.value);
    let positive = measurement.value > 0.0 && samples.iter().all(|s| *s > 0.0);
    let well_formed = measurement.unit == measurement.measure.unit()
        && measurement.method.len() <= TEXT_BYTES_MAX
        && samples.len() <= SAMPLES_MAX
        && measurement.curve.len() <= CURVE_MAX;
    if !(finite && within && positive && well_formed) {
        let sentence =
            format!("a measurement of {} contradicts its own samples; run the benchmark again", device.name);
        return Err(("benchmark_unsound", sentence));
    }
    // What no job can ask for yet, or asks for by itself, does no harm to the others.
    let is_relied_on = match measurement.measure {
        Measure::Fp32Peak | Measure::Int32Peak | Measure::MemoryRead | Measure::GemmFp32 => true,
        Measure::Fp16Peak
        | Measure::Fp64Peak
        | Measure::Int8DotPeak
        | Measure::MemoryWrite
        | Measure::MemoryCopy
        | Measure::MemoryLatency
        | Measure::Upload
        | Measure::Download
        | Measure::GemmFp16
        | Measure::GemmMatrixUnits
        | Measure::LaunchLatency
        | Measure::MemoryAllocatable
        | Measure::Sustained => false,
    };
    if is_relied_on && !measurement.correct {
        let sentence = format!(
            "{} computed a wrong result in its benchmark, so its work could not be accepted; update the graphics driver and undo any overclocking, then try again",
            device.name
        );
        return Err(("benchmark_incorrect", sentence));
    }
    Ok(())
}

/// What no device exceeds.
fn bound(device: &DeviceInfo, measure: Measure) -> f64 {
    let shares_memory = match device.kind {
        DeviceKind::Integrated | DeviceKind::Software => true,
        DeviceKind::Discrete | DeviceKind::Virtual | DeviceKind::Other => false,
    };
    match measure {
        Measure::Fp32Peak
        | Measure::Fp64Peak
        | Measure::Int32Peak
        | Measure::GemmFp32
        | Measure::Sustained => FP32_GIGAFLOPS_MAX,
        Measure::Fp16Peak | Measure::GemmFp16 => FP32_GIGAFLOPS_MAX * HALF_OVER_SINGLE_MAX,
        Measure::Int8DotPeak | Measure::GemmMatrixUnits => FP32_GIGAFLOPS_MAX * MATRIX_UNITS_OVER_SINGLE_MAX,
        Measure::MemoryRead | Measure::MemoryWrite | Measure::MemoryCopy if shares_memory => {
            SHARED_MEMORY_GIGABYTES_MAX
        }
        Measure::Upload | Measure::Download if !shares_memory => BUS_GIGABYTES_MAX,
        Measure::MemoryRead
        | Measure::MemoryWrite
        | Measure::MemoryCopy
        | Measure::Upload
        | Measure::Download => MEMORY_GIGABYTES_MAX,
        Measure::MemoryAllocatable => ALLOCATABLE_GIGABYTES_MAX,
        // A late answer is no boast.
        Measure::MemoryLatency | Measure::LaunchLatency => f64::INFINITY,
    }
}

fn impossible(device: &DeviceInfo, measurement: &Measurement, why: &str) -> Doubt {
    let what = match measurement.measure {
        Measure::Fp32Peak | Measure::Fp16Peak | Measure::Fp64Peak => "an arithmetic peak",
        Measure::Int32Peak | Measure::Int8DotPeak => "an integer peak",
        Measure::MemoryRead | Measure::MemoryWrite | Measure::MemoryCopy => "a memory bandwidth",
        Measure::Upload | Measure::Download => "a transfer rate",
        Measure::GemmFp32 | Measure::GemmFp16 | Measure::GemmMatrixUnits | Measure::Sustained => {
            "a matrix product"
        }
        Measure::MemoryAllocatable => "a memory",
        Measure::MemoryLatency | Measure::LaunchLatency => "a latency",
    };
    let unit = match measurement.measure.unit() {
        Unit::GigaflopsPerSecond | Unit::GigaopsPerSecond => "billion operations a second",
        Unit::GigabytesPerSecond => "gigabytes a second",
        Unit::Gigabytes => "gigabytes",
        Unit::Nanoseconds => "nanoseconds",
        Unit::Microseconds => "microseconds",
    };
    let sentence = format!(
        "{} reports {what} of {:.1} {unit}, but {why}; run the benchmark again with nothing else running",
        device.name, measurement.value
    );
    ("benchmark_impossible", sentence)
}
