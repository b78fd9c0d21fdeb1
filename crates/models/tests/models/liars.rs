//! Senders that lie, each in its way, beside an honest one that is written from the description of the wire alone.

use std::time::Duration;

use bao_tree::io::outboard::PostOrderMemOutboard;
use bao_tree::io::sync::encode_ranges_validated;
use bao_tree::{BlockSize, ChunkNum, ChunkRanges};
use lull_models::wire::{ANSWER_FRAMES, Answer, REQUEST_FRAMES, Request, RequestV1};
use lull_models::{FetchError, FetchOptions, GROUP_BYTES, Lie, fetch};
use lull_types::{BlobHash, Coded};
use proptest::prelude::*;
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::time::Instant;

use crate::support::{AMPLE, KIB, MIB, Shelf, content, source};

/// What a sender does when it has said what it says.
#[derive(Clone, Copy)]
enum Then {
    Ends,
    Waits,
    GoesOn,
}

/// A sender that says what it is made to say.
fn sender(say: impl FnOnce(RequestV1) -> Vec<u8> + Send + 'static, then: Then) -> DuplexStream {
    let (here, mut there) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move {
        let Request::V1(request) = REQUEST_FRAMES.read(&mut there).await.unwrap();
        // The requester may hang up in the middle.
        let _ = there.write_all(&say(request)).await;
        match then {
            Then::Ends => {}
            Then::Waits => std::future::pending().await,
            Then::GoesOn => while there.write_all(&[7; 4096]).await.is_ok() {},
        }
    });
    here
}

/// The pieces, cut at every mebibyte.
fn segments(pieces: &[(u64, u64)]) -> Vec<(u64, u64)> {
    let mut segments = Vec::new();
    for (mut start, end) in pieces.iter().copied() {
        while start < end {
            let next = end.min((start / 64 + 1) * 64);
            segments.push((start, next));
            start = next;
        }
    }
    segments
}

fn encoded(content: &[u8], pieces: &[(u64, u64)]) -> Vec<u8> {
    let outboard = PostOrderMemOutboard::create(content, BlockSize::from_chunk_log(4));
    let mut data = Vec::new();
    for (start, end) in segments(pieces) {
        let chunks = ChunkRanges::from(ChunkNum(16 * start)..ChunkNum(16 * end));
        encode_ranges_validated(content, &outboard, &chunks, &mut data).unwrap();
    }
    data
}

fn answer(bytes: u64, has_proof: bool, pieces: &[(u64, u64)]) -> Vec<u8> {
    ANSWER_FRAMES.encode(&Answer::Sending { bytes, has_proof, pieces: pieces.to_vec() }).unwrap()
}

/// Everything that was asked for, as an honest sender of `content` says it.
fn honest(content: &[u8], request: &RequestV1) -> Vec<u8> {
    let mut said = answer(content.len() as u64, request.wants_proof, &request.pieces);
    if request.wants_proof {
        let count = (content.len() as u64).div_ceil(GROUP_BYTES);
        said.extend(encoded(content, &[(count - 1, count)]));
    }
    said.extend(encoded(content, &request.pieces));
    said
}

const BYTES: u64 = 2 * MIB + 100 * KIB;

struct Heard {
    error: Option<FetchError>,
    verified_bytes: u64,
    seconds: Duration,
}

/// Fetches from a sender into an empty library. Time stands still while anything moves.
async fn hear(say: impl FnOnce(RequestV1) -> Vec<u8> + Send + 'static, then: Then) -> Heard {
    let original = content(1, BYTES);
    let hash = BlobHash::of(&original);
    let shelf = Shelf::new(AMPLE).await;
    let start = Instant::now();
    let fetched = fetch(&shelf.library, hash, BYTES, sender(say, then), &FetchOptions::default()).await;
    let seconds = start.elapsed();
    let heard = Heard { error: fetched.err(), verified_bytes: shelf.verified_bytes(hash), seconds };
    // Whatever was said, what is here is true, and an honest sender adds the rest.
    let (good, _) = Shelf::with(&original).await;
    let (stream, _) = source(&good.library);
    fetch(&shelf.library, hash, BYTES, stream, &FetchOptions::default()).await.unwrap();
    assert_eq!(shelf.read(hash).await, original);
    heard
}

fn lie_of(heard: &Heard) -> Lie {
    match &heard.error {
        Some(error @ FetchError::Lied(lie)) => {
            assert!(error.is_senders_fault());
            assert_eq!(error.code(), "models_sender_lied");
            lie.clone()
        }
        error => panic!("{error:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_lie_is_believed() {
    let heard = hear(|request| honest(&content(1, BYTES), &request), Then::Ends).await;
    assert!(heard.error.is_none());
    assert_eq!(heard.verified_bytes, BYTES);
    // One that never ends its stream costs a little time and no data.
    let heard = hear(|request| honest(&content(1, BYTES), &request), Then::Waits).await;
    assert!(heard.error.is_none());
    assert!(heard.seconds <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_byte_is_found_in_its_group() {
    for group in [0u64, 1, 63, 64, 70, 133] {
        let say = move |request: RequestV1| {
            let original = content(1, BYTES);
            let good = honest(&original, &request);
            // The group's own bytes are in it once more after the proof; the last one of all is found from behind.
            let needle = &original[(group * GROUP_BYTES) as usize..][..1024];
            let at = good.windows(1024).rposition(|window| window == needle).unwrap();
            let end = (at + GROUP_BYTES as usize).min(good.len());
            let mut said = good[..end].to_vec();
            said[at + 700] ^= 1;
            said
        };
        let heard = hear(say, Then::Waits).await;
        assert_eq!(lie_of(&heard), Lie::WrongBytes { offset_bytes: group * GROUP_BYTES });
        assert_eq!(heard.verified_bytes, group * GROUP_BYTES, "what came before it is kept");
        assert_eq!(heard.seconds, Duration::ZERO, "it takes no byte more to tell");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_proof_or_inner_hash_is_found_at_once() {
    let header = answer(BYTES, true, &[(0, 135)]).len();
    for at in [0, 40, 64 * 3, 64 * 8 + 5] {
        let say = move |request: RequestV1| {
            let mut said = honest(&content(1, BYTES), &request);
            said[header + at] ^= 0x80;
            said.truncate(header + at + GROUP_BYTES as usize);
            said
        };
        let heard = hear(say, Then::Waits).await;
        assert!(matches!(lie_of(&heard), Lie::WrongBytes { .. }));
        assert_eq!((heard.verified_bytes, heard.seconds), (0, Duration::ZERO));
    }
}

#[tokio::test(start_paused = true)]
async fn another_model_is_not_taken_for_this_one() {
    let heard = hear(|request| honest(&content(2, BYTES), &request), Then::GoesOn).await;
    assert!(matches!(lie_of(&heard), Lie::WrongBytes { .. }));
    assert_eq!(heard.verified_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_length_is_found_in_the_answer() {
    for claimed in [0, 1, BYTES - 1, BYTES + 1, 2 * BYTES, u64::MAX] {
        let heard = hear(move |request| answer(claimed, true, &request.pieces), Then::GoesOn).await;
        assert_eq!(lie_of(&heard), Lie::WrongLength { claimed, expected: BYTES });
        assert_eq!(heard.verified_bytes, 0);
    }
}

/// The caller was told a wrong length, and the sender goes along with it: the proof of the length does not hold.
#[tokio::test(start_paused = true)]
async fn a_length_that_everybody_has_wrong_does_not_hold() {
    let original = content(1, BYTES);
    let hash = BlobHash::of(&original);
    for told in [BYTES - 1, BYTES + 1, BYTES + GROUP_BYTES, 3 * MIB, 100 * MIB] {
        let shelf = Shelf::new(AMPLE).await;
        let mut longer = original.clone();
        longer.resize(told as usize, 0);
        let stream = sender(move |request| honest(&longer, &request), Then::GoesOn);
        let error = fetch(&shelf.library, hash, told, stream, &FetchOptions::default()).await.unwrap_err();
        assert!(matches!(error, FetchError::Lied(Lie::WrongBytes { .. })), "{told}: {error}");
        assert!(shelf.names().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_asked_for_is_not_taken() {
    for pieces in [vec![(0, 136)], vec![(500, 501)], vec![(3, 3)], vec![(5, 9), (2, 4)], vec![(0, 4), (3, 5)]]
    {
        let heard = hear(move |_| answer(BYTES, true, &pieces), Then::GoesOn).await;
        assert_eq!(lie_of(&heard), Lie::NotAsked);
    }
    // A proof that nobody needs any more.
    let original = content(1, BYTES);
    let hash = BlobHash::of(&original);
    let shelf = Shelf::new(AMPLE).await;
    let end = sender(
        |_| {
            let pieces = [(130, 135)];
            [answer(BYTES, false, &pieces), encoded(&content(1, BYTES), &pieces)].concat()
        },
        Then::Ends,
    );
    let fetched = fetch(&shelf.library, hash, BYTES, end, &FetchOptions::default()).await.unwrap();
    assert_eq!(fetched.arrived_bytes, BYTES - 130 * GROUP_BYTES);
    let stream = sender(|request| answer(BYTES, true, &request.pieces), Then::Waits);
    let error = fetch(&shelf.library, hash, BYTES, stream, &FetchOptions::default()).await.unwrap_err();
    assert!(matches!(error, FetchError::Lied(Lie::NotAsked)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn more_than_was_announced_is_a_lie_that_costs_nothing() {
    let one_more = |request: RequestV1| {
        let mut said = honest(&content(1, BYTES), &request);
        said.push(0);
        said
    };
    for heard in [
        hear(one_more, Then::Waits).await,
        hear(|request| honest(&content(1, BYTES), &request), Then::GoesOn).await,
    ] {
        assert_eq!(lie_of(&heard), Lie::TooMuch);
        assert_eq!(heard.verified_bytes, BYTES);
        assert_eq!(heard.seconds, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_none_is_a_lie() {
    for said in [vec![0xff; 8], vec![2, 0, 0, 0, 9, 9], vec![0; 4]] {
        let heard = hear(move |_| said, Then::GoesOn).await;
        assert!(matches!(lie_of(&heard), Lie::Garbled(_)));
        assert_eq!(heard.seconds, Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn an_early_end_is_no_lie() {
    for length in [0, 3, 9, 200, 5_000, 700_000] {
        let say = move |request: RequestV1| honest(&content(1, BYTES), &request)[..length].to_vec();
        let heard = hear(say, Then::Ends).await;
        assert!(matches!(heard.error, Some(FetchError::Broken(_))));
        assert!(heard.error.is_some_and(|error| !error.is_senders_fault()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    /// Whatever bytes a sender says, with or without an answer that makes sense in front, nothing of them is kept.
    #[test]
    fn no_bytes_upset_a_requester(
        has_header in any::<bool>(),
        bytes in proptest::collection::vec(any::<u8>(), 0..40_000),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let shelf = Shelf::new(AMPLE).await;
            let say = move |request: RequestV1| {
                let mut said = if has_header { answer(BYTES, true, &request.pieces) } else { Vec::new() };
                said.extend(bytes);
                said
            };
            let hash = BlobHash::of(&content(1, BYTES));
            let stream = sender(say, Then::Ends);
            fetch(&shelf.library, hash, BYTES, stream, &FetchOptions::default()).await.unwrap_err();
            assert!(shelf.names().is_empty());
        });
    }
}
