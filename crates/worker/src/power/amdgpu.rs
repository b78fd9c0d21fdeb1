//! Power limits of AMD's boards, in files of the kernel's `amdgpu` driver
//! ([hwmon interfaces](https://docs.kernel.org/gpu/amdgpu/thermal.html)). They are everybody's to read and root's to write.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use lull_types::DeviceInfo;

use super::{Board, Limit, Maker, PowerControl, PowerError};
use crate::telemetry::sysfs;

/// The limit, and after it what the board takes; all in microwatts.
const LIMIT: &str = "power1_cap";
const LIMIT_MIN: &str = "power1_cap_min";
const LIMIT_MAX: &str = "power1_cap_max";

/// A number of the board's own, where its generation has one.
const SERIAL: &str = "unique_id";

/// What is known of the others: the model of the chip and of the board around it.
const MODEL: [&str; 4] = ["vendor", "device", "subsystem_vendor", "subsystem_device"];

/// The files under one folder.
#[derive(Debug)]
pub struct AmdPower {
    root: PathBuf,
}

impl Default for AmdPower {
    /// This machine's.
    fn default() -> Self {
        Self::at(sysfs::ROOT.into())
    }
}

impl AmdPower {
    /// Under `root`, which is otherwise `/sys/bus/pci/devices`.
    pub fn at(root: PathBuf) -> Self {
        Self { root }
    }

    fn found(&self, bus: &str) -> Result<(PathBuf, Board), PowerError> {
        let folder = sysfs::device_folder(&self.root, bus).ok_or(PowerError::Unsupported)?;
        if !folder.exists() {
            return Err(PowerError::Gone);
        }
        let read = |name| fs::read_to_string(folder.join(name)).map(|text| text.trim().to_owned()).ok();
        let serial = read(SERIAL)
            .filter(|serial| !serial.is_empty())
            .unwrap_or_else(|| MODEL.map(|name| read(name).unwrap_or_default()).join(":"));
        Ok((folder, Board { maker: Maker::Amd, bus: bus.to_owned(), serial }))
    }

    /// The folder of a board's sensors that has the limit.
    fn sensors(&self, board: &Board) -> Result<PathBuf, PowerError> {
        let (folder, found) = self.found(&board.bus)?;
        if found != *board {
            return Err(PowerError::Gone);
        }
        let folders = fs::read_dir(folder.join("hwmon")).map_err(|_| PowerError::Unsupported)?;
        let mut folders = folders.filter_map(|entry| Some(entry.ok()?.path()));
        folders.find(|folder| folder.join(LIMIT).exists()).ok_or(PowerError::Unsupported)
    }
}

impl PowerControl for AmdPower {
    fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError> {
        let bus = device.pci_bus_id.as_deref().ok_or(PowerError::Unsupported)?;
        Ok(self.found(bus)?.1)
    }

    fn limit(&mut self, board: &Board) -> Result<Limit, PowerError> {
        let sensors = self.sensors(board)?;
        let milliwatts = |name: &str| {
            sysfs::number::<u64>(&sensors.join(name)).and_then(|micro| u32::try_from(micro / 1000).ok())
        };
        let now = milliwatts(LIMIT).ok_or_else(|| PowerError::Refused(format!("{LIMIT} cannot be read")))?;
        Ok(Limit {
            milliwatts: now,
            milliwatts_min: milliwatts(LIMIT_MIN).unwrap_or(0),
            // A driver that does not tell takes no more than it has.
            milliwatts_max: milliwatts(LIMIT_MAX).unwrap_or(now),
        })
    }

    fn set(&mut self, board: &Board, milliwatts: u32) -> Result<(), PowerError> {
        let file = self.sensors(board)?.join(LIMIT);
        let text = (u64::from(milliwatts) * 1000).to_string();
        fs::OpenOptions::new()
            .write(true)
            .truncate(true)
            .open(&file)
            .and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes()))
            .map_err(|error| match error.kind() {
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => PowerError::NotPermitted,
                ErrorKind::NotFound => PowerError::Gone,
                _ => PowerError::Refused(error.to_string()),
            })
    }
}
