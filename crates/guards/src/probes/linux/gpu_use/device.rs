//! What Linux tells of a device as a whole, in files: the kernel's `Documentation/gpu/amdgpu/thermal.rst`,
//! `Documentation/gpu/amdgpu/driver-misc.rst` and `Documentation/ABI/testing/sysfs-devices-power`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::files::read_small;
use crate::gpu_use::DeviceMemory;

/// With less of the whole device at work than this, no program needs its time; the same as what clears a need.
const QUIET_PERCENT: u32 = 10;

/// The folder of one device.
#[derive(Clone, Debug)]
pub struct DeviceFolder(PathBuf);

impl DeviceFolder {
    /// Of the device at a PCI address, under this `/sys`. The address must have been checked.
    pub fn new(sys: &Path, bus: &str) -> Self {
        Self(sys.join("bus/pci/devices").join(bus))
    }

    /// Whether it sleeps because nobody uses it. It is then left alone: to ask it anything wakes it.
    pub fn is_asleep(&self) -> bool {
        self.field("power/runtime_status").as_deref() == Some("suspended")
    }

    /// Whether NVIDIA's own driver has it, and not one of the kernel's, which NVIDIA's library knows nothing of.
    pub fn has_nvidia_driver(&self) -> bool {
        let driver = std::fs::read_link(self.0.join("driver")).ok();
        // Where it is not told, the vendor's is far more common.
        driver.is_none_or(|path| path.file_name().is_none_or(|name| name == "nvidia"))
    }

    /// Its own memory, where the driver tells.
    pub fn memory(&self) -> Option<DeviceMemory> {
        let (total_bytes, used): (u64, u64) =
            (self.number("mem_info_vram_total")?, self.number("mem_info_vram_used")?);
        Some(DeviceMemory { free_bytes: total_bytes.saturating_sub(used), total_bytes })
    }

    /// Whether hardly anything works on it, where that is told without keeping it awake: a device that may go to sleep does
    /// not while it is asked this.
    pub fn is_quiet(&self) -> bool {
        self.field("power/control").as_deref() == Some("on")
            && self.number::<u32>("gpu_busy_percent").is_some_and(|percent| percent < QUIET_PERCENT)
    }

    fn field(&self, name: &str) -> Option<String> {
        let mut text = Vec::new();
        read_small(&self.0.join(name), &mut text).ok()?;
        String::from_utf8(text).ok().map(|text| text.trim().to_owned())
    }

    fn number<T: FromStr>(&self, name: &str) -> Option<T> {
        self.field(name)?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{AMD, FakeSys};
    use super::*;

    #[test]
    fn a_device_is_told_by_its_files() {
        let sys = FakeSys::new();
        let device = DeviceFolder::new(&sys.path(), AMD);
        assert!(!device.is_asleep() && !device.is_quiet() && device.has_nvidia_driver());
        assert_eq!(device.memory(), None);
        sys.field(AMD, "mem_info_vram_total", "8589934592\n");
        assert_eq!(device.memory(), None);
        sys.field(AMD, "mem_info_vram_used", "4294967296\n");
        assert_eq!(device.memory(), Some(DeviceMemory { free_bytes: 4 << 30, total_bytes: 8 << 30 }));
        for (status, is_asleep) in [("active", false), ("suspended", true), ("suspending", false)] {
            sys.field(AMD, "power/runtime_status", &format!("{status}\n"));
            assert_eq!(device.is_asleep(), is_asleep, "{status}");
        }
        for (control, percent, is_quiet) in [
            ("on", "9", true),
            ("on", "10", false),
            ("auto", "0", false),
            ("on", "x", false),
            ("on", "-1", false),
        ] {
            sys.field(AMD, "power/control", control);
            sys.field(AMD, "gpu_busy_percent", percent);
            assert_eq!(device.is_quiet(), is_quiet, "{control} {percent}");
        }
        for (driver, is_nvidia) in [("nvidia", true), ("nouveau", false), ("vfio-pci", false)] {
            sys.driver(AMD, driver);
            assert_eq!(device.has_nvidia_driver(), is_nvidia, "{driver}");
        }
    }
}
