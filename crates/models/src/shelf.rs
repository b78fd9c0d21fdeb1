//! What is in the library, what it takes, and what goes when room is needed: pure accounting.

use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;

use lull_types::BlobHash;

use crate::error::LibraryError;
use crate::groups::{Groups, footprint_bytes};
use crate::record::Modified;

/// What is here of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// All, verified; its file was last changed then.
    Whole(Modified),
    /// Some groups.
    Part {
        /// Verified and written, though a power cut could still lose them.
        written: Groups,
        /// Verified, on the disk for good, and recorded.
        durable: Groups,
    },
    /// A file that is not what its name says.
    Damaged,
}

impl State {
    pub fn nothing() -> Self {
        Self::Part { written: Groups::none(), durable: Groups::none() }
    }
}

/// One model.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub bytes: u64,
    pub state: State,
    /// Whether room was made for it. A fetch is entered before, so that no second one begins.
    pub is_counted: bool,
    /// Readers of its files.
    pub holds: u32,
    /// Whether it is being fetched.
    pub is_claimed: bool,
    /// Whether its files are being removed.
    pub is_leaving: bool,
    pub used_at: SystemTime,
    /// Rises with each use.
    used: u64,
}

impl Entry {
    pub fn is_in_use(&self) -> bool {
        self.holds > 0 || self.is_claimed
    }

    fn counted_bytes(&self) -> u64 {
        if self.is_counted { footprint_bytes(self.bytes) } else { 0 }
    }
}

/// Room that is taken for files that have no name yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

/// All models, and the cap.
#[derive(Debug)]
pub(crate) struct Shelf {
    cap_bytes: u64,
    entries: BTreeMap<BlobHash, Entry>,
    reserved: BTreeMap<Ticket, u64>,
    tickets: u64,
    uses: u64,
}

impl Shelf {
    pub fn new(cap_bytes: u64) -> Self {
        Self { cap_bytes, entries: BTreeMap::new(), reserved: BTreeMap::new(), tickets: 0, uses: 0 }
    }

    pub fn cap_bytes(&self) -> u64 {
        self.cap_bytes
    }

    pub fn set_cap(&mut self, cap_bytes: u64) {
        self.cap_bytes = cap_bytes;
    }

    /// What all models take, and what is reserved.
    pub fn used_bytes(&self) -> u64 {
        let entries = self.entries.values().map(Entry::counted_bytes);
        entries.chain(self.reserved.values().copied()).fold(0, u64::saturating_add)
    }

    pub fn entries(&self) -> impl Iterator<Item = (BlobHash, &Entry)> {
        self.entries.iter().map(|(hash, entry)| (*hash, entry))
    }

    pub fn get(&self, hash: BlobHash) -> Option<&Entry> {
        self.entries.get(&hash)
    }

    pub fn get_mut(&mut self, hash: BlobHash) -> Option<&mut Entry> {
        self.entries.get_mut(&hash)
    }

    /// Enters a model, as used just now.
    pub fn enter(
        &mut self,
        hash: BlobHash,
        bytes: u64,
        state: State,
        is_counted: bool,
        used_at: SystemTime,
    ) -> &mut Entry {
        self.uses += 1;
        let used = self.uses;
        let entry =
            Entry { bytes, state, is_counted, holds: 0, is_claimed: false, is_leaving: false, used_at, used };
        self.entries.entry(hash).insert_entry(entry).into_mut()
    }

    pub fn forget(&mut self, hash: BlobHash) {
        self.entries.remove(&hash);
    }

    /// Notes a use.
    pub fn touch(&mut self, hash: BlobHash, now: SystemTime) {
        self.uses += 1;
        if let Some(entry) = self.entries.get_mut(&hash) {
            entry.used = self.uses;
            entry.used_at = now;
        }
    }

    /// Takes room that [`Shelf::room_for`] has found.
    pub fn reserve(&mut self, bytes: u64) -> Ticket {
        self.tickets += 1;
        self.reserved.insert(Ticket(self.tickets), bytes);
        Ticket(self.tickets)
    }

    /// Gives room back.
    pub fn release(&mut self, ticket: Ticket) {
        self.reserved.remove(&ticket);
    }

    /// The models that have to go so that `needed_bytes` fit under the cap, least recently used first; damaged ones
    /// go before all others. Models in use stay. No model goes that need not.
    pub fn room_for(&self, needed_bytes: u64) -> Result<Vec<BlobHash>, LibraryError> {
        self.room_under(self.cap_bytes, needed_bytes)
    }

    /// [`Shelf::room_for`] under another cap.
    pub fn room_under(&self, cap_bytes: u64, needed_bytes: u64) -> Result<Vec<BlobHash>, LibraryError> {
        if needed_bytes > cap_bytes {
            return Err(LibraryError::CapTooSmall { needed_bytes, cap_bytes });
        }
        let mut used_bytes = self.used_bytes();
        let fits = |used_bytes: u64| used_bytes.saturating_add(needed_bytes) <= cap_bytes;
        let mut spare: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_counted && !entry.is_in_use() && !entry.is_leaving)
            .collect();
        spare.sort_by_key(|(_, entry)| (entry.state != State::Damaged, entry.used));
        let mut going = Vec::new();
        for (hash, entry) in spare {
            if fits(used_bytes) {
                break;
            }
            used_bytes -= entry.counted_bytes();
            going.push((*hash, entry));
        }
        if !fits(used_bytes) {
            return Err(LibraryError::AllInUse { needed_bytes, in_use_bytes: used_bytes, cap_bytes });
        }
        // A large one that had to go may have made room for smaller ones before it.
        let mut staying = HashSet::new();
        for (hash, entry) in going.iter().rev() {
            if fits(used_bytes.saturating_add(entry.counted_bytes())) {
                used_bytes += entry.counted_bytes();
                staying.insert(*hash);
            }
        }
        Ok(going.into_iter().map(|(hash, _)| hash).filter(|hash| !staying.contains(hash)).collect())
    }
}

#[cfg(test)]
mod tests {
    use lull_types::Coded;
    use proptest::prelude::*;

    use super::*;

    fn hash(number: u64) -> BlobHash {
        BlobHash::of(&number.to_le_bytes())
    }

    fn shelf(cap_bytes: u64, sizes: &[u64]) -> Shelf {
        let mut shelf = Shelf::new(cap_bytes);
        for (number, bytes) in sizes.iter().enumerate() {
            shelf.enter(hash(number as u64), *bytes, State::nothing(), true, SystemTime::UNIX_EPOCH);
        }
        shelf
    }

    const MIB: u64 = 1024 * 1024;
    /// A model of one mebibyte with all that belongs to it.
    const SLOT: u64 = MIB + 63 * 64 + 8192;

    #[test]
    fn the_least_recently_used_go_and_no_more_than_need_to() {
        let mut shelf = shelf(4 * SLOT, &[MIB, MIB, MIB]);
        assert_eq!(shelf.used_bytes(), 3 * SLOT);
        assert_eq!(shelf.room_for(SLOT).unwrap(), []);
        assert_eq!(shelf.room_for(SLOT + 1).unwrap(), [hash(0)]);
        assert_eq!(shelf.room_for(3 * SLOT).unwrap(), [hash(0), hash(1)]);
        shelf.touch(hash(0), SystemTime::UNIX_EPOCH);
        assert_eq!(shelf.room_for(2 * SLOT).unwrap(), [hash(1)]);
        shelf.get_mut(hash(2)).unwrap().state = State::Damaged;
        assert_eq!(shelf.room_for(2 * SLOT).unwrap(), [hash(2)]);
        assert_eq!(shelf.room_for(4 * SLOT).unwrap(), [hash(2), hash(1), hash(0)]);
    }

    #[test]
    fn a_small_one_stays_where_a_large_one_goes_anyway() {
        let shelf = shelf(20 * SLOT, &[MIB, 16 * MIB]);
        assert_eq!(shelf.room_for(16 * SLOT).unwrap(), [hash(1)]);
    }

    #[test]
    fn what_cannot_fit_is_refused_with_the_reason() {
        let mut shelf = shelf(3 * SLOT, &[MIB, MIB, MIB]);
        let code = |shelf: &Shelf, bytes| shelf.room_for(bytes).unwrap_err().code();
        assert_eq!(code(&shelf, 3 * SLOT + 1), "models_cap_too_small");
        shelf.get_mut(hash(0)).unwrap().holds = 1;
        shelf.get_mut(hash(1)).unwrap().is_claimed = true;
        assert_eq!(shelf.room_for(SLOT).unwrap(), [hash(2)]);
        assert_eq!(code(&shelf, SLOT + 1), "models_all_in_use");
        let ticket = shelf.reserve(SLOT);
        assert_eq!(code(&shelf, SLOT), "models_all_in_use");
        shelf.release(ticket);
        shelf.get_mut(hash(2)).unwrap().is_leaving = true;
        assert_eq!(code(&shelf, SLOT), "models_all_in_use");
        assert!(matches!(
            shelf.room_under(SLOT, 0).unwrap_err(),
            LibraryError::AllInUse { in_use_bytes, .. } if in_use_bytes == 3 * SLOT
        ));
    }

    proptest! {
        /// Whatever is on the shelf: those in use stay, the rest fits, and each that goes is needed.
        #[test]
        fn room_is_made_exactly(
            models in proptest::collection::vec((1..64 * MIB, any::<bool>(), any::<bool>()), 0..12),
            cap_bytes in 0..512 * MIB,
            needed_bytes in 0..128 * MIB,
        ) {
            let mut shelf = Shelf::new(cap_bytes);
            for (number, (bytes, is_held, is_counted)) in models.iter().enumerate() {
                let hash = hash(number as u64);
                shelf.enter(hash, *bytes, State::nothing(), *is_counted, SystemTime::UNIX_EPOCH);
                shelf.get_mut(hash).unwrap().holds = u32::from(*is_held);
            }
            match shelf.room_for(needed_bytes) {
                Ok(going) => {
                    for hash in &going {
                        let entry = shelf.get(*hash).unwrap();
                        prop_assert!(!entry.is_in_use() && entry.is_counted);
                    }
                    let sizes: Vec<_> =
                        going.iter().map(|hash| footprint_bytes(shelf.get(*hash).unwrap().bytes)).collect();
                    for hash in &going {
                        shelf.forget(*hash);
                    }
                    let after = shelf.used_bytes() + needed_bytes;
                    prop_assert!(after <= cap_bytes);
                    prop_assert!(sizes.iter().all(|bytes| after + bytes > cap_bytes));
                }
                Err(_) => {
                    let held: u64 = shelf
                        .entries()
                        .filter(|(_, entry)| entry.is_in_use())
                        .map(|(_, entry)| entry.counted_bytes())
                        .sum();
                    prop_assert!(held + needed_bytes > cap_bytes);
                }
            }
        }
    }
}
