//! The wgpu runtime: benchmark and wgsl/1 tasks, in a sandboxed process of its own.
