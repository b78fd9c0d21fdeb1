//! One worker for each data folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;

use lull_types::Coded;

use crate::paths::Paths;

/// The data folder cannot be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another worker has it.
    #[error("Lull is already working with this data folder; use “lull-worker status” to see what it does")]
    Taken,
    /// The lock file cannot be used.
    #[error("the lock file cannot be used: {0}; check the permissions of the data folder")]
    Io(#[from] io::Error),
}

impl Coded for LockError {
    fn code(&self) -> &'static str {
        match self {
            Self::Taken => "already_running",
            Self::Io(_) => "lock_unusable",
        }
    }
}

/// Held as long as the worker lives. The operating system lets go of it however the process ends, so a crash
/// leaves nothing behind.
#[derive(Debug)]
pub struct InstanceLock {
    _file: File,
}

impl InstanceLock {
    /// Takes the folder, or says at once that it is taken.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(paths: &Paths) -> Result<Self, LockError> {
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(paths.lock())?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(LockError::Taken),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let paths = Paths::at(folder.path());
        let first = InstanceLock::take(&paths).unwrap();
        assert!(matches!(InstanceLock::take(&paths), Err(LockError::Taken)));
        drop(first);
        InstanceLock::take(&paths).unwrap();
    }
}
