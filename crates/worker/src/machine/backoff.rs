//! How long to wait before trying again.

use std::time::Duration;

/// Waits that double from `first` to `longest`, each spread by chance so that workers that lost the same network
/// do not come back in the same instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct BackOff {
    /// The first wait.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

/// Of a session: a home line that blinked is back within a second; a network that is down for hours is not
/// called more than once in two minutes by each worker.
pub(super) const SESSION: BackOff =
    BackOff { first: Duration::from_millis(500), longest: Duration::from_secs(120) };

/// Of a device that failed: a driver that was reset needs some seconds, one that was updated needs a restart.
pub(super) const DEVICE: BackOff =
    BackOff { first: Duration::from_secs(10), longest: Duration::from_secs(600) };

/// Of what fails on this machine, such as a full disk: a person must act, and sees the fault meanwhile.
pub(super) const LOCAL: BackOff = BackOff { first: Duration::from_secs(5), longest: Duration::from_secs(60) };

/// Of asking for work after handing it back, so that a task that nobody can do is not passed around hotly.
pub(super) const ASK: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(300) };

impl BackOff {
    /// The wait after so many failures in a row, at least 1: between half and the whole of
    /// `first × 2^(failures − 1)`, at most `longest`.
    pub fn wait(self, failures: u32, chance: &mut Chance) -> Duration {
        let doublings = failures.saturating_sub(1).min(31);
        let whole = self.first.saturating_mul(1 << doublings).min(self.longest);
        whole / 2 + (whole / 2).mul_f64(chance.fraction())
    }
}

/// A seeded sequence of chances: SplitMix64 (Steele, Lea, Flood 2014). It need not be hard to guess.
#[derive(Clone, Debug)]
pub(super) struct Chance(pub u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0, below 1.
    pub fn fraction(&mut self) -> f64 {
        // The upper 53 bits are as many as a double holds exactly.
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn waits_are_bounded_and_grow(seed: u64, failures in 1u32..200) {
            let wait = SESSION.wait(failures, &mut Chance(seed));
            prop_assert!(wait <= SESSION.longest);
            prop_assert!(wait >= SESSION.first / 2);
            // Two steps on, even the shortest wait is at least the longest of now, until the ceiling.
            let later = SESSION.wait(failures + 2, &mut Chance(seed ^ 1));
            prop_assert!(later >= wait.min(SESSION.longest / 2));
        }

        #[test]
        fn chances_lie_between_zero_and_one(seed: u64) {
            let mut chance = Chance(seed);
            for _ in 0..50 {
                let fraction = chance.fraction();
                prop_assert!((0.0..1.0).contains(&fraction));
            }
        }
    }
}
