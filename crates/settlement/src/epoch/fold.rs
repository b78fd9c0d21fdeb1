//! The root, and proofs, of leaves that pass by once: no more memory than the height of the tree.

use lull_distributor::hash::pair;

use super::{EMPTY_ROOT, Hash, Proof};

/// Folds leaves' hashes, given in order, into the same root as [`super::Tree`].
#[derive(Clone, Debug, Default)]
pub struct Fold {
    /// Roots of full subtrees, the largest first; their sizes are the binary digits of the number of leaves.
    pending: Vec<Subtree>,
    watched: Option<Proof>,
}

#[derive(Clone, Copy, Debug)]
struct Subtree {
    leaves: u64,
    root: Hash,
    watched: bool,
}

impl Fold {
    /// Takes the next leaf's hash.
    pub fn push(&mut self, leaf: Hash) {
        self.add(Subtree { leaves: 1, root: leaf, watched: false });
    }

    /// Takes the next leaf's hash, whose proof is wanted. Only the first such leaf is watched.
    pub fn push_watched(&mut self, leaf: Hash) {
        let watched = self.watched.is_none();
        if watched {
            self.watched = Some(Proof::default());
        }
        self.add(Subtree { leaves: 1, root: leaf, watched });
    }

    fn add(&mut self, mut right: Subtree) {
        while let Some(left) = self.pending.pop_if(|left| left.leaves == right.leaves) {
            right = self.join(left, right);
        }
        self.pending.push(right);
    }

    fn join(&mut self, left: Subtree, right: Subtree) -> Subtree {
        if let Some(proof) = &mut self.watched {
            if left.watched {
                proof.0.push(right.root);
            } else if right.watched {
                proof.0.push(left.root);
            }
        }
        Subtree {
            leaves: left.leaves + right.leaves,
            root: pair(&left.root, &right.root),
            watched: left.watched || right.watched,
        }
    }

    /// The root, and the watched leaf's proof.
    pub fn finish(mut self) -> (Hash, Option<Proof>) {
        let Some(mut right) = self.pending.pop() else {
            return (EMPTY_ROOT, None);
        };
        while let Some(left) = self.pending.pop() {
            right = self.join(left, right);
        }
        (right.root, self.watched)
    }
}
