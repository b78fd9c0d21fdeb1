//! The geometry of a model: groups, what is verified of them, and what a model takes on the disk.

use std::ops::Range;

use bao_tree::{BaoTree, BlockSize, ByteRanges, ChunkNum, ChunkRanges};

/// What is verified at once. Each group has a hash of 32 bytes in the outboard, so that hashes take 0.4 % of a
/// model, and a liar is found out after 16 KiB. iroh-blobs has the same.
pub const GROUP_BYTES: u64 = 16 * 1024;

/// [`GROUP_BYTES`] as bao-tree has it: 2⁴ chunks of 1 KiB.
const GROUP: BlockSize = BlockSize::from_chunk_log(4);

/// The chunks of BLAKE3 in a group.
const GROUP_CHUNKS: u64 = 1 << GROUP.chunk_log();

/// The largest model: twenty-five times the largest that is lent for, and far from where sizes overflow.
pub const MODEL_BYTES_MAX: u64 = 1 << 40;

/// What a model's record may take on the disk: the one that holds and the one that replaces it, each of at most
/// one block of 4 KiB.
pub(crate) const RECORD_BYTES: u64 = 2 * 4096;

/// The groups that are sent under one proof from the root: 1 MiB, which is what a sender reads ahead. The proof
/// repeats at most 16 pairs of hashes for each, a thousandth of the data.
const SEGMENT_GROUPS: u64 = 64;

/// The tree of hashes over a model.
pub(crate) fn tree(bytes: u64) -> BaoTree {
    BaoTree::new(bytes, GROUP)
}

/// The number of groups, the last of which may be short.
pub(crate) fn group_count(bytes: u64) -> u64 {
    bytes.div_ceil(GROUP_BYTES)
}

/// What the tree's inner hashes take on the disk.
pub(crate) fn outboard_bytes(bytes: u64) -> u64 {
    tree(bytes).outboard_size()
}

/// All that a model takes on the disk: its data, its outboard and its record.
pub(crate) fn footprint_bytes(bytes: u64) -> u64 {
    bytes.saturating_add(outboard_bytes(bytes)).saturating_add(RECORD_BYTES)
}

/// A set of groups of one model, by number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Groups(ByteRanges);

impl Groups {
    pub fn none() -> Self {
        Self(ByteRanges::empty())
    }

    /// Those of a range; none if it is empty.
    pub fn of(range: Range<u64>) -> Self {
        if range.is_empty() { Self::none() } else { Self(ByteRanges::from(range)) }
    }

    /// Every group of a model.
    pub fn all(bytes: u64) -> Self {
        Self::of(0..group_count(bytes))
    }

    /// The last group of a model, whose hash proves the length.
    pub fn last(bytes: u64) -> Self {
        let count = group_count(bytes);
        Self::of(count.saturating_sub(1)..count)
    }

    /// From pieces as they are written down: none is empty, and each begins after the one before has ended.
    pub fn from_pieces(pieces: impl IntoIterator<Item = (u64, u64)>) -> Option<Self> {
        let (mut groups, mut end_before) = (Self::none(), 0);
        for (start, end) in pieces {
            if start < end_before || start >= end {
                return None;
            }
            groups.insert(&Self::of(start..end));
            end_before = end;
        }
        Some(groups)
    }

    pub fn insert(&mut self, other: &Self) {
        self.0.union_with(&other.0);
    }

    pub fn remove(&mut self, other: &Self) {
        self.0.difference_with(&other.0);
    }

    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0))
    }

    pub fn difference(&self, other: &Self) -> Self {
        Self(self.0.difference(&other.0))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// The contiguous pieces, ascending.
    pub fn pieces(&self) -> impl Iterator<Item = Range<u64>> + '_ {
        // Every set here is made of ranges that end, so its boundaries come in pairs.
        self.0.boundaries().chunks_exact(2).map(|pair| pair[0]..pair[1])
    }

    /// The first `count` pieces.
    pub fn first_pieces(&self, count: usize) -> Self {
        let mut first = Self::none();
        for piece in self.pieces().take(count) {
            first.insert(&Self::of(piece));
        }
        first
    }

    /// The bytes that these groups hold of a model of `bytes`.
    pub fn bytes_of(&self, bytes: u64) -> u64 {
        self.pieces()
            .map(|piece| (piece.end * GROUP_BYTES).min(bytes).saturating_sub(piece.start * GROUP_BYTES))
            .sum()
    }

    /// The pieces, cut where segments end: what is encoded and decoded at a time.
    pub fn segments(&self) -> impl Iterator<Item = Segment> + '_ {
        self.pieces().flat_map(|piece| {
            let first = piece.start / SEGMENT_GROUPS;
            let end = piece.end.div_ceil(SEGMENT_GROUPS);
            (first..end).map(move |number| Segment {
                start: piece.start.max(number * SEGMENT_GROUPS),
                end: piece.end.min((number + 1) * SEGMENT_GROUPS),
            })
        })
    }
}

/// Neighbouring groups that are sent under one proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    pub start: u64,
    pub end: u64,
}

impl Segment {
    /// As bao-tree asks for it.
    pub fn chunks(self) -> ChunkRanges {
        ChunkRanges::from(ChunkNum(self.start * GROUP_CHUNKS)..ChunkNum(self.end * GROUP_CHUNKS))
    }

    pub fn groups(self) -> Groups {
        Groups::of(self.start..self.end)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn members(groups: &Groups) -> BTreeSet<u64> {
        groups.pieces().flatten().collect()
    }

    fn sets() -> impl Strategy<Value = Groups> {
        proptest::collection::vec((0u64..300, 1u64..90), 0..6).prop_map(|ranges| {
            let mut groups = Groups::none();
            for (start, length) in ranges {
                groups.insert(&Groups::of(start..start + length));
            }
            groups
        })
    }

    proptest! {
        #[test]
        fn sets_of_groups_are_sets(a in sets(), b in sets(), count in 0usize..4) {
            let (x, y) = (members(&a), members(&b));
            prop_assert_eq!(members(&a.intersection(&b)), &x & &y);
            prop_assert_eq!(members(&a.difference(&b)), &x - &y);
            prop_assert_eq!(a.is_subset(&b), x.is_subset(&y));
            prop_assert_eq!(a.is_empty(), x.is_empty());
            let mut both = a.clone();
            both.insert(&b);
            prop_assert_eq!(members(&both), &x | &y);
            both.remove(&b);
            prop_assert_eq!(members(&both), &x - &y);
            let pieces: Vec<_> = a.pieces().map(|piece| (piece.start, piece.end)).collect();
            prop_assert_eq!(Groups::from_pieces(pieces), Some(a.clone()));
            prop_assert!(a.first_pieces(count).pieces().count() <= count && a.first_pieces(count).is_subset(&a));
        }

        #[test]
        fn segments_cover_their_groups_once(groups in sets()) {
            let mut seen = Vec::new();
            for segment in groups.segments() {
                prop_assert!(segment.end - segment.start <= SEGMENT_GROUPS);
                prop_assert_eq!(segment.start / SEGMENT_GROUPS, (segment.end - 1) / SEGMENT_GROUPS);
                seen.extend(segment.start..segment.end);
            }
            prop_assert_eq!(seen, members(&groups).into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_short_last_group_counts_as_long_as_it_is() {
        let bytes = 2 * GROUP_BYTES + 5;
        assert_eq!(group_count(bytes), 3);
        assert_eq!(Groups::all(bytes).bytes_of(bytes), bytes);
        assert_eq!(Groups::last(bytes).bytes_of(bytes), 5);
        assert_eq!(Groups::last(GROUP_BYTES).bytes_of(GROUP_BYTES), GROUP_BYTES);
        assert_eq!(outboard_bytes(GROUP_BYTES), 0);
        assert_eq!(outboard_bytes(bytes), 128);
    }

    #[test]
    fn pieces_that_overlap_or_are_empty_are_refused() {
        for pieces in [vec![(1, 1)], vec![(2, 1)], vec![(0, 2), (1, 3)], vec![(5, 6), (0, 1)]] {
            assert_eq!(Groups::from_pieces(pieces), None);
        }
        assert_eq!(Groups::from_pieces([(0, 1), (1, 2)]), Some(Groups::of(0..2)));
    }
}
