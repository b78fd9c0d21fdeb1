//! What is here of a model, given to somebody else.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bao_tree::io::EncodeError;
use bao_tree::io::outboard::PostOrderOutboard;
use bao_tree::io::sync::encode_ranges_validated;
use lull_types::BlobHash;

use super::{Hold, Inner};
use crate::disk::Kind;
use crate::error::LibraryError;
use crate::groups::{Groups, Segment, tree};
use crate::shelf::State;

/// A model, or the verified part of one, open for reading. It stays as long as this lives.
#[derive(Debug)]
pub(crate) struct Lent {
    data: File,
    outboard: PostOrderOutboard<File>,
    /// The length of the model.
    pub bytes: u64,
    /// What is here of it.
    pub groups: Groups,
    /// Dropped last, when the files that may be removed then are closed.
    hold: Hold,
}

impl Inner {
    /// Blocking.
    pub fn lend(self: &Arc<Self>, hash: BlobHash) -> Result<Lent, LibraryError> {
        let (hold, bytes, groups) = {
            let mut shelf = self.shelf();
            let entry = match shelf.get(hash) {
                Some(entry) if !entry.is_leaving => entry,
                _ => return Err(LibraryError::Missing(hash)),
            };
            let bytes = entry.bytes;
            let groups = match &entry.state {
                State::Whole(_) => None,
                State::Damaged => return Err(LibraryError::Damaged(hash)),
                State::Part { written, .. } if written.is_empty() => {
                    return Err(LibraryError::Missing(hash));
                }
                State::Part { written, .. } => Some(written.clone()),
            };
            (self.hold(&mut shelf, hash), bytes, groups)
        };
        let data = match &groups {
            None if self.is_unchanged(hash)? => File::open(self.folder.path(hash, Kind::Whole))?,
            None => return Err(LibraryError::Damaged(hash)),
            Some(_) => match File::open(self.folder.path(hash, Kind::Part)) {
                // It has become whole just now.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    File::open(self.folder.path(hash, Kind::Whole))?
                }
                opened => opened?,
            },
        };
        let outboard = PostOrderOutboard {
            root: hash.0.into(),
            tree: tree(bytes),
            data: File::open(self.folder.path(hash, Kind::Outboard))?,
        };
        self.used(hash);
        Ok(Lent { hold, data, outboard, bytes, groups: groups.unwrap_or_else(|| Groups::all(bytes)) })
    }
}

impl Lent {
    /// A segment with the hashes that prove it, checked before it is given. Blocking.
    pub fn encode(&self, segment: Segment) -> Result<Vec<u8>, LibraryError> {
        let mut encoded = Vec::new();
        let done = encode_ranges_validated(&self.data, &self.outboard, &segment.chunks(), &mut encoded);
        match done {
            Ok(()) => Ok(encoded),
            Err(EncodeError::Io(error)) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            // The file is shorter than it was, or does not fit its hashes.
            Err(_) => {
                self.hold.inner.found_damaged(self.hold.hash, segment);
                Err(LibraryError::Damaged(self.hold.hash))
            }
        }
    }
}

impl Inner {
    /// A whole model is not used any more; of a part, the segment is forgotten and fetched again.
    fn found_damaged(&self, hash: BlobHash, segment: Segment) {
        {
            let mut shelf = self.shelf();
            let Some(entry) = shelf.get_mut(hash) else { return };
            if let State::Part { written, durable } = &mut entry.state {
                tracing::warn!(%hash, "some of a part of a model is damaged on this disk and is forgotten");
                written.remove(&segment.groups());
                durable.remove(&segment.groups());
                return;
            }
        }
        self.note_damaged(hash);
    }
}
