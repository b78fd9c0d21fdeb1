//! Streams of shifts that the network has opened and no run has taken yet.
//!
//! The stream may come before the assignment, as they come on streams of their own, and before the run, as the model is
//! fetched first. So streams wait; but not for what is not run here, and not without bound.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lull_types::AssignmentId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::session::ShiftStream;

/// Streams that wait. There is one for each device; from there on the network opens more than it has given work.
const WAITING_MAX: usize = 16;

/// How long a stream may wait for its assignment. Both were sent at the same time, and a lost packet is sent again within
/// a second.
const UNKNOWN_MAX: Duration = Duration::from_secs(5);

/// Cheap to clone; clones share what waits. A stream that is dropped is reset.
#[derive(Debug)]
pub(super) struct Shifts<S = ShiftStream> {
    waiting: Arc<Mutex<HashMap<AssignmentId, (Instant, S)>>>,
    arrived: Arc<Notify>,
}

impl<S> Default for Shifts<S> {
    fn default() -> Self {
        Self { waiting: Arc::default(), arrived: Arc::default() }
    }
}

impl<S> Clone for Shifts<S> {
    fn clone(&self) -> Self {
        Self { waiting: Arc::clone(&self.waiting), arrived: Arc::clone(&self.arrived) }
    }
}

impl<S> Shifts<S> {
    /// Keeps a stream until it is taken. A newer one of the same assignment takes its place.
    pub fn keep(&self, assignment: AssignmentId, stream: S) {
        self.with(|waiting| {
            waiting.insert(assignment, (Instant::now(), stream));
            if waiting.len() > WAITING_MAX
                && let Some(oldest) = waiting.iter().min_by_key(|(_, (since, _))| *since).map(|(id, _)| *id)
            {
                waiting.remove(&oldest);
            }
        });
        self.arrived.notify_waiters();
    }

    /// Waits for the stream of an assignment and takes it.
    pub async fn take(&self, assignment: AssignmentId) -> S {
        loop {
            let arrived = self.arrived.notified();
            tokio::pin!(arrived);
            // Before looking, so that what comes in between is not missed.
            arrived.as_mut().enable();
            if let Some((_, stream)) = self.with(|waiting| waiting.remove(&assignment)) {
                return stream;
            }
            arrived.await;
        }
    }

    /// Drops the stream of an assignment that is over.
    pub fn forget(&self, assignment: AssignmentId) {
        drop(self.with(|waiting| waiting.remove(&assignment)));
    }

    /// Drops streams of assignments that are not to be done here.
    pub fn sweep(&self, is_work: impl Fn(AssignmentId) -> bool) {
        self.with(|waiting| waiting.retain(|id, (since, _)| since.elapsed() < UNKNOWN_MAX || is_work(*id)));
    }

    fn with<T>(&self, work: impl FnOnce(&mut HashMap<AssignmentId, (Instant, S)>) -> T) -> T {
        work(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> AssignmentId {
        AssignmentId::from_parts(lull_types::UnixMillis(1), &[n; 10])
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_waits_for_its_run_and_a_run_for_its_stream() {
        let shifts = Shifts::<&str>::default();
        shifts.keep(id(1), "one");
        shifts.keep(id(2), "two");
        assert_eq!(shifts.take(id(2)).await, "two");
        assert_eq!(shifts.take(id(1)).await, "one");
        let waits = tokio::spawn({
            let shifts = shifts.clone();
            async move { shifts.take(id(3)).await }
        });
        tokio::task::yield_now().await;
        shifts.keep(id(4), "four");
        shifts.keep(id(3), "three");
        assert_eq!(waits.await.unwrap(), "three");
        shifts.keep(id(4), "four again");
        assert_eq!(shifts.take(id(4)).await, "four again");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_run_here_does_not_wait_for_long_and_nothing_waits_without_bound() {
        let count = |shifts: &Shifts<u8>| shifts.with(|waiting| waiting.len());
        let shifts = Shifts::default();
        shifts.keep(id(1), 1);
        shifts.keep(id(2), 2);
        shifts.sweep(|_| false);
        assert_eq!(count(&shifts), 2, "the assignment may be on its way");
        tokio::time::advance(UNKNOWN_MAX).await;
        shifts.sweep(|assignment| assignment == id(2));
        assert_eq!(count(&shifts), 1);
        assert_eq!(shifts.take(id(2)).await, 2);
        shifts.keep(id(3), 3);
        shifts.forget(id(3));
        assert_eq!(count(&shifts), 0);
        for n in 0..100 {
            tokio::time::advance(Duration::from_millis(1)).await;
            shifts.keep(id(n), n);
        }
        assert_eq!(count(&shifts), WAITING_MAX);
        assert_eq!(shifts.take(id(99)).await, 99);
    }
}
