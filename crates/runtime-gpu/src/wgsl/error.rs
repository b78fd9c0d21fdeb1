//! Why a run did not get done.

use lull_runtime_api::RunOutcome;
use lull_types::Coded;
use lull_wgsl::TaskError;

use crate::gpu::GpuError;

/// Why a run did not get done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The task is at fault.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The device is at fault.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The worker asked to stop.
    #[error("The run was stopped as asked.")]
    Cancelled,
}

impl RunError {
    /// The end of the run as it is told.
    pub fn outcome(&self) -> RunOutcome {
        match self {
            Self::Task(error) => RunOutcome::TaskFault(error.fault()),
            Self::Gpu(error) => RunOutcome::DeviceFault(error.fault()),
            Self::Cancelled => RunOutcome::Cancelled,
        }
    }
}
