//! A disk that is full, from the beginning or in the middle.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use lull_models::{FetchOptions, Library, Presence, Progress, UNSAVED_BYTES_MAX};
use lull_types::Coded;
use tempfile::TempDir;

use crate::support::{AMPLE, KIB, MIB, Shelf, content, fetch_from, open};

/// A small file system of its own, in memory. It is gone when this is dropped.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where that is not allowed: it takes Linux and root.
    fn mount(mebibytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "lull-small-disk"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("SKIPPED: a small disk cannot be mounted here");
        }
        mounted.then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: a library may still be open on it. Nothing can be done about a failure.
        let _ = Command::new("umount").arg("--lazy").arg(self.path()).status();
    }
}

fn ballast(disk: &Path) -> PathBuf {
    disk.join("ballast")
}

/// Takes every byte that is left.
fn fill(disk: &Path) {
    let mut ballast = File::options().create(true).append(true).open(ballast(disk)).unwrap();
    loop {
        match ballast.write_all(&[0; 4096]) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::StorageFull => break,
            Err(error) => panic!("the disk cannot be filled: {error}"),
        }
    }
}

#[tokio::test]
async fn a_disk_that_fills_in_the_middle_costs_nothing_that_was_verified() {
    let Some(disk) = SmallDisk::mount(16) else { return };
    let bytes = 6 * MIB;
    let original = content(1, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let root = disk.path().join("models");
    for (unsaved_bytes_max, is_reopened) in [(UNSAVED_BYTES_MAX, false), (256 * KIB, true)] {
        let mut library = open(&root, AMPLE).await;
        let path = disk.path().to_owned();
        let options = FetchOptions {
            on_progress: Arc::new(move |progress: Progress| {
                if progress.done_bytes > 3 * MIB {
                    fill(&path);
                }
            }),
            unsaved_bytes_max,
            ..FetchOptions::default()
        };
        let error = fetch_from(&one.library, &library, hash, bytes, &options).await.unwrap_err();
        assert_eq!(error.code(), "disk_full", "{error}");
        assert!(!error.is_senders_fault());
        // While it is full, nothing begins.
        let error =
            fetch_from(&one.library, &library, hash, bytes, &FetchOptions::default()).await.unwrap_err();
        assert_eq!(error.code(), "disk_full", "{error}");
        if is_reopened {
            drop(library);
            library = open(&root, AMPLE).await;
        }
        let Presence::Part { verified_bytes } = library.list()[0].presence else { panic!() };
        assert!(verified_bytes > 2 * MIB, "{verified_bytes} bytes are left");
        std::fs::remove_file(ballast(disk.path())).unwrap();
        let fetched =
            fetch_from(&one.library, &library, hash, bytes, &FetchOptions::default()).await.unwrap();
        assert_eq!(fetched.arrived_bytes, bytes - verified_bytes);
        library.verify(hash, |_| ()).await.unwrap();
        library.remove(hash).await.unwrap();
    }
}

#[tokio::test]
async fn a_disk_without_room_is_not_begun_with() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let root = disk.path().join("models");
    let library = open(&root, AMPLE).await;
    let original = content(1, 9 * MIB);
    let (one, hash) = Shelf::with(&original).await;
    let error =
        fetch_from(&one.library, &library, hash, 9 * MIB, &FetchOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), "disk_full");
    let error = library.add_file(one.file(&original), |_| ()).await.unwrap_err();
    assert_eq!(error.code(), "disk_full");
    assert_eq!(library.list(), []);
    assert_eq!(library.usage().used_bytes, 0);
    assert_eq!(std::fs::read_dir(&root).unwrap().count(), 1, "the lock and nothing else");
    // Some is left for others.
    drop(library);
    let library = Library::open_with(&root, AMPLE, 4 * MIB).await.unwrap();
    let five = content(2, 5 * MIB);
    let (two, hash) = Shelf::with(&five).await;
    let error =
        fetch_from(&two.library, &library, hash, 5 * MIB, &FetchOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), "disk_full");
}
