//! Opening the folder: what is there, and what an earlier process left half done.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use lull_types::BlobHash;

use super::Inner;
use crate::disk::{self, Folder, Kind, Name, remove_if_there};
use crate::error::LibraryError;
use crate::record::{FileFacts, Finding, Found, Record, RecordState, Unreadable, judge};
use crate::shelf::{Shelf, State};

/// Records are far shorter; what is longer is none, and is not read into memory.
const READ_BYTES_MAX: u64 = 64 * 1024;

/// A model as it enters the shelf.
struct Kept {
    hash: BlobHash,
    bytes: u64,
    state: State,
    used_at: SystemTime,
}

impl Inner {
    pub fn open(root: PathBuf, cap_bytes: u64, free_bytes_min: u64) -> Result<Self, LibraryError> {
        let Some(folder) = Folder::take(root.clone())? else { return Err(LibraryError::InUse(root)) };
        let mut models: BTreeMap<BlobHash, Found> = BTreeMap::new();
        for file in fs::read_dir(folder.root())? {
            let file = file?;
            match file.file_name().to_str().and_then(Name::parse) {
                None => {}
                Some(Name::Temporary) => remove_if_there(&file.path())?,
                Some(Name::Model(hash, kind)) => {
                    let found = models.entry(hash).or_default();
                    let facts = Some(FileFacts::of(&file.metadata()?));
                    match kind {
                        Kind::Whole => found.whole = facts,
                        Kind::Part => found.part = facts,
                        Kind::Outboard => found.outboard = facts,
                        Kind::Record => {}
                    }
                }
            }
        }
        let mut kept = Vec::new();
        for (hash, found) in models {
            match settle(&folder, hash, found)? {
                Some(model) => kept.push(model),
                None => {
                    tracing::info!(%hash, "files of no use were removed from the library of models");
                    folder.remove(hash)?;
                }
            }
        }
        // Times of records carry the order of use over a restart.
        kept.sort_by_key(|model| model.used_at);
        let mut shelf = Shelf::new(cap_bytes);
        for Kept { hash, bytes, state, used_at } in kept {
            shelf.enter(hash, bytes, state, true, used_at);
        }
        let inner = Self { folder, free_bytes_min, disk: Mutex::new(()), shelf: Mutex::new(shelf) };
        inner.set_cap(cap_bytes)?;
        Ok(inner)
    }
}

/// Brings the files of one model to rest; `None` when nothing of use is there.
fn settle(folder: &Folder, hash: BlobHash, found: Found) -> Result<Option<Kept>, LibraryError> {
    let path = folder.path(hash, Kind::Record);
    let Some((text, used_at)) = read_record(&path)? else { return Ok(None) };
    let record = match Record::from_text(&text) {
        Ok(record) => record,
        Err(Unreadable::Newer) => return Err(LibraryError::Newer(path)),
        Err(Unreadable::Garbled) => {
            tracing::warn!(%hash, "the record of a model cannot be read");
            return Ok(None);
        }
    };
    let state = match judge(&record, found) {
        Finding::Drop => return Ok(None),
        Finding::Finish(modified) => {
            fs::rename(folder.path(hash, Kind::Part), folder.path(hash, Kind::Whole))?;
            folder.sync()?;
            State::Whole(modified)
        }
        Finding::Keep(RecordState::Whole(modified)) => {
            remove_if_there(&folder.path(hash, Kind::Part))?;
            State::Whole(modified)
        }
        Finding::Keep(RecordState::Part(groups)) => {
            remove_if_there(&folder.path(hash, Kind::Whole))?;
            State::Part { written: groups.clone(), durable: groups }
        }
        Finding::Keep(RecordState::Damaged) => {
            tracing::warn!(%hash, "a model is damaged or was changed on this disk and is not used");
            State::Damaged
        }
    };
    Ok(Some(Kept { hash, bytes: record.bytes, state, used_at }))
}

fn read_record(path: &Path) -> Result<Option<(Vec<u8>, SystemTime)>, LibraryError> {
    if disk::facts(path)?.is_none() {
        return Ok(None);
    }
    let file = File::open(path)?;
    let used_at = file.metadata()?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let mut text = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut text)?;
    Ok(Some((text, used_at)))
}
