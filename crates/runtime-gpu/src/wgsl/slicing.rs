//! How many workgroups to submit at once, so that the desktop stays smooth. Pure.

use std::time::Duration;

/// No submission may take longer: over 100 ms a desktop visibly stutters.
pub const SLICE_MAX: Duration = Duration::from_millis(100);
/// What every device can dispatch along one side.
pub const SLICE_WORKGROUPS_MAX: u32 = 65_535;
/// A slice grows at most by this factor: work may differ from workgroup to workgroup.
const GROWTH_MAX: f64 = 4.0;
/// A single workgroup may take too long this often in a row: the first time something else may have had the GPU.
const LONG_SINGLES_MAX: u32 = 3;

/// Sizes the slices of one entry point.
#[derive(Clone, Debug)]
pub struct Slicer {
    target: Duration,
    next: u32,
    long_singles: u32,
    is_first: bool,
}

impl Slicer {
    /// Starts with a small slice; how long a workgroup takes is not known. `has_run` tells whether the entry point has
    /// run before.
    pub fn new(target_ms: u32, has_run: bool) -> Self {
        let target = Duration::from_millis(u64::from(target_ms).max(1)).min(SLICE_MAX);
        Self { target, next: 1, long_singles: 0, is_first: !has_run }
    }

    /// How many of the `left` workgroups to submit.
    pub fn next(&self, left: u32) -> u32 {
        self.next.min(left)
    }

    /// Learns from a slice. `Err` holds the time of a workgroup that takes too long by itself, again and again.
    pub fn took(&mut self, workgroups: u32, time: Duration) -> Result<(), Duration> {
        // In the first slice many drivers finish compiling, so that a long one says nothing of the task.
        if std::mem::take(&mut self.is_first) && time > SLICE_MAX {
            return Ok(());
        }
        if workgroups == 1 && time > SLICE_MAX {
            self.long_singles += 1;
            if self.long_singles >= LONG_SINGLES_MAX {
                return Err(time);
            }
        } else {
            self.long_singles = 0;
        }
        let growth = self.target.as_secs_f64() / time.as_secs_f64().max(1e-6);
        let next = f64::from(workgroups) * growth.min(GROWTH_MAX);
        // A last slice that was cut short says nothing against the size before it.
        let floor = if growth >= 1.0 { self.next } else { 1 };
        self.next = (next as u32).max(floor).clamp(1, SLICE_WORKGROUPS_MAX);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a dispatch whose workgroups take `us` microseconds each, and tells the longest slice and their number.
    fn simulate(slicer: &mut Slicer, workgroups: u32, us: u64) -> (Duration, u32) {
        let (mut left, mut longest, mut slices) = (workgroups, Duration::ZERO, 0);
        while left > 0 {
            let count = slicer.next(left);
            assert!((1..=left.min(SLICE_WORKGROUPS_MAX)).contains(&count));
            let time = Duration::from_micros(50 + us * u64::from(count));
            slicer.took(count, time).unwrap();
            longest = longest.max(time);
            left -= count;
            slices += 1;
        }
        (longest, slices)
    }

    #[test]
    fn slices_reach_the_target_and_stay_below_the_bound() {
        for us in [0, 1, 10, 1_000, 20_000] {
            let (longest, slices) = simulate(&mut Slicer::new(30, false), 200_000, us);
            assert!(longest <= Duration::from_millis(31), "{us} µs: {longest:?}");
            let at_best = 200_000u64.div_ceil((30_000u64.checked_div(us)).unwrap_or(65_535).clamp(1, 65_535));
            assert!(u64::from(slices) <= at_best * 11 / 10 + 12, "{us} µs: {slices} slices");
        }
    }

    #[test]
    fn a_slice_shrinks_when_workgroups_get_slower() {
        let mut slicer = Slicer::new(30, false);
        simulate(&mut slicer, 10_000, 10);
        let large = slicer.next(u32::MAX);
        slicer.took(large, Duration::from_millis(300)).unwrap();
        assert!(slicer.next(u32::MAX) <= large / 9);
    }

    #[test]
    fn a_workgroup_that_is_too_long_by_itself_is_told() {
        let mut slicer = Slicer::new(30, false);
        let long = Duration::from_millis(101);
        assert_eq!(slicer.took(1, long), Ok(()), "the driver may have compiled");
        assert_eq!(slicer.took(1, long), Ok(()));
        assert_eq!(slicer.took(1, long), Ok(()));
        assert_eq!(slicer.took(1, long), Err(long));

        let mut slicer = Slicer::new(30, false);
        for _ in 0..10 {
            slicer.took(1, long).unwrap();
            slicer.took(1, Duration::from_millis(99)).unwrap();
        }
    }

    #[test]
    fn the_target_is_kept_within_the_bound() {
        assert_eq!(Slicer::new(0, false).target, Duration::from_millis(1));
        assert_eq!(Slicer::new(5000, false).target, SLICE_MAX);
    }
}
