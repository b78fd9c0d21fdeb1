//! A real process, killed in the middle of a fetch.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use lull_models::{FetchOptions, Presence, SendOptions, fetch, send};
use lull_types::BlobHash;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use crate::support::{AMPLE, KIB, MIB, Shelf, content, fetch_from, open, source_cut_after};

const BYTES: u64 = 12 * MIB + 77;
/// Set for the process that is to be killed: where its library is, and where a sender listens.
const FOLDER: &str = "LULL_MODELS_TEST_FOLDER";
const SENDER: &str = "LULL_MODELS_TEST_SENDER";

/// No test of its own: what the process does that the test below starts and kills.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(folder), Ok(sender)) = (std::env::var(FOLDER), std::env::var(SENDER)) else { return };
    let library = open(&PathBuf::from(folder), AMPLE).await;
    let stream = TcpStream::connect(sender).await.unwrap();
    let options = FetchOptions { unsaved_bytes_max: 512 * KIB, ..FetchOptions::default() };
    fetch(&library, BlobHash::of(&content(1, BYTES)), BYTES, stream, &options).await.unwrap();
}

fn start(name: &str, folder: PathBuf, sender: String) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(SENDER, sender)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_leaves_a_library_that_is_right() {
    let original = content(1, BYTES);
    let (one, hash) = Shelf::with(&original).await;
    let mut survived_bytes = 0;
    for seed in 0..8 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut two = Shelf::new(AMPLE).await;
        for _ in 0..3 {
            let kill_after_bytes = random.random_range(0..BYTES);
            let Shelf { library, folder } = two;
            drop(library);
            let root = crate::support::models(folder.path());
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut child = start("killed::child", root.clone(), listener.local_addr().unwrap().to_string());
            let (accepted, _) = listener.accept().await.unwrap();
            // Between the two, what passes is counted.
            let (relayed, served) = tokio::io::duplex(64 * 1024);
            let from = one.library.clone();
            tokio::spawn(async move { send(&from, served, &SendOptions::default()).await });
            let (mut from_sender, mut to_sender) = tokio::io::split(relayed);
            let (mut from_child, mut to_child) = accepted.into_split();
            let passed_bytes = AtomicU64::new(0);
            let forward = async {
                let mut chunk = [0; 4096];
                while passed_bytes.load(Ordering::Relaxed) < kill_after_bytes {
                    let count = from_sender.read(&mut chunk).await.unwrap();
                    if count == 0
                        || tokio::io::AsyncWriteExt::write_all(&mut to_child, &chunk[..count]).await.is_err()
                    {
                        break;
                    }
                    passed_bytes.fetch_add(count as u64, Ordering::Relaxed);
                }
            };
            tokio::select! {
                () = forward => {}
                // The request; it ends when the child has said it.
                _ = async {
                    tokio::io::copy(&mut from_child, &mut to_sender).await.unwrap();
                    std::future::pending::<()>().await
                } => {}
            }
            child.kill().unwrap();
            child.wait().unwrap();
            two = Shelf { library: open(&root, AMPLE).await, folder };
            // What it claims to have is true.
            let verified_bytes = two.verified_bytes(hash);
            survived_bytes += verified_bytes;
            if verified_bytes > 0 {
                let three = Shelf::new(AMPLE).await;
                let given =
                    fetch_from(&two.library, &three.library, hash, BYTES, &FetchOptions::default()).await;
                assert_eq!(given.unwrap().arrived_bytes, verified_bytes, "seed {seed}");
            }
        }
        fetch_from(&one.library, &two.library, hash, BYTES, &FetchOptions::default()).await.unwrap();
        two.library.verify(hash, |_| ()).await.unwrap();
        assert_eq!(two.names().len(), 3);
    }
    assert!(survived_bytes > 0, "something is written down now and then");
}

/// Room for some of the models below.
const CAP_BYTES: u64 = 1024 * KIB;
const MODELS: u64 = 8;

fn model(number: u64) -> Vec<u8> {
    content(number, 90 * KIB + number * 41 * KIB)
}

/// No test of its own: a process that does with a library whatever can be done, and never ends.
#[tokio::test(flavor = "multi_thread")]
async fn restless_child() {
    let (Ok(folder), Ok(seed)) = (std::env::var(FOLDER), std::env::var(SENDER)) else { return };
    let mut random = ChaCha8Rng::seed_from_u64(seed.parse().unwrap());
    let root = PathBuf::from(folder);
    // Beside the library, so that it goes with it: this process has no time to tidy up.
    let beside = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
    let world = Shelf { library: open(&crate::support::models(beside.path()), AMPLE).await, folder: beside };
    for number in 0..MODELS {
        world.add(&model(number)).await;
    }
    let library = open(&root, CAP_BYTES).await;
    let options = FetchOptions { unsaved_bytes_max: 1, ..FetchOptions::default() };
    loop {
        println!("step");
        let content = model(random.random_range(0..MODELS));
        let (hash, bytes) = (BlobHash::of(&content), content.len() as u64);
        // What it is refused does not matter here.
        match random.random_range(0..6) {
            0 | 1 => drop(library.add_file(world.file(&content), |_| ()).await),
            2 => drop(fetch_from(&world.library, &library, hash, bytes, &options).await),
            3 => {
                let stream = source_cut_after(&world.library, random.random_range(0..bytes));
                drop(fetch(&library, hash, bytes, stream, &options).await);
            }
            4 => drop(library.remove(hash).await),
            _ => drop(library.set_cap(random.random_range(CAP_BYTES / 2..=CAP_BYTES)).await),
        }
    }
}

#[tokio::test]
async fn a_library_is_right_whatever_it_was_doing_when_it_was_killed() {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let shelf = Shelf::new(CAP_BYTES).await;
    let root = shelf.root();
    let Shelf { library, folder: _folder } = shelf;
    drop(library);
    let mut seen = 0;
    for seed in 0..25u64 {
        let mut child = start("killed::restless_child", root.clone(), seed.to_string());
        let output = BufReader::new(child.stdout.take().unwrap());
        let steps = output.lines().map_while(Result::ok).filter(|line| line.ends_with("step"));
        let wanted = random.random_range(1..25);
        assert_eq!(steps.take(wanted).count(), wanted);
        child.kill().unwrap();
        child.wait().unwrap();

        let library = open(&root, CAP_BYTES).await;
        assert!(library.usage().used_bytes <= CAP_BYTES);
        assert!(
            crate::support::disk_bytes(&root) <= library.usage().used_bytes,
            "nothing is there that is not counted"
        );
        for listed in library.list() {
            seen += 1;
            match listed.presence {
                Presence::Whole => library.verify(listed.hash, |_| ()).await.unwrap(),
                Presence::Part { verified_bytes } => {
                    let other = Shelf::new(AMPLE).await;
                    let options = FetchOptions::default();
                    let given =
                        fetch_from(&library, &other.library, listed.hash, listed.bytes, &options).await;
                    assert_eq!(given.unwrap().arrived_bytes, verified_bytes);
                }
                Presence::Damaged => panic!("seed {seed}: {listed:?}"),
            }
        }
    }
    assert!(seen > 25, "{seen} models survived");
}
