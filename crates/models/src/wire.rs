//! What is said on a stream over which a model moves.
//!
//! One stream serves one request:
//!
//! 1. requester → sender: [`Request`], one frame of [`REQUEST_FRAMES`];
//! 2. sender → requester: [`Answer`], one frame of [`ANSWER_FRAMES`];
//! 3. after [`Answer::Sending`], the data, and then the end of the stream.
//!
//! The data are encodings of bao (BLAKE3's tree in pre-order: a pair of hashes for each inner node on the way, 64
//! bytes, and the bytes of each group), with groups of 16 KiB, one after the other and with nothing between them:
//! first that of the last group, if the answer says so, which proves the length; then, for each piece of the answer,
//! in order, those of its segments. A segment is what lies of a piece between two multiples of 64 groups (1 MiB); each
//! is proved from the root of the tree. So both sides know from the answer what comes, and each group is checked
//! before the next is read.
//!
//! Frames are those of `lull-frame`: a length in four bytes, little-endian, then postcard. The number of a request's
//! variant is the version of all that follows on the stream.

use lull_frame::Frames;
use lull_types::{BlobHash, Fault};
use serde::{Deserialize, Serialize};

use crate::groups::Groups;

/// The pieces that a request or an answer names at most. A transfer that was cut leaves one or two; a sender that has
/// only some pieces is asked again for what is missing still.
pub const PIECES_MAX: usize = 64;

/// A request: a hash, and at most [`PIECES_MAX`] pairs of at most twenty bytes.
pub const REQUEST_FRAMES: Frames = Frames { bytes_max: 2 * 1024 };

/// An answer: as many pairs, or a sentence.
pub const ANSWER_FRAMES: Frames = Frames { bytes_max: 4 * 1024 };

/// What the requester wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The first version.
    V1(RequestV1),
}

/// Some of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestV1 {
    /// The BLAKE3 hash of the whole file.
    pub hash: BlobHash,
    /// Whether the last group is wanted first, as a proof of the length.
    pub wants_proof: bool,
    /// Groups of 16 KiB, by number: the first of a piece, and the one after its last. Ascending, none empty, none
    /// overlapping another, at most [`PIECES_MAX`]. What lies after the end of the file is ignored.
    pub pieces: Vec<(u64, u64)>,
}

/// What the sender says to a [`Request::V1`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// These follow.
    Sending {
        /// The length of the whole file.
        bytes: u64,
        /// Whether the last group comes first; only if that was wanted.
        has_proof: bool,
        /// The pieces that come, in the form of [`RequestV1::pieces`]: of what was wanted, that which the sender has.
        /// May be none.
        pieces: Vec<(u64, u64)>,
    },
    /// Nothing follows. `models_missing` when the sender does not have the model.
    Refused(Fault),
}

/// Pieces as they go over the wire.
pub(crate) fn pieces_of(groups: &Groups) -> Vec<(u64, u64)> {
    groups.pieces().take(PIECES_MAX).map(|piece| (piece.start, piece.end)).collect()
}

/// Pieces as they came; `None` when they break a rule.
pub(crate) fn groups_of(pieces: Vec<(u64, u64)>) -> Option<Groups> {
    if pieces.len() > PIECES_MAX { None } else { Groups::from_pieces(pieces) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;

    use super::*;

    #[test]
    fn the_largest_messages_fit_their_frames() {
        let pieces = vec![(u64::MAX, u64::MAX); PIECES_MAX];
        let request = RequestV1 { hash: BlobHash([0xff; 32]), wants_proof: true, pieces: pieces.clone() };
        REQUEST_FRAMES.encode(&Request::V1(request)).unwrap();
        ANSWER_FRAMES.encode(&Answer::Sending { bytes: u64::MAX, has_proof: true, pieces }).unwrap();
    }

    #[test]
    fn the_form_is_as_documented() {
        let request = RequestV1 { hash: BlobHash([7; 32]), wants_proof: true, pieces: vec![(1, 300)] };
        let mut expected = vec![38, 0, 0, 0, 0];
        expected.extend([7; 32]);
        expected.extend([1, 1, 1, 0xac, 0x02]);
        assert_eq!(REQUEST_FRAMES.encode(&Request::V1(request)).unwrap(), expected);
        let answer = Answer::Sending { bytes: 5, has_proof: false, pieces: vec![(0, 1)] };
        assert_eq!(ANSWER_FRAMES.encode(&answer).unwrap(), [6, 0, 0, 0, 0, 5, 0, 1, 0, 1]);
        let refused = Answer::Refused(Fault::new("c", "s"));
        assert_eq!(ANSWER_FRAMES.encode(&refused).unwrap(), [5, 0, 0, 0, 1, 1, b'c', 1, b's']);
    }

    #[test]
    fn pieces_that_break_a_rule_are_refused() {
        assert_eq!(groups_of((0..65).map(|piece| (2 * piece, 2 * piece + 1)).collect()), None);
        assert_eq!(groups_of(vec![(3, 3)]), None);
        assert_eq!(groups_of(vec![(0, 4), (3, 5)]), None);
        assert_eq!(groups_of(vec![(0, u64::MAX)]), Some(Groups::of(0..u64::MAX)));
        assert_eq!(groups_of(Vec::new()), Some(Groups::none()));
    }

    /// Whatever is understood can be said again, and is then understood the same.
    fn again<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(
        frames: Frames,
        mut bytes: &[u8],
    ) {
        if let Ok(message) = frames.read_blocking::<T>(&mut bytes) {
            let frame = frames.encode(&message).unwrap();
            assert_eq!(frames.read_blocking::<T>(&mut &frame[..]).unwrap(), message);
        }
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut frame = (body.len() as u32).to_le_bytes().to_vec();
            frame.extend(&body);
            for bytes in [&body, &frame] {
                again::<Request>(REQUEST_FRAMES, bytes);
                again::<Answer>(ANSWER_FRAMES, bytes);
            }
        }
    }
}
