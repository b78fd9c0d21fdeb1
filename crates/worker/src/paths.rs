//! Where a worker keeps its things.

use std::io;
use std::path::{Path, PathBuf};

use lull_types::Coded;
use lull_worker_api::transport::{self, Endpoint, TransportError};

/// No data folder can be used.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// The system names no home folder.
    #[error(transparent)]
    NoHome(#[from] TransportError),
    /// The folder cannot be made or opened.
    #[error("the folder {} cannot be used: {error}; check its permissions and the free space", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// The operating system's word on it.
        error: io::Error,
    },
}

impl Coded for PathsError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoHome(error) => error.code(),
            Self::Unusable { .. } => "data_dir_unusable",
        }
    }
}

/// The data folder of one worker, and the names in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    root: PathBuf,
}

impl Paths {
    /// The folder that the environment names, or the usual one.
    ///
    /// # Errors
    /// When this account has no home folder and the environment names none.
    pub fn from_env() -> Result<Self, PathsError> {
        Ok(Self::at(transport::data_dir()?))
    }

    /// A given folder. A relative one is taken from the current folder, once and for all.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { root: std::path::absolute(&root).unwrap_or(root) }
    }

    /// Makes the folders that are always there. On Unix only this user can enter them.
    ///
    /// # Errors
    /// When one cannot be made.
    pub fn create(&self) -> Result<(), PathsError> {
        for folder in [self.root.clone(), self.blobs(), self.logs(), self.scratch()] {
            create_private(&folder).map_err(|error| PathsError::Unusable { path: folder, error })?;
        }
        Ok(())
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where the worker of this folder listens for the app and the command line.
    pub fn endpoint(&self) -> Endpoint {
        transport::default_endpoint(&self.root)
    }

    /// Held locked by the one worker of this folder.
    pub fn lock(&self) -> PathBuf {
        self.root.join("worker.lock")
    }

    /// The journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal.sqlite")
    }

    /// Energy of accepted assignments.
    pub fn energy(&self) -> PathBuf {
        self.root.join("energy.json")
    }

    /// Power limits of boards that are lowered, with what they were.
    pub fn power_limits(&self) -> PathBuf {
        self.root.join("power-limits.json")
    }

    /// The prices of power that were last read.
    pub fn prices(&self) -> PathBuf {
        self.root.join("power-prices.json")
    }

    /// The device key, where the system has no keychain.
    pub fn key_file(&self) -> PathBuf {
        self.root.join("device-key")
    }

    /// Says that the device key is in the keychain, and under which name.
    pub fn key_marker(&self) -> PathBuf {
        self.root.join("device-key.keychain")
    }

    /// Keys of wallets, where a person said that they go to files.
    pub fn wallet_keys(&self) -> PathBuf {
        self.root.join("wallet-keys")
    }

    /// Blobs: inputs of open assignments and outputs of recent ones.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    /// Files of language models.
    pub fn models(&self) -> PathBuf {
        self.root.join("models")
    }

    /// Logs of the last days.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What was exported.
    pub fn exports(&self) -> PathBuf {
        self.root.join("exports")
    }

    /// Folders of runtime processes.
    pub fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    /// The practice network's own data folder.
    pub fn practice(&self) -> PathBuf {
        self.root.join("practice")
    }
}

/// Makes a folder, and its parents, that only this user can enter.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_private() {
        let root = tempfile::tempdir().unwrap();
        let paths = Paths::at(root.path().join("deep/data"));
        paths.create().unwrap();
        paths.create().unwrap();
        assert!(paths.blobs().is_dir());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(paths.root()).unwrap().permissions().mode();
            assert_eq!(mode & 0o077, 0, "others have no access");
        }
    }
}
