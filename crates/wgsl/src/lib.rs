//! What can be known of a `wgsl/1` task before it touches a device: its shape, its inputs and its shaders. Pure.
//!
//! The network looks at the shape when a job comes in; a runtime, in its sandbox, at everything.

mod check;
mod fault;
mod shader;
mod shape;

pub use check::{CheckedTask, DispatchPlan, PlannedBinding, check};
pub use fault::TaskError;
pub use shader::Access;
pub use shape::shape;
