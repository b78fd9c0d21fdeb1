//! Adding a file of this machine.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;
use std::sync::MutexGuard;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use lull_types::BlobHash;

use super::verify::{Watched, hash};
use super::{Inner, Progress, READ_BYTES, check_cap, check_length};
use crate::disk::{self, Kind, Temporary};
use crate::error::LibraryError;
use crate::groups::{RECORD_BYTES, footprint_bytes, outboard_bytes};
use crate::record::{FileFacts, Record, RecordState};
use crate::shelf::{Shelf, State, Ticket};

/// Room that was made, given back when this is dropped.
struct Room<'a> {
    inner: &'a Inner,
    ticket: Ticket,
    bytes: u64,
}

impl Room<'_> {
    /// Gives it back in one breath with entering what it was kept for.
    fn hand_over(self, shelf: &mut Shelf) {
        shelf.release(self.ticket);
        // Dropping it would ask for the shelf, which is held.
        std::mem::forget(self);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.inner.shelf().release(self.ticket);
    }
}

/// A file and the hashes over it, made and on the disk, under names that do not last.
struct Made {
    hash: BlobHash,
    facts: FileFacts,
    data: Temporary,
    outboard: Temporary,
}

/// Writes to a second place what is read.
struct Tee<R, W> {
    source: R,
    target: W,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.target.write_all(&buffer[..count])?;
        Ok(count)
    }
}

impl Inner {
    pub fn add(
        &self,
        path: &Path,
        stopped: &AtomicBool,
        on_progress: &dyn Fn(Progress),
    ) -> Result<BlobHash, LibraryError> {
        // A link to a link would follow it wherever it points later.
        let source = fs::canonicalize(path)?;
        let metadata = fs::metadata(&source)?;
        if !metadata.is_file() {
            return Err(LibraryError::NoFile(source));
        }
        let before = FileFacts::of(&metadata);
        let bytes = before.bytes;
        check_length(bytes)?;
        check_cap(&self.shelf(), bytes)?;

        // Declared before the files, so that they are gone before the room is given back.
        let room;
        let data = self.folder.temporary();
        let outboard = self.folder.temporary();
        let is_shared = disk::share(&source, &data.path);
        // What is shared takes no room of its own, and may be here already: others go for it once that is known.
        let first_bytes =
            if is_shared { outboard_bytes(bytes) + RECORD_BYTES } else { footprint_bytes(bytes) };
        room = {
            let turn = self.disk();
            let ticket = self.make_room(&turn, first_bytes, |shelf| shelf.reserve(first_bytes))?;
            Room { inner: self, ticket, bytes: first_bytes }
        };
        self.check_disk(first_bytes)?;

        let mut hashes = File::create(&outboard.path)?;
        let made = if is_shared {
            let file = File::open(&data.path)?;
            let watched = Watched::new(&file, bytes, stopped, on_progress);
            let made = hash(BufReader::with_capacity(READ_BYTES, watched), bytes, &mut hashes);
            sync_shared(&file)?;
            made
        } else {
            let mut copy = BufWriter::with_capacity(READ_BYTES, File::create(&data.path)?);
            let watched = Watched::new(File::open(&source)?, bytes, stopped, on_progress);
            let source = BufReader::with_capacity(READ_BYTES, watched);
            let made = hash(Tee { source, target: &mut copy }, bytes, &mut hashes);
            copy.flush()?;
            copy.get_ref().sync_all()?;
            made
        };
        let changed = || LibraryError::SourceChanged(source.clone());
        let hash = made.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => changed(),
            _ => error.into(),
        })?;
        hashes.sync_all()?;
        drop(hashes);
        let facts = FileFacts::of(&fs::metadata(&data.path)?);
        if disk::facts(&source)? != Some(before) || facts.bytes != bytes {
            return Err(changed());
        }
        self.enter(room, Made { hash, facts, data, outboard })?;
        Ok(hash)
    }

    /// Gives what was made its name.
    fn enter(&self, room: Room<'_>, made: Made) -> Result<(), LibraryError> {
        let (hash, bytes) = (made.hash, made.facts.bytes);
        let turn = self.disk();
        if self.is_replaceable(hash)? {
            self.remove_leaving(&turn, &[hash])?;
        } else if self.shelf().get(hash).is_some() {
            // Whole already.
            self.used(hash);
            return Ok(());
        }
        let rest_bytes = footprint_bytes(bytes) - room.bytes;
        let rest = self.make_room(&turn, rest_bytes, |shelf| shelf.reserve(rest_bytes))?;
        let rest = Room { inner: self, ticket: rest, bytes: rest_bytes };
        let placed = self.place(&turn, &made);
        if placed.is_err() {
            // Whatever got a name is of no use without the others.
            let _ = self.folder.remove(hash);
        }
        placed?;
        let mut shelf = self.shelf();
        shelf.enter(hash, bytes, State::Whole(made.facts.modified), true, SystemTime::now());
        room.hand_over(&mut shelf);
        rest.hand_over(&mut shelf);
        Ok(())
    }

    /// Whether something of less use lies where a whole model is to go; it is marked as leaving then.
    fn is_replaceable(&self, hash: BlobHash) -> Result<bool, LibraryError> {
        let is_whole =
            matches!(self.shelf().get(hash), Some(entry) if matches!(entry.state, State::Whole(_)));
        if is_whole && self.is_unchanged(hash)? {
            return Ok(false);
        }
        let mut shelf = self.shelf();
        let Some(entry) = shelf.get_mut(hash) else { return Ok(false) };
        if entry.is_claimed {
            return Err(LibraryError::FetchUnderway(hash));
        }
        if entry.is_in_use() {
            return Err(LibraryError::Held(hash));
        }
        entry.is_leaving = true;
        Ok(true)
    }

    /// The record comes before the last name, so that a start after a kill in between takes that step.
    fn place(&self, _turn: &MutexGuard<'_, ()>, made: &Made) -> io::Result<()> {
        let hash = made.hash;
        let part = self.folder.path(hash, Kind::Part);
        fs::rename(&made.outboard.path, self.folder.path(hash, Kind::Outboard))?;
        fs::rename(&made.data.path, &part)?;
        let record = Record { bytes: made.facts.bytes, state: RecordState::Whole(made.facts.modified) };
        self.folder.write_record(hash, &record.to_text())?;
        fs::rename(part, self.folder.path(hash, Kind::Whole))?;
        self.folder.sync()
    }
}

/// What an operator has just copied may not have reached the disk. Windows synchronises only what is open for
/// writing, which a file that is not ours should not be; there it is as durable as its owner made it.
fn sync_shared(file: &File) -> io::Result<()> {
    if cfg!(unix) { file.sync_all() } else { Ok(()) }
}
