//! Snapshots, as often as a window can use them and no more often.

use std::sync::Arc;
use std::time::Duration;

use lull_worker_api::Snapshot;
use tokio::sync::watch;
use tokio::time::Instant;

/// Ten a second look live, and cost a window nothing.
pub const PUBLISH_INTERVAL: Duration = Duration::from_millis(100);

/// Sends snapshots at least [`PUBLISH_INTERVAL`] apart. A change is never lost: the last one is sent when the
/// interval has passed.
#[derive(Debug)]
pub(super) struct Publisher {
    snapshots: Arc<watch::Sender<Arc<Snapshot>>>,
    sent_at: Instant,
    due: bool,
}

impl Publisher {
    pub fn new(first: Snapshot) -> Self {
        Self { snapshots: Arc::new(watch::Sender::new(Arc::new(first))), sent_at: Instant::now(), due: false }
    }

    /// For handles, which subscribe when somebody wants to watch.
    pub fn sender(&self) -> Arc<watch::Sender<Arc<Snapshot>>> {
        Arc::clone(&self.snapshots)
    }

    /// The last one sent.
    pub fn latest(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// Something changed.
    pub fn changed(&mut self) {
        self.due = true;
    }

    /// When [`Self::publish`] is to be called next; `None` while there is nothing to send.
    pub fn due_at(&self) -> Option<Instant> {
        self.due.then(|| self.sent_at + PUBLISH_INTERVAL)
    }

    /// Sends what is due.
    pub fn publish(&mut self, snapshot: Snapshot) {
        self.due = false;
        self.sent_at = Instant::now();
        self.snapshots.send_replace(Arc::new(snapshot));
    }
}
