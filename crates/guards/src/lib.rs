//! When the GPU must be free: the pure policy, and the place of the probes per operating system.
//!
//! A *guard* is a reason for which the GPU must be free now. The contributor's own pause is one that is always
//! there; every other guard is a [`Probe`] that reads the machine from time to time. [`Policy`] turns readings
//! into one answer: what holds the GPU free, and when that can change by itself.

mod policy;
pub mod probes;

pub use policy::{Cause, PauseUntil, Policy, RESUME_DELAY, Reading, Stand};
pub use probes::{Guard, Probe, ProbeError};
