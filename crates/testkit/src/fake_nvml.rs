//! NVIDIA boards that are made up, for a fake of NVIDIA's management library: what they are lies in a file beside the
//! library, so that it outlives whatever process has loaded it.
//!
//! The library itself is an example of `lull-worker`, `nvidia_ml_fake`.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FakeNvmlBoard {
    /// Its PCI address.
    pub bus: String,
    /// Its own number.
    pub uuid: String,
    /// Its power limit; `None` for a board that has none.
    pub milliwatts: Option<u32>,
    /// What it takes at least.
    pub milliwatts_min: u32,
    /// And at most.
    pub milliwatts_max: u32,
    /// Only an administrator may change it, and nobody here is one.
    pub locked: bool,
    /// Whoever changes it waits until this is over.
    pub hangs: bool,
    /// What it was ever set to, oldest first.
    pub set: Vec<u32>,
}

impl FakeNvmlBoard {
    /// A board of 320 W that takes 100 W to 350 W.
    pub fn new(bus: &str, uuid: &str) -> Self {
        Self {
            bus: bus.to_owned(),
            uuid: uuid.to_owned(),
            milliwatts: Some(320_000),
            milliwatts_min: 100_000,
            milliwatts_max: 350_000,
            locked: false,
            hangs: false,
            set: Vec::new(),
        }
    }
}

/// The boards of a made-up machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FakeNvml {
    /// They.
    pub boards: Vec<FakeNvmlBoard>,
}

impl FakeNvml {
    /// The file of a library.
    pub fn file_beside(library: &Path) -> PathBuf {
        let mut name = library.as_os_str().to_owned();
        name.push(".json");
        name.into()
    }

    /// Reads it.
    ///
    /// # Errors
    /// Those of the file system, or when it holds something else.
    pub fn read(library: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(Self::file_beside(library))?).map_err(io::Error::other)
    }

    /// Writes it; whoever reads it meanwhile finds it as it was before.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn write(&self, library: &Path) -> io::Result<()> {
        let file = Self::file_beside(library);
        let partial = file.with_extension(format!("{}.partial", std::process::id()));
        std::fs::write(&partial, serde_json::to_vec(self).map_err(io::Error::other)?)?;
        std::fs::rename(partial, file)
    }
}
