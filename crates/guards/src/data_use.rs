//! How much data has moved this month, and which cap that has reached.
//!
//! Bytes are counted under the quarter of an hour in which they were told: with that, the months of every time zone can be
//! summed, and a month may begin on another day tomorrow. A clock may be wrong. Nothing is therefore ever taken away from a
//! count, what is counted under a time to come counts for this month too, and a later month that the clock jumps into ends
//! no trip before the clock has kept going for a while.

mod month;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use lull_types::{ActiveTrip, DataCaps, DataDirection, DataMoved, Trip, UnixMillis};

pub use month::{DataMonth, days};

/// Bytes are counted by quarter of an hour: the smallest step of any local time's offset.
pub const DATA_QUARTER_MS: u64 = 15 * 60 * 1000;

/// What of a cap is left for what has no size of its own, each way: a session in which nothing happens says 2.5 MB a day
/// each way, as measured, and a payload may have 4 MiB. A hundred megabytes cover a month of the one and some of the other.
const DATA_MARGIN_BYTES: u64 = 100_000_000;

/// What of a cap is left.
fn margin(direction: DataDirection) -> u64 {
    match direction {
        DataDirection::Sent | DataDirection::Received => DATA_MARGIN_BYTES,
        DataDirection::Both => 2 * DATA_MARGIN_BYTES,
    }
}

/// How long a clock that has jumped must go on before a later month is believed while a cap is reached. A computer that
/// was switched on sets its clock within minutes.
const SETTLES: Duration = Duration::from_secs(60 * 60);

/// How often the clock is looked at, so that a jump is known as such.
const LOOK_INTERVAL: Duration = Duration::from_secs(60);

/// Looks that are further apart are a jump of the clock, or a machine that slept: a busy one is late by seconds.
const GAP_MAX: Duration = Duration::from_secs(5 * 60);

/// A pace that is told from less than a day would be that of one task.
const PACE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);

/// What datagrams, headers and repeated packets add to what is carried, in parts: between real endpoints on one machine it
/// is a seventeenth, and lines lose packets.
const CARRIED_PER_EXTRA: u64 = 12;

/// What goes back for what is received, in parts: where nothing is lost acknowledgements are far less.
const CARRIED_PER_ANSWER: u64 = 20;

/// What may still move before each cap that is wanted; empty where none is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataRoom(Vec<(DataDirection, u64)>);

impl DataRoom {
    /// Whether it is room enough.
    pub fn holds(&self, need: DataMoved) -> bool {
        self.0.iter().all(|(direction, left)| need.bytes(*direction) <= *left)
    }
}

/// What moves for a task that receives and sends so many bytes.
pub fn data_need(input_bytes: u64, output_bytes: u64) -> DataMoved {
    let carried = |bytes: u64| bytes.saturating_add(bytes / CARRIED_PER_EXTRA);
    DataMoved {
        sent_bytes: carried(output_bytes).saturating_add(input_bytes / CARRIED_PER_ANSWER),
        received_bytes: carried(input_bytes).saturating_add(output_bytes / CARRIED_PER_ANSWER),
    }
}

/// What has moved, and the month that counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DataUse {
    by_quarter: BTreeMap<u64, DataMoved>,
    month: Option<DataMonth>,
    /// The day on which that month was taken to begin.
    month_day: u8,
    /// Since that month began.
    used: DataMoved,
    tripped: Option<ActiveTrip>,
    looked_at: Option<UnixMillis>,
    /// Since when the clock has gone without a jump.
    steady_since: UnixMillis,
    /// Nothing is counted under an earlier time while a clock that was set back may be set right again.
    counts_from: UnixMillis,
}

impl DataUse {
    /// What was counted before. Where both know of a quarter the greater counts, as nothing is ever taken away.
    pub fn restore(&mut self, by_quarter: &BTreeMap<u64, DataMoved>) {
        for (quarter, moved) in by_quarter {
            let known = self.by_quarter.entry(*quarter).or_default();
            *known = known.max(*moved);
        }
        self.sum();
    }

    /// More has moved. Gives the quarter under which it is counted, and all that is counted there.
    pub fn count(&mut self, moved: DataMoved, now: UnixMillis) -> (u64, DataMoved) {
        let quarter = now.max(self.counts_from).0 / DATA_QUARTER_MS;
        let counted = self.by_quarter.entry(quarter).or_default();
        *counted += moved;
        let counted = *counted;
        if self.month.is_some_and(|month| quarter >= month.begins_at.0 / DATA_QUARTER_MS) {
            self.used += moved;
        }
        (quarter, counted)
    }

    /// All that was counted, by quarter.
    pub fn by_quarter(&self) -> &BTreeMap<u64, DataMoved> {
        &self.by_quarter
    }

    /// The clock is looked at: which month it is, and whether a cap is reached.
    pub fn look(&mut self, caps: Option<&DataCaps>, zone: &TimeZone, now: UnixMillis) {
        let before = self.looked_at.replace(now);
        let steady = before.is_some_and(|at| at <= now && now.since(at) <= GAP_MAX);
        if !steady {
            self.steady_since = now;
        }
        let settled = now.since(self.steady_since) >= SETTLES;
        if settled {
            self.counts_from = UnixMillis(0);
        }
        let month_day = caps.map_or(1, |caps| caps.month_day);
        let by_clock = DataMonth::around(now, month_day, zone);
        let month = match self.month {
            Some(month) if self.month_day == month_day => month,
            // Whoever says that months begin on another day means at once.
            Some(_) => by_clock,
            None => {
                // What was counted last tells which month it was before the worker was started.
                let counted_last = self.by_quarter.keys().next_back();
                let last = counted_last.map_or(now, |quarter| UnixMillis(quarter * DATA_QUARTER_MS));
                DataMonth::around(last.min(now), month_day, zone)
            }
        };
        self.month_day = month_day;
        self.take(month);
        self.judge(caps, now);
        if by_clock.begins_at < month.begins_at {
            // All that was counted since counts for the earlier month as well: nothing ends by that.
            self.counts_from = self.counts_from.max(month.begins_at);
            self.take(by_clock);
        } else if by_clock.begins_at > month.begins_at {
            let ran_into_it = steady && before.is_some_and(|at| at < month.ends_at);
            if ran_into_it || self.tripped.is_none() || settled {
                self.take(by_clock);
            }
        }
        self.judge(caps, now);
    }

    fn take(&mut self, month: DataMonth) {
        if self.month != Some(month) {
            self.month = Some(month);
            self.sum();
        }
    }

    fn sum(&mut self) {
        let Some(month) = self.month else { return };
        let since = month.begins_at.0 / DATA_QUARTER_MS;
        self.used = self.by_quarter.range(since..).map(|(_, moved)| *moved).sum();
    }

    /// Whether a cap is reached. One that is told already is told as it was, with when it ends.
    fn judge(&mut self, caps: Option<&DataCaps>, now: UnixMillis) {
        let held = self.tripped.take();
        let (Some(caps), Some(month)) = (caps, self.month) else { return };
        let reached = |(direction, cap): &(DataDirection, u64)| {
            self.used.bytes(*direction).saturating_add(margin(*direction)) >= *cap
        };
        let is_told = |(of, cap): &(DataDirection, u64)| {
            let told = held.as_ref().map(|held| &held.trip);
            matches!(told, Some(Trip::DataCap { direction, cap_bytes, .. }) if direction == of && cap_bytes == cap)
        };
        let until = if now < month.ends_at { month.ends_at } else { self.steady_since.after(SETTLES) };
        let told = caps.given().filter(reached).find(is_told).and(held);
        let first = caps.given().find(reached).map(|(direction, cap_bytes)| {
            let used_bytes = self.used.bytes(direction);
            let trip = Trip::DataCap { direction, used_bytes, cap_bytes };
            ActiveTrip { trip, since: now, until: None }
        });
        self.tripped = told.or(first).map(|trip| ActiveTrip { until: Some(until), ..trip });
    }

    /// The cap that is reached.
    pub fn tripped(&self, now: UnixMillis) -> Option<&ActiveTrip> {
        self.tripped.as_ref().filter(|held| held.until.is_none_or(|until| now < until))
    }

    /// When the clock must be looked at again, so that it is known to go on: only while a cap is wanted.
    pub fn look_again_at(&self, caps: Option<&DataCaps>) -> Option<UnixMillis> {
        caps.and(self.looked_at).map(|at| at.after(LOOK_INTERVAL))
    }

    /// What more work may move, `reserved` being for work that was taken already.
    pub fn room(&self, caps: Option<&DataCaps>, reserved: DataMoved) -> DataRoom {
        let kept = self.used + reserved;
        let left = |(direction, cap): (DataDirection, u64)| {
            (direction, cap.saturating_sub(margin(direction)).saturating_sub(kept.bytes(direction)))
        };
        DataRoom(caps.iter().flat_map(|caps| caps.given()).map(left).collect())
    }

    /// The month that counts, and what has moved in it.
    pub fn this_month(&self) -> Option<(DataMonth, DataMoved)> {
        self.month.map(|month| (month, self.used))
    }

    /// When a cap is reached at the pace of this month so far, if that is before its end. `None` on its first day, and
    /// where one is reached already.
    pub fn reached_at(&self, caps: Option<&DataCaps>, now: UnixMillis) -> Option<UnixMillis> {
        let month = self.month?;
        if self.tripped.is_some() {
            return None;
        }
        let first = self.by_quarter.range(month.begins_at.0 / DATA_QUARTER_MS..).next()?.0;
        let took = now.since(UnixMillis(first * DATA_QUARTER_MS).max(month.begins_at));
        if took < PACE_AFTER {
            return None;
        }
        let at = |(direction, cap): (DataDirection, u64)| {
            let used = self.used.bytes(direction);
            let left = cap.saturating_sub(margin(direction)).saturating_sub(used);
            let millis = u128::from(left) * took.as_millis() / u128::from(used.max(1));
            u64::try_from(millis).ok().and_then(|millis| now.0.checked_add(millis)).map(UnixMillis)
        };
        caps?.given().filter_map(at).min().filter(|at| *at < month.ends_at)
    }
}

#[cfg(test)]
mod tests;
