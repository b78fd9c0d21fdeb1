//! What the app knows of the worker now, and how a command reaches it.

use std::sync::Arc;
use std::time::Duration;

use lull_types::{Coded, Fault};
use lull_worker_api::transport::Client;
use lull_worker_api::{Command, Reply, Snapshot};
use tokio::sync::watch;
use tokio::time::timeout;

/// How long a command may wait for a worker that is just being started. Its start finds devices, which takes
/// seconds where a driver has to be woken.
const START_PATIENCE: Duration = Duration::from_secs(15);

/// The state of the connection.
#[derive(Clone, Debug)]
pub enum LinkState {
    /// Nothing is known yet.
    Starting,
    /// The worker is gone or cannot be reached; it is being started again.
    Lost(Fault),
    /// Connected.
    Live {
        /// The connection.
        client: Client,
        /// The newest snapshot.
        snapshot: Arc<Snapshot>,
    },
}

/// The connection, shared by the tray, the window's commands and the supervisor.
#[derive(Clone, Debug)]
pub struct Link {
    state: watch::Receiver<LinkState>,
}

impl Link {
    /// The end of the supervisor's `state` that is listened at.
    pub fn new(state: watch::Receiver<LinkState>) -> Self {
        Self { state }
    }

    /// The newest snapshot while the worker is there.
    pub fn snapshot(&self) -> Option<Arc<Snapshot>> {
        match &*self.state.borrow() {
            LinkState::Live { snapshot, .. } => Some(Arc::clone(snapshot)),
            LinkState::Starting | LinkState::Lost(_) => None,
        }
    }

    /// Sends a command. Waits for a worker that is being started for the first time; one that is lost is a
    /// fault at once.
    pub async fn command(&self, command: Command) -> Result<Reply, Fault> {
        let mut state = self.state.clone();
        // Cloned out of the guard at once, which must not be held while the worker is waited for.
        let known = async {
            let known = state.wait_for(|state| !matches!(state, LinkState::Starting)).await;
            known.map_or(LinkState::Starting, |known| known.clone())
        };
        let known = timeout(START_PATIENCE, known).await.unwrap_or(LinkState::Starting);
        match known {
            LinkState::Live { client, .. } => client.command(command).await.map_err(|error| error.fault()),
            LinkState::Lost(fault) => Err(fault),
            LinkState::Starting => {
                Err(Fault::new("worker_starting", "The worker is still starting. Try again in a moment."))
            }
        }
    }
}
