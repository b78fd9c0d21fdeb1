//! Where guards watch the machine.
//!
//! Each operating system has its module here, with one file per probe in it, beside what all of them tell alike;
//! [`for_this_machine`] gives those that work here. A probe that can be woken by the system is: it costs nothing while
//! nothing happens, and sees what does at once.

use std::fmt;
use std::path::Path;

use lull_types::{Coded, Guard};

use crate::{Observation, Watch};

#[cfg(any(target_os = "macos", test))]
mod apple;
mod disk;
#[cfg(target_os = "linux")]
#[path = "linux/mod.rs"]
mod here;
#[cfg(target_os = "macos")]
#[path = "macos/mod.rs"]
mod here;
#[cfg(windows)]
#[path = "windows/mod.rs"]
mod here;
mod presence;
mod programs;

/// A probe cannot tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    /// What it reads, for people.
    pub what: &'static str,
    /// What the operating system said.
    pub why: String,
    /// The one device of which it cannot tell, by its name, while it watches others; `None` where it can tell nothing.
    pub device: Option<String>,
}

impl ProbeError {
    /// Nothing can be told.
    pub fn new(what: &'static str, why: impl fmt::Display) -> Self {
        Self { what, why: why.to_string(), device: None }
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, why, device } = self;
        match device {
            None => {
                write!(f, "{what} cannot be read, so this guard does not hold the GPU free: {why}")
            }
            Some(device) => write!(
                f,
                "{what} cannot be read of {device}, so this guard does not hold that one free, and only the others: {why}"
            ),
        }
    }
}

impl std::error::Error for ProbeError {}

impl Coded for ProbeError {
    fn code(&self) -> &'static str {
        // Each is told once, so that one does not hide the other.
        match self.device {
            None => "guard_unreadable",
            Some(_) => "guard_unreadable_of_device",
        }
    }
}

/// Watches one thing for one guard, from a thread of its own.
pub trait Probe: Send {
    /// Which guard it watches for.
    fn guard(&self) -> Guard;

    /// Waits until what it watches is another than it last told, and tells it; the first time at once. `watch` says what
    /// is to be watched, and may change while it waits: a probe that has to look again and again does not while its guard
    /// is not wanted, and tells before that nothing holds.
    ///
    /// # Errors
    /// When the operating system does not tell. The guard then counts as clear, and a person is told once; after a while
    /// the probe is asked again. Where it does not tell of one device, a person is told as well, and the probe goes on.
    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError>;
}

/// The probe of full-screen programs on this X display, and at the Wayland compositor that listens at this socket; `None`
/// where there is neither.
#[cfg(target_os = "linux")]
pub fn full_screen_of(
    display: Option<String>,
    compositor: Option<std::path::PathBuf>,
) -> Option<Box<dyn Probe>> {
    here::full_screen_of(display, compositor)
}

/// The probes that work on this machine. `data` is the folder in which Lull keeps what it stores: its disk is the one that
/// must not become full.
pub fn for_this_machine(data: &Path) -> Vec<Box<dyn Probe>> {
    let mut probes = here::probes();
    probes.push(Box::new(disk::Disk::of(data)));
    probes
}

/// The names of the programs that this user runs now, sorted, as they would be listed in
/// [`GuardRules::programs`](lull_types::GuardRules::programs); Lull's own are left out.
pub fn running_programs() -> Vec<String> {
    here::running_programs()
}

/// What a probe tells from a thread of its own, as in the worker, until it cannot tell or nobody listens.
#[cfg(test)]
fn told_by(mut probe: impl Probe + 'static, watch: &Watch) -> std::sync::mpsc::Receiver<Observation> {
    let (tell, told) = std::sync::mpsc::channel();
    let watch = watch.clone();
    std::thread::spawn(move || while probe.next(&watch).is_ok_and(|seen| tell.send(seen).is_ok()) {});
    told
}
