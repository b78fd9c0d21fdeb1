//! The machine's GPUs, each once, as the worker is told of them.

use lull_types::{DeviceInfo, DeviceKind};

mod memory;

use crate::gpu::GpuError;

/// An adapter and what is told of it.
pub struct FoundAdapter {
    /// What is told of it.
    pub info: DeviceInfo,
    /// The adapter.
    pub adapter: wgpu::Adapter,
}

/// The machine's adapters, in the order of their index.
pub struct Adapters(Vec<FoundAdapter>);

impl Adapters {
    /// Asks all graphics interfaces of this platform.
    pub fn find() -> Self {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
        // No validation layers: they are for developers, and would be loaded from the contributor's machine.
        descriptor.flags = wgpu::InstanceFlags::empty();
        // The system's own compiler; the default would load any dxcompiler.dll on the search path.
        descriptor.backend_options.dx12.shader_compiler = wgpu::Dx12Compiler::Fxc;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));

        let mut found: Vec<(wgpu::AdapterInfo, wgpu::Adapter)> =
            adapters.into_iter().map(|adapter| (adapter.get_info(), adapter)).collect();
        found.sort_by_key(|(info, _)| sort_key(info));
        let kept = without_duplicates(found.iter().map(|(info, _)| info));
        let kept = found.into_iter().zip(kept).filter_map(|(adapter, keep)| keep.then_some(adapter));
        let described = kept
            .zip(0..)
            .map(|((info, adapter), index)| FoundAdapter { info: describe(index, &info, &adapter), adapter });
        Self(described.collect())
    }

    /// All of them, as the worker is told.
    pub fn infos(&self) -> Vec<DeviceInfo> {
        self.0.iter().map(|found| found.info.clone()).collect()
    }

    /// One of them.
    pub fn get(&self, index: u32) -> Result<&FoundAdapter, GpuError> {
        self.0.get(index as usize).ok_or(GpuError::Unknown(index))
    }
}

/// GPUs before software, then by place in the machine, so that indices are stable.
fn sort_key(info: &wgpu::AdapterInfo) -> (u8, String, String, u8) {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    };
    (kind, info.device_pci_bus_id.clone(), info.name.clone(), preference(info.backend))
}

/// The lower, the rather it is used where a GPU is reached over two interfaces. Vulkan's compilers do better than
/// the one that DX12 has on every machine.
fn preference(backend: wgpu::Backend) -> u8 {
    match backend {
        wgpu::Backend::Vulkan => 0,
        wgpu::Backend::Metal => 1,
        wgpu::Backend::Dx12 => 2,
        wgpu::Backend::Gl | wgpu::Backend::BrowserWebGpu | wgpu::Backend::Noop => 3,
    }
}

/// Which of them to keep. A model that a preferred interface lists is dropped from the others; the PCI address
/// would tell more exactly, but not every interface knows it.
fn without_duplicates<'a>(infos: impl Iterator<Item = &'a wgpu::AdapterInfo> + Clone) -> Vec<bool> {
    let same_model =
        |a: &wgpu::AdapterInfo, b: &wgpu::AdapterInfo| (a.vendor, a.device) == (b.vendor, b.device);
    infos
        .clone()
        .map(|info| {
            !infos
                .clone()
                .any(|other| same_model(other, info) && preference(other.backend) < preference(info.backend))
        })
        .collect()
}

fn describe(index: u32, info: &wgpu::AdapterInfo, adapter: &wgpu::Adapter) -> DeviceInfo {
    let kind = match info.device_type {
        wgpu::DeviceType::DiscreteGpu => DeviceKind::Discrete,
        wgpu::DeviceType::IntegratedGpu => DeviceKind::Integrated,
        wgpu::DeviceType::VirtualGpu => DeviceKind::Virtual,
        wgpu::DeviceType::Cpu => DeviceKind::Software,
        wgpu::DeviceType::Other => DeviceKind::Other,
    };
    let pci_bus_id = (!info.device_pci_bus_id.is_empty()).then(|| info.device_pci_bus_id.to_lowercase());
    let vram_bytes = match kind {
        // These use the system's memory, which is in the hardware report.
        DeviceKind::Integrated | DeviceKind::Software => None,
        DeviceKind::Discrete | DeviceKind::Virtual | DeviceKind::Other => {
            memory::vram_bytes(adapter, pci_bus_id.as_deref())
        }
    };
    let driver = [info.driver.as_str(), info.driver_info.as_str()];
    DeviceInfo {
        index,
        name: info.name.clone(),
        vendor: vendor_name(info.vendor),
        kind,
        backend: info.backend.to_str().to_owned(),
        driver: driver.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        pci_bus_id,
        vram_bytes,
        storage_buffer_bytes_max: adapter.limits().max_storage_buffer_binding_size,
        features: shader_features(adapter.features()),
    }
}

/// The vendors whose GPUs have WGSL drivers, by the PCI or Vulkan vendor id.
fn vendor_name(id: u32) -> String {
    let name = match id {
        0x1002 | 0x1022 => "AMD",
        0x10de => "NVIDIA",
        0x8086 => "Intel",
        0x106b => "Apple",
        0x13b5 => "Arm",
        0x5143 => "Qualcomm",
        0x1010 => "Imagination",
        0x1414 => "Microsoft",
        0x15ad => "VMware",
        0x1af4 => "virtio",
        0x10005 => "Mesa",
        _ => return format!("{id:#06x}"),
    };
    name.to_owned()
}

fn shader_features(features: wgpu::Features) -> Vec<String> {
    let names = [
        (wgpu::Features::SHADER_F16, "f16"),
        (wgpu::Features::SHADER_F64, "f64"),
        (wgpu::Features::SHADER_INT64, "i64"),
        (wgpu::Features::SUBGROUP, "subgroups"),
    ];
    names.into_iter().filter(|(flag, _)| features.contains(*flag)).map(|(_, name)| name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendors_have_names() {
        assert_eq!(vendor_name(0x10de), "NVIDIA");
        assert_eq!(vendor_name(0xbeef), "0xbeef");
    }

    #[test]
    fn a_gpu_on_two_interfaces_is_kept_once() {
        let on = |backend, device| {
            let mut info = wgpu::AdapterInfo::new(wgpu::DeviceType::DiscreteGpu, backend);
            info.vendor = 0x10de;
            info.device = device;
            info
        };
        let infos = [
            on(wgpu::Backend::Dx12, 1),
            on(wgpu::Backend::Vulkan, 1),
            on(wgpu::Backend::Vulkan, 1),
            on(wgpu::Backend::Dx12, 2),
        ];
        assert_eq!(without_duplicates(infos.iter()), [false, true, true, true]);
    }
}
