use lull_checks::wallet;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{NextWallet, Signature, WalletAddress, WalletStanding, WalletStatement, WorkerId};

use super::rig::{Rig, key, refused, strict};

const DOMAIN: &str = "127.0.0.1:41234";
const HOUR_MS: u64 = 3_600_000;

/// A wallet and its holder's key: wallets sign without Lull's domains, so the key is of their own sort.
fn wallet(n: u8) -> (WalletAddress, ed25519_dalek::SigningKey) {
    let holder = ed25519_dalek::SigningKey::from_bytes(&[n; 32]);
    let address = bs58::encode(holder.verifying_key().as_bytes()).into_string();
    (address.parse().unwrap(), holder)
}

fn standing(told: &[NetworkMessage]) -> WalletStanding {
    match told {
        [NetworkMessage::WalletSet(standing)] => standing.clone(),
        other => panic!("told {other:?}"),
    }
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
    assert!(!rig.told(worker).iter().any(|message| matches!(message, NetworkMessage::WalletSet(_))));
    rig.pass(2_000);
    let told = rig.told(worker).into_iter().find_map(|message| match message {
        NetworkMessage::WalletSet(standing) => Some(standing),
        _ => None,
    });
    assert!(rig.now >= from);
    assert_eq!(told, Some(WalletStanding { wallet: Some(wallet(2).0), proven: false, next: None }));
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
