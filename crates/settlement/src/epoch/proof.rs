//! Proofs that a leaf is under a root.

use lull_types::NetworkId;

use super::{Hash, Leaf, PROOF_LEVELS_MAX, hash_leaf, hash_node};

/// The siblings from a leaf upwards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proof(pub Vec<Hash>);

impl Proof {
    /// Whether `leaf` is under `root`. A proof of more than [`PROOF_LEVELS_MAX`] levels proves nothing.
    pub fn holds(&self, network: NetworkId, leaf: &Leaf, root: &Hash) -> bool {
        self.0.len() <= PROOF_LEVELS_MAX
            && self.0.iter().fold(hash_leaf(network, leaf), |node, sibling| hash_node(&node, sibling))
                == *root
    }
}
