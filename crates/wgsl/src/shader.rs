//! One shader of a task, parsed and validated.

use lull_types::wgsl::{SLICE_BINDING, SLICE_GROUP, SLICE_UNIFORM_BYTES};
use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use naga::{AddressSpace, ShaderStage, StorageAccess};

use crate::fault::TaskError;
use crate::shape::at_most;

/// Invocations of a workgroup along x and y, and in all: WebGPU's defaults, which every device keeps.
const WORKGROUP_SIDE_MAX: u32 = 256;
const WORKGROUP_DEPTH_MAX: u32 = 64;
const WORKGROUP_INVOCATIONS_MAX: u64 = 256;
/// Memory of a workgroup: WebGPU's default.
const WORKGROUP_BYTES_MAX: u64 = 16 * 1024;
/// Variables of one invocation in all functions. A GPU holds this for a hundred thousand invocations at once, so
/// that more would take gigabytes that no buffer limit counts.
const PRIVATE_BYTES_MAX: u64 = 16 * 1024;
/// Buffers that one entry point can use: WebGPU's defaults.
const STORAGE_BUFFERS_MAX: usize = 8;
const UNIFORM_BUFFERS_MAX: usize = 12;
/// Length of a compiler message that is passed on.
const REASON_CHARS_MAX: usize = 2000;

/// What a shader does with a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// `var<uniform>`.
    Uniform,
    /// `var<storage, read>`.
    Read,
    /// `var<storage, read_write>`.
    ReadWrite,
}

/// A buffer variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Group.
    pub group: u32,
    /// Binding.
    pub binding: u32,
    /// How it is used.
    pub access: Access,
    /// Size of its type; of an array without a length, with one element.
    pub bytes_min: u64,
}

/// An entry point and the job's buffer variables that it uses; the slice uniform is not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Variables.
    pub variables: Vec<Variable>,
}

/// A valid shader.
pub struct Shader {
    position: usize,
    module: naga::Module,
    info: ModuleInfo,
}

impl Shader {
    /// Parses and validates.
    pub fn parse(position: usize, source: &str) -> Result<Self, TaskError> {
        let invalid = |reason: String| TaskError::Invalid {
            shader: position,
            reason: reason.chars().take(REASON_CHARS_MAX).collect(),
        };
        let module =
            naga::front::wgsl::parse_str(source).map_err(|error| invalid(error.emit_to_string(source)))?;
        // No optional capabilities: a task runs on every device or on none.
        let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .map_err(|error| invalid(error.emit_to_string(source)))?;
        if !module.overrides.is_empty() {
            return Err(invalid("pipeline-overridable constants are not used in jobs".to_owned()));
        }
        let shader = Self { position, module, info };
        shader.check_memory()?;
        Ok(shader)
    }

    /// Whether there is a variable at this place.
    pub fn declares(&self, group: u32, binding: u32) -> bool {
        let place = naga::ResourceBinding { group, binding };
        self.module.global_variables.iter().any(|(_, variable)| variable.binding == Some(place))
    }

    /// An entry point, for the dispatch at position `dispatch`.
    pub fn entry(&self, name: &str, dispatch: usize) -> Result<Entry, TaskError> {
        let missing = || TaskError::EntryMissing { shader: self.position, entry: name.to_owned() };
        let index = self
            .module
            .entry_points
            .iter()
            .position(|entry| entry.name == name && entry.stage == ShaderStage::Compute)
            .ok_or_else(missing)?;
        let [x, y, z] = self.module.entry_points[index].workgroup_size;
        at_most("the width of a workgroup", x.into(), WORKGROUP_SIDE_MAX.into())?;
        at_most("the height of a workgroup", y.into(), WORKGROUP_SIDE_MAX.into())?;
        at_most("the depth of a workgroup", z.into(), WORKGROUP_DEPTH_MAX.into())?;
        let invocations = u64::from(x) * u64::from(y) * u64::from(z);
        at_most("the number of invocations of a workgroup", invocations, WORKGROUP_INVOCATIONS_MAX)?;

        let mismatch = |reason: &str| TaskError::BindingMismatch { dispatch, reason: reason.to_owned() };
        let uses = self.info.get_entry_point(index);
        let mut variables = Vec::new();
        let mut is_sliced = false;
        for (handle, global) in self.module.global_variables.iter() {
            if uses[handle].is_empty() {
                continue;
            }
            let access = match global.space {
                AddressSpace::Private | AddressSpace::WorkGroup => continue,
                AddressSpace::Uniform => Access::Uniform,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    Access::ReadWrite
                }
                AddressSpace::Storage { .. } => Access::Read,
                // Textures, samplers and whatever later versions bring.
                _ => return Err(mismatch("jobs use uniform and storage buffers only")),
            };
            let Some(naga::ResourceBinding { group, binding }) = global.binding else {
                return Err(mismatch("a buffer variable has no binding"));
            };
            let bytes_min = self.type_bytes(global.ty)?;
            if group < SLICE_GROUP {
                variables.push(Variable { group, binding, access, bytes_min });
            } else if (group, binding) == (SLICE_GROUP, SLICE_BINDING)
                && access == Access::Uniform
                && bytes_min == SLICE_UNIFORM_BYTES
            {
                is_sliced = true;
            } else if (group, binding) == (SLICE_GROUP, SLICE_BINDING) {
                return Err(TaskError::SliceMissing { dispatch });
            } else {
                return Err(mismatch("a variable is in the group of the slice uniform or above it"));
            }
        }
        if !is_sliced {
            return Err(TaskError::SliceMissing { dispatch });
        }
        let uniforms = variables.iter().filter(|v| v.access == Access::Uniform).count();
        at_most(
            "the number of storage buffers of an entry point",
            (variables.len() - uniforms) as u64,
            STORAGE_BUFFERS_MAX as u64,
        )?;
        // One is the slice uniform.
        at_most("the number of uniforms of an entry point", uniforms as u64 + 1, UNIFORM_BUFFERS_MAX as u64)?;
        Ok(Entry { variables })
    }

    /// Bounds memory that no buffer limit counts, over the whole shader.
    fn check_memory(&self) -> Result<(), TaskError> {
        let (mut workgroup, mut private) = (0u64, 0u64);
        for (_, global) in self.module.global_variables.iter() {
            match global.space {
                AddressSpace::WorkGroup => workgroup += self.type_bytes(global.ty)?,
                AddressSpace::Private => private += self.type_bytes(global.ty)?,
                _ => (),
            }
        }
        let functions = self.module.functions.iter().map(|(_, function)| function);
        for function in functions.chain(self.module.entry_points.iter().map(|entry| &entry.function)) {
            for (_, variable) in function.local_variables.iter() {
                private += self.type_bytes(variable.ty)?;
            }
        }
        at_most("the memory of a workgroup in bytes", workgroup, WORKGROUP_BYTES_MAX)?;
        at_most("the memory of an invocation in bytes", private, PRIVATE_BYTES_MAX)
    }

    fn type_bytes(&self, ty: naga::Handle<naga::Type>) -> Result<u64, TaskError> {
        let size = self.module.types[ty].inner.try_size(self.module.to_ctx());
        size.map(u64::from).ok_or_else(|| TaskError::Invalid {
            shader: self.position,
            reason: "a type is too large".to_owned(),
        })
    }
}
