//! What goes wrong with a runtime process.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use lull_types::{Coded, Fault};

/// Something is wrong with a runtime process. After `Refused`, `BenchmarkFailed`, `ChallengeFailed` and
/// `Busy` the process goes on; after any other it is gone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuntimeError {
    /// There is no such program.
    #[error("the program {} is missing; reinstall Lull to restore it", program.display())]
    Missing {
        /// Where it was looked for.
        program: PathBuf,
    },
    /// The operating system would not start it.
    #[error("{} could not be started: {reason}; a virus scanner may hold it back", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// The operating system's word on it.
        reason: String,
    },
    /// It said nothing after it was started.
    #[error("the GPU runtime started but did not answer within {} s", after.as_secs())]
    NoHello {
        /// How long it was given.
        after: Duration,
    },
    /// It speaks another version.
    #[error("the GPU runtime is of another version (it speaks {theirs}, this speaks {ours}); reinstall Lull")]
    OtherProtocol {
        /// This side's version.
        ours: u16,
        /// The runtime's, as far as it told.
        theirs: String,
    },
    /// It sent what is no message, or no message that belongs there.
    #[error("the GPU runtime sent something that makes no sense and was stopped: {reason}")]
    Garbled {
        /// What it was.
        reason: String,
    },
    /// It ended in the middle.
    #[error("the GPU runtime ended unexpectedly ({}); the driver may have crashed", status_in_words(*.status))]
    Died {
        /// How it ended, where known.
        status: Option<ExitStatus>,
    },
    /// It stopped saying that it goes on, and was killed.
    #[error("the GPU runtime said nothing for {} s and was stopped; the GPU or its driver may hang", after.as_secs())]
    Silent {
        /// How long it was silent.
        after: Duration,
    },
    /// It went on for longer than it was allowed, and was killed.
    #[error("the GPU runtime worked for longer than the {} s it was given and was stopped", bound.as_secs())]
    Overdue {
        /// How long it was given.
        bound: Duration,
    },
    /// It would not do what was asked.
    #[error("the GPU runtime refused: {}", .0.sentence)]
    Refused(Fault),
    /// The benchmark ended without a result; the code is `cancelled` when it was cancelled.
    #[error("the benchmark did not finish: {}", .0.sentence)]
    BenchmarkFailed(Fault),
    /// A step of the challenge failed; the code is `cancelled` when it was cancelled.
    #[error("the network's challenge was not finished: {}", .0.sentence)]
    ChallengeFailed(Fault),
    /// A model is no longer served.
    #[error("the model can no longer be served: {}", .0.sentence)]
    ServingFailed(Fault),
    /// It is doing something else; nothing was sent.
    #[error("the GPU runtime is busy with something else")]
    Busy,
    /// This side killed it.
    #[error("the GPU runtime was stopped on purpose")]
    Killed,
}

impl Coded for RuntimeError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "runtime_missing",
            Self::NotStarted { .. } => "runtime_not_started",
            Self::NoHello { .. } => "runtime_no_hello",
            Self::OtherProtocol { .. } => "runtime_other_protocol",
            Self::Garbled { .. } => "runtime_garbled",
            Self::Died { .. } => "runtime_died",
            Self::Silent { .. } => "runtime_silent",
            Self::Overdue { .. } => "runtime_overdue",
            Self::Refused(_) => "runtime_refused",
            Self::BenchmarkFailed(_) => "runtime_benchmark_failed",
            Self::ChallengeFailed(_) => "runtime_challenge_failed",
            Self::ServingFailed(_) => "runtime_serving_failed",
            Self::Busy => "runtime_busy",
            Self::Killed => "runtime_killed",
        }
    }
}

fn status_in_words(status: Option<ExitStatus>) -> String {
    status.map_or_else(|| "how is not known".to_owned(), |status| status.to_string())
}
