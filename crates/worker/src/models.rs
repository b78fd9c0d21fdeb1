//! Files of language models on this machine.

use std::path::PathBuf;

use futures_util::future::BoxFuture;
use iroh::endpoint::Connection;
use lull_types::{BlobHash, Fault};

/// Disk that models may take, until the contributor can say how much: two models of the size that fits a card for games.
pub const MODELS_BYTES_MAX: u64 = 20_000_000_000;

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

/// Where models are kept and how they come.
pub trait Models: Send + Sync + 'static {
    /// The file of a model that is here, whole and with its hash checked. Blocks on the disk.
    fn path_of(&self, model: BlobHash) -> Option<PathBuf>;

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
    fn path_of(&self, model: BlobHash) -> Option<PathBuf> {
        Some(self.0.join(format!("{model}.gguf"))).filter(|path| path.is_file())
    }

    fn fetch(
        &self,
        _connection: Connection,
        model: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'static, Result<(), ModelFailure>> {
        let is_here = self.path_of(model).is_some();
        Box::pin(async move {
            if is_here {
                return Ok(());
            }
            let sentence = format!("The model {model} of {bytes} bytes is not on this machine.");
            Err(ModelFailure::TooLarge(Fault::new("model_missing", sentence)))
        })
    }
}
