//! Hashes of leaves and inner nodes, as the program on the chain computes them.

pub use lull_distributor::hash::Hash;
use lull_distributor::hash::leaf;

use super::{Anchor, Leaf};

/// The root of an epoch in which nobody earned anything. No leaf has this hash, so nothing can be claimed.
pub const EMPTY_ROOT: Hash = [0; 32];

/// The hash of a leaf of this network.
pub fn hash_leaf(anchor: &Anchor, of: &Leaf) -> Hash {
    leaf(anchor.account(), &of.worker.0, of.wallet.as_bytes(), of.lifetime.0)
}
