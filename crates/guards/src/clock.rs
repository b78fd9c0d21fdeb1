//! The contributor's clock: instants, and when it turns.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lull_types::UnixMillis;

/// An instant on which calendars can compute; beyond all calendars the last one.
pub fn instant(at: UnixMillis) -> Timestamp {
    i64::try_from(at.0).ok().and_then(|at| Timestamp::from_millisecond(at).ok()).unwrap_or(Timestamp::MAX)
}

/// An instant as it is stored.
pub fn millis(at: Timestamp) -> UnixMillis {
    UnixMillis(u64::try_from(at.as_millisecond()).unwrap_or(0))
}

/// The instant so many seconds after another, or when the clocks change if that comes first: what a clock on the wall
/// shows must be read anew then.
pub fn at_most_to_a_change(zone: &TimeZone, from: Timestamp, seconds: i64) -> Timestamp {
    let turn = from.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    let change = zone.following(from).next().map(|transition| transition.timestamp());
    change.map_or(turn, |change| change.min(turn))
}
