//! What counts for which cap, whatever the clock does.

use jiff::Timestamp;
use lull_types::GB;

use super::*;

const CAPS: DataCaps = DataCaps { sent_gb: None, received_gb: None, both_gb: Some(10), month_day: 1 };

fn at(text: &str) -> UnixMillis {
    UnixMillis(u64::try_from(text.parse::<Timestamp>().unwrap().as_millisecond()).unwrap())
}

fn sent(sent_bytes: u64) -> DataMoved {
    DataMoved { sent_bytes, received_bytes: 0 }
}

/// What happens to a worker, by its clock.
#[derive(Clone, Copy)]
enum Do {
    /// So many megabytes are sent.
    Send(u64),
    /// The clock goes on as it should, looked at each minute, until then.
    Run(&'static str),
    /// The clock is another all of a sudden.
    Jump(&'static str),
    /// The worker is started anew from what it wrote down.
    Restart,
}
use Do::{Jump, Restart, Run, Send};

struct Told {
    data: DataUse,
    now: UnixMillis,
}

impl Told {
    fn new(begin: &str) -> Self {
        let mut told = Self { data: DataUse::default(), now: at(begin) };
        told.look();
        told
    }

    fn look(&mut self) {
        self.data.look(Some(&CAPS), &TimeZone::UTC, self.now);
    }

    fn after(mut self, script: &[Do]) -> Self {
        for step in script {
            match step {
                Send(megabytes) => {
                    self.data.count(sent(megabytes * 1_000_000), self.now);
                    self.look();
                }
                Run(until) => {
                    let until = at(until);
                    assert!(until > self.now, "it goes on");
                    while self.now < until {
                        self.now = self.now.after(LOOK_INTERVAL).min(until);
                        self.look();
                    }
                }
                Jump(to) => {
                    self.now = at(to);
                    self.look();
                }
                Restart => {
                    let kept = self.data.by_quarter().clone();
                    self.data = DataUse::default();
                    self.data.restore(&kept);
                    self.look();
                }
            }
        }
        self
    }

    fn megabytes(&self) -> u64 {
        self.data.used.sent_bytes / 1_000_000
    }
}

/// Megabytes of this month, and until when it is held, after a script that begins on 20 November.
fn check(script: &[Do], megabytes: u64, until: Option<&str>) {
    let told = Told::new("2026-11-20T12:00:00Z").after(script);
    assert_eq!(told.megabytes(), megabytes, "at {:?}", told.now);
    let held = told.data.tripped(told.now).map(|held| held.until.unwrap());
    assert_eq!(held, until.map(at), "at {:?}", told.now);
}

#[test]
fn a_cap_is_reached_by_a_margin_before_it_and_until_the_next_month() {
    check(&[Send(9_799)], 9_799, None);
    check(&[Send(9_800)], 9_800, Some("2026-12-01T00:00:00Z"));
    check(&[Send(9_900), Run("2026-11-30T23:59:59Z")], 9_900, Some("2026-12-01T00:00:00Z"));
    // A clock that goes on as it should ends it to the minute.
    check(&[Send(9_900), Run("2026-12-01T00:00:00Z")], 0, None);
    check(&[Send(5_000), Run("2026-12-01T00:00:00Z"), Send(7)], 7, None);
    check(&[Send(9_000), Restart, Send(900)], 9_900, Some("2026-12-01T00:00:00Z"));
}

#[test]
fn a_clock_that_jumps_ahead_ends_nothing_before_it_has_settled() {
    let reached = |more: &[Do]| [&[Send(9_950)], more].concat();
    let held_until = |text| Some(text);
    check(&reached(&[Jump("2027-05-03T00:00:00Z")]), 9_950, held_until("2027-05-03T01:00:00Z"));
    // Also when it jumps in steps, and where the worker is started anew on the way.
    let steps = [Jump("2026-12-05T00:00:00Z"), Run("2026-12-05T00:40:00Z"), Jump("2026-12-07T00:00:00Z")];
    check(&reached(&steps), 9_950, held_until("2026-12-07T01:00:00Z"));
    check(&reached(&[&steps[..], &[Restart]].concat()), 9_950, held_until("2026-12-07T01:00:00Z"));
    // Set right again, it was nothing.
    let back = [Jump("2026-12-05T00:00:00Z"), Jump("2026-11-21T00:00:00Z")];
    check(&reached(&back), 9_950, held_until("2026-12-01T00:00:00Z"));
    // A machine that slept over the end of its month waits for an hour.
    let slept = [Jump("2026-12-03T08:00:00Z"), Run("2026-12-03T08:59:59Z")];
    check(&reached(&slept), 9_950, held_until("2026-12-03T09:00:00Z"));
    check(&reached(&[&slept[..], &[Run("2026-12-03T09:00:00Z")]].concat()), 0, None);
    // Where no cap is reached nobody need wait.
    check(&[Send(9_000), Jump("2026-12-03T08:00:00Z")], 0, None);
}

#[test]
fn what_was_counted_under_a_time_to_come_counts_for_this_month() {
    let ahead = [Send(9_000), Jump("2026-12-05T00:00:00Z"), Send(300)];
    check(&ahead, 300, None);
    let back = [&ahead[..], &[Jump("2026-11-20T13:00:00Z")]].concat();
    check(&back, 9_300, None);
    check(&[&back[..], &[Restart]].concat(), 9_300, None);
    check(&[&back[..], &[Send(600)]].concat(), 9_900, Some("2026-12-01T00:00:00Z"));
}

#[test]
fn a_clock_that_was_set_back_ends_nothing_and_loses_nothing() {
    let back = [Send(9_950), Jump("2026-09-10T00:00:00Z")];
    check(&back, 9_950, Some("2026-10-01T00:00:00Z"));
    check(&[&back[..], &[Restart]].concat(), 9_950, Some("2026-10-01T00:00:00Z"));
    // What moves while it is wrong is of the month that it was.
    let wrong = [Send(9_000), Jump("2026-09-10T00:00:00Z"), Send(700), Jump("2026-11-20T14:00:00Z")];
    check(&wrong, 9_700, None);
    check(&[&wrong[..], &[Send(100)]].concat(), 9_800, Some("2026-12-01T00:00:00Z"));
    // A dead battery: the clock begins in 1970, and is set right in a moment.
    check(&[Send(9_000), Jump("1970-01-01T00:00:00Z"), Restart, Jump("2026-11-21T00:00:00Z")], 9_000, None);
    // By a second, and over the end of a month.
    let second = [
        Send(9_950),
        Run("2026-12-01T00:00:00Z"),
        Send(5),
        Jump("2026-11-30T23:59:59Z"),
        Run("2026-12-01T00:00:00Z"),
    ];
    check(&second, 5, None);
}

#[test]
fn nothing_is_counted_twice_whatever_the_clock_does() {
    let jumps =
        ["2026-12-05T00:00:00Z", "2026-11-20T13:00:00Z", "2025-01-01T00:00:00Z", "2026-11-21T00:00:00Z"];
    let script: Vec<_> = jumps.iter().flat_map(|jump| [Jump(jump), Send(100), Restart]).collect();
    let told = Told::new("2026-11-20T12:00:00Z").after(&script);
    let all: DataMoved = told.data.by_quarter().values().copied().sum();
    assert_eq!(all, sent(400_000_000));
}

#[test]
fn each_cap_counts_its_direction_and_is_told_as_it_was() {
    let moved = |sent: u64, received: u64| DataMoved {
        sent_bytes: sent * GB / 10,
        received_bytes: received * GB / 10,
    };
    let caps = |sent_gb, received_gb, both_gb| DataCaps { sent_gb, received_gb, both_gb, month_day: 1 };
    let now = at("2026-11-20T12:00:00Z");
    let trip = |caps: &DataCaps, moved: DataMoved| {
        let mut data = DataUse::default();
        data.count(moved, now);
        data.look(Some(caps), &TimeZone::UTC, now);
        data.tripped(now).map(|held| held.trip.clone())
    };
    let told = |direction, used: u64, gb: u64| {
        Some(Trip::DataCap { direction, used_bytes: used * GB / 10, cap_bytes: gb * GB })
    };
    assert_eq!(trip(&caps(Some(2), Some(9), None), moved(19, 80)), told(DataDirection::Sent, 19, 2));
    assert_eq!(trip(&caps(Some(2), Some(9), None), moved(18, 89)), told(DataDirection::Received, 89, 9));
    assert_eq!(trip(&caps(Some(2), Some(9), Some(10)), moved(18, 81)), told(DataDirection::Both, 99, 10));
    assert_eq!(trip(&caps(Some(2), Some(9), Some(10)), moved(18, 79)), None);

    let mut data = DataUse::default();
    data.count(moved(0, 95), now);
    let both = caps(Some(2), Some(9), None);
    data.look(Some(&both), &TimeZone::UTC, now);
    // More moves, and another cap is reached too: it is no news.
    data.count(moved(50, 5), now.after(LOOK_INTERVAL));
    data.look(Some(&both), &TimeZone::UTC, now.after(LOOK_INTERVAL));
    let held = data.tripped(now.after(LOOK_INTERVAL)).unwrap();
    assert_eq!((held.since, Some(held.trip.clone())), (now, told(DataDirection::Received, 95, 9)));
    // A higher cap counts at once, and none does too.
    data.look(Some(&caps(None, Some(11), None)), &TimeZone::UTC, now.after(LOOK_INTERVAL));
    assert_eq!(data.tripped(now.after(LOOK_INTERVAL)), None);
    data.look(None, &TimeZone::UTC, now.after(2 * LOOK_INTERVAL));
    assert_eq!((data.tripped(now), data.look_again_at(None)), (None, None));
}

#[test]
fn another_day_for_the_month_counts_at_once() {
    let mut told =
        Told::new("2026-11-10T12:00:00Z").after(&[Send(9_000), Run("2026-11-20T12:00:00Z"), Send(950)]);
    assert!(told.data.tripped(told.now).is_some());
    told.data.look(Some(&DataCaps { month_day: 15, ..CAPS }), &TimeZone::UTC, told.now);
    assert_eq!((told.megabytes(), told.data.tripped(told.now)), (950, None));
    told.look();
    assert_eq!(told.megabytes(), 9_950);
}

#[test]
fn work_is_taken_only_where_there_is_room_for_it_beside_what_was_taken() {
    let told = Told::new("2026-11-10T12:00:00Z").after(&[Send(9_000)]);
    let room = |reserved| told.data.room(Some(&CAPS), sent(reserved));
    assert!(room(0).holds(sent(800_000_000)) && !room(0).holds(sent(800_000_001)));
    assert!(!room(1).holds(sent(800_000_000)));
    assert!(room(u64::MAX).holds(sent(0)) && !room(u64::MAX).holds(sent(1)));
    let one_way = DataCaps { sent_gb: Some(10), both_gb: None, ..CAPS };
    let huge = DataMoved { sent_bytes: 0, received_bytes: u64::MAX };
    assert!(told.data.room(Some(&one_way), sent(0)).holds(huge));
    assert!(told.data.room(None, sent(u64::MAX)).holds(huge));
    let need = data_need(120_000, 12_000);
    assert_eq!(need, DataMoved { sent_bytes: 13_000 + 6_000, received_bytes: 130_000 + 600 });
}

#[test]
fn the_pace_of_the_month_tells_when_a_cap_is_reached() {
    let reached_at = |script: &[Do]| {
        let told = Told::new("2026-11-01T00:00:00Z").after(script);
        told.data.reached_at(Some(&CAPS), told.now)
    };
    // 4.9 of the 9.8 that count in ten days: the rest takes ten days more.
    assert_eq!(reached_at(&[Send(4_900), Run("2026-11-11T00:00:00Z")]), Some(at("2026-11-21T00:00:00Z")));
    // Too little is known, it is not reached this month, or it is reached already.
    assert_eq!(reached_at(&[Send(4_900), Run("2026-11-01T23:59:00Z")]), None);
    assert_eq!(reached_at(&[Send(3_000), Run("2026-11-11T00:00:00Z")]), None);
    assert_eq!(reached_at(&[Send(9_900), Run("2026-11-11T00:00:00Z")]), None);
    assert_eq!(reached_at(&[Run("2026-11-11T00:00:00Z")]), None);
    // From when it was first counted, not from when the month began.
    let later = [Run("2026-11-06T00:00:00Z"), Send(4_900), Run("2026-11-11T00:00:00Z")];
    assert_eq!(reached_at(&later), Some(at("2026-11-16T00:00:00Z")));
}
