//! Deposits of customers: a Solana Pay request with a reference, and what was paid under that reference.
//!
//! Each deposit has a reference of its own: 32 bytes that the paying transaction names, by which it is found. A
//! payment counts once it is final, under its transaction's signature; the ledger books each signature once.

mod request;

use crate::chain::{Address, Chain, ChainError, Outcome, Signature, Transaction};
use lull_types::BaseUnits;

pub(crate) use request::escaped;
pub use request::{Request, RequestError};

/// Where a deposit is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Names the deposit.
    pub reference: Address,
    /// The token account that is to receive it: the recipient's associated one.
    pub token_account: Address,
    /// The token.
    pub mint: Address,
}

/// A payment that is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its transaction, under which it is booked.
    pub signature: Signature,
    /// What arrived.
    pub amount: BaseUnits,
}

/// What a transaction paid towards a deposit: nothing if it was undone, names no such reference, or pays
/// elsewhere or in another token.
pub fn paid(transaction: &Transaction, expected: &Expected) -> Option<BaseUnits> {
    if transaction.outcome != Outcome::Done || !transaction.accounts.contains(&expected.reference) {
        return None;
    }
    let mut changes = transaction.tokens.iter();
    let change =
        changes.find(|change| change.account == expected.token_account && change.mint == expected.mint)?;
    change.after.minus(change.before).ok().filter(|amount| *amount > BaseUnits::ZERO)
}

/// Looks for payments of a deposit, the oldest first. `is_known` tells signatures that were looked at before.
///
/// All that names the reference is looked through every time: an endpoint that is behind may leave one out, and
/// a mark of how far was looked would skip it for ever.
///
/// # Errors
/// When the chain does not answer. What was found before is found again.
pub async fn find(
    chain: &dyn Chain,
    expected: &Expected,
    is_known: &(dyn Fn(&Signature) -> bool + Sync),
) -> Result<Vec<Payment>, ChainError> {
    let mut payments = Vec::new();
    for signature in chain.mentions(&expected.reference, None).await?.into_iter().rev() {
        if is_known(&signature) {
            continue;
        }
        // One that cannot be read yet is looked at next time.
        let transaction = chain.transaction(&signature).await?;
        if let Some(amount) = transaction.and_then(|transaction| paid(&transaction, expected)) {
            payments.push(Payment { signature, amount });
        }
    }
    Ok(payments)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::TokenChange;

    #[test]
    fn only_what_arrives_under_the_reference_counts() {
        let address = |n: u8| Address::new_from_array([n; 32]);
        let expected = Expected { reference: address(1), token_account: address(2), mint: address(3) };
        let change = |account: u8, mint: u8, before: u64, after: u64| TokenChange {
            account: address(account),
            mint: address(mint),
            before: BaseUnits(before),
            after: BaseUnits(after),
        };
        let transaction = |named: u8, change: TokenChange, outcome| Transaction {
            slot: 1,
            outcome,
            fee_lamports: 5000,
            accounts: vec![address(named)],
            instructions: Vec::new(),
            tokens: vec![change],
        };
        let done = |named, change| paid(&transaction(named, change, Outcome::Done), &expected);
        assert_eq!(done(1, change(2, 3, 5, 12)), Some(BaseUnits(7)));
        assert_eq!(done(9, change(2, 3, 5, 12)), None, "another deposit's");
        assert_eq!(done(1, change(9, 3, 5, 12)), None, "somebody else's account");
        assert_eq!(done(1, change(2, 9, 5, 12)), None, "another token");
        assert_eq!(done(1, change(2, 3, 12, 5)), None, "money that left");
        let failed = transaction(1, change(2, 3, 5, 12), Outcome::Failed(String::new()));
        assert_eq!(paid(&failed, &expected), None);
    }
}
