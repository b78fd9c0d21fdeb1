//! Challenges that the network has begun and the machine has not decided on yet.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::machine::ChallengeId;
use crate::session::ChallengeStream;

/// Cheap to clone; clones share what is kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenges {
    last: Arc<AtomicU64>,
    streams: Arc<Mutex<HashMap<ChallengeId, ChallengeStream>>>,
}

impl Challenges {
    /// Keeps a stream until the machine has decided.
    pub fn keep(&self, stream: ChallengeStream) -> ChallengeId {
        let id = ChallengeId(self.last.fetch_add(1, Ordering::Relaxed));
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).insert(id, stream);
        id
    }

    /// Takes a stream out.
    pub fn take(&self, challenge: ChallengeId) -> Option<ChallengeStream> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner).remove(&challenge)
    }
}
