//! Probes of Linux.

mod battery;
mod full_screen;
mod gpu_use;

use super::Probe;

pub(super) fn full_screen_of(display: String) -> Box<dyn Probe> {
    Box::new(full_screen::FullScreenWindows::on(display))
}

/// The guards that can be watched on Linux.
pub(super) fn probes() -> Vec<Box<dyn Probe>> {
    let mut probes: Vec<Box<dyn Probe>> =
        vec![Box::new(battery::Battery::new()), Box::new(gpu_use::GpuUsers::new())];
    // Without a display nobody plays here.
    if let Some(display) = std::env::var("DISPLAY").ok().filter(|display| !display.is_empty()) {
        probes.push(full_screen_of(display));
    }
    probes
}
