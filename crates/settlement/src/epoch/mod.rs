//! Epochs: who has earned what in all, under one Merkle root.
//!
//! A leaf is `{worker, wallet, lifetime}`. Leaves are sorted by `(worker, wallet)`, so that one set of earnings
//! has one root. Neighbours are hashed in pairs, level by level; one that is left over at the end of a level
//! moves up unchanged. A pair is hashed in ascending order, so that a proof needs no directions: it is the list
//! of siblings from the leaf upwards. Leaves and inner nodes are hashed under tags of their own.
//!
//! The root of no leaves is [`EMPTY_ROOT`]; that of one leaf is the leaf's own hash, its proof is empty.

mod error;
mod fold;
mod hash;
mod leaf;
mod proof;
mod tree;

pub use error::EpochError;
pub use fold::Fold;
pub use hash::{EMPTY_ROOT, Hash, hash_leaf, hash_node};
pub use leaf::{Leaf, Leaves};
pub use proof::Proof;
pub use tree::Tree;

#[cfg(test)]
pub(crate) mod tests;

/// Levels that a proof may have. A claim with 20 takes 1,052 of the 1,232 bytes of a transaction; each more
/// takes 32, and 24 leave room for a priority fee.
pub const PROOF_LEVELS_MAX: usize = 24;

/// Leaves of one epoch: those that [`PROOF_LEVELS_MAX`] reaches.
pub const LEAVES_MAX: u64 = 1 << PROOF_LEVELS_MAX;
