//! Random lives of a library, from seeds: the cap is never passed, what is held stays, and what is given is right.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lull_models::{FetchError, FetchOptions, Held, LibraryError, Presence, fetch};
use lull_types::{BlobHash, Coded};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::support::{AMPLE, KIB, Shelf, content, disk_bytes, fetch_from, source_cut_after};

const SEEDS: u64 = 24;
const STEPS: u32 = 60;

struct Model {
    hash: BlobHash,
    content: Vec<u8>,
}

struct Life {
    random: ChaCha8Rng,
    /// Has everything.
    world: Shelf,
    models: Vec<Model>,
    shelf: Shelf,
    cap_bytes: u64,
    held: Vec<Held>,
    /// What became of the steps, so that a test that tests nothing is seen.
    outcomes: BTreeMap<&'static str, u32>,
}

impl Life {
    async fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let world = Shelf::new(AMPLE).await;
        let mut models = Vec::new();
        for number in 0..7 {
            let content = content(1000 * seed + number, random.random_range(1..220 * KIB));
            models.push(Model { hash: world.add(&content).await, content });
        }
        let cap_bytes = random.random_range(200..600) * KIB;
        let shelf = Shelf::new(cap_bytes).await;
        Self { random, world, models, shelf, cap_bytes, held: Vec::new(), outcomes: BTreeMap::new() }
    }

    fn note(&mut self, outcome: &'static str) {
        *self.outcomes.entry(outcome).or_default() += 1;
    }

    fn content(&self, hash: BlobHash) -> &[u8] {
        &self.models.iter().find(|model| model.hash == hash).unwrap().content
    }

    async fn step(self) -> Self {
        let mut life = self;
        let model = life.random.random_range(0..life.models.len());
        let (hash, bytes) = (life.models[model].hash, life.models[model].content.len() as u64);
        let highest = Arc::new(AtomicU64::new(0));
        let options = FetchOptions {
            on_progress: Arc::new({
                let (root, highest) = (life.shelf.root(), highest.clone());
                move |_| {
                    highest.fetch_max(disk_bytes(&root), Ordering::Relaxed);
                }
            }),
            unsaved_bytes_max: *[1, 64 * KIB, AMPLE].choose(&mut life.random).unwrap(),
            ..FetchOptions::default()
        };
        let library = life.shelf.library.clone();
        let outcome = match life.random.random_range(0..12) {
            0 | 1 => {
                let path = life.world.file(&life.models[model].content);
                code(library.add_file(path, |_| ()).await.map(|added| assert_eq!(added, hash)))
            }
            2 | 3 => code(fetch_from(&life.world.library, &library, hash, bytes, &options).await),
            4 => {
                let cut = life.random.random_range(0..300 * KIB);
                let stream = source_cut_after(&life.world.library, cut);
                code(fetch(&library, hash, bytes, stream, &options).await)
            }
            5 => {
                // Two at once, of which one gives way where they are the same.
                let other = life.random.random_range(0..life.models.len());
                let (second, second_bytes) =
                    (life.models[other].hash, life.models[other].content.len() as u64);
                let world = &life.world.library;
                let (one, two) = tokio::join!(
                    fetch_from(world, &library, hash, bytes, &options),
                    fetch_from(world, &library, second, second_bytes, &options),
                );
                code(two);
                code(one)
            }
            6 | 7 => match library.get(hash).await.unwrap() {
                Some(held) => {
                    life.held.push(held);
                    "held"
                }
                None => "not here",
            },
            8 => {
                if !life.held.is_empty() {
                    let number = life.random.random_range(0..life.held.len());
                    life.held.swap_remove(number);
                }
                "let go"
            }
            9 => {
                let is_held = life.held.iter().any(|held| held.hash() == hash);
                let removed = library.remove(hash).await;
                match &removed {
                    Ok(()) => assert!(!is_held && life.shelf.presence(hash).is_none()),
                    Err(LibraryError::Held(_)) => assert!(is_held),
                    Err(LibraryError::Missing(_)) => assert!(!is_held),
                    Err(error) => panic!("{error}"),
                }
                code(removed)
            }
            10 => {
                let cap_bytes = life.random.random_range(100..700) * KIB;
                let set = library.set_cap(cap_bytes).await;
                if set.is_ok() {
                    life.cap_bytes = cap_bytes;
                }
                code(set)
            }
            _ if life.held.is_empty() => {
                drop(library);
                let before = life.shelf.library.list();
                life.shelf = life.shelf.reopened().await;
                // All that was verified was saved when its fetch ended.
                let view = |list: Vec<lull_models::Listed>| -> Vec<_> {
                    list.into_iter().map(|model| (model.hash, model.bytes, model.presence)).collect()
                };
                assert_eq!(view(life.shelf.library.list()), view(before));
                "opened anew"
            }
            _ => code(library.verify(hash, |_| ()).await),
        };
        life.note(outcome);
        assert!(highest.load(Ordering::Relaxed) <= life.cap_bytes, "under way");
        life.check().await;
        life
    }

    async fn check(&self) {
        let usage = self.shelf.library.usage();
        assert_eq!(usage.cap_bytes, self.cap_bytes);
        assert!(usage.used_bytes <= self.cap_bytes, "{usage:?}");
        assert!(self.shelf.disk_bytes() <= usage.used_bytes, "{usage:?}");
        for held in &self.held {
            assert_eq!(std::fs::read(held.path()).unwrap(), self.content(held.hash()));
        }
        for model in self.shelf.library.list() {
            assert_ne!(model.presence, Presence::Damaged);
            assert_eq!(model.is_in_use, self.held.iter().any(|held| held.hash() == model.hash));
            if model.presence == Presence::Whole {
                let path = self.shelf.root().join(format!("{}.gguf", model.hash));
                assert_eq!(std::fs::read(path).unwrap(), self.content(model.hash));
            }
        }
    }
}

trait Outcome {
    fn outcome(&self) -> &'static str;
}

impl Outcome for LibraryError {
    fn outcome(&self) -> &'static str {
        self.code()
    }
}

impl Outcome for FetchError {
    fn outcome(&self) -> &'static str {
        self.code()
    }
}

fn code<T, E: Outcome>(result: Result<T, E>) -> &'static str {
    const EXPECTED: &[&str] = &[
        "models_cap_too_small",
        "models_all_in_use",
        "models_held",
        "models_missing",
        "models_fetch_underway",
        "models_line_broken",
    ];
    match result {
        Ok(_) => "done",
        Err(error) => {
            let code = error.outcome();
            assert!(EXPECTED.contains(&code), "{code}");
            code
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_life_of_a_library_keeps_to_its_rules() {
    let mut outcomes = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut life = Life::new(seed).await;
        for _ in 0..STEPS {
            life = life.step().await;
        }
        for (outcome, count) in life.outcomes {
            *outcomes.entry(outcome).or_insert(0) += count;
        }
    }
    for outcome in [
        "done",
        "held",
        "opened anew",
        "models_cap_too_small",
        "models_all_in_use",
        "models_held",
        "models_missing",
        "models_line_broken",
    ] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count >= 10), "{outcome}: {outcomes:?}");
    }
}
