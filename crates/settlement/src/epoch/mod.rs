//! Epochs: who has earned what in all, under one Merkle root.
//!
//! A leaf is `{worker, wallet, lifetime}`. Leaves are sorted by `(worker, wallet)`, so that one set of earnings
//! has one root. Neighbours are hashed in pairs, level by level; one that is left over at the end of a level
//! moves up unchanged. A pair is hashed in ascending order, so that a proof needs no directions: it is the list
//! of siblings from the leaf upwards. Leaves and inner nodes are hashed under tags of their own, and leaves are bound
//! to their network's [`Anchor`]; the hashes are those of `lull_distributor`, which the program on the chain uses, too.
//!
//! The root of no leaves is [`EMPTY_ROOT`]; that of one leaf is the leaf's own hash, its proof is empty.

mod anchor;
mod error;
mod fold;
mod hash;
mod leaf;
mod proof;
mod tree;

pub use anchor::{AddressBytes, Anchor, associated_token_account, token_account};
pub use error::EpochError;
pub use fold::Fold;
pub use hash::{EMPTY_ROOT, Hash, hash_leaf};
pub use leaf::{Leaf, Leaves};
pub use proof::Proof;
pub use tree::Tree;

/// Leaves of one epoch. A claim with 20 siblings takes 1,052 of the 1,232 bytes of a transaction, and each more
/// takes 32: with 24, for so many leaves, there is room for a priority fee.
pub const LEAVES_MAX: u64 = 1 << 24;

#[cfg(test)]
pub(crate) mod tests;
