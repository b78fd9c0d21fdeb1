//! From one library to another: whole, cut, cancelled, capped, from several.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lull_models::wire::{ANSWER_FRAMES, Answer, REQUEST_FRAMES, Request, RequestV1};
use lull_models::{
    FetchError, FetchOptions, Fetched, Library, Presence, Progress, RateLimit, SILENCE_MAX, SendError,
    SendOptions, fetch, send,
};
use lull_types::{BlobHash, Coded};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use crate::support::{
    AMPLE, KIB, MIB, Shelf, content, eventually, fetch_from, flip, source, source_cut_after,
};

/// Lengths around the borders of chunks, groups and segments.
const LENGTHS: &[u64] = &[
    1,
    1023,
    1024,
    1025,
    16 * KIB - 1,
    16 * KIB,
    16 * KIB + 1,
    32 * KIB,
    48 * KIB + 9,
    MIB - 1,
    MIB,
    MIB + 1,
    3 * MIB + 7,
    5 * MIB + 16 * KIB,
];

#[tokio::test]
async fn a_model_moves_whole_and_on() {
    for bytes in LENGTHS.iter().copied() {
        let original = content(bytes, bytes);
        let (one, hash) = Shelf::with(&original).await;
        let two = Shelf::new(AMPLE).await;
        let progress = Arc::new(Mutex::new(Vec::new()));
        let told = progress.clone();
        let options = FetchOptions {
            on_progress: Arc::new(move |progress| told.lock().unwrap().push(progress)),
            ..FetchOptions::default()
        };
        let (stream, sending) = source(&one.library);
        let fetched = fetch(&two.library, hash, bytes, stream, &options).await.unwrap();
        assert_eq!(fetched, Fetched { arrived_bytes: bytes, missing_bytes: 0 });
        assert_eq!(sending.await.unwrap().unwrap().bytes, bytes);
        assert_eq!(two.read(hash).await, original);
        assert_eq!(two.names().len(), 3);
        let progress = std::mem::take(&mut *progress.lock().unwrap());
        assert!(progress.is_sorted_by_key(|progress| progress.done_bytes));
        assert_eq!(progress.last(), Some(&Progress { done_bytes: bytes, bytes }));
        // The second has all that it takes to give it to a third, also after a restart.
        let two = two.reopened().await;
        let three = Shelf::new(AMPLE).await;
        fetch_from(&two.library, &three.library, hash, bytes, &FetchOptions::default()).await.unwrap();
        assert_eq!(three.read(hash).await, original);
        three.library.verify(hash, |_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_here_is_not_fetched_again() {
    let original = content(1, 100 * KIB);
    let (shelf, hash) = Shelf::with(&original).await;
    let (stream, _other) = tokio::io::duplex(64);
    let fetched = fetch(&shelf.library, hash, 100 * KIB, stream, &FetchOptions::default()).await.unwrap();
    assert_eq!(fetched, Fetched { arrived_bytes: 0, missing_bytes: 0 });
}

#[tokio::test]
async fn a_transfer_goes_on_after_cuts_at_any_byte() {
    let bytes = 2 * MIB + 300 * KIB + 11;
    let original = content(9, bytes);
    let (one, hash) = Shelf::with(&original).await;
    for seed in 0..40 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut two = Shelf::new(AMPLE).await;
        let mut arrived_bytes = 0;
        loop {
            let verified_bytes = two.verified_bytes(hash);
            let stream = source_cut_after(&one.library, random.random_range(0..MIB));
            match fetch(&two.library, hash, bytes, stream, &FetchOptions::default()).await {
                Ok(fetched) => {
                    arrived_bytes += fetched.arrived_bytes;
                    break;
                }
                Err(error) => {
                    assert!(matches!(error, FetchError::Broken(_)), "seed {seed}: {error}");
                    assert!(!error.is_senders_fault());
                }
            }
            arrived_bytes += two.verified_bytes(hash) - verified_bytes;
            if random.random() {
                // What is verified lasts.
                let verified_bytes = two.verified_bytes(hash);
                two = two.reopened().await;
                assert_eq!(two.verified_bytes(hash), verified_bytes, "seed {seed}");
            }
        }
        assert_eq!(arrived_bytes, bytes, "seed {seed}: nothing comes twice");
        assert_eq!(two.read(hash).await, original, "seed {seed}");
        two.library.verify(hash, |_| ()).await.unwrap();
    }
}

#[tokio::test]
async fn a_cut_in_front_of_the_first_group_leaves_nothing() {
    let (one, hash) = Shelf::with(&content(1, MIB)).await;
    let two = Shelf::new(AMPLE).await;
    for bytes in [0, 3, 20, 10 * KIB, 17 * KIB] {
        let stream = source_cut_after(&one.library, bytes);
        let error = fetch(&two.library, hash, MIB, stream, &FetchOptions::default()).await.unwrap_err();
        assert_eq!(error.code(), "models_line_broken");
        assert!(two.names().is_empty());
        assert_eq!(two.library.usage().used_bytes, 0);
    }
}

/// The future is dropped somewhere in the middle, and the folder is opened as after a kill.
#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_is_dropped_leaves_a_library_that_is_right() {
    let bytes = 3 * MIB + 5;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    for seed in 0..30 {
        let stop_at_bytes = ChaCha8Rng::seed_from_u64(seed).random_range(1..bytes);
        let two = Shelf::new(AMPLE).await;
        let (enough, is_enough) = tokio::sync::oneshot::channel();
        let enough = Mutex::new(Some(enough));
        let options = FetchOptions {
            on_progress: Arc::new(move |progress: Progress| {
                if progress.done_bytes >= stop_at_bytes
                    && let Some(enough) = enough.lock().unwrap().take()
                {
                    let _ = enough.send(());
                }
            }),
            ..FetchOptions::default()
        };
        tokio::select! {
            biased;
            _ = is_enough => {}
            fetched = fetch_from(&one.library, &two.library, hash, bytes, &options) => { fetched.unwrap(); }
        }
        let two = two.reopened().await;
        // All that it claims to have can be given, each group checked; nothing else is asked of it.
        let three = Shelf::new(AMPLE).await;
        let verified_bytes = two.verified_bytes(hash);
        if verified_bytes > 0 {
            let given = fetch_from(&two.library, &three.library, hash, bytes, &FetchOptions::default()).await;
            assert_eq!(given.unwrap().arrived_bytes, verified_bytes, "seed {seed}");
        }
        fetch_from(&one.library, &two.library, hash, bytes, &FetchOptions::default()).await.unwrap();
        assert_eq!(two.read(hash).await, original);
    }
}

#[tokio::test]
async fn a_cancelled_fetch_keeps_what_it_has() {
    let bytes = 4 * MIB;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let two = Shelf::new(AMPLE).await;
    let options = FetchOptions::default();
    let cancel = options.cancel.clone();
    let options = FetchOptions { on_progress: Arc::new(move |_| cancel.cancel()), ..options };
    let error = fetch_from(&one.library, &two.library, hash, bytes, &options).await.unwrap_err();
    assert_eq!(error.code(), "models_fetch_cancelled");
    let verified_bytes = two.verified_bytes(hash);
    assert!((1..bytes).contains(&verified_bytes));
    let two = two.reopened().await;
    assert_eq!(two.verified_bytes(hash), verified_bytes);
    // One that was cancelled before does not begin.
    assert_eq!(
        fetch_from(&one.library, &two.library, hash, bytes, &options).await.unwrap_err().code(),
        error.code()
    );
    let fetched =
        fetch_from(&one.library, &two.library, hash, bytes, &FetchOptions::default()).await.unwrap();
    assert_eq!(fetched.arrived_bytes, bytes - verified_bytes);
}

#[tokio::test]
async fn a_second_fetch_of_the_same_model_is_refused() {
    let bytes = 2 * MIB;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let two = Shelf::new(AMPLE).await;
    let (library, other) = (two.library.clone(), one.library.clone());
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let options = FetchOptions {
        on_progress: Arc::new({
            let attempts = attempts.clone();
            move |_| {
                let (library, other) = (library.clone(), other.clone());
                let attempt = async move {
                    let added = library.remove(hash).await.unwrap_err().code();
                    let options = FetchOptions::default();
                    (
                        added,
                        fetch_from(&other, &library, hash, bytes, &options)
                            .await
                            .map_err(|error| error.code()),
                    )
                };
                attempts.lock().unwrap().push(tokio::spawn(attempt));
            }
        }),
        // Slow enough that the attempts are made while it runs.
        rate: RateLimit::new(NonZeroU64::new(4 * MIB)),
        ..FetchOptions::default()
    };
    fetch_from(&one.library, &two.library, hash, bytes, &options).await.unwrap();
    let attempts = std::mem::take(&mut *attempts.lock().unwrap());
    let mut codes = Vec::new();
    for attempt in attempts {
        codes.push(attempt.await.unwrap());
    }
    assert_eq!(codes[0], ("models_held", Err("models_fetch_underway")));
    assert_eq!(two.read(hash).await, original);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_models_move_at_once() {
    let one = Shelf::new(AMPLE).await;
    let two = Shelf::new(AMPLE).await;
    let mut fetching = tokio::task::JoinSet::new();
    for seed in 0..12 {
        let bytes = MIB + seed * 77_777;
        let hash = one.add(&content(seed, bytes)).await;
        let (from, to) = (one.library.clone(), two.library.clone());
        fetching.spawn(async move {
            fetch_from(&from, &to, hash, bytes, &FetchOptions::default()).await.unwrap();
            hash
        });
    }
    while let Some(hash) = fetching.join_next().await {
        two.library.verify(hash.unwrap(), |_| ()).await.unwrap();
    }
    assert_eq!(two.library.list().len(), 12);
}

#[tokio::test]
async fn a_partial_holder_gives_what_it_has() {
    let bytes = 3 * MIB + 9;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let two = Shelf::new(AMPLE).await;
    let stream = source_cut_after(&one.library, MIB);
    fetch(&two.library, hash, bytes, stream, &FetchOptions::default()).await.unwrap_err();
    let verified_bytes = two.verified_bytes(hash);

    let three = Shelf::new(AMPLE).await;
    let options = FetchOptions::default();
    let fetched = fetch_from(&two.library, &three.library, hash, bytes, &options).await.unwrap();
    let expected = Fetched { arrived_bytes: verified_bytes, missing_bytes: bytes - verified_bytes };
    assert_eq!(fetched, expected);
    // It has no more.
    let fetched = fetch_from(&two.library, &three.library, hash, bytes, &options).await.unwrap();
    assert_eq!(fetched, Fetched { arrived_bytes: 0, missing_bytes: bytes - verified_bytes });
    let fetched = fetch_from(&one.library, &three.library, hash, bytes, &options).await.unwrap();
    assert_eq!(fetched, Fetched { arrived_bytes: bytes - verified_bytes, missing_bytes: 0 });
    assert_eq!(three.read(hash).await, original);
}

#[tokio::test]
async fn a_part_is_given_while_it_grows() {
    let bytes = 4 * MIB;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let (two, three) = (Shelf::new(AMPLE).await, Shelf::new(AMPLE).await);
    let (growing, grown) = tokio::sync::mpsc::unbounded_channel();
    let options = FetchOptions {
        on_progress: Arc::new(move |_| growing.send(()).unwrap()),
        rate: RateLimit::new(NonZeroU64::new(16 * MIB)),
        ..FetchOptions::default()
    };
    let (from, to) = (one.library.clone(), two.library.clone());
    let fetching = tokio::spawn(async move { fetch_from(&from, &to, hash, bytes, &options).await });
    let mut grown = grown;
    while grown.recv().await.is_some() {
        fetch_from(&two.library, &three.library, hash, bytes, &FetchOptions::default()).await.unwrap();
    }
    fetching.await.unwrap().unwrap();
    fetch_from(&two.library, &three.library, hash, bytes, &FetchOptions::default()).await.unwrap();
    assert_eq!(two.read(hash).await, original);
    assert_eq!(three.read(hash).await, original);
}

#[tokio::test]
async fn a_patchwork_of_pieces_becomes_a_model() {
    let bytes = 4 * MIB;
    let original = content(4, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let two = Shelf::new(AMPLE).await;
    let options = FetchOptions::default();
    // A sender that gives every other group, as many as a request names, again and again.
    let mut rounds = 0;
    while two.verified_bytes(hash) < bytes / 2 {
        let (far, _) = source(&one.library);
        let (here, there) = tokio::io::duplex(64 * 1024);
        tokio::spawn(async move { even_groups_only(far, there).await });
        fetch(&two.library, hash, bytes, here, &options).await.unwrap();
        rounds += 1;
    }
    assert!(rounds >= 2, "{rounds}");
    let two = two.reopened().await;
    assert_eq!(two.verified_bytes(hash), bytes / 2);
    let mut fetched = fetch_from(&one.library, &two.library, hash, bytes, &options).await.unwrap();
    while fetched.missing_bytes > 0 {
        fetched = fetch_from(&one.library, &two.library, hash, bytes, &options).await.unwrap();
        assert!(fetched.arrived_bytes > 0);
    }
    assert_eq!(two.read(hash).await, original);
}

/// Asks the sender only for the even groups of what was asked for.
async fn even_groups_only(mut far: tokio::io::DuplexStream, mut there: tokio::io::DuplexStream) {
    let Request::V1(request) = REQUEST_FRAMES.read(&mut there).await.unwrap();
    let even = |piece: (u64, u64)| (piece.0..piece.1).filter(|group| group % 2 == 0);
    let pieces = request.pieces.into_iter().flat_map(even).map(|group| (group, group + 1));
    let pieces = pieces.take(lull_models::wire::PIECES_MAX).collect();
    let request = Request::V1(RequestV1 { hash: request.hash, wants_proof: false, pieces });
    REQUEST_FRAMES.write(&mut far, &request).await.unwrap();
    tokio::io::copy(&mut far, &mut there).await.unwrap();
}

#[tokio::test]
async fn a_sender_says_what_it_does_not_have() {
    let (one, _) = Shelf::with(&content(1, 100 * KIB)).await;
    let two = Shelf::new(AMPLE).await;
    let (stream, sending) = source(&one.library);
    let error =
        fetch(&two.library, BlobHash::of(b"other"), 5, stream, &FetchOptions::default()).await.unwrap_err();
    assert!(matches!(&error, FetchError::Refused(fault) if fault.code == "models_missing"), "{error}");
    assert!(!error.is_senders_fault());
    assert_eq!(sending.await.unwrap().unwrap_err().code(), "models_missing");
    assert!(two.names().is_empty());
}

#[tokio::test]
async fn a_sender_gives_nothing_that_has_suffered() {
    let bytes = 3 * MIB;
    let (one, hash) = Shelf::with(&content(1, bytes)).await;
    flip(&one.root().join(format!("{hash}.gguf")), 2 * MIB + 5);
    let two = Shelf::new(AMPLE).await;
    let (stream, sending) = source(&one.library);
    let error = fetch(&two.library, hash, bytes, stream, &FetchOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), "models_line_broken", "it is no lie: {error}");
    assert_eq!(sending.await.unwrap().unwrap_err().code(), "models_damaged");
    assert_eq!(one.presence(hash), Some(Presence::Damaged));
    assert_eq!(two.verified_bytes(hash), 2 * MIB);
    // The next who asks is told, and a good source mends it.
    let (stream, _) = source(&one.library);
    let error = fetch(&two.library, hash, bytes, stream, &FetchOptions::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Refused(fault) if fault.code == "models_damaged"));
    let (three, _) = Shelf::with(&content(1, bytes)).await;
    fetch_from(&three.library, &one.library, hash, bytes, &FetchOptions::default()).await.unwrap();
    assert_eq!(one.read(hash).await, content(1, bytes));
}

#[tokio::test]
async fn a_part_that_has_suffered_is_mended() {
    let bytes = 3 * MIB;
    let original = content(1, bytes);
    let (one, hash) = Shelf::with(&original).await;
    let two = Shelf::new(AMPLE).await;
    fetch(&two.library, hash, bytes, source_cut_after(&one.library, 5 * MIB / 2), &FetchOptions::default())
        .await
        .unwrap_err();
    let verified_bytes = two.verified_bytes(hash);
    assert!(verified_bytes > 2 * MIB);
    flip(&two.root().join(format!("{hash}.part")), MIB + 5);
    let three = Shelf::new(AMPLE).await;
    let (stream, sending) = source(&two.library);
    fetch(&three.library, hash, bytes, stream, &FetchOptions::default()).await.unwrap_err();
    assert_eq!(sending.await.unwrap().unwrap_err().code(), "models_damaged");
    assert_eq!(two.verified_bytes(hash), verified_bytes - MIB);
    fetch_from(&one.library, &two.library, hash, bytes, &FetchOptions::default()).await.unwrap();
    assert_eq!(two.read(hash).await, original);
}

#[tokio::test]
async fn room_is_made_once_a_sender_agrees_and_before_it_sends() {
    let cap_bytes = 3 * MIB;
    let (one, hash) = Shelf::with(&content(1, 2 * MIB)).await;
    let two = Shelf::new(cap_bytes).await;
    let old = two.add(&content(2, 2 * MIB)).await;
    // Nobody is there, and nobody has it.
    let (stream, _) = tokio::io::duplex(64);
    fetch(&two.library, hash, 2 * MIB, stream, &FetchOptions::default()).await.unwrap_err();
    fetch_from(&two.library, &two.library, hash, 2 * MIB, &FetchOptions::default()).await.unwrap_err();
    assert_eq!(two.presence(old), Some(Presence::Whole));
    // What can never fit, or not now, is not asked for.
    let held = two.library.get(old).await.unwrap().unwrap();
    for (bytes, code) in [(2 * MIB, "models_all_in_use"), (4 * MIB, "models_cap_too_small")] {
        let (stream, _other) = tokio::io::duplex(64);
        let error = fetch(&two.library, hash, bytes, stream, &FetchOptions::default()).await.unwrap_err();
        assert_eq!(error.code(), code);
    }
    drop(held);
    let root = two.root();
    let highest = Arc::new(Mutex::new(0));
    let options = FetchOptions {
        on_progress: Arc::new({
            let highest = highest.clone();
            move |_| {
                let mut highest = highest.lock().unwrap();
                *highest = crate::support::disk_bytes(&root).max(*highest);
            }
        }),
        ..FetchOptions::default()
    };
    fetch_from(&one.library, &two.library, hash, 2 * MIB, &options).await.unwrap();
    assert_eq!((two.presence(old), two.presence(hash)), (None, Some(Presence::Whole)));
    let highest = *highest.lock().unwrap();
    assert!((2 * MIB..=cap_bytes).contains(&highest), "{highest}");
}

#[tokio::test]
async fn a_length_that_contradicts_what_is_here_is_refused() {
    let (one, hash) = Shelf::with(&content(1, 2 * MIB)).await;
    let two = Shelf::new(AMPLE).await;
    fetch(&two.library, hash, 2 * MIB, source_cut_after(&one.library, MIB), &FetchOptions::default())
        .await
        .unwrap_err();
    for (bytes, code) in
        [(2 * MIB + 1, "models_other_length"), (0, "models_bad_length"), (u64::MAX, "models_bad_length")]
    {
        let error = fetch_from(&one.library, &two.library, hash, bytes, &FetchOptions::default()).await;
        assert_eq!(error.unwrap_err().code(), code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cap_on_the_rate_is_kept_by_all_together() {
    let bytes = MIB;
    let one = Shelf::new(AMPLE).await;
    let hashes = [one.add(&content(1, bytes)).await, one.add(&content(2, bytes)).await];
    for is_sender_capped in [false, true] {
        let two = Shelf::new(AMPLE).await;
        let rate = RateLimit::new(NonZeroU64::new(64 * KIB));
        let (sending, fetching) = if is_sender_capped {
            (rate.clone(), RateLimit::unlimited())
        } else {
            (RateLimit::unlimited(), rate.clone())
        };
        let start = Instant::now();
        let moves = hashes.map(|hash| {
            let (here, there) = tokio::io::duplex(1024);
            let (from, to) = (one.library.clone(), two.library.clone());
            let options = SendOptions { rate: sending.clone(), ..SendOptions::default() };
            tokio::spawn(async move { send(&from, there, &options).await });
            let options = FetchOptions { rate: fetching.clone(), ..FetchOptions::default() };
            tokio::spawn(async move { fetch(&to, hash, bytes, here, &options).await.unwrap() })
        });
        tokio::time::sleep(Duration::from_secs(8)).await;
        // A quarter of it has come; the rest comes at twice the rate.
        let halfway: u64 = hashes.iter().map(|hash| two.verified_bytes(*hash)).sum();
        assert!((400 * KIB..=540 * KIB).contains(&halfway), "{halfway} bytes in 8 s");
        rate.set(NonZeroU64::new(128 * KIB));
        for moved in moves {
            moved.await.unwrap();
        }
        let seconds = start.elapsed().as_secs_f64();
        // 2 MiB with their hashes and proofs, which are less than three in a hundred here.
        assert!((20.0..=20.9).contains(&seconds), "{seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn silence_is_borne_for_a_while() {
    let (one, hash) = Shelf::with(&content(1, MIB)).await;
    let two = Shelf::new(AMPLE).await;
    // Nobody answers, and then somebody who stops in the middle.
    let (stream, _other) = tokio::io::duplex(1024);
    let start = Instant::now();
    let error = fetch(&two.library, hash, MIB, stream, &FetchOptions::default()).await.unwrap_err();
    assert_eq!((error.code(), start.elapsed()), ("models_sender_stalled", SILENCE_MAX));

    let silence_max = Duration::from_secs(7);
    let options = FetchOptions { silence_max, ..FetchOptions::default() };
    let (here, mut there) = tokio::io::duplex(64 * 1024);
    let from = one.library.clone();
    let stuck = tokio::spawn(async move {
        let (mut far, sending) = source(&from);
        let request: Request = REQUEST_FRAMES.read(&mut there).await.unwrap();
        REQUEST_FRAMES.write(&mut far, &request).await.unwrap();
        tokio::io::copy(&mut (&mut far).take(300 * KIB), &mut there).await.unwrap();
        // It passes on nothing more, and the sender behind it finds that nobody takes anything.
        (sending.await.unwrap(), there)
    });
    let start = Instant::now();
    let error = fetch(&two.library, hash, MIB, here, &options).await.unwrap_err();
    assert!(matches!(error, FetchError::Stalled { .. }) && !error.is_senders_fault(), "{error}");
    assert!(start.elapsed() >= silence_max && start.elapsed() < silence_max * 2, "{:?}", start.elapsed());
    assert!(two.verified_bytes(hash) > 200 * KIB);
    let (sent, _) = stuck.await.unwrap();
    assert_eq!(sent.unwrap_err().code(), "models_receiver_stalled");
}

#[tokio::test(start_paused = true)]
async fn who_opens_a_stream_and_says_nothing_is_sent_away() {
    let (one, _) = Shelf::with(&content(1, MIB)).await;
    let (_here, there) = tokio::io::duplex(1024);
    let error = send(&one.library, there, &SendOptions::default()).await.unwrap_err();
    assert_eq!(error.code(), "models_receiver_stalled");
    let options = SendOptions::default();
    options.cancel.cancel();
    let (_here, there) = tokio::io::duplex(1024);
    let error = send(&one.library, there, &options).await.unwrap_err();
    assert_eq!(error.code(), "models_send_cancelled");
}

#[tokio::test]
async fn requests_that_break_the_rules_are_refused() {
    let (one, hash) = Shelf::with(&content(1, MIB)).await;
    let say = async |frame: Vec<u8>| {
        let (mut stream, sending) = source(&one.library);
        stream.write_all(&frame).await.unwrap();
        let answer: Result<Answer, _> = ANSWER_FRAMES.read(&mut stream).await;
        (answer, sending.await.unwrap())
    };
    let request = |pieces: Vec<(u64, u64)>| {
        REQUEST_FRAMES.encode(&Request::V1(RequestV1 { hash, wants_proof: false, pieces })).unwrap()
    };
    let too_many = (0..65).map(|piece| (2 * piece, 2 * piece + 1)).collect();
    for frame in [
        vec![0xff; 8],
        vec![1, 0, 0, 0, 9],
        request(vec![(1, 1)]),
        request(vec![(0, 2), (1, 3)]),
        request(too_many),
    ] {
        let (answer, sent) = say(frame).await;
        assert!(matches!(answer, Ok(Answer::Refused(fault)) if fault.code == "models_request_garbled"));
        assert!(matches!(sent, Err(SendError::Garbled(_))));
    }
    // What lies after the end is not there, however far.
    let (answer, sent) = say(request(vec![(64, 65), (u64::MAX - 1, u64::MAX)])).await;
    assert!(
        matches!(answer, Ok(Answer::Sending { bytes: MIB, has_proof: false, pieces }) if pieces.is_empty())
    );
    assert_eq!(sent.unwrap().bytes, 0);
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever a requester says, a sender answers or hangs up; it does not fail in another way.
    #[test]
    fn no_request_upsets_a_sender(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        runtime().block_on(async {
            let shelf = Shelf::new(AMPLE).await;
            let (mut stream, sending) = source(&shelf.library);
            let _ = stream.write_all(&bytes).await;
            drop(stream);
            assert!(sending.await.unwrap().is_err());
        });
    }
}

/// Futures are spawned by those who use them.
#[test]
fn futures_may_move_between_threads() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    runtime().block_on(async {
        let shelf = Shelf::new(AMPLE).await;
        let (here, there) = tokio::io::duplex(64);
        let options = (FetchOptions::default(), SendOptions::default());
        drop(is_send(fetch(&shelf.library, BlobHash([0; 32]), 1, here, &options.0)));
        drop(is_send(send(&shelf.library, there, &options.1)));
        drop(is_send(shelf.library.add_file("x", |_| ())));
        drop(is_send(shelf.library.get(BlobHash([0; 32]))));
        drop(is_send(Library::open("x", 0)));
        let _ = eventually(async || Some(())).await;
    });
}
