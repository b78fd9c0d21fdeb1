//! Locking the own process down, before it reads a word from a stranger.
//!
//! What is given up is given up for good: no later code, not even hostile code that has taken the process over,
//! gets it back. Where a system lacks a part, the part is reported as missing, and the worker decides.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "linux")]
mod system_calls;
#[cfg(windows)]
mod windows;

use std::path::PathBuf;

use lull_types::{Coded, SandboxPart};

/// What the process keeps.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The one folder that it may write to. Absolute.
    pub scratch: PathBuf,
    /// Files that it may read besides what GPU drivers need. Absolute.
    pub readable: Vec<PathBuf>,
    /// Main memory that it may allocate.
    pub memory_bytes_max: u64,
}

/// The process could not be locked down, for a reason that no supported system has.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// There is no folder to keep to.
    #[error("the runtime has no folder of its own to work in: {0}")]
    NoScratch(std::io::Error),
    /// The folder holds everything.
    #[error("the runtime was started in {}, which is not a folder of its own", .0.display())]
    ScratchTooWide(PathBuf),
    /// The system refused a step that it always allows.
    #[error("the runtime could not lock itself down ({step}): {reason}")]
    Refused {
        /// Which step.
        step: &'static str,
        /// The system's word on it.
        reason: String,
    },
}

impl Coded for SandboxError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoScratch(_) => "sandbox_no_scratch",
            Self::ScratchTooWide(_) => "sandbox_scratch_too_wide",
            Self::Refused { .. } => "sandbox_refused",
        }
    }
}

impl Policy {
    /// The working directory, which the worker makes for this process alone, and so much memory.
    ///
    /// # Errors
    /// When the working directory is gone or is the root.
    pub fn of_this_process(memory_bytes_max: u64) -> Result<Self, SandboxError> {
        let scratch = std::env::current_dir().map_err(SandboxError::NoScratch)?;
        if scratch.parent().is_none() {
            return Err(SandboxError::ScratchTooWide(scratch));
        }
        Ok(Self { scratch, readable: Vec::new(), memory_bytes_max })
    }
}

/// Locks the process down to `policy`. To be called first thing in `main`: threads that run already keep some of their
/// rights.
///
/// Returns what holds, and what this system lacks.
///
/// # Errors
/// When the system refuses a step that it always allows.
pub fn lock_down(policy: &Policy) -> Result<Vec<SandboxPart>, SandboxError> {
    #[cfg(target_os = "linux")]
    return linux::lock_down(policy);
    #[cfg(target_os = "macos")]
    return macos::lock_down(policy);
    #[cfg(windows)]
    return windows::lock_down(policy);
    #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
    {
        let _ = policy;
        Ok(vec![SandboxPart::missing("this system has no sandbox that is known here")])
    }
}
