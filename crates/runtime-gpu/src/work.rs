//! What a piece of work is given: a way to tell events, to hear of a cancel, and to say what it waits for.

use std::cell::Cell;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lull_runtime_api::RuntimeEvent;
use lull_runtime_api::program::Controls;
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
        self.controls.is_cancelled()
    }

    /// Rests after a slice that took `time`, if the pace asks for it, and tells how long it rested. Ends with a cancel.
    pub fn rest_after(&self, time: Duration) -> Duration {
        self.controls.rest_after(time)
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
}
