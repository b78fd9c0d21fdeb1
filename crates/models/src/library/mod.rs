//! The library: models in a folder that never grows over its cap.

mod add;
mod lend;
mod open;
mod part;
mod verify;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use lull_types::BlobHash;

use crate::disk::{self, Folder, Kind};
use crate::error::LibraryError;
use crate::groups::{GROUP_BYTES, MODEL_BYTES_MAX, footprint_bytes};
use crate::record::{Record, RecordState};
use crate::shelf::{Shelf, State};

pub(crate) use lend::Lent;
pub(crate) use part::{Claim, Claimed, PartWriter};

/// Free space that is left on a contributor's disk, whatever the cap allows: systems and games fail in odd ways on a
/// disk that is full.
pub const FREE_BYTES_MIN: u64 = 1024 * 1024 * 1024;

/// How much of a model is done: fetched, added or checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are done.
    pub done_bytes: u64,
    /// The length of the model.
    pub bytes: u64,
}

/// How much of a model is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// All of it, verified.
    Whole,
    /// Some of it.
    Part {
        /// Verified bytes.
        verified_bytes: u64,
    },
    /// A file that is damaged or was changed. It is not used; [`Library::verify`] may find that it is good after
    /// all, and [`crate::fetch`] or [`Library::add_file`] replaces it.
    Damaged,
}

/// One model of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name: the BLAKE3 hash of the whole file.
    pub hash: BlobHash,
    /// The length of the whole file.
    pub bytes: u64,
    /// How much of it is here.
    pub presence: Presence,
    /// When it was last used: taken with [`Library::get`], sent to somebody, added or fetched.
    pub last_used: SystemTime,
    /// Whether it is used now, and so stays.
    pub is_in_use: bool,
}

/// What all models take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Bytes on the disk: data, hashes and records, with what is still to come of models that are fetched.
    pub used_bytes: u64,
    /// The most that it may ever be.
    pub cap_bytes: u64,
}

/// Models in a folder, by the BLAKE3 hash of the whole file. Clones share it.
///
/// The folder is the library's own: files with names of its kind that it has no record of are removed when it is
/// opened; others are left alone. One process has it open at a time.
///
/// A model lies there as `<hash>.gguf` (or `<hash>.part` until all of it is here), `<hash>.bao` (the hashes over its
/// groups, 0.4 % of it) and `<hash>.json` (its record). What a record says has reached the disk before the record
/// has, so the process may be killed and the power may go at any instant.
///
/// Work on files runs on threads for blocking work; a dropped future stops it at its next step.
#[derive(Clone, Debug)]
pub struct Library(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub folder: Folder,
    free_bytes_min: u64,
    /// Held while models come, go, or change their names: only in blocking work, and before `shelf`.
    disk: Mutex<()>,
    /// Held for moments.
    shelf: Mutex<Shelf>,
}

/// A model that is used: as long as this lives, it stays.
#[derive(Debug)]
pub struct Held {
    hold: Hold,
    bytes: u64,
    path: PathBuf,
}

impl Held {
    /// Its name.
    pub fn hash(&self) -> BlobHash {
        self.hold.hash
    }

    /// Its length.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Its file, which must only be read.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Keeps the files of a model where they are.
#[derive(Debug)]
pub(crate) struct Hold {
    inner: Arc<Inner>,
    pub hash: BlobHash,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(entry) = self.inner.shelf().get_mut(self.hash) {
            entry.holds = entry.holds.saturating_sub(1);
        }
    }
}

/// Runs work on files where it blocks nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LibraryError> + Send + 'static,
) -> Result<T, LibraryError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(LibraryError::Disk(io::Error::other(error))),
    }
}

impl Library {
    /// Opens a folder, makes it if it is missing, finishes or drops what an earlier process left half done, and
    /// removes the least recently used models where `cap_bytes` has become too small for all. Leaves
    /// [`FREE_BYTES_MIN`] free on the disk.
    ///
    /// # Errors
    /// [`LibraryError::InUse`] when another process has the folder, [`LibraryError::Newer`], or those of the disk.
    pub async fn open(folder: impl Into<PathBuf>, cap_bytes: u64) -> Result<Self, LibraryError> {
        Self::open_with(folder, cap_bytes, FREE_BYTES_MIN).await
    }

    /// [`Library::open`] with another bound on the free space that is left.
    ///
    /// # Errors
    /// As [`Library::open`].
    pub async fn open_with(
        folder: impl Into<PathBuf>,
        cap_bytes: u64,
        free_bytes_min: u64,
    ) -> Result<Self, LibraryError> {
        let folder = folder.into();
        blocking(move || Ok(Self(Arc::new(Inner::open(folder, cap_bytes, free_bytes_min)?)))).await
    }

    /// Adds a file of this machine and returns its hash. One pass makes the hash and the outboard, and copies where
    /// the file can be neither cloned nor linked. When it returns, the model survives a power cut. A model that is
    /// here already is not added twice. The file must not be changed while it is in the library: a change is
    /// noticed, and then the model is not used any more.
    ///
    /// # Errors
    /// When there is no room ([`LibraryError::CapTooSmall`], [`LibraryError::AllInUse`], [`LibraryError::DiskFull`]),
    /// when the file changes in the meantime, or those of the disk. Then nothing is added.
    pub async fn add_file(
        &self,
        path: impl Into<PathBuf>,
        on_progress: impl Fn(Progress) + Send + 'static,
    ) -> Result<BlobHash, LibraryError> {
        let (inner, path) = (self.0.clone(), path.into());
        let stop = verify::StopOnDrop::default();
        let stopped = stop.flag();
        blocking(move || inner.add(&path, &stopped, &on_progress)).await
    }

    /// All models, by hash.
    pub fn list(&self) -> Vec<Listed> {
        let shelf = self.0.shelf();
        let listed = shelf.entries().filter(|(_, entry)| !entry.is_leaving).filter_map(|(hash, entry)| {
            let presence = match &entry.state {
                State::Whole(_) => Presence::Whole,
                State::Damaged => Presence::Damaged,
                State::Part { written, .. } if written.is_empty() => return None,
                State::Part { written, .. } => {
                    Presence::Part { verified_bytes: written.bytes_of(entry.bytes) }
                }
            };
            Some(Listed {
                hash,
                bytes: entry.bytes,
                presence,
                last_used: entry.used_at,
                is_in_use: entry.is_in_use(),
            })
        });
        listed.collect()
    }

    /// What all models take.
    pub fn usage(&self) -> Usage {
        let shelf = self.0.shelf();
        Usage { used_bytes: shelf.used_bytes(), cap_bytes: shelf.cap_bytes() }
    }

    /// A whole model, to be used; `None` when it is not here or not whole. Its length and the time of its last
    /// change are compared with what was noted.
    ///
    /// # Errors
    /// [`LibraryError::Damaged`] when they differ, or those of the disk.
    pub async fn get(&self, hash: BlobHash) -> Result<Option<Held>, LibraryError> {
        let inner = self.0.clone();
        blocking(move || inner.hold_whole(hash)).await
    }

    /// Removes a model.
    ///
    /// # Errors
    /// [`LibraryError::Held`] when it is in use, [`LibraryError::Missing`], or those of the disk.
    pub async fn remove(&self, hash: BlobHash) -> Result<(), LibraryError> {
        let inner = self.0.clone();
        blocking(move || inner.remove(hash)).await
    }

    /// Sets another cap, and removes the least recently used models until the rest fits.
    ///
    /// # Errors
    /// [`LibraryError::AllInUse`] when models in use take more; then the cap and all models stay. Or those of the
    /// disk; then the cap stays.
    pub async fn set_cap(&self, cap_bytes: u64) -> Result<(), LibraryError> {
        let inner = self.0.clone();
        blocking(move || inner.set_cap(cap_bytes)).await
    }

    /// Reads all of a model and checks its hash. One that was only touched is good again afterwards, and hashes over
    /// its groups that have suffered are made anew.
    ///
    /// # Errors
    /// [`LibraryError::Damaged`] when it is not what its name says; from then on it is not used.
    /// [`LibraryError::Missing`] when it is not whole here, [`LibraryError::FetchUnderway`], or those of the disk.
    pub async fn verify(
        &self,
        hash: BlobHash,
        on_progress: impl Fn(Progress) + Send + 'static,
    ) -> Result<(), LibraryError> {
        let inner = self.0.clone();
        let stop = verify::StopOnDrop::default();
        let stopped = stop.flag();
        blocking(move || inner.verify(hash, &stopped, &on_progress)).await
    }
}

impl Inner {
    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // The shelf is consistent between any two statements that hold it.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disk(&self) -> MutexGuard<'_, ()> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a model where it is. The caller has seen in the same breath that it is there.
    fn hold(self: &Arc<Self>, shelf: &mut Shelf, hash: BlobHash) -> Hold {
        if let Some(entry) = shelf.get_mut(hash) {
            entry.holds += 1;
        }
        Hold { inner: self.clone(), hash }
    }

    fn hold_whole(self: &Arc<Self>, hash: BlobHash) -> Result<Option<Held>, LibraryError> {
        let (hold, bytes) = {
            let mut shelf = self.shelf();
            let bytes = match shelf.get(hash) {
                None => return Ok(None),
                Some(entry) if entry.is_leaving => return Ok(None),
                Some(entry) => match entry.state {
                    State::Part { .. } => return Ok(None),
                    State::Damaged => return Err(LibraryError::Damaged(hash)),
                    State::Whole(_) => entry.bytes,
                },
            };
            (self.hold(&mut shelf, hash), bytes)
        };
        if !self.is_unchanged(hash)? {
            return Err(LibraryError::Damaged(hash));
        }
        self.used(hash);
        Ok(Some(Held { hold, bytes, path: self.folder.path(hash, Kind::Whole) }))
    }

    fn used(&self, hash: BlobHash) {
        let now = SystemTime::now();
        self.shelf().touch(hash, now);
        self.folder.note_use(hash, now);
    }

    /// Whether the file of a whole model has the length and time that were noted; if not, it counts as damaged.
    fn is_unchanged(&self, hash: BlobHash) -> Result<bool, LibraryError> {
        let facts = disk::facts(&self.folder.path(hash, Kind::Whole))?;
        let mut shelf = self.shelf();
        let Some(entry) = shelf.get_mut(hash) else { return Ok(false) };
        let is_unchanged = match entry.state {
            State::Whole(modified) => facts.is_some_and(|facts| facts.is(entry.bytes, modified)),
            State::Part { .. } | State::Damaged => false,
        };
        if !is_unchanged && matches!(entry.state, State::Whole(_)) {
            tracing::warn!(%hash, "a model's file was changed on this disk and is not used");
            entry.state = State::Damaged;
        }
        Ok(is_unchanged)
    }

    /// Notes for good that a file is not what its name says.
    fn note_damaged(&self, hash: BlobHash) {
        let bytes = {
            let mut shelf = self.shelf();
            let Some(entry) = shelf.get_mut(hash) else { return };
            entry.state = State::Damaged;
            entry.bytes
        };
        tracing::warn!(%hash, "a model is damaged on this disk and is not used");
        let record = Record { bytes, state: RecordState::Damaged };
        if let Err(error) = self.folder.write_record(hash, &record.to_text()) {
            // It is found again by whoever reads the model next.
            tracing::warn!(%hash, %error, "that a model is damaged could not be noted");
        }
    }

    fn remove(&self, hash: BlobHash) -> Result<(), LibraryError> {
        let turn = self.disk();
        {
            let mut shelf = self.shelf();
            let entry = shelf.get_mut(hash).ok_or(LibraryError::Missing(hash))?;
            if entry.is_in_use() {
                return Err(LibraryError::Held(hash));
            }
            entry.is_leaving = true;
        }
        self.remove_leaving(&turn, &[hash])
    }

    fn set_cap(&self, cap_bytes: u64) -> Result<(), LibraryError> {
        let turn = self.disk();
        let going = {
            let mut shelf = self.shelf();
            let going = shelf.room_under(cap_bytes, 0)?;
            mark_leaving(&mut shelf, &going);
            going
        };
        self.remove_leaving(&turn, &going)?;
        self.shelf().set_cap(cap_bytes);
        Ok(())
    }

    /// Removes what has to go so that `needed_bytes` fit, and lets `take` take the room.
    fn make_room<T>(
        &self,
        turn: &MutexGuard<'_, ()>,
        needed_bytes: u64,
        take: impl FnOnce(&mut Shelf) -> T,
    ) -> Result<T, LibraryError> {
        let going = {
            let mut shelf = self.shelf();
            let going = shelf.room_for(needed_bytes)?;
            mark_leaving(&mut shelf, &going);
            going
        };
        self.remove_leaving(turn, &going)?;
        // Nobody else takes room in the meantime: that is done in this turn only.
        Ok(take(&mut self.shelf()))
    }

    /// Removes models that are marked as leaving. Those that cannot be removed stay, as damaged.
    fn remove_leaving(&self, _turn: &MutexGuard<'_, ()>, going: &[BlobHash]) -> Result<(), LibraryError> {
        let mut failure = None;
        for hash in going {
            let removed = if failure.is_none() { self.folder.remove(*hash) } else { Ok(()) };
            let mut shelf = self.shelf();
            match removed {
                Ok(()) if failure.is_none() => {
                    tracing::info!(%hash, "a model was removed");
                    shelf.forget(*hash);
                }
                removed => {
                    if let Some(entry) = shelf.get_mut(*hash) {
                        entry.is_leaving = false;
                        if removed.is_err() {
                            entry.state = State::Damaged;
                        }
                    }
                    failure = failure.or(removed.err());
                }
            }
        }
        failure.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Refuses what would leave too little free. Where the system does not tell, the write itself will.
    fn check_disk(&self, needed_bytes: u64) -> Result<(), LibraryError> {
        match fs4::available_space(self.folder.root()) {
            Ok(free) if free < self.free_bytes_min.saturating_add(needed_bytes) => {
                Err(LibraryError::DiskFull)
            }
            _ => Ok(()),
        }
    }
}

fn mark_leaving(shelf: &mut Shelf, going: &[BlobHash]) {
    for hash in going {
        if let Some(entry) = shelf.get_mut(*hash) {
            entry.is_leaving = true;
        }
    }
}

fn check_length(bytes: u64) -> Result<(), LibraryError> {
    if (1..=MODEL_BYTES_MAX).contains(&bytes) {
        Ok(())
    } else {
        Err(LibraryError::BadLength { bytes, bytes_max: MODEL_BYTES_MAX })
    }
}

/// Files are read in steps of this many bytes: some groups, so that calls cost little.
const READ_BYTES: usize = 64 * GROUP_BYTES as usize;

fn check_cap(shelf: &Shelf, bytes: u64) -> Result<(), LibraryError> {
    let (needed_bytes, cap_bytes) = (footprint_bytes(bytes), shelf.cap_bytes());
    if needed_bytes > cap_bytes {
        return Err(LibraryError::CapTooSmall { needed_bytes, cap_bytes });
    }
    Ok(())
}
