//! A model that is served, as seen by who asks it.

use tokio::sync::{mpsc, oneshot, watch};

use super::supervisor::Command;
use super::{Exit, RuntimeError, RuntimeProcess, activity};
use crate::{Ask, Serve, ServingEvent};

/// Events that nobody has read yet: the tokens of a few hundred slices of all sequences. A reader that is so late does not
/// read at all, or the runtime tells what it has not computed.
const EVENTS_KEPT_MAX: usize = 16 * 1024;

/// A model that a runtime serves. Dropping it ends that.
#[derive(Debug)]
pub struct Serving {
    commands: mpsc::UnboundedSender<Command>,
    events: mpsc::Receiver<ServingEvent>,
    ended: oneshot::Receiver<Result<(), RuntimeError>>,
    exit: watch::Receiver<Option<Exit>>,
}

impl RuntimeProcess {
    /// Has the runtime load its model and serve it, until [`RuntimeProcess::cancel`] or the returned handle is dropped.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn serve(&self, serve: Serve) -> Result<Serving, RuntimeError> {
        let (end, ended) = oneshot::channel();
        let (sender, events) = mpsc::channel(EVENTS_KEPT_MAX);
        self.send(Command::Serve { serve: Box::new(serve), events: sender, end })?;
        Ok(Serving { commands: self.commands.clone(), events, ended, exit: self.exit.clone() })
    }
}

impl Serving {
    /// The next event; `None` once it has ended. Safe to cancel.
    pub async fn event(&mut self) -> Option<ServingEvent> {
        self.events.recv().await
    }

    /// Asks the model. `number` must not be one that goes on. Events tell the rest.
    pub fn ask(&self, number: u64, ask: Ask) {
        // A closed channel means that the process is gone, which the end tells.
        let _ = self.commands.send(Command::Ask { number, ask: Box::new(ask) });
    }

    /// No longer wants an answer.
    pub fn drop_ask(&self, number: u64) {
        let _ = self.commands.send(Command::Drop { number });
    }

    /// Waits for the end; events that were not read are dropped.
    ///
    /// # Errors
    /// [`RuntimeError::ServingFailed`] with the runtime's fault, or what ended the process.
    pub async fn outcome(mut self) -> Result<(), RuntimeError> {
        self.events.close();
        match (&mut self.ended).await {
            Ok(result) => result,
            Err(_) => Err(activity::exited(self.exit.clone()).await.reason),
        }
    }
}
