//! Probes of Windows.

mod battery;
mod full_screen;
mod library;
mod presence;

use super::Probe;

/// The guards that can be watched on Windows.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    vec![
        Box::<full_screen::FullScreenWindows>::default(),
        Box::<battery::Battery>::default(),
        Box::new(presence::Presence::new()),
    ]
}

/// The names of the programs that this user runs now: nothing looks for them here yet.
pub(super) fn running_programs() -> Vec<String> {
    Vec::new()
}
