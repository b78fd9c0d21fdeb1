//! Payouts on the chain, as far as the records go: who is listed in an epoch, what is sent, and what was paid.
//!
//! The shell around `lull_settlement::sender` signs and sends; it tells the engine each record before anything that
//! follows from it happens, so that what was paid is booked in the commit that says so.
//!
//! # Invariants
//! - What an epoch lists for a worker, less what was paid, is covered by what is payable to it.
//! - Lifetimes never fall, and what was paid is never more than them.
//! - A fee is kept back before it is owed, and booked when its payout is final.

mod allotment;
mod closing;
mod records;
mod standing;

use lull_types::{BaseUnits, ChainPlace, WalletAddress, WorkerId};
use rusqlite::params;

use super::turn::Turn;
use super::{Effect, Engine, EngineError, SessionId};
use crate::store::Sql;

/// How a network pays.
#[derive(Clone, Debug, PartialEq)]
pub struct PayoutPolicy {
    /// Where.
    pub place: ChainPlace,
    /// What a worker's first payout to a wallet costs its contributor: it opens accounts, which need rent.
    pub fee_first: BaseUnits,
    /// What each later one costs.
    pub fee_later: BaseUnits,
    /// From how much on a payout is sent to whoever has not said otherwise.
    pub threshold: BaseUnits,
    /// The least that anyone can ask for.
    pub threshold_min: BaseUnits,
    /// Whether wallets are paid for which nobody has signed. A network whose money is worth something does not: what
    /// goes to a mistyped address is lost.
    pub pays_unproven: bool,
}

impl PayoutPolicy {
    fn fee(&self, paid_before: bool) -> BaseUnits {
        if paid_before { self.fee_later } else { self.fee_first }
    }
}

impl Engine {
    /// The policy, or a refusal to a worker that asks for what needs one.
    fn pays(&self, turn: &mut Turn<'_>, worker: WorkerId) -> Option<&PayoutPolicy> {
        let policy = self.config.payouts.as_ref();
        if policy.is_none() {
            let sentence = "this network pays on no chain; your earnings are kept";
            self.refuse(turn, worker, None, "no_payouts", sentence);
        }
        policy
    }

    pub(super) fn set_threshold(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        threshold: Option<BaseUnits>,
    ) -> Result<(), EngineError> {
        let Some(policy) = self.pays(turn, worker) else { return Ok(()) };
        if threshold.is_some_and(|threshold| threshold < policy.threshold_min) {
            let sentence = format!(
                "payouts are sent from {} USDC on: fees would eat too much of less; choose that or more",
                policy.threshold_min
            );
            self.refuse(turn, worker, None, "threshold_too_low", &sentence);
            return Ok(());
        }
        let enrolled =
            turn.tx.prepare_cached("SELECT 1 FROM workers WHERE id = ?1")?.exists([Sql(worker)])?;
        if !enrolled {
            let sentence = "this worker is not enrolled, so it has no payouts yet; enrol first";
            self.refuse(turn, worker, None, "not_enrolled", sentence);
            return Ok(());
        }
        turn.tx
            .prepare_cached(
                "INSERT INTO payout_wishes (worker, threshold) VALUES (?1, ?2)
                 ON CONFLICT (worker) DO UPDATE SET threshold = excluded.threshold",
            )?
            .execute(params![Sql(worker), threshold.map(Sql)])?;
        self.tell_payouts(turn, worker)
    }

    /// The shell has the tree from which proofs are read.
    pub(super) fn want_proof(
        &self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        session: SessionId,
        wallet: WalletAddress,
    ) {
        if self.pays(turn, worker).is_some() {
            turn.effects.push(Effect::Prove { worker, session, wallet });
        }
    }

    pub(super) fn claimed(
        &self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        wallet: WalletAddress,
    ) -> Result<(), EngineError> {
        if self.pays(turn, worker).is_some() {
            // Only what is listed can have been claimed; anything else would have the chain asked for strangers.
            let listed = turn
                .tx
                .prepare_cached("SELECT 1 FROM leaves WHERE worker = ?1 AND wallet = ?2 AND lifetime > paid")?
                .exists(params![Sql(worker), Sql(wallet)])?;
            if listed {
                turn.effects.push(Effect::LookAtClaims { worker, wallet });
            }
        }
        Ok(())
    }
}
