//! A benchmark in a file that anyone can check: the report as text, and the worker's signature over that text.

use lull_types::{BenchmarkReport, Coded, Domain, KeyError, SecretKey, Signature, WorkerId};
use serde::{Deserialize, Serialize};

/// Version of [`SignedBenchmark`].
pub const SIGNED_BENCHMARK_VERSION: u32 = 1;

/// A report and who answers for it. The signature proves who published it and that nobody changed it; only the
/// network's own timing shows that it is true.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBenchmark {
    /// Version of this format.
    pub lull_benchmark: u32,
    /// Whose.
    pub worker: WorkerId,
    /// By the worker's key for [`Domain::Benchmark`], over the bytes of `report`.
    pub signature: Signature,
    /// The report in JSON, as a text: numbers written again could differ from those signed.
    pub report: String,
}

/// Why a file is no report of this worker.
#[derive(Debug, thiserror::Error)]
pub enum SignedBenchmarkError {
    /// The text is none.
    #[error("This file is not a benchmark report. ({0})")]
    Garbled(#[from] serde_json::Error),
    /// It is of a later Lull.
    #[error(
        "This report has version {0} of its format, which this version of Lull cannot read; update Lull."
    )]
    Version(u32),
    /// It was changed, or is somebody else's.
    #[error("This report was changed after it was signed, so nothing in it can be trusted. ({0})")]
    Signature(#[from] KeyError),
}

impl Coded for SignedBenchmarkError {
    fn code(&self) -> &'static str {
        match self {
            Self::Garbled(_) => "benchmark_garbled",
            Self::Version(_) => "benchmark_version",
            Self::Signature(_) => "benchmark_signature_wrong",
        }
    }
}

impl SignedBenchmark {
    /// Signs a report.
    ///
    /// # Errors
    /// When the report cannot be written as JSON.
    pub fn sign(report: &BenchmarkReport, key: &SecretKey) -> Result<Self, SignedBenchmarkError> {
        let report = serde_json::to_string(report)?;
        let signature = key.sign(Domain::Benchmark, report.as_bytes());
        Ok(Self { lull_benchmark: SIGNED_BENCHMARK_VERSION, worker: key.worker_id(), signature, report })
    }

    /// The report, if the signature holds.
    ///
    /// # Errors
    /// [`SignedBenchmarkError`] says what is wrong.
    pub fn open(&self) -> Result<BenchmarkReport, SignedBenchmarkError> {
        if self.lull_benchmark != SIGNED_BENCHMARK_VERSION {
            return Err(SignedBenchmarkError::Version(self.lull_benchmark));
        }
        self.signature.verify(&self.worker.0, Domain::Benchmark, self.report.as_bytes())?;
        Ok(serde_json::from_str(&self.report)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::fixture::report as sample_report;

    #[test]
    fn a_signed_report_is_read_again_and_a_changed_one_refused() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let report = sample_report(0);
        let signed = SignedBenchmark::sign(&report, &key).unwrap();
        let text = serde_json::to_string(&signed).unwrap();
        let read: SignedBenchmark = serde_json::from_str(&text).unwrap();
        assert_eq!(read.open().unwrap(), report);

        let mut changed = signed.clone();
        changed.report = changed.report.replace("\"index\":0", "\"index\":1");
        assert_eq!(changed.open().unwrap_err().code(), "benchmark_signature_wrong");
        let mut other = signed.clone();
        other.worker = SecretKey::from_bytes(&[8; 32]).worker_id();
        assert_eq!(other.open().unwrap_err().code(), "benchmark_signature_wrong");
        assert_eq!(
            SignedBenchmark { lull_benchmark: 2, ..signed }.open().unwrap_err().code(),
            "benchmark_version"
        );
    }
}
