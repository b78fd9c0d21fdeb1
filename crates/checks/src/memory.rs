//! Memory that is really there: it is filled with what nobody could have had before, then read in ways that only
//! whoever holds it all can keep up with.
//!
//! 1. **Fill.** The network draws a seed. From it follow *lanes* of four mebibytes each, made block by block as in
//!    Argon2d (Biryukov, Dinu and Khovratovich, 2015; RFC 9106): a block is made of the one before it, of one at a
//!    place that depends on the data, and, from the second pass on, of what lay in its own place. A lane can only be
//!    computed from its start, a step after the other.
//! 2. **Sweeps.** The network draws a key. All lanes are read from one end to the other and each is digested under that
//!    key; from all digests follows the key of the next sweep. This is paced by the memory's bandwidth, and memory
//!    behind a bus is twenty times too slow for it. The fill alone would not show that: lanes can be made one by one
//!    in fast memory and be written out once.
//! 3. **Look-ups.** The network draws a place. What is read there decides the next place, 65,536 times. Whoever holds
//!    all of it needs a microsecond for each; whoever has to compute a lane for it, milliseconds.
//!
//! Each of the two is answered with a hash over everything that was found. Only then is that shown, and only then does
//! the network choose the lanes that it computes itself and compares with. Whoever made a share s of the lanes up
//! passes k of them with a probability of (1−s)ᵏ.

mod lane;

use std::collections::BTreeMap;

use lull_types::{BlobHash, Coded};
use serde::{Deserialize, Serialize};

pub use lane::{BLOCK_WORDS, LANE_BLOCKS, LANE_BYTES, Lane, PASSES, STEPS, TRAFFIC, referred};

/// Lanes in all: 128 GiB, more than nearly all devices have.
pub const LANES_MAX: u32 = 32_768;
/// Regions in all: whether each is the next is asked on the device after every few look-ups.
pub const REGIONS_MAX: u32 = 128;
/// Lanes of a region at least: 128 MiB, which every device can bind as one buffer.
pub const REGION_LANES_MIN: u32 = 32;
/// Lanes of a region at most: 1 GiB. Places within it, counted in sixteen bytes, fit 32 bits by far.
pub const REGION_LANES_MAX: u32 = 256;
/// Look-ups of one chain. Lanes left out are found by the time it takes if they are more than one in 65,536 times the
/// time for a lane: with three milliseconds, half a percent of the memory costs a second.
pub const LOOK_UPS: u32 = 65_536;
/// Look-ups in one region before the chain goes on in the next: a thousand such turns.
pub const SEGMENT: u32 = 64;
/// Sweeps at most.
pub const SWEEPS_MAX: u32 = 64;
/// Digests of all sweeps together: four mebibytes to be shown.
pub const DIGESTS_MAX: u64 = 262_144;
/// Bytes of a digest, and of a look-up's state.
pub const ENTRY_BYTES: usize = 16;
/// Places of sixteen bytes in a lane.
const LANE_PLACES: u32 = (LANE_BYTES / 16) as u32;

/// What memory is to be filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// Everything follows from it.
    pub seed: [u8; 32],
    /// How much, in lanes of [`LANE_BYTES`].
    pub lanes: u32,
    /// Lanes that lie in one buffer; the last one may hold fewer.
    pub region_lanes: u32,
}

/// How often it is read, and from which key on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweeps {
    /// From which the first key follows.
    pub seed: [u8; 32],
    /// How often.
    pub sweeps: u32,
}

/// Everything that was found, shown after its hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryTranscript {
    /// The digest of every lane, sweep by sweep.
    pub sweeps: Vec<u8>,
    /// The state after each look-up.
    pub look_ups: Vec<u8>,
}

/// What is asked of filled memory, and what was committed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryAnswer {
    /// What was asked.
    pub sweeps: Sweeps,
    /// Hash of [`MemoryTranscript::sweeps`].
    pub swept: BlobHash,
    /// From which the first place followed.
    pub look_up_seed: [u8; 32],
    /// Hash of [`MemoryTranscript::look_ups`].
    pub looked_up: BlobHash,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemoryFault {
    /// No device could be asked this.
    #[error("{lanes} lanes of memory in regions of {region_lanes}, read {sweeps} times, cannot be asked for")]
    Unusable {
        /// As asked for.
        lanes: u32,
        /// As asked for.
        region_lanes: u32,
        /// As asked for.
        sweeps: u32,
    },
    /// What is shown is not what was committed to.
    #[error("what was shown of the memory is not what was committed to before")]
    NotCommitted,
    /// Not as much is shown as there must be.
    #[error("not everything that was found in the memory was shown")]
    Shape,
    /// A lane holds something else.
    #[error("lane {0} of the memory does not hold what it was to be filled with")]
    WrongLane(u32),
}

impl Coded for MemoryFault {
    fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "memory_unusable",
            Self::NotCommitted => "memory_not_committed",
            Self::Shape => "memory_not_shown",
            Self::WrongLane(_) => "memory_wrong",
        }
    }
}

impl Memory {
    /// Whether it can be asked for.
    pub fn check_shape(&self) -> Result<(), MemoryFault> {
        let Self { lanes, region_lanes, .. } = *self;
        let is_usable = (1..=LANES_MAX).contains(&lanes)
            && (REGION_LANES_MIN..=REGION_LANES_MAX).contains(&region_lanes)
            && self.regions() <= REGIONS_MAX;
        if is_usable { Ok(()) } else { Err(MemoryFault::Unusable { lanes, region_lanes, sweeps: 0 }) }
    }

    /// Whether it can be read like this.
    pub fn check_sweeps(&self, sweeps: &Sweeps) -> Result<(), MemoryFault> {
        let Self { lanes, region_lanes, .. } = *self;
        let sweeps = sweeps.sweeps;
        let is_usable = (1..=SWEEPS_MAX).contains(&sweeps)
            && u64::from(lanes) * u64::from(sweeps) <= DIGESTS_MAX.max(lanes.into());
        if is_usable { Ok(()) } else { Err(MemoryFault::Unusable { lanes, region_lanes, sweeps }) }
    }

    /// Lanes of a region on a device that can bind so many bytes as one buffer.
    pub fn region_lanes(buffer_bytes_max: u64) -> u32 {
        let lanes = (buffer_bytes_max / LANE_BYTES).clamp(REGION_LANES_MIN.into(), REGION_LANES_MAX.into());
        1 << lanes.ilog2()
    }

    /// Bytes that are filled.
    pub fn bytes(&self) -> u64 {
        u64::from(self.lanes) * LANE_BYTES
    }

    /// Buffers that it lies in.
    pub fn regions(&self) -> u32 {
        self.lanes.div_ceil(self.region_lanes.max(1))
    }

    /// Lanes of a region.
    pub fn lanes_of_region(&self, region: u32) -> u32 {
        (self.lanes - region * self.region_lanes).min(self.region_lanes)
    }

    /// The key from which all lanes follow.
    pub fn key(&self) -> [u32; 8] {
        let hash = derived("lull memory challenge v1: key of the lanes", &self.seed);
        let (words, _) = hash.as_chunks::<4>();
        std::array::from_fn(|at| u32::from_le_bytes(words[at]))
    }

    /// The lanes that were looked at, each once.
    pub fn visited(&self, look_up_seed: &[u8; 32], look_ups: &[u8]) -> Vec<u32> {
        let mut way = Way::default();
        let mut lanes: Vec<_> =
            states(look_up_seed, look_ups).map(|(from, _)| way.place(self, from).0).collect();
        lanes.sort_unstable();
        lanes.dedup();
        lanes
    }

    /// Whether the transcript is the one that was committed to, and of the right length. Lanes to be checked are to be
    /// drawn only after this.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check_committed(
        &self,
        answer: &MemoryAnswer,
        transcript: &MemoryTranscript,
    ) -> Result<(), MemoryFault> {
        self.check_shape()?;
        self.check_sweeps(&answer.sweeps)?;
        let digests = self.lanes as usize * answer.sweeps.sweeps as usize;
        if transcript.sweeps.len() != digests * ENTRY_BYTES
            || transcript.look_ups.len() != LOOK_UPS as usize * ENTRY_BYTES
        {
            return Err(MemoryFault::Shape);
        }
        let is_committed = BlobHash::of(&transcript.sweeps) == answer.swept
            && BlobHash::of(&transcript.look_ups) == answer.looked_up;
        if is_committed { Ok(()) } else { Err(MemoryFault::NotCommitted) }
    }

    /// Computes these lanes anew and compares everything that is shown of them.
    ///
    /// # Errors
    /// The first lane that is wrong.
    pub fn check_lanes(
        &self,
        answer: &MemoryAnswer,
        transcript: &MemoryTranscript,
        lanes: &[u32],
    ) -> Result<(), MemoryFault> {
        self.check_committed(answer, transcript)?;
        let mut looked_up: BTreeMap<u32, Vec<LookUp>> =
            lanes.iter().map(|lane| (*lane, Vec::new())).collect();
        let mut way = Way::default();
        for (from, to) in states(&answer.look_up_seed, &transcript.look_ups) {
            let (lane, place) = way.place(self, from);
            if let Some(seen) = looked_up.get_mut(&lane) {
                seen.push(LookUp { place, from, to });
            }
        }
        let sweep_bytes = self.lanes as usize * ENTRY_BYTES;
        let mut keys = vec![sweep_key(&answer.sweeps.seed)];
        for sweep in transcript.sweeps.chunks(sweep_bytes) {
            keys.push(next_key(keys[keys.len() - 1], sweep));
        }
        for (lane, seen) in looked_up {
            let computed = Lane::compute(self, lane);
            let is_looked_up =
                seen.iter().all(|seen| step(seen.from, computed.look_up(seen.place)) == seen.to);
            let is_swept =
                transcript.sweeps.chunks(sweep_bytes).zip(&keys).all(|(sweep, key)| {
                    entry(&sweep[lane as usize * ENTRY_BYTES..]) == computed.digest(*key)
                });
            if !is_looked_up || !is_swept {
                return Err(MemoryFault::WrongLane(lane));
            }
        }
        Ok(())
    }
}

/// Where a chain of look-ups goes. It stays in one region for some look-ups, as a device can only be given so many
/// buffers at once. Which region is next is known only when those are done, so that nobody can make what is missing
/// there ahead of time.
#[derive(Default)]
struct Way {
    done: u32,
    region: u32,
}

impl Way {
    /// A lane, and the place in it, of the look-up from a state.
    fn place(&mut self, memory: &Memory, state: [u32; 4]) -> (u32, u32) {
        if self.done.is_multiple_of(SEGMENT) {
            self.region = state[1] % memory.regions();
        }
        self.done += 1;
        let place = state[0] % (memory.lanes_of_region(self.region) * LANE_PLACES);
        (self.region * memory.region_lanes + place / LANE_PLACES, place % LANE_PLACES)
    }
}

/// A look-up as it is shown: where it went within a lane, and the states before and after it.
struct LookUp {
    place: u32,
    from: [u32; 4],
    to: [u32; 4],
}

/// The states before and after each look-up.
fn states(seed: &[u8; 32], look_ups: &[u8]) -> impl Iterator<Item = ([u32; 4], [u32; 4])> {
    let (entries, _) = look_ups.as_chunks::<ENTRY_BYTES>();
    let after = entries.iter().map(|bytes| entry(bytes));
    std::iter::once(first_state(seed)).chain(after.clone()).zip(after)
}

fn entry(bytes: &[u8]) -> [u32; 4] {
    let (words, _) = bytes.as_chunks::<4>();
    std::array::from_fn(|at| words.get(at).map_or(0, |word| u32::from_le_bytes(*word)))
}

/// The bytes of an entry of a transcript.
pub fn entry_bytes(words: [u32; 4]) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes.copy_from_slice(words.map(u32::to_le_bytes).as_flattened());
    bytes
}

fn derived(what: &'static str, seed: &[u8; 32]) -> [u8; 32] {
    *blake3::Hasher::new_derive_key(what).update(seed).finalize().as_bytes()
}

/// The state before the first look-up.
pub fn first_state(seed: &[u8; 32]) -> [u32; 4] {
    entry(&derived("lull memory challenge v1: first look-up", seed))
}

/// The state after a look-up that found `value`.
pub fn step(state: [u32; 4], value: [u32; 4]) -> [u32; 4] {
    let [mut a, mut b, mut c, mut d] = std::array::from_fn(|at| state[at] ^ value[at]);
    // Twice, so that the first word, which is the next place, depends on every bit of all four.
    lane::quarter_round(&mut a, &mut b, &mut c, &mut d);
    lane::quarter_round(&mut a, &mut b, &mut c, &mut d);
    [a, b, c, d]
}

/// The key of the first sweep.
pub fn sweep_key(seed: &[u8; 32]) -> [u32; 4] {
    entry(&derived("lull memory challenge v1: first sweep", seed))
}

/// The key of the sweep after one that found these digests.
pub fn next_key(key: [u32; 4], digests: &[u8]) -> [u32; 4] {
    let mut hasher = blake3::Hasher::new_derive_key("lull memory challenge v1: next sweep");
    hasher.update(&entry_bytes(key)).update(digests);
    entry(hasher.finalize().as_bytes())
}

/// Filled memory on a processor: what a device's must equal.
#[derive(Clone, Debug)]
pub struct FilledReference {
    memory: Memory,
    lanes: Vec<Lane>,
}

impl FilledReference {
    /// Fills it all.
    pub fn compute(memory: Memory) -> Self {
        Self { memory, lanes: (0..memory.lanes).map(|lane| Lane::compute(&memory, lane)).collect() }
    }

    /// Reads it, and gives what goes into the transcript.
    ///
    /// # Errors
    /// When it cannot be read like this.
    pub fn sweep(&self, sweeps: &Sweeps) -> Result<Vec<u8>, MemoryFault> {
        self.memory.check_sweeps(sweeps)?;
        let mut key = sweep_key(&sweeps.seed);
        let mut all = Vec::new();
        for _ in 0..sweeps.sweeps {
            let digests: Vec<u8> = self.lanes.iter().flat_map(|lane| entry_bytes(lane.digest(key))).collect();
            key = next_key(key, &digests);
            all.extend(digests);
        }
        Ok(all)
    }

    /// Goes along the chain, and gives what goes into the transcript.
    pub fn look_up(&self, seed: &[u8; 32]) -> Vec<u8> {
        chain(&self.memory, seed, |lane, place| self.lanes[lane as usize].look_up(place))
    }
}

/// Goes along the chain with whatever tells what lies in a lane at a place.
pub fn chain(memory: &Memory, seed: &[u8; 32], mut look_up: impl FnMut(u32, u32) -> [u32; 4]) -> Vec<u8> {
    let mut state = first_state(seed);
    let mut states = Vec::with_capacity(LOOK_UPS as usize * ENTRY_BYTES);
    let mut way = Way::default();
    for _ in 0..LOOK_UPS {
        let (lane, place) = way.place(memory, state);
        state = step(state, look_up(lane, place));
        states.extend(entry_bytes(state));
    }
    states
}

#[cfg(test)]
mod tests;
