//! Cross-process scenarios: the real programs together, on a machine of their own, killed, cut off and lied to.
//!
//! [`Machine`] is a contributor's machine with a folder of its own, [`Network`] a network, [`Customer`] someone
//! who submits jobs to it over HTTP. Everything is on loopback and ends with the test.

mod customer;
mod disk;
mod inference;
mod liar;
mod link;
mod network;
mod phone;
mod process;
mod settled;
#[cfg(unix)]
mod terminal;
mod validator;
mod worker;

pub use customer::{Customer, spin_task, spin_value};
pub use disk::SmallDisk;
pub use inference::Streamed;
pub use liar::{Liar, Lie};
pub use link::{Link, Weather};
pub use network::Network;
pub use phone::Phone;
pub use process::{Process, built, eventually};
pub use settled::settled;
#[cfg(unix)]
pub use terminal::Terminal;
pub use validator::{Genesis, Validator};
pub use worker::Machine;

/// Bound on anything that a scenario waits for: a hundred times what it takes on two busy cores, so that only a
/// hang meets it.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);
