//! What a worker is told of its payouts.

use lull_network_api::NetworkMessage;
use lull_types::{
    AnchoredEpoch, BaseUnits, NextPayout, PAYOUTS_TOLD_MAX, Payout, PayoutStage, PayoutStanding,
    TransactionSignature, UnixMillis, WalletEarnings, WorkerId,
};
use rusqlite::{OptionalExtension, params};

use super::allotment::Wish;
use super::closing::Outlook;
use super::{PayoutPolicy, Turn};
use crate::engine::{Engine, EngineError};
use crate::store::{BatchStage, Sql};

impl Engine {
    /// Tells a connected worker how its payouts stand.
    pub(in crate::engine) fn tell_payouts(
        &self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
    ) -> Result<(), EngineError> {
        let Some(policy) = self.config.payouts.as_ref().filter(|_| self.sessions.has(worker)) else {
            return Ok(());
        };
        let outlook = self.outlook(turn, policy, worker)?;
        let threshold = match outlook.as_ref().map(|outlook| outlook.wish) {
            Some(Wish::Claims) => None,
            Some(Wish::Sent(least)) => Some(least),
            None => self.wish(turn, policy, worker)?,
        };
        let epoch_ms = self.config.policy.epoch_ms.max(1);
        let epoch_ends_at = UnixMillis((self.config.policy.epoch(turn.now) + 1).saturating_mul(epoch_ms));
        let standing = PayoutStanding {
            place: Some(policy.place.clone()),
            threshold,
            threshold_min: policy.threshold_min,
            fee_next: outlook.as_ref().map_or(policy.fee_first, |outlook| outlook.fee),
            fee_later: policy.fee_later,
            epoch_ends_at,
            anchored: anchored(turn)?,
            wallets: wallets(turn, worker)?,
            next: next(turn, worker, outlook.as_ref(), epoch_ends_at)?,
            payouts: payouts(turn, worker)?,
        };
        self.send(turn, worker, NetworkMessage::Payouts(Box::new(standing)));
        Ok(())
    }

    /// The wish of a worker that has earned nothing.
    fn wish(
        &self,
        turn: &Turn<'_>,
        policy: &PayoutPolicy,
        worker: WorkerId,
    ) -> Result<Option<BaseUnits>, EngineError> {
        let stored: Option<Option<Sql<BaseUnits>>> = turn
            .tx
            .prepare_cached("SELECT threshold FROM payout_wishes WHERE worker = ?1")?
            .query_row([Sql(worker)], |row| row.get(0))
            .optional()?;
        Ok(stored.map_or(Some(policy.threshold), |wish| wish.map(|Sql(least)| least)))
    }
}

fn anchored(turn: &Turn<'_>) -> Result<Option<AnchoredEpoch>, EngineError> {
    let found = turn
        .tx
        .prepare_cached(
            "SELECT e.number, e.anchored_at,
                 (SELECT b.signature FROM batches b
                  WHERE b.epoch = e.number AND b.root IS NOT NULL AND b.state = 'confirmed' LIMIT 1)
             FROM epochs e WHERE e.anchored_at IS NOT NULL ORDER BY e.number DESC LIMIT 1",
        )?
        .query_row([], |row| {
            Ok(AnchoredEpoch {
                epoch: row.get::<_, Sql<BaseUnits>>(0)?.0.0,
                at: row.get::<_, Sql<_>>(1)?.0,
                signature: row.get::<_, Option<[u8; 64]>>(2)?.map(TransactionSignature),
            })
        })
        .optional()?;
    Ok(found)
}

fn wallets(turn: &Turn<'_>, worker: WorkerId) -> Result<Vec<WalletEarnings>, EngineError> {
    let mut statement = turn
        .tx
        .prepare_cached("SELECT wallet, lifetime, paid FROM leaves WHERE worker = ?1 ORDER BY wallet")?;
    let found = statement.query_map([Sql(worker)], |row| {
        Ok(WalletEarnings {
            wallet: row.get::<_, Sql<_>>(0)?.0,
            lifetime: row.get::<_, Sql<_>>(1)?.0,
            paid: row.get::<_, Sql<_>>(2)?.0,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

fn next(
    turn: &Turn<'_>,
    worker: WorkerId,
    outlook: Option<&Outlook>,
    at: UnixMillis,
) -> Result<NextPayout, EngineError> {
    let exists = |sql: &str| turn.tx.prepare_cached(sql)?.exists([Sql(worker)]);
    if exists("SELECT 1 FROM payouts_stopped WHERE ?1 IS NOT NULL")? {
        return Ok(NextPayout::Stopped);
    }
    if exists("SELECT 1 FROM planned_payouts WHERE worker = ?1 AND state IN ('planned', 'in_batch')")?
        || exists(
            "SELECT 1 FROM leaves WHERE worker = ?1 AND fee IS NOT NULL AND lifetime > paid
             AND NOT EXISTS (SELECT 1 FROM planned_payouts p WHERE p.worker = leaves.worker
                 AND p.wallet = leaves.wallet AND p.lifetime = leaves.lifetime)",
        )?
    {
        return Ok(NextPayout::UnderWay);
    }
    let Some(outlook) = outlook else {
        let has_wallet = exists("SELECT 1 FROM workers WHERE id = ?1 AND wallet IS NOT NULL")?;
        return Ok(if has_wallet { NextPayout::Nothing } else { NextPayout::NoWallet });
    };
    Ok(match outlook {
        Outlook { available: BaseUnits::ZERO, .. } => NextPayout::Nothing,
        Outlook { wallet: None, .. } => NextPayout::NoWallet,
        Outlook { is_proven: false, .. } => NextPayout::WalletUnproven,
        Outlook { wish: Wish::Claims, .. } => NextPayout::ByContributor,
        Outlook { sent: true, claimable, .. } => NextPayout::AtEpoch { at, amount: *claimable },
        Outlook { wish: Wish::Sent(threshold), available, fee, .. } => {
            let missing = threshold.0.saturating_add(fee.0).saturating_sub(available.0);
            NextPayout::BelowThreshold { missing: BaseUnits(missing) }
        }
    })
}

fn payouts(turn: &Turn<'_>, worker: WorkerId) -> Result<Vec<Payout>, EngineError> {
    let mut statement = turn.tx.prepare_cached(
        "SELECT p.id, p.epoch, p.wallet, p.amount, p.fee, b.state, b.signature, coalesce(b.changed_at, p.seen_at)
         FROM payouts p LEFT JOIN batches b ON b.id = p.batch WHERE p.worker = ?1 ORDER BY p.id DESC LIMIT ?2",
    )?;
    let found = statement.query_map(params![Sql(worker), PAYOUTS_TOLD_MAX as u32], |row| {
        let stage = match row.get::<_, Option<BatchStage>>(5)? {
            Some(BatchStage::Planned) => PayoutStage::Planned,
            Some(BatchStage::Signed) => PayoutStage::Signed,
            Some(BatchStage::Sent) => PayoutStage::Sent,
            Some(BatchStage::Failed) => PayoutStage::Failed,
            Some(BatchStage::Expired) => PayoutStage::Expired,
            // A contributor's own claim is known once it is final.
            Some(BatchStage::Confirmed) | None => PayoutStage::Confirmed,
        };
        Ok(Payout {
            id: row.get::<_, Sql<BaseUnits>>(0)?.0.0,
            epoch: row.get::<_, Sql<BaseUnits>>(1)?.0.0,
            wallet: row.get::<_, Sql<_>>(2)?.0,
            amount: row.get::<_, Sql<_>>(3)?.0,
            fee: row.get::<_, Sql<_>>(4)?.0,
            stage,
            signature: row.get::<_, Option<[u8; 64]>>(6)?.map(TransactionSignature),
            at: row.get::<_, Sql<_>>(7)?.0,
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}
