//! Hello, receipts on their way to the worker, and its countersignatures on their way back.

use std::time::Duration;

use lull_checks::receipts::{Lane, outputs_hash};
use lull_network_api::{Balance, NetworkMessage, Verdict};
use lull_types::{BaseUnits, Domain, ReceiptLeaf, Signature, SignedReceipt, UnixMillis, WorkerId};
use rusqlite::{OptionalExtension, params};

use super::rows::AssignmentRow;
use super::turn::Turn;
use super::{Engine, EngineError};
use crate::ledger::{self, Account};
use crate::store::{FromJson, Json, Sql, queries};

/// The only lane so far.
pub(super) const LANE: u32 = 0;

/// Receipts that are sent again at once. The countersignature of the last one fetches the next: a worker that
/// lost a year of receipts does not fill the network's memory.
const RESEND_MAX: u32 = 256;

/// Bad news that is told again after a Hello: what happened within a day, at most this many.
const NEWS_MAX: u32 = 32;
const NEWS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);

impl Engine {
    pub(super) fn hello(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        session: super::SessionId,
        version: &str,
        nonce_held: u64,
    ) -> Result<(), EngineError> {
        debug_assert!(self.sessions.is_current(worker, session), "only the current session is listened to");
        // A stranger is not written down: keys cost nothing.
        let enrolled = turn
            .tx
            .prepare_cached("UPDATE workers SET version = ?2, seen_at = ?3 WHERE id = ?1")?
            .execute(params![Sql(worker), version.chars().take(64).collect::<String>(), Sql(turn.now)])?
            > 0;
        self.send(turn, worker, NetworkMessage::Welcome { network: self.info(), enrolled });
        if !enrolled {
            return Ok(());
        }
        let since = UnixMillis(turn.now.0.saturating_sub(NEWS_AGE_MAX.as_millis() as u64));
        for assignment in AssignmentRow::lost_of(turn.tx, worker, since, NEWS_MAX)? {
            self.tell_verdict(turn, &assignment);
        }
        self.resend_receipts(turn, worker, nonce_held.saturating_add(1))?;
        self.tell_balance(turn, worker)?;
        self.tell_payouts(turn, worker)
    }

    fn resend_receipts(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        from_nonce: u64,
    ) -> Result<(), EngineError> {
        let receipts =
            queries::receipts_from(turn.tx, self.key.network_id(), worker, LANE, from_nonce, RESEND_MAX)?;
        let last = receipts.last().map(|signed| signed.receipt.nonce);
        let full = receipts.len() == RESEND_MAX as usize;
        for signed in receipts {
            if let Some(assignment) = AssignmentRow::find(turn.tx, signed.leaf.assignment)? {
                self.tell_verdict(turn, &assignment);
            }
            self.send(turn, worker, NetworkMessage::Receipt(Box::new(signed)));
        }
        match last {
            Some(last) if full => self.sessions.resend.insert(worker, last + 1),
            _ => self.sessions.resend.remove(&worker),
        };
        Ok(())
    }

    pub(super) fn tell_verdict(&self, turn: &mut Turn<'_>, row: &AssignmentRow) {
        use crate::store::AssignmentState as State;
        let reason = || row.reason.clone().unwrap_or_default();
        let verdict = match row.state {
            State::Accepted => Verdict::Accepted { amount: row.price, checked: row.checked },
            State::Rejected => Verdict::Rejected {
                expected: row.expected.clone(),
                actual: row.outputs.clone(),
                difference: reason(),
            },
            State::Inconclusive => Verdict::Inconclusive { reason: reason() },
            State::Open
            | State::Reported
            | State::HandedBack
            | State::Blamed
            | State::Expired
            | State::Withdrawn => return,
        };
        self.send(turn, row.worker, NetworkMessage::Verdict { assignment: row.id, verdict });
    }

    pub(super) fn tell_balance(&self, turn: &mut Turn<'_>, worker: WorkerId) -> Result<(), EngineError> {
        let of = |account| {
            // Only the two accounts of the network itself can be negative.
            ledger::balance(turn.tx, &account).map(|units| BaseUnits(u64::try_from(units).unwrap_or(0)))
        };
        let balance = Balance {
            held: of(Account::Held(worker))?,
            payable: of(Account::Payable(worker))?,
            paid: of(Account::Paid(worker))?,
        };
        self.send(turn, worker, NetworkMessage::Balance(balance));
        Ok(())
    }

    /// Issues and stores the receipt of an assignment that is being accepted.
    pub(super) fn issue_receipt(
        &mut self,
        turn: &mut Turn<'_>,
        row: &AssignmentRow,
    ) -> Result<SignedReceipt, EngineError> {
        let stored: Option<FromJson<Lane>> = turn
            .tx
            .prepare_cached("SELECT state FROM lanes WHERE worker = ?1 AND lane = ?2")?
            .query_row(params![Sql(row.worker), LANE], |r| r.get(0))
            .optional()?;
        let mut lane = match stored {
            Some(lane) => lane.0,
            None => Lane::new(self.key.network_id(), row.worker, LANE),
        };
        let leaf = ReceiptLeaf {
            assignment: row.id,
            task: row.task,
            outputs: outputs_hash(&row.outputs),
            amount: row.price,
        };
        // A clock that was set back must not go back over an epoch.
        let epoch = self.config.policy.epoch(turn.now).max(lane.epoch());
        let expiry = turn.now.after(Duration::from_millis(self.config.policy.receipt_validity_ms));
        let signed = lane.issue(&self.key, leaf, epoch, expiry)?;
        turn.tx
            .prepare_cached(
                "INSERT INTO lanes (worker, lane, state) VALUES (?1, ?2, ?3)
                 ON CONFLICT (worker, lane) DO UPDATE SET state = excluded.state",
            )?
            .execute(params![Sql(row.worker), LANE, Json(&lane)])?;
        let stated = &signed.receipt;
        turn.tx
            .prepare_cached(
                "INSERT INTO receipts (worker, lane, nonce, assignment, task, outputs, amount, epoch, cumulative,
                     job_root, expiry, network_signature)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            )?
            .execute(params![
                Sql(stated.worker),
                stated.lane,
                Sql(UnixMillis(stated.nonce)),
                Sql(signed.leaf.assignment),
                Sql(signed.leaf.task),
                Sql(signed.leaf.outputs),
                Sql(signed.leaf.amount),
                Sql(UnixMillis(stated.epoch)),
                Sql(stated.cumulative),
                Sql(stated.job_root),
                Sql(stated.expiry),
                Sql(signed.network_signature),
            ])?;
        Ok(signed)
    }

    pub(super) fn countersign(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        lane: u32,
        nonce: u64,
        signature: Signature,
    ) -> Result<(), EngineError> {
        let Some(signed) = queries::receipt(turn.tx, self.key.network_id(), worker, lane, nonce)? else {
            let sentence = format!("there is no receipt number {nonce} to countersign");
            self.refuse(turn, worker, None, "receipt_unknown", &sentence);
            return Ok(());
        };
        let message = signed.receipt.canonical();
        if signature.verify(&worker.0, Domain::ReceiptCountersign, &message).is_err() {
            let sentence = format!("the signature on receipt number {nonce} does not match it");
            self.refuse(turn, worker, None, "countersignature_wrong", &sentence);
            return Ok(());
        }
        turn.tx
            .prepare_cached(
                "UPDATE receipts SET worker_signature = ?4 WHERE worker = ?1 AND lane = ?2 AND nonce = ?3",
            )?
            .execute(params![Sql(worker), lane, Sql(UnixMillis(nonce)), Sql(signature)])?;
        match self.sessions.resend.get(&worker) {
            Some(next) if *next == nonce.saturating_add(1) => self.resend_receipts(turn, worker, nonce + 1),
            _ => Ok(()),
        }
    }
}
