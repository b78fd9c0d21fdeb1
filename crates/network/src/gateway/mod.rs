//! The gateway: workers' connections over iroh.
//!
//! A worker's connection carries one session stream and a few blob streams. iroh has authenticated the worker's
//! key before a connection comes here; everything that it says afterwards is a stranger's word. What a stranger
//! can cost is bounded: handshakes under way, connections in all and from one address, messages a second, the
//! size of each, the bytes that may lie unread, and the time to say something.

mod blob_stream;
mod hub;
mod rate;
mod session;
mod timing;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{Incoming, IncomingAddr, QuicTransportConfig, VarInt, presets};
use iroh::{Endpoint, RelayMode, SecretKey};
use lull_models::Library;
use lull_network_api::{ALPN, NetworkTicket};
use lull_types::{AssignmentId, BlobHash, Coded, Fault, NetworkId, WorkerId};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::blobs::Blobs;
use crate::engine::Input;
pub use hub::Hub;
use rate::AddressRates;
pub use timing::time;

/// Connections at once: at about 108 KB each they take less than half a gigabyte.
const CONNECTIONS_MAX: usize = 4096;
/// Handshakes at once; each is a signature and a key exchange, some hundred microseconds of a core.
const HANDSHAKES_MAX: usize = 256;
/// From this many handshakes under way on, an address must first prove that it receives what is sent to it.
const HANDSHAKES_UNPROVEN_MAX: usize = 32;
/// A handshake takes three round trips; the longest of those, over satellite, takes under a second.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// The session stream and eight blob streams: a worker moves the inputs of one task and the outputs of another.
const STREAMS_MAX: u32 = 9;
/// Unread bytes of one connection, which are the memory that it can hold: 20 MB/s at a round trip of 50 ms.
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// Unread bytes of one stream: two may fill the connection's window, so that a session is not starved by a blob.
const STREAM_WINDOW_BYTES: u32 = 512 * 1024;
/// A connection that says nothing for this long is gone. iroh itself sends a beat every five seconds, for the
/// sake of NATs, and offers no longer interval.
const IDLE_TIMEOUT_MS: u32 = 30_000;

/// Why the network closed a connection; QUIC application error codes of [`ALPN`].
pub mod close_code {
    /// The service stops.
    pub const STOPPING: u32 = 1;
    /// The same worker has a newer session.
    pub const REPLACED: u32 = 2;
    /// Something was said that is no message of this protocol, or not in its place.
    pub const MALFORMED: u32 = 3;
    /// Nothing was said in time, or what was sent was not read.
    pub const TOO_SLOW: u32 = 4;
    /// Too many connections.
    pub const BUSY: u32 = 5;
}

/// The gateway cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The socket cannot be bound.
    #[error("cannot listen for workers on {address}: {reason}; is another network running there?")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: String,
    },
}

impl Coded for GatewayError {
    fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "gateway_cannot_listen",
        }
    }
}

/// An assignment that is open, and the blobs that its worker may fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenAssignment {
    /// Its id.
    pub id: AssignmentId,
    /// Its payload, and the inputs that the payload names.
    pub blobs: Vec<BlobHash>,
}

/// The engine, as the connections see it.
pub trait EnginePort: Send + Sync + 'static {
    /// Tells the engine what happened, and waits while it has too much to do.
    fn tell(&self, input: Input) -> impl Future<Output = ()> + Send;

    /// Tells the engine of a blob that a worker put, and waits until that is stored durably.
    fn blob_stored(
        &self,
        worker: WorkerId,
        hash: BlobHash,
        bytes: u64,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// The worker's open assignments.
    fn open_assignments(
        &self,
        worker: WorkerId,
    ) -> impl Future<Output = Result<Vec<OpenAssignment>, Fault>> + Send;
}

/// Where the gateway listens and what it tells workers.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Addresses for the ticket besides those found here, for a network behind a router.
    pub advertise: Vec<SocketAddr>,
}

/// A bound endpoint with its sessions.
#[derive(Debug)]
pub struct Gateway {
    endpoint: Endpoint,
    hub: Arc<Hub>,
    advertise: Vec<SocketAddr>,
}

impl Gateway {
    /// Binds the endpoint of the network with this key.
    pub async fn bind(key: &lull_types::SecretKey, config: &GatewayConfig) -> Result<Self, GatewayError> {
        let fail = |reason: String| GatewayError::Bind { address: config.listen, reason };
        let transport = QuicTransportConfig::builder()
            .max_concurrent_bidi_streams(VarInt::from_u32(STREAMS_MAX))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .datagram_receive_buffer_size(None)
            .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
            .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
            .max_idle_timeout(Some(VarInt::from_u32(IDLE_TIMEOUT_MS).into()))
            .build();
        let endpoint = Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(&key.to_bytes()))
            .alpns(vec![ALPN.to_vec()])
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .transport_config(transport)
            .clear_ip_transports()
            .bind_addr(config.listen)
            .map_err(|error| fail(error.to_string()))?
            .bind()
            .await
            .map_err(|error| fail(format!("{error:#}")))?;
        Ok(Self { endpoint, hub: Arc::new(Hub::default()), advertise: config.advertise.clone() })
    }

    /// The open sessions.
    pub fn hub(&self) -> Arc<Hub> {
        self.hub.clone()
    }

    /// How workers find this network.
    pub fn ticket(&self) -> NetworkTicket {
        let mut addresses = self.advertise.clone();
        for bound in self.endpoint.bound_sockets() {
            if bound.ip().is_unspecified() {
                addresses.extend(self.endpoint.addr().ip_addrs().copied());
                let loopback: std::net::IpAddr = match bound {
                    SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                    SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                };
                addresses.push(SocketAddr::new(loopback, bound.port()));
            } else {
                addresses.push(bound);
            }
        }
        let mut seen = std::collections::HashSet::new();
        addresses.retain(|address| seen.insert(*address));
        NetworkTicket { id: NetworkId(*self.endpoint.id().as_bytes()), addresses, relay: None }
    }

    /// Serves connections until it is cancelled; then closes them and waits until they are gone.
    pub async fn run<E: EnginePort>(
        self,
        (blobs, models): (Arc<Blobs>, Library),
        engine: Arc<E>,
        cancel: CancellationToken,
    ) {
        let tracker = TaskTracker::new();
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut addresses = AddressRates::default();
        loop {
            let incoming = tokio::select! {
                () = cancel.cancelled() => break,
                incoming = self.endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else { break };
            if let Some(address) = ip(&incoming)
                && !addresses.allows(address, std::time::Instant::now())
            {
                incoming.ignore();
                continue;
            }
            let under_way = HANDSHAKES_MAX - handshakes.available_permits();
            if under_way >= HANDSHAKES_UNPROVEN_MAX && !incoming.remote_addr_validated() {
                // An error says that the address is proven already, which was asked just before.
                let _ = incoming.retry();
                continue;
            }
            let (Ok(handshake), Ok(place)) =
                (handshakes.clone().try_acquire_owned(), connections.clone().try_acquire_owned())
            else {
                incoming.refuse();
                continue;
            };
            let shared = session::Shared {
                hub: self.hub.clone(),
                blobs: blobs.clone(),
                models: models.clone(),
                engine: engine.clone(),
            };
            tracker.spawn(async move {
                let connection =
                    tokio::time::timeout(HANDSHAKE_TIMEOUT, async { incoming.accept().ok()?.await.ok() })
                        .await;
                drop(handshake);
                if let Ok(Some(connection)) = connection {
                    session::serve(connection, shared).await;
                }
                drop(place);
            });
        }
        self.hub.close_all(close_code::STOPPING, b"the network is stopping");
        tracker.close();
        // A connection that does not end when closed is ended with the endpoint.
        let _ = tokio::time::timeout(HANDSHAKE_TIMEOUT, tracker.wait()).await;
        self.endpoint.close().await;
    }
}

fn ip(incoming: &Incoming) -> Option<std::net::IpAddr> {
    match incoming.remote_addr() {
        IncomingAddr::Ip(address) => Some(address.ip()),
        // A relay speaks for many.
        _ => None,
    }
}
