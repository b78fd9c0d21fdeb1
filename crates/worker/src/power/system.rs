//! This machine's boards, each by its maker's way.

use lull_types::DeviceInfo;

use super::{Board, Limit, Maker, NvidiaPower, PowerControl, PowerError};

/// NVIDIA's library everywhere, and AMD's files on Linux.
#[derive(Debug, Default)]
pub struct SystemPower {
    nvidia: NvidiaPower,
    #[cfg(target_os = "linux")]
    amd: super::AmdPower,
}

impl SystemPower {
    fn of(&mut self, maker: Maker) -> Result<&mut dyn PowerControl, PowerError> {
        match maker {
            Maker::Nvidia => Ok(&mut self.nvidia),
            #[cfg(target_os = "linux")]
            Maker::Amd => Ok(&mut self.amd),
            #[cfg(not(target_os = "linux"))]
            Maker::Amd => Err(PowerError::Unsupported),
        }
    }
}

impl PowerControl for SystemPower {
    fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError> {
        let is = |vendor| device.vendor.eq_ignore_ascii_case(vendor);
        let maker = if is("nvidia") {
            Maker::Nvidia
        } else if is("amd") {
            Maker::Amd
        } else {
            return Err(PowerError::Unsupported);
        };
        self.of(maker)?.board(device).map_err(|error| match error {
            // The device is there, as it is lent: it is the library that is not, or does not know it.
            PowerError::Gone => PowerError::Unsupported,
            other => other,
        })
    }

    fn limit(&mut self, board: &Board) -> Result<Limit, PowerError> {
        self.of(board.maker)?.limit(board)
    }

    fn set(&mut self, board: &Board, milliwatts: u32) -> Result<(), PowerError> {
        self.of(board.maker)?.set(board, milliwatts)
    }
}
