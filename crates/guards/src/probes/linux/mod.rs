//! Probes of Linux.

mod battery;
mod full_screen;
mod gpu_use;
mod metered;
mod presence;
mod processes;
mod programs;

use super::Probe;

pub(super) fn full_screen_of(display: String) -> Box<dyn Probe> {
    Box::new(full_screen::FullScreenWindows::on(display))
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
        Box::new(programs::Programs::new()),
    ];
    if let Some(metered) = metered::Metered::by_system() {
        probes.push(Box::new(metered));
    }
    // Without a display nobody plays here.
    if let Some(display) = set("DISPLAY") {
        probes.push(full_screen_of(display));
    }
    if let Some(place) = presence::Place::of(set) {
        probes.push(Box::new(presence::Presence::at(place)));
    }
    probes
}
