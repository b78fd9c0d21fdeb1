//! What every [`PowerControl`] must do, checked on each of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use lull_testkit::fake_nvml::FakeNvmlBoard;
use lull_types::DeviceInfo;
use lull_worker::power::{
    AmdPower, FakeBoard, FakePower, Limit, NvidiaPower, PowerControl, PowerError, SystemPower,
};

use super::{BUS, Library, gpu};

/// A machine with one board of 320 W that takes 100 W to 350 W, and what can be done to it from outside.
trait Machine {
    fn device(&self) -> DeviceInfo;
    /// As a process that was just started has it.
    fn control(&self) -> Box<dyn PowerControl>;
    /// Lets nobody change the limit.
    fn lock(&self);
    /// Takes the board out.
    fn take_out(&self);
    /// Puts another board of the same kind in its place.
    fn put_another(&self);
    /// Has the board be one without a limit.
    fn take_limit(&self);
}

fn satisfies_the_contract<M: Machine>(new: impl Fn() -> M) {
    let machine = new();
    let device = machine.device();
    let mut control = machine.control();
    let board = control.board(&device).unwrap();
    let limit = |milliwatts| Limit { milliwatts, milliwatts_min: 100_000, milliwatts_max: 350_000 };
    assert_eq!(control.limit(&board), Ok(limit(320_000)));
    control.set(&board, 180_000).unwrap();
    assert_eq!(control.limit(&board), Ok(limit(180_000)));

    // What follows is another process, which knows the board by what was written down of it.
    drop(control);
    control = machine.control();
    assert_eq!(control.board(&device).as_ref(), Ok(&board));
    control.set(&board, 320_000).unwrap();
    assert_eq!(control.limit(&board), Ok(limit(320_000)));

    machine.put_another();
    assert_eq!(control.limit(&board), Err(PowerError::Gone));
    assert_eq!(control.set(&board, 180_000), Err(PowerError::Gone));
    let another = control.board(&device).unwrap();
    assert_ne!(another, board);
    assert_eq!(control.limit(&another), Ok(limit(320_000)), "it is left as it is");
    machine.take_out();
    assert_eq!(control.limit(&another), Err(PowerError::Gone));
    assert_eq!(control.board(&device), Err(PowerError::Gone));

    let machine = new();
    let mut control = machine.control();
    let board = control.board(&device).unwrap();
    machine.lock();
    let before = control.limit(&board).unwrap();
    assert_eq!(control.set(&board, 180_000), Err(PowerError::NotPermitted));
    assert_eq!(control.limit(&board), Ok(before));

    let machine = new();
    let mut control = machine.control();
    machine.take_limit();
    let board = control.board(&device).unwrap();
    assert_eq!(control.limit(&board), Err(PowerError::Unsupported));
    let nowhere = DeviceInfo { pci_bus_id: None, ..device };
    assert_eq!(control.board(&nowhere), Err(PowerError::Unsupported));
}

struct Fake(FakePower);

impl Machine for Fake {
    fn device(&self) -> DeviceInfo {
        gpu("NVIDIA")
    }
    fn control(&self) -> Box<dyn PowerControl> {
        Box::new(self.0.clone())
    }
    fn lock(&self) {
        self.0.change(BUS, |board| board.locked = true);
    }
    fn take_out(&self) {
        self.0.unplug(BUS);
    }
    fn put_another(&self) {
        self.0.plug(BUS, FakeBoard::new("another"));
    }
    fn take_limit(&self) {
        self.0.change(BUS, |board| board.limit = None);
    }
}

#[test]
fn the_fake_satisfies_the_contract() {
    satisfies_the_contract(|| {
        let power = FakePower::default();
        power.plug(BUS, FakeBoard::new("one"));
        Fake(power)
    });
}

/// NVIDIA's way, on the fake library.
struct Nvidia {
    library: Library,
    _folder: tempfile::TempDir,
}

impl Machine for Nvidia {
    fn device(&self) -> DeviceInfo {
        gpu("NVIDIA")
    }
    fn control(&self) -> Box<dyn PowerControl> {
        Box::new(NvidiaPower::at(self.library.0.clone()))
    }
    fn lock(&self) {
        self.library.change(|board| board.locked = true);
    }
    fn take_out(&self) {
        self.library.plug(None);
    }
    fn put_another(&self) {
        self.library.plug(Some(FakeNvmlBoard::new(BUS, "GPU-2")));
    }
    fn take_limit(&self) {
        self.library.change(|board| board.milliwatts = None);
    }
}

#[test]
fn nvidias_library_satisfies_the_contract() {
    satisfies_the_contract(|| {
        let folder = tempfile::tempdir().unwrap();
        Nvidia { library: Library::new(folder.path()), _folder: folder }
    });
}

#[test]
fn a_library_that_is_not_there_has_boards_that_are_gone_and_devices_without_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::new(folder.path());
    let board = NvidiaPower::at(library.0.clone()).board(&gpu("NVIDIA")).unwrap();
    let mut gone = NvidiaPower::at(folder.path().join("libnothing.so"));
    assert_eq!(gone.limit(&board), Err(PowerError::Gone));
    let mut system = SystemPower::default();
    assert_eq!(system.board(&gpu("Intel")), Err(PowerError::Unsupported));
    let elsewhere = DeviceInfo { pci_bus_id: Some("ffff:ff:1f.7".to_owned()), ..gpu("NVIDIA") };
    assert_eq!(system.board(&elsewhere), Err(PowerError::Unsupported));
}

/// AMD's way, in a folder of files.
struct Amd(tempfile::TempDir);

impl Amd {
    fn new() -> Self {
        let this = Self(tempfile::tempdir().unwrap());
        this.put("6f1d2c3b4a5e6f70");
        this
    }

    fn folder(&self) -> PathBuf {
        self.0.path().join(BUS)
    }

    fn sensors(&self) -> PathBuf {
        self.folder().join("hwmon/hwmon3")
    }

    fn put(&self, serial: &str) {
        fs::create_dir_all(self.sensors()).unwrap();
        // Cards have other sensors too, such as a Wi-Fi chip's on the same bus.
        fs::create_dir_all(self.folder().join("hwmon/hwmon2")).unwrap();
        fs::write(self.folder().join("unique_id"), format!("{serial}\n")).unwrap();
        for (name, text) in [
            ("power1_cap", "320000000\n"),
            ("power1_cap_min", "100000000\n"),
            ("power1_cap_max", "350000000\n"),
        ] {
            fs::write(self.sensors().join(name), text).unwrap();
        }
    }
}

impl Machine for Amd {
    fn device(&self) -> DeviceInfo {
        gpu("AMD")
    }
    fn control(&self) -> Box<dyn PowerControl> {
        Box::new(AmdPower::at(self.0.path().to_owned()))
    }
    fn lock(&self) {
        let file = self.sensors().join("power1_cap");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        if fs::OpenOptions::new().write(true).open(&file).is_ok() {
            // These tests run as root, to whom that says nothing. A number that the kernel lets nobody write does.
            fs::remove_file(&file).unwrap();
            symlink("/sys/kernel/uevent_seqnum", &file).unwrap();
        }
    }
    fn take_out(&self) {
        fs::remove_dir_all(self.folder()).unwrap();
    }
    fn put_another(&self) {
        self.put("0123456789abcdef");
    }
    fn take_limit(&self) {
        fs::remove_file(self.sensors().join("power1_cap")).unwrap();
    }
}

#[test]
fn amds_files_satisfy_the_contract() {
    satisfies_the_contract(Amd::new);
}

#[test]
fn an_amd_board_without_a_number_is_known_by_its_model() {
    let amd = Amd::new();
    fs::remove_file(amd.folder().join("unique_id")).unwrap();
    let model = |device: &str| {
        for (name, text) in [("vendor", "0x1002"), ("device", device), ("subsystem_vendor", "0x1da2")] {
            fs::write(amd.folder().join(name), text).unwrap();
        }
    };
    model("0x73bf");
    let mut control = amd.control();
    let board = control.board(&amd.device()).unwrap();
    assert_eq!(board.serial, "0x1002:0x73bf:0x1da2:");
    model("0x744c");
    assert_eq!(control.limit(&board), Err(PowerError::Gone));
    let outside = DeviceInfo { pci_bus_id: Some("../../etc".to_owned()), ..amd.device() };
    assert_eq!(control.board(&outside), Err(PowerError::Unsupported));
}
