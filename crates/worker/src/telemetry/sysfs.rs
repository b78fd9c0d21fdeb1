//! What Linux tells of AMD's and Intel's devices, in files.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use lull_types::DeviceTelemetry;

/// Where this machine's devices are, by their PCI addresses.
pub(crate) const ROOT: &str = "/sys/bus/pci/devices";

/// The folder of the device at PCI address `bus`, if that is one. The address comes from a runtime; it must not lead
/// anywhere else.
pub(crate) fn device_folder(root: &Path, bus: &str) -> Option<PathBuf> {
    let is_address = !bus.is_empty()
        && bus.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
        && !bus.contains("..");
    is_address.then(|| root.join(bus))
}

/// Reads the figures of the device at PCI address `bus` under `root`, which is [`ROOT`].
/// Names of files: the kernel's `Documentation/gpu/amdgpu/thermal.rst` and `Documentation/hwmon/sysfs-interface.rst`.
pub(super) fn sample(root: &Path, bus: &str) -> DeviceTelemetry {
    let Some(device) = device_folder(root, bus) else { return DeviceTelemetry::default() };
    let sensors = fs::read_dir(device.join("hwmon"))
        .ok()
        .and_then(|mut folders| folders.next())
        .and_then(Result::ok)
        .map(|folder| folder.path());
    let sensor = |name: &str| sensors.as_ref().and_then(|folder| number::<f32>(&folder.join(name)));
    let celsius = |name: &str| sensor(name).map(|millidegrees| millidegrees / 1e3);
    let is_labelled = |name: &str, label: &str| {
        let text = sensors.as_ref().and_then(|folder| fs::read_to_string(folder.join(name)).ok());
        text.is_some_and(|text| text.trim() == label)
    };
    let fan = |name: &str| sensor(name).filter(|value| *value > 0.0);
    DeviceTelemetry {
        load_percent: number(&device.join("gpu_busy_percent")),
        vram_used_bytes: number(&device.join("mem_info_vram_used")),
        temperature_celsius: celsius("temp1_input"),
        // The kernel numbers amdgpu's sensors so: edge, junction, memory. Other drivers have the first alone, or
        // put something else in their place.
        hotspot_celsius: celsius("temp2_input").filter(|_| is_labelled("temp2_label", "junction")),
        memory_celsius: celsius("temp3_input").filter(|_| is_labelled("temp3_label", "mem")),
        power_watts: sensor("power1_average").or_else(|| sensor("power1_input")).map(|micro| micro / 1e6),
        fan_percent: match (sensor("fan1_input"), fan("fan1_max")) {
            (Some(now), Some(most)) => Some((now * 100.0 / most).clamp(0.0, 100.0)),
            _ => None,
        },
        // In Hz, of which 32-bit floats hold too few digits.
        clock_mhz: sensors
            .as_ref()
            .and_then(|folder| number::<u64>(&folder.join("freq1_input")))
            .map(|hertz| (hertz / 1_000_000) as f32),
    }
}

/// The number in a file, if there is one.
pub(crate) fn number<T: FromStr>(path: &Path) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_in_their_units() {
        let root = tempfile::tempdir().unwrap();
        let device = root.path().join("0000:03:00.0");
        let sensors = device.join("hwmon/hwmon2");
        fs::create_dir_all(&sensors).unwrap();
        for (name, text) in [("gpu_busy_percent", "42\n"), ("mem_info_vram_used", "1048576\n")] {
            fs::write(device.join(name), text).unwrap();
        }
        for (name, text) in [
            ("temp1_input", "61000"),
            ("temp2_input", "74000"),
            ("temp2_label", "junction\n"),
            ("temp3_input", "70000"),
            ("temp3_label", "something else\n"),
            ("power1_average", "95500000"),
            ("fan1_input", "900"),
            ("freq1_input", "2450000000"),
            ("fan1_max", "3000"),
        ] {
            fs::write(sensors.join(name), text).unwrap();
        }
        assert_eq!(
            sample(root.path(), "0000:03:00.0"),
            DeviceTelemetry {
                load_percent: Some(42.0),
                vram_used_bytes: Some(1_048_576),
                temperature_celsius: Some(61.0),
                hotspot_celsius: Some(74.0),
                memory_celsius: None,
                power_watts: Some(95.5),
                fan_percent: Some(30.0),
                clock_mhz: Some(2450.0),
            }
        );
        assert_eq!(sample(root.path(), "0000:04:00.0"), DeviceTelemetry::default());
        assert_eq!(sample(root.path(), "0000:03:00.0/../0000:03:00.0"), DeviceTelemetry::default());
    }
}
