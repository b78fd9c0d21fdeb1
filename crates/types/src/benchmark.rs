//! Measurements with their method, samples and spread.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::statistics::median_and_spread;
use crate::{DeviceInfo, DeviceTelemetry, Fault, UnixMillis};

/// What is measured. `docs/benchmark.md` describes how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Peak of chained fused multiply-adds in 32-bit floats, two operations each.
    Fp32Peak,
    /// The same in 16-bit floats.
    Fp16Peak,
    /// The same in 64-bit floats.
    Fp64Peak,
    /// Peak of chained multiplications and additions of 32-bit integers, two operations a pair.
    Int32Peak,
    /// Peak of chained dot products of four 8-bit integers with an addition, eight operations each.
    Int8DotPeak,
    /// Reading a buffer larger than the caches; the curve has smaller working sets.
    MemoryRead,
    /// Writing a buffer larger than the caches.
    MemoryWrite,
    /// Copying one buffer into another, both larger than the caches; bytes read and bytes written are counted.
    MemoryCopy,
    /// One load whose address is known only once the load before it is done; the curve has smaller working sets.
    MemoryLatency,
    /// Copying from the computer's memory into the device's.
    Upload,
    /// Copying from the device's memory into the computer's.
    Download,
    /// Product of two square matrices in 32-bit floats.
    GemmFp32,
    /// The same in 16-bit floats.
    GemmFp16,
    /// Product of 16-bit matrices summed in 32 bits, by the units that a device has for it.
    GemmMatrixUnits,
    /// From submitting an empty dispatch until the program knows that it ran.
    LaunchLatency,
    /// Memory that can be allocated and is as fast as the rest.
    MemoryAllocatable,
    /// The matrix product in 32-bit floats for minutes: what is left once the device is hot. The curve is over time.
    Sustained,
}

impl Measure {
    /// What a benchmark is worth nothing without.
    pub const ESSENTIAL: [Self; 3] = [Self::Fp32Peak, Self::MemoryRead, Self::GemmFp32];

    /// What an ordinary benchmark takes, in this order: what is essential first, and what drivers have the most
    /// trouble with last. [`Self::Sustained`] is asked for on its own.
    pub const ORDINARY: [Self; 16] = [
        Self::Fp32Peak,
        Self::MemoryRead,
        Self::GemmFp32,
        Self::Fp16Peak,
        Self::GemmFp16,
        Self::Int8DotPeak,
        Self::Int32Peak,
        Self::Fp64Peak,
        Self::MemoryWrite,
        Self::MemoryCopy,
        Self::MemoryLatency,
        Self::Upload,
        Self::Download,
        Self::LaunchLatency,
        Self::MemoryAllocatable,
        Self::GemmMatrixUnits,
    ];

    /// The unit of this measure's values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Fp32Peak
            | Self::Fp16Peak
            | Self::Fp64Peak
            | Self::GemmFp32
            | Self::GemmFp16
            | Self::GemmMatrixUnits
            | Self::Sustained => Unit::GigaflopsPerSecond,
            Self::Int32Peak | Self::Int8DotPeak => Unit::GigaopsPerSecond,
            Self::MemoryRead | Self::MemoryWrite | Self::MemoryCopy | Self::Upload | Self::Download => {
                Unit::GigabytesPerSecond
            }
            Self::MemoryLatency => Unit::Nanoseconds,
            Self::LaunchLatency => Unit::Microseconds,
            Self::MemoryAllocatable => Unit::Gigabytes,
        }
    }

    /// What the points of this measure's curve are over, if it has one.
    pub fn axis(self) -> Option<Axis> {
        match self {
            Self::MemoryRead | Self::MemoryLatency => Some(Axis::WorkingSetBytes),
            Self::Sustained => Some(Axis::Seconds),
            _ => None,
        }
    }

    /// Whether a lower value is the better one.
    pub fn is_better_lower(self) -> bool {
        matches!(self.unit(), Unit::Nanoseconds | Unit::Microseconds)
    }
}

/// A unit of measurement; powers of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 10⁹ floating-point operations a second.
    GigaflopsPerSecond,
    /// 10⁹ integer operations a second.
    GigaopsPerSecond,
    /// 10⁹ bytes a second.
    GigabytesPerSecond,
    /// 10⁻⁹ seconds.
    Nanoseconds,
    /// 10⁻⁶ seconds.
    Microseconds,
    /// 10⁹ bytes.
    Gigabytes,
}

/// What a curve is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Axis {
    /// Bytes that are gone over again and again.
    WorkingSetBytes,
    /// Seconds since the measure began.
    Seconds,
}

/// A point of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct CurvePoint {
    /// Where, in the unit of [`Measure::axis`].
    pub at: f64,
    /// How much, in the measure's unit.
    pub value: f64,
}

/// One measure of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Measurement {
    /// What was measured.
    pub measure: Measure,
    /// The median of `samples`, in `unit`.
    pub value: f64,
    /// Unit of `value` and `samples`.
    pub unit: Unit,
    /// Which kernel, sizes and clock, in a sentence.
    pub method: String,
    /// Every timed repetition, in the order taken.
    pub samples: Vec<f64>,
    /// Interquartile range of `samples` over their median.
    pub spread: f64,
    /// Whether the kernel's result was checked against the CPU and held.
    pub correct: bool,
    /// Over [`Measure::axis`], rising; empty for measures without one.
    #[serde(default)]
    pub curve: Vec<CurvePoint>,
}

impl Measurement {
    /// What samples make.
    pub fn new(measure: Measure, samples: Vec<f64>, method: impl Into<String>, correct: bool) -> Self {
        let (value, spread) = median_and_spread(&samples);
        let (unit, method) = (measure.unit(), method.into());
        Self { measure, value, unit, method, samples, spread, correct, curve: Vec::new() }
    }
}

/// A measure that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Skipped {
    /// Which.
    pub measure: Measure,
    /// Why.
    pub fault: Fault,
}

/// What a device was doing at one moment of the sustained measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct TelemetryPoint {
    /// Since that measure began.
    pub seconds: f64,
    /// What the platform told.
    pub telemetry: DeviceTelemetry,
}

/// All measures of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct BenchmarkReport {
    /// Which device.
    pub device: DeviceInfo,
    /// Version of the runtime that measured.
    pub runtime_version: String,
    /// When it ended.
    pub measured_at: UnixMillis,
    /// How long it took.
    #[ts(type = "number")]
    pub duration_ms: u64,
    /// What was found.
    pub measurements: Vec<Measurement>,
    /// What was not measured, and why.
    #[serde(default)]
    pub skipped: Vec<Skipped>,
    /// Clocks, heat and power while [`Measure::Sustained`] was taken; empty where the platform does not tell.
    #[serde(default)]
    pub sustained_telemetry: Vec<TelemetryPoint>,
}

impl BenchmarkReport {
    /// A report of measurements alone.
    pub fn new(
        device: DeviceInfo,
        runtime_version: impl Into<String>,
        measured_at: UnixMillis,
        duration: Duration,
        measurements: Vec<Measurement>,
    ) -> Self {
        Self {
            device,
            runtime_version: runtime_version.into(),
            measured_at,
            duration_ms: duration.as_millis().try_into().unwrap_or(u64::MAX),
            measurements,
            skipped: Vec::new(),
            sustained_telemetry: Vec::new(),
        }
    }

    /// One measure, if it was taken.
    pub fn measurement(&self, measure: Measure) -> Option<&Measurement> {
        self.measurements.iter().find(|m| m.measure == measure)
    }

    /// The value of one measure, if it was taken.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.measurement(measure).map(|m| m.value)
    }
}
