//! Files of language models on this machine.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use iroh::endpoint::Connection;
use lull_models::{FetchError, FetchOptions, Library, LibraryError};
use lull_network_api::{BlobRequest, FRAMES};
use lull_types::{BlobHash, Coded, Fault};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;

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
    /// A model that is here, whole. Blocks, so it is for a thread that may, and in tokio's runtime.
    fn held(&self, model: BlobHash) -> Option<Held>;

    /// Fetches a model of so many bytes, unless it is here. Dropping the future stops that; what has come is kept.
    fn fetch(
        &self,
        connection: Connection,
        model: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'static, Result<(), ModelFailure>>;
}

/// Disk that models may take, until the contributor can say how much: two models of the size that fits a card for games.
pub const MODELS_BYTES_MAX: u64 = 20_000_000_000;

/// Models in a library on this disk, fetched from whoever gives the work.
#[derive(Clone, Debug)]
pub struct ModelLibrary {
    folder: PathBuf,
    /// Opened when a model is wanted for the first time: most workers never want one.
    library: Arc<OnceCell<Library>>,
}

impl ModelLibrary {
    /// The library in this folder.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, library: Arc::default() }
    }

    async fn library(&self) -> Result<&Library, LibraryError> {
        self.library.get_or_try_init(|| Library::open(self.folder.clone(), MODELS_BYTES_MAX)).await
    }

    async fn fetch_one(
        &self,
        connection: &Connection,
        model: BlobHash,
        bytes: u64,
    ) -> Result<(), ModelFailure> {
        let library = self.library().await.map_err(|error| ModelFailure::Local(error.fault()))?;
        let is_whole =
            library.get(model).await.map_err(|error| ModelFailure::Local(error.fault()))?.is_some();
        if is_whole {
            return Ok(());
        }
        let broken = |error: &dyn fmt::Display| {
            let sentence =
                format!("The connection broke while a model was fetched: {error}. It goes on later.");
            ModelFailure::Connection(Fault::new("model_connection", sentence))
        };
        let (mut send, receive) = connection.open_bi().await.map_err(|error| broken(&error))?;
        FRAMES.write(&mut send, &BlobRequest::Model(model)).await.map_err(|error| broken(&error))?;
        let stream = tokio::io::join(receive, send);
        let fetched = lull_models::fetch(library, model, bytes, stream, &FetchOptions::default()).await;
        match fetched {
            Ok(fetched) if fetched.missing_bytes == 0 => Ok(()),
            Ok(fetched) => {
                let sentence =
                    format!("The network has all but {} bytes of the model.", fetched.missing_bytes);
                Err(ModelFailure::Refused(Fault::new("model_in_part", sentence)))
            }
            Err(error) => Err(failure(&error)),
        }
    }
}

fn failure(error: &FetchError) -> ModelFailure {
    let fault = error.fault();
    match error {
        FetchError::Library(LibraryError::CapTooSmall { .. } | LibraryError::AllInUse { .. }) => {
            ModelFailure::TooLarge(fault)
        }
        FetchError::Library(_) => ModelFailure::Local(fault),
        FetchError::Refused(_) => ModelFailure::Refused(fault),
        FetchError::Lied(_) => ModelFailure::Wrong(fault),
        FetchError::Broken(_) | FetchError::Stalled { .. } | FetchError::Cancelled => {
            ModelFailure::Connection(fault)
        }
    }
}

impl Models for ModelLibrary {
    fn held(&self, model: BlobHash) -> Option<Held> {
        let held = async {
            let library = self.library().await.ok()?;
            // One that is damaged is fetched again.
            library.get(model).await.ok().flatten()
        };
        let held = Handle::current().block_on(held)?;
        Some(Held::new(held.path().to_owned(), held))
    }

    fn fetch(
        &self,
        connection: Connection,
        model: BlobHash,
        bytes: u64,
    ) -> BoxFuture<'static, Result<(), ModelFailure>> {
        let models = self.clone();
        Box::pin(async move { models.fetch_one(&connection, model, bytes).await })
    }
}
