//! The end of an epoch: all that is payable is listed.
//!
//! It is done in parts, so that a network of a million workers goes on meanwhile. A part that is repeated, or that
//! is done again from the first after a crash, lists what is payable then: nothing is counted twice.

use lull_types::{BaseUnits, WalletAddress, WorkerId};
use rusqlite::{Row, params};

use super::allotment::{Standing, Wish, allot};
use super::{PayoutPolicy, Turn};
use crate::engine::{Answer, Engine, EngineError};
use crate::store::Sql;

/// Workers in one part: some milliseconds of work, in which everything else waits.
const PART_WORKERS: u32 = 500;

/// What is read of a worker: its standing, wallet, and wish.
struct Payable {
    worker: WorkerId,
    wallet: Option<WalletAddress>,
    is_proven: bool,
    wish: Option<Wish>,
    standing: Standing,
}

macro_rules! payable_columns {
    () => {
        "SELECT a.owner, w.wallet,
             EXISTS (SELECT 1 FROM wallet_proofs p WHERE p.worker = w.id AND p.wallet = w.wallet),
             EXISTS (SELECT 1 FROM payout_wishes p WHERE p.worker = w.id),
             (SELECT threshold FROM payout_wishes p WHERE p.worker = w.id),
             a.balance,
             coalesce((SELECT sum(l.lifetime - l.paid) FROM leaves l
                 WHERE l.worker = w.id AND l.lifetime > l.paid AND l.wallet IS NOT w.wallet), 0)
                 + coalesce((SELECT sum(p.fee) FROM payouts p JOIN batches b ON b.id = p.batch
                     WHERE p.worker = w.id AND b.state IN ('planned', 'signed', 'sent')), 0),
             coalesce((SELECT l.lifetime FROM leaves l WHERE l.worker = w.id AND l.wallet = w.wallet), 0),
             coalesce((SELECT l.paid FROM leaves l WHERE l.worker = w.id AND l.wallet = w.wallet), 0)
         FROM accounts a JOIN workers w ON w.id = a.owner WHERE a.kind = 'payable' AND "
    };
}

impl Payable {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let has_wish: bool = row.get(3)?;
        let threshold = row.get::<_, Option<Sql<BaseUnits>>>(4)?;
        Ok(Self {
            worker: row.get::<_, Sql<_>>(0)?.0,
            wallet: row.get::<_, Option<Sql<_>>>(1)?.map(|Sql(wallet)| wallet),
            is_proven: row.get(2)?,
            wish: has_wish.then_some(threshold.map_or(Wish::Claims, |Sql(least)| Wish::Sent(least))),
            standing: Standing {
                payable: row.get::<_, Sql<_>>(5)?.0,
                elsewhere: row.get::<_, Sql<_>>(6)?.0,
                lifetime: row.get::<_, Sql<_>>(7)?.0,
                paid: row.get::<_, Sql<_>>(8)?.0,
            },
        })
    }
}

/// What the end of the epoch would list for a worker as it stands.
pub(super) struct Outlook {
    pub wallet: Option<WalletAddress>,
    pub is_proven: bool,
    pub wish: Wish,
    /// Payable for this wallet, the fee included.
    pub available: BaseUnits,
    /// What a claim would pay, and whether it is sent; of a wallet that can be paid.
    pub claimable: BaseUnits,
    pub sent: bool,
    /// What the next payout costs.
    pub fee: BaseUnits,
}

impl Engine {
    /// Lists a part of all workers, and tells after whom the next part begins.
    pub(in crate::engine) fn close_epoch(
        &mut self,
        turn: &mut Turn<'_>,
        number: u64,
        after: Option<WorkerId>,
    ) -> Result<(), EngineError> {
        let policy = self.config.payouts.as_ref();
        let policy = policy.ok_or(EngineError::Contradiction("an epoch ends where nothing is paid"))?;
        if after.is_none() {
            turn.tx
                .prepare_cached("INSERT INTO epochs (number) VALUES (?1) ON CONFLICT DO NOTHING")?
                .execute([Sql(BaseUnits(number))])?;
            turn.tx.prepare_cached("UPDATE leaves SET fee = NULL WHERE fee IS NOT NULL")?.execute([])?;
        }
        let sql = concat!(payable_columns!(), "a.owner > ?1 ORDER BY a.owner LIMIT ?2");
        let from = after.map_or(Vec::new(), |worker| worker.0.to_vec());
        let part = turn
            .tx
            .prepare_cached(sql)?
            .query_map(params![from, PART_WORKERS], Payable::read)?
            .collect::<Result<Vec<_>, _>>()?;
        for payable in &part {
            list(turn, policy, payable)?;
        }
        let next = part.last().filter(|_| part.len() == PART_WORKERS as usize).map(|payable| payable.worker);
        if next.is_none() {
            turn.tx
                .prepare_cached("UPDATE epochs SET closed_at = ?2 WHERE number = ?1 AND closed_at IS NULL")?
                .execute(params![Sql(BaseUnits(number)), Sql(turn.now)])?;
        }
        turn.answer(Answer::EpochPart { next });
        Ok(())
    }

    /// What the end of the epoch would do for one worker.
    pub(super) fn outlook(
        &self,
        turn: &Turn<'_>,
        policy: &PayoutPolicy,
        worker: WorkerId,
    ) -> Result<Option<Outlook>, EngineError> {
        let sql = concat!(payable_columns!(), "a.owner = ?1");
        let mut statement = turn.tx.prepare_cached(sql)?;
        let mut rows = statement.query_map([Sql(worker)], Payable::read)?;
        let Some(payable) = rows.next().transpose()? else { return Ok(None) };
        let wish = payable.wish.unwrap_or(Wish::Sent(policy.threshold));
        let fee = policy.fee(payable.standing.paid > BaseUnits::ZERO);
        let allotment = allot(payable.standing, wish, fee);
        Ok(Some(Outlook {
            wallet: payable.wallet,
            is_proven: payable.is_proven || policy.pays_unproven,
            wish,
            available: payable.standing.payable.minus(payable.standing.elsewhere).unwrap_or(BaseUnits::ZERO),
            claimable: allotment.claimable,
            sent: allotment.sent,
            fee,
        }))
    }
}

fn list(turn: &Turn<'_>, policy: &PayoutPolicy, payable: &Payable) -> Result<(), EngineError> {
    let Some(wallet) = payable.wallet.filter(|_| payable.is_proven || policy.pays_unproven) else {
        return Ok(());
    };
    let fee = policy.fee(payable.standing.paid > BaseUnits::ZERO);
    let wish = payable.wish.unwrap_or(Wish::Sent(policy.threshold));
    let allotment = allot(payable.standing, wish, fee);
    if allotment.lifetime == BaseUnits::ZERO {
        return Ok(());
    }
    turn.tx
        .prepare_cached(
            "INSERT INTO leaves (worker, wallet, lifetime, fee) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (worker, wallet) DO UPDATE SET lifetime = excluded.lifetime, fee = excluded.fee",
        )?
        .execute(params![
            Sql(payable.worker),
            Sql(wallet),
            Sql(allotment.lifetime),
            allotment.sent.then_some(Sql(fee))
        ])?;
    Ok(())
}
