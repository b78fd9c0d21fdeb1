//! What is written down of a model beside its data, and what that and the files found make of it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::groups::{self, GROUP_BYTES, Groups, MODEL_BYTES_MAX};

/// The version of the form below.
const VERSION: u32 = 1;

/// The pieces that a record names at most, so that it stays within its block of the disk. A transfer in order
/// makes two; the verified groups past these pieces are fetched again after a restart.
const PIECES_MAX: usize = 128;

/// The most that a record takes.
const TEXT_BYTES_MAX: usize = 4096;

/// Times of change that are this close are the same: FAT keeps them to two seconds.
const MODIFIED_SLACK: Duration = Duration::from_secs(2);

/// When a file was last changed, in nanoseconds since 1970, to the nearest that can be written so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Modified(i64);

impl Modified {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        // A system that keeps no times tells one that never changes; lengths are compared all the same.
        Self::at(metadata.modified().unwrap_or(UNIX_EPOCH))
    }

    fn at(time: SystemTime) -> Self {
        let nanos = |duration: Duration| i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(since) => nanos(since),
            Err(before) => -nanos(before.duration()),
        })
    }

    pub fn is_same(self, other: Self) -> bool {
        u128::from(self.0.abs_diff(other.0)) <= MODIFIED_SLACK.as_nanos()
    }
}

/// What is known of a model's data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RecordState {
    /// All of it was verified, and the file was last changed then.
    Whole(Modified),
    /// These groups were verified and have reached the disk.
    Part(Groups),
    /// It is known not to be what its name says.
    Damaged,
}

/// What is written down of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub bytes: u64,
    pub state: RecordState,
}

/// The form on the disk: JSON, so that an operator can read it.
#[derive(Serialize, Deserialize)]
struct Written {
    version: u32,
    bytes: u64,
    state: WrittenState,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WrittenState {
    Whole { modified_ns: Modified },
    Part { groups: Vec<(u64, u64)> },
    Damaged,
}

/// A record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is of a later version.
    Newer,
    /// It is no record.
    Garbled,
}

impl Record {
    pub fn to_text(&self) -> Vec<u8> {
        let state = match &self.state {
            RecordState::Whole(modified) => WrittenState::Whole { modified_ns: *modified },
            RecordState::Part(groups) => {
                let pieces = groups.pieces().take(PIECES_MAX).map(|piece| (piece.start, piece.end));
                WrittenState::Part { groups: pieces.collect() }
            }
            RecordState::Damaged => WrittenState::Damaged,
        };
        let written = Written { version: VERSION, bytes: self.bytes, state };
        // Numbers under names that are known cannot fail to be written; what is empty is garbled when read.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    pub fn from_text(text: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(Unreadable::Garbled);
        }
        let Version { version } = serde_json::from_slice(text).map_err(|_| Unreadable::Garbled)?;
        if version > VERSION {
            return Err(Unreadable::Newer);
        }
        let Written { bytes, state, .. } = serde_json::from_slice(text).map_err(|_| Unreadable::Garbled)?;
        if !(1..=MODEL_BYTES_MAX).contains(&bytes) {
            return Err(Unreadable::Garbled);
        }
        let state = match state {
            WrittenState::Whole { modified_ns } => RecordState::Whole(modified_ns),
            WrittenState::Part { groups } => {
                let groups = Groups::from_pieces(groups).ok_or(Unreadable::Garbled)?;
                if !groups.is_subset(&Groups::all(bytes)) {
                    return Err(Unreadable::Garbled);
                }
                RecordState::Part(groups)
            }
            WrittenState::Damaged => RecordState::Damaged,
        };
        Ok(Self { bytes, state })
    }
}

/// A file as it lies on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileFacts {
    pub bytes: u64,
    pub modified: Modified,
}

impl FileFacts {
    pub fn of(metadata: &std::fs::Metadata) -> Self {
        Self { bytes: metadata.len(), modified: Modified::of(metadata) }
    }

    /// Whether this is the file of which a length and a time were noted.
    pub fn is(self, bytes: u64, modified: Modified) -> bool {
        self.bytes == bytes && self.modified.is_same(modified)
    }
}

/// The files of a model that were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub whole: Option<FileFacts>,
    pub part: Option<FileFacts>,
    pub outboard: Option<FileFacts>,
}

/// What to make of what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is as recorded, or less is here.
    Keep(RecordState),
    /// It is whole and verified; the last step, the name of the whole, was not taken any more.
    Finish(Modified),
    /// Nothing of use is here.
    Drop,
}

/// What a record and the files beside it come to after whatever happened to the process or the machine. A record
/// is written after its data has reached the disk and before a part takes the name of the whole, so that what it
/// says is there unless somebody else has changed the files.
pub(crate) fn judge(record: &Record, found: Found) -> Finding {
    let bytes = record.bytes;
    let outboard_holds = |facts: FileFacts| facts.bytes == groups::outboard_bytes(bytes);
    match &record.state {
        RecordState::Whole(modified) => match (found.whole, found.part) {
            (Some(file), _) if file.is(bytes, *modified) && found.outboard.is_some_and(outboard_holds) => {
                Finding::Keep(record.state.clone())
            }
            (Some(_), _) => Finding::Keep(RecordState::Damaged),
            (None, Some(file)) if file.is(bytes, *modified) => Finding::Finish(*modified),
            (None, _) => Finding::Drop,
        },
        RecordState::Part(groups) => match (found.part, found.outboard) {
            (Some(file), Some(_)) => {
                // The groups that lie in the file to their end.
                let there = if file.bytes >= bytes {
                    Groups::all(bytes)
                } else {
                    Groups::of(0..file.bytes / GROUP_BYTES)
                };
                let kept = groups.intersection(&there);
                if kept.is_empty() { Finding::Drop } else { Finding::Keep(RecordState::Part(kept)) }
            }
            _ => Finding::Drop,
        },
        RecordState::Damaged if found.whole.is_some() => Finding::Keep(RecordState::Damaged),
        RecordState::Damaged => Finding::Drop,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Modified = Modified(1_800_000_000_000_000_000);
    const BYTES: u64 = 5 * GROUP_BYTES + 7;

    fn file(bytes: u64) -> Option<FileFacts> {
        Some(FileFacts { bytes, modified: NOW })
    }

    #[test]
    fn records_are_read_as_they_were_written() {
        for state in [
            RecordState::Whole(NOW),
            RecordState::Part(Groups::from_pieces([(0, 2), (4, 6)]).unwrap()),
            RecordState::Part(Groups::none()),
            RecordState::Damaged,
        ] {
            let record = Record { bytes: BYTES, state };
            assert_eq!(Record::from_text(&record.to_text()), Ok(record));
        }
    }

    #[test]
    fn a_record_of_many_pieces_keeps_to_its_block() {
        let bytes = MODEL_BYTES_MAX;
        let last = groups::group_count(bytes);
        let pieces = (0..1000).map(|piece| (last - 3000 + 3 * piece, last - 3000 + 3 * piece + 2));
        let groups = Groups::from_pieces(pieces).unwrap();
        let text = Record { bytes, state: RecordState::Part(groups.clone()) }.to_text();
        assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
        let Ok(Record { state: RecordState::Part(kept), .. }) = Record::from_text(&text) else { panic!() };
        assert_eq!(kept, groups.first_pieces(PIECES_MAX));
    }

    #[test]
    fn what_is_no_record_of_this_version_is_told_apart() {
        let read = |text: &str| Record::from_text(text.as_bytes()).unwrap_err();
        assert_eq!(read(r#"{"version":2,"whatever":[]}"#), Unreadable::Newer);
        for garbled in [
            "",
            "{}",
            r#"{"version":1}"#,
            r#"{"version":1,"bytes":0,"state":"damaged"}"#,
            r#"{"version":1,"bytes":1099511627777,"state":"damaged"}"#,
            r#"{"version":1,"bytes":9,"state":{"part":{"groups":[[0,2]]}}}"#,
            r#"{"version":1,"bytes":9,"state":{"part":{"groups":[[1,0]]}}}"#,
            r#"{"version":1,"bytes":9,"state":"unknown"}"#,
        ] {
            assert_eq!(read(garbled), Unreadable::Garbled, "{garbled}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_upset_the_reader(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::from_text(&text);
        }
    }

    #[test]
    fn whatever_is_found_is_judged() {
        let outboard = file(groups::outboard_bytes(BYTES));
        let whole = RecordState::Whole(NOW);
        let part = |end| RecordState::Part(Groups::of(0..end));
        let later = |bytes| Some(FileFacts { bytes, modified: Modified(NOW.0 + 3_000_000_000) });
        let found = |whole, part, outboard| Found { whole, part, outboard };
        let cases = [
            // As it should be, and with what an earlier attempt left behind.
            (whole.clone(), found(file(BYTES), None, outboard), Finding::Keep(whole.clone())),
            (whole.clone(), found(file(BYTES), file(3), outboard), Finding::Keep(whole.clone())),
            // Changed in length or time, or without all its hashes.
            (whole.clone(), found(file(BYTES - 1), None, outboard), Finding::Keep(RecordState::Damaged)),
            (whole.clone(), found(later(BYTES), None, outboard), Finding::Keep(RecordState::Damaged)),
            (whole.clone(), found(file(BYTES), None, None), Finding::Keep(RecordState::Damaged)),
            (whole.clone(), found(file(BYTES), None, file(64)), Finding::Keep(RecordState::Damaged)),
            // Killed between the record and the name; and removed half-way.
            (whole.clone(), found(None, file(BYTES), outboard), Finding::Finish(NOW)),
            (whole.clone(), found(None, later(BYTES), outboard), Finding::Drop),
            (whole.clone(), found(None, None, outboard), Finding::Drop),
            // Parts: as recorded, cut short by somebody, without hashes, gone.
            (part(3), found(None, file(4 * GROUP_BYTES), outboard), Finding::Keep(part(3))),
            (part(6), found(None, file(BYTES), outboard), Finding::Keep(part(6))),
            (part(6), found(None, file(BYTES - 1), outboard), Finding::Keep(part(5))),
            (part(3), found(None, file(GROUP_BYTES - 1), outboard), Finding::Drop),
            (part(3), found(None, file(BYTES), None), Finding::Drop),
            (part(3), found(None, None, outboard), Finding::Drop),
            (part(3), found(file(BYTES), None, outboard), Finding::Drop),
            (RecordState::Damaged, found(file(9), None, None), Finding::Keep(RecordState::Damaged)),
            (RecordState::Damaged, found(None, file(9), None), Finding::Drop),
        ];
        for (state, found, expected) in cases {
            let record = Record { bytes: BYTES, state };
            assert_eq!(judge(&record, found), expected, "{record:?} {found:?}");
        }
    }

    #[test]
    fn times_are_compared_to_two_seconds() {
        let at = |seconds: i64| Modified(NOW.0 + seconds * 1_000_000_000);
        assert!(at(0).is_same(at(2)) && at(2).is_same(at(0)) && !at(0).is_same(at(3)));
        let before = UNIX_EPOCH - Duration::from_secs(5);
        assert_eq!(Modified::at(before), Modified(-5_000_000_000));
        assert!(!Modified(i64::MIN).is_same(Modified(i64::MAX)));
    }
}
