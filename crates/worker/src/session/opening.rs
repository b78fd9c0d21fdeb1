//! Streams that the network opens: each says first what it is for.

use std::time::Duration;

use iroh::endpoint::{Connection, VarInt};
use lull_network_api::{OPENING_FRAMES, Opening};
use tokio::time::timeout;

use super::{ChallengeStream, SessionError, ShiftStream};

/// Who opens a stream has something to say.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// Closed because it made no sense or nobody wants it any more.
pub(super) const BROKEN_OFF: VarInt = VarInt::from_u32(1);

/// A stream that the network has opened.
#[derive(Debug)]
pub(super) enum Opened {
    Challenge(ChallengeStream),
    Shift(ShiftStream),
}

impl Opened {
    /// Waits for the network to open one.
    ///
    /// # Errors
    /// When the connection ends. A stream that makes no sense is reset and passed over.
    pub async fn accept(connection: &Connection) -> Result<Self, SessionError> {
        loop {
            let (mut send, mut receive) =
                connection.accept_bi().await.map_err(|error| SessionError::Lost(error.to_string()))?;
            match timeout(OPENING_TIMEOUT, OPENING_FRAMES.read(&mut receive)).await {
                Ok(Ok(Opening::Challenge { device })) => {
                    return Ok(Self::Challenge(ChallengeStream::new(device, send, receive)));
                }
                Ok(Ok(Opening::Shift { assignment })) => {
                    return Ok(Self::Shift(ShiftStream::new(assignment, send, receive)));
                }
                Ok(Err(_)) | Err(_) => {
                    // Either fails only when the stream is gone already.
                    let _ = send.reset(BROKEN_OFF);
                    let _ = receive.stop(BROKEN_OFF);
                }
            }
        }
    }
}
