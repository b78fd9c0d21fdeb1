//! The folder of a network: its lock, its key, and where things lie in it.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use lull_types::{Coded, SecretKey};

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another process has it.
    #[error("another lull-network is running on {}", .0.display())]
    InUse(PathBuf),
    /// A file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The key file holds no key.
    #[error(
        "{} does not hold a network's key; put back a copy of it, since workers and receipts know this network by it",
        .0.display()
    )]
    BadKey(PathBuf),
    /// No randomness.
    #[error("the system gives no randomness for the network's key")]
    NoRandomness,
}

impl Coded for DataDirError {
    fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "data_dir_in_use",
            Self::Io { .. } => "data_dir_unusable",
            Self::BadKey(_) => "network_key_unusable",
            Self::NoRandomness => "no_randomness",
        }
    }
}

/// A folder that this process holds; nobody else changes it meanwhile.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Locked while it is open.
    _lock: File,
}

impl DataDir {
    /// Takes the folder, and makes it if missing.
    pub fn take(root: &Path) -> Result<Self, DataDirError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| DataDirError::Io { path, source }
        };
        std::fs::create_dir_all(root).map_err(io(root))?;
        let path = root.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path).map_err(io(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { root: root.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(DataDirError::InUse(root.to_owned())),
            Err(TryLockError::Error(source)) => Err(DataDirError::Io { path, source }),
        }
    }

    /// The store.
    pub fn store(&self) -> PathBuf {
        self.root.join("network.sqlite")
    }

    /// The blobs.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// The files of language models.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Published epochs.
    pub fn epochs(&self) -> PathBuf {
        self.root.join("epochs")
    }

    /// The practice ledger.
    pub fn practice_ledger(&self) -> PathBuf {
        self.root.join("practice-ledger.sqlite")
    }

    /// The trusted runtime's own folder.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// What the service tells of itself when it is ready.
    pub fn announcement(&self) -> PathBuf {
        self.root.join("network.json")
    }

    /// Where a running service is asked for changes.
    pub fn admin(&self) -> PathBuf {
        admin_file(&self.root)
    }

    /// The network's key; made at the first start.
    pub fn key(&self) -> Result<SecretKey, DataDirError> {
        let path = self.root.join("network.key");
        let io = |source| DataDirError::Io { path: path.clone(), source };
        match File::open(&path) {
            Ok(mut file) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(io)?;
                let bytes = data_encoding::HEXLOWER
                    .decode(text.trim().as_bytes())
                    .map_err(|_| DataDirError::BadKey(path.clone()))?;
                let bytes: [u8; 32] = bytes.try_into().map_err(|_| DataDirError::BadKey(path.clone()))?;
                Ok(SecretKey::from_bytes(&bytes))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = SecretKey::generate().map_err(|_| DataDirError::NoRandomness)?;
                let text = data_encoding::HEXLOWER.encode(&key.to_bytes());
                write_secret(&path, text.as_bytes()).map_err(io)?;
                Ok(key)
            }
            Err(error) => Err(io(error)),
        }
    }
}

/// [`DataDir::admin`] of a folder that another process holds.
pub fn admin_file(root: &Path) -> PathBuf {
    root.join("admin.json")
}

/// Writes a file that only this user can read, whole or not at all, and durably.
pub fn write_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // What an earlier process left half written.
    if let Err(error) = std::fs::remove_file(&temporary)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error);
    }
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    // On Windows a file in a user's profile is readable by that user and the administrators alone.
    let mut file = options.open(&temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::take(folder.path()).unwrap();
        let key = dir.key().unwrap();
        assert_eq!(dir.key().unwrap().public(), key.public());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = folder.path().join("network.key").metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        std::fs::write(folder.path().join("network.key"), "nonsense").unwrap();
        assert_eq!(dir.key().unwrap_err().code(), "network_key_unusable");
    }

    #[test]
    fn a_folder_has_one_holder() {
        let folder = tempfile::tempdir().unwrap();
        let held = DataDir::take(folder.path()).unwrap();
        assert_eq!(DataDir::take(folder.path()).unwrap_err().code(), "data_dir_in_use");
        drop(held);
        assert!(DataDir::take(folder.path()).is_ok());
    }
}
