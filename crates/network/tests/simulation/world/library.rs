//! What every blob of the simulation is worth.

use std::collections::{BTreeMap, BTreeSet};

use lull_types::BlobHash;

use crate::network::Quality;

/// What blobs are worth.
#[derive(Default)]
pub struct Library {
    pub quality: BTreeMap<BlobHash, Quality>,
    pub poison: BTreeSet<BlobHash>,
}

impl Library {
    pub fn quality(&self, outputs: &[BlobHash]) -> Quality {
        outputs.first().map_or(Quality::Wrong, |output| self.quality[output])
    }

    pub fn is_poison(&self, payload: BlobHash) -> bool {
        self.poison.contains(&payload)
    }

    pub fn right_of(&self, payload: BlobHash) -> BlobHash {
        BlobHash::of(format!("right {payload}").as_bytes())
    }

    pub fn note(&mut self, text: &str, quality: Quality) -> BlobHash {
        let hash = BlobHash::of(text.as_bytes());
        self.quality.insert(hash, quality);
        hash
    }
}
