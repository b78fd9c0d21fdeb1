//! What can be wrong with a task.

use lull_types::{BlobHash, Coded};

/// The task is at fault, and will fail on every device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// No runtime of this program runs such jobs.
    #[error("This program does not run jobs of the kind {0:?}.")]
    KindUnsupported(String),
    /// The payload is no `wgsl/1` task.
    #[error("The task's description cannot be understood: {0}.")]
    Malformed(String),
    /// Something is over its limit.
    #[error("The task asks for too much: {what} is {value}, and at most {max} is allowed.")]
    LimitExceeded {
        /// What.
        what: &'static str,
        /// How much of it.
        value: u64,
        /// The limit.
        max: u64,
    },
    /// An input blob was not given.
    #[error("The input {0}, which the task names, was not delivered.")]
    InputMissing(BlobHash),
    /// An input blob is not what its hash says.
    #[error("The input {0} was altered on the way: its content does not have this hash.")]
    InputHashMismatch(BlobHash),
    /// A shader does not compile.
    #[error("Shader {shader} of the task is not valid: {reason}")]
    Invalid {
        /// Position.
        shader: usize,
        /// What the compiler says.
        reason: String,
    },
    /// There is no such entry point.
    #[error("Shader {shader} of the task has no compute entry point {entry:?}.")]
    EntryMissing {
        /// Position of the shader.
        shader: usize,
        /// Name.
        entry: String,
    },
    /// Bindings and shader do not fit.
    #[error("Dispatch {dispatch} of the task does not fit its shader: {reason}.")]
    BindingMismatch {
        /// Position of the dispatch.
        dispatch: usize,
        /// What does not fit.
        reason: String,
    },
    /// The slice uniform is not there or not read.
    #[error(
        "Dispatch {dispatch} of the task cannot be cut into slices: its shader does not read the 16-byte uniform at group 3, binding 0."
    )]
    SliceMissing {
        /// Position of the dispatch.
        dispatch: usize,
    },
    /// One workgroup alone takes too long.
    #[error("One workgroup of the task took {ms} ms on this GPU; over 100 ms the desktop would stutter.")]
    SliceTooLong {
        /// How long.
        ms: u64,
    },
    /// The whole takes too long.
    #[error("The task ran for longer than the {ms_max} ms that it may take.")]
    RunTooLong {
        /// The limit.
        ms_max: u64,
    },
}

impl Coded for TaskError {
    fn code(&self) -> &'static str {
        match self {
            Self::KindUnsupported(_) => "kind_unsupported",
            Self::Malformed(_) => "wgsl_payload_malformed",
            Self::LimitExceeded { .. } => "wgsl_limit_exceeded",
            Self::InputMissing(_) => "input_missing",
            Self::InputHashMismatch(_) => "input_hash_mismatch",
            Self::Invalid { .. } => "wgsl_invalid",
            Self::EntryMissing { .. } => "wgsl_entry_missing",
            Self::BindingMismatch { .. } => "wgsl_binding_mismatch",
            Self::SliceMissing { .. } => "wgsl_slice_missing",
            Self::SliceTooLong { .. } => "slice_too_long",
            Self::RunTooLong { .. } => "run_too_long",
        }
    }
}
