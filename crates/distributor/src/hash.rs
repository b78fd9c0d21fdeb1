//! Hashes of the tree of earnings: SHA-256, which Solana's virtual machine computes by itself.
//!
//! A leaf and a pair have different tags before them, so that neither can be shown for the other. A pair is hashed in
//! ascending order, so that a proof needs no positions.

use crate::Address;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// Before every leaf. A changed leaf gets a changed tag.
const LEAF: &[u8] = b"lull earnings 1";

/// Before every pair; shorter than [`LEAF`] because every byte is paid for on each level of each proof.
const PAIR: &[u8] = &[1];

/// What a leaf says: so much has `worker` earned in its life for `wallet`, on the network of this account. The account's
/// address is derived from the program and the network's key, so the leaf holds nowhere else.
pub fn leaf(network_account: &Address, worker: &Address, wallet: &Address, lifetime: u64) -> Hash {
    sha256(&[LEAF, network_account, worker, wallet, &lifetime.to_le_bytes()])
}

/// The parent of two hashes, in either order.
pub fn pair(one: &Hash, other: &Hash) -> Hash {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    sha256(&[PAIR, low, high])
}

/// The root that a proof leads to: the siblings on the way up, from below.
pub fn root(leaf: Hash, proof: &[Hash]) -> Hash {
    let mut hash = leaf;
    for sibling in proof {
        hash = pair(&hash, sibling);
    }
    hash
}

/// SHA-256 over the joined parts.
#[cfg(not(target_arch = "bpf"))]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    use sha2::Digest;
    let mut hasher = sha2::Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// SHA-256 over the joined parts, by the virtual machine.
#[cfg(target_arch = "bpf")]
#[inline(always)]
#[allow(unsafe_code, reason = "a call to the virtual machine has no safe form")]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    unsafe extern "C" {
        fn sol_sha256(parts: *const u8, parts_len: u64, digest: *mut u8) -> u64;
    }
    let mut digest = core::mem::MaybeUninit::<Hash>::uninit();
    // SAFETY: the machine reads `parts` as pairs of pointer and length, which is how slices lie on this target, and
    // either writes all 32 bytes or ends the program.
    unsafe {
        sol_sha256(parts.as_ptr().cast(), parts.len() as u64, digest.as_mut_ptr().cast());
        digest.assume_init()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_and_pair_are_pinned() {
        // The network signs roots over these for ever: a change needs a new tag.
        let leaf = leaf(&[1; 32], &[2; 32], &[3; 32], 4);
        let pair = pair(&leaf, &[5; 32]);
        assert_eq!(hex::encode(leaf), LEAF_HEX);
        assert_eq!(hex::encode(pair), PAIR_HEX);
    }

    const LEAF_HEX: &str = "aa4573023c7b623c53240bc685cb4a494fdfc55cb5940a46b6da2c9064a2cacf";
    const PAIR_HEX: &str = "afd86413b3f33d38086cce74ddae0005a81e4d596a016e5944bce2d1008626d7";

    #[test]
    fn the_order_of_a_pair_does_not_matter() {
        assert_eq!(pair(&[1; 32], &[2; 32]), pair(&[2; 32], &[1; 32]));
    }
}
