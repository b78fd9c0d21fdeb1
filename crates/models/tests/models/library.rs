//! Adding, listing, using, removing, and making room.

use std::time::{Duration, SystemTime};

use lull_models::{Library, LibraryError, Presence};
use lull_types::{BlobHash, Coded};

use crate::support::{AMPLE, KIB, MIB, Shelf, content, flip, open};

/// What a model of 100 KiB takes: its data, six pairs of hashes and its record.
const SLOT: u64 = 100 * KIB + 6 * 64 + 8 * KIB;

#[tokio::test]
async fn a_file_is_added_listed_used_and_removed() {
    let bytes = content(1, 100 * KIB);
    let shelf = Shelf::new(AMPLE).await;
    assert_eq!(shelf.library.list(), []);
    let before = SystemTime::now();
    let hash = shelf.add(&bytes).await;
    assert_eq!(hash, BlobHash::of(&bytes));
    let listed = shelf.library.list().pop().unwrap();
    assert_eq!((listed.hash, listed.bytes, listed.presence), (hash, 100 * KIB, Presence::Whole));
    assert!(listed.last_used >= before && !listed.is_in_use);
    assert_eq!(shelf.library.usage().used_bytes, SLOT);

    let held = shelf.library.get(hash).await.unwrap().unwrap();
    assert_eq!((held.hash(), held.bytes()), (hash, 100 * KIB));
    assert_eq!(std::fs::read(held.path()).unwrap(), bytes);
    assert!(shelf.library.list()[0].is_in_use);
    assert_eq!(shelf.library.remove(hash).await.unwrap_err().code(), "models_held");
    drop(held);
    shelf.library.verify(hash, |_| ()).await.unwrap();
    shelf.library.remove(hash).await.unwrap();
    assert_eq!(shelf.library.remove(hash).await.unwrap_err().code(), "models_missing");
    assert!(shelf.library.get(hash).await.unwrap().is_none());
    assert!(shelf.names().is_empty());
    assert!(shelf.file(&bytes).exists(), "the operator's own file stays");
}

#[tokio::test]
async fn adding_twice_is_adding_once_and_costs_nobody_a_place() {
    // Room for two and for the hashes of a third.
    let shelf = Shelf::new(2 * SLOT + 9 * KIB).await;
    let one = shelf.add(&content(1, 100 * KIB)).await;
    let two = shelf.add(&content(2, 100 * KIB)).await;
    assert_eq!(shelf.add(&content(1, 100 * KIB)).await, one);
    assert_eq!(shelf.library.list().len(), 2);
    assert_eq!(shelf.names().len(), 6);
    // It was used by that.
    shelf.add(&content(3, 100 * KIB)).await;
    assert_eq!((shelf.presence(one), shelf.presence(two)), (Some(Presence::Whole), None));
}

#[tokio::test]
async fn a_file_on_another_disk_is_copied() {
    let elsewhere = std::path::Path::new("/dev/shm");
    let Ok(folder) = tempfile::tempdir_in(elsewhere) else {
        eprintln!("SKIPPED: there is no second file system here");
        return;
    };
    let bytes = content(3, 3 * MIB + 5);
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, &bytes).unwrap();
    let shelf = Shelf::new(AMPLE).await;
    let (told, heard) = std::sync::mpsc::channel();
    let hash = shelf.library.add_file(&path, move |progress| told.send(progress).unwrap()).await.unwrap();
    assert_eq!(shelf.read(hash).await, bytes);
    assert_eq!(heard.into_iter().last().unwrap().done_bytes, 3 * MIB + 5);
    // Nothing that happens to the original matters to a copy.
    std::fs::write(&path, b"other").unwrap();
    shelf.library.verify(hash, |_| ()).await.unwrap();
    // And one that does not fit leaves nothing behind.
    let small = Shelf::new(2 * MIB).await;
    std::fs::write(&path, &bytes).unwrap();
    let error = small.library.add_file(&path, |_| ()).await.unwrap_err();
    assert_eq!(error.code(), "models_cap_too_small");
    assert!(small.names().is_empty());
}

#[tokio::test]
async fn what_is_no_model_is_not_added() {
    let shelf = Shelf::new(AMPLE).await;
    let folder = shelf.folder.path();
    std::fs::write(folder.join("empty"), b"").unwrap();
    for (name, code) in
        [("empty", "models_bad_length"), ("models", "models_no_file"), ("none", "models_disk")]
    {
        let error = shelf.library.add_file(folder.join(name), |_| ()).await.unwrap_err();
        assert_eq!(error.code(), code, "{name}: {error}");
    }
    assert!(shelf.names().is_empty());
}

#[tokio::test]
async fn the_least_recently_used_makes_room_before_the_next_comes() {
    let shelf = Shelf::new(3 * SLOT).await;
    let mut hashes = Vec::new();
    for seed in 0..3 {
        hashes.push(shelf.add(&content(seed, 100 * KIB)).await);
    }
    shelf.read(hashes[0]).await;
    let held = shelf.library.get(hashes[1]).await.unwrap().unwrap();
    let fourth = shelf.add(&content(3, 100 * KIB)).await;
    assert_eq!(shelf.presence(hashes[2]), None, "neither used last nor held");
    drop(held);
    // The order of use is kept over a restart.
    let shelf = shelf.reopened().await;
    shelf.add(&content(4, 100 * KIB)).await;
    assert_eq!(shelf.presence(hashes[0]), None);
    for hash in [hashes[1], fourth] {
        assert_eq!(shelf.presence(hash), Some(Presence::Whole));
    }
    assert!(shelf.disk_bytes() <= 3 * SLOT);
}

#[tokio::test]
async fn what_cannot_fit_is_refused_and_nothing_goes_for_it() {
    let shelf = Shelf::new(2 * SLOT).await;
    let one = shelf.add(&content(1, 100 * KIB)).await;
    let two = shelf.add(&content(2, 100 * KIB)).await;
    let error = shelf.library.add_file(shelf.file(&content(3, 220 * KIB)), |_| ()).await.unwrap_err();
    assert!(matches!(error, LibraryError::CapTooSmall { cap_bytes, .. } if cap_bytes == 2 * SLOT), "{error}");
    let _held = (shelf.library.get(one).await.unwrap(), shelf.library.get(two).await.unwrap());
    let error = shelf.library.add_file(shelf.file(&content(3, 100 * KIB)), |_| ()).await.unwrap_err();
    assert_eq!(error.code(), "models_all_in_use");
    assert_eq!(shelf.library.list().len(), 2);
    assert_eq!(shelf.names().len(), 6);
}

#[tokio::test]
async fn the_cap_can_be_changed() {
    let shelf = Shelf::new(3 * SLOT).await;
    let mut hashes = Vec::new();
    for seed in 0..3 {
        hashes.push(shelf.add(&content(seed, 100 * KIB)).await);
    }
    let held = shelf.library.get(hashes[0]).await.unwrap();
    shelf.library.set_cap(2 * SLOT).await.unwrap();
    assert_eq!(shelf.presence(hashes[1]), None);
    let error = shelf.library.set_cap(SLOT - 1).await.unwrap_err();
    assert_eq!(error.code(), "models_all_in_use");
    assert_eq!(shelf.library.usage().cap_bytes, 2 * SLOT);
    assert_eq!(shelf.library.list().len(), 2);
    drop(held);
    shelf.library.set_cap(0).await.unwrap();
    assert_eq!(shelf.library.list(), []);
    // A smaller cap at the next start does the same.
    let shelf = Shelf::new(2 * SLOT).await;
    shelf.add(&content(1, 100 * KIB)).await;
    let last = shelf.add(&content(2, 100 * KIB)).await;
    let Shelf { library, folder } = shelf;
    drop(library);
    let library = open(&crate::support::models(folder.path()), SLOT).await;
    assert_eq!(library.list().into_iter().map(|model| model.hash).collect::<Vec<_>>(), [last]);
}

#[tokio::test]
async fn a_file_that_was_changed_is_not_used_until_it_is_found_good() {
    let bytes = content(1, 100 * KIB);
    let (shelf, hash) = Shelf::with(&bytes).await;
    let path = shelf.library.get(hash).await.unwrap().unwrap().path().to_owned();

    // Touched only.
    let hour = Duration::from_secs(3600);
    let file = std::fs::File::options().append(true).open(&path).unwrap();
    file.set_modified(SystemTime::now() - hour).unwrap();
    drop(file);
    assert_eq!(shelf.library.get(hash).await.unwrap_err().code(), "models_damaged");
    assert_eq!(shelf.presence(hash), Some(Presence::Damaged));
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.presence(hash), Some(Presence::Damaged));
    shelf.library.verify(hash, |_| ()).await.unwrap();
    assert_eq!(shelf.read(hash).await, bytes);
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.presence(hash), Some(Presence::Whole));

    // Damaged without a trace: only reading it tells, and then it is remembered.
    flip(&path, 50_000);
    assert!(shelf.library.get(hash).await.unwrap().is_some());
    assert_eq!(shelf.library.verify(hash, |_| ()).await.unwrap_err().code(), "models_damaged");
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.library.get(hash).await.unwrap_err().code(), "models_damaged");
    // Added again, it is good again. (It was linked, so the operator's file had suffered with it.)
    std::fs::remove_file(shelf.folder.path().join(format!("{hash}.gguf"))).unwrap();
    shelf.add(&bytes).await;
    assert_eq!(shelf.read(hash).await, bytes);

    // Shorter, and gone.
    std::fs::File::options().write(true).open(&path).unwrap().set_len(5).unwrap();
    assert_eq!(shelf.library.get(hash).await.unwrap_err().code(), "models_damaged");
    assert_eq!(shelf.library.verify(hash, |_| ()).await.unwrap_err().code(), "models_damaged");
    std::fs::remove_file(&path).unwrap();
    let shelf = shelf.reopened().await;
    assert!(shelf.library.get(hash).await.unwrap().is_none());
    assert!(shelf.names().is_empty());
}

#[tokio::test]
async fn hashes_over_a_model_that_have_suffered_are_made_anew() {
    let bytes = content(1, 3 * MIB);
    let (shelf, hash) = Shelf::with(&bytes).await;
    let outboard = shelf.root().join(format!("{hash}.bao"));
    let good = std::fs::read(&outboard).unwrap();
    flip(&outboard, 100);
    shelf.library.verify(hash, |_| ()).await.unwrap();
    assert_eq!(std::fs::read(&outboard).unwrap(), good);
    std::fs::remove_file(&outboard).unwrap();
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.presence(hash), Some(Presence::Damaged));
    shelf.library.verify(hash, |_| ()).await.unwrap();
    assert_eq!(std::fs::read(&outboard).unwrap(), good);
    assert_eq!(shelf.read(hash).await, bytes);
}

#[tokio::test]
async fn the_folder_is_tidied_at_the_start_and_what_is_not_ours_stays() {
    let (shelf, hash) = Shelf::with(&content(1, 100 * KIB)).await;
    let stray = BlobHash::of(b"stray");
    let root = shelf.root();
    let whole: Vec<_> = shelf.names();
    for name in
        [".making-9".to_owned(), format!("{stray}.part"), format!("{stray}.bao"), format!("{stray}.gguf")]
    {
        std::fs::write(root.join(name), b"half").unwrap();
    }
    std::fs::write(root.join(format!("{stray}.json")), b"{").unwrap();
    std::fs::write(root.join("notes.txt"), b"mine").unwrap();
    let shelf = shelf.reopened().await;
    let mut expected = whole;
    expected.push("notes.txt".to_owned());
    expected.sort();
    assert_eq!(shelf.names(), expected);
    assert_eq!(shelf.presence(hash), Some(Presence::Whole));
}

#[tokio::test]
async fn a_folder_in_use_or_of_a_later_version_is_left_alone() {
    let (shelf, hash) = Shelf::with(&content(1, 100 * KIB)).await;
    let error = Library::open_with(shelf.root(), AMPLE, 0).await.unwrap_err();
    assert_eq!(error.code(), "models_folder_in_use");
    let Shelf { library, folder } = shelf;
    drop(library);
    let root = crate::support::models(folder.path());
    std::fs::write(root.join(format!("{hash}.json")), br#"{"version":2}"#).unwrap();
    let error = Library::open_with(&root, AMPLE, 0).await.unwrap_err();
    assert_eq!(error.code(), "models_folder_newer");
    assert!(root.join(format!("{hash}.gguf")).exists());
}

#[tokio::test]
async fn a_model_that_was_whole_but_for_its_name_is_whole() {
    let bytes = content(1, 100 * KIB);
    let (shelf, hash) = Shelf::with(&bytes).await;
    let root = shelf.root();
    // As a kill before the last step leaves it.
    std::fs::rename(root.join(format!("{hash}.gguf")), root.join(format!("{hash}.part"))).unwrap();
    let shelf = shelf.reopened().await;
    assert_eq!(shelf.read(hash).await, bytes);
    assert!(!root.join(format!("{hash}.part")).exists());
}

#[tokio::test]
async fn an_addition_that_nobody_waits_for_stops_and_leaves_nothing() {
    let shelf = Shelf::new(AMPLE).await;
    let path = shelf.file(&content(1, 40 * MIB));
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let begun = std::sync::Mutex::new(Some(begun));
    let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
    let may_go_on = std::sync::Mutex::new(may_go_on);
    let adding = shelf.library.add_file(path, move |_| {
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
            // Until the future is dropped.
            let _ = may_go_on.lock().unwrap().recv();
        }
    });
    tokio::select! {
        _ = adding => panic!("it was still being read"),
        begun = has_begun => begun.unwrap(),
    }
    drop(go_on);
    let shelf = shelf.reopened().await;
    assert!(shelf.names().is_empty());
    assert_eq!(shelf.library.usage().used_bytes, 0);
}
