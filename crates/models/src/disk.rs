//! Files: their names in the library's folder, and writes that survive a power cut. All calls block.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use lull_types::BlobHash;

use crate::record::FileFacts;

/// Names of files that are being made begin with this; what is found of them at the start is removed.
const TEMPORARY_PREFIX: &str = ".making-";

/// Who has the folder open, holds a lock on this.
const LOCK_NAME: &str = "library.lock";

/// What a file in the folder is, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A whole model.
    Whole,
    /// Some of a model.
    Part,
    /// The hashes over it, in post-order.
    Outboard,
    /// What is known of it.
    Record,
}

impl Kind {
    /// In the order in which they are removed: a record without data is dropped at the next start, so that a
    /// removal that is cut short is finished then.
    pub const ALL: [Self; 4] = [Self::Whole, Self::Part, Self::Outboard, Self::Record];

    fn extension(self) -> &'static str {
        match self {
            Self::Whole => "gguf",
            Self::Part => "part",
            Self::Outboard => "bao",
            Self::Record => "json",
        }
    }
}

/// A name in the folder that means something to the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    Model(BlobHash, Kind),
    Temporary,
}

impl Name {
    /// `None` for names that are somebody else's.
    pub fn parse(name: &str) -> Option<Self> {
        if name.starts_with(TEMPORARY_PREFIX) {
            return Some(Self::Temporary);
        }
        let (stem, extension) = name.split_once('.')?;
        let hash: BlobHash = stem.parse().ok()?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.extension() == extension)?;
        // The same hash can be written in other ways; those are not names that were given here.
        (hash.to_string() == stem).then_some(Self::Model(hash, kind))
    }
}

/// The library's folder.
#[derive(Debug)]
pub(crate) struct Folder {
    root: PathBuf,
    temporaries: AtomicU64,
    /// Held as long as this lives; the system lets go of it when the process ends, however it ends.
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing and takes it for this process: `None` when another has it.
    pub fn take(root: PathBuf) -> io::Result<Option<Self>> {
        fs::create_dir_all(&root)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(root.join(LOCK_NAME))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { root, temporaries: AtomicU64::new(0), _lock: lock })),
            Err(fs::TryLockError::WouldBlock) => Ok(None),
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn path(&self, hash: BlobHash, kind: Kind) -> PathBuf {
        self.root.join(format!("{hash}.{}", kind.extension()))
    }

    /// A name for a file that is being made.
    pub fn temporary(&self) -> Temporary {
        let number = self.temporaries.fetch_add(1, Ordering::Relaxed);
        Temporary { path: self.root.join(format!("{TEMPORARY_PREFIX}{number}")) }
    }

    /// Writes a record. When this returns, it has reached the disk, and so have the names of all files that were
    /// made before; when it fails or the machine dies in the middle, the old record holds.
    pub fn write_record(&self, hash: BlobHash, text: &[u8]) -> io::Result<()> {
        let temporary = self.temporary();
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(&temporary.path)?;
        file.write_all(text)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&temporary.path, self.path(hash, Kind::Record))?;
        self.sync()
    }

    /// Notes that a model was used, in the time of its record: the order of use is worth nothing but a better
    /// choice of what to drop, so failing to note it is no fault.
    pub fn note_use(&self, hash: BlobHash, now: SystemTime) {
        if let Ok(file) = OpenOptions::new().append(true).open(self.path(hash, Kind::Record)) {
            let _ = file.set_modified(now);
        }
    }

    /// Removes all files of a model, the record last.
    pub fn remove(&self, hash: BlobHash) -> io::Result<()> {
        for kind in Kind::ALL {
            remove_if_there(&self.path(hash, kind))?;
        }
        self.sync()
    }

    /// Makes new names, and that old ones are gone, last through a power cut. On Windows they do with the volume's
    /// journal, and folders cannot be synchronised.
    pub fn sync(&self) -> io::Result<()> {
        if cfg!(unix) { File::open(&self.root)?.sync_all() } else { Ok(()) }
    }
}

/// A file that is removed unless it was renamed before.
#[derive(Debug)]
pub(crate) struct Temporary {
    pub path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Renamed or never made; what cannot be removed now is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}

/// The facts of a file, if it is there.
pub(crate) fn facts(path: &Path) -> io::Result<Option<FileFacts>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(FileFacts::of(&metadata))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Gives a file another name that takes no room, where the file systems can: shared blocks, of which a later change
/// of either file is not seen in the other, or else a hard link, of which it is, and is noticed. `false` where
/// neither can be done, and then `target` is not there.
pub(crate) fn share(source: &Path, target: &Path) -> bool {
    if clone(source, target).is_ok() {
        return true;
    }
    // An attempt may have left an empty file.
    let _ = fs::remove_file(target);
    fs::hard_link(source, target).is_ok()
}

#[cfg(target_os = "linux")]
fn clone(source: &Path, target: &Path) -> io::Result<()> {
    let source = File::open(source)?;
    let target = OpenOptions::new().write(true).create_new(true).open(target)?;
    Ok(rustix::fs::ioctl_ficlone(&target, &source)?)
}

#[cfg(target_vendor = "apple")]
fn clone(source: &Path, target: &Path) -> io::Result<()> {
    let source = File::open(source)?;
    Ok(rustix::fs::fclonefileat(&source, rustix::fs::CWD, target, rustix::fs::CloneFlags::empty())?)
}

#[cfg(not(any(target_os = "linux", target_vendor = "apple")))]
fn clone(_source: &Path, _target: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_by_their_form() {
        let hash = BlobHash::of(b"model");
        for kind in Kind::ALL {
            let name = format!("{hash}.{}", kind.extension());
            assert_eq!(Name::parse(&name), Some(Name::Model(hash, kind)));
        }
        assert_eq!(Name::parse(".making-7"), Some(Name::Temporary));
        let upper = hash.to_string().to_uppercase();
        for foreign in
            ["library.lock", "notes.txt", &hash.to_string(), &format!("{hash}.bin"), &format!("{upper}.gguf")]
        {
            assert_eq!(Name::parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = Folder::take(folder.path().join("models")).unwrap();
        assert!(first.is_some());
        assert!(Folder::take(folder.path().join("models")).unwrap().is_none());
        drop(first);
        assert!(Folder::take(folder.path().join("models")).unwrap().is_some());
    }

    #[test]
    fn a_shared_file_has_the_same_content() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&source, b"content").unwrap();
        assert!(share(&source, &target));
        assert_eq!(fs::read(&target).unwrap(), b"content");
        assert!(!share(&folder.path().join("none"), &folder.path().join("c")));
        assert!(!folder.path().join("c").exists());
    }
}
