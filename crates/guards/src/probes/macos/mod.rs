//! Probes of macOS. What they make of what the system tells is tested on every system (`probes::apple`); that the system
//! tells it so has been type-checked, and not watched on a Mac yet.
//!
//! Whether the connection is metered is told by Apple's Network framework alone, which no kept crate offers yet. Game
//! controllers are told only to programs with a window.

mod battery;
mod foundation;
mod full_screen;
mod gpu_use;
mod presence;
mod processes;
mod programs;

use super::Probe;

/// The guards that can be watched on macOS.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    vec![
        Box::<battery::Battery>::default(),
        Box::<full_screen::FullScreenWindows>::default(),
        Box::new(gpu_use::GpuUsers::of(gpu_use::Clients::new())),
        Box::new(presence::presence()),
        Box::new(programs::programs()),
    ]
}

/// The names of the programs that this user runs now.
pub(super) fn running_programs() -> Vec<String> {
    processes::Running::default().programs_of_this_user()
}
