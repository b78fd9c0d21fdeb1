//! The tree of earnings, for those who post roots and those who prove.

use crate::hash::{Hash, pair};

/// A tree over leaves; the last hash of a level of odd length rises as it is.
#[derive(Clone, Debug)]
pub struct Tree {
    /// From the leaves to the root.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Builds the tree over [leaves](crate::hash::leaf), in the given order.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let mut levels = vec![leaves];
        while let Some(level) = levels.last().filter(|level| level.len() > 1) {
            let (pairs, odd) = level.as_chunks();
            let above = pairs.iter().map(|[left, right]| pair(left, right)).chain(odd.iter().copied());
            let above = above.collect();
            levels.push(above);
        }
        Self { levels }
    }

    /// The root; zeros when there is no leaf, which no proof leads to.
    pub fn root(&self) -> Hash {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or_default()
    }

    /// The siblings on the way from a leaf to the root, from below; `None` when there is no such leaf.
    pub fn proof(&self, leaf: usize) -> Option<Vec<Hash>> {
        self.levels.first().filter(|leaves| leaf < leaves.len())?;
        let mut index = leaf;
        let mut proof = Vec::new();
        for level in &self.levels {
            proof.extend(level.get(index ^ 1));
            index /= 2;
        }
        Some(proof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::root;

    #[test]
    fn every_leaf_of_every_small_tree_is_proved() {
        for count in 0..40u8 {
            let leaves: Vec<Hash> = (0..count).map(|i| [i; 32]).collect();
            let tree = Tree::new(leaves.clone());
            for (index, leaf) in leaves.iter().enumerate() {
                let proof = tree.proof(index).unwrap();
                assert_eq!(root(*leaf, &proof), tree.root(), "leaf {index} of {count}");
                assert_ne!(root([255; 32], &proof), tree.root());
            }
            assert_eq!(tree.proof(leaves.len()), None);
        }
    }
}
