//! What power costs at which time, by the contributor's tariff.
//!
//! A [`Tariff`] says how prices are known; [`Course`] is what comes of it from one instant on: the price of each stretch of
//! time until it changes. It is computed once and asked often.

mod list;

use std::time::Duration;

use jiff::tz::TimeZone;
use lull_types::{DAY_MINUTES, Tariff, TariffBand, UnixMillis};

use crate::clock::{at_most_to_a_change, instant, millis};

pub use list::{LIST_BYTES_MAX, LIST_PRICES_MAX, ListError, ListedPrice, PriceList, parse};

/// How far ahead prices are told: a week of bands, and the day on which it begins again. Further apart no two changes of
/// a plan for a week are.
const AHEAD: Duration = Duration::from_secs(8 * 24 * 3600);

/// A price from one instant to the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// From then.
    pub from: UnixMillis,
    /// Millionths of a US dollar for a kilowatt-hour.
    pub micro_per_kwh: i64,
    /// Whether the price stands in for one that the list does not have.
    pub stands_in: bool,
}

/// Prices from one instant on, for eight days.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course {
    first: Step,
    /// In order of time, each other than the one before.
    later: Vec<Step>,
    until: UnixMillis,
}

impl Course {
    /// What a tariff comes to from `now` on. `list` is what was last read of its source. By bands, an hour that a clock
    /// change leaves out is not there, and one that it repeats counts twice: a contract says what a clock on the wall
    /// shows.
    pub fn new(tariff: &Tariff, list: Option<&PriceList>, zone: &TimeZone, now: UnixMillis) -> Self {
        let until = now.after(AHEAD);
        let step = |from, micro_per_kwh, stands_in| Step { from, micro_per_kwh, stands_in };
        match tariff {
            Tariff::Flat { micro_per_kwh } => {
                Self { first: step(now, *micro_per_kwh, false), later: Vec::new(), until }
            }
            Tariff::TimeOfUse { base_micro_per_kwh, bands } => {
                let price = |at| of_bands(bands, zone, at).unwrap_or(*base_micro_per_kwh);
                let mut course = Self { first: step(now, price(now), false), later: Vec::new(), until };
                let mut at = now;
                loop {
                    let turn = next_turn(bands, zone, at);
                    // Beyond all calendars nothing turns.
                    if turn >= until || turn <= at {
                        return course;
                    }
                    at = turn;
                    course.push(step(at, price(at), false));
                }
            }
            Tariff::Listed { factor_millionths, added_micro_per_kwh, fallback_micro_per_kwh, .. } => {
                let listed = |price: &ListedPrice| {
                    billed(price.micro_per_kwh, *factor_millionths, *added_micro_per_kwh)
                };
                let mut course =
                    Self { first: step(now, *fallback_micro_per_kwh, true), later: Vec::new(), until };
                for price in list.map(PriceList::prices).unwrap_or_default() {
                    if price.until <= now || price.from >= until {
                        continue;
                    }
                    if price.from <= now {
                        course.first = step(now, listed(price), false);
                    } else {
                        course.push(step(price.from, listed(price), false));
                    }
                    // The next price, if there is one at once, takes its place.
                    course.push(step(price.until, *fallback_micro_per_kwh, true));
                }
                course
            }
        }
    }

    /// Adds a step after all others; one at the same instant as the last takes its place.
    fn push(&mut self, step: Step) {
        if self.later.last().is_some_and(|last| last.from == step.from) {
            self.later.pop();
        }
        let before = self.later.last().unwrap_or(&self.first);
        if (before.micro_per_kwh, before.stands_in) != (step.micro_per_kwh, step.stands_in) {
            self.later.push(step);
        }
    }

    /// Whether it tells the price at an instant, and those of some days after it.
    pub fn covers(&self, now: UnixMillis) -> bool {
        // An hour later the last of the eight days has begun to be missing, which no answer rests on yet.
        self.first.from <= now && now.since(self.first.from) < Duration::from_secs(3600)
    }

    /// The price at an instant.
    pub fn at(&self, now: UnixMillis) -> Step {
        self.later.iter().rev().find(|step| step.from <= now).copied().unwrap_or(self.first)
    }

    /// What changes after an instant, in order of time.
    pub fn after(&self, now: UnixMillis) -> impl Iterator<Item = Step> + '_ {
        self.later.iter().filter(move |step| step.from > now).copied()
    }

    /// The next change of the price.
    pub fn next_change(&self, now: UnixMillis) -> Option<Step> {
        let price = self.at(now).micro_per_kwh;
        self.after(now).find(|step| step.micro_per_kwh != price)
    }

    /// The price on average over a time, to the nearest millionth.
    pub fn mean(&self, from: UnixMillis, span: Duration) -> i64 {
        let until = from.after(span);
        let mut sum = 0i128;
        let mut at = self.at(from);
        let mut since = from;
        for step in self.after(from).take_while(|step| step.from < until) {
            sum += i128::from(at.micro_per_kwh) * i128::from(step.from.0 - since.0);
            (at, since) = (step, step.from);
        }
        sum += i128::from(at.micro_per_kwh) * i128::from(until.0.saturating_sub(since.0));
        let millis = i128::from(until.0.saturating_sub(from.0)).max(1);
        let half = if sum < 0 { -millis / 2 } else { millis / 2 };
        i64::try_from((sum + half) / millis).unwrap_or(at.micro_per_kwh)
    }
}

/// What is to be paid where a list has a price.
fn billed(listed: i64, factor_millionths: u32, added: i64) -> i64 {
    let exact = i128::from(listed) * i128::from(factor_millionths);
    let half = if exact < 0 { -500_000 } else { 500_000 };
    let times = i64::try_from((exact + half) / 1_000_000).unwrap_or(i64::MAX);
    times.saturating_add(added)
}

/// The price of the band that holds at an instant.
fn of_bands(bands: &[TariffBand], zone: &TimeZone, at: UnixMillis) -> Option<i64> {
    let local = zone.to_datetime(instant(at));
    let day = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
    let minute = u16::from(local.hour().unsigned_abs()) * 60 + u16::from(local.minute().unsigned_abs());
    bands.iter().find(|band| band.contains(day, minute)).map(|band| band.micro_per_kwh)
}

/// The next instant at which a band can begin or end: by the clock on the wall, or when the clocks change.
fn next_turn(bands: &[TariffBand], zone: &TimeZone, from: UnixMillis) -> UnixMillis {
    let from = instant(from);
    let local = zone.to_datetime(from);
    let second = i64::from(local.hour()) * 3600 + i64::from(local.minute()) * 60 + i64::from(local.second());
    let edges = bands.iter().flat_map(|band| [band.from_minute, band.to_minute]).chain([DAY_MINUTES]);
    let next = edges.map(|minute| i64::from(minute) * 60).filter(|edge| *edge > second).min();
    let seconds = next.unwrap_or(i64::from(DAY_MINUTES) * 60) - second;
    // In whole seconds, in which clocks count and change.
    let whole = jiff::Timestamp::from_second(from.as_second()).unwrap_or(from);
    millis(at_most_to_a_change(zone, whole, seconds))
}

#[cfg(test)]
mod tests;
