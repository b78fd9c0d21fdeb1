use super::*;
use lull_types::{FACTOR_ONE, PriceSource};
use proptest::prelude::*;

/// Central European time: forward at 2:00 on the last Sunday of March, back at 3:00 on that of October.
const CET: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
const ALL: u8 = (1 << 7) - 1;
const WEEKEND: u8 = 1 << 5 | 1 << 6;

fn at(text: &str) -> UnixMillis {
    millis(text.parse().unwrap())
}

fn band(days: u8, from: u16, to: u16, micro_per_kwh: i64) -> TariffBand {
    TariffBand { days, from_minute: from, to_minute: to, micro_per_kwh }
}

fn by_time(bands: Vec<TariffBand>) -> Tariff {
    Tariff::TimeOfUse { base_micro_per_kwh: 210, bands }
}

fn listed(factor_millionths: u32, added: i64) -> Tariff {
    Tariff::Listed {
        source: PriceSource::File { path: "/p".to_owned() },
        factor_millionths,
        added_micro_per_kwh: added,
        fallback_micro_per_kwh: 500,
    }
}

fn zone() -> TimeZone {
    TimeZone::posix(CET).unwrap()
}

/// The price at an instant, and the changes after it: instants in UTC, and prices.
fn check(tariff: &Tariff, list: Option<&PriceList>, now: &str, price: i64, changes: &[(&str, i64)]) {
    assert_eq!(tariff.check(), Ok(()));
    let course = Course::new(tariff, list, &zone(), at(now));
    assert_eq!(course.at(at(now)).micro_per_kwh, price, "at {now}");
    let told: Vec<_> = course.after(at(now)).map(|step| (step.from, step.micro_per_kwh)).collect();
    for (index, (from, price)) in changes.iter().enumerate() {
        assert_eq!(told.get(index), Some(&(at(from), *price)), "change {index} after {now}");
        // The course from there says the same.
        let then = Course::new(tariff, list, &zone(), at(from)).at(at(from));
        assert_eq!(then.micro_per_kwh, *price);
    }
}

#[test]
fn one_price_never_changes() {
    let course = Course::new(&Tariff::flat(210), None, &zone(), at("2026-12-01T12:00:00Z"));
    assert_eq!(course.at(at("2026-12-05T12:00:00Z")).micro_per_kwh, 210);
    assert_eq!(course.next_change(at("2026-12-01T12:00:00Z")), None);
    assert_eq!(course.mean(at("2026-12-01T12:00:00Z"), Duration::from_secs(86_400)), 210);
}

#[test]
fn nights_and_week_ends_have_prices_of_their_own() {
    // A Tuesday. Nights from 22:30 to 6:00, of week days; week ends whole, Friday's night before them.
    let nights = band(0b001_1111, 22 * 60 + 30, 6 * 60, 120);
    let week_end = band(WEEKEND, 8 * 60, 22 * 60, 90);
    let tariff = by_time(vec![nights, week_end]);
    check(
        &tariff,
        None,
        "2026-12-01T12:34:56.789Z",
        210,
        &[("2026-12-01T21:30:00Z", 120), ("2026-12-02T05:00:00Z", 210), ("2026-12-02T21:30:00Z", 120)],
    );
    check(
        &tariff,
        None,
        "2026-12-05T04:59:59.999Z",
        120,
        &[
            ("2026-12-05T05:00:00Z", 210),
            ("2026-12-05T07:00:00Z", 90),
            ("2026-12-05T21:00:00Z", 210),
            ("2026-12-06T07:00:00Z", 90),
            ("2026-12-06T21:00:00Z", 210),
            ("2026-12-07T21:30:00Z", 120),
        ],
    );
}

#[test]
fn bands_that_meet_at_the_same_price_are_no_change() {
    let tariff = by_time(vec![band(ALL, 0, 12 * 60, 90), band(ALL, 12 * 60, 24 * 60, 90)]);
    check(&tariff, None, "2026-12-01T12:00:00Z", 90, &[]);
    let course = Course::new(&tariff, None, &zone(), at("2026-12-01T12:00:00Z"));
    assert_eq!(course.next_change(at("2026-12-01T12:00:00Z")), None);
}

#[test]
fn the_clock_on_the_wall_counts_when_clocks_change() {
    // 2:00 is 3:00 on 29 March: a band from 2:00 to 3:00 is not there that night.
    let early = by_time(vec![band(ALL, 2 * 60, 3 * 60, 90)]);
    check(
        &early,
        None,
        "2026-03-28T20:00:00Z",
        210,
        &[("2026-03-30T00:00:00Z", 90), ("2026-03-30T01:00:00Z", 210)],
    );
    let across = by_time(vec![band(ALL, 2 * 60 + 30, 4 * 60, 90)]);
    check(
        &across,
        None,
        "2026-03-29T00:30:00Z",
        210,
        &[("2026-03-29T01:00:00Z", 90), ("2026-03-29T02:00:00Z", 210)],
    );
    // 3:00 is 2:00 again on 25 October: the same band holds twice, with a break where the minutes before it are repeated.
    check(
        &early,
        None,
        "2026-10-24T20:00:00Z",
        210,
        &[("2026-10-25T00:00:00Z", 90), ("2026-10-25T02:00:00Z", 210)],
    );
    let half = by_time(vec![band(ALL, 2 * 60 + 30, 3 * 60, 90)]);
    check(
        &half,
        None,
        "2026-10-24T20:00:00Z",
        210,
        &[
            ("2026-10-25T00:30:00Z", 90),
            ("2026-10-25T01:00:00Z", 210),
            ("2026-10-25T01:30:00Z", 90),
            ("2026-10-25T02:00:00Z", 210),
        ],
    );
}

#[test]
fn hours_that_are_not_listed_have_the_price_that_stands_in() {
    let list =
        parse(b"2026-12-01T12:00Z,0.0002\n2026-12-01T13:00Z,-0.0001\n2026-12-01T16:00Z,0.0002").unwrap();
    let tariff = listed(2 * FACTOR_ONE, 7);
    check(
        &tariff,
        Some(&list),
        "2026-12-01T11:00:00Z",
        500,
        &[
            ("2026-12-01T12:00:00Z", 407),
            ("2026-12-01T13:00:00Z", -193),
            ("2026-12-01T14:00:00Z", 500),
            ("2026-12-01T16:00:00Z", 407),
            ("2026-12-01T17:00:00Z", 500),
        ],
    );
    check(&tariff, Some(&list), "2026-12-01T13:30:00Z", -193, &[("2026-12-01T14:00:00Z", 500)]);
    check(&tariff, None, "2026-12-01T13:30:00Z", 500, &[]);
    let course = Course::new(&tariff, Some(&list), &zone(), at("2026-12-01T13:00:00Z"));
    let stands_in = |hour: &str| course.at(at(&format!("2026-12-01T{hour}:30:00Z"))).stands_in;
    assert_eq!((stands_in("13"), stands_in("14"), stands_in("16")), (false, true, false));
}

#[test]
fn a_mean_counts_each_price_for_its_time() {
    let tariff = by_time(vec![band(ALL, 22 * 60, 6 * 60, 120)]);
    let now = at("2026-12-01T12:00:00Z");
    let course = Course::new(&tariff, None, &zone(), now);
    // 16 hours at 210 and 8 at 120.
    assert_eq!(course.mean(now, Duration::from_secs(86_400)), 180);
    assert_eq!(course.mean(now, Duration::from_secs(3600)), 210);
    // 23 hours from Saturday noon: the night is an hour shorter.
    let spring = at("2026-03-28T11:00:00Z");
    let course = Course::new(&tariff, None, &zone(), spring);
    // 182.6, to the nearest.
    assert_eq!(course.mean(spring, Duration::from_secs(23 * 3600)), 183);
    let negative = Course::new(&Tariff::flat(-7), None, &zone(), now);
    assert_eq!(negative.mean(now, Duration::from_secs(3)), -7);
}

#[test]
fn a_course_is_asked_for_an_hour() {
    let now = at("2026-12-01T12:00:00Z");
    let course = Course::new(&Tariff::flat(1), None, &zone(), now);
    assert!(course.covers(now) && course.covers(UnixMillis(now.0 + 3_599_999)));
    assert!(!course.covers(UnixMillis(now.0 + 3_600_000)) && !course.covers(UnixMillis(now.0 - 1)));
    // Beyond all calendars.
    let far = Course::new(&by_time(vec![band(ALL, 60, 120, 1)]), None, &zone(), UnixMillis(u64::MAX));
    assert_eq!(far.next_change(UnixMillis(u64::MAX)), None);
}

proptest! {
    // Each looks at the ten thousand minutes of a week.
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The course is what looking at each minute would find.
    #[test]
    fn a_course_says_what_each_minute_says(
        bands in prop::collection::vec((1u8..128, 0u16..1440, 1u16..=1440, -5i64..5), 0..6),
        start in 1_740_000_000u64..1_800_000_000,
    ) {
        let bands: Vec<_> = bands.into_iter().map(|(days, from, to, price)| band(days, from, to, price)).collect();
        let tariff = by_time(bands);
        prop_assume!(tariff.check().is_ok());
        let Tariff::TimeOfUse { base_micro_per_kwh, bands } = &tariff else { unreachable!() };
        let now = UnixMillis(start * 1000);
        let course = Course::new(&tariff, None, &zone(), now);
        for minute in 0..7 * 1440 {
            let then = UnixMillis(now.0 + minute * 60_000);
            let expected = of_bands(bands, &zone(), then).unwrap_or(*base_micro_per_kwh);
            prop_assert_eq!(course.at(then).micro_per_kwh, expected);
        }
    }
}
