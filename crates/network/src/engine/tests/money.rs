use lull_checks::receipts::{self, Lane};
use lull_network_api::{Balance, NetworkMessage, WorkerMessage};
use lull_types::{BaseUnits, SignedReceipt, WorkerId};

use super::rig::*;
use crate::engine::*;
use crate::store::queries;

const DAY_MS: u64 = 24 * 3_600_000;

fn earn(rig: &mut Rig, worker: WorkerId, bytes: &[u8]) -> Vec<NetworkMessage> {
    let assignment = rig.take(worker);
    rig.report(worker, &assignment, bytes);
    rig.conclude(CheckOutcome::Match);
    rig.told(worker)
}

fn receipts_in(messages: &[NetworkMessage]) -> Vec<SignedReceipt> {
    let receipt = |message: &NetworkMessage| match message {
        NetworkMessage::Receipt(signed) => Some(SignedReceipt::clone(signed)),
        _ => None,
    };
    messages.iter().filter_map(receipt).collect()
}

fn hello(rig: &mut Rig, worker: WorkerId, nonce_held: u64) -> Vec<NetworkMessage> {
    rig.connect(worker);
    rig.say(worker, WorkerMessage::Hello { worker_version: "1".to_owned(), nonce_held })
}

#[test]
fn earnings_are_held_then_payable() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 2);
    let worker = rig.worker(1);
    earn(&mut rig, worker, b"1");
    rig.pass(DAY_MS / 2);
    earn(&mut rig, worker, b"2");
    assert_eq!(rig.earned(worker), [200, 0, 0]);
    // A millisecond each went by with the two reports.
    rig.pass(DAY_MS / 2 - 2);
    assert_eq!(rig.earned(worker), [200, 0, 0]);
    rig.told(worker);
    rig.pass(1);
    assert_eq!(rig.earned(worker), [100, 100, 0]);
    let balance = Balance { held: BaseUnits(100), payable: BaseUnits(100), paid: BaseUnits(0) };
    assert_eq!(rig.told(worker), [NetworkMessage::Balance(balance)]);

    rig.pass(DAY_MS);
    assert_eq!(rig.earned(worker), [0, 200, 0]);
}

#[test]
fn every_acceptance_has_a_receipt_that_holds() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 4);
    let worker = rig.worker(1);
    let mut lane = Lane::new(network_key().network_id(), worker, 0);
    for n in 0..4u8 {
        // The third lies in another epoch.
        rig.pass(if n == 2 { 8 * DAY_MS } else { 1 });
        let told = earn(&mut rig, worker, &[n]);
        let [signed] = &receipts_in(&told)[..] else { panic!("{told:?}") };
        lane.accept(signed).unwrap();
        let countersigned = receipts::countersign(&key(1), signed);
        let message = WorkerMessage::Countersign {
            lane: 0,
            nonce: lane.nonce(),
            signature: countersigned.worker_signature,
        };
        for _ in 0..2 {
            assert_eq!(rig.say(worker, message.clone()), []);
        }
    }
    assert_eq!(lane.cumulative(), BaseUnits(400));

    let network = network_key().network_id();
    let proof = queries::proof(&rig.connection, network, customer, job).unwrap().unwrap();
    assert_eq!((proof.results.len(), proof.receipts.len()), (4, 4));
    let checked = receipts::verify_all(network, worker, proof.receipts);
    assert_eq!((checked.fault, checked.receipts, checked.total), (None, 4, BaseUnits(400)));
    let stranger = rig.customer(2);
    assert_eq!(queries::proof(&rig.connection, network, stranger, job).unwrap(), None);
}

#[test]
fn receipts_are_sent_again_from_the_one_held() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 3);
    let worker = rig.worker(1);
    for n in 0..3u8 {
        earn(&mut rig, worker, &[n]);
    }
    for held in 0..=4 {
        let told = hello(&mut rig, worker, held);
        assert!(matches!(told[0], NetworkMessage::Welcome { enrolled: true, .. }));
        assert!(matches!(told.last(), Some(NetworkMessage::Balance(Balance { held: BaseUnits(300), .. }))));
        let nonces: Vec<u64> = receipts_in(&told).iter().map(|signed| signed.receipt.nonce).collect();
        assert_eq!(nonces, (held + 1..=3).collect::<Vec<_>>());
        assert_eq!(verdicts(&told).len(), nonces.len(), "with the verdict, should that have been lost");
    }
}

#[test]
fn a_long_history_is_sent_in_pages() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 300);
    let worker = rig.worker(1);
    for n in 0..298u32 {
        earn(&mut rig, worker, &n.to_le_bytes());
    }
    let mut lane = Lane::new(network_key().network_id(), worker, 0);
    let mut told = hello(&mut rig, worker, 0);
    // Accepted while the history is still on its way: it must come in its turn.
    told.extend(earn(&mut rig, worker, b"meanwhile"));
    let mut waiting = std::collections::VecDeque::from(receipts_in(&told));
    assert_eq!(waiting.len(), 256);
    while let Some(signed) = waiting.pop_front() {
        lane.accept(&signed).unwrap();
        let signature = receipts::countersign(&key(1), &signed).worker_signature;
        let told = rig.say(worker, WorkerMessage::Countersign { lane: 0, nonce: lane.nonce(), signature });
        waiting.extend(receipts_in(&told));
    }
    assert_eq!(lane.nonce(), 299);
    assert_eq!(receipts_in(&earn(&mut rig, worker, b"after"))[0].receipt.nonce, 300);
}

#[test]
fn bad_news_is_told_again() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    let assignment = rig.take(worker);
    rig.report(worker, &assignment, b"wrong");
    rig.conclude(mismatch());
    assert_eq!(verdicts(&hello(&mut rig, worker, 0)).len(), 1);
    rig.pass(DAY_MS + 1);
    assert_eq!(verdicts(&hello(&mut rig, worker, 0)).len(), 0, "for a day");
}
