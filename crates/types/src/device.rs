//! A worker's hardware.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What sort of processor a device is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum DeviceKind {
    /// A GPU with memory of its own.
    Discrete,
    /// A GPU that shares the system's memory.
    Integrated,
    /// A GPU behind a hypervisor.
    Virtual,
    /// Software on the CPU. It works, slowly, and is used where there is no GPU.
    Software,
    /// The driver does not say.
    Other,
}

/// One GPU of a worker, as its driver describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DeviceInfo {
    /// Position in this worker's list; stable while the hardware does not change.
    pub index: u32,
    /// The driver's name of it, such as `NVIDIA GeForce RTX 4070`.
    pub name: String,
    /// The vendor's name from its PCI id, or the id in hexadecimal.
    pub vendor: String,
    /// What sort of processor it is.
    pub kind: DeviceKind,
    /// Graphics interface in use: `vulkan`, `metal` or `dx12`.
    pub backend: String,
    /// Driver name and version, as the driver words it.
    pub driver: String,
    /// PCI address such as `0000:01:00.0`, where the platform tells.
    pub pci_bus_id: Option<String>,
    /// Memory of its own, where the platform tells.
    #[ts(type = "number | null")]
    pub vram_bytes: Option<u64>,
    /// The largest buffer that a shader can bind.
    #[ts(type = "number")]
    pub storage_buffer_bytes_max: u64,
    /// Shader features that jobs may ask for, such as `f16`.
    pub features: Vec<String>,
}

impl DeviceInfo {
    /// The class within which results are compared.
    pub fn class(&self) -> DeviceClass {
        DeviceClass(format!("{}/{}", self.vendor, self.backend))
    }
}

/// Devices whose results are expected to agree within a job's tolerance: same vendor, same backend.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeviceClass(pub String);

/// What a device is doing now, where the platform tells. `None` means not known, never zero.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceTelemetry {
    /// Load of the whole device, 0 to 100.
    pub load_percent: Option<f32>,
    /// Memory in use by all processes.
    #[ts(type = "number | null")]
    pub vram_used_bytes: Option<u64>,
    /// Core temperature.
    pub temperature_celsius: Option<f32>,
    /// Temperature where the chip is hottest.
    #[serde(default)]
    pub hotspot_celsius: Option<f32>,
    /// Temperature of the memory.
    #[serde(default)]
    pub memory_celsius: Option<f32>,
    /// Board power.
    pub power_watts: Option<f32>,
    /// Fan speed, 0 to 100.
    pub fan_percent: Option<f32>,
    /// Clock of the cores.
    #[serde(default)]
    pub clock_mhz: Option<f32>,
}

/// What a worker says of its machine when it enrols.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct HardwareReport {
    /// Operating system and version.
    pub os: String,
    /// Processor name.
    pub cpu: String,
    /// Logical processors.
    pub cpu_threads: u32,
    /// Main memory.
    #[ts(type = "number")]
    pub memory_bytes: u64,
    /// Its devices.
    pub devices: Vec<DeviceInfo>,
}
