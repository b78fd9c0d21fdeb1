//! The wgpu runtime: device list, benchmark and `wgsl/1` tasks, on Vulkan, Metal and DX12.
//!
//! The program of the same name speaks `lull_runtime_api` over its standard streams. All parts are here, so that
//! tests reach them; the program only wires them to the process.

pub mod adapters;
pub mod benchmark;
pub mod challenge;
pub mod gpu;
pub mod memory;
pub mod product;
pub mod serve;
pub mod wgsl;
pub mod work;
