//! How much memory of its own a GPU has.

/// Memory of its own, where the platform tells.
pub fn vram_bytes(adapter: &wgpu::Adapter, pci_bus_id: Option<&str>) -> Option<u64> {
    vulkan_heap_bytes(adapter).or_else(|| sysfs_bytes(pci_bus_id?))
}

/// The largest heap that Vulkan calls local to the device.
#[cfg(any(windows, target_os = "linux"))]
#[allow(unsafe_code, reason = "wgpu does not tell memory sizes; the Vulkan call that does is unsafe")]
fn vulkan_heap_bytes(adapter: &wgpu::Adapter) -> Option<u64> {
    // `VK_MEMORY_HEAP_DEVICE_LOCAL_BIT` of the Vulkan specification.
    const DEVICE_LOCAL: u32 = 1;
    // SAFETY: the adapter is only read, while `adapter` keeps it and its instance alive.
    let properties = unsafe {
        let vulkan = adapter.as_hal::<wgpu::hal::api::Vulkan>()?;
        let instance = vulkan.shared_instance().raw_instance();
        instance.get_physical_device_memory_properties(vulkan.raw_physical_device())
    };
    let heaps = &properties.memory_heaps[..properties.memory_heap_count as usize];
    heaps.iter().filter(|heap| heap.flags.as_raw() & DEVICE_LOCAL != 0).map(|heap| heap.size).max()
}

#[cfg(not(any(windows, target_os = "linux")))]
fn vulkan_heap_bytes(_: &wgpu::Adapter) -> Option<u64> {
    None
}

/// What the amdgpu driver tells.
#[cfg(target_os = "linux")]
fn sysfs_bytes(pci_bus_id: &str) -> Option<u64> {
    // The id comes from the driver, but it becomes part of a path.
    let is_address = pci_bus_id.chars().all(|c| c.is_ascii_hexdigit() || c == ':' || c == '.');
    let path = format!("/sys/bus/pci/devices/{pci_bus_id}/mem_info_vram_total");
    let text = std::fs::read_to_string(is_address.then_some(path)?).ok()?;
    text.trim().parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn sysfs_bytes(_: &str) -> Option<u64> {
    None
}
