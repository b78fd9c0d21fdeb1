//! What this machine is, and what its devices are doing.
//!
//! Sampling costs nothing while nobody asks: the vendor's library is loaded with the first sample, and the
//! shell samples only while a client is subscribed or an assignment runs.

mod energy;
mod kept;
#[cfg(target_os = "linux")]
mod rapl;
#[cfg(target_os = "linux")]
pub(crate) mod sysfs;

use lull_types::{DeviceInfo, DeviceKind, DeviceTelemetry, HardwareReport};
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;
use nvml_wrapper::{Device, Nvml};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

pub use energy::{EnergyMeter, Used};
pub use kept::KeptEnergy;

/// What this machine is; `devices` are from the runtime. Takes some milliseconds.
pub fn hardware(devices: Vec<DeviceInfo>) -> HardwareReport {
    let kinds = RefreshKind::nothing()
        .with_memory(MemoryRefreshKind::everything())
        .with_cpu(CpuRefreshKind::nothing());
    let system = System::new_with_specifics(kinds).ok();
    let cpus = system.as_ref().map(System::cpus).unwrap_or_default();
    HardwareReport {
        os: System::long_os_version().unwrap_or_else(|_| std::env::consts::OS.to_owned()),
        cpu: cpus
            .first()
            .map(|cpu| cpu.brand().trim().to_owned())
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        cpu_threads: u32::try_from(cpus.len()).unwrap_or(u32::MAX),
        memory_bytes: system.as_ref().map_or(0, System::total_memory),
        devices,
    }
}

/// What a device is doing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Its figures.
    pub telemetry: DeviceTelemetry,
    /// Whether the power is that of the processor's whole package, of which the device is a part.
    pub power_of_package: bool,
}

impl From<DeviceTelemetry> for Reading {
    fn from(telemetry: DeviceTelemetry) -> Self {
        Self { telemetry, power_of_package: false }
    }
}

/// Where a device's figures come from.
pub trait Source: Send {
    /// What `device` is doing now; fields that this source does not know stay `None`.
    fn sample(&mut self, device: &DeviceInfo) -> Reading;
}

/// The sources of this system: NVIDIA's library, Linux' sysfs for AMD and Intel, and the processor itself for
/// software devices. Where a device that is a part of the processor tells no power of its own, it is the package's. Blocks
/// for some tens of milliseconds at most.
#[derive(Debug, Default)]
pub struct SystemSource {
    nvml: Option<Nvml>,
    nvml_tried: bool,
    system: Option<System>,
    #[cfg(target_os = "linux")]
    packages: rapl::Packages,
}

impl Source for SystemSource {
    fn sample(&mut self, device: &DeviceInfo) -> Reading {
        let telemetry = self.figures(device);
        let is_in_package = matches!(device.kind, DeviceKind::Software | DeviceKind::Integrated);
        if telemetry.power_watts.is_some() || !is_in_package {
            return telemetry.into();
        }
        #[cfg(target_os = "linux")]
        let power_watts = self.packages.watts();
        #[cfg(not(target_os = "linux"))]
        let power_watts = None;
        Reading {
            telemetry: DeviceTelemetry { power_watts, ..telemetry },
            power_of_package: power_watts.is_some(),
        }
    }
}

impl SystemSource {
    fn figures(&mut self, device: &DeviceInfo) -> DeviceTelemetry {
        if device.kind == DeviceKind::Software {
            return self.processor();
        }
        let Some(bus) = device.pci_bus_id.as_deref() else { return DeviceTelemetry::default() };
        if device.vendor.eq_ignore_ascii_case("nvidia") {
            return self.nvidia(bus).unwrap_or_default();
        }
        #[cfg(target_os = "linux")]
        {
            sysfs::sample(std::path::Path::new(sysfs::ROOT), bus)
        }
        #[cfg(not(target_os = "linux"))]
        {
            DeviceTelemetry::default()
        }
    }

    /// Load and memory of the processor, since the last sample.
    fn processor(&mut self) -> DeviceTelemetry {
        let first = self.system.is_none();
        if first {
            self.system = System::new().ok();
        }
        let Some(system) = self.system.as_mut() else { return DeviceTelemetry::default() };
        system.refresh_cpu_usage();
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        DeviceTelemetry {
            // A load is a difference between two samples; the first says nothing.
            load_percent: (!first).then(|| system.global_cpu_usage().clamp(0.0, 100.0)),
            vram_used_bytes: Some(system.used_memory()),
            ..DeviceTelemetry::default()
        }
    }

    fn nvidia(&mut self, bus: &str) -> Option<DeviceTelemetry> {
        if !self.nvml_tried {
            self.nvml_tried = true;
            self.nvml = Nvml::init()
                .inspect_err(|error| tracing::info!(%error, "NVIDIA's management library is not here"))
                .ok();
        }
        let device = self.nvml.as_ref()?.device_by_pci_bus_id(bus).ok()?;
        Some(DeviceTelemetry {
            load_percent: device.utilization_rates().ok().map(|load| load.gpu as f32),
            vram_used_bytes: device.memory_info().ok().map(|memory| memory.used),
            temperature_celsius: device.temperature(TemperatureSensor::Gpu).ok().map(|t| t as f32),
            // NVIDIA's library does not tell the hottest spot, and the memory's heat of some cards alone.
            hotspot_celsius: None,
            memory_celsius: memory_celsius(&device),
            power_watts: device.power_usage().ok().map(|milliwatts| milliwatts as f32 / 1000.0),
            fan_percent: device.fan_speed(0).ok().map(|fan| fan as f32),
            clock_mhz: device.clock_info(Clock::SM).ok().map(|mhz| mhz as f32),
        })
    }
}

fn memory_celsius(device: &Device<'_>) -> Option<f32> {
    let samples = device.field_values_for(&[FieldId(NVML_FI_DEV_MEMORY_TEMP)]).ok()?;
    match samples.into_iter().next()?.ok()?.value.ok()? {
        SampleValue::U32(celsius) if celsius > 0 => Some(celsius as f32),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(kind: DeviceKind, vendor: &str, bus: Option<&str>) -> DeviceInfo {
        DeviceInfo {
            index: 0,
            name: "d".to_owned(),
            vendor: vendor.to_owned(),
            kind,
            backend: "vulkan".to_owned(),
            driver: String::new(),
            pci_bus_id: bus.map(str::to_owned),
            vram_bytes: None,
            storage_buffer_bytes_max: 0,
            features: Vec::new(),
        }
    }

    #[test]
    fn this_machine_is_described() {
        let report = hardware(Vec::new());
        assert!(!report.os.is_empty() && !report.cpu.is_empty());
        assert!(report.cpu_threads > 0 && report.memory_bytes > 0);
    }

    #[test]
    fn a_missing_library_or_device_is_unknown_not_zero() {
        let mut source = SystemSource::default();
        let unknown = Reading::default();
        assert_eq!(source.sample(&device(DeviceKind::Discrete, "NVIDIA", Some("ffff:ff:1f.7"))), unknown);
        assert_eq!(source.sample(&device(DeviceKind::Discrete, "AMD", Some("../../etc"))), unknown);
        assert_eq!(source.sample(&device(DeviceKind::Discrete, "AMD", None)), unknown);
    }

    #[test]
    fn a_software_device_is_the_processor() {
        let mut source = SystemSource::default();
        let software = device(DeviceKind::Software, "Mesa", None);
        assert_eq!(source.sample(&software).telemetry.load_percent, None);
        assert!(
            source.sample(&software).telemetry.load_percent.is_some_and(|load| (0.0..=100.0).contains(&load))
        );
    }
}
