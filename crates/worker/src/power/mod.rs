//! The power limit of a board: lowered while it works, where the contributor allows it, and always put back.
//!
//! The machine decides which board is to be held to how many watts ([`crate::machine::Effect::PowerLimit`]). A
//! [`Keeper`] does it on a thread of its own, because a driver can take seconds to answer. What a board had is written
//! to disk before it is lowered, so that it is put back by the next start if this process is killed. [`step`] says what
//! is to be done with one board, without IO.

#[cfg(target_os = "linux")]
mod amdgpu;
mod boards;
mod fake;
mod keeper;
mod kept;
mod nvidia;
mod step;
mod system;

use lull_types::{Coded, DeviceInfo};
use serde::{Deserialize, Serialize};

#[cfg(target_os = "linux")]
pub use amdgpu::AmdPower;
pub use boards::Boards;
pub use fake::{FakeBoard, FakePower};
pub use keeper::{Keeper, Told};
pub use kept::Lowered;
pub use nvidia::NvidiaPower;
pub use system::SystemPower;

/// Who makes the chip, and so whose driver is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Asked by its management library.
    Nvidia,
    /// Asked by the files of its Linux driver.
    Amd,
}

/// Which board it is, over restarts of everything.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Board {
    /// Whose.
    pub maker: Maker,
    /// Its PCI address, such as `0000:01:00.0`.
    pub bus: String,
    /// What tells it from another board in its place: a number of its own, or else its model.
    pub serial: String,
}

/// A board's power limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// What it is.
    pub milliwatts: u32,
    /// The least that the board takes.
    pub milliwatts_min: u32,
    /// The most.
    pub milliwatts_max: u32,
}

/// A power limit cannot be read or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PowerError {
    /// The board is not there, or its driver is not.
    #[error("The graphics card is not there at present, so its power limit cannot be asked for.")]
    Gone,
    /// The system lets only an administrator change it.
    #[error(
        "Lowering a card's power limit needs an administrator's rights on this system. Lull rests between slices of \
         work instead, which keeps to your limit as well."
    )]
    NotPermitted,
    /// The board or its driver has none.
    #[error(
        "This card has no power limit that can be lowered. Lull rests between slices of work instead, which keeps to \
         your limit as well."
    )]
    Unsupported,
    /// The driver said no.
    #[error(
        "The card's driver did not change its power limit ({0}). Lull rests between slices of work instead."
    )]
    Refused(String),
    /// What the board had cannot be written down, so that it is not lowered.
    #[error(
        "What the card's power limit is could not be written down ({0}), so that it is left as it is; check the free \
         space of the disk."
    )]
    NotKept(String),
}

impl Coded for PowerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Gone => "power_limit_device_gone",
            Self::NotPermitted => "power_limit_not_permitted",
            Self::Unsupported => "power_limit_unsupported",
            Self::Refused(_) => "power_limit_refused",
            Self::NotKept(_) => "power_limit_not_kept",
        }
    }
}

/// Reads and changes power limits. Calls block for as long as the driver takes.
pub trait PowerControl: Send {
    /// Which board a device is.
    ///
    /// # Errors
    /// [`PowerError::Unsupported`] where nothing is known of its kind; [`PowerError::Gone`] when it is not there.
    fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError>;

    /// A board's limit.
    ///
    /// # Errors
    /// [`PowerError::Gone`] also when another board is in its place; [`PowerError::Unsupported`] when it has no limit.
    fn limit(&mut self, board: &Board) -> Result<Limit, PowerError>;

    /// Sets it, within what the board takes.
    ///
    /// # Errors
    /// [`PowerError::NotPermitted`], where the limit stays as it was; [`PowerError::Refused`].
    fn set(&mut self, board: &Board, milliwatts: u32) -> Result<(), PowerError>;
}

/// Makes a control; a second one is made when the first was lost to a panic.
pub type MakeControl = Box<dyn Fn() -> Box<dyn PowerControl> + Send + Sync>;

/// A wattage for people.
fn watts(milliwatts: u32) -> u16 {
    u16::try_from((milliwatts.saturating_add(500)) / 1000).unwrap_or(u16::MAX)
}
