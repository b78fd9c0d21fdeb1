//! Where workers are paid: setting it, proving that its holder agrees, and the waiting period of a change.
//!
//! Whoever takes a machine over holds its device key. So a change waits, however well the new wallet is proven, and the
//! worker is told at once: it tells its contributor, who sets the old wallet again. Only the first wallet counts at
//! once, and what is put right within an hour of it, before anybody has proven it.

use std::time::Duration;

use lull_checks::wallet;
use lull_network_api::NetworkMessage;
use lull_types::{
    Coded, NextWallet, Signature, TransactionSignature, UnixMillis, WalletAddress, WalletStanding,
    WalletStatement, WorkerId,
};
use rusqlite::{OptionalExtension, params};

use super::timing::move_account;
use super::turn::Turn;
use super::{Answer, Engine, EngineError};
use crate::store::{FromJson, Json, Sql};

/// How long a text may be shown to a wallet: to find the right account, and to unlock it.
const STATEMENT_VALID: Duration = Duration::from_secs(5 * 60);
/// How long a transaction may take that stands for one: to find the phone, to put a little SOL into the wallet, and to be
/// final.
const REQUEST_VALID: Duration = Duration::from_secs(30 * 60);
/// How long a first wallet may still be put right.
const CORRECTION: Duration = Duration::from_secs(3600);
/// Changes made in one tick.
const DUE_MAX: u32 = 1_000;

/// A worker's wallet as it is stored.
struct Row {
    standing: WalletStanding,
    set_at: Option<UnixMillis>,
}

impl Row {
    fn find(turn: &Turn<'_>, worker: WorkerId) -> Result<Option<Self>, EngineError> {
        let found = turn
            .tx
            .prepare_cached(
                "SELECT w.wallet, w.wallet_set_at, w.wallet_next, w.wallet_next_from,
                     EXISTS (SELECT 1 FROM wallet_proofs p WHERE p.worker = w.id AND p.wallet = w.wallet),
                     EXISTS (SELECT 1 FROM wallet_proofs p WHERE p.worker = w.id AND p.wallet = w.wallet_next)
                 FROM workers w WHERE w.id = ?1",
            )?
            .query_row([Sql(worker)], |row| {
                let address = |column| {
                    row.get::<_, Option<Sql<WalletAddress>>>(column)
                        .map(|found| found.map(|Sql(wallet)| wallet))
                };
                let instant = |column| {
                    row.get::<_, Option<Sql<UnixMillis>>>(column).map(|found| found.map(|Sql(at)| at))
                };
                let (wallet, next) = (address(0)?, address(2)?);
                let (proven, next_proven) = (row.get(4)?, row.get(5)?);
                let next = instant(3)?.map(|from| NextWallet { wallet: next, proven: next_proven, from });
                Ok(Self { standing: WalletStanding { wallet, proven, next }, set_at: instant(1)? })
            })
            .optional()?;
        Ok(found)
    }

    /// Whether another wallet counts at once.
    fn is_free_to_change(&self, now: UnixMillis) -> bool {
        match self.set_at {
            None => true,
            Some(at) => !self.standing.proven && now < at.after(CORRECTION),
        }
    }
}

impl Engine {
    pub(super) fn set_wallet(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        wanted: Option<WalletAddress>,
    ) -> Result<(), EngineError> {
        let Some(row) = Row::find(turn, worker)? else {
            let sentence = "this worker is not enrolled, so there is nowhere to keep its wallet; enrol first";
            self.refuse(turn, worker, None, "not_enrolled", sentence);
            return Ok(());
        };
        let waits_already = row.standing.next.as_ref().is_some_and(|next| next.wallet == wanted);
        if row.standing.wallet == wanted {
            wait_for(turn, worker, None)?;
        } else if row.is_free_to_change(turn.now) {
            self.change_wallet(turn, worker, wanted)?;
        } else if !waits_already {
            let from = turn.now.after(Duration::from_millis(self.config.policy.wallet_change_ms));
            wait_for(turn, worker, Some((wanted, from)))?;
        }
        self.tell_wallet(turn, worker)?;
        self.tell_payouts(turn, worker)
    }

    pub(super) fn tell_wallet(&self, turn: &mut Turn<'_>, worker: WorkerId) -> Result<(), EngineError> {
        if let Some(row) = Row::find(turn, worker)? {
            self.send(turn, worker, NetworkMessage::WalletSet(row.standing));
        }
        Ok(())
    }

    fn change_wallet(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        wallet: Option<WalletAddress>,
    ) -> Result<(), EngineError> {
        wait_for(turn, worker, None)?;
        turn.tx
            .prepare_cached("UPDATE workers SET wallet = ?2, wallet_set_at = ?3 WHERE id = ?1")?
            .execute(params![Sql(worker), wallet.map(Sql), Sql(turn.now)])?;
        self.sessions.forget_known_timing(worker);
        move_account(turn.tx, worker)
    }

    /// Changes whose waiting period is over.
    pub(super) fn change_wallets(&mut self, turn: &mut Turn<'_>) -> Result<(), EngineError> {
        let mut statement = turn.tx.prepare_cached(
            "SELECT id, wallet_next FROM workers WHERE wallet_next_from <= ?1 ORDER BY wallet_next_from, id LIMIT ?2",
        )?;
        let due = statement
            .query_map(params![Sql(turn.now), DUE_MAX], |row| {
                let next = row.get::<_, Option<Sql<WalletAddress>>>(1)?;
                Ok((row.get::<_, Sql<WorkerId>>(0)?.0, next.map(|Sql(wallet)| wallet)))
            })?
            .collect::<Result<Vec<_>, _>>()?;
        for (worker, wallet) in due {
            self.change_wallet(turn, worker, wallet)?;
            self.tell_wallet(turn, worker)?;
            self.tell_payouts(turn, worker)?;
        }
        turn.tx
            .prepare_cached("DELETE FROM wallet_requests WHERE expires_at < ?1")?
            .execute([Sql(turn.now)])?;
        Ok(())
    }

    /// Draws what a wallet's holder is to sign.
    pub(super) fn state_wallet(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        wallet: WalletAddress,
        domain: String,
    ) -> Result<(), EngineError> {
        if Row::find(turn, worker)?.is_none() {
            let sentence = "this worker is not enrolled, so no wallet can be proven for it; enrol first";
            self.refuse(turn, worker, None, "not_enrolled", sentence);
            return Ok(());
        }
        let on_chain = domain == wallet::ON_CHAIN;
        if on_chain && self.config.payouts.is_none() {
            let sentence =
                "this network is on no chain, so no transaction proves a wallet to it; prove it on the page";
            self.refuse(turn, worker, None, "wallet_no_chain", sentence);
            return Ok(());
        }
        let statement = WalletStatement {
            network: self.key.network_id(),
            worker,
            wallet,
            domain,
            nonce: self.draw_nonce(),
            issued_at: turn.now,
            expires_at: turn.now.after(if on_chain { REQUEST_VALID } else { STATEMENT_VALID }),
        };
        if let Err(error) = wallet::text(&statement) {
            self.refuse(turn, worker, None, error.code(), &error.to_string());
            return Ok(());
        }
        if on_chain {
            // Kept, because whoever has paid for the transaction must not have to again after a restart.
            turn.tx
                .prepare_cached(
                    "INSERT OR REPLACE INTO wallet_requests (worker, statement, issued_at, expires_at)
                     VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    Sql(worker),
                    Json(&statement),
                    Sql(statement.issued_at),
                    Sql(statement.expires_at)
                ])?;
        } else {
            self.sessions.statements.insert(worker, statement.clone());
        }
        self.send(turn, worker, NetworkMessage::WalletStatement(Box::new(statement)));
        Ok(())
    }

    /// Takes a signature of the last statement that was drawn for this worker, and sets the wallet.
    pub(super) fn prove_wallet(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        nonce: &str,
        signature: Signature,
    ) -> Result<(), EngineError> {
        let statement =
            self.sessions.statements.get(&worker).filter(|statement| statement.nonce == nonce).cloned();
        let Some(statement) = statement else {
            let sentence = "the network did not ask for this signature, or has forgotten that it did; start the proof again";
            self.refuse(turn, worker, None, "wallet_statement_unknown", sentence);
            return Ok(());
        };
        // Whoever chose the wrong account in their wallet tries again with the same text.
        if let Err(error) = wallet::verify(&statement, &signature, turn.now) {
            self.refuse(turn, worker, None, error.code(), &error.to_string());
            return Ok(());
        }
        keep_proof(turn, &statement, signature.0)?;
        self.set_wallet(turn, worker, Some(statement.wallet))?;
        self.sessions.statements.remove(&worker);
        Ok(())
    }

    /// A transaction stands for a statement. The wallet is proven then, and set by nobody: the contributor may have chosen
    /// another since the code was shown.
    pub(super) fn wallet_confirmed(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        nonce: &str,
        signature: TransactionSignature,
    ) -> Result<(), EngineError> {
        turn.answer(Answer::Done);
        let asked = turn
            .tx
            .prepare_cached("SELECT statement FROM wallet_requests WHERE worker = ?1")?
            .query_row([Sql(worker)], |row| Ok(row.get::<_, FromJson<WalletStatement>>(0)?.0))
            .optional()?;
        // Another code may have been asked for meanwhile.
        let Some(statement) = asked.filter(|statement| statement.nonce == nonce) else { return Ok(()) };
        keep_proof(turn, &statement, signature.0)?;
        turn.tx.prepare_cached("DELETE FROM wallet_requests WHERE worker = ?1")?.execute([Sql(worker)])?;
        self.tell_wallet(turn, worker)?;
        self.tell_payouts(turn, worker)
    }
}

/// Keeps why a wallet counts as proven: the statement, and the signature of its text or its transaction.
fn keep_proof(turn: &Turn<'_>, statement: &WalletStatement, signature: [u8; 64]) -> Result<(), EngineError> {
    turn.tx
        .prepare_cached(
            "INSERT INTO wallet_proofs (worker, wallet, statement, signature, proven_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (worker, wallet) DO UPDATE SET statement = excluded.statement,
                 signature = excluded.signature, proven_at = excluded.proven_at",
        )?
        .execute(params![
            Sql(statement.worker),
            Sql(statement.wallet),
            Json(statement),
            signature,
            Sql(turn.now)
        ])?;
    Ok(())
}

/// What comes next, and from when on; or nothing.
fn wait_for(
    turn: &Turn<'_>,
    worker: WorkerId,
    next: Option<(Option<WalletAddress>, UnixMillis)>,
) -> Result<(), EngineError> {
    let (wallet, from) = next.unzip();
    turn.tx
        .prepare_cached("UPDATE workers SET wallet_next = ?2, wallet_next_from = ?3 WHERE id = ?1")?
        .execute(params![Sql(worker), wallet.flatten().map(Sql), from.map(Sql)])?;
    Ok(())
}
