//! Probes of macOS.

use super::Probe;

/// The guards that can be read on macOS.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    Vec::new()
}
