//! Whether another program works a GPU or needs its memory.
//!
//! ```text
//! the system ─Reading→ Settling ─→ what a program needs of the device, if one does
//! ```
//! A [`Reading`] says what each process did to one device since the reading before it. [`Settling`] makes one answer of
//! many readings: a blip is no need, and a need that pauses is not over. Where readings come from is the probes' affair;
//! what they have in common is here, without a system under it: [`Rounds`] for when devices are looked at, [`fdinfo`] for what Linux' drivers tell of their clients,
//! [`nvidia`] for NVIDIA's management library, and [`windows_counters`] for Windows' performance counters.
//!
//! Only what can be seen counts: a process that the system does not let this one look at is neither another program nor
//! Lull's own.

use std::time::Duration;

pub mod fdinfo;
#[cfg(all(feature = "probes", not(target_os = "macos")))]
pub mod nvidia;
#[cfg(feature = "probes")]
pub(crate) mod rounds;
mod settling;
pub mod windows_counters;

#[cfg(feature = "probes")]
pub use rounds::{Device, Failure, Readings, Rounds};
pub use settling::Settling;

/// Longest name that is shown, in characters.
const NAME_CHARS_MAX: usize = 64;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// With less than this of a device's memory free, the next texture of a game goes to the system's memory; it is what
/// drivers and desktops take for themselves in one step.
const SHORT_BYTES: u64 = 512 * MIB;

/// Or with less than this share, as what is taken in one step grows with the card.
const SHORT_SHARE: f64 = 0.05;

/// A game that loads its next level takes about a gibibyte; with less than that, work would be in its way again.
const ROOMY_BYTES: u64 = GIB;

/// Or this share; three times the share at which memory is short, so that what is given back does not waver around it.
const ROOMY_SHARE: f64 = 0.15;

/// What a small card of at most 2 GiB is held to instead: half of it must be free, and short is a quarter, as it would else
/// never be roomy.
const SMALL_ROOMY_SHARE: f64 = 0.5;
const SMALL_SHORT_SHARE: f64 = 0.25;

/// What was seen of one device at one instant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// When, on a clock that only goes forward. Its beginning does not matter.
    pub at: Duration,
    /// The processes that use the device, each once.
    pub processes: Vec<ProcessUse>,
    /// Its memory, where the system tells and it has some of its own.
    pub memory: Option<DeviceMemory>,
}

/// What a process does to a device.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Its number.
    pub pid: u32,
    /// The program's name, where the system tells it.
    pub program: Option<String>,
    /// Whether it is a part of Lull.
    pub is_ours: bool,
    /// The share of the time since the reading before in which the engine that it uses most worked for it, 0 to 1; `None`
    /// where it is seen for the first time.
    pub load: Option<f64>,
    /// What it holds of the device's own memory, where the system tells.
    pub memory_bytes: Option<u64>,
}

/// The memory of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceMemory {
    /// What nobody holds.
    pub free_bytes: u64,
    /// All of it.
    pub total_bytes: u64,
}

impl DeviceMemory {
    /// Less free than this is short.
    fn short_bytes(&self) -> u64 {
        let total = self.total_bytes as f64;
        (SHORT_BYTES as f64).max(total * SHORT_SHARE).min(total * SMALL_SHORT_SHARE) as u64
    }

    /// As much free as this is roomy.
    fn roomy_bytes(&self) -> u64 {
        let total = self.total_bytes as f64;
        (ROOMY_BYTES as f64).max(total * ROOMY_SHARE).min(total * SMALL_ROOMY_SHARE) as u64
    }

    /// Whether hardly any of it is free.
    pub fn is_short(&self) -> bool {
        self.free_bytes < self.short_bytes()
    }

    /// Whether enough of it is free for another program to begin something, once we have given back what we hold.
    pub fn is_roomy(&self, ours_bytes: u64) -> bool {
        self.free_bytes.saturating_add(ours_bytes) >= self.roomy_bytes()
    }
}

/// Whose a process is, as the system tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The program's name.
    pub program: Option<String>,
    /// Whether it is a part of Lull.
    pub is_ours: bool,
}

/// Tells whose a process is.
pub trait Processes {
    /// Whose this one is. `None` where that cannot be told; it is then not counted.
    fn who(&mut self, pid: u32) -> Option<Who>;
}

/// A name that can be shown to people; whoever wrote the program chose it.
pub fn shown(name: &str) -> Option<String> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    Some(shown).filter(|shown| !shown.trim().is_empty())
}

/// A PCI address such as `0000:01:00.0`, in lower case; `None` for what is none. It becomes a part of a path.
pub fn pci_bus_id(text: &str) -> Option<String> {
    let is_one = !text.is_empty()
        && text.len() <= 16
        && text.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        && text.contains(':')
        && !text.contains("..");
    is_one.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_lead_nowhere_else() {
        assert_eq!(pci_bus_id("0000:0A:00.0").as_deref(), Some("0000:0a:00.0"));
        assert_eq!(pci_bus_id("00000000:01:00.0").as_deref(), Some("00000000:01:00.0"));
        for text in ["", "..", ".", "0000", "0000:01:00.0/..", ":..", "0000:01:00.0\0", "1:2:3:4:5:6:7:8:9:a"]
        {
            assert_eq!(pci_bus_id(text), None, "{text:?}");
        }
    }

    #[test]
    fn memory_is_short_and_roomy_by_the_card() {
        // Total, short below, roomy from, in mebibytes.
        for (total, short, roomy) in
            [(1024, 256, 512), (2048, 512, 1024), (4096, 512, 1024), (8192, 512, 1228), (24_576, 1228, 3686)]
        {
            let memory = |free: u64| DeviceMemory { free_bytes: free * MIB, total_bytes: total * MIB };
            assert!(memory(short - 1).is_short() && !memory(short + 1).is_short(), "{total}");
            assert!(!memory(roomy - 1).is_roomy(0) && memory(roomy + 1).is_roomy(0), "{total}");
            assert!(memory(0).is_roomy((roomy + 1) * MIB) && !memory(0).is_roomy(short * MIB), "{total}");
        }
    }
}
