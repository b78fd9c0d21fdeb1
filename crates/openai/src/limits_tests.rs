use std::num::NonZeroU32;

use lull_types::UnixMillis;
use proptest::prelude::*;

use super::*;
use crate::backend::Allowance;

fn customer(number: u8, requests: u32, tokens: u32) -> Customer {
    Customer {
        id: CustomerId::from_parts(UnixMillis(0), &[number; 10]),
        allowance: Allowance {
            requests_per_minute: NonZeroU32::new(requests).unwrap(),
            tokens_per_minute: NonZeroU32::new(tokens).unwrap(),
        },
    }
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn requests_are_spread_over_the_minute() {
    // Requests a minute, then when each one comes (ms) and for how long it has to wait.
    type Step = (u64, Option<u64>);
    let tables: [(u32, &[Step]); 4] = [
        (1, &[(0, None), (0, Some(60_000)), (59_999, Some(1)), (60_000, None)]),
        (2, &[(0, None), (10, None), (20, Some(29_980)), (30_000, None), (30_001, Some(29_999))]),
        (60, &[(0, None), (0, None), (0, None)]),
        // A bucket that is full does not run over.
        (2, &[(600_000, None), (600_000, None), (600_000, Some(30_000))]),
    ];
    for (per_minute, steps) in tables {
        let (who, start) = (customer(1, per_minute, 1), Instant::now());
        let mut limiter = Limiter::default();
        for (at, wait) in steps {
            let admitted = limiter.admit(&who, start + ms(*at)).map_err(|refusal| refusal.retry_after);
            let expected = wait.map_or(Ok(()), |wait| Err(ms(wait)));
            assert_eq!(admitted, expected, "{per_minute} a minute, at {at} ms");
        }
    }
}

#[test]
fn a_minutes_worth_fits_whatever_it_is() {
    for per_minute in [1, 3, 7, 59, 61, 997] {
        let (who, now) = (customer(1, per_minute, 1), Instant::now());
        let mut limiter = Limiter::default();
        for taken in 1..=per_minute {
            assert_eq!(limiter.admit(&who, now), Ok(()), "{taken} of {per_minute}");
            assert_eq!(limiter.standing(&who, now).requests.remaining, per_minute - taken);
        }
        assert!(limiter.admit(&who, now).is_err(), "one more than {per_minute}");
    }
}

#[test]
fn what_was_not_used_is_put_back_and_what_was_used_is_owed() {
    let (who, now) = (customer(1, 100, 600), Instant::now());
    let mut limiter = Limiter::default();
    assert_eq!(limiter.reserve(&who, 400, now), Ok(400));
    let refusal = limiter.reserve(&who, 300, now).unwrap_err();
    assert_eq!((refusal.scarce, refusal.retry_after), (Scarce::Tokens, ms(10_000)));
    limiter.settle(&who, 400, 100, now);
    assert_eq!(limiter.standing(&who, now).tokens.remaining, 500);
    // More than a minute's worth is as much as a minute's worth, and is owed when it was used.
    assert_eq!(
        limiter.reserve(&who, 10_000, now + ms(9_999)),
        Err(Refusal { retry_after: ms(1), ..refusal })
    );
    assert_eq!(limiter.reserve(&who, 10_000, now + ms(10_000)), Ok(600));
    limiter.settle(&who, 600, 1_200, now + ms(10_000));
    let standing = limiter.standing(&who, now + ms(10_000)).tokens;
    assert_eq!((standing.remaining, standing.full_in), (0, ms(120_000)));
    assert_eq!(limiter.reserve(&who, 1, now + ms(70_000)).map_err(|it| it.retry_after), Err(ms(100)));
    assert_eq!(limiter.reserve(&who, 1, now + ms(70_100)), Ok(1));
}

#[test]
fn customers_do_not_share() {
    let (one, other, now) = (customer(1, 1, 1), customer(2, 1, 1), Instant::now());
    let mut limiter = Limiter::default();
    assert!(limiter.admit(&one, now).is_ok());
    assert!(limiter.admit(&one, now).is_err());
    assert!(limiter.admit(&other, now).is_ok());
}

#[test]
fn full_buckets_are_forgotten() {
    let start = Instant::now();
    let mut limiter = Limiter::default();
    for number in 0..10_000u64 {
        let mut who = customer(0, 60, 1);
        who.id = CustomerId::from_parts(UnixMillis(number), &[0; 10]);
        // One each second, and each bucket is full again after one.
        limiter.admit(&who, start + ms(number * 1_001)).unwrap();
        assert!(limiter.customers.len() <= SWEEP_FROM);
    }
}

#[test]
fn headers_are_openais() {
    let (who, now) = (customer(1, 60, 60_000), Instant::now());
    let mut limiter = Limiter::default();
    limiter.admit(&who, now).unwrap();
    limiter.reserve(&who, 90, now).unwrap();
    let told: Vec<String> = limiter.standing(&who, now).headers().map(|(_, value)| value).into();
    assert_eq!(told, ["60", "60000", "59", "59910", "1s", "90ms"]);
}

#[test]
fn durations_are_written_as_openai_does() {
    let table = [
        (0, "0s"),
        (17, "17ms"),
        (1_000, "1s"),
        (8_640, "8.64s"),
        (59_999, "59.999s"),
        (60_000, "1m0s"),
        (90_500, "1m30.5s"),
        (3_600_000, "60m0s"),
    ];
    for (millis, expected) in table {
        assert_eq!(written(ms(millis)), expected);
    }
    assert_eq!(written(Duration::from_nanos(1)), "1ms");
}

proptest! {
    /// From the start on, no more passes than was in the bucket and has flowed in; and whoever waits for as long as it
    /// was told to is let through.
    #[test]
    fn no_more_passes_than_flows_in(per_minute in 1u32..50, gaps in prop::collection::vec(0u64..5_000, 1..200)) {
        let (who, start) = (customer(1, per_minute, 1), Instant::now());
        let mut limiter = Limiter::default();
        let (mut passed_ms, mut at_ms) = (0, 0);
        for gap in gaps {
            at_ms += gap;
            if let Err(refusal) = limiter.admit(&who, start + ms(at_ms)) {
                at_ms += u64::try_from(refusal.retry_after.as_nanos().div_ceil(1_000_000)).unwrap();
                prop_assert_eq!(limiter.admit(&who, start + ms(at_ms)), Ok(()));
            }
            passed_ms += 60_000 / u64::from(per_minute);
            prop_assert!(passed_ms <= 60_000 + at_ms);
        }
    }

    /// Whatever is reserved and used, nothing panics, and levels stay within the bucket.
    #[test]
    fn settling_never_breaks(tokens in 1u32.., steps in prop::collection::vec((any::<u64>(), any::<u32>(), 0u64..10_000_000), 0..50)) {
        let (who, mut now) = (customer(1, 1, tokens), Instant::now());
        let mut limiter = Limiter::default();
        for (wanted, used, gap) in steps {
            now += ms(gap);
            if let Ok(reserved) = limiter.reserve(&who, wanted, now) {
                limiter.settle(&who, reserved, u64::from(used), now);
            }
            prop_assert!(limiter.standing(&who, now).tokens.remaining <= tokens);
        }
    }
}
