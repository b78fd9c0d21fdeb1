//! What a runtime is told while it works.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The longest stretch of a rest: a cancel is noticed within it.
const REST_STRETCH: Duration = Duration::from_millis(10);

/// What the protocol loop tells the work thread while it works.
#[derive(Debug)]
pub struct Controls {
    cancelled: AtomicBool,
    /// In per cent of the time.
    pace: AtomicU8,
}

impl Default for Controls {
    fn default() -> Self {
        Self { cancelled: AtomicBool::new(false), pace: AtomicU8::new(100) }
    }
}

impl Controls {
    /// Whether to stop at the next slice.
    pub fn set_cancelled(&self, cancelled: bool) {
        self.cancelled.store(cancelled, Ordering::Relaxed);
    }

    /// Whether to stop at the next slice.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// How much of the time to work.
    pub fn set_pace(&self, percent: u8) {
        self.pace.store(percent.clamp(1, 100), Ordering::Relaxed);
    }

    /// Rests after a slice that took `time`, if the pace asks for it, and tells how long it rested. Ends with a cancel.
    pub fn rest_after(&self, time: Duration) -> Duration {
        let began = Instant::now();
        while !self.is_cancelled() {
            let left = self.rest_wanted(time).saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(REST_STRETCH));
        }
        began.elapsed()
    }

    fn rest_wanted(&self, time: Duration) -> Duration {
        let pace = u32::from(self.pace.load(Ordering::Relaxed));
        time * (100 - pace) / pace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_are_as_long_as_the_pace_asks_and_end_with_a_cancel() {
        let controls = Controls::default();
        let slice = Duration::from_millis(30);
        let rest = |percent| {
            controls.set_pace(percent);
            controls.rest_wanted(slice).as_millis()
        };
        assert_eq!([100, 75, 50, 25].map(rest), [0, 10, 30, 90]);
        assert_eq!((rest(0), rest(255)), (2970, 0));

        assert!(controls.rest_after(slice) < slice);
        controls.set_pace(50);
        assert!(controls.rest_after(slice) >= slice);
        controls.set_pace(1);
        controls.set_cancelled(true);
        assert!(controls.rest_after(Duration::from_secs(3600)) < Duration::from_secs(60));
    }
}
