//! Measurements with their method, samples and spread.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{DeviceInfo, UnixMillis};

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Peak of chained fused multiply-adds in 32-bit floats, two operations each.
    Fp32Peak,
    /// Reading a buffer larger than the caches.
    MemoryRead,
    /// Product of two square matrices in 32-bit floats.
    GemmFp32,
}

impl Measure {
    /// All measures, in the order in which they are run.
    pub const ALL: [Self; 3] = [Self::Fp32Peak, Self::MemoryRead, Self::GemmFp32];

    /// The unit of this measure's values.
    pub fn unit(self) -> Unit {
        match self {
            Self::Fp32Peak | Self::GemmFp32 => Unit::GigaflopsPerSecond,
            Self::MemoryRead => Unit::GigabytesPerSecond,
        }
    }
}

/// A unit of measurement; powers of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// 10⁹ floating-point operations a second.
    GigaflopsPerSecond,
    /// 10⁹ bytes a second.
    GigabytesPerSecond,
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
}

impl BenchmarkReport {
    /// The value of one measure, if it was taken.
    pub fn value(&self, measure: Measure) -> Option<f64> {
        self.measurements.iter().find(|m| m.measure == measure).map(|m| m.value)
    }
}
