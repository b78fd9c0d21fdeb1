//! The job kind `wgsl/1`: compute shaders, buffers and dispatches, as data.
//!
//! A dispatch is a one-dimensional range of workgroups. The runtime runs it in slices, so that no submission
//! holds the GPU for long, and tells the shader where a slice starts through a uniform that the shader must
//! declare and read:
//!
//! ```wgsl
//! struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }
//! @group(3) @binding(0) var<uniform> lull_slice: LullSlice;
//! // index of this workgroup in the whole dispatch: lull_slice.first_workgroup + workgroup_id.x
//! ```
//! `workgroup_count` is the size of the whole dispatch, not of the slice.

use serde::{Deserialize, Serialize};

use crate::BlobHash;

/// Bind group of the slice uniform; jobs use groups below it.
pub const SLICE_GROUP: u32 = 3;
/// Binding of the slice uniform in its group.
pub const SLICE_BINDING: u32 = 0;
/// Size of the slice uniform.
pub const SLICE_UNIFORM_BYTES: u64 = 16;

/// What a `wgsl/1` task may ask for; checked before anything is compiled.
pub mod limits {
    /// Shaders in a task: more would spend the contributor's time on compilation.
    pub const SHADERS_MAX: usize = 8;
    /// Length of one shader: ten times the largest of our own.
    pub const SHADER_BYTES_MAX: usize = 256 * 1024;
    /// Buffers in a task; wgpu's default limits allow eight storage buffers in a stage.
    pub const BUFFERS_MAX: usize = 16;
    /// All buffers together: fits the smallest device that we enrol, one with 2 GB, and leaves half of it.
    pub const BUFFER_BYTES_TOTAL_MAX: u64 = 1024 * 1024 * 1024;
    /// Dispatches in a task.
    pub const DISPATCHES_MAX: usize = 256;
    /// Workgroups in a dispatch.
    pub const WORKGROUPS_MAX: u32 = 1 << 24;
    /// Outputs in a task.
    pub const OUTPUTS_MAX: usize = 8;
    /// All outputs together: what a home line uploads in about a minute.
    pub const OUTPUT_BYTES_TOTAL_MAX: u64 = 64 * 1024 * 1024;
    /// The JSON text of a task.
    pub const PAYLOAD_BYTES_MAX: usize = 4 * 1024 * 1024;
}

/// One task. Its payload blob is this in JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WgslTask {
    /// Shader sources.
    pub shaders: Vec<String>,
    /// Buffers, referred to by position.
    pub buffers: Vec<WgslBuffer>,
    /// What to run, in order.
    pub dispatches: Vec<WgslDispatch>,
    /// Positions of the buffers that are read back, in order.
    pub outputs: Vec<u32>,
    /// How two runs of this task are compared.
    pub tolerance: Tolerance,
}

/// One buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WgslBuffer {
    /// Size; a multiple of 4.
    pub bytes: u64,
    /// What it holds at the start; the rest is zero.
    pub init: WgslInit,
    /// How shaders see it.
    pub role: WgslBufferRole,
}

/// First content of a buffer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WgslInit {
    /// Zeroes.
    Zero,
    /// 32-bit words written in the task itself.
    Words(Vec<u32>),
    /// An input blob, no longer than the buffer.
    Blob(BlobHash),
}

/// How shaders see a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WgslBufferRole {
    /// `var<uniform>`.
    Uniform,
    /// `var<storage, read>`.
    ReadOnly,
    /// `var<storage, read_write>`.
    ReadWrite,
}

/// One run of one entry point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WgslDispatch {
    /// Position in [`WgslTask::shaders`].
    pub shader: u32,
    /// Name of a compute entry point.
    pub entry: String,
    /// What is bound.
    pub bindings: Vec<WgslBinding>,
    /// How many workgroups.
    pub workgroups: u32,
}

/// One bound buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WgslBinding {
    /// Below [`SLICE_GROUP`].
    pub group: u32,
    /// Binding in the group.
    pub binding: u32,
    /// Position in [`WgslTask::buffers`].
    pub buffer: u32,
}

/// How two results of one task are compared, output by output, in 32-bit words or bytes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tolerance {
    /// Every byte is the same.
    Exact,
    /// Outputs are little-endian 32-bit floats: `|a − b| ≤ absolute + relative × |b|`, and at most
    /// `outliers_per_million` of the words may break that.
    F32 {
        /// Absolute bound.
        absolute: f32,
        /// Relative bound.
        relative: f32,
        /// Words in a million that may lie outside.
        outliers_per_million: u32,
    },
    /// Outputs are bytes: `|a − b| ≤ absolute`, and at most `outliers_per_million` may break that.
    U8 {
        /// Absolute bound.
        absolute: u8,
        /// Bytes in a million that may lie outside.
        outliers_per_million: u32,
    },
}

impl WgslTask {
    /// The input blobs that the task names, each once, in order of first use.
    pub fn input_blobs(&self) -> Vec<BlobHash> {
        let mut hashes = Vec::new();
        for buffer in &self.buffers {
            if let WgslInit::Blob(hash) = buffer.init
                && !hashes.contains(&hash)
            {
                hashes.push(hash);
            }
        }
        hashes
    }
}
