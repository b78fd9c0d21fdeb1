//! One rule at a time.

use lull_types::{BaseUnits, Coded};

use super::super::*;
use super::payee;
use crate::chain::{Outcome, Signature, Status};

const ROOT: OnChainRoot = OnChainRoot { epoch: 1, root: [1; 32] };

fn epoch(number: u64, total: u64) -> Epoch {
    Epoch { number, root: [number as u8; 32], total: BaseUnits(total), anchored: false }
}

fn attempt(id: u8) -> Attempt {
    Attempt { signature: Signature::from([id; 64]), bytes: vec![id], last_valid_height: 100 }
}

/// A sender whose first epoch is anchored, with one payout of 10 that waits.
fn anchored(policy: Policy) -> Sender {
    let mut sender = Sender::restore(policy, []);
    let payouts = vec![(payee(1), BaseUnits(10), BaseUnits(1))];
    sender.handle(Input::Epoch { epoch: epoch(1, 10), payouts }).unwrap();
    sender.handle(Input::Read { purpose: Purpose::Plan, found: Found::Root(Some(ROOT)) }).unwrap();
    sender
}

fn paid(amount: u64) -> Found {
    Found::Paid(vec![(payee(1), BaseUnits(amount))])
}

fn plan(sender: &mut Sender) -> Vec<Effect> {
    sender.handle(Input::Read { purpose: Purpose::Plan, found: paid(0) }).unwrap()
}

fn end(sender: &mut Sender, batch: u64, ending: Ending, found: Found) -> Vec<Effect> {
    let purpose = Purpose::Close { batch: BatchId(batch), ending };
    sender.handle(Input::Read { purpose, found }).unwrap()
}

fn state(sender: &Sender) -> PayoutState {
    sender.payout(&payee(1)).unwrap().state
}

#[test]
fn stored_bytes_are_sent_again_until_the_end_is_known() {
    let mut sender = anchored(Policy::default());
    plan(&mut sender);
    let first = sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(1) }).unwrap();
    let send = Effect::Send { batch: BatchId(1), bytes: vec![1] };
    assert!(
        matches!(&first[..], [Effect::Persist(_), sent] if *sent == send),
        "stored, then sent: {first:?}"
    );
    let second = sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(2) }).unwrap();
    assert_eq!(second, [], "a second signature is thrown away");
    for _ in 0..2 {
        let again = sender.handle(Input::Tick).unwrap();
        assert_eq!(again, [send.clone(), Effect::AskStatuses(vec![(BatchId(1), attempt(1).signature)])]);
    }
}

#[test]
fn only_facts_end_a_batch() {
    let mut sender = anchored(Policy::default());
    plan(&mut sender);
    sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(1) }).unwrap();
    let told =
        |sender: &mut Sender, status| sender.handle(Input::Statuses(vec![(BatchId(1), status)])).unwrap();
    for status in [Status::Unsure, Status::Seen { slot: 500 }, Status::Unknown { searched_to: 100 }] {
        assert_eq!(told(&mut sender, status), []);
    }
    let done = Status::Finalized { slot: 5, outcome: Outcome::Done };
    let failed = Status::Finalized { slot: 5, outcome: Outcome::Failed(String::new()) };
    let expired = Status::Unknown { searched_to: 101 };
    for (status, ending) in [(done, Ending::Done), (failed, Ending::Failed), (expired, Ending::Expired)] {
        let purpose = Purpose::Close { batch: BatchId(1), ending };
        let read = Effect::Read { purpose, what: What::Paid(vec![payee(1)]) };
        assert_eq!(told(&mut sender, status), [read]);
    }
    assert_eq!(end(&mut sender, 1, Ending::Done, paid(9)), [], "the accounts do not agree");
    let effects = end(&mut sender, 1, Ending::Done, paid(10));
    let [Effect::Persist(records)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(records.iter().filter(|record| matches!(record, Record::Settled(_))).count(), 1);
    assert_eq!(state(&sender), PayoutState::Confirmed);
    assert_eq!(end(&mut sender, 1, Ending::Done, paid(10)), [], "once");
}

#[test]
fn who_claimed_already_is_not_sent_to_and_owes_no_fee() {
    let mut sender = anchored(Policy::default());
    let effects = sender.handle(Input::Read { purpose: Purpose::Plan, found: paid(10) }).unwrap();
    assert!(matches!(&effects[..], [Effect::Persist(records)] if matches!(records[..], [Record::Payout(_)])));
    assert_eq!(state(&sender), PayoutState::Confirmed);
}

#[test]
fn what_fails_again_and_again_is_held_until_somebody_looks() {
    let mut sender = anchored(Policy::default());
    for batch in 1..=3 {
        assert_eq!(state(&sender), PayoutState::Planned);
        plan(&mut sender);
        sender.handle(Input::Signed { batch: BatchId(batch), attempt: attempt(batch as u8) }).unwrap();
        let effects = end(&mut sender, batch, Ending::Failed, paid(0));
        let alarm = effects.contains(&Effect::Alarm(Alarm::Held(payee(1))));
        assert_eq!(alarm, batch == 3);
    }
    assert_eq!(state(&sender), PayoutState::Held);
    sender.handle(Input::Resume(Policy::default())).unwrap();
    assert_eq!(state(&sender), PayoutState::Planned);
}

#[test]
fn limits_stop_the_sender_over_restarts() {
    let policy = Policy { epoch_tokens_max: 9, ..Policy::default() };
    let mut sender = anchored(policy.clone());
    let effects = plan(&mut sender);
    let alarm = Alarm::TokensLimit { epoch: 1, spent: 0, limit: 9 };
    let stopped = Record::Stopped(Some(alarm.clone()));
    assert_eq!(effects, [Effect::Persist(vec![stopped.clone()]), Effect::Alarm(alarm.clone())]);
    assert_eq!(sender.handle(Input::Tick).unwrap(), []);
    let again = Sender::restore(policy, [stopped]);
    assert_eq!(again.stopped().map(Coded::code), Some("sender_tokens_limit"));
    sender.handle(Input::Resume(Policy::default())).unwrap();
    assert!(matches!(&plan(&mut sender)[..], [Effect::Persist(_), Effect::Prepare { .. }]));
}

#[test]
fn a_root_that_is_not_ours_stops_the_sender() {
    let mut sender = Sender::restore(Policy::default(), []);
    sender.handle(Input::Epoch { epoch: epoch(1, 10), payouts: vec![] }).unwrap();
    let foreign = Found::Root(Some(OnChainRoot { epoch: 1, root: [9; 32] }));
    sender.handle(Input::Read { purpose: Purpose::Plan, found: foreign }).unwrap();
    assert_eq!(sender.stopped(), Some(&Alarm::ForeignRoot { found: 1, ours: 1 }));
}

#[test]
fn a_root_of_ours_that_was_replaced_stops_the_sender_and_keeps_nothing_waiting() {
    let root = |epoch, n| Some(OnChainRoot { epoch, root: [n; 32] });
    for (ending, found, stops) in [
        (Ending::Done, root(2, 9), true),
        (Ending::Done, root(1, 9), true),
        (Ending::Failed, root(1, 9), true),
        (Ending::Expired, root(7, 9), true),
        // Endpoints that are behind.
        (Ending::Done, root(0, 9), false),
        (Ending::Done, None, false),
        (Ending::Expired, None, false),
    ] {
        let mut sender = Sender::restore(Policy::default(), []);
        sender.handle(Input::Epoch { epoch: epoch(1, 10), payouts: vec![] }).unwrap();
        sender.handle(Input::Read { purpose: Purpose::Plan, found: Found::Root(None) }).unwrap();
        sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(1) }).unwrap();
        end(&mut sender, 1, ending, Found::Root(found));
        let foreign = matches!(sender.stopped(), Some(Alarm::ForeignRoot { ours: 1, .. }));
        assert_eq!(foreign, stops, "{ending:?} {found:?}");
        let is_open = sender.open_batches().next().is_some();
        assert_eq!(is_open, ending == Ending::Done && !stops, "{ending:?} {found:?}");
    }
}

#[test]
fn epochs_only_grow_and_only_so_much() {
    let mut sender = anchored(Policy { epoch_growth_max: 10, ..Policy::default() });
    let mut given = |epoch: Epoch| {
        let effects = sender.handle(Input::Epoch { epoch, payouts: vec![] });
        effects.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(given(epoch(1, 10)), Ok(()), "the same again changes nothing");
    assert_eq!(given(epoch(1, 11)), Err("sender_stale_epoch"));
    assert_eq!(given(epoch(2, 9)), Err("sender_total_fell"));
    assert_eq!(given(epoch(2, 21)), Err("sender_growth_limit"));
    assert_eq!(given(epoch(2, 20)), Ok(()));
}

#[test]
fn a_refund_is_taken_once_and_ends_by_its_own_transaction() {
    let mut sender = Sender::restore(Policy::default(), []);
    let to = payee(1).wallet;
    let refund = Input::Refund { id: RefundId(1), to, amount: BaseUnits(7) };
    sender.handle(refund.clone()).unwrap();
    let effects = sender.handle(Input::Tick).unwrap();
    assert!(
        matches!(
            &effects[..],
            [Effect::Persist(_), Effect::Prepare { epoch: 0, work: Work::Refund { .. }, .. }]
        ),
        "without any epoch: {effects:?}"
    );
    sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(1) }).unwrap();
    let arrived = |amount| Found::Arrived(BaseUnits(amount));
    assert_eq!(end(&mut sender, 1, Ending::Done, arrived(6)), [], "the transaction does not agree");
    assert_eq!(end(&mut sender, 1, Ending::Expired, arrived(7)), [], "it arrived, so it has not expired");
    assert_eq!(end(&mut sender, 1, Ending::Done, paid(10)), [], "an answer to another question");
    assert_eq!(end(&mut sender, 1, Ending::Done, arrived(7)).len(), 1);
    assert_eq!(sender.handle(refund).unwrap(), [], "told late, it is not taken again");
    assert_eq!(sender.handle(Input::Tick).unwrap(), []);
}

#[test]
fn a_refund_that_cannot_be_paid_is_returned() {
    let mut sender = Sender::restore(Policy::default(), []);
    sender.handle(Input::Refund { id: RefundId(1), to: payee(1).wallet, amount: BaseUnits(7) }).unwrap();
    for batch in 1..=3 {
        sender.handle(Input::Tick).unwrap();
        sender.handle(Input::Signed { batch: BatchId(batch), attempt: attempt(batch as u8) }).unwrap();
        let ending = if batch == 2 { Ending::Failed } else { Ending::Expired };
        let effects = end(&mut sender, batch, ending, Found::Arrived(BaseUnits::ZERO));
        let [Effect::Persist(records)] = &effects[..] else { panic!("{effects:?}") };
        let returned = records
            .iter()
            .any(|record| matches!(record, Record::Refund(refund) if refund.state == RefundState::Returned));
        assert_eq!(returned, batch == 3);
    }
    assert_eq!(sender.handle(Input::Tick).unwrap(), []);
}

#[test]
fn limits_count_refunds_and_a_root_does_not_wait_for_them() {
    let policy = Policy { epoch_tokens_max: 9, ..Policy::default() };
    let mut sender = Sender::restore(policy, []);
    for id in 1..=2 {
        let to = payee(1).wallet;
        sender.handle(Input::Refund { id: RefundId(id), to, amount: BaseUnits(5) }).unwrap();
    }
    sender.handle(Input::Tick).unwrap();
    assert_eq!(sender.stopped(), Some(&Alarm::TokensLimit { epoch: 0, spent: 5, limit: 9 }));
    sender.handle(Input::Resume(Policy::default())).unwrap();
    sender.handle(Input::Signed { batch: BatchId(1), attempt: attempt(1) }).unwrap();
    sender.handle(Input::Epoch { epoch: epoch(1, 10), payouts: vec![] }).unwrap();
    let effects = sender.handle(Input::Tick).unwrap();
    assert!(effects.contains(&Effect::Read { purpose: Purpose::Plan, what: What::Root }), "{effects:?}");
}
