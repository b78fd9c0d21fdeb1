use lull_network_api::funds::RefundState;
use lull_types::{BaseUnits, CustomerId, DepositId, Fault, TransactionSignature};

use super::payouts::{Sent, paying, wallet};
use super::rig::*;
use crate::engine::*;
use crate::ledger::{self, Account};
use crate::store::{funds, queries};

fn signature(n: u8) -> TransactionSignature {
    TransactionSignature([n; 64])
}

fn deposit(rig: &mut Rig, customer: CustomerId, amount: Option<u64>) -> DepositId {
    match rig.tell(Input::CreateDeposit { customer, amount: amount.map(BaseUnits) }) {
        Ok(Answer::DepositCreated(id)) => id,
        other => panic!("{other:?}"),
    }
}

fn paid(rig: &mut Rig, deposit: DepositId, by: u8, amount: u64) -> Result<Answer, Fault> {
    rig.tell(Input::DepositPaid { deposit, signature: signature(by), amount: BaseUnits(amount) })
}

fn refund(rig: &mut Rig, customer: CustomerId, key: &str, amount: Option<u64>) -> Result<Answer, Fault> {
    let amount = amount.map(BaseUnits);
    rig.tell(Input::CreateRefund { customer, idempotency_key: key.to_owned(), amount, to: wallet(9) })
}

/// A network that pays, and a customer of it with so much money.
fn customer(units: u64) -> (Rig, CustomerId) {
    let mut rig = paying(true);
    let create = Input::CreateCustomer { name: "Ada".to_owned(), api_key_hash: [1; 32] };
    let Ok(Answer::CustomerCreated(customer)) = rig.tell(create) else { panic!("no customer") };
    if units > 0 {
        let id = deposit(&mut rig, customer, None);
        paid(&mut rig, id, 200, units).unwrap();
    }
    (rig, customer)
}

/// Free to spend, and on its way back.
fn stands(rig: &Rig, customer: CustomerId) -> (u64, u64) {
    let account = queries::account(&rig.connection, customer).unwrap().unwrap();
    (account.deposit.0, account.refunding.0)
}

fn code(refused: Result<Answer, Fault>) -> String {
    refused.unwrap_err().code
}

#[test]
fn a_payment_is_credited_once_whatever_it_names() {
    let (mut rig, ada) = customer(0);
    let (first, second) = (deposit(&mut rig, ada, Some(50)), deposit(&mut rig, ada, None));
    for _ in 0..2 {
        assert_eq!(paid(&mut rig, first, 1, 50), Ok(Answer::Done));
        assert_eq!(stands(&rig, ada), (50, 0));
    }
    assert_eq!(code(paid(&mut rig, second, 1, 50)), "payment_counted", "it names both");
    // An operator who books the same payment by hand changes nothing.
    let by_hand =
        Input::Deposit { customer: ada, amount: BaseUnits(50), reference: signature(1).to_string() };
    rig.tell(by_hand).unwrap();
    paid(&mut rig, second, 2, 7).unwrap();
    paid(&mut rig, second, 3, 8).unwrap();
    assert_eq!(stands(&rig, ada), (65, 0));
    let amounts: Vec<u64> =
        funds::payments(&rig.connection, second).unwrap().iter().map(|payment| payment.amount.0).collect();
    assert_eq!(amounts, [7, 8]);
    let unknown = DepositId(ada.0);
    assert_eq!(code(paid(&mut rig, unknown, 4, 1)), "deposit_unknown");
}

#[test]
fn references_are_never_the_same_and_unpaid_ones_are_bounded() {
    let (mut rig, ada) = customer(0);
    for _ in 0..100 {
        deposit(&mut rig, ada, Some(1));
    }
    let rows = funds::deposits_of(&rig.connection, ada, 1000).unwrap();
    let references: std::collections::BTreeSet<_> = rows.iter().map(|row| row.reference).collect();
    assert_eq!(references.len(), 100);
    let another = Input::CreateDeposit { customer: ada, amount: None };
    assert_eq!(code(rig.tell(another.clone())), "deposits_too_many");
    paid(&mut rig, rows[0].id, 1, 1).unwrap();
    rig.tell(another).unwrap();
    assert_eq!(
        code(rig.tell(Input::CreateDeposit { customer: ada, amount: Some(BaseUnits(0)) })),
        "amount_unusable"
    );
}

#[test]
fn a_refund_leaves_the_account_at_once_and_arrives_once() {
    let (mut rig, ada) = customer(500);
    let mut sent = Sent::new(&rig);
    let made = refund(&mut rig, ada, "a", Some(200)).unwrap();
    assert_eq!(made, Answer::RefundCreated { refund: 1, created: true });
    assert_eq!(stands(&rig, ada), (300, 200));
    let again = refund(&mut rig, ada, "a", Some(200)).unwrap();
    assert_eq!(again, Answer::RefundCreated { refund: 1, created: false });
    assert_eq!(code(refund(&mut rig, ada, "a", Some(201))), "idempotency_key_reused");
    assert_eq!(code(refund(&mut rig, ada, "b", None)), "refund_under_way");
    sent.take_refunds(&mut rig);
    sent.settle(&mut rig);
    // Told once more, as after a crash, it is nothing new.
    sent = Sent::new(&rig);
    sent.take_refunds(&mut rig);
    sent.settle(&mut rig);
    assert_eq!(stands(&rig, ada), (300, 0));
    assert_eq!(ledger::balance(&rig.connection, &Account::External).unwrap(), -300);
    let [told] = &funds::refunds_of(&rig.connection, ada, 10).unwrap()[..] else { panic!("one refund") };
    assert_eq!((told.state, told.amount.0), (RefundState::Paid, 200));
    assert!(told.signature.is_some());
    // All of the rest, under another key.
    refund(&mut rig, ada, "b", None).unwrap();
    assert_eq!(stands(&rig, ada), (0, 300));
}

#[test]
fn a_refund_that_never_lands_is_in_the_account_again() {
    let (mut rig, ada) = customer(500);
    let mut sent = Sent::new(&rig);
    sent.lands = false;
    refund(&mut rig, ada, "a", None).unwrap();
    sent.take_refunds(&mut rig);
    for _ in 0..3 {
        sent.settle(&mut rig);
    }
    assert_eq!(stands(&rig, ada), (500, 0));
    let told = funds::refund_of(&rig.connection, ada, 1).unwrap().unwrap();
    assert_eq!(told.state, RefundState::Returned);
    assert_eq!(ledger::balance(&rig.connection, &Account::External).unwrap(), -500);
}

#[test]
fn what_cannot_be_refunded_is_refused() {
    let (mut rig, ada) = customer(500);
    rig.job(ada, "a job", 3);
    assert_eq!(stands(&rig, ada), (500 - 3 * PRICE, 0));
    assert_eq!(code(refund(&mut rig, ada, "a", Some(201))), "deposit_too_small", "what is reserved stays");
    assert_eq!(code(refund(&mut rig, ada, "a", Some(19))), "refund_too_small");
    assert_eq!(code(refund(&mut rig, ada, "", Some(100))), "idempotency_key_unusable");
    refund(&mut rig, ada, "a", None).unwrap();
    assert_eq!(stands(&rig, ada), (0, 200));

    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    assert_eq!(code(refund(&mut rig, customer, "a", None)), "no_payouts");
    assert_eq!(code(rig.tell(Input::CreateDeposit { customer, amount: None })), "no_payouts");
}
