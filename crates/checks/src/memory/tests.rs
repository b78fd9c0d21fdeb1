//! Honest answers hold; whoever lacks memory is found, by the clock or by the lanes.

use std::time::{Duration, Instant};

use super::*;

const MEMORY: Memory = Memory { seed: [7; 32], lanes: 12, region_lanes: 32 };
const SWEEPS: Sweeps = Sweeps { seed: [8; 32], sweeps: 2 };
const LOOK_UP_SEED: [u8; 32] = [9; 32];

fn committed(transcript: &MemoryTranscript) -> MemoryAnswer {
    MemoryAnswer {
        sweeps: SWEEPS,
        swept: BlobHash::of(&transcript.sweeps),
        look_up_seed: LOOK_UP_SEED,
        looked_up: BlobHash::of(&transcript.look_ups),
    }
}

fn honest() -> MemoryTranscript {
    let filled = FilledReference::compute(MEMORY);
    MemoryTranscript { sweeps: filled.sweep(&SWEEPS).unwrap(), look_ups: filled.look_up(&LOOK_UP_SEED) }
}

fn every_lane() -> Vec<u32> {
    (0..MEMORY.lanes).collect()
}

#[test]
fn an_honest_answer_holds() {
    let transcript = honest();
    let answer = committed(&transcript);
    assert_eq!(MEMORY.check_lanes(&answer, &transcript, &every_lane()), Ok(()));
    assert_eq!(MEMORY.visited(&LOOK_UP_SEED, &transcript.look_ups), every_lane());
}

#[test]
fn what_is_tampered_with_is_noticed() {
    let honest = honest();
    let answer = committed(&honest);
    let check = |answer: &MemoryAnswer, transcript: &MemoryTranscript| {
        MEMORY.check_lanes(answer, transcript, &every_lane())
    };
    // Something else than what was committed to.
    let mut other = honest.clone();
    *other.look_ups.last_mut().unwrap() ^= 1;
    assert_eq!(check(&answer, &other), Err(MemoryFault::NotCommitted));
    // The last state made up from the start: the lane of the last look-up shows it.
    assert!(matches!(check(&committed(&other), &other), Err(MemoryFault::WrongLane(_))));
    // A state in the middle: the look-up to it and the one from it are wrong.
    let mut other = honest.clone();
    other.look_ups[40_000 * ENTRY_BYTES] ^= 1;
    assert!(matches!(check(&committed(&other), &other), Err(MemoryFault::WrongLane(_))));
    // A digest: its lane is wrong, and all those of the next sweep have another key.
    let mut other = honest.clone();
    other.sweeps[5 * ENTRY_BYTES] ^= 1;
    let checked = MEMORY.check_lanes(&committed(&other), &other, &[5]);
    assert_eq!(checked, Err(MemoryFault::WrongLane(5)));
    assert_eq!(
        MEMORY.check_lanes(&committed(&other), &other, &[6]),
        Err(MemoryFault::WrongLane(6)),
        "digests of the second sweep are under another key then"
    );
    // Not all of it.
    for short in [
        MemoryTranscript { look_ups: honest.look_ups[16..].to_vec(), ..honest.clone() },
        MemoryTranscript { sweeps: honest.sweeps[16..].to_vec(), ..honest.clone() },
        MemoryTranscript::default(),
    ] {
        assert_eq!(check(&committed(&short), &short), Err(MemoryFault::Shape));
    }
    // An answer to another seed.
    let replayed = MemoryAnswer { look_up_seed: [1; 32], ..answer };
    assert!(matches!(check(&replayed, &honest), Err(MemoryFault::WrongLane(_))));
    let replayed = Memory { seed: [1; 32], ..MEMORY };
    assert!(matches!(replayed.check_lanes(&answer, &honest, &every_lane()), Err(MemoryFault::WrongLane(_))));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    for (lanes, region_lanes) in [(0, 32), (1, 0), (1, 31), (1, 512), (LANES_MAX + 1, 256), (LANES_MAX, 128)]
    {
        let unusable = Memory { seed: [0; 32], lanes, region_lanes };
        assert!(unusable.check_shape().is_err(), "{unusable:?}");
    }
    let largest = Memory { seed: [0; 32], lanes: LANES_MAX, region_lanes: 256 };
    assert_eq!(largest.check_shape(), Ok(()));
    for (sweeps, is_usable) in [(0, false), (1, true), (8, true), (9, false)] {
        assert_eq!(largest.check_sweeps(&Sweeps { seed: [0; 32], sweeps }).is_ok(), is_usable, "{sweeps}");
    }
}

/// The attacker with half of the memory, who keeps every other lane and computes the others when they are asked for.
#[test]
fn half_of_the_memory_is_too_slow_by_far() {
    let kept: Vec<_> = (0..MEMORY.lanes)
        .map(|lane| (lane.is_multiple_of(2)).then(|| Lane::compute(&MEMORY, lane)))
        .collect();
    let deadline = Duration::from_secs(1);
    let began = Instant::now();
    let mut done = 0u32;
    // As far as it comes within the deadline; the rest is known from how far that is.
    chain(&MEMORY, &LOOK_UP_SEED, |lane, place| {
        if began.elapsed() > deadline {
            return [0; 4];
        }
        done += 1;
        match &kept[lane as usize] {
            Some(lane) => lane.look_up(place),
            None => Lane::compute(&MEMORY, lane).look_up(place),
        }
    });
    assert!(done < LOOK_UPS / 4, "{done} of {LOOK_UPS} look-ups in a second");
}

/// The same attacker, who makes up what is missing instead: in time, and found by the lanes that are checked. Without
/// computing them: a lane is wrong if it was not kept.
#[test]
fn whoever_makes_lanes_up_passes_as_often_as_stated() {
    let made_up = |lane: u32| lane % 2 == 1;
    let kept: Vec<_> =
        (0..MEMORY.lanes).map(|lane| (!made_up(lane)).then(|| Lane::compute(&MEMORY, lane))).collect();
    let look_ups = chain(&MEMORY, &LOOK_UP_SEED, |lane, place| {
        kept[lane as usize].as_ref().map_or([lane, place, 0, 0], |lane| lane.look_up(place))
    });
    let transcript = MemoryTranscript { look_ups, ..honest() };
    let answer = committed(&transcript);
    let wrong: Vec<bool> =
        every_lane().iter().map(|lane| MEMORY.check_lanes(&answer, &transcript, &[*lane]).is_err()).collect();
    assert_eq!(wrong, every_lane().into_iter().map(made_up).collect::<Vec<_>>(), "exactly those are found");

    // With a share s made up, k lanes are all right with (1−s)ᵏ.
    let runs = 4_000u32;
    for (lanes, wrong, checked) in [(1_000u32, 500u32, 4u32), (1_000, 100, 8), (1_000, 100, 32)] {
        let passed = (0..runs).filter(|run| {
            let mut stream = blake3::Hasher::new().update(&run.to_le_bytes()).finalize_xof();
            let mut bytes = [0; 4];
            (0..checked).all(|_| {
                stream.fill(&mut bytes);
                u32::from_le_bytes(bytes) % lanes >= wrong
            })
        });
        let share = passed.count() as f64 / f64::from(runs);
        let stated = (1.0 - f64::from(wrong) / f64::from(lanes)).powi(checked.cast_signed());
        assert!((share - stated).abs() < 0.03, "{share} passed, {stated} stated");
    }
}
