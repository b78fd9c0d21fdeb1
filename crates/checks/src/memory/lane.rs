//! One lane: how its blocks follow from each other. The kernels of the GPU runtime compute the same.

use super::Memory;

/// Words of a block: four kibibytes, which a workgroup of 256 invocations holds in registers, four words each.
pub const BLOCK_WORDS: usize = 1024;
/// Blocks of a lane.
pub const LANE_BLOCKS: u32 = 1024;
/// Bytes of a lane: four mebibytes, more than the memory beside any processor of a GPU, so that a lane cannot be kept
/// where it is computed.
pub const LANE_BYTES: u64 = (BLOCK_WORDS * 4) as u64 * LANE_BLOCKS as u64;
/// How often a lane is gone over. With one pass, blocks that are left out can be had back from their neighbours; from
/// the second on, each also depends on what lay in its own place before, which nothing that is left tells.
pub const PASSES: u32 = 4;
/// Steps of a lane, each of which makes a block.
pub const STEPS: u32 = PASSES * LANE_BLOCKS;
/// Bytes that go to and from memory for each byte that is filled: in the first pass a block is read and one is
/// written, and in each later pass the block that is overwritten is read as well.
pub const TRAFFIC: u32 = 2 + 3 * (PASSES - 1);

/// Spreads the eight words of a key over the words of a block; the golden ratio, as in many a hash.
const SPREAD: u32 = 0x9e37_79b9;

/// Four kibibytes.
pub type Block = [u32; BLOCK_WORDS];

/// All of a lane, at the pace of a processor.
#[derive(Clone)]
pub struct Lane(Vec<Block>);

impl std::fmt::Debug for Lane {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lane").finish_non_exhaustive()
    }
}

impl Lane {
    /// Computes a lane from its start.
    pub fn compute(memory: &Memory, lane: u32) -> Self {
        let key = memory.key();
        let mut blocks = vec![[0u32; BLOCK_WORDS]; LANE_BLOCKS as usize];
        let mut last = start(&key, lane);
        for step in 0..STEPS {
            let at = (step % LANE_BLOCKS) as usize;
            if let Some(other) = referred(step, last[0]) {
                for (word, other) in last.iter_mut().zip(&blocks[other as usize]) {
                    *word ^= other.rotate_left(16);
                }
            }
            last[0] = last[0].wrapping_add(step);
            let mut mixed = last;
            permute(&mut mixed);
            let is_first_pass = step < LANE_BLOCKS;
            let old = &mut blocks[at];
            for ((word, mixed), old) in last.iter_mut().zip(&mixed).zip(old.iter_mut()) {
                *word ^= mixed ^ if is_first_pass { 0 } else { *old };
                *old = *word;
            }
        }
        Self(blocks)
    }

    /// The four words at a place, counted in sixteen bytes.
    pub fn look_up(&self, place: u32) -> [u32; 4] {
        let (block, within) = (place as usize / (BLOCK_WORDS / 4), place as usize % (BLOCK_WORDS / 4));
        let (quads, _) = self.0[block].as_chunks::<4>();
        quads[within]
    }

    /// A digest under a key: all of the lane has to be read for it, again for every key.
    pub fn digest(&self, key: [u32; 4]) -> [u32; 4] {
        let mut sums = [0u32; BLOCK_WORDS];
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum = key[at % 4].wrapping_add(at as u32);
        }
        for block in &self.0 {
            for (sum, word) in sums.iter_mut().zip(block) {
                *sum = (*sum ^ word).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
            }
        }
        let mut mixed = sums;
        permute(&mut mixed);
        [0, 1, 2, 3].map(|at| mixed[at] ^ sums[at])
    }

    #[cfg(test)]
    pub(super) fn block(&self, at: usize) -> &Block {
        &self.0[at]
    }
}

/// What the first block is made of.
fn start(key: &[u32; 8], lane: u32) -> Block {
    let mut block = [0; BLOCK_WORDS];
    for (at, word) in block.iter_mut().enumerate() {
        *word = key[at % 8].wrapping_add((at as u32).wrapping_mul(SPREAD));
    }
    block[1] = block[1].wrapping_add(lane);
    block
}

/// The block that a step is made of besides the one before it, drawn by that one's first word: in the first pass any
/// that there is, and later any of the lane, as this pass or the last one left it; never the one before the step,
/// which is part of it already, and never the one in its place, which is taken in anyway.
pub fn referred(step: u32, drawn: u32) -> Option<u32> {
    match step {
        0 => None,
        1 => Some(0),
        _ if step < LANE_BLOCKS => Some(drawn % (step - 1)),
        _ => Some((step + 1 + drawn % (LANE_BLOCKS - 2)) % LANE_BLOCKS),
    }
}

/// Mixes a block so that each of its words depends on all: the quarter rounds of ChaCha over the five digits of a
/// word's place to the base of four, one after the other.
fn permute(block: &mut Block) {
    let (fours, _) = block.as_chunks_mut::<4>();
    for [a, b, c, d] in fours {
        quarter_round(a, b, c, d);
    }
    stride::<4>(block);
    stride::<16>(block);
    stride::<64>(block);
    stride::<256>(block);
}

/// Compilers make vectors of this.
fn stride<const STRIDE: usize>(block: &mut Block) {
    let (rows, _) = block.as_chunks_mut::<STRIDE>();
    let (quads, _) = rows.as_chunks_mut::<4>();
    for [a, b, c, d] in quads {
        for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter_mut().zip(d)) {
            quarter_round(a, b, c, d);
        }
    }
}

/// Of ChaCha (Bernstein, 2008).
#[inline(always)]
pub(super) fn quarter_round(a: &mut u32, b: &mut u32, c: &mut u32, d: &mut u32) {
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(16);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(12);
    *a = a.wrapping_add(*b);
    *d = (*d ^ *a).rotate_left(8);
    *c = c.wrapping_add(*d);
    *b = (*b ^ *c).rotate_left(7);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_a_block_depends_on_every_other() {
        let (mut first, mut second) = ([7; BLOCK_WORDS], [7; BLOCK_WORDS]);
        second[511] ^= 1;
        permute(&mut first);
        permute(&mut second);
        let changed = first.iter().zip(&second).map(|(a, b)| (a ^ b).count_ones()).collect::<Vec<_>>();
        assert!(changed.iter().filter(|bits| **bits > 0).count() > 1_000, "words that changed");
        let share = f64::from(changed.iter().sum::<u32>()) / (BLOCK_WORDS as f64 * 32.0);
        assert!((0.4..0.6).contains(&share), "{share} of all bits changed");
    }

    #[test]
    fn no_step_refers_to_the_block_before_it_or_to_its_own_place() {
        for step in 2..STEPS {
            for drawn in [0, 1, 2, 1021, 1022, 1023, u32::MAX, step.wrapping_mul(0x9e37_79b9)] {
                let other = referred(step, drawn).unwrap();
                assert!(other < LANE_BLOCKS);
                assert!(other != (step - 1) % LANE_BLOCKS && other != step % LANE_BLOCKS, "{step} {drawn}");
                assert!(step >= LANE_BLOCKS || other < step, "{step} {drawn}: there is no such block yet");
            }
        }
    }

    /// Whoever keeps every other block of a lane instead of the whole has to make nearly all of it anew for one that
    /// is missing: what lay in its place before is gone, and with it all that came before that.
    #[test]
    fn a_block_that_was_left_out_costs_nearly_a_whole_lane() {
        // What each step is made of, from a real lane.
        let memory = Memory { seed: [3; 32], lanes: 1, region_lanes: 32 };
        let made_of = trace(&memory);
        let (passes, blocks) = (PASSES as usize, LANE_BLOCKS as usize);
        for missing in [1, 255, 511, 767, 1023] {
            let kept = |step: usize| step >= (passes - 1) * blocks && step.is_multiple_of(2);
            let mut needed = vec![false; passes * blocks];
            let mut open = vec![(passes - 1) * blocks + missing];
            while let Some(step) = open.pop() {
                if !kept(step) && !std::mem::replace(&mut needed[step], true) {
                    open.extend(&made_of[step]);
                }
            }
            let share = needed.iter().filter(|needed| **needed).count() as f64 / (passes * blocks) as f64;
            assert!(share > 0.6, "block {missing}: {share} of a lane's steps");
        }
    }

    /// The steps that each step is made of.
    fn trace(memory: &Memory) -> Vec<Vec<usize>> {
        let key = memory.key();
        let mut blocks = vec![[0u32; BLOCK_WORDS]; LANE_BLOCKS as usize];
        let mut last_written = vec![0; LANE_BLOCKS as usize];
        let mut last = start(&key, 0);
        let mut made_of = Vec::new();
        for step in 0..STEPS {
            let at = (step % LANE_BLOCKS) as usize;
            let mut parts: Vec<usize> = (step as usize).checked_sub(1).into_iter().collect();
            if let Some(other) = referred(step, last[0]) {
                parts.push(last_written[other as usize]);
                for (word, other) in last.iter_mut().zip(&blocks[other as usize]) {
                    *word ^= other.rotate_left(16);
                }
            }
            last[0] = last[0].wrapping_add(step);
            let mut mixed = last;
            permute(&mut mixed);
            if step >= LANE_BLOCKS {
                parts.push(last_written[at]);
            }
            for (word, (mixed, old)) in last.iter_mut().zip(mixed.iter().zip(&blocks[at])) {
                *word ^= mixed ^ old;
            }
            blocks[at] = last;
            last_written[at] = step as usize;
            made_of.push(parts);
        }
        let lane = Lane::compute(memory, 0);
        assert_eq!(lane.block(1023), &blocks[1023], "the trace is of the same lane");
        made_of
    }
}
