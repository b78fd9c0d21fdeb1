use lull_types::{BaseUnits, SecretKey, WalletAddress, WorkerId};
use solana_transaction::versioned::VersionedTransaction;

use super::*;
use crate::epoch::{Anchor, Leaf, Proof};

const NO_RENT: RentedAccount = RentedAccount { missing: false, lamports: 0 };

fn place() -> Place {
    let network = SecretKey::from_bytes(&[1; 32]).network_id();
    Place::new(Anchor::new(network, [9; 32]).unwrap(), Address::new_from_array([8; 32])).unwrap()
}

fn leaf(n: u8) -> Leaf {
    let wallet = WalletAddress::from_bytes(Key::from_bytes(&[n; 32]).address().to_bytes()).unwrap();
    Leaf { worker: WorkerId([n; 32]), wallet, lifetime: BaseUnits(1) }
}

#[test]
fn what_is_signed_is_a_transaction_of_its_payer() {
    let (payer, network) = (Key::from_bytes(&[5; 32]), Key::from_bytes(&[1; 32]));
    let budget = Budget { price: 7, lamports_max: 1_000_000 };
    let made = initialize(&place(), payer.address(), payer.address(), 604_800, budget, 100_000).unwrap();
    let signed = sign(&made, Blockhash::default(), &payer, &[&network]).unwrap();
    let read: VersionedTransaction = bincode::deserialize(&signed.bytes).unwrap();
    assert_eq!(read.signatures[0], signed.signature);
    assert_eq!(read.message.static_account_keys()[0], payer.address());
    assert!(read.verify_with_results().into_iter().all(|holds| holds));
    let missing = sign(&made, Blockhash::default(), &payer, &[]);
    assert_eq!(missing, Err(ComposeError::NoKey(network.address())));
}

#[test]
fn a_claim_in_the_largest_tree_fits_with_an_account_to_be_opened() {
    let payer = Key::from_bytes(&[5; 32]);
    let missing = RentedAccount { missing: true, lamports: 1_000 };
    let proof = |nodes| Proof(vec![[3; 32]; nodes]);
    let budget = Budget { price: 1, lamports_max: 100_000 };
    let bytes = |nodes| {
        let made = claims(&place(), payer.address(), &[(leaf(1), proof(nodes), [missing; 2])], budget);
        sign(&made.unwrap(), Blockhash::default(), &payer, &[]).map(|signed| signed.bytes.len())
    };
    assert_eq!(bytes(20), Ok(1209), "as the documentation says");
    assert_eq!(bytes(21), Err(ComposeError::TooLong(1241)));
}

#[test]
fn the_price_is_lowered_to_what_may_be_spent_and_fees_are_never_exceeded() {
    let payer = Key::from_bytes(&[5; 32]).address();
    let price = |price, lamports_max| {
        let made = claims(
            &place(),
            payer,
            &[(leaf(1), Proof::default(), [NO_RENT; 2])],
            Budget { price, lamports_max },
        )?;
        let units = u32::from_le_bytes(made[0].data[1..].try_into().unwrap());
        let price = u64::from_le_bytes(made[1].data[1..].try_into().unwrap());
        assert!(5_000 + price * u64::from(units) / 1_000_000 <= lamports_max);
        Ok::<_, ComposeError>(price)
    };
    assert_eq!(price(1_000, 10_000), Ok(1_000));
    assert_eq!(price(u64::MAX, 10_000), Ok(5_000 * 1_000_000 / 30_300));
    assert_eq!(price(1, 4_999), Err(ComposeError::TooDear { cost: 5_000, limit: 4_999 }));
}

#[test]
fn key_files_are_those_of_solana_keygen() {
    let key = Key::from_bytes(&[7; 32]);
    let text = key.to_json();
    assert_eq!(Key::from_json(&text).unwrap().address(), key.address());
    let wrong_half = text.replacen("[7,", "[8,", 1);
    assert_eq!(Key::from_json(&wrong_half).unwrap_err(), KeyFileError::Contradiction);
    for malformed in ["", "[]", "[1,2]", "7", "[256]", &text[..text.len() - 1]] {
        assert_eq!(Key::from_json(malformed).unwrap_err(), KeyFileError::Malformed, "{malformed}");
    }
    assert!(!format!("{key:?}").contains("7,7"));
}

#[test]
fn the_payer_of_what_was_signed_is_known_and_of_nothing_else() {
    let payer = Key::from_bytes(&[5; 32]);
    let budget = Budget { price: 0, lamports_max: 100_000 };
    let made = claims(&place(), payer.address(), &[(leaf(1), Proof(vec![[3; 32]]), [NO_RENT; 2])], budget);
    let signed = sign(&made.unwrap(), Blockhash::default(), &payer, &[]).unwrap();
    let (found, signature) = payer_of(&signed.bytes).unwrap();
    assert_eq!((found.as_bytes(), signature), (payer.address().as_array(), signed.signature));
    for at in 0..signed.bytes.len() {
        let mut changed = signed.bytes.clone();
        changed[at] ^= 1;
        assert_eq!(payer_of(&changed), None, "byte {at}");
        assert_eq!(payer_of(&signed.bytes[..at]), None, "only {at} bytes");
    }
    let unsigned = sign_with(&[], Blockhash::default(), payer.address(), |_, _| Some(Signature::default()));
    assert_eq!(payer_of(&unsigned.unwrap().bytes), None);
}
