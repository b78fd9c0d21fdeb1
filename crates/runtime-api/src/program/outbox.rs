//! Where a runtime's events are written.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use lull_types::Fault;

use super::exit_now;
use crate::{FRAMES, FrameError, RuntimeEvent};

/// Where events are written. Shared, so that a panic can still be told.
#[derive(Clone)]
pub struct Outbox(Arc<Mutex<OutboxState>>);

struct OutboxState {
    target: Box<dyn Write + Send>,
    /// How the work in progress is told to have failed.
    failure: Option<fn(Fault) -> RuntimeEvent>,
}

impl Outbox {
    /// An outbox that writes to `target`.
    pub fn new(target: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(OutboxState { target: Box::new(target), failure: None })))
    }

    /// Writes an event.
    ///
    /// # Errors
    /// When the worker cannot be reached.
    pub fn send(&self, event: &RuntimeEvent) -> Result<(), FrameError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        FRAMES.write_blocking(&mut state.target, event)
    }

    /// How a failure of the work that begins is told by someone else than the work; none when it has ended.
    pub fn set_failure(&self, failure: Option<fn(Fault) -> RuntimeEvent>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).failure = failure;
    }

    /// Ends the work in progress, if any, with `fault`. For the panic hook, which must not wait for a lock that the
    /// panicking thread holds.
    fn fail_work(&self, fault: Fault) {
        let Ok(mut state) = self.0.try_lock() else { return };
        if let Some(failure) = state.failure.take() {
            // The process ends either way; the worker sees that if this does not reach it.
            let _ = FRAMES.write_blocking(&mut state.target, &failure(fault));
        }
    }
}

/// Lets a panic anywhere end the process, and tells it first. `fault` makes one of what the panic says.
pub fn tell_panics(outbox: Outbox, fault: fn(&str) -> Fault) {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        report(info);
        outbox.fail_work(fault(info.payload_as_str().unwrap_or("no message")));
        exit_now(5);
    }));
}
