//! How much a customer may ask for within a minute. Pure: whoever calls brings the clock.
//!
//! There is a bucket for requests and one for tokens. A bucket holds a minute's worth and fills steadily; what is asked
//! for is taken from it. All that is kept of a bucket is when it will be full, as in the
//! [generic cell rate algorithm](https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm).
//!
//! How many tokens an answer has is known when it is there. An estimate is reserved before, and the difference settled
//! after; a bucket may then be in debt, which delays the next request.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use lull_types::CustomerId;

use crate::backend::Customer;

/// What a bucket holds: the limits are told as so much a minute.
const PERIOD: Duration = Duration::from_secs(60);
/// Customers that are kept before it is looked whose buckets are full, which tells no more than no bucket; some 100 kB.
const SWEEP_FROM: usize = 1024;

/// What there is not enough of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scarce {
    /// Requests.
    Requests,
    /// Tokens of prompts and answers.
    Tokens,
}

/// A customer has had what it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Of what.
    pub scarce: Scarce,
    /// How much it may have.
    pub per_minute: u32,
    /// When there is enough for the same request again.
    pub retry_after: Duration,
}

/// Where a bucket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// What it holds when it is full.
    pub per_minute: u32,
    /// What is in it.
    pub remaining: u32,
    /// In how long it is full.
    pub full_in: Duration,
}

/// Where a customer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Of requests.
    pub requests: Level,
    /// Of tokens.
    pub tokens: Level,
}

/// When a bucket is full.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    /// How long it takes for so much to flow in. Rounded down, so that a minute's worth fits a bucket.
    fn filling(units: u64, per_minute: u32) -> Duration {
        let nanos = PERIOD.as_nanos() * u128::from(units) / u128::from(per_minute.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Takes so much, or says how long to wait for it.
    fn take(&mut self, units: u64, per_minute: u32, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + Self::filling(units, per_minute).min(PERIOD);
        let missing = full_at.saturating_duration_since(now + PERIOD);
        if !missing.is_zero() {
            return Err(missing);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Takes what was used beyond what was taken, or puts back the rest.
    fn settle(&mut self, taken: u64, used: u64, per_minute: u32, now: Instant) {
        let settled = if used > taken {
            self.full_at.max(now).checked_add(Self::filling(used - taken, per_minute))
        } else {
            self.full_at.checked_sub(Self::filling(taken - used, per_minute))
        };
        // A clock that cannot count so far forgives the difference.
        self.full_at = settled.unwrap_or(self.full_at);
    }

    fn level(&self, per_minute: u32, now: Instant) -> Level {
        let full_in = self.full_at.saturating_duration_since(now);
        let filled = PERIOD.saturating_sub(full_in);
        let remaining = filled.as_nanos() * u128::from(per_minute) / PERIOD.as_nanos();
        Level { per_minute, remaining: u32::try_from(remaining).unwrap_or(per_minute), full_in }
    }
}

#[derive(Clone, Copy, Debug)]
struct Buckets {
    requests: Bucket,
    tokens: Bucket,
}

/// The buckets of all customers.
#[derive(Debug, Default)]
pub struct Limiter {
    customers: HashMap<CustomerId, Buckets>,
    sweep_at: usize,
}

impl Limiter {
    /// Takes a request.
    pub fn admit(&mut self, customer: &Customer, now: Instant) -> Result<(), Refusal> {
        let per_minute = customer.allowance.requests_per_minute.get();
        self.buckets(customer, now).requests.take(1, per_minute, now).map_err(|retry_after| Refusal {
            scarce: Scarce::Requests,
            per_minute,
            retry_after,
        })
    }

    /// Takes as many tokens as a request may come to, and tells how many were taken. A request for more than a minute's
    /// worth would never be served, so it is served when the bucket is full, and what it used is a debt.
    pub fn reserve(&mut self, customer: &Customer, tokens: u64, now: Instant) -> Result<u64, Refusal> {
        let per_minute = customer.allowance.tokens_per_minute.get();
        let tokens = tokens.min(u64::from(per_minute));
        let taken = self.buckets(customer, now).tokens.take(tokens, per_minute, now);
        taken.map(|()| tokens).map_err(|retry_after| Refusal {
            scarce: Scarce::Tokens,
            per_minute,
            retry_after,
        })
    }

    /// A request for which tokens were reserved has used so many.
    pub fn settle(&mut self, customer: &Customer, reserved: u64, used: u64, now: Instant) {
        let per_minute = customer.allowance.tokens_per_minute.get();
        self.buckets(customer, now).tokens.settle(reserved, used, per_minute, now);
    }

    /// Where the customer stands.
    pub fn standing(&self, customer: &Customer, now: Instant) -> Standing {
        let full = Bucket { full_at: now };
        let buckets =
            self.customers.get(&customer.id).copied().unwrap_or(Buckets { requests: full, tokens: full });
        let allowance = customer.allowance;
        Standing {
            requests: buckets.requests.level(allowance.requests_per_minute.get(), now),
            tokens: buckets.tokens.level(allowance.tokens_per_minute.get(), now),
        }
    }

    fn buckets(&mut self, customer: &Customer, now: Instant) -> &mut Buckets {
        if self.customers.len() >= self.sweep_at.max(SWEEP_FROM) {
            self.customers.retain(|_, it| it.requests.full_at > now || it.tokens.full_at > now);
            // Twice as many as are left, so that sweeping costs no more than what it sweeps up after.
            self.sweep_at = self.customers.len() * 2;
        }
        let full = Bucket { full_at: now };
        self.customers.entry(customer.id).or_insert(Buckets { requests: full, tokens: full })
    }
}

impl Standing {
    /// OpenAI's headers.
    pub fn headers(&self) -> [(&'static str, String); 6] {
        [
            ("x-ratelimit-limit-requests", self.requests.per_minute.to_string()),
            ("x-ratelimit-limit-tokens", self.tokens.per_minute.to_string()),
            ("x-ratelimit-remaining-requests", self.requests.remaining.to_string()),
            ("x-ratelimit-remaining-tokens", self.tokens.remaining.to_string()),
            ("x-ratelimit-reset-requests", written(self.requests.full_in)),
            ("x-ratelimit-reset-tokens", written(self.tokens.full_in)),
        ]
    }
}

/// A duration as OpenAI writes it: `0s`, `17ms`, `8.64s`, `1m30s`.
fn written(duration: Duration) -> String {
    // Rounded up: whoever waits for so long finds it full.
    let millis = duration.as_nanos().div_ceil(1_000_000);
    if (1..1000).contains(&millis) {
        return format!("{millis}ms");
    }
    let (minutes, millis) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    if minutes == 0 { format!("{seconds}s") } else { format!("{minutes}m{seconds}s") }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
