use lull_types::{BaseUnits, NetworkId, SecretKey, WalletAddress, WorkerId};
use proptest::prelude::*;

use super::*;
use lull_distributor::hash::pair;

pub(crate) fn anchor() -> Anchor {
    Anchor::new(NetworkId([9; 32]), [8; 32]).unwrap()
}

/// One of few wallets, so that workers share some.
pub(crate) fn wallet(n: u8) -> WalletAddress {
    WalletAddress::from_bytes(SecretKey::from_bytes(&[n; 32]).public()).unwrap()
}

pub(crate) fn leaf(worker: u16, of_wallet: u8, lifetime: u64) -> Leaf {
    let mut id = [0; 32];
    id[..2].copy_from_slice(&worker.to_be_bytes());
    Leaf { worker: WorkerId(id), wallet: wallet(of_wallet), lifetime: BaseUnits(lifetime) }
}

/// `count` leaves of as many workers.
pub(crate) fn many(count: u16) -> Vec<Leaf> {
    (0..count).map(|n| leaf(n, (n % 5) as u8, u64::from(n) + 1)).collect()
}

fn root(leaves: Vec<Leaf>) -> Hash {
    Tree::build(&anchor(), &Leaves::new(leaves).unwrap()).root()
}

#[test]
fn small_trees_are_as_defined() {
    let hash = |leaf: &Leaf| hash_leaf(&anchor(), leaf);
    assert_eq!(root(vec![]), EMPTY_ROOT);
    let l = many(5);
    let h: Vec<Hash> = l.iter().map(hash).collect();
    assert_eq!(root(l[..1].to_vec()), h[0]);
    assert_eq!(root(l[..2].to_vec()), pair(&h[0], &h[1]));
    let four = pair(&pair(&h[0], &h[1]), &pair(&h[2], &h[3]));
    assert_eq!(root(l[..3].to_vec()), pair(&pair(&h[0], &h[1]), &h[2]));
    assert_eq!(root(l[..4].to_vec()), four);
    assert_eq!(root(l.clone()), pair(&four, &h[4]));
    let tree = Tree::build(&anchor(), &Leaves::new(l).unwrap());
    assert_eq!(tree.proof(4), Some(Proof(vec![four])), "the one that is left over has one sibling");
    assert_eq!(tree.proof(5), None);
    assert_eq!(Tree::build(&anchor(), &Leaves::default()).proof(0), None);
}

#[test]
fn wrong_leaves_are_refused() {
    let refused = |leaves: Vec<Leaf>| Leaves::new(leaves).map(|_| ()).unwrap_err();
    let worker = leaf(1, 1, 1).worker;
    assert_eq!(refused(vec![leaf(1, 1, 5), leaf(2, 1, 5), leaf(1, 1, 6)]), EpochError::Duplicate(worker));
    assert_eq!(refused(vec![leaf(1, 1, 0)]), EpochError::Nothing(worker));
    assert_eq!(refused(vec![leaf(1, 1, u64::MAX), leaf(2, 1, 1)]), EpochError::TotalOverflow);
    let two_wallets = Leaves::new(vec![leaf(1, 2, 5), leaf(1, 1, 6)]).unwrap();
    assert_eq!(two_wallets.total(), BaseUnits(11), "one worker may have earned for two wallets");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_proof_holds_for_its_leaf_alone(count in 1u16..300, at in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let leaves = Leaves::new(many(count)).unwrap();
        let tree = Tree::build(&anchor(), &leaves);
        let at = at.index(count.into());
        let leaf = leaves.as_slice()[at];
        let proof = tree.proof(at).unwrap();
        let holds = |leaf: &Leaf| proof.holds(&anchor(), leaf, &tree.root());
        prop_assert!(holds(&leaf));
        prop_assert_eq!(leaves.position(leaf.worker, leaf.wallet), Some(at));
        let other = leaves.as_slice()[other.index(count.into())];
        prop_assert_eq!(holds(&other), other == leaf);
        let changed = [
            Leaf { lifetime: BaseUnits(leaf.lifetime.0 + 1), ..leaf },
            Leaf { lifetime: BaseUnits(leaf.lifetime.0 - 1), ..leaf },
            Leaf { wallet: wallet(77), ..leaf },
            Leaf { worker: WorkerId([7; 32]), ..leaf },
        ];
        prop_assert!(!changed.iter().any(holds));
        let elsewhere = Anchor::new(NetworkId([8; 32]), [8; 32]).unwrap();
        prop_assert!(!proof.holds(&elsewhere, &leaf, &tree.root()));
        prop_assert!(!proof.holds(&anchor(), &leaf, &EMPTY_ROOT));
    }

    #[test]
    fn a_changed_proof_holds_no_more(count in 2u16..300, at in any::<prop::sample::Index>(), level in any::<prop::sample::Index>(), bit in 0usize..256) {
        let leaves = Leaves::new(many(count)).unwrap();
        let tree = Tree::build(&anchor(), &leaves);
        let at = at.index(count.into());
        let leaf = leaves.as_slice()[at];
        let good = tree.proof(at).unwrap();
        let level = level.index(good.0.len());
        let mut flipped = good.clone();
        flipped.0[level][bit / 8] ^= 1 << (bit % 8);
        let mut shorter = good.clone();
        shorter.0.remove(level);
        let mut longer = good;
        longer.0.insert(level, [0; 32]);
        for bad in [flipped, shorter, longer] {
            prop_assert!(!bad.holds(&anchor(), &leaf, &tree.root()));
        }
    }

    #[test]
    fn order_does_not_matter(leaves in Just(many(100)).prop_shuffle()) {
        prop_assert_eq!(root(leaves), root(many(100)));
    }

    #[test]
    fn what_passes_by_folds_into_the_same_root_and_proof(count in 0u16..300, at in any::<prop::sample::Index>()) {
        let leaves = Leaves::new(many(count)).unwrap();
        let tree = Tree::build(&anchor(), &leaves);
        let watched = at.index(usize::from(count).max(1));
        let mut fold = Fold::default();
        for (n, leaf) in leaves.as_slice().iter().enumerate() {
            let hash = hash_leaf(&anchor(), leaf);
            if n == watched { fold.push_watched(hash) } else { fold.push(hash) }
        }
        prop_assert_eq!(fold.finish(), (tree.root(), tree.proof(watched)));
    }
}
