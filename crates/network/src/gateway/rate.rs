//! Token buckets: so much at once, so much a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Connections that one address may open at once: a school or an office behind one address, after a power cut.
const CONNECTIONS_BURST: f64 = 256.0;
/// And how many a second after that.
const CONNECTIONS_PER_SECOND: f64 = 16.0;
/// Addresses that are remembered. A flood from more addresses than that empties the table, not the memory.
const ADDRESSES_MAX: usize = 65_536;

/// One bucket. It starts full.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    tokens: f64,
    burst: f64,
    per_second: f64,
    filled_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub fn new(burst: f64, per_second: f64, now: Instant) -> Self {
        Self { tokens: burst, burst, per_second, filled_at: now }
    }

    fn fill(&mut self, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled_at).as_secs_f64();
        self.tokens = (self.tokens + seconds * self.per_second).min(self.burst);
        self.filled_at = now;
    }

    /// Takes a token if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        self.fill(now);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }

    /// Takes a token, and tells how long to wait before acting on it.
    pub fn take_later(&mut self, now: Instant) -> Duration {
        self.fill(now);
        self.tokens -= 1.0;
        Duration::from_secs_f64((-self.tokens / self.per_second).max(0.0))
    }

    fn is_full(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.tokens >= self.burst
    }
}

/// A bucket for the connections of each address.
#[derive(Debug, Default)]
pub struct AddressRates {
    buckets: HashMap<IpAddr, Bucket>,
}

impl AddressRates {
    /// Whether this address may open one more connection now.
    pub fn allows(&mut self, address: IpAddr, now: Instant) -> bool {
        if self.buckets.len() >= ADDRESSES_MAX && !self.buckets.contains_key(&address) {
            self.buckets.retain(|_, bucket| !bucket.is_full(now));
            if self.buckets.len() >= ADDRESSES_MAX {
                self.buckets.clear();
            }
        }
        self.buckets
            .entry(address)
            .or_insert_with(|| Bucket::new(CONNECTIONS_BURST, CONNECTIONS_PER_SECOND, now))
            .take(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(2.0, 10.0, start);
        assert!(bucket.take(start) && bucket.take(start) && !bucket.take(start));
        assert!(bucket.take(start + Duration::from_millis(100)));
        assert!(!bucket.take(start + Duration::from_millis(100)));
    }

    #[test]
    fn who_asks_too_often_waits() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1.0, 10.0, start);
        assert_eq!(bucket.take_later(start), Duration::ZERO);
        assert_eq!(bucket.take_later(start), Duration::from_millis(100));
        assert_eq!(bucket.take_later(start), Duration::from_millis(200));
    }

    #[test]
    fn one_address_does_not_use_up_anothers_share() {
        let now = Instant::now();
        let mut rates = AddressRates::default();
        let first = IpAddr::from([192, 0, 2, 1]);
        assert_eq!((0..1000).filter(|_| rates.allows(first, now)).count(), 256);
        assert!(rates.allows(IpAddr::from([192, 0, 2, 2]), now));
    }
}
