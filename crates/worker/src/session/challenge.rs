//! Challenge streams: the network opens one for each device that it wants to time.

use std::time::Duration;

use iroh::endpoint::{RecvStream, SendStream};
use lull_network_api::{CHALLENGE_REPLY_FRAMES, CHALLENGE_REQUEST_FRAMES, ChallengeReply, ChallengeRequest};
use lull_types::Fault;
use tokio::time::timeout;

use super::opening::BROKEN_OFF;

/// How long a network may take for its next request while it holds a device: it waits for the slowest device of
/// this machine to get ready.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(90);

/// Five megabytes at a megabit a second.
const REPLY_TIMEOUT: Duration = Duration::from_secs(60);

/// A challenge that the network has begun. Dropping it breaks it off.
#[derive(Debug)]
pub struct ChallengeStream {
    /// Device index.
    pub device: u32,
    send: SendStream,
    receive: RecvStream,
}

impl ChallengeStream {
    pub(super) fn new(device: u32, send: SendStream, receive: RecvStream) -> Self {
        Self { device, send, receive }
    }

    /// The next request; `None` when the network has no more, or takes too long.
    pub async fn next(&mut self) -> Option<ChallengeRequest> {
        timeout(REQUEST_TIMEOUT, CHALLENGE_REQUEST_FRAMES.read(&mut self.receive)).await.ok()?.ok()
    }

    /// Answers. `None` when the network does not take it.
    pub async fn reply(&mut self, reply: &ChallengeReply) -> Option<()> {
        timeout(REPLY_TIMEOUT, CHALLENGE_REPLY_FRAMES.write(&mut self.send, reply)).await.ok()?.ok()
    }

    /// Says why not, and ends it.
    pub async fn decline(mut self, fault: Fault) {
        if self.reply(&ChallengeReply::Declined(fault)).await.is_some() && self.send.finish().is_ok() {
            // Dropping it before it has arrived would reset it.
            let _ = timeout(REPLY_TIMEOUT, self.send.stopped()).await;
        }
    }

    fn reset(&mut self) {
        // Either fails only when the stream is gone already.
        let _ = self.send.reset(BROKEN_OFF);
        let _ = self.receive.stop(BROKEN_OFF);
    }
}

impl Drop for ChallengeStream {
    fn drop(&mut self) {
        self.reset();
    }
}
