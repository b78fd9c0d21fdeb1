//! Reading back what the machine needs to go on.

use std::collections::BTreeMap;

use lull_checks::receipts::Lane;
use lull_types::{
    AssignmentId, BaseUnits, CountersignedReceipt, DataMoved, NetworkId, PauseUntil, Payout, UnixMillis,
};
use lull_worker_api::Notice;
use rusqlite::{Row, params};
use serde::de::DeserializeOwned;

use super::Journal;
use super::error::JournalError;
use super::row::{self, integer, json};
use crate::machine::{
    COUNTERSIGNATURES_KEPT, Earned, NOTICES_KEPT, OVER_KEPT, OpenAssignment, Pause, QUARTER_MS,
    QUARTERS_KEPT, Restored, ToldPayouts,
};

impl Journal {
    /// Everything that the machine goes on from.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn restore(&self) -> Result<Restored, JournalError> {
        Ok(Restored {
            intent: self.state("intent")?,
            settings: self.state("settings")?.unwrap_or_default(),
            pauses: self.pauses()?,
            network: self.state("network")?,
            wallet: self.state::<Option<_>>("wallet")?.flatten(),
            payouts: self.told_payouts()?,
            kept_wallet: self.state::<Option<_>>("kept_wallet")?.flatten(),
            benchmarks: self
                .rows("SELECT report FROM benchmarks ORDER BY device", [], |row| json(row, "report"))?,
            open: self.rows(
                "SELECT network, assignment, taken_at, stage FROM assignments
                 WHERE over_seq IS NULL ORDER BY seq",
                [],
                |row| {
                    Ok(OpenAssignment {
                        network: row::network(row, "network")?,
                        assignment: json(row, "assignment")?,
                        taken_at: row::time(row, "taken_at")?,
                        stage: json(row, "stage")?,
                    })
                },
            )?,
            over: self.over()?,
            earned: self.earned()?,
            data: self.data_moved()?,
            notices: self.notices()?,
        })
    }

    /// How much data moved, by quarter of an hour since the Unix epoch.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn data_moved(&self) -> Result<BTreeMap<u64, DataMoved>, JournalError> {
        let rows = self.rows("SELECT quarter, sent, received FROM data_moved", [], |row| {
            let moved = DataMoved {
                sent_bytes: row::number(row, "sent")?,
                received_bytes: row::number(row, "received")?,
            };
            Ok((row::number(row, "quarter")?, moved))
        })?;
        Ok(rows.into_iter().collect())
    }

    fn pauses(&self) -> Result<Vec<Pause>, JournalError> {
        if let Some(pauses) = self.state("pauses")? {
            return Ok(pauses);
        }
        // As versions before it wrote them: one, of all devices.
        let until: Option<UnixMillis> = self.state::<Option<_>>("paused_until")?.flatten();
        let pause = |until| Pause { device: None, until: PauseUntil::Instant(until) };
        Ok(until.map(pause).into_iter().collect())
    }

    fn state<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, JournalError> {
        let statement = "SELECT value FROM state WHERE key = ?";
        let mut values = self.rows(statement, [key], |row| json(row, "value"))?;
        Ok(values.pop())
    }

    fn over(&self) -> Result<Vec<AssignmentId>, JournalError> {
        let mut newest_first = self.rows(
            "SELECT id FROM assignments WHERE over_seq IS NOT NULL ORDER BY over_seq DESC LIMIT ?",
            [limit(OVER_KEPT)],
            |row| row::assignment(row, "id"),
        )?;
        newest_first.reverse();
        Ok(newest_first)
    }

    fn notices(&self) -> Result<Vec<Notice>, JournalError> {
        let mut newest_first = self.rows(
            "SELECT id, at, code, sentence, problem FROM notices ORDER BY id DESC LIMIT ?",
            [limit(NOTICES_KEPT)],
            |row| {
                Ok(Notice {
                    id: row::number(row, "id")?,
                    at: row::time(row, "at")?,
                    code: row.get("code")?,
                    sentence: row.get("sentence")?,
                    problem: row.get("problem")?,
                })
            },
        )?;
        newest_first.reverse();
        Ok(newest_first)
    }

    fn earned(&self) -> Result<BTreeMap<NetworkId, Earned>, JournalError> {
        let lanes = self.rows("SELECT network, state FROM lanes WHERE lane = 0", [], |row| {
            Ok((row::network(row, "network")?, json::<Lane>(row, "state")?))
        })?;
        lanes
            .into_iter()
            .map(|(network, lane)| {
                let earned = Earned {
                    lane,
                    receipts: self.count_receipts(network)?,
                    by_quarter: self.by_quarter(network)?,
                    countersignatures: self.countersignatures(network)?,
                };
                Ok((network, earned))
            })
            .collect()
    }

    fn told_payouts(&self) -> Result<BTreeMap<NetworkId, ToldPayouts>, JournalError> {
        let mut told: BTreeMap<NetworkId, ToldPayouts> = BTreeMap::new();
        let standings = "SELECT network, standing FROM payout_standings";
        for (network, standing) in
            self.rows(standings, [], |row| Ok((row::network(row, "network")?, json(row, "standing")?)))?
        {
            told.entry(network).or_default().standing = Some(standing);
        }
        let payouts = "SELECT network, payout FROM payouts";
        for (network, payout) in
            self.rows(payouts, [], |row| Ok((row::network(row, "network")?, json::<Payout>(row, "payout")?)))?
        {
            told.entry(network).or_default().payouts.insert(payout.id, payout);
        }
        Ok(told)
    }

    fn count_receipts(&self, network: NetworkId) -> Result<u32, JournalError> {
        let statement = "SELECT COUNT(*) FROM receipts WHERE network = ? AND lane = 0";
        Ok(self.connection.query_row(statement, [network.0], |row| row.get(0))?)
    }

    /// Sums by quarter of an hour, back from the last receipt: with that, no clock is needed.
    fn by_quarter(&self, network: NetworkId) -> Result<BTreeMap<u64, BaseUnits>, JournalError> {
        let rows = self.rows(
            "SELECT received_at / ?2 AS quarter, SUM(amount) AS amount FROM receipts
             WHERE network = ?1
               AND received_at >= (SELECT MAX(received_at) FROM receipts WHERE network = ?1) - ?2 * ?3
             GROUP BY quarter",
            params![network.0, integer(QUARTER_MS)?, integer(QUARTERS_KEPT)?],
            |row| Ok((row::number(row, "quarter")?, row::money(row, "amount")?)),
        )?;
        Ok(rows.into_iter().collect())
    }

    fn countersignatures(
        &self,
        network: NetworkId,
    ) -> Result<Vec<(u64, lull_types::Signature)>, JournalError> {
        let mut newest_first = self.rows(
            "SELECT receipt FROM receipts WHERE network = ? AND lane = 0 ORDER BY nonce DESC LIMIT ?",
            params![network.0, limit(COUNTERSIGNATURES_KEPT)],
            |row| {
                let receipt: CountersignedReceipt = json(row, "receipt")?;
                Ok((receipt.signed.receipt.nonce, receipt.worker_signature))
            },
        )?;
        newest_first.reverse();
        Ok(newest_first)
    }

    /// All rows of a query, each parsed.
    pub(super) fn rows<T>(
        &self,
        statement: &str,
        parameters: impl rusqlite::Params,
        mut parse: impl FnMut(&Row<'_>) -> Result<T, JournalError>,
    ) -> Result<Vec<T>, JournalError> {
        let mut statement = self.connection.prepare_cached(statement)?;
        let mut rows = statement.query(parameters)?;
        let mut parsed = Vec::new();
        while let Some(row) = rows.next()? {
            parsed.push(parse(row)?);
        }
        Ok(parsed)
    }
}

/// A count for `LIMIT`; one that does not fit is no limit.
pub(super) fn limit(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(-1)
}
