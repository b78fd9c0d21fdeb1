//! Which workers are connected, and how to speak to them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use iroh::endpoint::{Connection, VarInt};
use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, WorkerId};
use tokio::sync::mpsc;

use super::{OpenAssignment, close_code};
use crate::engine::SessionId;

/// Messages that wait for one worker. After a long absence a worker is sent every receipt that it lacks; one
/// that leaves more than this unread does not read.
const OUTBOX_MAX: usize = 65_536;
/// Bytes that a worker may put for one assignment: its outputs twice, since an upload may break and be repeated.
const PUT_BYTES_MAX: u64 = 2 * lull_types::wgsl::limits::OUTPUT_BYTES_TOTAL_MAX;

#[derive(Debug)]
struct Session {
    id: SessionId,
    outbox: mpsc::Sender<NetworkMessage>,
    connection: Connection,
}

/// The open sessions: at most one for a worker, the newest.
#[derive(Debug, Default)]
pub struct Hub {
    next: AtomicU64,
    sessions: Mutex<HashMap<WorkerId, Session>>,
    /// Bytes put for each open assignment. Survives the session, so that reconnecting renews nothing.
    put_bytes: Mutex<HashMap<WorkerId, HashMap<AssignmentId, u64>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // The maps are whole between statements, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// Makes `connection` the worker's session and closes the one before.
    pub(super) fn open(
        &self,
        worker: WorkerId,
        connection: Connection,
    ) -> (SessionId, mpsc::Receiver<NetworkMessage>) {
        let id = SessionId(self.next.fetch_add(1, Ordering::Relaxed));
        let (outbox, receiver) = mpsc::channel(OUTBOX_MAX);
        let before = lock(&self.sessions).insert(worker, Session { id, outbox, connection });
        if let Some(before) = before {
            before
                .connection
                .close(VarInt::from_u32(close_code::REPLACED), b"this worker has connected again");
        }
        (id, receiver)
    }

    /// Forgets a session, unless a newer one has taken its place.
    pub(super) fn closed(&self, worker: WorkerId, session: SessionId) {
        let mut sessions = lock(&self.sessions);
        if sessions.get(&worker).is_some_and(|open| open.id == session) {
            sessions.remove(&worker);
        }
    }

    /// Sends a message on a session, if it is still open. That it arrives is not promised.
    pub fn send(&self, worker: WorkerId, session: SessionId, message: NetworkMessage) {
        let sessions = lock(&self.sessions);
        let Some(session) = sessions.get(&worker).filter(|open| open.id == session) else { return };
        if session.outbox.try_send(message).is_err() {
            session
                .connection
                .close(VarInt::from_u32(close_code::TOO_SLOW), b"too many messages are waiting");
        }
    }

    /// The connection of a session, if it is still open.
    pub fn connection(&self, worker: WorkerId, session: SessionId) -> Option<Connection> {
        let sessions = lock(&self.sessions);
        sessions.get(&worker).filter(|open| open.id == session).map(|open| open.connection.clone())
    }

    /// Closes a session, if it is still open.
    pub fn close(&self, worker: WorkerId, session: SessionId, code: u32, reason: &[u8]) {
        if let Some(session) = lock(&self.sessions).get(&worker).filter(|open| open.id == session) {
            session.connection.close(VarInt::from_u32(code), reason);
        }
    }

    /// Closes all sessions.
    pub(super) fn close_all(&self, code: u32, reason: &[u8]) {
        for session in lock(&self.sessions).values() {
            session.connection.close(VarInt::from_u32(code), reason);
        }
    }

    /// Open sessions.
    pub fn count(&self) -> usize {
        lock(&self.sessions).len()
    }

    /// Books `bytes` that a worker wants to put on one of its open assignments. `false` when none has room.
    pub(super) fn charge_put(&self, worker: WorkerId, open: &[OpenAssignment], bytes: u64) -> bool {
        let mut all = lock(&self.put_bytes);
        if open.is_empty() {
            all.remove(&worker);
            return false;
        }
        let charged = all.entry(worker).or_default();
        charged.retain(|id, _| open.iter().any(|assignment| assignment.id == *id));
        for assignment in open {
            let sum = charged.entry(assignment.id).or_default();
            if let Some(after) = sum.checked_add(bytes).filter(|after| *after <= PUT_BYTES_MAX) {
                *sum = after;
                return true;
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn puts_are_bounded_for_each_assignment() {
        let hub = Hub::default();
        let worker = WorkerId([1; 32]);
        let open = |n: u8| OpenAssignment {
            id: AssignmentId::from_parts(lull_types::UnixMillis(1), &[n; 10]),
            blobs: Vec::new(),
        };
        let half = PUT_BYTES_MAX / 2;
        assert!(!hub.charge_put(worker, &[], 1), "nothing is open");
        assert!(hub.charge_put(worker, &[open(1)], half));
        assert!(hub.charge_put(worker, &[open(1)], half));
        assert!(!hub.charge_put(worker, &[open(1)], 1));
        assert!(hub.charge_put(worker, &[open(1), open(2)], half), "another one has room");
        assert!(!hub.charge_put(worker, &[open(1)], u64::MAX));
    }
}
