//! The job kind `wgsl/1`.

mod check;
mod fault;
mod run;
mod session;
mod shader;
mod slicing;

pub use check::{CheckedTask, check};
pub use fault::{RunError, TaskError};
pub use run::run;
pub use session::Session;
