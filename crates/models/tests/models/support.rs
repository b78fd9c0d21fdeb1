//! What the tests share.

use std::path::{Path, PathBuf};
use std::time::Duration;

use lull_models::{
    FetchError, FetchOptions, Fetched, Library, Listed, Presence, SendError, SendOptions, Sent,
};
use lull_types::BlobHash;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

pub const KIB: u64 = 1024;
pub const MIB: u64 = 1024 * KIB;
/// More than any test takes.
pub const AMPLE: u64 = 1024 * MIB;

/// What a stream holds that nobody reads.
const STREAM_BYTES: usize = 64 * 1024;

/// Random bytes that are the same for the same seed.
pub fn content(seed: u64, bytes: u64) -> Vec<u8> {
    let mut content = vec![0; bytes as usize];
    ChaCha8Rng::seed_from_u64(seed).fill_bytes(&mut content);
    content
}

/// A library in a folder that goes with it, and a place for files to add.
pub struct Shelf {
    pub library: Library,
    pub folder: TempDir,
}

impl Shelf {
    pub async fn new(cap_bytes: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let library = open(&models(folder.path()), cap_bytes).await;
        Self { library, folder }
    }

    /// With one model.
    pub async fn with(content: &[u8]) -> (Self, BlobHash) {
        let shelf = Self::new(AMPLE).await;
        let hash = shelf.add(content).await;
        (shelf, hash)
    }

    pub fn root(&self) -> PathBuf {
        models(self.folder.path())
    }

    /// A file to add. It is made once: a library may have linked it, and then it must not be written again.
    pub fn file(&self, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(format!("{}.gguf", BlobHash::of(content)));
        if !path.exists() {
            std::fs::write(&path, content).unwrap();
        }
        path
    }

    pub async fn add(&self, content: &[u8]) -> BlobHash {
        self.library.add_file(self.file(content), |_| ()).await.unwrap()
    }

    /// Closes the library and opens it anew, as a new process would.
    pub async fn reopened(self) -> Self {
        let Self { library, folder } = self;
        let cap_bytes = library.usage().cap_bytes;
        drop(library);
        // Work on files that nobody waits for any more may still be under way.
        let library =
            eventually(async || Library::open_with(models(folder.path()), cap_bytes, 0).await.ok()).await;
        Self { library, folder }
    }

    pub fn presence(&self, hash: BlobHash) -> Option<Presence> {
        listed(&self.library, hash).map(|model| model.presence)
    }

    pub fn verified_bytes(&self, hash: BlobHash) -> u64 {
        match listed(&self.library, hash) {
            Some(Listed { bytes, presence: Presence::Whole, .. }) => bytes,
            Some(Listed { presence: Presence::Part { verified_bytes }, .. }) => verified_bytes,
            _ => 0,
        }
    }

    /// The content of a model that is here whole.
    pub async fn read(&self, hash: BlobHash) -> Vec<u8> {
        let held = self.library.get(hash).await.unwrap().expect("the model is here");
        std::fs::read(held.path()).unwrap()
    }

    /// The names in the folder that are not the lock.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root()).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name != "library.lock");
        names.sort();
        names
    }

    /// The length of all files in the folder.
    pub fn disk_bytes(&self) -> u64 {
        disk_bytes(&self.root())
    }
}

pub fn models(folder: &Path) -> PathBuf {
    folder.join("models")
}

pub fn disk_bytes(root: &Path) -> u64 {
    // A file may be removed or renamed between its name and its length.
    let entries = std::fs::read_dir(root).unwrap().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

pub async fn open(root: &Path, cap_bytes: u64) -> Library {
    Library::open_with(root, cap_bytes, 0).await.unwrap()
}

fn listed(library: &Library, hash: BlobHash) -> Option<Listed> {
    library.list().into_iter().find(|model| model.hash == hash)
}

/// Tries until something comes of it.
pub async fn eventually<T>(mut attempt: impl AsyncFnMut() -> Option<T>) -> T {
    let patience = std::time::Instant::now();
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(patience.elapsed() < Duration::from_secs(30), "nothing came of it");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// A stream to somebody who serves one request from a library.
pub fn source(library: &Library) -> (DuplexStream, JoinHandle<Result<Sent, SendError>>) {
    let (here, there) = tokio::io::duplex(STREAM_BYTES);
    let library = library.clone();
    let sending =
        tokio::spawn(async move { lull_models::send(&library, there, &SendOptions::default()).await });
    (here, sending)
}

/// A stream to a library that breaks after some bytes of the answer.
pub fn source_cut_after(library: &Library, bytes: u64) -> DuplexStream {
    let (far, _) = source(library);
    let (here, mut there) = tokio::io::duplex(STREAM_BYTES);
    tokio::spawn(async move {
        let (mut far_read, mut far_write) = tokio::io::split(far);
        let mut request = [0; 4];
        there.read_exact(&mut request).await.unwrap();
        far_write.write_all(&request).await.unwrap();
        let body = u64::from(u32::from_le_bytes(request));
        tokio::io::copy(&mut (&mut there).take(body), &mut far_write).await.unwrap();
        let _ = tokio::io::copy(&mut (&mut far_read).take(bytes), &mut there).await;
    });
    here
}

pub async fn fetch_from(
    from: &Library,
    to: &Library,
    hash: BlobHash,
    bytes: u64,
    options: &FetchOptions,
) -> Result<Fetched, FetchError> {
    let (stream, _) = source(from);
    lull_models::fetch(to, hash, bytes, stream, options).await
}

pub fn flip(path: &Path, offset: u64) {
    let modified = std::fs::metadata(path).unwrap().modified().unwrap();
    let mut content = std::fs::read(path).unwrap();
    content[offset as usize] ^= 1;
    std::fs::write(path, content).unwrap();
    // As a disk that fails does it: with no trace.
    std::fs::File::options().append(true).open(path).unwrap().set_modified(modified).unwrap();
}
