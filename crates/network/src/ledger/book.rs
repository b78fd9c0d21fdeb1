//! Booking transfers.

use lull_types::{BaseUnits, Coded, UnixMillis};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Transaction, params};

use super::Account;
use crate::store::Sql;

/// Why nothing was booked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// An account would go below zero.
    #[error("there is not enough money for this, so nothing was booked")]
    Overdrawn,
    /// The entries do not sum to zero, or one of them is zero.
    #[error("a booking did not balance, so it was refused")]
    Unbalanced,
    /// Another transfer has this kind and reference.
    #[error("another payment was already booked under this reference")]
    ReferenceReused,
    /// An amount does not fit.
    #[error("an amount of money left the range that can be written down, so nothing was booked")]
    OutOfRange,
    /// The store failed.
    #[error("the ledger cannot be written: {0}")]
    Store(rusqlite::Error),
}

impl Coded for LedgerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Overdrawn => "ledger_overdrawn",
            Self::Unbalanced => "ledger_unbalanced",
            Self::ReferenceReused => "reference_reused",
            Self::OutOfRange => "money_out_of_range",
            Self::Store(_) => "network_store_failed",
        }
    }
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        // The only check constraint that a booking can break is the one on balances.
        let overdrawn = error.sqlite_error().is_some_and(|e| {
            e.code == ErrorCode::ConstraintViolation
                && e.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_CHECK
        });
        if overdrawn { Self::Overdrawn } else { Self::Store(error) }
    }
}

/// What a transfer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferKind {
    /// Paid in; by the payment's reference outside.
    Deposit,
    /// Set aside for a job; by job.
    Reserve,
    /// Earned; by assignment.
    Accept,
    /// Served, in a shift that is not decided yet; by serving.
    Serve,
    /// Back to the customer because a shift was rejected; by serving.
    ReturnServing,
    /// Back to the customer because a job ended; by job.
    ReturnJob,
    /// Back to the customer because one task ended undone after its job; by task.
    ReturnTask,
    /// Out of the audit window; by assignment.
    Release,
    /// Paid to a wallet; by worker, wallet, and what was paid to it in all.
    Pay,
    /// What sending a payout costs its contributor; by batch, worker and wallet.
    Fee,
    /// Set out to go back to a customer's wallet; by refund.
    Refund,
    /// A refund that has arrived; by refund.
    RefundPaid,
    /// A refund that could not be paid; by refund.
    RefundReturned,
}

impl TransferKind {
    fn word(self) -> &'static str {
        match self {
            Self::Deposit => "deposit",
            Self::Reserve => "reserve",
            Self::Accept => "accept",
            Self::Serve => "serve",
            Self::ReturnServing => "return_serving",
            Self::ReturnJob => "return_job",
            Self::ReturnTask => "return_task",
            Self::Release => "release",
            Self::Pay => "pay",
            Self::Fee => "fee",
            Self::Refund => "refund",
            Self::RefundPaid => "refund_paid",
            Self::RefundReturned => "refund_returned",
        }
    }
}

/// Money on its way from one account to another. The two entries sum to zero by construction.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// What for.
    pub kind: TransferKind,
    /// Which one of this kind.
    pub reference: &'a [u8],
    /// Where it comes from.
    pub from: Account,
    /// Where it goes.
    pub to: Account,
    /// How much; not zero.
    pub amount: BaseUnits,
}

/// Books a transfer, once. True when it was booked now, false when it had been before.
///
/// # Errors
/// [`LedgerError`]; nothing has changed then, provided that the caller rolls back.
pub fn book(tx: &Transaction<'_>, now: UnixMillis, transfer: &Transfer<'_>) -> Result<bool, LedgerError> {
    let amount = i64::try_from(transfer.amount.0).map_err(|_| LedgerError::OutOfRange)?;
    if amount == 0 || transfer.from == transfer.to {
        return Err(LedgerError::Unbalanced);
    }
    let booked: Option<i64> = tx
        .prepare_cached(
            "INSERT INTO transfers (kind, reference, booked_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, reference) DO NOTHING RETURNING id",
        )?
        .query_row(params![transfer.kind.word(), transfer.reference, Sql(now)], |row| row.get(0))
        .optional()?;
    let Some(id) = booked else {
        return if is_booked(tx, transfer, amount)? { Ok(false) } else { Err(LedgerError::ReferenceReused) };
    };
    // Added first: the account that pays is then checked against its balance by the table itself.
    enter(tx, id, &transfer.to, amount)?;
    enter(tx, id, &transfer.from, -amount)?;
    Ok(true)
}

fn enter(tx: &Transaction<'_>, transfer: i64, account: &Account, amount: i64) -> Result<(), LedgerError> {
    // A sum past the range of integers turns into a float, which a STRICT table refuses.
    let known: Option<i64> = tx
        .prepare_cached(
            "UPDATE accounts SET balance = balance + ?3 WHERE kind = ?1 AND owner = ?2 RETURNING id",
        )?
        .query_row(params![account.kind(), account.owner(), amount], |row| row.get(0))
        .optional()?;
    let id = match known {
        Some(id) => id,
        None => tx
            .prepare_cached("INSERT INTO accounts (kind, owner, balance) VALUES (?1, ?2, ?3) RETURNING id")?
            .query_row(params![account.kind(), account.owner(), amount], |row| row.get(0))?,
    };
    tx.prepare_cached("INSERT INTO entries (transfer, account, amount) VALUES (?1, ?2, ?3)")?
        .execute(params![transfer, id, amount])?;
    Ok(())
}

/// Whether the transfer of this name has exactly these entries.
fn is_booked(tx: &Transaction<'_>, transfer: &Transfer<'_>, amount: i64) -> Result<bool, LedgerError> {
    let matching: i64 = tx
        .prepare_cached(
            "SELECT count(*) FROM transfers t JOIN entries e ON e.transfer = t.id JOIN accounts a ON a.id = e.account
             WHERE t.kind = ?1 AND t.reference = ?2
               AND ((a.kind = ?3 AND a.owner = ?4 AND e.amount = -?7) OR (a.kind = ?5 AND a.owner = ?6 AND e.amount = ?7))",
        )?
        .query_row(
            params![
                transfer.kind.word(),
                transfer.reference,
                transfer.from.kind(),
                transfer.from.owner(),
                transfer.to.kind(),
                transfer.to.owner(),
                amount
            ],
            |row| row.get(0),
        )?;
    Ok(matching == 2)
}

/// The balance of an account, negative only for [`Account::External`] and [`Account::Treasury`].
///
/// # Errors
/// When the store fails.
pub fn balance(connection: &Connection, account: &Account) -> Result<i64, LedgerError> {
    let found = connection
        .prepare_cached("SELECT balance FROM accounts WHERE kind = ?1 AND owner = ?2")?
        .query_row(params![account.kind(), account.owner()], |row| row.get(0))
        .optional()?;
    Ok(found.unwrap_or(0))
}
