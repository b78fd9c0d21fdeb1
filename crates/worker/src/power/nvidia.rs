//! Power limits by NVIDIA's management library
//! ([NVML](https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceCommands.html)). Reading is everybody's, setting an
//! administrator's.

use std::path::PathBuf;

use lull_types::DeviceInfo;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use super::{Board, Limit, Maker, PowerControl, PowerError};

/// The library; it is loaded with the first question, and asked for again while it is not there.
#[derive(Debug, Default)]
pub struct NvidiaPower {
    path: Option<PathBuf>,
    nvml: Option<Nvml>,
}

impl NvidiaPower {
    /// With a library in a place of its own.
    pub fn at(path: PathBuf) -> Self {
        Self { path: Some(path), nvml: None }
    }

    fn library(&mut self) -> Result<&Nvml, PowerError> {
        let nvml = match self.nvml.take() {
            Some(nvml) => nvml,
            None => match &self.path {
                Some(path) => Nvml::builder().lib_path(path.as_os_str()).init(),
                None => Nvml::init(),
            }
            // Without its driver nothing can be told of a board that is known to have been there.
            .map_err(|_| PowerError::Gone)?,
        };
        Ok(self.nvml.insert(nvml))
    }

    /// The board, wherever it is now.
    fn device(&mut self, board: &Board) -> Result<Device<'_>, PowerError> {
        self.library()?.device_by_uuid(board.serial.as_str()).map_err(power_error)
    }
}

impl PowerControl for NvidiaPower {
    fn board(&mut self, device: &DeviceInfo) -> Result<Board, PowerError> {
        let bus = device.pci_bus_id.clone().ok_or(PowerError::Unsupported)?;
        let found = self.library()?.device_by_pci_bus_id(bus.as_str()).map_err(power_error)?;
        let serial = found.uuid().map_err(power_error)?;
        Ok(Board { maker: Maker::Nvidia, bus, serial })
    }

    fn limit(&mut self, board: &Board) -> Result<Limit, PowerError> {
        let device = self.device(board)?;
        let bounds = device.power_management_limit_constraints().map_err(power_error)?;
        Ok(Limit {
            milliwatts: device.power_management_limit().map_err(power_error)?,
            milliwatts_min: bounds.min_limit,
            milliwatts_max: bounds.max_limit,
        })
    }

    fn set(&mut self, board: &Board, milliwatts: u32) -> Result<(), PowerError> {
        self.device(board)?.set_power_management_limit(milliwatts).map_err(power_error)
    }
}

fn power_error(error: NvmlError) -> PowerError {
    match error {
        NvmlError::NotFound | NvmlError::GpuLost | NvmlError::DriverNotLoaded => PowerError::Gone,
        NvmlError::NoPermission => PowerError::NotPermitted,
        // A laptop's card, or a driver from before it could.
        NvmlError::NotSupported | NvmlError::FailedToLoadSymbol(_) => PowerError::Unsupported,
        other => PowerError::Refused(other.to_string()),
    }
}
