//! The sender's records, and what they mean for the ledger.

use std::collections::BTreeMap;

use lull_settlement::sender::{
    Alarm, Batch, BatchState, Claim, Epoch, Payee, Payout, PayoutState, Record, Settled, Work,
};
use lull_types::{BaseUnits, WalletAddress, WorkerId};
use rusqlite::{OptionalExtension, params};

use super::Turn;
use crate::engine::funds::keep_refund;
use crate::engine::{Answer, Engine, EngineError};
use crate::ledger::{self, Account, Transfer, TransferKind};
use crate::store::{BatchStage, Json, PlanStage, Sql};

impl Engine {
    /// Makes records durable and books what they say was paid. The same records again change nothing.
    pub(in crate::engine) fn keep_payouts(
        &mut self,
        turn: &mut Turn<'_>,
        records: &[Record],
    ) -> Result<(), EngineError> {
        // What the network's own claims paid in this commit: the rest of a rise is the contributor's claim.
        let mut settled: BTreeMap<Payee, &Settled> = BTreeMap::new();
        let mut changed: Vec<WorkerId> = Vec::new();
        let mut all_changed = false;
        for record in records {
            match record {
                Record::Epoch(epoch) => {
                    keep_epoch(turn, epoch)?;
                    all_changed |= epoch.anchored;
                }
                Record::Batch(batch) => changed.extend(keep_batch(turn, batch)?),
                Record::Refund(refund) => keep_refund(turn, refund)?,
                Record::Settled(one) => {
                    settled.insert(one.claim.payee, one);
                    book_fee(turn, one)?;
                }
                Record::Payout(payout) => {
                    keep_plan(turn, payout)?;
                    let by_batch = settled.get(&payout.payee).copied();
                    book_paid(turn, payout.payee, payout.paid, by_batch)?;
                    changed.push(payout.payee.worker);
                }
                Record::Stopped(alarm) => {
                    keep_alarm(turn, alarm.as_ref())?;
                    all_changed = true;
                }
            }
        }
        if all_changed {
            changed = self.sessions.workers().collect();
        }
        self.tell_paid(turn, changed)?;
        turn.answer(Answer::Done);
        Ok(())
    }

    /// What the chain has paid to a wallet in all, whoever claimed it.
    pub(in crate::engine) fn chain_paid(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        wallet: WalletAddress,
        total: BaseUnits,
    ) -> Result<(), EngineError> {
        // One of ours may have paid it: then its end books it, under its transaction, and it is listed once.
        let is_under_way = turn
            .tx
            .prepare_cached(
                "SELECT 1 FROM payouts p JOIN batches b ON b.id = p.batch
                 WHERE p.worker = ?1 AND p.wallet = ?2 AND b.state IN ('signed', 'sent')",
            )?
            .exists(params![Sql(worker), Sql(wallet)])?;
        if !is_under_way && book_paid(turn, Payee { worker, wallet }, total, None)? {
            self.tell_paid(turn, vec![worker])?;
        }
        turn.answer(Answer::Done);
        Ok(())
    }

    fn tell_paid(&self, turn: &mut Turn<'_>, mut workers: Vec<WorkerId>) -> Result<(), EngineError> {
        workers.sort_unstable();
        workers.dedup();
        for worker in workers {
            // Of those who are not connected nothing is computed.
            if self.sessions.has(worker) {
                self.tell_balance(turn, worker)?;
                self.tell_payouts(turn, worker)?;
            }
        }
        Ok(())
    }
}

fn keep_epoch(turn: &Turn<'_>, epoch: &Epoch) -> Result<(), EngineError> {
    turn.tx
        .prepare_cached(
            "INSERT INTO epochs (number, closed_at, root, total, anchored_at)
             VALUES (?1, ?4, ?2, ?3, CASE WHEN ?5 THEN ?4 END)
             ON CONFLICT (number) DO UPDATE SET root = excluded.root, total = excluded.total,
                 anchored_at = coalesce(anchored_at, excluded.anchored_at)",
        )?
        .execute(params![
            Sql(BaseUnits(epoch.number)),
            epoch.root,
            Sql(epoch.total),
            Sql(turn.now),
            epoch.anchored
        ])?;
    Ok(())
}

/// Stores a batch; tells whose payouts it has.
fn keep_batch(turn: &Turn<'_>, batch: &Batch) -> Result<Vec<WorkerId>, EngineError> {
    let id = i64::try_from(batch.id.0).map_err(|_| EngineError::Contradiction("too many batches"))?;
    let (root, total, refund, claims): (_, _, _, &[Claim]) = match &batch.work {
        Work::Root { root, total } => (Some(root), Some(Sql(*total)), None, &[]),
        Work::Claims(claims) => (None, None, None, claims),
        Work::Refund { refund, .. } => (None, None, Some(Sql(BaseUnits(refund.0))), &[]),
    };
    let attempt = batch.attempt.as_ref();
    let known = turn
        .tx
        .prepare_cached(
            "UPDATE batches SET state = ?2, signature = ?3, bytes = ?4, last_valid_height = ?5,
                 changed_at = CASE WHEN state = ?2 THEN changed_at ELSE ?6 END WHERE id = ?1",
        )?
        .execute(params![
            id,
            stage(batch.state),
            attempt.map(|attempt| attempt.signature.as_array()),
            attempt.map(|attempt| &attempt.bytes),
            attempt.map(|attempt| Sql(BaseUnits(attempt.last_valid_height))),
            Sql(turn.now),
        ])?
        > 0;
    if !known {
        turn.tx
            .prepare_cached(
                "INSERT INTO batches (id, epoch, root, total, lamports_max, state, changed_at, refund)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                id,
                Sql(BaseUnits(batch.epoch)),
                root,
                total,
                Sql(BaseUnits(batch.lamports_max)),
                stage(batch.state),
                Sql(turn.now),
                refund,
            ])?;
        for claim in claims {
            turn.tx
                .prepare_cached(
                    "INSERT INTO payouts (batch, epoch, worker, wallet, lifetime, amount, fee)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    id,
                    Sql(BaseUnits(batch.epoch)),
                    Sql(claim.payee.worker),
                    Sql(claim.payee.wallet),
                    Sql(claim.lifetime),
                    Sql(claim.amount),
                    Sql(claim.fee),
                ])?;
        }
    }
    Ok(claims.iter().map(|claim| claim.payee.worker).collect())
}

fn keep_plan(turn: &Turn<'_>, payout: &Payout) -> Result<(), EngineError> {
    let (stage, batch) = match payout.state {
        PayoutState::Planned => (PlanStage::Planned, None),
        PayoutState::InBatch(batch) => (PlanStage::InBatch, Some(Sql(BaseUnits(batch.0)))),
        PayoutState::Confirmed => (PlanStage::Confirmed, None),
        PayoutState::Held => (PlanStage::Held, None),
        PayoutState::Left => (PlanStage::Left, None),
    };
    turn.tx
        .prepare_cached(
            "INSERT OR REPLACE INTO planned_payouts (worker, wallet, lifetime, fee, paid, state, batch, failures)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            Sql(payout.payee.worker),
            Sql(payout.payee.wallet),
            Sql(payout.lifetime),
            Sql(payout.fee),
            Sql(payout.paid),
            stage,
            batch,
            payout.failures,
        ])?;
    Ok(())
}

fn keep_alarm(turn: &Turn<'_>, alarm: Option<&Alarm>) -> Result<(), EngineError> {
    match alarm {
        Some(alarm) => turn
            .tx
            .prepare_cached("INSERT OR REPLACE INTO payouts_stopped (one, alarm) VALUES (1, ?1)")?
            .execute([Json(alarm)])?,
        None => turn.tx.prepare_cached("DELETE FROM payouts_stopped")?.execute([])?,
    };
    Ok(())
}

/// The fee of a payout that is final. It was kept back when the epoch was closed.
fn book_fee(turn: &Turn<'_>, settled: &Settled) -> Result<(), EngineError> {
    let Payee { worker, wallet } = settled.claim.payee;
    if settled.claim.fee == BaseUnits::ZERO {
        return Ok(());
    }
    let reference = [&settled.batch.0.to_be_bytes()[..], &worker.0, wallet.as_bytes()].concat();
    let transfer = Transfer {
        kind: TransferKind::Fee,
        reference: &reference,
        from: Account::Payable(worker),
        to: Account::Treasury,
        amount: settled.claim.fee,
    };
    ledger::book(turn.tx, turn.now, &transfer)?;
    Ok(())
}

/// Books a rise of what the chain has paid; true if there was one.
fn book_paid(
    turn: &Turn<'_>,
    payee: Payee,
    total: BaseUnits,
    by_batch: Option<&Settled>,
) -> Result<bool, EngineError> {
    let Payee { worker, wallet } = payee;
    let leaf: Option<(Sql<BaseUnits>, Sql<BaseUnits>)> = turn
        .tx
        .prepare_cached("SELECT lifetime, paid FROM leaves WHERE worker = ?1 AND wallet = ?2")?
        .query_row(params![Sql(worker), Sql(wallet)], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((Sql(lifetime), Sql(paid))) = leaf else { return Ok(false) };
    if total > lifetime {
        // The chain pays no more than a root listed, so these records are older than that root.
        tracing::error!(worker = %worker.short(), %total, %lifetime, "the chain has paid more than was ever listed here");
    }
    let total = total.min(lifetime);
    let Ok(rise) = total.minus(paid) else { return Ok(false) };
    if rise == BaseUnits::ZERO {
        return Ok(false);
    }
    let reference = [&worker.0[..], wallet.as_bytes(), &total.0.to_be_bytes()].concat();
    let transfer = Transfer {
        kind: TransferKind::Pay,
        reference: &reference,
        from: Account::Payable(worker),
        to: Account::Paid(worker),
        amount: rise,
    };
    ledger::book(turn.tx, turn.now, &transfer)?;
    turn.tx
        .prepare_cached("UPDATE leaves SET paid = ?3 WHERE worker = ?1 AND wallet = ?2")?
        .execute(params![Sql(worker), Sql(wallet), Sql(total)])?;
    let own = by_batch.map_or(BaseUnits::ZERO, |settled| settled.claim.amount.min(rise));
    if let Some(settled) = by_batch.filter(|settled| settled.claim.amount > rise) {
        // The contributor had claimed a part of it since it was planned, and that is booked.
        turn.tx
            .prepare_cached(
                "UPDATE payouts SET amount = ?4 WHERE batch = ?1 AND worker = ?2 AND wallet = ?3",
            )?
            .execute(params![Sql(BaseUnits(settled.batch.0)), Sql(worker), Sql(wallet), Sql(rise)])?;
    }
    if own < rise {
        turn.tx
            .prepare_cached(
                "INSERT INTO payouts (epoch, worker, wallet, lifetime, amount, fee, seen_at)
                 VALUES (coalesce((SELECT max(number) FROM epochs WHERE anchored_at IS NOT NULL), 0), ?1, ?2, ?3, ?4, 0, ?5)",
            )?
            .execute(params![
                Sql(worker),
                Sql(wallet),
                Sql(total),
                Sql(BaseUnits(rise.0 - own.0)),
                Sql(turn.now)
            ])?;
    }
    Ok(true)
}

fn stage(state: BatchState) -> BatchStage {
    match state {
        BatchState::Planned => BatchStage::Planned,
        BatchState::Signed => BatchStage::Signed,
        BatchState::Sent => BatchStage::Sent,
        BatchState::Confirmed => BatchStage::Confirmed,
        BatchState::Failed => BatchStage::Failed,
        BatchState::Expired => BatchStage::Expired,
    }
}
