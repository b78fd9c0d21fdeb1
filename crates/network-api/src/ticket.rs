//! How a worker finds a network: its key and where it listens.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use lull_types::NetworkId;
use serde::{Deserialize, Serialize};

/// A network's key, addresses and name. Written as `lull1` and base 32, so that it can be pasted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkTicket {
    /// Its key; the connection is authenticated with it, so a false address leads nowhere.
    pub id: NetworkId,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// An iroh relay, for networks that are not directly reachable.
    pub relay: Option<String>,
}

/// A text is no ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a network's ticket; it starts with “lull1” and must be copied whole")]
pub struct TicketError;

impl lull_types::Coded for TicketError {
    fn code(&self) -> &'static str {
        "ticket_malformed"
    }
}

/// A ticket holds a key and a few addresses: 4 KiB is over ten times what is needed.
const TICKET_BYTES_MAX: usize = 4096;
const PREFIX: &str = "lull1";

impl fmt::Display for NetworkTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = postcard::to_stdvec(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", data_encoding::BASE32_NOPAD.encode(&bytes).to_ascii_lowercase())
    }
}

impl FromStr for NetworkTicket {
    type Err = TicketError;
    fn from_str(text: &str) -> Result<Self, TicketError> {
        let text = text.trim();
        if text.len() > TICKET_BYTES_MAX {
            return Err(TicketError);
        }
        let body = text.strip_prefix(PREFIX).ok_or(TicketError)?.to_ascii_uppercase();
        let bytes = data_encoding::BASE32_NOPAD.decode(body.as_bytes()).map_err(|_| TicketError)?;
        postcard::from_bytes(&bytes).map_err(|_| TicketError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_survives_being_written() {
        let ticket = NetworkTicket {
            id: NetworkId([3; 32]),
            addresses: vec!["127.0.0.1:4433".parse().unwrap(), "[::1]:4433".parse().unwrap()],
            relay: None,
        };
        assert_eq!(ticket.to_string().parse(), Ok(ticket.clone()));
        assert_eq!("lull1nonsense!".parse::<NetworkTicket>(), Err(TicketError));
        assert_eq!(ticket.to_string()[..40].parse::<NetworkTicket>(), Err(TicketError));
    }
}
