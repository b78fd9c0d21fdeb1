//! Boards that are made up, for tests.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use lull_types::DeviceInfo;

use super::{Board, Limit, Maker, PowerControl, PowerError};

/// A made-up board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FakeBoard {
    /// As [`Board::serial`].
    pub serial: String,
    /// Its limit; `None` for a board that has none.
    pub limit: Option<Limit>,
    /// Only an administrator may change it.
    pub locked: bool,
    /// The driver takes so many milliwatts off what it is given.
    pub rounds_off: u32,
    /// The next change panics.
    pub panics: bool,
    /// Changes take until this is false again.
    pub hangs: bool,
}

impl FakeBoard {
    /// A board of 320 W that takes 100 W to 350 W.
    pub fn new(serial: &str) -> Self {
        let limit = Limit { milliwatts: 320_000, milliwatts_min: 100_000, milliwatts_max: 350_000 };
        Self {
            serial: serial.to_owned(),
            limit: Some(limit),
            locked: false,
            rounds_off: 0,
            panics: false,
            hangs: false,
        }
    }
}

#[derive(Debug, Default)]
struct Shared {
    /// By PCI address.
    boards: Mutex<BTreeMap<String, FakeBoard>>,
    changed: Condvar,
}

/// The boards of a made-up machine; clones are the same machine.
#[derive(Clone, Debug, Default)]
pub struct FakePower(Arc<Shared>);

impl FakePower {
    fn boards(&self) -> MutexGuard<'_, BTreeMap<String, FakeBoard>> {
        // One that panics as it was told to leaves nothing half done.
        self.0.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a board there, or another in its place.
    pub fn plug(&self, bus: &str, board: FakeBoard) {
        self.boards().insert(bus.to_owned(), board);
        self.0.changed.notify_all();
    }

    /// Takes a board away.
    pub fn unplug(&self, bus: &str) -> Option<FakeBoard> {
        self.boards().remove(bus)
    }

    /// Changes a board.
    pub fn change(&self, bus: &str, change: impl FnOnce(&mut FakeBoard)) {
        if let Some(board) = self.boards().get_mut(bus) {
            change(board);
        }
        self.0.changed.notify_all();
    }

    /// A board's limit in milliwatts.
    pub fn milliwatts(&self, bus: &str) -> Option<u32> {
        Some(self.boards().get(bus)?.limit?.milliwatts)
    }

    /// Waits until a board's limit is so; a test's own bound ends what never comes.
    pub fn wait_for(&self, bus: &str, milliwatts: u32) {
        let is_other = |boards: &mut BTreeMap<String, FakeBoard>| {
            boards.get(bus).and_then(|board| board.limit).map(|limit| limit.milliwatts) != Some(milliwatts)
        };
        drop(self.0.changed.wait_while(self.boards(), is_other).unwrap_or_else(PoisonError::into_inner));
    }
}

impl PowerControl for FakePower {
    fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError> {
        let bus = device.pci_bus_id.clone().ok_or(PowerError::Unsupported)?;
        let serial = self.boards().get(&bus).map(|board| board.serial.clone()).ok_or(PowerError::Gone)?;
        Ok(Board { maker: Maker::Nvidia, bus, serial })
    }

    fn limit(&mut self, board: &Board) -> Result<Limit, PowerError> {
        let boards = self.boards();
        let there = boards.get(&board.bus).filter(|there| there.serial == board.serial);
        there.ok_or(PowerError::Gone)?.limit.ok_or(PowerError::Unsupported)
    }

    fn set(&mut self, board: &Board, milliwatts: u32) -> Result<(), PowerError> {
        let hangs = |boards: &mut BTreeMap<String, FakeBoard>| {
            boards.get(&board.bus).is_some_and(|board| board.hangs)
        };
        let boards = self.0.changed.wait_while(self.boards(), hangs);
        let mut boards = boards.unwrap_or_else(PoisonError::into_inner);
        let there = boards.get_mut(&board.bus).filter(|there| there.serial == board.serial);
        let there = there.ok_or(PowerError::Gone)?;
        let limit = there.limit.as_mut().ok_or(PowerError::Unsupported)?;
        if there.locked {
            return Err(PowerError::NotPermitted);
        }
        if std::mem::take(&mut there.panics) {
            // Whoever puts the board right after this asks for it on the same thread.
            drop(boards);
            panic!("as it was told");
        }
        if !(limit.milliwatts_min..=limit.milliwatts_max).contains(&milliwatts) {
            return Err(PowerError::Refused("out of range".to_owned()));
        }
        limit.milliwatts = milliwatts - there.rounds_off;
        drop(boards);
        self.0.changed.notify_all();
        Ok(())
    }
}
