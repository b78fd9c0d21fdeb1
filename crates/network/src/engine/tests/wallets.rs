use lull_checks::wallet;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{
    NextWallet, Signature, TransactionSignature, WalletAddress, WalletStanding, WalletStatement, WorkerId,
};

use super::payouts::paying;
use super::rig::{Rig, key, refused, strict};
use crate::engine::{Answer, Input};
use crate::store;

const DOMAIN: &str = "127.0.0.1:41234";
const HOUR_MS: u64 = 3_600_000;

/// A wallet and its holder's key: wallets sign without Lull's domains, so the key is of their own sort.
fn wallet(n: u8) -> (WalletAddress, ed25519_dalek::SigningKey) {
    let holder = ed25519_dalek::SigningKey::from_bytes(&[n; 32]);
    let address = bs58::encode(holder.verifying_key().as_bytes()).into_string();
    (address.parse().unwrap(), holder)
}

fn told_standing(told: &[NetworkMessage]) -> Option<WalletStanding> {
    told.iter().find_map(|message| match message {
        NetworkMessage::WalletSet(standing) => Some(standing.clone()),
        _ => None,
    })
}

fn standing(told: &[NetworkMessage]) -> WalletStanding {
    told_standing(told).unwrap_or_else(|| panic!("told {told:?}"))
}

fn set(rig: &mut Rig, worker: WorkerId, wallet: Option<WalletAddress>) -> WalletStanding {
    standing(&rig.say(worker, WorkerMessage::SetWallet(wallet)))
}

fn statement(rig: &mut Rig, worker: WorkerId, wallet: WalletAddress) -> WalletStatement {
    let ask = WorkerMessage::StateWallet { wallet, domain: DOMAIN.to_owned() };
    match rig.say(worker, ask).pop() {
        Some(NetworkMessage::WalletStatement(statement)) => *statement,
        other => panic!("told {other:?}"),
    }
}

fn signed(statement: &WalletStatement, holder: &ed25519_dalek::SigningKey) -> WorkerMessage {
    let text = wallet::text(statement).unwrap();
    let signature = ed25519_dalek::Signer::sign(holder, text.as_bytes());
    WorkerMessage::ProveWallet { nonce: statement.nonce.clone(), signature: Signature(signature.to_bytes()) }
}

fn prove(rig: &mut Rig, worker: WorkerId, n: u8) -> WalletStanding {
    let (address, holder) = wallet(n);
    let statement = statement(rig, worker, address);
    standing(&rig.say(worker, signed(&statement, &holder)))
}

#[test]
fn only_who_is_enrolled_has_a_wallet() {
    let mut rig = Rig::new(strict());
    let stranger = key(2).worker_id();
    rig.connect(stranger);
    let (address, _) = wallet(1);
    let ask = WorkerMessage::StateWallet { wallet: address, domain: DOMAIN.to_owned() };
    for message in [WorkerMessage::SetWallet(Some(address)), ask] {
        assert_eq!(refused(&rig.say(stranger, message)), "not_enrolled");
    }
}

#[test]
fn the_first_wallet_counts_at_once_and_may_be_put_right() {
    let mut rig = Rig::new(strict());
    let worker = rig.worker(1);
    let (typed, meant) = (wallet(1).0, wallet(2).0);
    for wallet in [typed, typed, meant] {
        let expected = WalletStanding { wallet: Some(wallet), proven: false, next: None };
        assert_eq!(set(&mut rig, worker, Some(wallet)), expected);
    }
    rig.pass(HOUR_MS);
    let changed = set(&mut rig, worker, Some(typed));
    assert_eq!((changed.wallet, changed.next.map(|next| next.wallet)), (Some(meant), Some(Some(typed))));
}

#[test]
fn a_change_waits_and_can_be_taken_back() {
    let mut rig = Rig::new(strict());
    let wait = strict().wallet_change_ms;
    let worker = rig.worker(1);
    assert_eq!(
        prove(&mut rig, worker, 1),
        WalletStanding { wallet: Some(wallet(1).0), proven: true, next: None }
    );
    // A thief with the device key, who holds a wallet of their own.
    let stolen = prove(&mut rig, worker, 2);
    let next = stolen.next.clone().unwrap();
    assert_eq!((stolen.wallet, stolen.proven), (Some(wallet(1).0), true));
    assert_eq!((next.wallet, next.proven), (Some(wallet(2).0), true));
    // To be paid nowhere first is no way around it.
    rig.pass(1_000);
    let cleared = set(&mut rig, worker, None).next.unwrap();
    assert!(cleared.wallet.is_none() && cleared.from > next.from);
    // Asking again does not make it shorter, nor longer.
    assert_eq!(set(&mut rig, worker, None).next, Some(cleared));
    let kept = set(&mut rig, worker, Some(wallet(1).0));
    assert_eq!(kept, WalletStanding { wallet: Some(wallet(1).0), proven: true, next: None });
    rig.pass(2 * wait);
    assert_eq!(set(&mut rig, worker, Some(wallet(1).0)), kept);
}

#[test]
fn after_the_wait_the_worker_is_told() {
    let mut rig = Rig::new(strict());
    let wait = strict().wallet_change_ms;
    let worker = rig.worker(1);
    prove(&mut rig, worker, 1);
    let NextWallet { from, .. } = set(&mut rig, worker, Some(wallet(2).0)).next.unwrap();
    rig.told(worker);
    rig.pass(wait - 1_000);
    assert_eq!(told_standing(&rig.told(worker)), None);
    rig.pass(2_000);
    assert!(rig.now >= from);
    assert_eq!(
        told_standing(&rig.told(worker)),
        Some(WalletStanding { wallet: Some(wallet(2).0), proven: false, next: None })
    );
}

#[test]
fn a_proof_holds_for_what_was_drawn_alone() {
    let mut rig = Rig::new(strict());
    let (worker, other) = (rig.worker(1), rig.worker(2));
    let ((address, holder), (_, stranger)) = (wallet(1), wallet(2));
    let drawn = statement(&mut rig, worker, address);
    assert_eq!(refused(&rig.say(other, signed(&drawn, &holder))), "wallet_statement_unknown");
    assert_eq!(refused(&rig.say(worker, signed(&drawn, &stranger))), "wallet_signature_wrong");
    let elsewhere = WalletStatement { domain: "127.0.0.1:1".to_owned(), ..drawn.clone() };
    assert_eq!(refused(&rig.say(worker, signed(&elsewhere, &holder))), "wallet_signature_wrong");
    assert!(standing(&rig.say(worker, signed(&drawn, &holder))).proven);
    assert_eq!(refused(&rig.say(worker, signed(&drawn, &holder))), "wallet_statement_unknown", "shown twice");

    let late = statement(&mut rig, worker, address);
    rig.pass(6 * 60_000);
    assert_eq!(refused(&rig.say(worker, signed(&late, &holder))), "wallet_proof_expired");
    let ask = WorkerMessage::StateWallet { wallet: address, domain: "lull.example".to_owned() };
    assert_eq!(refused(&rig.say(worker, ask)), "wallet_page_elsewhere");
}

fn requested(rig: &mut Rig, worker: WorkerId, wallet: WalletAddress) -> WalletStatement {
    let ask = WorkerMessage::StateWallet { wallet, domain: wallet::ON_CHAIN.to_owned() };
    match rig.say(worker, ask).pop() {
        Some(NetworkMessage::WalletStatement(statement)) => *statement,
        other => panic!("told {other:?}"),
    }
}

/// What is awaited on the chain.
fn awaited(rig: &Rig) -> Vec<WalletStatement> {
    store::wallets::requests(&rig.connection, rig.now).unwrap()
}

fn confirm(rig: &mut Rig, statement: &WalletStatement) -> Option<WalletStanding> {
    let WalletStatement { worker, nonce, .. } = statement.clone();
    rig.told(worker);
    let signature = TransactionSignature([5; 64]);
    assert_eq!(rig.tell(Input::WalletConfirmed { worker, nonce, signature }), Ok(Answer::Done));
    told_standing(&rig.told(worker))
}

#[test]
fn a_transaction_proves_the_wallet_that_is_set() {
    let mut rig = paying(false);
    let (worker, other) = (rig.worker(1), rig.worker(2));
    let (one, two) = (wallet(1), wallet(2));
    set(&mut rig, worker, Some(one.0));
    let first = requested(&mut rig, worker, one.0);
    let drawn = requested(&mut rig, worker, one.0);
    assert_eq!(awaited(&rig), std::slice::from_ref(&drawn), "the last one alone");
    // The signature of its text is not what was asked for.
    assert_eq!(refused(&rig.say(worker, signed(&drawn, &one.1))), "wallet_statement_unknown");
    assert_eq!(confirm(&mut rig, &first), None, "another was drawn since");
    assert_eq!(confirm(&mut rig, &WalletStatement { worker: other, ..drawn.clone() }), None);
    let proven = confirm(&mut rig, &drawn).unwrap();
    assert_eq!(proven, WalletStanding { wallet: Some(one.0), proven: true, next: None });
    assert_eq!((awaited(&rig), confirm(&mut rig, &drawn)), (vec![], None), "told twice");

    // Who changed their mind while it was under way is paid where they said last.
    let late = requested(&mut rig, worker, one.0);
    set(&mut rig, worker, Some(two.0));
    let kept = confirm(&mut rig, &late).unwrap();
    assert_eq!(kept.next.map(|next| (next.wallet, next.proven)), Some((Some(two.0), false)));
    // A change waits, proven or not.
    let change = requested(&mut rig, worker, two.0);
    let waits = confirm(&mut rig, &change).unwrap();
    assert_eq!(waits.wallet, Some(one.0));
    assert_eq!(waits.next.map(|next| (next.wallet, next.proven)), Some((Some(two.0), true)));
}

#[test]
fn a_transaction_is_awaited_over_disconnection_and_no_longer_than_it_counts() {
    let mut rig = paying(false);
    let worker = rig.worker(1);
    let (address, _) = wallet(1);
    set(&mut rig, worker, Some(address));
    let drawn = requested(&mut rig, worker, address);
    rig.disconnect(worker);
    assert_eq!(confirm(&mut rig, &drawn), None, "nobody is there to be told");
    rig.connect(worker);
    assert!(set(&mut rig, worker, Some(address)).proven);

    requested(&mut rig, worker, address);
    rig.pass(29 * 60_000);
    assert_eq!(awaited(&rig).len(), 1);
    rig.pass(2 * 60_000);
    let rows: u32 =
        rig.connection.query_row("SELECT count(*) FROM wallet_requests", [], |row| row.get(0)).unwrap();
    assert_eq!((awaited(&rig), rows), (vec![], 0));
}

#[test]
fn without_a_chain_no_transaction_is_asked_for() {
    let mut rig = Rig::new(strict());
    let worker = rig.worker(1);
    let ask = WorkerMessage::StateWallet { wallet: wallet(1).0, domain: wallet::ON_CHAIN.to_owned() };
    assert_eq!(refused(&rig.say(worker, ask)), "wallet_no_chain");
}
