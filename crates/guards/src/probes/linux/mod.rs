//! Probes of Linux.

mod battery;
mod full_screen;
mod gpu_use;
mod metered;
mod presence;
mod processes;
mod programs;
mod wait;
mod wayland;

use std::path::PathBuf;

use super::Probe;

pub(super) fn full_screen_of(display: Option<String>, compositor: Option<PathBuf>) -> Option<Box<dyn Probe>> {
    Some(Box::new(full_screen::FullScreenWindows::of(display, compositor)?))
}

/// The names of the programs that this user runs now.
pub(super) fn running_programs() -> Vec<String> {
    processes::Processes::new().programs_of(rustix::process::getuid().as_raw())
}

/// The guards that can be watched on Linux.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let mut probes: Vec<Box<dyn Probe>> = vec![
        Box::new(battery::Battery::new()),
        Box::new(gpu_use::GpuUsers::of(gpu_use::Drivers::new())),
        Box::new(programs::programs()),
    ];
    if let Some(metered) = metered::Metered::by_system() {
        probes.push(Box::new(metered));
    }
    // Without a desktop nobody plays here.
    probes.extend(full_screen_of(set("DISPLAY"), wayland::socket(set)));
    if let Some(place) = presence::Place::of(set) {
        probes.push(Box::new(presence::presence(place)));
    }
    probes
}
