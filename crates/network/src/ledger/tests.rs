use std::collections::BTreeMap;

use lull_types::{BaseUnits, CustomerId, JobId, UnixMillis, WorkerId};
use proptest::prelude::*;

use super::*;
use crate::store::open_in_memory;

const NOW: UnixMillis = UnixMillis(1);

fn customer(n: u8) -> Account {
    Account::Customer(CustomerId::from_parts(NOW, &[n; 10]))
}

fn job(n: u8) -> Account {
    Account::Reserved(JobId::from_parts(NOW, &[n; 10]))
}

fn transfer(kind: TransferKind, reference: &[u8], from: Account, to: Account, amount: u64) -> Transfer<'_> {
    Transfer { kind, reference, from, to, amount: BaseUnits(amount) }
}

#[test]
fn money_moves_and_never_appears() {
    let mut connection = open_in_memory().unwrap();
    let tx = connection.transaction().unwrap();
    let deposit = transfer(TransferKind::Deposit, b"a", Account::External, customer(1), 100);
    assert!(book(&tx, NOW, &deposit).unwrap());
    assert!(!book(&tx, NOW, &deposit).unwrap(), "booked once");
    assert_eq!(balance(&tx, &customer(1)).unwrap(), 100);
    assert_eq!(balance(&tx, &Account::External).unwrap(), -100);

    let other = Transfer { amount: BaseUnits(7), ..deposit };
    assert!(matches!(book(&tx, NOW, &other), Err(LedgerError::ReferenceReused)));
    let nothing = transfer(TransferKind::Deposit, b"b", Account::External, customer(1), 0);
    assert!(matches!(book(&tx, NOW, &nothing), Err(LedgerError::Unbalanced)));
    let circle = transfer(TransferKind::Deposit, b"b", customer(1), customer(1), 5);
    assert!(matches!(book(&tx, NOW, &circle), Err(LedgerError::Unbalanced)));
    let vast = transfer(TransferKind::Deposit, b"b", Account::External, customer(1), u64::MAX);
    assert!(matches!(book(&tx, NOW, &vast), Err(LedgerError::OutOfRange)));
    audit(&tx).unwrap();
}

#[test]
fn no_account_goes_below_zero() {
    let mut connection = open_in_memory().unwrap();
    let tx = connection.transaction().unwrap();
    book(&tx, NOW, &transfer(TransferKind::Deposit, b"a", Account::External, customer(1), 100)).unwrap();
    tx.commit().unwrap();
    for (from, amount) in
        [(customer(1), 101), (customer(2), 1), (job(1), 1), (Account::Held(WorkerId([1; 32])), 1)]
    {
        let tx = connection.transaction().unwrap();
        let over = transfer(TransferKind::Reserve, b"j", from, job(9), amount);
        assert!(matches!(book(&tx, NOW, &over), Err(LedgerError::Overdrawn)), "{from:?}");
    }
    let tx = connection.transaction().unwrap();
    let second = transfer(TransferKind::Accept, b"s", Account::Treasury, Account::Held(WorkerId([1; 32])), 5);
    assert!(book(&tx, NOW, &second).unwrap(), "the treasury may");
    audit(&tx).unwrap();
}

#[test]
fn a_sum_past_the_range_is_refused() {
    let mut connection = open_in_memory().unwrap();
    let max = i64::MAX as u64;
    let tx = connection.transaction().unwrap();
    book(&tx, NOW, &transfer(TransferKind::Deposit, b"a", Account::External, customer(1), max)).unwrap();
    tx.commit().unwrap();
    let tx = connection.transaction().unwrap();
    let more = transfer(TransferKind::Deposit, b"b", Account::External, customer(1), 5);
    assert!(book(&tx, NOW, &more).is_err());
    drop(tx);
    audit(&connection).unwrap();
}

#[test]
fn the_audit_sees_what_the_code_did_not_book() {
    let spoil = |sql: &str| {
        let mut connection = open_in_memory().unwrap();
        let tx = connection.transaction().unwrap();
        book(&tx, NOW, &transfer(TransferKind::Deposit, b"a", Account::External, customer(1), 100)).unwrap();
        tx.execute_batch(sql).unwrap();
        audit(&tx).unwrap_err()
    };
    assert!(matches!(
        spoil("UPDATE accounts SET balance = 101 WHERE kind = 'customer'"),
        AuditError::Sum { sum: 1 }
    ));
    assert!(matches!(
        spoil("UPDATE entries SET amount = 101 WHERE amount > 0"),
        AuditError::TransferSum { sum: 1, .. }
    ));
    assert!(matches!(spoil("DELETE FROM entries"), AuditError::TransferEntries { entries: 0, .. }));
    assert!(matches!(
        spoil("UPDATE accounts SET balance = balance + CASE kind WHEN 'customer' THEN 1 ELSE -1 END"),
        AuditError::Balance { .. }
    ));
}

#[derive(Clone, Debug)]
struct Move {
    reference: u8,
    from: usize,
    to: usize,
    amount: u64,
    rolled_back: bool,
}

fn accounts() -> Vec<Account> {
    let worker = WorkerId([7; 32]);
    let mut all = vec![Account::External, Account::Treasury, customer(1), customer(2), job(1), job(2)];
    all.extend([Account::Held(worker), Account::Payable(worker), Account::Paid(worker)]);
    all
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = (0..40u8, 0..9usize, 0..9usize, 0..60u64, proptest::bool::weighted(0.2)).prop_map(
        |(reference, from, to, amount, rolled_back)| Move { reference, from, to, amount, rolled_back },
    );
    proptest::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Any moves at all, some doubled, some rolled back: the ledger agrees with a model of plain integers.
    #[test]
    fn agrees_with_plain_integers(moves in moves()) {
        let accounts = accounts();
        let mut connection = open_in_memory().unwrap();
        let mut model = vec![0i64; accounts.len()];
        let mut booked = BTreeMap::new();
        for m in moves {
            let tx = connection.transaction().unwrap();
            let reference = [m.reference];
            let asked = transfer(TransferKind::Accept, &reference, accounts[m.from], accounts[m.to], m.amount);
            let result = book(&tx, NOW, &asked);
            let amount = m.amount as i64;
            let what = (m.from, m.to, m.amount);
            let valid = m.amount > 0 && m.from != m.to;
            let covered = m.from < 2 || model[m.from] >= amount;
            match booked.get(&m.reference) {
                _ if !valid => prop_assert!(matches!(result, Err(LedgerError::Unbalanced))),
                Some(before) if *before == what => prop_assert!(matches!(result, Ok(false))),
                Some(_) => prop_assert!(matches!(result, Err(LedgerError::ReferenceReused))),
                None if !covered => prop_assert!(matches!(result, Err(LedgerError::Overdrawn))),
                None => prop_assert!(matches!(result, Ok(true))),
            }
            if result.is_err() || m.rolled_back {
                drop(tx);
            } else {
                tx.commit().unwrap();
                if result.unwrap() {
                    model[m.from] -= amount;
                    model[m.to] += amount;
                    booked.insert(m.reference, what);
                }
            }
            audit(&connection).map_err(|e| TestCaseError::fail(e.to_string()))?;
            for (account, expected) in accounts.iter().zip(&model) {
                prop_assert_eq!(balance(&connection, account).unwrap(), *expected);
            }
        }
    }
}
