//! A model that is being fetched: nobody else fetches it, and what is verified of it is kept.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use bao_tree::io::BaoContentItem;
use bao_tree::io::outboard::PostOrderOutboard;
use bao_tree::io::sync::{OutboardMut, WriteAt};
use lull_types::BlobHash;

use super::{Inner, check_cap, check_length};
use crate::disk::{Kind, remove_if_there};
use crate::error::LibraryError;
use crate::groups::{GROUP_BYTES, Groups, footprint_bytes, outboard_bytes, tree};
use crate::record::{FileFacts, Record, RecordState};
use crate::shelf::State;

/// What became of the wish to fetch a model.
#[derive(Debug)]
pub(crate) enum Claimed {
    /// It is here.
    Whole,
    /// Go ahead.
    Missing(Arc<Claim>),
}

/// The right to fetch a model. It is shared by the transfer and its work on files, and ends with the last of them.
#[derive(Debug)]
pub(crate) struct Claim {
    inner: Arc<Inner>,
    hash: BlobHash,
    bytes: u64,
    has_files: AtomicBool,
}

impl Inner {
    /// Blocking. Nothing is removed for the model yet, but whether it can fit is looked at.
    pub fn claim(self: &Arc<Self>, hash: BlobHash, bytes: u64) -> Result<Claimed, LibraryError> {
        check_length(bytes)?;
        let _turn = self.disk();
        let is_whole =
            matches!(self.shelf().get(hash), Some(entry) if matches!(entry.state, State::Whole(_)));
        let is_unchanged = is_whole && self.is_unchanged(hash)?;
        let mut shelf = self.shelf();
        match shelf.get(hash) {
            None => {
                check_cap(&shelf, bytes)?;
                shelf.room_for(footprint_bytes(bytes))?;
                shelf.enter(hash, bytes, State::nothing(), false, SystemTime::now());
            }
            Some(entry) if entry.bytes != bytes => {
                return Err(LibraryError::OtherLength { hash, told: bytes, known: entry.bytes });
            }
            Some(_) if is_unchanged => return Ok(Claimed::Whole),
            Some(entry) if entry.is_claimed => return Err(LibraryError::FetchUnderway(hash)),
            // A damaged one is going to be replaced; a part may be read while it grows.
            Some(entry) if entry.holds > 0 && !matches!(entry.state, State::Part { .. }) => {
                return Err(LibraryError::Held(hash));
            }
            Some(_) => {}
        }
        if let Some(entry) = shelf.get_mut(hash) {
            entry.is_claimed = true;
        }
        let claim = Claim { inner: self.clone(), hash, bytes, has_files: AtomicBool::new(false) };
        Ok(Claimed::Missing(Arc::new(claim)))
    }
}

impl Claim {
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn root(&self) -> bao_tree::blake3::Hash {
        self.hash.0.into()
    }

    fn written(&self) -> Groups {
        match self.inner.shelf().get(self.hash).map(|entry| &entry.state) {
            Some(State::Whole(_)) => Groups::all(self.bytes),
            Some(State::Part { written, .. }) => written.clone(),
            Some(State::Damaged) | None => Groups::none(),
        }
    }

    /// What is still to come.
    pub fn missing(&self) -> Groups {
        Groups::all(self.bytes).difference(&self.written())
    }

    pub fn missing_bytes(&self) -> u64 {
        self.missing().bytes_of(self.bytes)
    }

    /// Makes room and opens the files. Blocking.
    pub fn begin(self: &Arc<Self>) -> Result<PartWriter, LibraryError> {
        let (inner, hash) = (&self.inner, self.hash);
        let turn = inner.disk();
        let (is_damaged, is_counted) = match inner.shelf().get(hash) {
            Some(entry) => (entry.state == State::Damaged, entry.is_counted),
            None => return Err(LibraryError::Missing(hash)),
        };
        if is_damaged {
            inner.folder.remove(hash)?;
            if let Some(entry) = inner.shelf().get_mut(hash) {
                entry.state = State::nothing();
            }
        }
        if !is_counted {
            inner.make_room(&turn, footprint_bytes(self.bytes), |shelf| {
                if let Some(entry) = shelf.get_mut(hash) {
                    entry.is_counted = true;
                }
            })?;
        }
        let missing_bytes = self.missing_bytes();
        if missing_bytes > 0 {
            inner.check_disk(missing_bytes + outboard_bytes(self.bytes))?;
        }
        self.has_files.store(true, Ordering::Relaxed);
        let is_new = self.written().is_empty();
        let open = |kind| {
            OpenOptions::new().write(true).create(true).truncate(is_new).open(inner.folder.path(hash, kind))
        };
        let data = open(Kind::Part)?;
        let outboard =
            PostOrderOutboard { root: self.root(), tree: tree(self.bytes), data: open(Kind::Outboard)? };
        Ok(PartWriter { claim: self.clone(), data, outboard })
    }

    /// Forgets what was written and has not been synchronised: after an error in that, a system may believe that it
    /// has reached the disk where it has not.
    fn distrust(&self, error: io::Error) -> LibraryError {
        if let Some(entry) = self.inner.shelf().get_mut(self.hash)
            && let State::Part { written, durable } = &mut entry.state
        {
            *written = durable.clone();
        }
        error.into()
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_nothing = match self.inner.shelf().get(self.hash).map(|entry| &entry.state) {
            Some(State::Part { written, .. }) => written.is_empty(),
            _ => false,
        };
        if is_nothing && self.has_files.load(Ordering::Relaxed) {
            // No more than one batch is in them, so this takes no time to speak of. What cannot be removed now is
            // removed at the next start.
            for kind in Kind::ALL {
                let _ = remove_if_there(&self.inner.folder.path(self.hash, kind));
            }
        }
        let mut shelf = self.inner.shelf();
        if is_nothing {
            shelf.forget(self.hash);
        } else if let Some(entry) = shelf.get_mut(self.hash) {
            entry.is_claimed = false;
        }
    }
}

/// The open files of a model that is being fetched. All calls block.
#[derive(Debug)]
pub(crate) struct PartWriter {
    data: File,
    outboard: PostOrderOutboard<File>,
    /// Dropped last, when the files that it may remove are closed.
    claim: Arc<Claim>,
}

impl PartWriter {
    pub fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Writes verified groups and hashes, in the order in which they were decoded. What was written before an error
    /// counts.
    pub fn store(&mut self, items: &[BaoContentItem]) -> Result<(), LibraryError> {
        let mut groups = Groups::none();
        let stored = items.iter().try_for_each(|item| match item {
            BaoContentItem::Parent(parent) => self.outboard.save(parent.node, &parent.pair),
            // The hashes that prove a group came, and were written, before it.
            BaoContentItem::Leaf(leaf) => {
                let group = leaf.offset / GROUP_BYTES;
                self.data.write_all_at(leaf.offset, &leaf.data)?;
                groups.insert(&Groups::of(group..group + 1));
                Ok(())
            }
        });
        if let Some(entry) = self.claim.inner.shelf().get_mut(self.claim.hash)
            && let State::Part { written, .. } = &mut entry.state
        {
            written.insert(&groups);
        }
        Ok(stored?)
    }

    /// What makes all that is written now last; it may run beside further writes.
    pub fn checkpoint(&self) -> Result<Checkpoint, LibraryError> {
        Ok(Checkpoint {
            claim: self.claim.clone(),
            data: self.data.try_clone()?,
            outboard: self.outboard.data.try_clone()?,
        })
    }

    /// Makes a model of a part of which nothing is missing.
    pub fn complete(self) -> Result<(), LibraryError> {
        let Self { claim, data, outboard } = self;
        let (inner, hash, bytes) = (&claim.inner, claim.hash, claim.bytes);
        data.sync_all().and_then(|()| outboard.data.sync_all()).map_err(|error| claim.distrust(error))?;
        // Windows settles a file's times when it is closed.
        drop((data, outboard));
        let _turn = inner.disk();
        let part = inner.folder.path(hash, Kind::Part);
        let facts = FileFacts::of(&fs::metadata(&part)?);
        if facts.bytes != bytes {
            let error = format!("a part of {bytes} bytes has {} on the disk", facts.bytes);
            return Err(claim.distrust(io::Error::other(error)));
        }
        let record = Record { bytes, state: RecordState::Whole(facts.modified) };
        inner.folder.write_record(hash, &record.to_text())?;
        fs::rename(part, inner.folder.path(hash, Kind::Whole))?;
        inner.folder.sync()?;
        let mut shelf = inner.shelf();
        if let Some(entry) = shelf.get_mut(hash) {
            entry.state = State::Whole(facts.modified);
        }
        shelf.touch(hash, SystemTime::now());
        Ok(())
    }
}

/// Brings what was verified to the disk, and then writes down that it is there.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    data: File,
    outboard: File,
    /// Dropped last, when the files that it may remove are closed.
    claim: Arc<Claim>,
}

impl Checkpoint {
    pub fn run(self) -> Result<(), LibraryError> {
        let Self { data, outboard, claim } = &self;
        // Taken before the files are synchronised, so that all of it is in them.
        let snapshot = claim.written();
        let is_new = match claim.inner.shelf().get(claim.hash).map(|entry| &entry.state) {
            Some(State::Part { durable, .. }) => *durable != snapshot,
            _ => false,
        };
        if !is_new {
            return Ok(());
        }
        data.sync_data().and_then(|()| outboard.sync_data()).map_err(|error| claim.distrust(error))?;
        let record = Record { bytes: claim.bytes, state: RecordState::Part(snapshot.clone()) };
        claim.inner.folder.write_record(claim.hash, &record.to_text())?;
        if let Some(entry) = claim.inner.shelf().get_mut(claim.hash)
            && let State::Part { written, durable } = &mut entry.state
        {
            // Groups that were found damaged in the meantime are not counted again.
            *durable = snapshot.intersection(written);
        }
        // Others may have filled the disk: better to stop here than to take its last bytes.
        claim.inner.check_disk(0)
    }
}
