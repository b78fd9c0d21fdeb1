//! The tree of one epoch in memory, from which every proof can be read.

use rayon::prelude::*;

use super::{Anchor, Hash, Leaf, Leaves, Proof, hash_leaf};

/// Hashes that one thread takes at a time: about a millisecond of work, so that handing it out costs nothing.
const HASHES_A_TASK: usize = 4096;

/// All levels of a tree, 64 bytes for each leaf.
#[derive(Clone, Debug)]
pub struct Tree(lull_distributor::Tree);

impl Tree {
    /// Hashes the leaves of a network's epoch, on all cores.
    pub fn build(anchor: &Anchor, leaves: &Leaves) -> Self {
        let hash = |leaf: &Leaf| hash_leaf(anchor, leaf);
        let hashes = leaves.as_slice().par_iter().with_min_len(HASHES_A_TASK).map(hash).collect();
        Self(lull_distributor::Tree::new(hashes))
    }

    /// The root; [`super::EMPTY_ROOT`] of no leaves.
    pub fn root(&self) -> Hash {
        self.0.root()
    }

    /// The proof of the leaf at this place of [`Leaves::as_slice`].
    pub fn proof(&self, position: usize) -> Option<Proof> {
        self.0.proof(position).map(Proof)
    }
}
