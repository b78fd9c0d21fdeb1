//! Shift streams: the network opens one for each shift that runs here.

use std::time::Duration;

use iroh::endpoint::{RecvStream, SendStream};
use lull_network_api::{FrameError, SHIFT_FRAMES, ShiftReply, ShiftRequest};
use lull_types::AssignmentId;
use tokio::time::timeout;

use super::opening::BROKEN_OFF;

/// Replies are small and the connection has room for many; a network that takes none for so long does not read.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what was said last may take to arrive: a few times the way there and back.
const END_TIMEOUT: Duration = Duration::from_secs(2);

/// A shift that the network has begun. Dropping it breaks it off.
#[derive(Debug)]
pub struct ShiftStream {
    /// The shift's.
    pub assignment: AssignmentId,
    /// What the network asks.
    pub requests: ShiftRequests,
    /// What it is told.
    pub replies: ShiftReplies,
}

impl ShiftStream {
    pub(super) fn new(assignment: AssignmentId, send: SendStream, receive: RecvStream) -> Self {
        Self { assignment, requests: ShiftRequests(receive), replies: ShiftReplies(send) }
    }
}

/// What ends a shift's requests.
#[derive(Debug, thiserror::Error)]
pub enum RequestsEnd {
    /// The network has no more.
    #[error("the network ended the shift")]
    Finished,
    /// The stream or its connection broke.
    #[error("the connection to the network ended: {0}")]
    Lost(String),
    /// What came is no request.
    #[error("the network sent something that makes no sense: {0}")]
    Garbled(FrameError),
}

/// The requests of a shift. Dropping them has the network send no more.
#[derive(Debug)]
pub struct ShiftRequests(RecvStream);

impl ShiftRequests {
    /// The next one, however long that takes. Not safe to cancel.
    ///
    /// # Errors
    /// The end, after which there is none.
    pub async fn next(&mut self) -> Result<ShiftRequest, RequestsEnd> {
        SHIFT_FRAMES.read(&mut self.0).await.map_err(|error| match error {
            FrameError::Closed => RequestsEnd::Finished,
            FrameError::Io(error) => RequestsEnd::Lost(error.to_string()),
            error @ (FrameError::TooLarge { .. } | FrameError::Malformed(_)) => RequestsEnd::Garbled(error),
        })
    }
}

impl Drop for ShiftRequests {
    fn drop(&mut self) {
        // It fails only when the stream is gone already.
        let _ = self.0.stop(BROKEN_OFF);
    }
}

/// The replies of a shift. Dropping them resets what has not arrived.
#[derive(Debug)]
pub struct ShiftReplies(SendStream);

impl ShiftReplies {
    /// Says one. `None` when the network does not take it.
    pub async fn say(&mut self, reply: &ShiftReply) -> Option<()> {
        timeout(REPLY_TIMEOUT, SHIFT_FRAMES.write(&mut self.0, reply)).await.ok()?.ok()
    }

    /// Says that there are no more, and waits a little until all have arrived.
    pub async fn end(mut self) {
        if self.0.finish().is_ok() {
            // Dropping it before they have arrived would reset it.
            let _ = timeout(END_TIMEOUT, self.0.stopped()).await;
        }
    }
}

impl Drop for ShiftReplies {
    fn drop(&mut self) {
        // It fails only when the stream is gone already, or has arrived whole.
        let _ = self.0.reset(BROKEN_OFF);
    }
}
