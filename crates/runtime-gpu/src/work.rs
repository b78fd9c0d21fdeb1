//! What a piece of work is given: a way to tell events, to hear of a cancel, and to say what it waits for.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_types::DeviceKind;

/// How long a submission may take before the GPU is taken to hang. Slices aim at a third of 100 ms; a hundred times
/// that bound leaves room for a game that hogs the GPU, and is what drivers themselves wait at most.
pub const HANG_AFTER: Duration = Duration::from_secs(10);

/// How much longer a submission may take on a software device: its slices share the processor with everything else
/// that runs, and the first one of a kernel includes its compilation.
pub const SOFTWARE_PATIENCE: u32 = 6;

/// How long a driver may compile the shaders of one task. The largest of our own take a second on software.
pub const COMPILE_AFTER: Duration = Duration::from_secs(60);

/// How long drivers may take to load and list their devices. Some seconds where a laptop's GPU has to wake up.
pub const LOAD_AFTER: Duration = Duration::from_secs(60);

/// A stretch of work that a driver may never return from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Drivers load and list their devices.
    Load,
    /// The driver compiles shaders.
    Compile,
    /// The GPU runs what was submitted.
    Submission,
}

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

    /// How much of the time to work.
    pub fn set_pace(&self, percent: u8) {
        self.pace.store(percent.clamp(1, 100), Ordering::Relaxed);
    }

    /// How long to rest after work that took `time`.
    fn rest_after(&self, time: Duration) -> Duration {
        let pace = u32::from(self.pace.load(Ordering::Relaxed));
        time * (100 - pace) / pace
    }
}

/// The longest stretch of a rest: a cancel is noticed within it.
const REST_STRETCH: Duration = Duration::from_millis(10);

/// The step that the work thread is in, and when it is overdue. The protocol loop looks at it, as the work thread
/// itself may be stuck in the driver.
#[derive(Debug, Default)]
pub struct Pulse(Mutex<Option<(Step, Instant)>>);

impl Pulse {
    fn set(&self, step: Option<(Step, Instant)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = step;
    }

    /// The step that should have ended by `now`.
    pub fn overdue(&self, now: Instant) -> Option<Step> {
        let step = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        step.filter(|(_, deadline)| *deadline < now).map(|(step, _)| step)
    }
}

/// The surroundings of one piece of work.
pub struct Work {
    emit: Box<dyn Fn(RuntimeEvent) + Send>,
    controls: Arc<Controls>,
    pulse: Arc<Pulse>,
    hang_after: Duration,
    patience: Cell<u32>,
}

impl Work {
    /// Surroundings that tell events through `emit`.
    pub fn new(
        emit: impl Fn(RuntimeEvent) + Send + 'static,
        controls: Arc<Controls>,
        pulse: Arc<Pulse>,
        hang_after: Duration,
    ) -> Self {
        Self { emit: Box::new(emit), controls, pulse, hang_after, patience: Cell::new(1) }
    }

    /// Tells an event.
    pub fn emit(&self, event: RuntimeEvent) {
        (self.emit)(event);
    }

    /// Whether to stop at the next slice.
    pub fn is_cancelled(&self) -> bool {
        self.controls.cancelled.load(Ordering::Relaxed)
    }

    /// Rests after a slice that took `time`, if the pace asks for it, and tells how long it rested. Ends with a cancel.
    pub fn rest_after(&self, time: Duration) -> Duration {
        let began = Instant::now();
        while !self.is_cancelled() {
            let left = self.controls.rest_after(time).saturating_sub(began.elapsed());
            if left.is_zero() {
                break;
            }
            thread::sleep(left.min(REST_STRETCH));
        }
        began.elapsed()
    }

    /// How long a submission may take.
    pub fn hang_after(&self) -> Duration {
        self.hang_after * self.patience.get()
    }

    /// Allows for the kind of device that the next job is for.
    pub fn is_for(&self, device: DeviceKind) {
        self.patience.set(if device == DeviceKind::Software { SOFTWARE_PATIENCE } else { 1 });
    }

    /// Runs `f`, which may get stuck in the driver, under the eyes of the protocol loop.
    pub fn step<T>(&self, step: Step, f: impl FnOnce() -> T) -> T {
        let limit = match step {
            Step::Load => LOAD_AFTER,
            Step::Compile => COMPILE_AFTER,
            // Waiting has its own timeout, which gives the better error; this one is for drivers that ignore it.
            Step::Submission => self.hang_after() + self.hang_after() / 4,
        };
        self.pulse.set(Some((step, Instant::now() + limit)));
        let result = f();
        self.pulse.set(None);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_overdue_only_while_it_lasts() {
        let pulse = Arc::new(Pulse::default());
        let hang_after = Duration::from_millis(8);
        let work = Work::new(|_| (), Arc::default(), pulse.clone(), hang_after);
        work.step(Step::Submission, || {
            assert_eq!(pulse.overdue(Instant::now()), None);
            assert_eq!(pulse.overdue(Instant::now() + hang_after * 2), Some(Step::Submission));
        });
        assert_eq!(pulse.overdue(Instant::now() + hang_after * 2), None);
    }

    #[test]
    fn rests_are_as_long_as_the_pace_asks_and_end_with_a_cancel() {
        let controls = Controls::default();
        let slice = Duration::from_millis(30);
        let rest = |percent| {
            controls.set_pace(percent);
            controls.rest_after(slice).as_millis()
        };
        assert_eq!([100, 75, 50, 25].map(rest), [0, 10, 30, 90]);
        assert_eq!((rest(0), rest(255)), (2970, 0));

        let controls = Arc::new(Controls::default());
        let work = Work::new(|_| (), controls.clone(), Arc::default(), slice);
        assert!(work.rest_after(slice) < slice);
        controls.set_pace(50);
        assert!(work.rest_after(slice) >= slice);
        controls.set_pace(1);
        controls.set_cancelled(true);
        assert!(work.rest_after(Duration::from_secs(3600)) < Duration::from_secs(60));
    }
}
