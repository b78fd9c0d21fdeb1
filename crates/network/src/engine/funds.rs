//! What customers pay in over the chain, and what goes back to them.
//!
//! # Invariants
//! - A transaction is credited once, to the deposit that it was first seen to name.
//! - A refund's money leaves the customer's account in the commit that fixes the refund, and comes back only when the
//!   sender of payouts has proof that it was not paid.

use lull_settlement::sender::{Refund, RefundState};
use lull_types::{BaseUnits, CustomerId, DepositId, TransactionSignature, UnixMillis, WalletAddress};
use rand_chacha::rand_core::RngCore;
use rusqlite::{OptionalExtension, params};

use super::customers::{AMOUNT_MAX, funds, require_customer};
use super::turn::Turn;
use super::{Answer, Engine, EngineError};
use crate::ledger::{self, Account, Transfer, TransferKind};
use crate::store::{RefundStage, Sql};

/// Deposits of one customer that nothing was paid for in the last day: each has the chain asked for it.
const UNPAID_A_DAY_MAX: u32 = 100;
const DAY_MS: u64 = 24 * 3_600_000;
/// Keys are shown in lists, as those of jobs.
const KEY_CHARS_MAX: usize = 200;

impl Engine {
    fn takes_payments(&self) -> Result<BaseUnits, EngineError> {
        let policy = self.config.payouts.as_ref();
        let policy = policy.ok_or_else(|| {
            EngineError::refused(
                "no_payouts",
                "this network takes and pays no money on a chain; ask whoever runs it how to pay",
            )
        })?;
        Ok(policy.threshold_min)
    }

    pub(super) fn create_deposit(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        amount: Option<BaseUnits>,
    ) -> Result<(), EngineError> {
        self.takes_payments()?;
        require_customer(turn.tx, customer)?;
        if amount.is_some_and(|amount| amount == BaseUnits::ZERO || amount > AMOUNT_MAX) {
            return Err(EngineError::refused(
                "amount_unusable",
                "a deposit must be more than nothing, and at most 2^53; leave the amount out to let the payer choose",
            ));
        }
        let since = UnixMillis(turn.now.0.saturating_sub(DAY_MS));
        let unpaid: u32 = turn
            .tx
            .prepare_cached(
                "SELECT count(*) FROM deposits d WHERE customer = ?1 AND created_at > ?2
                 AND NOT EXISTS (SELECT 1 FROM deposit_payments p WHERE p.deposit = d.id)",
            )?
            .query_row(params![Sql(customer), Sql(since)], |row| row.get(0))?;
        if unpaid >= UNPAID_A_DAY_MAX {
            return Err(EngineError::refused(
                "deposits_too_many",
                "you have asked for a hundred deposits within a day and paid none of them; pay one of those",
            ));
        }
        let id = self.new_deposit_id(turn.now);
        let mut reference = [0; 32];
        self.dice.fill_bytes(&mut reference);
        turn.tx
            .prepare_cached(
                "INSERT INTO deposits (id, customer, reference, amount, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![Sql(id), Sql(customer), reference, amount.map(Sql), Sql(turn.now)])?;
        turn.answer(Answer::DepositCreated(id));
        Ok(())
    }

    pub(super) fn create_refund(
        &mut self,
        turn: &mut Turn<'_>,
        customer: CustomerId,
        key: &str,
        asked: Option<BaseUnits>,
        to: WalletAddress,
    ) -> Result<(), EngineError> {
        let least = self.takes_payments()?;
        require_customer(turn.tx, customer)?;
        if key.is_empty() || key.chars().count() > KEY_CHARS_MAX {
            return Err(EngineError::refused(
                "idempotency_key_unusable",
                format!("a refund needs an idempotency key of 1 to {KEY_CHARS_MAX} characters"),
            ));
        }
        if let Some(id) = known_refund(turn, customer, key, asked, to)? {
            turn.answer(Answer::RefundCreated { refund: id, created: false });
            return Ok(());
        }
        let under_way = turn
            .tx
            .prepare_cached("SELECT 1 FROM refunds WHERE customer = ?1 AND state IN ('planned', 'in_batch')")?
            .exists([Sql(customer)])?;
        if under_way {
            return Err(EngineError::refused(
                "refund_under_way",
                "a refund of yours is under way; ask again when it has arrived",
            ));
        }
        let available = funds(turn.tx, customer)?;
        let amount = asked.unwrap_or(available);
        if amount > available {
            return Err(EngineError::refused(
                "deposit_too_small",
                format!("only {available} USDC is free to spend; what is reserved for jobs is not refunded"),
            ));
        }
        if amount < least || amount == BaseUnits::ZERO {
            return Err(EngineError::refused(
                "refund_too_small",
                format!("refunds begin at {least} USDC: sending less costs too much of it"),
            ));
        }
        let id: i64 = turn
            .tx
            .prepare_cached(
                "INSERT INTO refunds (customer, idempotency_key, asked, wallet, amount, state, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?
            .query_row(
                params![
                    Sql(customer),
                    key,
                    asked.map(Sql),
                    Sql(to),
                    Sql(amount),
                    RefundStage::Planned,
                    Sql(turn.now)
                ],
                |row| row.get(0),
            )?;
        let transfer = Transfer {
            kind: TransferKind::Refund,
            reference: &id.to_be_bytes(),
            from: Account::Customer(customer),
            to: Account::Refunding(customer),
            amount,
        };
        ledger::book(turn.tx, turn.now, &transfer)?;
        turn.answer(Answer::RefundCreated { refund: id.cast_unsigned(), created: true });
        Ok(())
    }
}

/// The refund that this key was used for.
fn known_refund(
    turn: &Turn<'_>,
    customer: CustomerId,
    key: &str,
    asked: Option<BaseUnits>,
    to: WalletAddress,
) -> Result<Option<u64>, EngineError> {
    let known: Option<(i64, Option<Sql<BaseUnits>>, Sql<WalletAddress>)> = turn
        .tx
        .prepare_cached("SELECT id, asked, wallet FROM refunds WHERE customer = ?1 AND idempotency_key = ?2")?
        .query_row(params![Sql(customer), key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((id, before, Sql(wallet))) = known else { return Ok(None) };
    if (before.map(|Sql(amount)| amount), wallet) != (asked, to) {
        return Err(EngineError::refused(
            "idempotency_key_reused",
            "this key was used before for a different refund; give each refund its own",
        ));
    }
    Ok(Some(id.cast_unsigned()))
}

/// A payment of a deposit is final: it is credited, once.
pub(super) fn deposit_paid(
    turn: &mut Turn<'_>,
    deposit: DepositId,
    signature: TransactionSignature,
    amount: BaseUnits,
) -> Result<(), EngineError> {
    let customer: Option<Sql<CustomerId>> = turn
        .tx
        .prepare_cached("SELECT customer FROM deposits WHERE id = ?1")?
        .query_row([Sql(deposit)], |row| row.get(0))
        .optional()?;
    let Some(Sql(customer)) = customer else {
        return Err(EngineError::refused("deposit_unknown", "the network knows no such deposit"));
    };
    let counted: Option<Sql<DepositId>> = turn
        .tx
        .prepare_cached("SELECT deposit FROM deposit_payments WHERE signature = ?1")?
        .query_row([signature.0], |row| row.get(0))
        .optional()?;
    match counted {
        Some(Sql(of)) if of == deposit => {}
        Some(_) => {
            return Err(EngineError::refused(
                "payment_counted",
                "this payment names several deposits and was credited to another of them",
            ));
        }
        None => {
            // As operators write it who book a payment by hand, so that it counts once even then.
            let reference = signature.to_string();
            let transfer = Transfer {
                kind: TransferKind::Deposit,
                reference: reference.as_bytes(),
                from: Account::External,
                to: Account::Customer(customer),
                amount,
            };
            ledger::book(turn.tx, turn.now, &transfer)?;
            turn.tx
                .prepare_cached(
                    "INSERT INTO deposit_payments (signature, deposit, amount, booked_at) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![signature.0, Sql(deposit), Sql(amount), Sql(turn.now)])?;
        }
    }
    turn.answer(Answer::Done);
    Ok(())
}

/// Stores how far a refund is, and books its end. The same again changes nothing.
pub(in crate::engine) fn keep_refund(turn: &Turn<'_>, refund: &Refund) -> Result<(), EngineError> {
    let (stage, batch) = match refund.state {
        RefundState::Planned => (RefundStage::Planned, None),
        RefundState::InBatch(batch) => (RefundStage::InBatch, Some(Sql(BaseUnits(batch.0)))),
        RefundState::Paid => (RefundStage::Paid, None),
        RefundState::Returned => (RefundStage::Returned, None),
    };
    let id = refund.id.0.cast_signed();
    let Sql(customer): Sql<CustomerId> = turn
        .tx
        .prepare_cached(
            "UPDATE refunds SET state = ?2, batch = ?3, failures = ?4 WHERE id = ?1 RETURNING customer",
        )?
        .query_row(params![id, stage, batch, refund.failures], |row| row.get(0))
        .optional()?
        .ok_or(EngineError::Contradiction("a refund was sent that nobody asked for"))?;
    let (kind, to) = match refund.state {
        RefundState::Planned | RefundState::InBatch(_) => return Ok(()),
        RefundState::Paid => (TransferKind::RefundPaid, Account::External),
        RefundState::Returned => (TransferKind::RefundReturned, Account::Customer(customer)),
    };
    let reference = id.to_be_bytes();
    let from = Account::Refunding(customer);
    ledger::book(
        turn.tx,
        turn.now,
        &Transfer { kind, reference: &reference, from, to, amount: refund.amount },
    )?;
    Ok(())
}
