//! Where guards read the machine.
//!
//! Each operating system has its module here, with one file per guard in it; [`for_this_machine`] gives those
//! that work here. The contributor's pause needs no probe, and is the only guard so far.

use lull_types::{Coded, UnixMillis};

use crate::Reading;

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod here;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod here;
#[cfg(windows)]
#[path = "windows.rs"]
mod here;

/// The guards that are probed, in the order in which they are shown. A guard is added as a variant here, so
/// that every place that must know of it stops compiling until it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {}

/// A probe cannot tell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} cannot be read, so this guard does not hold the GPU free: {why}")]
pub struct ProbeError {
    /// What it reads, for people.
    pub what: &'static str,
    /// What the operating system said.
    pub why: String,
}

impl Coded for ProbeError {
    fn code(&self) -> &'static str {
        "guard_unreadable"
    }
}

/// Reads one guard. Probes are polled from a thread of their own and may block for a moment.
pub trait Probe: Send {
    /// Which guard it reads.
    fn guard(&self) -> Guard;

    /// Looks at the machine.
    ///
    /// # Errors
    /// When the operating system does not tell. The guard then counts as clear, and a person is told once.
    fn read(&mut self, now: UnixMillis) -> Result<Reading<Guard>, ProbeError>;
}

/// The probes that work on this machine.
pub fn for_this_machine() -> Vec<Box<dyn Probe>> {
    here::probes()
}
