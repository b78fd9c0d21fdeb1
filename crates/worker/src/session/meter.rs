//! How much data the worker moves between this machine and others.
//!
//! What is counted is what iroh's sockets say: every datagram that left or came, those of attempts that failed and those
//! that were sent again included. Nothing tells what headers the system puts around a datagram, so that each is taken to
//! have the largest usual ones. Questions to a chain's endpoint go over HTTP and are counted by what they carry. What
//! network cards and providers put around IP packets is not counted, nor what the system's own resolver asks.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use iroh::Endpoint;
use iroh::endpoint::{Connection, ConnectionStats, WeakConnectionHandle};
use lull_settlement::chain::rpc::Tally;
use lull_types::DataMoved;

/// Headers of a datagram: 40 bytes of IPv6 and 8 of UDP. Those of IPv4 are 20 bytes less.
const HEADER_BYTES: u64 = 48;

/// The smallest datagram in which a handshake begins (RFC 9000, 14.1). What is sent outside of connections is little else.
const INITIAL_BYTES: u64 = 1200;

/// Datagrams that were sent, as connections count them.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    datagrams: u64,
    bytes: u64,
}

impl Sent {
    fn of(stats: &ConnectionStats) -> Self {
        Self { datagrams: stats.udp_tx.datagrams, bytes: stats.udp_tx.bytes }
    }

    fn plus(self, other: Self) -> Self {
        Self { datagrams: self.datagrams + other.datagrams, bytes: self.bytes + other.bytes }
    }
}

#[derive(Debug, Default)]
struct Connections {
    open: HashMap<u64, WeakConnectionHandle>,
    /// By those that are over.
    ended: Sent,
}

/// Counts what one endpoint and the HTTP beside it move. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    endpoint: Arc<OnceLock<Endpoint>>,
    connections: Arc<Mutex<Connections>>,
    last_id: Arc<AtomicU64>,
    http: Arc<Tally>,
}

impl Meter {
    /// Everything that this endpoint moves counts from now on.
    pub(super) fn attach(&self, endpoint: &Endpoint) {
        // There is one endpoint that counts, which is bound once.
        let _ = self.endpoint.set(endpoint.clone());
    }

    /// The datagrams of a connection of that endpoint are known one by one.
    pub(super) fn follow(&self, connection: &Connection) {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed);
        let handle = connection.weak_handle();
        let closed = handle.closed();
        self.connections().open.insert(id, handle);
        let meter = self.clone();
        tokio::spawn(async move {
            let last = closed.await;
            let mut connections = meter.connections();
            connections.open.remove(&id);
            if let Some(closed) = last {
                connections.ended = connections.ended.plus(Sent::of(&closed.stats));
            }
        });
    }

    /// What is asked over HTTP is counted here.
    pub fn http(&self) -> Arc<Tally> {
        Arc::clone(&self.http)
    }

    /// All that has moved since the process began. It may waver by some headers when a connection begins or ends.
    pub fn moved(&self) -> DataMoved {
        let (sent, received) = self.http.bytes();
        let http = DataMoved { sent_bytes: sent, received_bytes: received };
        let Some(endpoint) = self.endpoint.get() else { return http };
        let socket = &endpoint.metrics().socket;
        let bytes = socket.send_ipv4.get() + socket.send_ipv6.get() + socket.send_relay.get();
        let known = self.sent_by_connections();
        let others = bytes.saturating_sub(known.bytes).div_ceil(INITIAL_BYTES);
        let received = socket.recv_data_ipv4.get()
            + socket.recv_data_ipv6.get()
            + socket.recv_data_relay.get()
            + socket.recv_data_custom.get();
        http + DataMoved {
            sent_bytes: bytes + HEADER_BYTES * (known.datagrams + others),
            received_bytes: received + HEADER_BYTES * socket.recv_datagrams.get(),
        }
    }

    fn sent_by_connections(&self) -> Sent {
        let connections = self.connections();
        let open = connections.open.values().filter_map(WeakConnectionHandle::upgrade);
        open.map(|connection| Sent::of(&connection.stats())).fold(connections.ended, Sent::plus)
    }

    fn connections(&self) -> MutexGuard<'_, Connections> {
        // It stays consistent between any two statements that hold it.
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
