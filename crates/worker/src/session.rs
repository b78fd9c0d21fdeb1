//! A worker's connection to its network: iroh over QUIC, authenticated on both ends by their keys.
//!
//! The network may be hostile. Frames are capped and parsed strictly, blobs are capped and checked against
//! their hash, everything has a bound in time, and everything can be cancelled.

mod blob;
mod challenge;
mod link;
mod meter;
mod opening;
mod shift;

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use iroh::endpoint::{BindOpts, Connection, QuicTransportConfig, VarInt, presets};
use iroh::{Endpoint, EndpointAddr, RelayMode, RelayUrl, TransportAddr};
use lull_network_api::{ALPN, FrameError, NetworkTicket};
use lull_types::{Coded, SecretKey};
use tokio::sync::OnceCell;

pub use blob::{BlobFailure, get_blob, put_blob};
pub use challenge::ChallengeStream;
pub use link::{Link, LinkEvent};
pub use meter::Meter;
pub use shift::{RequestsEnd, ShiftReplies, ShiftRequests, ShiftStream};

/// A network within reach answers in well under a second; this covers a sleeping access point and a relay.
const DIAL_TIMEOUT: Duration = Duration::from_secs(15);

/// Below the 30 s after which either end takes the connection for lost, and as rare as that allows. iroh keeps
/// each network path alive every 5 s on its own account.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Streams that the network may have open: a challenge or a shift for each device, of which mining frames hold a dozen, and
/// as many again that are ending while the next begin.
const OPENED_MAX: u32 = 32;

/// A session cannot be had, or broke.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// This machine gives no socket.
    #[error("this machine gives no network socket: {0}; check whether a firewall blocks Lull")]
    NoSocket(String),
    /// The network cannot be reached.
    #[error("the network cannot be reached: {0}; Lull tries again by itself")]
    Unreachable(String),
    /// The ticket cannot be used.
    #[error("the network's ticket names an address that cannot be used: {0}; ask for a new ticket")]
    BadTicket(String),
    /// The connection ended.
    #[error("the connection to the network ended: {0}")]
    Lost(String),
    /// What came is no message, or none that belongs there.
    #[error("the network sent something that makes no sense, so the connection was closed: {0}")]
    Garbled(FrameError),
    /// The network does not read.
    #[error("the network takes no more messages, so the connection was closed")]
    NotReading,
}

impl Coded for SessionError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSocket(_) => "no_socket",
            Self::Unreachable(_) => "network_unreachable",
            Self::BadTicket(_) => "ticket_unusable",
            Self::Lost(_) => "network_lost",
            Self::Garbled(_) => "network_garbled",
            Self::NotReading => "network_not_reading",
        }
    }
}

/// A reading fault as the fault of a session: an end is an end, anything else is garbage.
fn reading_failed(error: FrameError) -> SessionError {
    match error {
        FrameError::Closed => SessionError::Lost("the network closed it".to_owned()),
        FrameError::Io(error) => SessionError::Lost(error.to_string()),
        error @ (FrameError::TooLarge { .. } | FrameError::Malformed(_)) => SessionError::Garbled(error),
    }
}

/// Where a network is, as seen from this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// On it, and reached without leaving it: nobody's provider sees that.
    Here,
    /// Anywhere else. What goes there is counted.
    Elsewhere,
}

impl Place {
    /// A network that may also be reached from elsewhere is taken to be there.
    fn of(ticket: &NetworkTicket) -> Self {
        let all_here = ticket.addresses.iter().all(|address| address.ip().to_canonical().is_loopback());
        if all_here && ticket.relay.is_none() { Self::Here } else { Self::Elsewhere }
    }
}

/// This worker's endpoints, one for each place. Bound with the first session there, so that a worker that is off holds no
/// socket. Clones share them.
#[derive(Clone, Debug)]
pub struct Dialer {
    key: SecretKey,
    here: Arc<OnceCell<Endpoint>>,
    elsewhere: Arc<OnceCell<Endpoint>>,
    meter: Meter,
}

impl Dialer {
    /// An endpoint under the device key. It announces nothing, and nobody can connect to it.
    pub fn new(key: SecretKey) -> Self {
        Self { key, here: Arc::default(), elsewhere: Arc::default(), meter: Meter::default() }
    }

    /// Counts what goes elsewhere.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    async fn endpoint(&self, place: Place) -> Result<&Endpoint, SessionError> {
        match place {
            Place::Here => self.here.get_or_try_init(|| self.bind(place)).await,
            Place::Elsewhere => {
                let endpoint = self.elsewhere.get_or_try_init(|| self.bind(place)).await?;
                self.meter.attach(endpoint);
                Ok(endpoint)
            }
        }
    }

    async fn bind(&self, place: Place) -> Result<Endpoint, SessionError> {
        let no_socket = |error: &dyn std::fmt::Display| SessionError::NoSocket(error.to_string());
        let transport = QuicTransportConfig::builder()
            .keep_alive_interval(KEEP_ALIVE)
            .max_concurrent_bidi_streams(VarInt::from_u32(OPENED_MAX))
            .max_concurrent_uni_streams(VarInt::from_u32(0))
            .build();
        let mut builder = Endpoint::builder(presets::Minimal)
            .secret_key(iroh::SecretKey::from_bytes(&self.key.to_bytes()))
            .relay_mode(RelayMode::Disabled)
            .clear_address_lookup()
            .transport_config(transport);
        if place == Place::Here {
            // Sockets that cannot reach another machine, so that iroh finds no other way there.
            let v6 = BindOpts::default().set_is_required(false);
            builder = builder
                .clear_ip_transports()
                .bind_addr((Ipv4Addr::LOCALHOST, 0))
                .and_then(|builder| builder.bind_addr_with_opts((Ipv6Addr::LOCALHOST, 0), v6))
                .map_err(|error| no_socket(&error))?;
        }
        builder.bind().await.map_err(|error| no_socket(&error))
    }

    /// Dials a network. Whoever answers has proven to hold the ticket's key.
    ///
    /// # Errors
    /// [`SessionError`]; within fifteen seconds.
    pub async fn dial(&self, ticket: &NetworkTicket) -> Result<Connection, SessionError> {
        let place = Place::of(ticket);
        let connection = self.dial_in(place, ticket).await?;
        if place == Place::Elsewhere {
            self.meter.follow(&connection);
        }
        Ok(connection)
    }

    async fn dial_in(&self, place: Place, ticket: &NetworkTicket) -> Result<Connection, SessionError> {
        let address = address(ticket)?;
        let endpoint = self.endpoint(place).await?;
        match tokio::time::timeout(DIAL_TIMEOUT, endpoint.connect(address, ALPN)).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(SessionError::Unreachable(error.to_string())),
            Err(_) => {
                let waited = format!("nobody answered within {} s", DIAL_TIMEOUT.as_secs());
                Err(SessionError::Unreachable(waited))
            }
        }
    }

    /// Closes every connection and the socket.
    pub async fn close(self) {
        for endpoint in [&self.here, &self.elsewhere].into_iter().filter_map(|endpoint| endpoint.get()) {
            endpoint.close().await;
        }
    }
}

fn address(ticket: &NetworkTicket) -> Result<EndpointAddr, SessionError> {
    let id = iroh::EndpointId::from_bytes(&ticket.id.0)
        .map_err(|error| SessionError::BadTicket(error.to_string()))?;
    let mut addresses: Vec<_> = ticket.addresses.iter().copied().map(TransportAddr::Ip).collect();
    if let Some(relay) = &ticket.relay {
        let relay: RelayUrl = relay.parse().map_err(|_| SessionError::BadTicket(relay.clone()))?;
        addresses.push(TransportAddr::Relay(relay));
    }
    if addresses.is_empty() {
        return Err(SessionError::BadTicket("it names none".to_owned()));
    }
    Ok(EndpointAddr::from_parts(id, addresses))
}

#[cfg(test)]
#[path = "session/tests.rs"]
mod tests;
