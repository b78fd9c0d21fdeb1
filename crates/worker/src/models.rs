//! Files of language models on this machine.

use std::fmt;
use std::path::{Path, PathBuf};

use futures_util::future::BoxFuture;
use iroh::endpoint::Connection;
use lull_types::{BlobHash, Fault};

/// A model's file cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelFailure {
    /// The session broke; what has come is kept for the next one.
    Connection(Fault),
    /// The network does not give it.
    Refused(Fault),
    /// What came is not what was named.
    Wrong(Fault),
    /// It takes more of the disk than models may.
    TooLarge(Fault),
    /// This machine is at fault, such as a full disk.
    Local(Fault),
}

/// A model's file, which stays where it is as long as this lives.
pub struct Held {
    path: PathBuf,
    _keeps: Box<dyn Send + Sync>,
}

impl Held {
    /// A file, and what keeps it.
    pub fn new(path: PathBuf, keeps: impl Send + Sync + 'static) -> Self {
        Self { path, _keeps: Box::new(keeps) }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Held").field(&self.path).finish()
    }
}

/// Where models are kept and how they come.
pub trait Models: Send + Sync + 'static {
    /// A model that is here, whole and with its hash checked. Blocks on the disk.
    fn held(&self, model: BlobHash) -> Option<Held>;

    /// Fetches a model of so many bytes, unless it is here. Dropping the future stops that; what has come is kept.
    fn fetch(
        &self,
        connection: Connection,
        model: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'static, Result<(), ModelFailure>>;
}

/// Models that somebody has put into a folder, as `HASH.gguf`. Whoever can write there is trusted with their hashes.
#[derive(Clone, Debug)]
pub struct ModelFolder(PathBuf);

impl ModelFolder {
    /// The models in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl Models for ModelFolder {
    fn held(&self, model: BlobHash) -> Option<Held> {
        let path = self.0.join(format!("{model}.gguf"));
        path.is_file().then(|| Held::new(path, ()))
    }

    fn fetch(
        &self,
        _connection: Connection,
        model: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'static, Result<(), ModelFailure>> {
        let is_here = self.held(model).is_some();
        Box::pin(async move {
            if is_here {
                return Ok(());
            }
            let sentence = format!("The model {model} of {bytes} bytes is not on this machine.");
            Err(ModelFailure::TooLarge(Fault::new("model_missing", sentence)))
        })
    }
}
