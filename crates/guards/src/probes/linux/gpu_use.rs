//! Which other program works a GPU or needs its memory: by the kernel's drivers for AMD's and Intel's devices, and by NVIDIA's
//! library for its own.
//!
//! Not seen are processes of other users, whose files this one must not read; and what a program computes through `/dev/kfd`, as
//! ROCm's do, of which drivers tell the memory alone.

mod device;
mod drm;
mod files;
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use lull_types::{DeviceInfo, DeviceKind};

use self::device::DeviceFolder;
use self::drm::Drm;
use self::people::People;
use crate::gpu_use::nvidia::{Library, Nvidia, NvidiaError, Sampler};
use crate::gpu_use::{Device, DeviceMemory, Failure, ProcessUse, Reading, Readings, Rounds, pci_bus_id};

/// A library that could not be loaded is tried again after so long, as a probe that could tell nothing is.
const LOADED_AGAIN: Duration = Duration::from_secs(30);

/// Where the kernel tells.
#[derive(Clone, Debug)]
struct Roots {
    proc: PathBuf,
    sys: PathBuf,
}

/// The probe.
pub(super) type GpuUsers = Rounds<Drivers>;

/// Who tells of devices: the kernel's drivers, and NVIDIA's.
pub(super) struct Drivers {
    roots: Roots,
    people: People,
    drm: Drm,
    nvidia: NvidiaOnDemand,
}

type LoadNvidia = Box<dyn FnMut() -> Result<Box<dyn Nvidia>, NvidiaError> + Send>;

/// NVIDIA's library, which is loaded for the first device that needs it.
struct NvidiaOnDemand {
    load: LoadNvidia,
    loaded: Option<Box<dyn Nvidia>>,
    /// Why there is none, and when that was found out.
    missing: Option<(Duration, NvidiaError)>,
}

/// How a device is read.
pub(super) struct Known {
    bus: String,
    /// Its own memory; `None` where it shares the system's.
    memory_bytes: Option<u64>,
    has_own_memory: bool,
    is_nvidia: bool,
    folder: DeviceFolder,
    sampler: Sampler,
}

type Devices = BTreeMap<u32, Device<Known>>;

impl Drivers {
    /// Those of this machine.
    pub fn new() -> Self {
        let roots = Roots { proc: PathBuf::from("/proc"), sys: PathBuf::from("/sys") };
        Self::of(
            roots,
            std::process::id(),
            Box::new(|| Library::load().map(|library| Box::new(library) as _)),
        )
    }

    fn of(roots: Roots, own: u32, load_nvidia: LoadNvidia) -> Self {
        Self {
            people: People::new(roots.proc.clone(), own),
            drm: Drm::new(roots.proc.clone()),
            roots,
            nvidia: NvidiaOnDemand { load: load_nvidia, loaded: None, missing: None },
        }
    }

    /// Readings of the devices that the kernel's drivers tell of.
    fn by_drivers(
        &mut self,
        devices: &Devices,
        at_work: bool,
        now: Duration,
    ) -> Vec<(u32, Result<Reading, Failure>)> {
        let mut readings = Vec::new();
        let mut to_read = Vec::new();
        let mut wanted = BTreeSet::new();
        for (index, device) in devices.iter().filter(|(_, device)| !device.kept.is_nvidia) {
            let known = &device.kept;
            if known.folder.is_asleep() {
                readings.push((*index, Ok(Reading { at: now, ..Reading::default() })));
                continue;
            }
            let memory = known.has_own_memory.then(|| known.folder.memory()).flatten();
            // While nobody could be in anybody's way, the whole device tells enough.
            let is_idle = !at_work && !device.is_needed();
            if is_idle && memory.is_none_or(|memory| memory.is_roomy(0)) && known.folder.is_quiet() {
                readings.push((*index, Ok(Reading { at: now, memory, ..Reading::default() })));
                continue;
            }
            wanted.insert(known.bus.clone());
            to_read.push((*index, known, memory));
        }
        if to_read.is_empty() {
            return readings;
        }
        let uses = self.drm.read(now, &wanted, &mut self.people);
        for (index, known, memory) in to_read {
            let reading = match &uses {
                Ok(uses) => {
                    let processes = uses.get(&known.bus).cloned().unwrap_or_default();
                    let memory = memory.or_else(|| memory_by_clients(known.memory_bytes?, &processes));
                    Ok(Reading { at: now, processes, memory })
                }
                Err(error) => Err(Failure { why: error.to_string(), is_final: false }),
            };
            readings.push((index, reading));
        }
        readings
    }

    fn by_nvidia(&mut self, known: &mut Known, now: Duration) -> Result<Reading, Failure> {
        if known.folder.is_asleep() {
            return Ok(Reading { at: now, ..Reading::default() });
        }
        let library = self.nvidia.library(now)?;
        let mut reading = known
            .sampler
            .reading(library, &known.bus, now, &mut self.people)
            .map_err(|error| Failure { why: error.to_string(), is_final: false })?;
        if !known.has_own_memory {
            reading.memory = None;
        }
        Ok(reading)
    }
}

impl NvidiaOnDemand {
    fn library(&mut self, now: Duration) -> Result<&mut dyn Nvidia, Failure> {
        let missing = |error: &NvidiaError| Failure { why: error.to_string(), is_final: true };
        if let Some((at, error)) = &self.missing
            && now.saturating_sub(*at) < LOADED_AGAIN
        {
            return Err(missing(error));
        }
        self.missing = None;
        let library = match &mut self.loaded {
            Some(library) => library,
            none => match (self.load)() {
                Ok(library) => none.insert(library),
                Err(error) => {
                    let failure = missing(&error);
                    self.missing = Some((now, error));
                    return Err(failure);
                }
            },
        };
        Ok(library.as_mut())
    }
}

impl Readings for Drivers {
    type Address = String;
    type Kept = Known;

    /// Of a device without an address nothing can be told.
    fn address(info: &DeviceInfo) -> Option<String> {
        info.pci_bus_id.as_deref().and_then(pci_bus_id)
    }

    fn keep(&mut self, info: &DeviceInfo, bus: String) -> Known {
        let folder = DeviceFolder::new(&self.roots.sys, &bus);
        let has_own_memory = info.kind == DeviceKind::Discrete;
        Known {
            is_nvidia: info.vendor.eq_ignore_ascii_case("nvidia") && folder.has_nvidia_driver(),
            bus,
            memory_bytes: info.vram_bytes.filter(|_| has_own_memory),
            has_own_memory,
            folder,
            sampler: Sampler::default(),
        }
    }

    fn read(
        &mut self,
        devices: &mut Devices,
        at_work: bool,
        now: Duration,
    ) -> Vec<(u32, Result<Reading, Failure>)> {
        self.people.set_time(now);
        let mut readings = self.by_drivers(devices, at_work, now);
        for (index, device) in devices.iter_mut().filter(|(_, device)| device.kept.is_nvidia) {
            readings.push((*index, self.by_nvidia(&mut device.kept, now)));
        }
        readings
    }

    fn lost(&mut self, known: &mut Known) {
        known.sampler.forget();
    }

    fn close(&mut self) {
        self.nvidia.loaded = None;
    }
}

/// The memory of a device whose driver tells only what each client holds. What clients hold that cannot be seen, as our own
/// runtime, which nobody may look into, counts as free.
fn memory_by_clients(total_bytes: u64, processes: &[ProcessUse]) -> Option<DeviceMemory> {
    let held: Vec<u64> = processes.iter().filter_map(|process| process.memory_bytes).collect();
    let used = held.iter().fold(0u64, |sum, bytes| sum.saturating_add(*bytes));
    (!held.is_empty()).then(|| DeviceMemory { free_bytes: total_bytes.saturating_sub(used), total_bytes })
}

#[cfg(test)]
mod tests;
