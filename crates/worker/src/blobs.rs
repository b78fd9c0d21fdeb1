//! Blobs on this machine: inputs of open assignments and outputs of recent ones, by hash.
//!
//! A cache: all that is in it can be fetched or computed again. Reading checks the hash, so a damaged file is
//! a missing one.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use lull_types::{BlobHash, Coded};

use crate::atomic::{self, IfThere};

/// Four of the largest blobs, which is more than one task's inputs and outputs; pictures of about a hundred
/// jobs. What an open assignment needs is the most recently used and so the last to go.
pub const CACHE_BYTES_MAX: u64 = 4 * lull_network_api::BLOB_BYTES_MAX;

/// The cache cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// There is no room on the disk.
    #[error("the disk is full, so a task's data could not be kept; free some space")]
    DiskFull,
    /// The file system fails.
    #[error("a task's data could not be read or written: {0}")]
    Io(io::Error),
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

impl Coded for BlobError {
    fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Io(_) => "blob_io",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bytes: u64,
    /// Rises with each use.
    used: u64,
}

#[derive(Debug, Default)]
struct Index {
    entries: HashMap<BlobHash, Entry>,
    bytes: u64,
    clock: u64,
}

impl Index {
    fn touch(&mut self, hash: BlobHash, bytes: u64) {
        self.clock += 1;
        let entry = Entry { bytes, used: self.clock };
        let before = self.entries.insert(hash, entry).map_or(0, |old| old.bytes);
        self.bytes = self.bytes - before + bytes;
    }

    fn forget(&mut self, hash: BlobHash) {
        if let Some(entry) = self.entries.remove(&hash) {
            self.bytes -= entry.bytes;
        }
    }

    fn oldest(&self) -> Option<BlobHash> {
        self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(hash, _)| *hash)
    }
}

/// A folder of blobs, bounded in size. Its calls block; clones share it.
#[derive(Clone, Debug)]
pub struct BlobCache {
    folder: PathBuf,
    bytes_max: u64,
    index: Arc<Mutex<Index>>,
}

impl BlobCache {
    /// Opens a folder, makes it if it is missing, and sweeps what an interrupted write left behind.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: impl Into<PathBuf>, bytes_max: u64) -> Result<Self, BlobError> {
        let folder = folder.into();
        crate::paths::create_private(&folder)?;
        let mut found = Vec::new();
        for file in fs::read_dir(&folder)? {
            let file = file?;
            let name = file.file_name().to_string_lossy().into_owned();
            if name.starts_with(atomic::TEMPORARY_PREFIX) {
                fs::remove_file(file.path())?;
            } else if let Ok(hash) = name.parse::<BlobHash>() {
                let metadata = file.metadata()?;
                found.push((metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH), hash, metadata.len()));
            }
        }
        // Times of change carry the order of use over a restart.
        found.sort_unstable();
        let mut index = Index::default();
        for (_, hash, bytes) in found {
            index.touch(hash, bytes);
        }
        let cache = Self { folder, bytes_max, index: Arc::new(Mutex::new(index)) };
        cache.make_room(None)?;
        Ok(cache)
    }

    /// Keeps a blob and returns its hash. When this returns, the blob has reached the disk.
    ///
    /// # Errors
    /// When it cannot be written; then nothing is kept.
    pub fn put(&self, bytes: &[u8]) -> Result<BlobHash, BlobError> {
        let hash = BlobHash::of(bytes);
        if self.get(hash)?.is_none() {
            atomic::write(&self.path(hash), bytes, IfThere::Replace)?;
            self.index().touch(hash, bytes.len() as u64);
            self.make_room(Some(hash))?;
        }
        Ok(hash)
    }

    /// A blob, if it is here and whole.
    ///
    /// # Errors
    /// When the file system fails; a missing or damaged file is `None`.
    pub fn get(&self, hash: BlobHash) -> Result<Option<Vec<u8>>, BlobError> {
        let path = self.path(hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.index().forget(hash);
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        if BlobHash::of(&bytes) != hash {
            tracing::warn!(%hash, "a blob was damaged on this disk and is dropped");
            self.remove(hash)?;
            return Ok(None);
        }
        self.index().touch(hash, bytes.len() as u64);
        note_use(&path);
        Ok(Some(bytes))
    }

    /// Whether a blob is here, as far as is known without reading it.
    pub fn contains(&self, hash: BlobHash) -> bool {
        self.index().entries.contains_key(&hash)
    }

    /// Size of all blobs.
    pub fn bytes(&self) -> u64 {
        self.index().bytes
    }

    fn make_room(&self, keep: Option<BlobHash>) -> Result<(), BlobError> {
        loop {
            let oldest = {
                let index = self.index();
                if index.bytes <= self.bytes_max { None } else { index.oldest() }
            };
            match oldest {
                Some(hash) if Some(hash) != keep => self.remove(hash)?,
                _ => return Ok(()),
            }
        }
    }

    fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        self.index().forget(hash);
        match fs::remove_file(self.path(hash)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    fn path(&self, hash: BlobHash) -> PathBuf {
        self.folder.join(hash.to_string())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // The index stays consistent between any two statements that hold it.
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The order of use is worth nothing but a better choice of what to drop, so failing to note it is no fault.
fn note_use(path: &Path) {
    if let Ok(file) = File::options().append(true).open(path) {
        let _ = file.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_comes_back_and_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BlobCache::open(folder.path(), 100).unwrap();
        let hash = cache.put(b"abc").unwrap();
        assert_eq!(cache.get(hash).unwrap().as_deref(), Some(&b"abc"[..]));
        let again = BlobCache::open(folder.path(), 100).unwrap();
        assert_eq!(again.bytes(), 3);
        assert_eq!(again.get(hash).unwrap().as_deref(), Some(&b"abc"[..]));
        assert_eq!(again.get(BlobHash::of(b"other")).unwrap(), None);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BlobCache::open(folder.path(), 10).unwrap();
        let one = cache.put(b"1111").unwrap();
        let two = cache.put(b"2222").unwrap();
        cache.get(one).unwrap();
        let three = cache.put(b"3333").unwrap();
        assert!(cache.get(two).unwrap().is_none());
        assert!(cache.get(one).unwrap().is_some() && cache.get(three).unwrap().is_some());
        assert_eq!(cache.bytes(), 8);
        // One that is larger than the whole cache is kept alone: its task is open.
        let large = cache.put(&[7; 20]).unwrap();
        assert!(cache.get(large).unwrap().is_some());
        assert_eq!(cache.bytes(), 20);
    }

    #[test]
    fn a_damaged_blob_is_missing_and_can_be_put_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = BlobCache::open(folder.path(), 100).unwrap();
        let hash = cache.put(b"abc").unwrap();
        fs::write(folder.path().join(hash.to_string()), b"abd").unwrap();
        assert_eq!(cache.get(hash).unwrap(), None);
        assert_eq!(cache.put(b"abc").unwrap(), hash);
        assert!(cache.get(hash).unwrap().is_some());
    }

    #[test]
    fn interrupted_writes_are_swept() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".writing-x"), b"half").unwrap();
        BlobCache::open(folder.path(), 100).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
