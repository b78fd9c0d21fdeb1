//! Blobs: a folder of files that are named by the BLAKE3 hash of their content.
//!
//! A blob is written to a temporary file while it is hashed, and takes its name only when its content is on the
//! disk and its hash held. So a name that exists is whole, whenever the power went; and the same bytes, stored
//! twice, are one file.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use lull_types::{BlobHash, Coded};
use tokio::fs::File;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// How much is read, hashed and written at a time: large enough that the calls cost little, small enough that a
/// hundred streams fit in a few megabytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// Free space that is left on the disk for the ledger, which must be able to write when nobody else is.
pub const FREE_BYTES_MIN: u64 = 512 * 1024 * 1024;

/// A blob cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob.
    #[error("there is no blob {0} here; put it first, and check its hash")]
    Missing(BlobHash),
    /// The bytes are not what their name says.
    #[error("the bytes have the hash {actual}, not {expected} as announced; they were not stored")]
    WrongHash {
        /// As announced.
        expected: BlobHash,
        /// As computed.
        actual: BlobHash,
    },
    /// More bytes than allowed.
    #[error("the blob is over the limit of {bytes_max} bytes; it was not stored")]
    TooLarge {
        /// The cap.
        bytes_max: u64,
    },
    /// Fewer bytes than announced.
    #[error("the blob ended after {arrived} of {announced} bytes; it was not stored, send it again")]
    CutShort {
        /// As announced.
        announced: u64,
        /// As received.
        arrived: u64,
    },
    /// No room on the network's disk.
    #[error("the network's disk is full; nothing was stored, try again later")]
    DiskFull,
    /// A stored blob changed on the disk.
    #[error("the stored blob {0} is damaged on the network's disk; put it again")]
    Damaged(BlobHash),
    /// The sender's stream broke.
    #[error("the blob's stream broke: {0}")]
    Source(io::Error),
    /// The disk failed.
    #[error("the network's disk failed: {0}")]
    Disk(io::Error),
}

impl Coded for BlobError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "blob_missing",
            Self::WrongHash { .. } => "blob_wrong_hash",
            Self::TooLarge { .. } => "blob_too_large",
            Self::CutShort { .. } => "blob_cut_short",
            Self::DiskFull => "disk_full",
            Self::Damaged(_) => "blob_damaged",
            Self::Source(_) => "connection_broken",
            Self::Disk(_) => "disk_failed",
        }
    }
}

fn disk(error: io::Error) -> BlobError {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => BlobError::DiskFull,
        _ => BlobError::Disk(error),
    }
}

/// What is kept after a [`Blobs::sweep`], and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Files removed.
    pub removed: u64,
    /// Their size together.
    pub removed_bytes: u64,
    /// Files kept.
    pub kept: u64,
    /// Their size together.
    pub kept_bytes: u64,
}

/// The folder.
#[derive(Debug)]
pub struct Blobs {
    root: PathBuf,
    temporary: PathBuf,
    next_temporary: AtomicU64,
    free_bytes_min: u64,
}

impl Blobs {
    /// Opens the folder, makes it if missing, and clears away what an earlier process left half written. Only
    /// one process may have it open; the service's lock on its data folder sees to that.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, BlobError> {
        Self::open_with(root, FREE_BYTES_MIN)
    }

    /// [`Blobs::open`] with another bound on the free space that is left.
    pub fn open_with(root: impl Into<PathBuf>, free_bytes_min: u64) -> Result<Self, BlobError> {
        let root = root.into();
        let temporary = root.join("temporary");
        if temporary.exists() {
            std::fs::remove_dir_all(&temporary).map_err(disk)?;
        }
        std::fs::create_dir_all(&temporary).map_err(disk)?;
        Ok(Self { root, temporary, next_temporary: AtomicU64::new(0), free_bytes_min })
    }

    /// Where a blob lies: two hexadecimal digits spread the files over 256 folders, so that none grows too
    /// large to list.
    fn path(&self, hash: BlobHash) -> PathBuf {
        let name = hash.to_string();
        self.root.join(&name[..2]).join(name)
    }

    /// Whether the blob is here.
    pub async fn contains(&self, hash: BlobHash) -> Result<bool, BlobError> {
        tokio::fs::try_exists(self.path(hash)).await.map_err(disk)
    }

    /// The blob's length, if it is here.
    pub async fn bytes(&self, hash: BlobHash) -> Result<Option<u64>, BlobError> {
        match tokio::fs::metadata(self.path(hash)).await {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(disk(error)),
        }
    }

    /// Opens a blob and tells its length. The reader checks the hash: it has to anyway.
    pub async fn reader(&self, hash: BlobHash) -> Result<(File, u64), BlobError> {
        let file = match File::open(self.path(hash)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(BlobError::Missing(hash)),
            other => other.map_err(disk)?,
        };
        let bytes = file.metadata().await.map_err(disk)?.len();
        Ok((file, bytes))
    }

    /// A whole blob of at most `bytes_max`, with its hash checked.
    pub async fn read(&self, hash: BlobHash, bytes_max: u64) -> Result<Vec<u8>, BlobError> {
        let (file, length) = self.reader(hash).await?;
        if length > bytes_max {
            return Err(BlobError::TooLarge { bytes_max });
        }
        let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(0));
        file.take(bytes_max).read_to_end(&mut bytes).await.map_err(disk)?;
        if BlobHash::of(&bytes) == hash { Ok(bytes) } else { Err(BlobError::Damaged(hash)) }
    }

    /// Stores bytes under their own hash.
    pub async fn put(&self, bytes: &[u8]) -> Result<BlobHash, BlobError> {
        let hash = BlobHash::of(bytes);
        self.put_from(hash, None, bytes.len() as u64, bytes).await?;
        Ok(hash)
    }

    /// Stores what `source` gives until its end, if it has the hash `hash`, `announced` bytes where that is
    /// given, and at most `bytes_max`. Returns the length. When it returns, the blob survives a power cut.
    /// A blob that is here already is read to its end and checked all the same, so that a sender cannot tell
    /// what others have stored.
    pub async fn put_from(
        &self,
        hash: BlobHash,
        announced: Option<u64>,
        bytes_max: u64,
        mut source: impl AsyncRead + Unpin,
    ) -> Result<u64, BlobError> {
        if announced.is_some_and(|bytes| bytes > bytes_max) {
            return Err(BlobError::TooLarge { bytes_max });
        }
        self.check_room(announced.unwrap_or(0))?;
        let temporary = Temporary {
            path: self.temporary.join(self.next_temporary.fetch_add(1, Ordering::Relaxed).to_string()),
        };
        let mut file = File::create(&temporary.path).await.map_err(disk)?;
        let mut hasher = blake3::Hasher::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut arrived = 0u64;
        let limit = announced.unwrap_or(bytes_max);
        loop {
            let count = source.read(&mut chunk).await.map_err(BlobError::Source)?;
            if count == 0 {
                break;
            }
            arrived += count as u64;
            if arrived > limit {
                return Err(BlobError::TooLarge { bytes_max: limit });
            }
            hasher.update(&chunk[..count]);
            file.write_all(&chunk[..count]).await.map_err(disk)?;
        }
        if let Some(announced) = announced
            && arrived < announced
        {
            return Err(BlobError::CutShort { announced, arrived });
        }
        let actual = BlobHash(*hasher.finalize().as_bytes());
        if actual != hash {
            return Err(BlobError::WrongHash { expected: hash, actual });
        }
        file.flush().await.map_err(disk)?;
        let path = self.path(hash);
        if tokio::fs::try_exists(&path).await.map_err(disk)? {
            // It counts as put just now, so that a sweep leaves it time to be named.
            touch(path).await?;
        } else {
            file.sync_all().await.map_err(disk)?;
            drop(file);
            if let Some(folder) = path.parent() {
                tokio::fs::create_dir_all(folder).await.map_err(disk)?;
                tokio::fs::rename(&temporary.path, &path).await.map_err(disk)?;
                sync_folder(folder).await?;
            }
        }
        Ok(arrived)
    }

    /// Removes a blob; it is no error when it is not here.
    pub async fn remove(&self, hash: BlobHash) -> Result<(), BlobError> {
        match tokio::fs::remove_file(self.path(hash)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(error)),
            _ => Ok(()),
        }
    }

    /// Removes every blob older than `age_min` of which `is_needed` says no. The age leaves time between the
    /// storing of a blob and the job or report that names it. Blocking: it lists the whole folder.
    pub fn sweep(&self, age_min: Duration, is_needed: impl Fn(BlobHash) -> bool) -> Result<Swept, BlobError> {
        let now = SystemTime::now();
        let mut swept = Swept::default();
        for shard in std::fs::read_dir(&self.root).map_err(disk)? {
            let shard = shard.map_err(disk)?.path();
            if shard == self.temporary || !shard.is_dir() {
                continue;
            }
            for entry in std::fs::read_dir(&shard).map_err(disk)? {
                let entry = entry.map_err(disk)?;
                let metadata = entry.metadata().map_err(disk)?;
                let Some(hash) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                    continue;
                };
                let age = metadata
                    .modified()
                    .ok()
                    .and_then(|then| now.duration_since(then).ok())
                    .unwrap_or_default();
                if age >= age_min && !is_needed(hash) {
                    std::fs::remove_file(entry.path()).map_err(disk)?;
                    swept.removed += 1;
                    swept.removed_bytes += metadata.len();
                } else {
                    swept.kept += 1;
                    swept.kept_bytes += metadata.len();
                }
            }
        }
        Ok(swept)
    }

    /// Refuses what would leave too little free. Where the system does not tell, the write itself will.
    fn check_room(&self, bytes: u64) -> Result<(), BlobError> {
        match fs4::available_space(&self.root) {
            Ok(free) if free < self.free_bytes_min.saturating_add(bytes) => Err(BlobError::DiskFull),
            _ => Ok(()),
        }
    }
}

/// Sets a file's time to now.
async fn touch(path: PathBuf) -> Result<(), BlobError> {
    let touched = tokio::task::spawn_blocking(move || {
        std::fs::File::options().append(true).open(path)?.set_modified(SystemTime::now())
    });
    touched.await.map_err(|error| BlobError::Disk(io::Error::other(error)))?.map_err(disk)
}

/// A file that is removed unless it was renamed before.
struct Temporary {
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed or never made; what cannot be removed now is removed at the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Makes a new name durable. On Windows a rename is durable with its volume's journal, and folders cannot be
/// synchronised.
#[cfg(unix)]
async fn sync_folder(folder: &Path) -> Result<(), BlobError> {
    File::open(folder).await.map_err(disk)?.sync_all().await.map_err(disk)
}

#[cfg(not(unix))]
async fn sync_folder(_folder: &Path) -> Result<(), BlobError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blobs() -> (tempfile::TempDir, Blobs) {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_with(folder.path().join("blobs"), 0).unwrap();
        (folder, blobs)
    }

    fn temporary_files(blobs: &Blobs) -> usize {
        std::fs::read_dir(&blobs.temporary).unwrap().count()
    }

    #[tokio::test]
    async fn a_blob_is_stored_once_and_read_back() {
        let (_folder, blobs) = blobs();
        let hash = blobs.put(b"hello").await.unwrap();
        assert_eq!(blobs.put(b"hello").await.unwrap(), hash);
        assert_eq!(blobs.read(hash, 5).await.unwrap(), b"hello");
        assert_eq!(blobs.bytes(hash).await.unwrap(), Some(5));
        assert!(matches!(blobs.read(hash, 4).await, Err(BlobError::TooLarge { bytes_max: 4 })));
        blobs.remove(hash).await.unwrap();
        assert!(matches!(blobs.read(hash, 5).await, Err(BlobError::Missing(_))));
        assert_eq!(temporary_files(&blobs), 0);
    }

    #[tokio::test]
    async fn what_is_not_as_announced_leaves_no_trace() {
        let (_folder, blobs) = blobs();
        let hash = BlobHash::of(b"hello");
        let put =
            |announced, bytes_max, bytes: &'static [u8]| blobs.put_from(hash, announced, bytes_max, bytes);
        assert!(matches!(put(None, 9, b"jello").await, Err(BlobError::WrongHash { .. })));
        assert!(matches!(put(Some(6), 9, b"hello").await, Err(BlobError::CutShort { arrived: 5, .. })));
        assert!(matches!(put(Some(4), 9, b"hello").await, Err(BlobError::TooLarge { bytes_max: 4 })));
        assert!(matches!(put(Some(10), 9, b"hello").await, Err(BlobError::TooLarge { bytes_max: 9 })));
        assert!(matches!(put(None, 4, b"hello").await, Err(BlobError::TooLarge { bytes_max: 4 })));
        assert!(!blobs.contains(hash).await.unwrap());
        assert_eq!(temporary_files(&blobs), 0);
    }

    #[tokio::test]
    async fn half_written_files_are_cleared_at_the_start() {
        let (folder, blobs) = blobs();
        std::fs::write(blobs.temporary.join("17"), b"half").unwrap();
        let hash = blobs.put(b"whole").await.unwrap();
        let blobs = Blobs::open_with(folder.path().join("blobs"), 0).unwrap();
        assert_eq!(temporary_files(&blobs), 0);
        assert!(blobs.contains(hash).await.unwrap());
    }

    #[tokio::test]
    async fn a_damaged_blob_is_noticed() {
        let (_folder, blobs) = blobs();
        let hash = blobs.put(b"hello").await.unwrap();
        std::fs::write(blobs.path(hash), b"hellO").unwrap();
        assert!(matches!(blobs.read(hash, 5).await, Err(BlobError::Damaged(_))));
    }

    #[tokio::test]
    async fn a_full_disk_is_a_fault_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let blobs = Blobs::open_with(folder.path(), u64::MAX).unwrap();
        let error = blobs.put(b"hello").await.unwrap_err();
        assert_eq!(error.code(), "disk_full");
    }

    #[tokio::test]
    async fn a_sweep_removes_what_is_old_and_not_needed() {
        let (_folder, blobs) = blobs();
        let needed = blobs.put(b"needed").await.unwrap();
        let spare = blobs.put(b"spare").await.unwrap();
        let young = blobs.sweep(Duration::from_secs(3600), |hash| hash == needed).unwrap();
        assert_eq!((young.removed, young.kept), (0, 2));
        let swept = blobs.sweep(Duration::ZERO, |hash| hash == needed).unwrap();
        assert_eq!(swept, Swept { removed: 1, removed_bytes: 5, kept: 1, kept_bytes: 6 });
        assert!(!blobs.contains(spare).await.unwrap());
        assert!(blobs.contains(needed).await.unwrap());
    }
}
