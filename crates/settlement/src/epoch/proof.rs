//! Proofs that a leaf is under a root.

use lull_distributor::{PROOF_NODES_MAX, hash};

use super::{Anchor, Hash, Leaf, hash_leaf};

/// The siblings from a leaf upwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof(pub Vec<Hash>);

impl Proof {
    /// Whether `leaf` is under `root`. A proof that the program would refuse for its length proves nothing.
    pub fn holds(&self, anchor: &Anchor, leaf: &Leaf, root: &Hash) -> bool {
        self.0.len() <= PROOF_NODES_MAX && hash::root(hash_leaf(anchor, leaf), &self.0) == *root
    }
}
