//! An open device with the kernels that it has compiled, kept from task to task.
//!
//! The tasks of one job share their shaders, and compiling these takes longer than many a task. Buffers are not
//! kept: every task has its own, zeroed ones.

use std::collections::HashMap;

use lull_types::BlobHash;
use lull_types::wgsl::limits::BUFFER_BYTES_TOTAL_MAX;

use crate::adapters::FoundAdapter;
use crate::gpu::{Gpu, GpuError};

/// Kernels that are kept: those of two tasks with as many shaders as one may have.
const KERNELS_MAX: usize = 16;

/// A compiled entry point. Its layout follows from the shader alone.
pub struct Kernel {
    /// What runs.
    pub pipeline: wgpu::ComputePipeline,
    /// The layouts of its bind groups, by group.
    pub layouts: Vec<Option<wgpu::BindGroupLayout>>,
    /// Whether it has run before, so that the driver is done with it.
    pub has_run: bool,
}

/// What names a kernel: the hash of its shader and its entry point.
pub type KernelKey = (BlobHash, String);

/// An open device.
pub struct Session {
    /// The device.
    pub gpu: Gpu,
    /// Its kernels.
    pub kernels: HashMap<KernelKey, Kernel>,
    device: u32,
}

impl Session {
    /// Opens a device with what every device has, and buffers as large as a task may ask for.
    pub fn open(adapter: &FoundAdapter) -> Result<Self, GpuError> {
        let able = adapter.adapter.limits();
        let mut limits = wgpu::Limits::default();
        let raised = |able: u64, default: u64| able.min(BUFFER_BYTES_TOTAL_MAX).max(default);
        limits.max_buffer_size = raised(able.max_buffer_size, limits.max_buffer_size);
        limits.max_storage_buffer_binding_size =
            raised(able.max_storage_buffer_binding_size, limits.max_storage_buffer_binding_size);
        let gpu = Gpu::open(adapter, wgpu::Features::empty(), limits)?;
        Ok(Self { gpu, kernels: HashMap::new(), device: adapter.info.index })
    }

    /// Whether this is a session with that device.
    pub fn is_with(&self, adapter: &FoundAdapter) -> bool {
        self.device == adapter.info.index
    }

    /// Makes room for the kernels of a task.
    pub fn make_room(&mut self, wanted: usize) {
        if self.kernels.len() + wanted > KERNELS_MAX {
            self.kernels.clear();
        }
    }
}
