//! Customers, their deposits, and who has shown which blob.

use lull_types::{BaseUnits, BlobHash, CustomerId};
use rusqlite::{OptionalExtension, Transaction, params};

use super::turn::Turn;
use super::{Answer, BlobOwner, Engine, EngineError};
use crate::ledger::{self, Account, LedgerError, Transfer, TransferKind};
use crate::store::Sql;

/// A name is shown to contributors beside a task.
const NAME_CHARS_MAX: usize = 80;
/// A Solana signature has 88 characters; twice that fits any payment's name.
const REFERENCE_BYTES_MAX: usize = 200;
/// Money beyond this cannot be written exactly by a JSON reader in JavaScript: 2^53.
pub(super) const AMOUNT_MAX: BaseUnits = BaseUnits(1 << 53);

impl Engine {
    pub(super) fn create_customer(
        &mut self,
        turn: &mut Turn<'_>,
        name: &str,
        api_key_hash: [u8; 32],
    ) -> Result<(), EngineError> {
        if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
            return Err(EngineError::refused(
                "customer_name_unusable",
                format!("a customer's name must have 1 to {NAME_CHARS_MAX} characters"),
            ));
        }
        let known: Option<Sql<CustomerId>> = turn
            .tx
            .prepare_cached("SELECT id FROM customers WHERE api_key_hash = ?1")?
            .query_row([api_key_hash], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(Sql(id)) => id,
            None => {
                let id = self.new_customer_id(turn.now);
                turn.tx
                    .prepare_cached(
                        "INSERT INTO customers (id, name, api_key_hash, created_at) VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![Sql(id), name.trim(), api_key_hash, Sql(turn.now)])?;
                id
            }
        };
        turn.answer(Answer::CustomerCreated(id));
        Ok(())
    }
}

pub(super) fn require_customer(tx: &Transaction<'_>, customer: CustomerId) -> Result<(), EngineError> {
    if tx.prepare_cached("SELECT 1 FROM customers WHERE id = ?1")?.exists([Sql(customer)])? {
        Ok(())
    } else {
        Err(EngineError::refused("customer_unknown", "the network knows no such customer"))
    }
}

pub(super) fn deposit(
    turn: &mut Turn<'_>,
    customer: CustomerId,
    amount: BaseUnits,
    reference: &str,
) -> Result<(), EngineError> {
    require_customer(turn.tx, customer)?;
    if amount == BaseUnits::ZERO || amount > AMOUNT_MAX {
        return Err(EngineError::refused(
            "amount_unusable",
            "a deposit must be more than nothing, and at most 2^53",
        ));
    }
    if reference.is_empty() || reference.len() > REFERENCE_BYTES_MAX {
        return Err(EngineError::refused(
            "reference_unusable",
            format!("a deposit needs a reference of 1 to {REFERENCE_BYTES_MAX} bytes that names the payment"),
        ));
    }
    let transfer = Transfer {
        kind: TransferKind::Deposit,
        reference: reference.as_bytes(),
        from: Account::External,
        to: Account::Customer(customer),
        amount,
    };
    ledger::book(turn.tx, turn.now, &transfer)?;
    let deposit = funds(turn.tx, customer)?;
    turn.answer(Answer::Deposited { deposit });
    Ok(())
}

/// What a customer can spend.
pub(super) fn funds(tx: &Transaction<'_>, customer: CustomerId) -> Result<BaseUnits, EngineError> {
    let units = ledger::balance(tx, &Account::Customer(customer))?;
    u64::try_from(units).map(BaseUnits).map_err(|_| LedgerError::Overdrawn.into())
}

pub(super) fn blob_stored(
    turn: &mut Turn<'_>,
    hash: BlobHash,
    bytes: u64,
    by: BlobOwner,
) -> Result<(), EngineError> {
    turn.tx
        .prepare_cached(
            "INSERT INTO blobs (hash, bytes, stored_at) VALUES (?1, ?2, ?3) ON CONFLICT (hash) DO NOTHING",
        )?
        .execute(params![Sql(hash), Sql(BaseUnits(bytes)), Sql(turn.now)])?;
    let owner: &[u8] = match &by {
        BlobOwner::Worker(worker) => &worker.0,
        BlobOwner::Customer(customer) => customer.as_bytes(),
    };
    turn.tx
        .prepare_cached("INSERT INTO blob_puts (hash, owner) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute(params![Sql(hash), owner])?;
    turn.answer(Answer::Done);
    Ok(())
}
