//! How long to wait before the worker is started again.

use std::time::Duration;

/// A worker that dies now and then should be back before anyone minds.
const FIRST: Duration = Duration::from_millis(500);

/// A worker that cannot start must not heat the machine with its attempts.
const LONGEST: Duration = Duration::from_secs(60);

/// Doubles with every failure, up to a minute.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Backoff {
    /// One that has seen no failure.
    pub fn new() -> Self {
        Self { next: FIRST }
    }

    /// How long to wait after this failure.
    pub fn after_failure(&mut self) -> Duration {
        let wait = self.next;
        self.next = (wait * 2).min(LONGEST);
        wait
    }

    /// The worker has been well for long enough that the next failure is a new one.
    pub fn forget(&mut self) {
        self.next = FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_never_over_a_minute() {
        let mut backoff = Backoff::new();
        let waits: Vec<u128> = (0..9).map(|_| backoff.after_failure().as_millis()).collect();
        assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
        backoff.forget();
        assert_eq!(backoff.after_failure(), FIRST);
    }
}
