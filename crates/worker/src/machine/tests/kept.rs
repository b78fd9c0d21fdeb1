//! The wallet whose key is kept here: when it is used, and how it proves itself.

use lull_checks::wallet::{KEPT_BY_WORKER, ON_CHAIN, reference, text, verify};
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{Signature, UnixMillis, WalletAddress, WalletStanding, WalletStatement};
use lull_worker_api::KeptWallet;

use super::bench::{Bench, T0};
use super::fixture::{fault, identity, network_key, wallet};
use crate::machine::{Effect, Input, OWN_PROOF_RETRY, OWN_PROOF_TIMEOUT, Order, Record};

const NONCE: &str = "00112233445566778899aabbccddeeff";

fn in_use(wallet: WalletAddress) -> Order {
    Order::UseKeptWallet { wallet, in_file: false }
}

fn standing(wallet: WalletAddress, proven: bool) -> NetworkMessage {
    NetworkMessage::WalletSet(WalletStanding { wallet: Some(wallet), proven, next: None })
}

fn statement(wallet: WalletAddress, nonce: &str) -> WalletStatement {
    WalletStatement {
        network: network_key().network_id(),
        worker: identity(1).key.worker_id(),
        wallet,
        domain: KEPT_BY_WORKER.to_owned(),
        nonce: nonce.to_owned(),
        issued_at: UnixMillis(T0),
        expires_at: UnixMillis(T0 + 300_000),
    }
}

fn drawn(wallet: WalletAddress, nonce: &str) -> NetworkMessage {
    NetworkMessage::WalletStatement(Box::new(statement(wallet, nonce)))
}

fn asks(bench: &Bench) -> bool {
    bench.sends(|m| matches!(m, WorkerMessage::StateWallet { domain, .. } if domain == KEPT_BY_WORKER))
}

fn signs(bench: &Bench) -> Option<String> {
    bench.last.iter().find_map(|effect| match effect {
        Effect::SignAsWallet { text, .. } => Some(text.clone()),
        _ => None,
    })
}

#[test]
fn a_wallet_is_used_when_its_words_are_confirmed_and_not_before() {
    let (_, own) = wallet(1);
    let mut bench = Bench::up(1);
    bench.order(Order::KeepWallet(own));
    assert!(!bench.sends(|m| matches!(m, WorkerMessage::SetWallet(_))));
    let refused = |bench: &Bench, order| bench.machine.check(&order, UnixMillis(bench.now)).unwrap_err().code;
    // Nor by pasting its address.
    assert_eq!(refused(&bench, Order::SetWallet(Some(own))), "wallet_unconfirmed");
    let on_page = Order::StateWallet { wallet: own, domain: "127.0.0.1:1".to_owned() };
    assert_eq!(refused(&bench, on_page), "wallet_unconfirmed");

    bench.order(in_use(own));
    let kept = Some(KeptWallet { address: own, confirmed: true });
    let together = vec![Record::KeptWallet(kept), Record::Wallet(Some(own))];
    assert_eq!(bench.last[0], Effect::Journal(together), "confirmed and set in one transaction");
    assert!(bench.sends(|m| *m == WorkerMessage::SetWallet(Some(own))));
    for order in [Order::KeepWallet(wallet(2).1), in_use(wallet(2).1)] {
        assert_eq!(refused(&bench, order), "wallet_kept_already");
    }
}

#[test]
fn it_proves_itself_and_does_so_once() {
    let (key, own) = wallet(1);
    let mut bench = Bench::up(1);
    bench.order(in_use(own));
    bench.said(standing(own, false));
    assert!(asks(&bench), "the network has no proof yet");
    bench.said(drawn(own, NONCE));
    let shown = signs(&bench).expect("its key is to sign");
    assert_eq!(shown, text(&statement(own, NONCE)).unwrap());
    let signature = Signature(key.sign(shown.as_bytes()).into());
    bench.give(Input::SignedAsWallet { nonce: NONCE.to_owned(), signed: Ok(signature) });
    assert!(bench.sends(|m| matches!(m, WorkerMessage::ProveWallet { nonce, signature }
        if nonce == NONCE && verify(&statement(own, NONCE), signature, UnixMillis(T0)).is_ok())));
    bench.said(standing(own, true));
    assert!(bench.machine.view(UnixMillis(T0), 0).wallet_proof.is_none());
    bench.after(3_600_000);
    assert!(!asks(&bench) && signs(&bench).is_none());
}

#[test]
fn a_proof_that_was_cut_off_is_begun_again_by_the_next_process() {
    let (_, own) = wallet(1);
    let mut restored = Bench::joined(1);
    restored.wallet = Some(own);
    restored.kept_wallet = Some(KeptWallet { address: own, confirmed: true });
    let mut bench = Bench::up_from(restored, 1);
    assert!(bench.sends(|m| *m == WorkerMessage::SetWallet(Some(own))));
    assert!(!asks(&bench), "the network says first what it knows");
    assert!(asks(bench.said(standing(own, false))));
}

#[test]
fn a_locked_keychain_is_told_and_asked_again_later() {
    let (_, own) = wallet(1);
    let mut bench = Bench::up(1);
    bench.order(in_use(own)).said(standing(own, false)).said(drawn(own, NONCE));
    let signed = Err(fault("wallet_key_unavailable"));
    bench.give(Input::SignedAsWallet { nonce: NONCE.to_owned(), signed });
    assert!(bench.has(|e| matches!(e, Effect::Notify(notice) if notice.code == "wallet_key_unavailable")));
    assert!(!asks(&bench));
    assert!(!asks(bench.after(OWN_PROOF_RETRY.as_millis() as u64 - 1)));
    assert!(asks(bench.after(1)));
    // Nobody answers: it is given up and tried again.
    bench.after(OWN_PROOF_TIMEOUT.as_millis() as u64);
    assert!(asks(bench.after(OWN_PROOF_RETRY.as_millis() as u64)));
}

#[test]
fn what_was_not_asked_for_is_not_signed() {
    let (_, own) = wallet(1);
    let others: [fn(&mut WalletStatement); 4] = [
        |s| s.wallet = wallet(2).1,
        |s| s.domain = "127.0.0.1:1".to_owned(),
        |s| s.worker = lull_types::WorkerId([7; 32]),
        |s| s.network = lull_types::NetworkId([7; 32]),
    ];
    for change in others {
        let mut bench = Bench::up(1);
        bench.order(in_use(own)).said(standing(own, false));
        let mut other = statement(own, NONCE);
        change(&mut other);
        bench.said(NetworkMessage::WalletStatement(Box::new(other)));
        assert!(signs(&bench).is_none());
    }
    // Nor without having asked at all, nor for a page.
    let mut bench = Bench::up(1);
    bench.said(drawn(own, NONCE));
    assert!(signs(&bench).is_none());
    bench.order(Order::StateWallet { wallet: own, domain: "127.0.0.1:1".to_owned() });
    let mut for_page = statement(own, NONCE);
    for_page.domain = "127.0.0.1:1".to_owned();
    bench.said(NetworkMessage::WalletStatement(Box::new(for_page)));
    assert!(signs(&bench).is_none());
}

#[test]
fn a_page_that_proves_another_wallet_is_not_disturbed() {
    let ((_, own), (_, other)) = (wallet(1), wallet(2));
    let mut bench = Bench::up(1);
    bench.order(in_use(own)).said(standing(own, false));
    bench.order(Order::StateWallet { wallet: other, domain: "127.0.0.1:1".to_owned() });
    // The answer to the first comes late and is for nobody; what the keychain signed is not sent.
    bench.said(drawn(own, NONCE));
    assert!(signs(&bench).is_none());
    bench.give(Input::SignedAsWallet { nonce: NONCE.to_owned(), signed: Ok(Signature([0; 64])) });
    assert!(!bench.sends(|m| matches!(m, WorkerMessage::ProveWallet { .. })));
    assert!(!asks(&bench));
    // It was left open and forgotten.
    assert!(asks(bench.after(OWN_PROOF_TIMEOUT.as_millis() as u64)));
}

#[test]
fn whoever_is_paid_elsewhere_meanwhile_stays_so() {
    let ((key, own), (_, other)) = (wallet(1), wallet(2));
    let mut bench = Bench::up(1);
    bench.order(in_use(own)).said(standing(own, false)).said(drawn(own, NONCE));
    let signature = Signature(key.sign(signs(&bench).unwrap().as_bytes()).into());
    bench.order(Order::SetWallet(Some(other)));
    bench.give(Input::SignedAsWallet { nonce: NONCE.to_owned(), signed: Ok(signature) });
    assert!(!bench.sends(|m| matches!(m, WorkerMessage::ProveWallet { .. })));
    bench.said(standing(own, true)).said(standing(other, false));
    let view = bench.machine.view(UnixMillis(T0), 0);
    assert_eq!((view.wallet, view.kept_wallet.unwrap().address), (Some(other), own));
}

#[test]
fn a_key_in_a_file_is_told() {
    let (_, own) = wallet(1);
    let mut bench = Bench::up(1);
    bench.order(Order::UseKeptWallet { wallet: own, in_file: true });
    assert!(bench.has(|e| matches!(e, Effect::Notify(notice) if notice.code == "wallet_key_in_file")));
}

#[test]
fn a_transaction_proves_what_is_set_and_sets_nothing() {
    let ((_, own), (_, other)) = (wallet(1), wallet(2));
    let mut bench = Bench::up(1);
    bench.order(Order::SetWallet(Some(own))).said(standing(own, false));
    bench.order(Order::StateWallet { wallet: own, domain: ON_CHAIN.to_owned() });
    let asked = WalletStatement { domain: ON_CHAIN.to_owned(), ..statement(own, NONCE) };
    bench.said(NetworkMessage::WalletStatement(Box::new(asked.clone())));
    let proof = bench.machine.view(UnixMillis(T0), 0).wallet_proof.unwrap();
    assert_eq!((proof.reference, proof.expires_at), (reference(&asked).ok(), Some(asked.expires_at)));
    // Another wallet was chosen while it was under way.
    bench.order(Order::SetWallet(Some(other))).said(standing(own, true));
    let view = bench.machine.view(UnixMillis(T0), 0);
    assert_eq!((view.wallet, view.wallet_proof), (Some(other), None));
}
