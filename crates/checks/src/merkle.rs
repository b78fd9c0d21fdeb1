//! Merkle trees in the shape of RFC 6962 (Certificate Transparency), section 2.1, with BLAKE3 for SHA-256.
//!
//! A leaf is hashed with the byte 0 before it and an inner pair with the byte 1, so that a leaf can never be
//! shown for a pair. The tree of n leaves splits at the largest power of two below n. The root of no leaves is
//! the hash of the empty string.

use lull_types::BlobHash;
use serde::{Deserialize, Serialize};

/// Hash of a leaf.
pub fn leaf_hash(leaf: &[u8]) -> BlobHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[0]).update(leaf);
    BlobHash(*hasher.finalize().as_bytes())
}

fn pair_hash(left: BlobHash, right: BlobHash) -> BlobHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[1]).update(&left.0).update(&right.0);
    BlobHash(*hasher.finalize().as_bytes())
}

/// A tree that grows at its right edge. It keeps one hash for each complete subtree: at most 64.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accumulator {
    count: u64,
    /// Roots of the complete subtrees from left to right; their sizes are the set bits of `count`, largest
    /// first.
    peaks: Vec<BlobHash>,
}

impl Accumulator {
    /// How many leaves there are.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is no leaf.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a leaf at the right.
    pub fn push(&mut self, leaf: &[u8]) {
        let mut hash = leaf_hash(leaf);
        // Every trailing set bit of the count is a complete subtree that the new one closes a pair with.
        for _ in 0..self.count.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = pair_hash(left, hash);
            }
        }
        self.peaks.push(hash);
        self.count += 1;
    }

    /// The root over all leaves.
    pub fn root(&self) -> BlobHash {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| pair_hash(left, right));
        joined.unwrap_or_else(|| BlobHash::of(&[]))
    }
}

/// The siblings on the way from leaf `index` to the root, from below; `None` when there is no such leaf.
pub fn prove(leaves: &[Vec<u8>], index: usize) -> Option<Vec<BlobHash>> {
    let hashes: Vec<BlobHash> = leaves.iter().map(|leaf| leaf_hash(leaf)).collect();
    prove_hashed(&hashes, index)
}

/// [`prove`] for leaves whose hashes are known already.
pub fn prove_hashed(hashes: &[BlobHash], index: usize) -> Option<Vec<BlobHash>> {
    if index >= hashes.len() {
        return None;
    }
    let mut path = Vec::new();
    descend(hashes, index, &mut path);
    Some(path)
}

fn descend(hashes: &[BlobHash], index: usize, path: &mut Vec<BlobHash>) {
    if hashes.len() == 1 {
        return;
    }
    let (left, right) = hashes.split_at(split(hashes.len()));
    if index < left.len() {
        descend(left, index, path);
        path.push(subtree_root(right));
    } else {
        descend(right, index - left.len(), path);
        path.push(subtree_root(left));
    }
}

fn subtree_root(hashes: &[BlobHash]) -> BlobHash {
    match hashes {
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(split(hashes.len()));
            pair_hash(subtree_root(left), subtree_root(right))
        }
    }
}

/// The largest power of two below `count`, for `count` of at least 2.
fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

/// Whether `leaf` is number `index` of the `count` leaves under `root`.
pub fn verify(root: BlobHash, leaf: &[u8], index: u64, count: u64, proof: &[BlobHash]) -> bool {
    fn climb(hash: BlobHash, index: u64, count: u64, proof: &[BlobHash]) -> Option<BlobHash> {
        if count == 1 {
            return proof.is_empty().then_some(hash);
        }
        let (sibling, below) = proof.split_last()?;
        let left_count = 1u64 << (count - 1).ilog2();
        if index < left_count {
            Some(pair_hash(climb(hash, index, left_count, below)?, *sibling))
        } else {
            Some(pair_hash(*sibling, climb(hash, index - left_count, count - left_count, below)?))
        }
    }
    index < count && climb(leaf_hash(leaf), index, count, proof) == Some(root)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaves(count: usize) -> Vec<Vec<u8>> {
        (0..count).map(|n| format!("leaf {n}").into_bytes()).collect()
    }

    #[test]
    fn growing_and_whole_trees_agree() {
        let mut growing = Accumulator::default();
        assert_eq!(growing.root(), BlobHash::of(&[]));
        for count in 1..70 {
            growing.push(&leaves(count)[count - 1]);
            let hashes: Vec<_> = leaves(count).iter().map(|leaf| leaf_hash(leaf)).collect();
            assert_eq!(growing.root(), subtree_root(&hashes), "{count} leaves");
            assert_eq!(growing.len(), count as u64);
        }
    }

    #[test]
    fn every_leaf_can_be_proven_and_no_other() {
        for count in 1..20 {
            let leaves = leaves(count);
            let mut tree = Accumulator::default();
            leaves.iter().for_each(|leaf| tree.push(leaf));
            for index in 0..count {
                let proof = prove(&leaves, index).unwrap();
                let holds = |leaf: &[u8], at: usize, of: usize, proof: &[BlobHash]| {
                    verify(tree.root(), leaf, at as u64, of as u64, proof)
                };
                assert!(holds(&leaves[index], index, count, &proof));
                assert!(!holds(b"other", index, count, &proof));
                assert!(!holds(&leaves[index], index + 1, count, &proof));
                assert!(!holds(&leaves[index], index, count, &[proof.clone(), vec![tree.root()]].concat()));
                if count > 1 {
                    assert!(!holds(&leaves[index], index, count, &proof[1..]));
                }
            }
            assert_eq!(prove(&leaves, count), None);
        }
    }
}
