//! The hours in which the contributor lends, by the contributor's clock.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lull_types::{UnixMillis, WeekHours};

use crate::clock::{at_most_to_a_change, instant, millis};

/// A week and its longest hours: further apart no two changes of a plan for a week are.
const SEARCH: SignedDuration = SignedDuration::from_hours(8 * 24);

/// The stretch of time around an instant in which it is the same: lent, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Whether the GPU is lent.
    pub lent: bool,
    /// When it began. The search's beginning where it is always the same.
    pub since: UnixMillis,
    /// When it ends; `None` where it is always the same.
    pub until: Option<UnixMillis>,
}

impl Stretch {
    /// Whether an instant lies in it.
    pub fn contains(&self, instant: UnixMillis) -> bool {
        self.since <= instant && self.until.is_none_or(|until| instant < until)
    }
}

/// The stretch around `now`. An hour that a clock change leaves out is not there, and one that it repeats counts twice:
/// a plan says what a clock on the wall shows.
pub fn stretch(hours: &WeekHours, zone: &TimeZone, now: UnixMillis) -> Stretch {
    let at = instant(now);
    let lent_at = |at: Timestamp| {
        let local = zone.to_datetime(at);
        let day = usize::from(local.weekday().to_monday_zero_offset().unsigned_abs());
        hours.contains(day, u32::from(local.hour().unsigned_abs()))
    };
    let lent = lent_at(at);
    // In whole seconds, in which clocks count and change.
    let begin = Timestamp::from_second(at.as_second() - SEARCH.as_secs()).unwrap_or(Timestamp::MIN);
    let end = at.saturating_add(SEARCH).unwrap_or(Timestamp::MAX);
    let (mut since, mut before) = (begin, lent_at(begin));
    let mut turn = begin;
    loop {
        turn = next_turn(zone, turn);
        if turn >= end {
            return Stretch { lent, since: millis(since), until: None };
        }
        let after = lent_at(turn);
        if after != before {
            if turn > at {
                return Stretch { lent, since: millis(since), until: Some(millis(turn)) };
            }
            since = turn;
            before = after;
        }
    }
}

/// The next instant at which the local hour is another: at a full hour, or when the clocks change.
fn next_turn(zone: &TimeZone, from: Timestamp) -> Timestamp {
    let local = zone.to_datetime(from);
    let passed = i64::from(local.minute()) * 60 + i64::from(local.second());
    at_most_to_a_change(zone, from, 3600 - passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Central European time: forward at 2:00 on the last Sunday of March, back at 3:00 on that of October.
    const CET: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    /// Lord Howe Island: half an hour, at 2:00.
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";

    fn at(text: &str) -> UnixMillis {
        millis(text.parse().unwrap())
    }

    fn every_day(from: u32, to: u32) -> WeekHours {
        WeekHours([(from..to).fold(0, |hours, hour| hours | 1 << hour); 7])
    }

    /// What holds around an instant: lent or not, from when until when, all in UTC.
    fn check(zone: &str, hours: WeekHours, now: &str, lent: bool, since: &str, until: &str) {
        let zone = TimeZone::posix(zone).unwrap();
        let expected = Stretch { lent, since: at(since), until: Some(at(until)) };
        assert_eq!(stretch(&hours, &zone, at(now)), expected, "at {now}");
        // It is the same from its first to its last instant, and another before and after.
        for inside in [since, now] {
            assert_eq!(stretch(&hours, &zone, at(inside)), expected, "at {inside}");
        }
        let ends = UnixMillis(at(until).0 - 1);
        assert_eq!(stretch(&hours, &zone, ends), expected);
        assert_eq!(stretch(&hours, &zone, at(until)).lent, !lent);
        assert_eq!(stretch(&hours, &zone, UnixMillis(at(since).0 - 1)).lent, !lent);
    }

    #[test]
    fn nights_of_a_winter_week() {
        let nights = WeekHours([0b1111_1111 | 0b11 << 22; 7]);
        check(CET, nights, "2026-11-30T12:34:56.789Z", false, "2026-11-30T07:00:00Z", "2026-11-30T21:00:00Z");
        check(CET, nights, "2026-11-30T23:30:00Z", true, "2026-11-30T21:00:00Z", "2026-12-01T07:00:00Z");
    }

    #[test]
    fn a_week_end_is_one_stretch() {
        let week_end = WeekHours([0, 0, 0, 0, 0, WeekHours::WHOLE_DAY, WeekHours::WHOLE_DAY]);
        check(CET, week_end, "2026-12-05T12:00:00Z", true, "2026-12-04T23:00:00Z", "2026-12-06T23:00:00Z");
        check(CET, week_end, "2026-12-02T12:00:00Z", false, "2026-11-29T23:00:00Z", "2026-12-04T23:00:00Z");
        // One hour in a week, from the moment after it.
        let once = WeekHours([0, 0, 1, 0, 0, 0, 0]);
        check(CET, once, "2026-12-02T00:00:00Z", false, "2026-12-02T00:00:00Z", "2026-12-08T23:00:00Z");
    }

    #[test]
    fn an_hour_that_the_clocks_leave_out_is_not_there() {
        // 2:00 is 3:00 on 29 March.
        check(
            CET,
            every_day(2, 3),
            "2026-03-29T12:00:00Z",
            false,
            "2026-03-28T02:00:00Z",
            "2026-03-30T00:00:00Z",
        );
        check(
            CET,
            every_day(1, 4),
            "2026-03-29T01:00:00Z",
            true,
            "2026-03-29T00:00:00Z",
            "2026-03-29T02:00:00Z",
        );
        check(
            CET,
            every_day(3, 4),
            "2026-03-29T01:30:00Z",
            true,
            "2026-03-29T01:00:00Z",
            "2026-03-29T02:00:00Z",
        );
    }

    #[test]
    fn an_hour_that_the_clocks_repeat_counts_twice() {
        // 3:00 is 2:00 again on 25 October.
        check(
            CET,
            every_day(2, 3),
            "2026-10-25T00:30:00Z",
            true,
            "2026-10-25T00:00:00Z",
            "2026-10-25T02:00:00Z",
        );
        check(
            CET,
            every_day(1, 2),
            "2026-10-25T00:30:00Z",
            false,
            "2026-10-25T00:00:00Z",
            "2026-10-26T00:00:00Z",
        );
    }

    #[test]
    fn clocks_may_change_by_half_an_hour() {
        // 2:00 is 1:30 again on 5 April, so that the hour after one takes an hour and a half.
        check(
            LORD_HOWE,
            every_day(1, 2),
            "2026-04-04T15:15:00Z",
            true,
            "2026-04-04T14:00:00Z",
            "2026-04-04T15:30:00Z",
        );
        check(
            LORD_HOWE,
            every_day(2, 3),
            "2026-04-04T15:15:00Z",
            false,
            "2026-04-03T16:00:00Z",
            "2026-04-04T15:30:00Z",
        );
        // 2:00 is 2:30 on 4 October.
        check(
            LORD_HOWE,
            every_day(2, 3),
            "2026-10-03T15:45:00Z",
            true,
            "2026-10-03T15:30:00Z",
            "2026-10-03T16:00:00Z",
        );
    }

    #[test]
    fn a_plan_of_all_hours_never_changes() {
        let all = stretch(&WeekHours([WeekHours::WHOLE_DAY; 7]), &TimeZone::UTC, at("2026-11-30T12:00:00Z"));
        assert!(all.lent && all.until.is_none());
        let far = stretch(&every_day(0, 1), &TimeZone::UTC, UnixMillis(u64::MAX));
        assert_eq!(far.until, None, "beyond all calendars nothing changes");
    }
}
