//! What a runtime is doing, as seen by who asked for it.

use lull_types::BenchmarkReport;
use tokio::sync::{mpsc, oneshot, watch};

use super::{Exit, RuntimeError};
use crate::{RunOutcome, RuntimeEvent};

/// Progress that nobody has read yet. What does not fit is dropped: a reader that is late wants the newest
/// state, and a runtime that floods must not fill the memory.
pub(super) const PROGRESS_KEPT_MAX: usize = 64;

/// How a benchmark or a run ended.
pub(super) type End<T> = oneshot::Sender<Result<T, RuntimeError>>;

macro_rules! activity {
    ($(#[$doc:meta])* $name:ident -> $outcome:ty, $(#[$outcome_doc:meta])*) => {
        $(#[$doc])*
        ///
        /// Dropping it cancels.
        #[derive(Debug)]
        pub struct $name {
            events: mpsc::Receiver<RuntimeEvent>,
            ended: oneshot::Receiver<Result<$outcome, RuntimeError>>,
            exit: watch::Receiver<Option<Exit>>,
        }

        impl $name {
            pub(super) fn new(
                events: mpsc::Receiver<RuntimeEvent>,
                ended: oneshot::Receiver<Result<$outcome, RuntimeError>>,
                exit: watch::Receiver<Option<Exit>>,
            ) -> Self {
                Self { events, ended, exit }
            }

            /// The next progress event; `None` once it has ended. Safe to cancel.
            pub async fn progress(&mut self) -> Option<RuntimeEvent> {
                self.events.recv().await
            }

            $(#[$outcome_doc])*
            ///
            /// Waits for the end; progress that was not read is dropped.
            pub async fn outcome(mut self) -> Result<$outcome, RuntimeError> {
                self.events.close();
                match (&mut self.ended).await {
                    Ok(result) => result,
                    Err(_) => Err(exited(self.exit.clone()).await.reason),
                }
            }
        }
    };
}

activity! {
    /// A benchmark that is being run. Its progress is [`RuntimeEvent::BenchmarkProgress`] and
    /// [`RuntimeEvent::Measured`].
    Benchmarking -> BenchmarkReport,
    /// All that was measured. A benchmark that failed or was cancelled is
    /// [`RuntimeError::BenchmarkFailed`] with the runtime's fault.
}

activity! {
    /// A task that is being run. Its progress is [`RuntimeEvent::RunProgress`].
    Running -> RunOutcome,
    /// How the run ended, also when that was a fault of the task or of the device.
}

/// Waits until the process is gone.
pub(super) async fn exited(mut exit: watch::Receiver<Option<Exit>>) -> Exit {
    match exit.wait_for(Option::is_some).await {
        Ok(exit) => exit.clone(),
        Err(_) => None,
    }
    // The supervisor is gone without a word: the tokio runtime is shutting down, and the child is killed as
    // it is dropped.
    .unwrap_or(Exit { status: None, reason: RuntimeError::Killed })
}

/// Why the process is gone, or is about to be.
pub(super) fn reason(exit: &watch::Receiver<Option<Exit>>) -> RuntimeError {
    exit.borrow().as_ref().map_or(RuntimeError::Killed, |exit| exit.reason.clone())
}
