//! Hashes of leaves and inner nodes, as the program on the chain computes them.

use lull_types::NetworkId;
use sha2::{Digest, Sha256};

use super::Leaf;

/// A SHA-256 hash of a leaf or of an inner node.
pub type Hash = [u8; 32];

/// The root of an epoch in which nobody earned anything. No leaf has this hash, so nothing can be claimed.
pub const EMPTY_ROOT: Hash = [0; 32];

const LEAF_TAG: &[u8] = b"lull/leaf/1\0";
const NODE_TAG: &[u8] = b"lull/node/1\0";

/// The hash of a leaf of this network.
pub fn hash_leaf(network: NetworkId, leaf: &Leaf) -> Hash {
    Sha256::new()
        .chain_update(LEAF_TAG)
        .chain_update(network.0)
        .chain_update(leaf.worker.0)
        .chain_update(leaf.wallet.as_bytes())
        .chain_update(leaf.lifetime.0.to_be_bytes())
        .finalize()
        .into()
}

/// The hash of an inner node over two others, in whatever order they are given.
pub fn hash_node(a: &Hash, b: &Hash) -> Hash {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    Sha256::new().chain_update(NODE_TAG).chain_update(low).chain_update(high).finalize().into()
}
