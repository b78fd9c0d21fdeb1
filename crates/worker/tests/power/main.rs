//! Power limits: what every way to change them must do, the keeper that changes them, and the worker as a process that is
//! killed while a limit is lowered.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]
// The fake library finds itself by the loader's means, which are others elsewhere.
#![cfg(target_os = "linux")]

mod contract;
mod keeper;
mod worker;

#[allow(dead_code, reason = "the tests of the whole worker use the rest of it")]
#[path = "../support/mod.rs"]
mod support;

use std::path::{Path, PathBuf};

use lull_testkit::fake_nvml::{FakeNvml, FakeNvmlBoard};
use lull_testkit::fake_runtime::fake_device;
use lull_types::{DeviceInfo, DeviceKind};

/// Where the board of these tests is.
const BUS: &str = "0000:01:00.0";

/// A GPU of this vendor in that place.
fn gpu(vendor: &str) -> DeviceInfo {
    DeviceInfo {
        vendor: vendor.to_owned(),
        kind: DeviceKind::Discrete,
        pci_bus_id: Some(BUS.to_owned()),
        ..fake_device(0)
    }
}

/// A copy of the fake of NVIDIA's library under the name by which programs load it, with a board.
struct Library(PathBuf);

impl Library {
    fn new(folder: &Path) -> Self {
        let library = folder.join("libnvidia-ml.so.1");
        std::fs::copy(support::example("libnvidia_ml_fake.so"), &library).unwrap();
        let this = Self(library);
        this.plug(Some(FakeNvmlBoard::new(BUS, "GPU-1")));
        this
    }

    /// Puts another board in the place of what is there, or none.
    fn plug(&self, board: Option<FakeNvmlBoard>) {
        FakeNvml { boards: board.into_iter().collect() }.write(&self.0).unwrap();
    }

    fn board(&self) -> FakeNvmlBoard {
        FakeNvml::read(&self.0).unwrap().boards.remove(0)
    }

    fn change(&self, change: impl FnOnce(&mut FakeNvmlBoard)) {
        let mut board = self.board();
        change(&mut board);
        self.plug(Some(board));
    }
}
