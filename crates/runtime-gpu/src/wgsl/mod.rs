//! Runs tasks of the kind `wgsl/1`.

mod error;
mod run;
mod session;
mod slicing;

pub use error::RunError;
pub use run::run;
pub use session::Session;
