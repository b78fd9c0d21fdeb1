//! What a benchmark means for each kind of work: one figure a kind, in units that can be imagined.
//!
//! A language model that writes reads all its weights for every token, so memory bandwidth bounds it. One that reads a
//! prompt multiplies matrices, and so does training. Rendering and the like are bound by plain arithmetic. The figures
//! are bounds from one measure each; real programs stay below them.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{BenchmarkReport, JOB_KIND_WGSL, Measure};

/// Parameters of the model that the figures are for: 8 billion, the size that most open models come in.
const MODEL_PARAMETERS_BILLION: f64 = 8.0;
/// Bytes a parameter: 4 bits, and half a bit for the scales that go with them, as in the usual quantised files.
const BYTES_PER_PARAMETER: f64 = 4.5 / 8.0;
/// Operations a parameter and token: one multiplication and one addition.
const OPERATIONS_PER_PARAMETER: f64 = 2.0;

/// A kind of work that is bound by one measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum WorkClass {
    /// A language model writes: tokens a second of a model of 8 billion parameters in 4 bits, for one reader.
    Decode,
    /// A language model reads its prompt, or learns: tokens a second of the same model.
    Prefill,
    /// Pictures, simulations and whatever else shaders compute: 10¹² operations a second.
    Render,
}

impl WorkClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Decode, Self::Prefill, Self::Render];

    /// What bounds jobs of a kind, such as `wgsl/1`.
    pub fn of_job_kind(kind: &str) -> Option<Self> {
        (kind == JOB_KIND_WGSL).then_some(Self::Render)
    }
}

/// How much of a kind of work a device can do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Score {
    /// Which kind.
    pub work: WorkClass,
    /// How much, in the unit of [`WorkClass`].
    pub value: f64,
}

impl BenchmarkReport {
    /// The score for a kind of work, if what bounds it was measured and found right.
    pub fn score(&self, work: WorkClass) -> Option<f64> {
        let best = |measures: &[Measure]| {
            let values = measures.iter().filter_map(|measure| self.measurement(*measure));
            values
                .filter(|m| m.correct && m.value.is_finite() && m.value > 0.0)
                .map(|m| m.value)
                .max_by(f64::total_cmp)
        };
        match work {
            WorkClass::Decode => best(&[Measure::MemoryRead])
                .map(|rate| rate / (MODEL_PARAMETERS_BILLION * BYTES_PER_PARAMETER)),
            WorkClass::Prefill => best(&[Measure::GemmMatrixUnits, Measure::GemmFp16, Measure::GemmFp32])
                .map(|rate| rate / (MODEL_PARAMETERS_BILLION * OPERATIONS_PER_PARAMETER)),
            WorkClass::Render => best(&[Measure::Fp32Peak]).map(|rate| rate / 1000.0),
        }
    }

    /// All scores that there are.
    pub fn scores(&self) -> Vec<Score> {
        let score = |work| self.score(work).map(|value| Score { work, value });
        WorkClass::ALL.into_iter().filter_map(score).collect()
    }
}
