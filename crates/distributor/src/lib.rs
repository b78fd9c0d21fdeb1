//! What the on-chain distributor and those who speak to it share: addresses, account layouts, hashes, instructions
//! and errors. `docs/settlement.md` describes the program.
//!
//! On-chain (`target_arch = "bpf"`) the crate has no standard library and no dependency. Elsewhere it adds what
//! builds calls and trees. It knows no Solana crate: addresses are 32 bytes.

#![cfg_attr(target_arch = "bpf", no_std)]

pub mod address;
#[cfg(not(target_arch = "bpf"))]
mod call;
mod error;
pub mod hash;
mod instruction;
mod layout;
#[cfg(not(target_arch = "bpf"))]
mod tree;

pub use address::Address;
#[cfg(not(target_arch = "bpf"))]
pub use call::{Account, Call, Network};
pub use error::Error;
pub use instruction::{Claim, Instruction, PROOF_NODES_MAX, WITHDRAWAL_DELAY_S_MIN};
pub use layout::{ClaimAccount, NetworkAccount};
#[cfg(not(target_arch = "bpf"))]
pub use tree::Tree;
