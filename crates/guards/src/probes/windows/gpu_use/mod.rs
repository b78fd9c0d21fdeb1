//! Which other program works a GPU or needs its memory: by Windows' performance counters, which tell it of every maker's
//! devices and of all users' processes ([`counters`], [`windows_counters`]), so that NVIDIA's library is not asked here.
//!
//! The counters number adapters, and devices have addresses and names: DXGI and the kernel tell which is which ([`adapters`]).

mod adapters;
mod counters;
mod people;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lull_types::{DeviceInfo, DeviceKind};

use self::counters::{CounterError, Query};
use self::people::People;
use crate::gpu_use::rounds::{INTERVAL, INTERVAL_IDLE};
use crate::gpu_use::windows_counters::{self, Adapter, ByProcess, Luid};
use crate::gpu_use::{Device, DeviceMemory, Failure, ProcessUse, Processes, Reading, Readings, Rounds};

/// Counters come with their names as texts, and the more processes run the longer reading them takes; how long is not measured
/// yet, so that it is measured on the contributor's machine. Looking takes a 500th of a core's time at most, within the bounds
/// that follow.
const LOOK_SHARE: u32 = 500;

/// However long a look takes, a game that begins while a device is at work is seen within the six seconds in which it loads.
const INTERVAL_MAX: Duration = Duration::from_secs(2);

/// Readings that lie further apart than nine seconds would say nothing of the time between them.
const INTERVAL_IDLE_MAX: Duration = Duration::from_secs(6);

/// A device that no adapter is found for is looked for again after so long: its driver may have been replaced, which gives it
/// another number.
const MATCHED_AGAIN: Duration = Duration::from_secs(30);

const ENGINES: &str = "\\GPU Engine(*)\\Utilization Percentage";
const PROCESS_MEMORY: &str = "\\GPU Process Memory(*)\\Dedicated Usage";
const ADAPTER_MEMORY: &str = "\\GPU Adapter Memory(*)\\Dedicated Usage";

/// What all adapters did since they were looked at before.
#[derive(Clone, Debug, Default, PartialEq)]
struct Look {
    loads: ByProcess<f64>,
    /// Of each adapter that is there, in bytes.
    taken: BTreeMap<Luid, u64>,
}

/// Who tells of adapters.
trait System: Send {
    /// Those that are there.
    fn adapters(&mut self) -> Vec<Adapter>;

    /// What they did since this was asked last.
    fn look(&mut self) -> Result<Look, CounterError>;

    /// Who holds their memory, in bytes.
    fn holders(&mut self) -> Result<ByProcess<u64>, CounterError>;

    /// Nothing is to be kept open.
    fn close(&mut self);
}

/// Windows itself.
#[derive(Debug, Default)]
struct Windows {
    looks: Option<Query>,
    /// Read only where memory is scarce, as reading it takes as long as the rest.
    memory: Option<Query>,
}

impl System for Windows {
    fn adapters(&mut self) -> Vec<Adapter> {
        adapters::list().unwrap_or_default()
    }

    fn look(&mut self) -> Result<Look, CounterError> {
        let query = opened(&mut self.looks, &[ENGINES, ADAPTER_MEMORY])?;
        query.collect()?;
        let (loads, taken) = (query.rates(0)?, query.amounts(1)?);
        Ok(Look {
            loads: windows_counters::loads(loads.iter().map(|(name, percent)| (name.as_str(), *percent))),
            taken: windows_counters::taken(taken.iter().map(|(name, bytes)| (name.as_str(), *bytes))),
        })
    }

    fn holders(&mut self) -> Result<ByProcess<u64>, CounterError> {
        let query = opened(&mut self.memory, &[PROCESS_MEMORY])?;
        query.collect()?;
        let held = query.amounts(0)?;
        Ok(windows_counters::holders(held.iter().map(|(name, bytes)| (name.as_str(), *bytes))))
    }

    fn close(&mut self) {
        *self = Self::default();
    }
}

fn opened<'a>(query: &'a mut Option<Query>, names: &[&'static str]) -> Result<&'a mut Query, CounterError> {
    match query {
        Some(query) => Ok(query),
        none => Ok(none.insert(Query::open(names)?)),
    }
}

/// The probe.
pub(super) type GpuUsers = Rounds<Counters>;

/// What counts the use of devices.
pub(super) struct Counters {
    system: Box<dyn System>,
    people: People,
    matched_at: Option<Duration>,
    /// How long a look takes, smoothed, as any can be interrupted.
    look_takes: Duration,
}

/// How a device is read.
pub(super) struct Known {
    /// Which adapter it is, if that was found.
    adapter: Option<Adapter>,
}

type Devices = BTreeMap<u32, Device<Known>>;

impl Counters {
    /// Those of this machine.
    pub fn new() -> Self {
        let people = People::new(Box::new(people::System), std::process::id());
        Self::of(Box::<Windows>::default(), people)
    }

    fn of(system: Box<dyn System>, people: People) -> Self {
        Self { system, people, matched_at: None, look_takes: Duration::ZERO }
    }

    fn look(&mut self) -> Result<Look, Failure> {
        let began = Instant::now();
        let look = self.system.look();
        self.look_takes = (self.look_takes * 3 + began.elapsed()) / 4;
        look.map_err(|error| {
            let is_final = match &error {
                CounterError::Missing { .. } => true,
                CounterError::Pdh(_) => false,
            };
            Failure { why: error.to_string(), is_final }
        })
    }

    /// Finds out which adapters the devices are, where that is not known.
    fn find_adapters(&mut self, devices: &mut Devices, now: Duration) {
        let is_due = self.matched_at.is_none_or(|at| now.saturating_sub(at) >= MATCHED_AGAIN);
        if !is_due || devices.values().all(|device| device.kept.adapter.is_some()) {
            return;
        }
        self.matched_at = Some(now);
        let infos: Vec<DeviceInfo> = devices.values().map(|device| device.info.clone()).collect();
        let mut matched = windows_counters::matched(&infos, &self.system.adapters());
        for (index, device) in devices {
            let adapter = matched.remove(index);
            if device.kept.adapter != adapter {
                device.forget();
            }
            device.kept.adapter = adapter;
        }
    }

    /// Who holds memory, where a device has little. Where nobody says, nobody is found to hold any.
    fn holders(&mut self, devices: &Devices, look: &Look) -> ByProcess<u64> {
        let memories = devices.values().filter_map(|device| device.kept.memory(&device.info, look));
        if memories.into_iter().all(|memory| memory.is_roomy(0)) {
            return ByProcess::new();
        }
        self.system.holders().unwrap_or_default()
    }
}

impl Readings for Counters {
    /// Which adapter a device is, is found for all of them together.
    type Address = ();
    type Kept = Known;

    fn address(_info: &DeviceInfo) -> Option<()> {
        Some(())
    }

    fn keep(&mut self, _info: &DeviceInfo, (): ()) -> Known {
        self.matched_at = None;
        Known { adapter: None }
    }

    fn interval(&self, at_work: bool) -> Duration {
        let (least, most) =
            if at_work { (INTERVAL, INTERVAL_MAX) } else { (INTERVAL_IDLE, INTERVAL_IDLE_MAX) };
        (self.look_takes * LOOK_SHARE).clamp(least, most)
    }

    fn read(
        &mut self,
        devices: &mut Devices,
        _at_work: bool,
        now: Duration,
    ) -> Vec<(u32, Result<Reading, Failure>)> {
        self.people.set_time(now);
        let look = match self.look() {
            Ok(look) => look,
            Err(failure) => return devices.keys().map(|index| (*index, Err(failure.clone()))).collect(),
        };
        self.find_adapters(devices, now);
        let holders = self.holders(devices, &look);
        devices
            .iter()
            .map(|(index, device)| {
                let reading = device.kept.reading(&device.info, &look, &holders, now, &mut self.people);
                let failure = || Failure {
                    why: format!("Windows does not count what is done on {}", device.info.name),
                    is_final: device.kept.adapter.is_none(),
                };
                (*index, reading.ok_or_else(failure))
            })
            .collect()
    }

    fn lost(&mut self, known: &mut Known) {
        // It may come again as another.
        known.adapter = None;
    }

    fn close(&mut self) {
        self.system.close();
        self.matched_at = None;
    }
}

impl Known {
    /// The device's own memory; `None` where it shares the system's.
    fn memory(&self, info: &DeviceInfo, look: &Look) -> Option<DeviceMemory> {
        let adapter = self.adapter.as_ref().filter(|_| info.kind == DeviceKind::Discrete)?;
        let taken_bytes = *look.taken.get(&adapter.luid)?;
        let total_bytes = Some(adapter.memory_bytes).filter(|bytes| *bytes > 0).or(info.vram_bytes)?;
        Some(DeviceMemory { free_bytes: total_bytes.saturating_sub(taken_bytes), total_bytes })
    }

    /// What was done to it; `None` where that is not told, as of an adapter that has gone.
    fn reading(
        &self,
        info: &DeviceInfo,
        look: &Look,
        holders: &ByProcess<u64>,
        at: Duration,
        people: &mut dyn Processes,
    ) -> Option<Reading> {
        let luid = self.adapter.as_ref()?.luid;
        look.taken.get(&luid)?;
        let mut uses = BTreeMap::<u32, (f64, Option<u64>)>::new();
        for (pid, load) in look.loads.get(&luid).into_iter().flatten() {
            uses.insert(*pid, (*load, None));
        }
        let memory = self.memory(info, look);
        for (pid, bytes) in holders.get(&luid).filter(|_| memory.is_some()).into_iter().flatten() {
            uses.entry(*pid).or_default().1 = Some(*bytes);
        }
        let processes = uses.into_iter().filter_map(|(pid, (load, memory_bytes))| {
            let who = people.who(pid)?;
            Some(ProcessUse {
                pid,
                program: who.program,
                is_ours: who.is_ours,
                load: Some(load),
                memory_bytes,
            })
        });
        Some(Reading { at, processes: processes.collect(), memory })
    }
}

#[cfg(test)]
mod tests;
