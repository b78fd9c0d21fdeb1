use lull_types::{BaseUnits, Coded};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::epoch::tests::{anchor, leaf, many, wallet};
use crate::epoch::{Leaf, Leaves, Tree};

fn file(leaves: Vec<Leaf>) -> Vec<u8> {
    let leaves = Leaves::new(leaves).unwrap();
    let mut file = Vec::new();
    write(&mut file, anchor(), 7, &leaves, &Tree::build(&anchor(), &leaves)).unwrap();
    file
}

/// Brings the checksum into line with what was changed before it, as a liar does.
fn resealed(mut file: Vec<u8>) -> Vec<u8> {
    let end = file.len() - 32;
    let checksum = Sha256::digest(&file[..end]);
    file[end..].copy_from_slice(&checksum);
    file
}

fn code(file: &[u8]) -> &'static str {
    check(file).map_or_else(|error| error.code(), |_| "sound")
}

#[test]
fn is_read_as_written() {
    // More than one piece, and a last one that is not full.
    for count in [0, 1, 2, 4096, 9000] {
        let file = file(many(count));
        assert_eq!(file.len(), HEADER_BYTES + usize::from(count) * LEAF_BYTES + 32);
        let leaves = Leaves::new(many(count)).unwrap();
        let (header, again) = read(&file[..]).unwrap();
        assert_eq!(again, leaves);
        let root = Tree::build(&anchor(), &leaves).root();
        let stated = Header { anchor: anchor(), epoch: 7, leaves: count.into(), total: leaves.total(), root };
        assert_eq!(header, stated);
        assert_eq!(check(&file[..]).unwrap(), stated);
    }
}

#[test]
fn a_proof_comes_out_of_the_file() {
    let file = file(many(5000));
    for wanted in [leaf(0, 0, 1), leaf(4095, 0, 4096), leaf(4096, 1, 4097), leaf(4999, 4, 5000)] {
        let (header, entry) = prove(&file[..], wanted.worker, wanted.wallet).unwrap();
        let entry = entry.unwrap();
        assert_eq!(entry.leaf, wanted);
        assert!(entry.proof.holds(&anchor(), &wanted, &header.root));
    }
    assert_eq!(prove(&file[..], leaf(0, 0, 1).worker, wallet(9)).unwrap().1, None);
}

#[test]
fn lies_have_names() {
    let good = file(many(3));
    let leaf_at = |n: usize| HEADER_BYTES + n * LEAF_BYTES;
    let with = |at: usize, bytes: &[u8]| {
        let mut file = good.clone();
        file[at..at + bytes.len()].copy_from_slice(bytes);
        resealed(file)
    };
    assert_eq!(code(&good), "sound");
    assert_eq!(code(b"GIF89a"), "publication_truncated");
    assert_eq!(code(&with(7, &[2])), "publication_wrong_format");
    assert_eq!(code(&with(8, &[1])), "publication_wrong_root", "leaves are bound to their network");
    assert_eq!(code(&with(80, &(1u64 << 40).to_be_bytes())), "publication_too_many_leaves");
    assert_eq!(code(&with(80, &4u64.to_be_bytes())), "publication_truncated");
    assert_eq!(code(&with(88, &7u64.to_be_bytes())), "publication_wrong_total");
    assert_eq!(code(&with(96, &[0; 32])), "publication_wrong_root");
    assert_eq!(code(&with(leaf_at(2), &[0; 32])), "publication_unsorted");
    assert_eq!(code(&with(leaf_at(1) + 64, &[0; 8])), "publication_empty_leaf");
    assert_eq!(code(&with(leaf_at(1) + 64, &[255; 8])), "publication_wrong_total");
    assert_eq!(code(&with(leaf_at(2) + 64, &2u64.to_be_bytes())), "publication_wrong_total");
    let off_curve = (0u8..=255).find(|n| lull_types::WalletAddress::from_bytes([*n; 32]).is_err()).unwrap();
    assert_eq!(code(&with(leaf_at(1) + 32, &[off_curve; 32])), "publication_not_a_wallet");
    assert_eq!(code(&[&good[..], &[0]].concat()), "publication_too_long");

    let mut repeated = good[..leaf_at(1)].to_vec();
    repeated.extend_from_slice(&good[HEADER_BYTES..leaf_at(1)]);
    repeated.extend_from_slice(&good[leaf_at(2)..]);
    assert_eq!(code(&resealed(repeated)), "publication_unsorted");

    // The total agrees; who gets it does not.
    let mut moved = good.clone();
    moved[leaf_at(0) + 71] += 1;
    moved[leaf_at(1) + 71] -= 1;
    assert_eq!(code(&resealed(moved)), "publication_wrong_root");
    assert_eq!(read(&good[..]).unwrap().1.total(), BaseUnits(6));
}

#[test]
fn a_file_that_stops_anywhere_is_truncated() {
    let good = file(many(2));
    for end in 0..good.len() {
        assert_eq!(code(&good[..end]), "publication_truncated", "after {end} bytes");
    }
}

proptest! {
    #[test]
    fn no_flipped_bit_goes_unseen(at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut file = file(many(20));
        let at = at.index(file.len());
        file[at] ^= 1u8 << bit;
        prop_assert!(check(&file[..]).is_err());
    }

    #[test]
    fn noise_is_no_epoch(noise in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(check(&noise[..]).is_err());
        let headed = [&MAGIC[..], &noise].concat();
        prop_assert!(check(&headed[..]).is_err());
    }
}
