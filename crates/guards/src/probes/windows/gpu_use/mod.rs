//! Which other program works a GPU or needs its memory: by Windows' performance counters, which tell it of every maker's
//! devices and of all users' processes ([`counters`], [`windows_counters`]), so that NVIDIA's library is not asked here.
//!
//! The counters number adapters, and devices have addresses and names: DXGI and the kernel tell which is which ([`adapters`]).

mod adapters;
mod counters;
mod people;

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use lull_types::{DeviceInfo, DeviceKind, Guard};

use self::counters::{CounterError, Query};
use self::people::People;
use crate::gpu_use::windows_counters::{self, Adapter, ByProcess, Luid};
use crate::gpu_use::{DeviceMemory, ProcessUse, Processes, Reading, Settling};
use crate::{GpuUse, Observation, Probe, ProbeError, Watch, Watched};

/// How often devices are looked at while one is at work: a game that begins then is in its menu four seconds later.
const INTERVAL: Duration = Duration::from_secs(1);

/// And while none is, as nobody is in anybody's way.
const INTERVAL_IDLE: Duration = Duration::from_secs(3);

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

/// What does not answer so often in a row is not watched any more. Once is a system that was busy.
const FAILURES_MAX: u32 = 3;

const WHAT: &str = "which programs use the GPU";

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
pub(super) struct GpuUsers {
    system: Box<dyn System>,
    began: Instant,
    people: People,
    devices: BTreeMap<u32, Device>,
    /// What is still to be told.
    found: VecDeque<Observation>,
    last_round: Option<Duration>,
    matched_at: Option<Duration>,
    /// How long a look takes, smoothed, as any can be interrupted.
    look_takes: Duration,
    /// How often in a row the counters did not tell.
    failures: u32,
}

/// A device that is watched.
struct Device {
    info: DeviceInfo,
    /// Which adapter it is, if that was found.
    adapter: Option<Adapter>,
    settling: Settling,
    failures: u32,
    told: Option<Option<GpuUse>>,
}

impl GpuUsers {
    pub fn new() -> Self {
        let people = People::new(Box::new(people::System), std::process::id());
        Self::of(Box::<Windows>::default(), people)
    }

    fn of(system: Box<dyn System>, people: People) -> Self {
        Self {
            system,
            began: Instant::now(),
            people,
            devices: BTreeMap::new(),
            found: VecDeque::new(),
            last_round: None,
            matched_at: None,
            look_takes: Duration::ZERO,
            failures: 0,
        }
    }

    /// How long the next look is not due yet; `None` if it is.
    fn rest(&self, watched: &Watched, now: Duration) -> Option<Duration> {
        let is_new = |device: &&DeviceInfo| !self.devices.contains_key(&device.index);
        if watched.devices.iter().filter(|device| can_be_watched(device)).any(|device| is_new(&device)) {
            return None;
        }
        let (least, most) =
            if watched.at_work { (INTERVAL, INTERVAL_MAX) } else { (INTERVAL_IDLE, INTERVAL_IDLE_MAX) };
        let interval = (self.look_takes * LOOK_SHARE).clamp(least, most);
        (self.last_round? + interval).checked_sub(now).filter(|rest| !rest.is_zero())
    }

    /// Looks at all devices.
    fn round(&mut self, watched: &Watched, now: Duration) -> Result<(), ProbeError> {
        self.last_round = Some(now);
        self.people.set_time(now);
        self.follow(&watched.devices);
        let began = Instant::now();
        let look = self.system.look();
        self.look_takes = (self.look_takes * 3 + began.elapsed()) / 4;
        let look = match look {
            Ok(look) => look,
            Err(CounterError::Pdh(_)) if self.failures + 1 < FAILURES_MAX => {
                self.failures += 1;
                return Ok(());
            }
            Err(error) => return Err(self.lost(error.to_string())),
        };
        self.failures = 0;
        self.find_adapters(now);
        let holders = self.holders(&look);
        let mut can_be_read = false;
        for (index, device) in &mut self.devices {
            let Some(reading) = device.reading(&look, &holders, now, &mut self.people) else {
                device.failures += 1;
                if device.failures < FAILURES_MAX {
                    // It says nothing new.
                    can_be_read |= device.adapter.is_some();
                    continue;
                }
                self.found.extend(device.released(*index));
                // It may come again as another.
                (device.adapter, device.told, device.settling) = (None, None, Settling::default());
                continue;
            };
            (device.failures, can_be_read) = (0, true);
            let by = device.settling.settle(&reading, watched.at_work).cloned();
            if device.told.as_ref() != Some(&by) {
                device.told = Some(by.clone());
                self.found.push_back(Observation::GpuUse { device: *index, by });
            }
        }
        if can_be_read {
            // The others are not watched, and no reason to say that none is.
            return Ok(());
        }
        let names: Vec<&str> = self.devices.values().map(|device| device.info.name.as_str()).collect();
        let why = format!("Windows does not count what is done on {}", names.join(" and on "));
        Err(self.lost(why))
    }

    /// The guard is lost sight of as a whole, so that all is told anew when it is seen again.
    fn lost(&mut self, why: String) -> ProbeError {
        self.devices.clear();
        self.found.clear();
        self.system.close();
        (self.last_round, self.matched_at, self.failures) = (None, None, 0);
        ProbeError { what: WHAT, why }
    }

    /// Watches these devices, and no others any more.
    fn follow(&mut self, infos: &[DeviceInfo]) {
        let wanted: BTreeMap<u32, &DeviceInfo> =
            infos.iter().filter(|info| can_be_watched(info)).map(|info| (info.index, info)).collect();
        let found = &mut self.found;
        self.devices.retain(|index, device| {
            let stays = wanted.get(index).is_some_and(|info| **info == device.info);
            if !stays {
                found.extend(device.released(*index));
            }
            stays
        });
        for (index, info) in wanted {
            self.devices.entry(index).or_insert_with(|| {
                self.matched_at = None;
                Device::new(info)
            });
        }
    }

    /// Finds out which adapters the devices are, where that is not known.
    fn find_adapters(&mut self, now: Duration) {
        let is_due = self.matched_at.is_none_or(|at| now.saturating_sub(at) >= MATCHED_AGAIN);
        if !is_due || self.devices.values().all(|device| device.adapter.is_some()) {
            return;
        }
        self.matched_at = Some(now);
        let infos: Vec<DeviceInfo> = self.devices.values().map(|device| device.info.clone()).collect();
        let mut matched = windows_counters::matched(&infos, &self.system.adapters());
        for (index, device) in &mut self.devices {
            let adapter = matched.remove(index);
            if device.adapter != adapter {
                device.settling = Settling::default();
            }
            device.adapter = adapter;
        }
    }

    /// Who holds memory, where a device has little. Where nobody says, nobody is found to hold any.
    fn holders(&mut self, look: &Look) -> ByProcess<u64> {
        let memories = self.devices.values().filter_map(|device| device.memory(look));
        if memories.into_iter().all(|memory| memory.is_roomy(0)) {
            return ByProcess::new();
        }
        self.system.holders().unwrap_or_default()
    }

    /// Watches nothing; what was told does not hold any more.
    fn release(&mut self) {
        for (index, device) in std::mem::take(&mut self.devices) {
            self.found.extend(device.released(index));
        }
        self.system.close();
        (self.last_round, self.matched_at, self.failures) = (None, None, 0);
    }
}

impl Device {
    fn new(info: &DeviceInfo) -> Self {
        Self { info: info.clone(), adapter: None, settling: Settling::default(), failures: 0, told: None }
    }

    /// Its own memory; `None` where it shares the system's.
    fn memory(&self, look: &Look) -> Option<DeviceMemory> {
        let adapter = self.adapter.as_ref().filter(|_| self.info.kind == DeviceKind::Discrete)?;
        let taken_bytes = *look.taken.get(&adapter.luid)?;
        let total_bytes = Some(adapter.memory_bytes).filter(|bytes| *bytes > 0).or(self.info.vram_bytes)?;
        Some(DeviceMemory { free_bytes: total_bytes.saturating_sub(taken_bytes), total_bytes })
    }

    /// What was done to it; `None` where that is not told, as of an adapter that has gone.
    fn reading(
        &self,
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
        let memory = self.memory(look);
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

/// A processor that plays a GPU is everybody's.
fn can_be_watched(device: &DeviceInfo) -> bool {
    device.kind != DeviceKind::Software
}

#[cfg(test)]
mod tests;
