//! Does with boards what [`step`] says.

use std::path::PathBuf;

use lull_types::{Coded, DeviceInfo, PowerLimit};

use super::kept::Kept;
use super::step::{Step, is_same, step};
use super::{Board, Limit, Lowered, PowerControl, PowerError, watts};

/// More steps than any board needs: to leave one limit, to lower, and to find that all is well. A driver that takes a
/// limit and then tells another would have it go on for ever.
const STEPS_MAX: usize = 5;

/// The boards of this machine, and what is written down of their limits.
pub struct Boards {
    control: Box<dyn PowerControl>,
    kept: Kept,
}

impl Boards {
    /// Reads from `file` what an earlier process has left lowered; nothing is put back yet.
    pub fn open(file: PathBuf, control: Box<dyn PowerControl>) -> Self {
        Self { control, kept: Kept::open(file) }
    }

    /// Which board a device is.
    ///
    /// # Errors
    /// When that cannot be told.
    pub fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError> {
        self.control.board(device)
    }

    /// The boards that are written down as lowered.
    pub fn lowered(&self) -> Vec<Board> {
        self.kept.all().iter().map(|lowered| lowered.board.clone()).collect()
    }

    /// Has a board held to a ceiling, or to its own limit again, and tells what it comes to. A limit that was put back is
    /// still written down on the disk until [`Self::write`], so that several boards are put back before the disk is
    /// waited for.
    ///
    /// # Errors
    /// When the limit is not what it should be. What is written down of it stays.
    pub fn settle(&mut self, board: &Board, ceiling_watts: Option<u16>) -> Result<PowerLimit, PowerError> {
        let ceiling = ceiling_watts.map(|watts| u32::from(watts) * 1000);
        for _ in 0..STEPS_MAX {
            let limit = self.control.limit(board)?;
            match step(self.kept.of(board), ceiling, limit) {
                Step::Stay => return Ok(self.stand(board, limit)),
                Step::Leave => {
                    tracing::info!(
                        ?board,
                        milliwatts = limit.milliwatts,
                        "a power limit is not the one that was set: it is left"
                    );
                    self.kept.forget(board);
                }
                Step::PutBack { milliwatts } => {
                    self.control.set(board, milliwatts)?;
                    tracing::info!(?board, milliwatts, "a power limit was put back");
                    self.kept.forget(board);
                }
                Step::Lower { former_milliwatts, set_milliwatts } => {
                    self.lower(Lowered { board: board.clone(), former_milliwatts, set_milliwatts })?;
                }
            }
        }
        Err(PowerError::Refused("it tells another limit than was set".to_owned()))
    }

    fn lower(&mut self, lowered: Lowered) -> Result<(), PowerError> {
        let Lowered { board, former_milliwatts, set_milliwatts } = lowered.clone();
        self.kept.add(lowered).map_err(|error| PowerError::NotKept(error.to_string()))?;
        let set = self.control.set(&board, set_milliwatts);
        let made = self.control.limit(&board).map(|limit| limit.milliwatts);
        match (set, made) {
            (Ok(()), Ok(made)) if is_same(made, set_milliwatts) => {
                tracing::info!(?board, former_milliwatts, set_milliwatts, "a power limit was lowered");
                Ok(())
            }
            (Ok(()), Ok(made)) => {
                if made != former_milliwatts {
                    self.control.set(&board, former_milliwatts)?;
                }
                self.kept.forget(&board);
                self.write();
                Err(PowerError::Refused(format!("it made {made} mW of {set_milliwatts} mW")))
            }
            (Err(error), Ok(made)) if made == former_milliwatts => {
                self.kept.forget(&board);
                self.write();
                Err(error)
            }
            // What became of it is not certain: a later look decides, by what is written down.
            (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        }
    }

    fn stand(&self, board: &Board, limit: Limit) -> PowerLimit {
        match self.kept.of(board) {
            Some(lowered) => PowerLimit::Lowered {
                watts: watts(limit.milliwatts),
                former_watts: watts(lowered.former_milliwatts),
            },
            None => PowerLimit::Own { watts: watts(limit.milliwatts) },
        }
    }

    /// Puts back every limit that is written down; what was wrong with those that could not be.
    pub fn put_all_back(&mut self) -> Vec<(Board, PowerError)> {
        let troubles = self.put_back(&self.lowered());
        self.write();
        troubles
    }

    /// The same for some.
    pub fn put_back(&mut self, boards: &[Board]) -> Vec<(Board, PowerError)> {
        let settled = boards.iter().map(|board| (board, self.settle(board, None)));
        settled.filter_map(|(board, settled)| Some((board.clone(), settled.err()?))).collect()
    }

    /// Writes down what was put back.
    pub fn write(&mut self) {
        if let Err(error) = self.kept.write() {
            tracing::warn!(%error, "a power limit that was put back is still written down as lowered");
        }
    }
}

/// How a device stands whose limit could not be changed.
pub(super) fn stand_of(error: &PowerError) -> PowerLimit {
    match error {
        PowerError::NotPermitted => PowerLimit::NotPermitted,
        PowerError::Unsupported => PowerLimit::Unsupported,
        PowerError::Gone | PowerError::Refused(_) | PowerError::NotKept(_) => {
            PowerLimit::Failed { fault: error.fault() }
        }
    }
}
