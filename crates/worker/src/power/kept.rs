//! What is written down of lowered limits, so that they are put back after whatever becomes of this process.

use std::io;
use std::path::PathBuf;
use std::{fs, mem};

use serde::{Deserialize, Serialize};

use super::Board;
use crate::atomic::{self, IfThere};

/// A limit that is, or is about to be, lowered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lowered {
    /// Whose.
    pub board: Board,
    /// What it was.
    pub former_milliwatts: u32,
    /// What Lull sets it to.
    pub set_milliwatts: u32,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Content {
    lowered: Vec<Lowered>,
}

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Kept {
    path: PathBuf,
    content: Content,
    /// What is in memory is not on the disk.
    stale: bool,
}

impl Kept {
    /// Reads the file. One that is missing holds nothing; one that is damaged, which only a failing disk does, is moved
    /// aside for whoever wants to see what it held.
    pub fn open(path: PathBuf) -> Self {
        let content = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
                let aside = path.with_extension("damaged");
                tracing::error!(%error, aside = %aside.display(), "the list of lowered power limits is damaged");
                // It is read for nothing but this; without the move it is written over.
                let _ = fs::rename(&path, aside);
                Content::default()
            }),
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::error!(%error, "the list of lowered power limits cannot be read");
                }
                Content::default()
            }
        };
        Self { path, content, stale: false }
    }

    pub fn all(&self) -> &[Lowered] {
        &self.content.lowered
    }

    pub fn of(&self, board: &Board) -> Option<&Lowered> {
        self.content.lowered.iter().find(|lowered| lowered.board == *board)
    }

    /// Writes one down, in place of what was known of its board. It is on the disk when this returns.
    ///
    /// # Errors
    /// Those of the file system; then nothing is written down of it.
    pub fn add(&mut self, lowered: Lowered) -> io::Result<()> {
        let board = lowered.board.clone();
        self.content.lowered.retain(|other| other.board != board);
        self.content.lowered.push(lowered);
        self.stale = true;
        self.write().inspect_err(|_| {
            self.content.lowered.retain(|other| other.board != board);
        })
    }

    /// Forgets one. It is still on the disk until [`Self::write`].
    pub fn forget(&mut self, board: &Board) {
        self.content.lowered.retain(|other| other.board != *board);
        self.stale = true;
    }

    /// Brings the disk up to date.
    ///
    /// # Errors
    /// Those of the file system. What is there too much then does no harm: its limit is found to be another.
    pub fn write(&mut self) -> io::Result<()> {
        if !mem::take(&mut self.stale) {
            return Ok(());
        }
        let text = serde_json::to_vec(&self.content).map_err(io::Error::other)?;
        atomic::write(&self.path, &text, IfThere::Replace).inspect_err(|_| self.stale = true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::Maker;

    fn lowered(serial: &str, set_milliwatts: u32) -> Lowered {
        let board = Board { maker: Maker::Amd, bus: "0000:03:00.0".into(), serial: serial.into() };
        Lowered { board, former_milliwatts: 300_000, set_milliwatts }
    }

    #[test]
    fn what_is_added_is_on_the_disk_and_what_is_forgotten_goes_with_the_next_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("power-limits.json");
        let on_disk = || Kept::open(path.clone()).all().to_vec();
        let mut kept = Kept::open(path.clone());
        assert_eq!(on_disk(), []);
        kept.add(lowered("a", 1)).unwrap();
        kept.add(lowered("b", 2)).unwrap();
        kept.add(lowered("a", 3)).unwrap();
        assert_eq!(on_disk(), [lowered("b", 2), lowered("a", 3)]);
        kept.forget(&lowered("b", 0).board);
        assert_eq!(on_disk().len(), 2);
        kept.write().unwrap();
        assert_eq!(on_disk(), [lowered("a", 3)]);

        fs::write(&path, b"{\"lowered\":").unwrap();
        assert_eq!(on_disk(), []);
        assert!(folder.path().join("power-limits.damaged").exists());
    }

    #[test]
    fn what_cannot_be_written_is_not_believed_to_be() {
        let folder = tempfile::tempdir().unwrap();
        let mut kept = Kept::open(folder.path().join("not-there/power-limits.json"));
        assert!(kept.add(lowered("a", 1)).is_err());
        assert_eq!(kept.all(), []);
    }
}
