//! The devices: finding them, and what is done about one that fails.

use lull_types::{DeviceInfo, Fault, HardwareReport, JOB_KIND_INFER, NetworkId, SandboxPart, UnixMillis};
use lull_worker_api::DeviceStanding;

use super::Machine;
use super::backoff::{ASK, Chance, DEVICE, LOCAL};
use super::effect::Effect;
use super::id::SessionId;
use super::input::FoundDevices;
use super::out::Out;

/// A device that fails so often in a row is set aside until the worker is started again: by then it is the driver
/// or the hardware, and each further loss may disturb the desktop.
pub const LOSSES_MAX: u32 = 3;

/// The machine's hardware, as far as it is known.
#[derive(Clone, Debug)]
pub(super) enum Hardware {
    /// Nobody has looked.
    Unknown,
    /// The runtimes are being asked.
    Looking,
    /// They failed.
    Failed { fault: Fault, retry_at: UnixMillis },
    /// They answered.
    Known { report: HardwareReport, kinds: Vec<String>, sandbox: Vec<SandboxPart> },
}

/// Whether work was asked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    /// No.
    Idle,
    /// Yes, and the answer is awaited.
    Asked { session: SessionId, at: UnixMillis },
    /// There is none; it is asked for again then.
    NoWork { until: UnixMillis, reason: Fault },
}

/// What a network's challenge found of a device.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// GFLOP/s of matrix products.
    pub gigaflops: f64,
    /// Memory that is really there.
    pub memory_bytes: Option<u64>,
}

/// One device.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub info: DeviceInfo,
    /// Losses in a row, without a run or benchmark that ended well in between.
    pub losses: u32,
    /// Why it is not used until the worker is started again.
    pub set_aside: Option<Fault>,
    /// Not used before then, and why.
    pub wait: Option<(UnixMillis, Fault)>,
    /// It rests until then, as the contributor's effort asks.
    pub rest_until: UnixMillis,
    /// Whether it has asked for work.
    pub ask: Ask,
    /// Assignments handed back in a row.
    pub hand_backs: u32,
    /// Work is not asked for before then.
    pub ask_after: UnixMillis,
    /// Failures of this machine in a row that were not the device's.
    pub local_failures: u32,
    /// Whose challenge it last answered, and when.
    pub timed: Option<(NetworkId, UnixMillis)>,
    /// What a network found of it, and which.
    pub found: Option<(NetworkId, Found)>,
    /// Where it stands, as the network last said; none since it got work.
    pub standing: Option<DeviceStanding>,
}

impl Device {
    fn new(info: DeviceInfo) -> Self {
        Self {
            info,
            losses: 0,
            set_aside: None,
            wait: None,
            rest_until: UnixMillis(0),
            ask: Ask::Idle,
            hand_backs: 0,
            ask_after: UnixMillis(0),
            local_failures: 0,
            timed: None,
            found: None,
            standing: None,
        }
    }

    /// Whether it can be used now; if it waits, the machine is woken when it has.
    pub fn is_fit(&mut self, now: UnixMillis, out: &mut Out) -> bool {
        if self.set_aside.is_some() {
            return false;
        }
        match &self.wait {
            Some((until, _)) if !out.due(*until, now) => false,
            _ => {
                self.wait = None;
                true
            }
        }
    }

    /// Why it is not used.
    pub fn fault(&self) -> Option<&Fault> {
        self.set_aside.as_ref().or(self.wait.as_ref().map(|(_, fault)| fault))
    }

    /// It did something to its end.
    pub fn worked(&mut self) {
        self.losses = 0;
        self.local_failures = 0;
        self.wait = None;
    }

    /// Something on this machine, but not the device, stands in the way.
    pub fn hindered(&mut self, fault: Fault, now: UnixMillis, chance: &mut Chance) {
        self.local_failures += 1;
        self.wait = Some((now.after(LOCAL.wait(self.local_failures, chance)), fault));
    }

    /// An assignment was handed back.
    pub fn handed_back(&mut self, now: UnixMillis, chance: &mut Chance) {
        self.hand_backs += 1;
        self.ask_after = now.after(ASK.wait(self.hand_backs, chance));
    }
}

impl Machine {
    /// Looks for devices when nobody has, and again after a failure.
    pub(super) fn drive_hardware(&mut self, now: UnixMillis, out: &mut Out) {
        let look = match &self.hardware {
            Hardware::Unknown => true,
            Hardware::Failed { retry_at, .. } => out.due(*retry_at, now),
            Hardware::Looking | Hardware::Known { .. } => false,
        };
        if look {
            self.hardware = Hardware::Looking;
            out.effect(Effect::FindDevices);
        }
    }

    pub(super) fn on_devices_found(
        &mut self,
        found: Result<FoundDevices, Fault>,
        now: UnixMillis,
        out: &mut Out,
    ) {
        if !matches!(self.hardware, Hardware::Looking) {
            return;
        }
        let found = found.and_then(|found| {
            if found.hardware.devices.is_empty() {
                let sentence = "No graphics device that can compute was found; install its vendor's driver.";
                return Err(Fault::new("no_device", sentence));
            }
            Ok(found)
        });
        match found {
            Ok(FoundDevices { hardware, kinds, sandbox }) => {
                self.hardware_failures = 0;
                self.devices = hardware.devices.iter().cloned().map(Device::new).collect();
                self.hardware = Hardware::Known { report: hardware, kinds, sandbox };
                self.offer_revision += 1;
            }
            Err(fault) => {
                self.hardware_failures += 1;
                let retry_at = now.after(DEVICE.wait(self.hardware_failures, &mut self.chance));
                self.notify_problem(&fault, now, out);
                self.hardware = Hardware::Failed { fault, retry_at };
            }
        }
    }

    pub(super) fn device(&mut self, index: u32) -> Option<&mut Device> {
        self.devices.iter_mut().find(|device| device.info.index == index)
    }

    /// The kinds of jobs that are run: those of the installed runtimes that the contributor wants.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &String> {
        let installed = match &self.hardware {
            Hardware::Known { kinds, .. } => &kinds[..],
            Hardware::Unknown | Hardware::Looking | Hardware::Failed { .. } => &[],
        };
        installed.iter().filter(|kind| self.settings.serves_models || *kind != JOB_KIND_INFER)
    }

    pub(super) fn is_lent(&self, index: u32) -> bool {
        !self.settings.devices_not_lent.contains(&index)
    }

    /// A device was lost: it waits, and is set aside when that happens again and again.
    pub(super) fn on_device_loss(&mut self, index: u32, fault: Fault, now: UnixMillis, out: &mut Out) {
        let Some(device) = self.devices.iter_mut().find(|device| device.info.index == index) else { return };
        device.losses += 1;
        if device.losses >= LOSSES_MAX && device.set_aside.is_none() {
            let aside = Fault::new(
                "device_set_aside",
                format!(
                    "{} failed {LOSSES_MAX} times in a row and is not used until Lull is started again. \
                     The last failure: {}",
                    device.info.name, fault.sentence
                ),
            );
            device.set_aside = Some(aside.clone());
            self.offer_revision += 1;
            self.notify_problem(&aside, now, out);
        } else {
            device.wait = Some((now.after(DEVICE.wait(device.losses, &mut self.chance)), fault));
        }
    }
}
