//! Probes of Windows.

mod battery;
mod full_screen;
mod gpu_use;
mod library;
mod metered;
mod presence;
mod processes;
mod programs;

use super::Probe;

/// The guards that can be watched on Windows.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    let mut probes: Vec<Box<dyn Probe>> = vec![
        Box::<full_screen::FullScreenWindows>::default(),
        Box::<battery::Battery>::default(),
        Box::new(gpu_use::GpuUsers::of(gpu_use::Counters::new())),
        Box::new(presence::presence()),
        Box::new(programs::programs()),
    ];
    if let Some(metered) = metered::Metered::by_system() {
        probes.push(Box::new(metered));
    }
    probes
}

/// The names of the programs that this user runs now.
pub(super) fn running_programs() -> Vec<String> {
    processes::programs()
}
