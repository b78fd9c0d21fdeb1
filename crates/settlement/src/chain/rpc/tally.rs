//! How much is said over HTTP.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a question sends beside its text: headers, and its part of a TLS handshake, as if each had a connection of its own.
const SENT_BESIDE_BYTES: u64 = 2_000;

/// What an answer brings beside its text: the same, with a server's certificates.
const RECEIVED_BESIDE_BYTES: u64 = 8_000;

/// Bytes that questions and their answers took.
#[derive(Debug, Default)]
pub struct Tally {
    sent: AtomicU64,
    received: AtomicU64,
}

impl Tally {
    /// A question is asked.
    pub(super) fn asked(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64 + SENT_BESIDE_BYTES, Ordering::Relaxed);
        self.received.fetch_add(RECEIVED_BESIDE_BYTES, Ordering::Relaxed);
    }

    /// A piece of an answer has come.
    pub(super) fn heard(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// All that was sent and received, with an allowance for what is around each question.
    pub fn bytes(&self) -> (u64, u64) {
        (self.sent.load(Ordering::Relaxed), self.received.load(Ordering::Relaxed))
    }
}
