//! Months as providers bill them, and days, by the contributor's clock.

use std::collections::BTreeMap;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use lull_types::{DataDay, DataMoved, UnixMillis};

use super::DATA_QUARTER_MS;

/// A month of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataMonth {
    /// When it begins: with a day of the contributor's clock.
    pub begins_at: UnixMillis,
    /// When the next one does.
    pub ends_at: UnixMillis,
}

impl DataMonth {
    /// The month around an instant. It begins on `month_day`, from 1 to 31, or on the last day of a month that is shorter.
    pub fn around(now: UnixMillis, month_day: u8, zone: &TimeZone) -> Self {
        let today = zone.to_datetime(instant(now)).date();
        let this = begin_in(today, month_day);
        let neighbour =
            |months: i32| begin_in(today.first_of_month().saturating_add(months.months()), month_day);
        let (first, next) = if today < this { (neighbour(-1), this) } else { (this, neighbour(1)) };
        Self { begins_at: midnight(first, zone), ends_at: midnight(next, zone) }
    }
}

/// The last `count` days until `now`, oldest first, those without data too.
pub fn days(
    by_quarter: &BTreeMap<u64, DataMoved>,
    zone: &TimeZone,
    now: UnixMillis,
    count: u16,
) -> Vec<DataDay> {
    let today = zone.to_datetime(instant(now)).date();
    let day = |ago: i32| midnight(today.saturating_sub(ago.days()), zone);
    let of = |ago: u16| {
        let (at, until) = (day(i32::from(ago)), day(i32::from(ago) - 1));
        let quarters = at.0 / DATA_QUARTER_MS..until.0 / DATA_QUARTER_MS;
        DataDay { at, moved: by_quarter.range(quarters).map(|(_, moved)| *moved).sum() }
    };
    (0..count).rev().map(of).collect()
}

/// The day on which a month of data begins in the month of `date`.
fn begin_in(date: Date, month_day: u8) -> Date {
    let day = i8::try_from(month_day).unwrap_or(i8::MAX).clamp(1, date.days_in_month());
    Date::new(date.year(), date.month(), day).unwrap_or_else(|_| date.first_of_month())
}

/// The first instant of a day. Where clocks are put forward at midnight that is an hour later.
fn midnight(day: Date, zone: &TimeZone) -> UnixMillis {
    let begin = zone.to_ambiguous_timestamp(day.at(0, 0, 0, 0)).compatible();
    begin.map_or(UnixMillis(0), |at| UnixMillis(u64::try_from(at.as_millisecond()).unwrap_or(0)))
}

fn instant(at: UnixMillis) -> Timestamp {
    i64::try_from(at.0).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central European time: forward at 2:00 on the last Sunday of March, back at 3:00 on that of October.
    const CET: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Nepal, three quarters of an hour off the hour.
    const NEPAL: &str = "<+0545>-5:45";
    /// As Paraguay had it: forward at midnight, which that day does not have.
    const PARAGUAY: &str = "<-04>4<-03>,M10.1.0/0,M3.4.0/0";

    fn at(text: &str) -> UnixMillis {
        UnixMillis(u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap())
    }

    fn zone(rule: &str) -> TimeZone {
        TimeZone::posix(rule).unwrap()
    }

    #[test]
    fn a_month_begins_on_its_day_or_on_the_last_of_a_shorter_one() {
        let check = |rule: &str, day: u8, now: &str, begins: &str, ends: &str| {
            let expected = DataMonth { begins_at: at(begins), ends_at: at(ends) };
            for instant in [at(begins), at(now), UnixMillis(at(ends).0 - 1)] {
                assert_eq!(DataMonth::around(instant, day, &zone(rule)), expected, "{rule} {day} {now}");
            }
            assert_eq!(DataMonth::around(at(ends), day, &zone(rule)).begins_at, at(ends));
            assert_eq!(DataMonth::around(UnixMillis(at(begins).0 - 1), day, &zone(rule)).ends_at, at(begins));
        };
        check("UTC0", 1, "2026-11-30T23:59:59Z", "2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z");
        check("UTC0", 15, "2026-01-03T00:00:00Z", "2025-12-15T00:00:00Z", "2026-01-15T00:00:00Z");
        // The 31st where there is one, and the last day elsewhere.
        check("UTC0", 31, "2026-02-10T00:00:00Z", "2026-01-31T00:00:00Z", "2026-02-28T00:00:00Z");
        check("UTC0", 31, "2026-03-01T00:00:00Z", "2026-02-28T00:00:00Z", "2026-03-31T00:00:00Z");
        check("UTC0", 31, "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z", "2028-03-31T00:00:00Z");
        check("UTC0", 31, "2026-04-30T12:00:00Z", "2026-04-30T00:00:00Z", "2026-05-31T00:00:00Z");
        check("UTC0", 29, "2026-02-28T12:00:00Z", "2026-02-28T00:00:00Z", "2026-03-29T00:00:00Z");
        check("UTC0", 30, "2027-12-31T12:00:00Z", "2027-12-30T00:00:00Z", "2028-01-30T00:00:00Z");
        // By the contributor's clock: winter and summer, and quarters of an hour.
        check(CET, 1, "2026-03-31T21:00:00Z", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z");
        check(CET, 1, "2026-10-31T22:59:00Z", "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z");
        // The very day on which the clocks change.
        check(CET, 29, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-04-28T22:00:00Z");
        check(CET, 25, "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-11-24T23:00:00Z");
        check(NEPAL, 1, "2026-11-30T18:00:00Z", "2026-10-31T18:15:00Z", "2026-11-30T18:15:00Z");
        check(PARAGUAY, 4, "2026-10-04T12:00:00Z", "2026-10-04T04:00:00Z", "2026-11-04T03:00:00Z");
    }

    #[test]
    fn a_day_is_as_long_as_the_clock_makes_it() {
        const MEGABYTE: DataMoved = DataMoved { sent_bytes: 1_000_000, received_bytes: 2 };
        // A megabyte in each quarter of an hour of some days in March.
        let from = at("2026-03-26T00:00:00Z").0 / DATA_QUARTER_MS;
        let by_quarter = (from..from + 8 * 96).map(|quarter| (quarter, MEGABYTE)).collect();
        let told = days(&by_quarter, &zone(CET), at("2026-03-30T10:00:00Z"), 3);
        let expected = [
            ("2026-03-27T23:00:00Z", 96),
            // Clocks go forward: it has 23 hours.
            ("2026-03-28T23:00:00Z", 92),
            ("2026-03-29T22:00:00Z", 96),
        ];
        let of = |(begin, quarters): (&str, u64)| DataDay {
            at: at(begin),
            moved: DataMoved { sent_bytes: quarters * 1_000_000, received_bytes: quarters * 2 },
        };
        assert_eq!(told, expected.map(of));
        let none = days(&BTreeMap::new(), &zone(CET), at("2026-03-30T10:00:00Z"), 2);
        assert_eq!(none.iter().map(|day| day.moved).sum::<DataMoved>(), DataMoved::default());
        assert_eq!(none.len(), 2);
    }
}
