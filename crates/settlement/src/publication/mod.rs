//! The file in which an epoch is published, so that anyone can check it and make proofs from it.
//!
//! All integers are big-endian; nothing is optional and nothing may follow.
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | `lull/ep` and the format's version, the byte 1 |
//! | 8 | 32 | the network's id |
//! | 40 | 32 | the address of the program on the chain |
//! | 72 | 8 | the epoch's number |
//! | 80 | 8 | n, the number of leaves, at most 2²⁴ |
//! | 88 | 8 | the sum of all lifetimes, in base units |
//! | 96 | 32 | the root |
//! | 128 | 72 n | leaves, ascending by worker, then wallet: worker 32, wallet 32, lifetime 8 |
//! | 128 + 72 n | 32 | SHA-256 of everything before |
//!
//! The file is untrusted: it is read once, in pieces, in memory that does not grow with it. That it is sound
//! says that it agrees with itself. Whoever wants to know that it is the network's compares
//! [`Header::root`] with the root on the chain.

mod error;
mod read;
mod write;

use lull_types::BaseUnits;

use crate::epoch::{Anchor, Hash};

pub use error::PublicationError;
pub use read::{Entry, check, of_worker, prove, read};
pub use write::write;

const MAGIC: [u8; 8] = *b"lull/ep\x01";
const HEADER_BYTES: usize = 128;
const LEAF_BYTES: usize = 72;

/// What a published epoch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose epoch it is, and where it is anchored.
    pub anchor: Anchor,
    /// Its number.
    pub epoch: u64,
    /// How many leaves it has.
    pub leaves: u64,
    /// The sum of all lifetimes.
    pub total: BaseUnits,
    /// The root over the leaves.
    pub root: Hash,
}

impl Header {
    fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..40].copy_from_slice(&self.anchor.network().0);
        bytes[40..72].copy_from_slice(self.anchor.program());
        bytes[72..80].copy_from_slice(&self.epoch.to_be_bytes());
        bytes[80..88].copy_from_slice(&self.leaves.to_be_bytes());
        bytes[88..96].copy_from_slice(&self.total.0.to_be_bytes());
        bytes[96..].copy_from_slice(&self.root);
        bytes
    }
}

#[cfg(test)]
mod tests;
