//! A list of prices of power, from an address or a file that somebody else writes.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use lull_guards::TimeZone;
use lull_guards::tariff::{Course, parse};
use lull_types::{FACTOR_ONE, PriceSource, Tariff};

const DAY: Duration = Duration::from_secs(24 * 3600);

fuzz_target!(|bytes: &[u8]| {
    let Ok(list) = parse(bytes) else { return };
    let prices = list.prices();
    assert!(prices.iter().all(|price| price.from <= price.until));
    assert!(prices.windows(2).all(|pair| pair[0].from < pair[1].from && pair[0].until <= pair[1].from));
    let tariff = Tariff::Listed {
        source: PriceSource::File { path: "/prices".to_owned() },
        factor_millionths: FACTOR_ONE,
        added_micro_per_kwh: 0,
        fallback_micro_per_kwh: 0,
    };
    if list.check(&tariff).is_err() {
        return;
    }
    // What is listed at its start is what the course says then, and no mean is beyond all prices.
    let (least, most) = prices
        .iter()
        .fold((0, 0), |(least, most), price| (price.micro_per_kwh.min(least), price.micro_per_kwh.max(most)));
    for price in prices.iter().take(4) {
        let course = Course::new(&tariff, Some(&list), &TimeZone::UTC, price.from);
        assert_eq!(course.at(price.from).micro_per_kwh, price.micro_per_kwh);
        assert!((least..=most).contains(&course.mean(price.from, DAY)));
    }
});
