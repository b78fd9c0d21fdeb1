//! The tree of one epoch in memory, from which every proof can be read.

use lull_types::NetworkId;
use rayon::prelude::*;

use super::{EMPTY_ROOT, Hash, Leaf, Leaves, Proof, hash_leaf, hash_node};

/// Hashes that one thread takes at a time: about a millisecond of work, so that handing it out costs nothing.
const HASHES_A_TASK: usize = 4096;

/// All levels of a tree, 64 bytes for each leaf.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The leaves' hashes first. Each level has half of the one before, rounded up; the last has one node.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Hashes the leaves of a network's epoch, on all cores.
    pub fn build(network: NetworkId, leaves: &Leaves) -> Self {
        let hash = |leaf: &Leaf| hash_leaf(network, leaf);
        let mut levels = vec![leaves.as_slice().par_iter().with_min_len(HASHES_A_TASK).map(hash).collect()];
        while let Some(above) =
            levels.last().and_then(|level: &Vec<Hash>| (level.len() > 1).then(|| pair(level)))
        {
            levels.push(above);
        }
        Self { levels }
    }

    /// The root; [`EMPTY_ROOT`] of no leaves.
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|top| top.first()).copied().unwrap_or(EMPTY_ROOT)
    }

    /// The proof of the leaf at this place of [`Leaves::as_slice`].
    pub fn proof(&self, position: usize) -> Option<Proof> {
        if position >= self.levels[0].len() {
            return None;
        }
        // The one that is left over at the end of a level has no sibling there.
        let siblings =
            self.levels.iter().enumerate().filter_map(|(height, level)| level.get((position >> height) ^ 1));
        Some(Proof(siblings.copied().collect()))
    }
}

fn pair(level: &[Hash]) -> Vec<Hash> {
    let node = |pair: &[Hash]| match pair {
        [left, right] => hash_node(left, right),
        alone => alone[0],
    };
    level.par_chunks(2).with_min_len(HASHES_A_TASK).map(node).collect()
}
