//! Reading all of a file: its hash, and the hashes over its groups.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bao_tree::io::sync::outboard_post_order;
use lull_types::BlobHash;

use super::{Inner, Progress, READ_BYTES};
use crate::disk::{self, Kind};
use crate::error::LibraryError;
use crate::groups::{outboard_bytes, tree};
use crate::record::{FileFacts, Record, RecordState};
use crate::shelf::State;

/// Progress is told this often: a fraction of a second's reading.
const PROGRESS_BYTES: u64 = 16 * 1024 * 1024;

/// Stops blocking work when the future that waits for it is dropped.
#[derive(Debug, Default)]
pub(super) struct StopOnDrop(Arc<AtomicBool>);

impl StopOnDrop {
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }
}

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads a file of a length that is known, tells how far it is, and stops when it is told to.
pub(super) struct Watched<'a, R> {
    source: R,
    progress: Progress,
    told_bytes: u64,
    stopped: &'a AtomicBool,
    on_progress: &'a dyn Fn(Progress),
}

impl<'a, R: Read> Watched<'a, R> {
    pub fn new(source: R, bytes: u64, stopped: &'a AtomicBool, on_progress: &'a dyn Fn(Progress)) -> Self {
        Self { source, progress: Progress { done_bytes: 0, bytes }, told_bytes: 0, stopped, on_progress }
    }
}

impl<R: Read> Read for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.stopped.load(Ordering::Relaxed) {
            // Nobody hears it.
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let count = self.source.read(buffer)?;
        self.progress.done_bytes += count as u64;
        let is_end = self.progress.done_bytes == self.progress.bytes;
        if count > 0 && (is_end || self.progress.done_bytes - self.told_bytes >= PROGRESS_BYTES) {
            self.told_bytes = self.progress.done_bytes;
            (self.on_progress)(self.progress);
        }
        Ok(count)
    }
}

/// Reads `bytes` of `data` and gives their hash; the hashes over groups go to `outboard`.
pub(super) fn hash(data: impl Read, bytes: u64, outboard: impl Write) -> io::Result<BlobHash> {
    let mut outboard = BufWriter::with_capacity(READ_BYTES, outboard);
    let root = outboard_post_order(data, tree(bytes), &mut outboard)?;
    outboard.flush()?;
    Ok(BlobHash(*root.as_bytes()))
}

/// Compares what is written to it with what is there.
struct Comparison<R> {
    there: R,
    is_same: bool,
    buffer: Vec<u8>,
}

impl<R: Read> Write for Comparison<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_same {
            self.buffer.resize(bytes.len(), 0);
            self.is_same = match self.there.read_exact(&mut self.buffer) {
                Ok(()) => self.buffer == bytes,
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
                Err(error) => return Err(error),
            };
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Inner {
    pub fn verify(
        self: &Arc<Self>,
        hash: BlobHash,
        stopped: &AtomicBool,
        on_progress: &dyn Fn(Progress),
    ) -> Result<(), LibraryError> {
        let (_hold, bytes) = {
            let mut shelf = self.shelf();
            let bytes = match shelf.get(hash) {
                Some(entry) if entry.is_leaving => return Err(LibraryError::Missing(hash)),
                Some(entry) if entry.is_claimed => return Err(LibraryError::FetchUnderway(hash)),
                Some(entry) if !matches!(entry.state, State::Part { .. }) => entry.bytes,
                _ => return Err(LibraryError::Missing(hash)),
            };
            (self.hold(&mut shelf, hash), bytes)
        };
        let path = self.folder.path(hash, Kind::Whole);
        let Some(before) = disk::facts(&path)?.filter(|facts| facts.bytes == bytes) else {
            self.note_damaged(hash);
            return Err(LibraryError::Damaged(hash));
        };
        let outboard = self.folder.path(hash, Kind::Outboard);
        let mut comparison = Comparison {
            there: match File::open(&outboard) {
                Ok(file) => Some(BufReader::with_capacity(READ_BYTES, file)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(error.into()),
            }
            .map_or_else(|| Box::new(io::empty()) as Box<dyn Read>, |file| Box::new(file)),
            is_same: disk::facts(&outboard)?.is_some_and(|facts| facts.bytes == outboard_bytes(bytes)),
            buffer: Vec::new(),
        };
        let data = Watched::new(File::open(&path)?, bytes, stopped, on_progress);
        let data = BufReader::with_capacity(READ_BYTES, data);
        let is_good = match self::hash(data, bytes, &mut comparison) {
            Ok(actual) => actual == hash,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error.into()),
        };
        let after = FileFacts::of(&fs::metadata(&path)?);
        if !is_good || after != before {
            self.note_damaged(hash);
            return Err(LibraryError::Damaged(hash));
        }
        if !comparison.is_same {
            drop(comparison);
            self.write_outboard(hash, bytes, stopped)?;
        }
        self.note_whole(hash, bytes, after)
    }

    /// Makes the outboard of a good file anew.
    fn write_outboard(&self, hash: BlobHash, bytes: u64, stopped: &AtomicBool) -> Result<(), LibraryError> {
        tracing::warn!(%hash, "the hashes over a model were damaged on this disk and are made anew");
        let data = File::open(self.folder.path(hash, Kind::Whole))?;
        let data = BufReader::with_capacity(READ_BYTES, Watched::new(data, bytes, stopped, &|_| ()));
        let temporary = self.folder.temporary();
        let mut outboard = File::create(&temporary.path)?;
        if self::hash(data, bytes, &mut outboard)? != hash {
            self.note_damaged(hash);
            return Err(LibraryError::Damaged(hash));
        }
        outboard.sync_all()?;
        drop(outboard);
        fs::rename(&temporary.path, self.folder.path(hash, Kind::Outboard))?;
        Ok(self.folder.sync()?)
    }

    /// Notes that a file is what its name says.
    fn note_whole(&self, hash: BlobHash, bytes: u64, facts: FileFacts) -> Result<(), LibraryError> {
        let is_noted = match self.shelf().get(hash).map(|entry| &entry.state) {
            Some(State::Whole(modified)) => *modified == facts.modified,
            _ => false,
        };
        if !is_noted {
            let record = Record { bytes, state: RecordState::Whole(facts.modified) };
            self.folder.write_record(hash, &record.to_text())?;
            if let Some(entry) = self.shelf().get_mut(hash) {
                entry.state = State::Whole(facts.modified);
            }
        }
        Ok(())
    }
}
