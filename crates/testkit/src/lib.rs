//! Fakes, a virtual clock and contract suites for the tests of every room.
//!
//! - [`fake_runtime`] behaves like a runtime, or misbehaves as told; the program `lull-runtime-fake` is it.
//! - [`runtime_contract`] is what every runtime must do, checked from outside.
//! - [`fake_nvml`] is what a fake of NVIDIA's management library knows of its boards.
//! - [`models`] are real models, where the set-up has put them.
//! - [`served_model`] is a real model that the real runtime serves.
//! - [`clock`] is time that passes only when a test says so.
//! - [`desktop`] is an X server with a window manager, and [`bus`] a message bus.

#[cfg(target_os = "linux")]
pub mod bus;
pub mod clock;
#[cfg(target_os = "linux")]
pub mod desktop;
pub mod fake_nvml;
pub mod fake_runtime;
pub mod models;
mod raw_runtime;
pub mod runtime_contract;
pub mod served_model;

pub use clock::{Timeline, VirtualClock};
pub use raw_runtime::RawRuntime;
