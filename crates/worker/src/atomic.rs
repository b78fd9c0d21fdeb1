//! Files that are there whole or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Whether a name that is taken may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfThere {
    /// The old content goes away at once and whole.
    Replace,
    /// `AlreadyExists`, and the old content stays.
    Refuse,
}

/// Writes a file that only this user can read. When this returns, the content has reached the disk under its
/// name; when it fails or the machine dies in the middle, the name is as it was before.
///
/// # Errors
/// Those of the file system; `AlreadyExists` where `if_there` refuses.
pub fn write(path: &Path, content: &[u8], if_there: IfThere) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let mut tail = [0; 8];
    getrandom::fill(&mut tail).map_err(|error| io::Error::other(error.to_string()))?;
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_string_lossy();
    let temporary =
        folder.join(format!("{TEMPORARY_PREFIX}{name}.{}", data_encoding::HEXLOWER.encode(&tail)));
    let written = write_new(&temporary, content).and_then(|()| match if_there {
        IfThere::Replace => fs::rename(&temporary, path),
        // A hard link fails when the name is taken, in one step; a rename would take it over.
        IfThere::Refuse => link_new(&temporary, path),
    });
    if written.is_err() || if_there == IfThere::Refuse {
        // It may never have been made; what stays behind is swept by the next start.
        let _ = fs::remove_file(&temporary);
    }
    written?;
    sync_folder(folder)
}

/// Names of files that are being written begin with this.
pub const TEMPORARY_PREFIX: &str = ".writing-";

fn link_new(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // File systems without hard links, such as FAT. Between the question and the rename another
            // process could come in; the data folder's lock keeps it out.
            if path.exists() { Err(io::ErrorKind::AlreadyExists.into()) } else { fs::rename(temporary, path) }
        }
        other => other,
    }
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    // NTFS journals names; there is no way to ask for more without administrator rights.
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_or_refuses() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        write(&path, b"one", IfThere::Refuse).unwrap();
        assert_eq!(write(&path, b"two", IfThere::Refuse).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap(), b"one");
        write(&path, b"three", IfThere::Replace).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing temporary is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
