//! Which other program works a GPU or needs its memory: by the kernel's drivers for AMD's and Intel's devices, and by NVIDIA's
//! library for its own.
//!
//! Not seen are processes of other users, whose files this one must not read; and what a program computes through `/dev/kfd`, as
//! ROCm's do, of which drivers tell the memory alone.

mod device;
mod drm;
mod files;
mod people;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use lull_types::{DeviceInfo, DeviceKind, Guard};

use self::device::DeviceFolder;
use self::drm::Drm;
use self::people::People;
use crate::gpu_use::nvidia::{Library, Nvidia, NvidiaError, Sampler};
use crate::gpu_use::{DeviceMemory, ProcessUse, Reading, Settling, pci_bus_id};
use crate::{GpuUse, Observation, Probe, ProbeError, Watch, Watched};

/// How often devices are looked at while one is at work: a game that begins then is in its menu four seconds later.
const INTERVAL: Duration = Duration::from_secs(1);

/// And while none is, as nobody is in anybody's way.
const INTERVAL_IDLE: Duration = Duration::from_secs(3);

/// A library that could not be loaded is tried again after so long, as a probe that could tell nothing is.
const LOADED_AGAIN: Duration = Duration::from_secs(30);

/// A device that does not answer so often in a row is not watched any more. Once is a driver that was busy.
const FAILURES_MAX: u32 = 3;

const WHAT: &str = "which programs use the GPU";

/// Where the kernel tells.
#[derive(Clone, Debug)]
struct Roots {
    proc: PathBuf,
    sys: PathBuf,
}

type LoadNvidia = Box<dyn FnMut() -> Result<Box<dyn Nvidia>, NvidiaError> + Send>;

/// The probe.
pub(super) struct GpuUsers {
    roots: Roots,
    began: Instant,
    people: People,
    drm: Drm,
    load_nvidia: LoadNvidia,
    nvidia: Option<Box<dyn Nvidia>>,
    /// Why there is no library, and when that was found out.
    nvidia_missing: Option<(Duration, NvidiaError)>,
    devices: BTreeMap<u32, Device>,
    /// What is still to be told.
    found: VecDeque<Observation>,
    last_round: Option<Duration>,
}

/// A device that is watched.
struct Device {
    bus: String,
    /// Its own memory; `None` where it shares the system's.
    memory_bytes: Option<u64>,
    has_own_memory: bool,
    is_nvidia: bool,
    folder: DeviceFolder,
    settling: Settling,
    sampler: Sampler,
    failures: u32,
    told: Option<Option<GpuUse>>,
}

impl GpuUsers {
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
            began: Instant::now(),
            load_nvidia,
            nvidia: None,
            nvidia_missing: None,
            devices: BTreeMap::new(),
            found: VecDeque::new(),
            last_round: None,
        }
    }

    /// How long the next look is not due yet; `None` if it is.
    fn rest(&self, watched: &Watched, now: Duration) -> Option<Duration> {
        let is_new = |device: &DeviceInfo| !self.devices.contains_key(&device.index);
        if watched.devices.iter().filter(|device| can_be_watched(device)).any(is_new) {
            return None;
        }
        let interval = if watched.at_work { INTERVAL } else { INTERVAL_IDLE };
        (self.last_round? + interval).checked_sub(now).filter(|rest| !rest.is_zero())
    }

    /// Looks at all devices.
    fn round(&mut self, watched: &Watched, now: Duration) -> Result<(), ProbeError> {
        self.last_round = Some(now);
        self.follow(&watched.devices);
        self.people.set_time(now);
        let mut readings = self.by_drivers(watched.at_work, now);
        let nvidia: Vec<u32> =
            self.devices.iter().filter(|(_, device)| device.is_nvidia).map(|(index, _)| *index).collect();
        for index in nvidia {
            let reading = self.by_nvidia(index, now);
            readings.push((index, reading));
        }
        let mut failed = None;
        let mut can_be_read = false;
        for (index, reading) in readings {
            let Some(device) = self.devices.get_mut(&index) else { continue };
            let by = match reading {
                Ok(reading) => {
                    device.failures = 0;
                    device.settling.settle(&reading, watched.at_work).cloned()
                }
                Err(Failure { why, is_final }) => {
                    device.failures += 1;
                    if !is_final && device.failures < FAILURES_MAX {
                        // It says nothing new.
                        can_be_read = true;
                        continue;
                    }
                    failed = Some(why);
                    device.settling = Settling::default();
                    device.sampler.forget();
                    if let Some(Some(_)) = device.told.take() {
                        self.found.push_back(Observation::GpuUse { device: index, by: None });
                    }
                    continue;
                }
            };
            can_be_read = true;
            if device.told.as_ref() != Some(&by) {
                device.told = Some(by.clone());
                self.found.push_back(Observation::GpuUse { device: index, by });
            }
        }
        match failed {
            Some(why) if !can_be_read => {
                // The guard is lost sight of as a whole, so that all is told anew when it is seen again.
                self.devices.clear();
                self.found.clear();
                self.nvidia = None;
                Err(ProbeError { what: WHAT, why })
            }
            // The others are watched all the same.
            Some(_) | None => Ok(()),
        }
    }

    /// Watches these devices, and no others any more.
    fn follow(&mut self, infos: &[DeviceInfo]) {
        let wanted: BTreeMap<u32, &DeviceInfo> =
            infos.iter().filter(|info| can_be_watched(info)).map(|info| (info.index, info)).collect();
        let found = &mut self.found;
        self.devices.retain(|index, device| {
            let stays = wanted.get(index).is_some_and(|info| bus(info).as_ref() == Some(&device.bus));
            if !stays {
                found.extend(device.released(*index));
            }
            stays
        });
        for (index, info) in wanted {
            if let Some(bus) = bus(info) {
                self.devices.entry(index).or_insert_with(|| Device::new(info, bus, &self.roots));
            }
        }
    }

    /// Watches nothing; what was told does not hold any more.
    fn release(&mut self) {
        for (index, device) in std::mem::take(&mut self.devices) {
            self.found.extend(device.released(index));
        }
        self.last_round = None;
    }

    /// Readings of the devices that the kernel's drivers tell of.
    fn by_drivers(&mut self, at_work: bool, now: Duration) -> Vec<(u32, Result<Reading, Failure>)> {
        let mut readings = Vec::new();
        let mut to_read = Vec::new();
        let mut wanted = BTreeSet::new();
        for (index, device) in self.devices.iter().filter(|(_, device)| !device.is_nvidia) {
            if device.folder.is_asleep() {
                readings.push((*index, Ok(Reading { at: now, ..Reading::default() })));
                continue;
            }
            let memory = device.has_own_memory.then(|| device.folder.memory()).flatten();
            // While nobody could be in anybody's way, the whole device tells enough.
            let is_idle = !at_work && device.settling.answer().is_none();
            if is_idle && memory.is_none_or(|memory| memory.is_roomy(0)) && device.folder.is_quiet() {
                readings.push((*index, Ok(Reading { at: now, memory, ..Reading::default() })));
                continue;
            }
            wanted.insert(device.bus.clone());
            to_read.push((*index, device.bus.clone(), memory, device.memory_bytes));
        }
        if to_read.is_empty() {
            return readings;
        }
        let uses = self.drm.read(now, &wanted, &mut self.people);
        for (index, bus, memory, memory_bytes) in to_read {
            let reading = match &uses {
                Ok(uses) => {
                    let processes = uses.get(&bus).cloned().unwrap_or_default();
                    let memory = memory.or_else(|| memory_by_clients(memory_bytes?, &processes));
                    Ok(Reading { at: now, processes, memory })
                }
                Err(error) => Err(Failure { why: error.to_string(), is_final: false }),
            };
            readings.push((index, reading));
        }
        readings
    }

    fn by_nvidia(&mut self, index: u32, now: Duration) -> Result<Reading, Failure> {
        let Some(device) = self.devices.get(&index) else {
            return Ok(Reading { at: now, ..Reading::default() });
        };
        if device.folder.is_asleep() {
            return Ok(Reading { at: now, ..Reading::default() });
        }
        self.load_nvidia(now)?;
        let Some((library, device)) = self.nvidia.as_mut().zip(self.devices.get_mut(&index)) else {
            return Ok(Reading { at: now, ..Reading::default() });
        };
        let mut reading = device
            .sampler
            .reading(library.as_mut(), &device.bus, now, &mut self.people)
            .map_err(|error| Failure { why: error.to_string(), is_final: false })?;
        if !device.has_own_memory {
            reading.memory = None;
        }
        Ok(reading)
    }

    fn load_nvidia(&mut self, now: Duration) -> Result<(), Failure> {
        if self.nvidia.is_some() {
            return Ok(());
        }
        let missing = |error: &NvidiaError| Failure { why: error.to_string(), is_final: true };
        if let Some((at, error)) = &self.nvidia_missing
            && now.saturating_sub(*at) < LOADED_AGAIN
        {
            return Err(missing(error));
        }
        match (self.load_nvidia)() {
            Ok(library) => {
                self.nvidia = Some(library);
                self.nvidia_missing = None;
                Ok(())
            }
            Err(error) => {
                let failure = missing(&error);
                self.nvidia_missing = Some((now, error));
                Err(failure)
            }
        }
    }
}

/// A device was not read.
struct Failure {
    why: String,
    /// Whether it is known that the next time will be no better.
    is_final: bool,
}

impl Device {
    fn new(info: &DeviceInfo, bus: String, roots: &Roots) -> Self {
        let folder = DeviceFolder::new(&roots.sys, &bus);
        let has_own_memory = info.kind == DeviceKind::Discrete;
        Self {
            is_nvidia: info.vendor.eq_ignore_ascii_case("nvidia") && folder.has_nvidia_driver(),
            bus,
            memory_bytes: info.vram_bytes.filter(|_| has_own_memory),
            has_own_memory,
            folder,
            settling: Settling::default(),
            sampler: Sampler::default(),
            failures: 0,
            told: None,
        }
    }

    /// What is to be told of it when it is not watched any more.
    fn released(&self, index: u32) -> Option<Observation> {
        let holds = matches!(self.told, Some(Some(_)));
        holds.then_some(Observation::GpuUse { device: index, by: None })
    }
}

impl Probe for GpuUsers {
    fn guard(&self) -> Guard {
        Guard::GpuUse
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(found);
            }
            let watched = watch.now();
            if !is_to_be_watched(&watched) {
                self.release();
                if self.found.is_empty() {
                    watch.until(is_to_be_watched);
                }
                continue;
            }
            let now = self.began.elapsed();
            match self.rest(&watched, now) {
                Some(rest) => watch.sleep(rest, &watched),
                None => self.round(&watched, now)?,
            }
        }
    }
}

fn is_to_be_watched(watched: &Watched) -> bool {
    watched.rules.gpu_use && watched.devices.iter().any(can_be_watched)
}

/// A processor that plays a GPU is everybody's; of a device without an address nothing can be told.
fn can_be_watched(device: &DeviceInfo) -> bool {
    device.kind != DeviceKind::Software && bus(device).is_some()
}

fn bus(device: &DeviceInfo) -> Option<String> {
    device.pci_bus_id.as_deref().and_then(pci_bus_id)
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
