//! The frame of all probes that watch who uses devices: which devices are watched, when they are looked at, and what is new
//! of each. How a device is looked at is each system's own, behind [`Readings`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use lull_types::{DeviceInfo, DeviceKind, Guard};

use super::{Reading, Settling};
use crate::{GpuUse, Observation, Probe, ProbeError, Watch, Watched};

/// How often devices are looked at while one is at work: a game that begins then is in its menu four seconds later.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// And while none is, as nobody is in anybody's way.
pub const INTERVAL_IDLE: Duration = Duration::from_secs(3);

/// A device that does not answer so often in a row is not watched any more. Once is a driver, or a system, that was busy.
const FAILURES_MAX: u32 = 3;

const WHAT: &str = "which programs use the GPU";

/// Reads devices, as one system can.
pub trait Readings: Send {
    /// By what it finds a device.
    type Address;
    /// What it keeps of a device from one look to the next.
    type Kept: Send;

    /// By what a device is found; `None` for one of which nothing can be told.
    fn address(info: &DeviceInfo) -> Option<Self::Address>;

    /// A device is watched from now on.
    fn keep(&mut self, info: &DeviceInfo, address: Self::Address) -> Self::Kept;

    /// How often devices are to be looked at.
    fn interval(&self, at_work: bool) -> Duration {
        if at_work { INTERVAL } else { INTERVAL_IDLE }
    }

    /// Looks at all devices, and says what was seen of each, by its number. `at_work` is whether work of ours is on a device.
    fn read(
        &mut self,
        devices: &mut BTreeMap<u32, Device<Self::Kept>>,
        at_work: bool,
        now: Duration,
    ) -> Vec<(u32, Result<Reading, Failure>)>;

    /// A device could not be read for so long that what was kept of it may be wrong.
    fn lost(&mut self, kept: &mut Self::Kept);

    /// Nothing is watched for now, and nothing is to be kept open.
    fn close(&mut self);
}

/// A device was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the system said.
    pub why: String,
    /// Whether it is known that the next time will be no better.
    pub is_final: bool,
}

/// A device that is watched.
#[derive(Debug)]
pub struct Device<K> {
    /// Which it is.
    pub info: DeviceInfo,
    /// What the system's readings keep of it.
    pub kept: K,
    settling: Settling,
    failures: u32,
    told: Option<Option<GpuUse>>,
    /// Whether a person was told that it cannot be read.
    is_missed: bool,
}

impl<K> Device<K> {
    /// Whether another program needs it, by what was seen until now.
    pub fn is_needed(&self) -> bool {
        self.settling.answer().is_some()
    }

    /// What was seen of it was another's.
    pub fn forget(&mut self) {
        self.settling = Settling::default();
    }

    /// What is to be told of it when it is not watched any more.
    fn released(&mut self, index: u32) -> Option<Observation> {
        let holds = matches!(self.told.take(), Some(Some(_)));
        holds.then_some(Observation::GpuUse { device: index, by: None })
    }
}

/// The probe.
pub struct Rounds<R: Readings> {
    pub(crate) readings: R,
    began: Instant,
    pub(crate) devices: BTreeMap<u32, Device<R::Kept>>,
    /// What is still to be told.
    pub(crate) found: VecDeque<Observation>,
    /// And what cannot be told.
    pub(crate) missed: VecDeque<ProbeError>,
    last_round: Option<Duration>,
}

impl<R: Readings> Rounds<R> {
    /// Of devices that are read so.
    pub fn of(readings: R) -> Self {
        Self {
            readings,
            began: Instant::now(),
            devices: BTreeMap::new(),
            found: VecDeque::new(),
            missed: VecDeque::new(),
            last_round: None,
        }
    }

    /// How long the next look is not due yet; `None` if it is.
    pub(crate) fn rest(&self, watched: &Watched, now: Duration) -> Option<Duration> {
        if to_be_watched::<R>(&watched.devices).any(|(info, _)| !self.devices.contains_key(&info.index)) {
            return None;
        }
        let interval = self.readings.interval(watched.at_work);
        (self.last_round? + interval).checked_sub(now).filter(|rest| !rest.is_zero())
    }

    /// Looks at all devices.
    pub(crate) fn round(&mut self, watched: &Watched, now: Duration) -> Result<(), ProbeError> {
        self.last_round = Some(now);
        self.follow(&watched.devices);
        let mut failed = BTreeSet::new();
        let mut can_be_read = false;
        for (index, reading) in self.readings.read(&mut self.devices, watched.at_work, now) {
            let Some(device) = self.devices.get_mut(&index) else { continue };
            match reading {
                Ok(reading) => {
                    (device.failures, device.is_missed, can_be_read) = (0, false, true);
                    let by = device.settling.settle(&reading, watched.at_work).cloned();
                    if device.told.as_ref() != Some(&by) {
                        device.told = Some(by.clone());
                        self.found.push_back(Observation::GpuUse { device: index, by });
                    }
                }
                Err(Failure { why, is_final }) => {
                    device.failures += 1;
                    if !is_final && device.failures < FAILURES_MAX {
                        // It says nothing new.
                        can_be_read = true;
                        continue;
                    }
                    if !std::mem::replace(&mut device.is_missed, true) {
                        let name = Some(device.info.name.clone());
                        self.missed.push_back(ProbeError { device: name, ..ProbeError::new(WHAT, &why) });
                    }
                    failed.insert(why);
                    device.forget();
                    self.readings.lost(&mut device.kept);
                    self.found.extend(device.released(index));
                }
            }
        }
        if can_be_read || failed.is_empty() {
            // Where some are watched all the same, what is told is only of the others.
            return Ok(());
        }
        // The guard is lost sight of as a whole, so that all is told anew when it is seen again.
        self.devices.clear();
        self.found.clear();
        self.missed.clear();
        self.close();
        let why = failed.into_iter().collect::<Vec<_>>().join("; ");
        Err(ProbeError::new(WHAT, why))
    }

    /// Watches these devices, and no others any more.
    fn follow(&mut self, infos: &[DeviceInfo]) {
        let mut wanted: BTreeMap<u32, _> =
            to_be_watched::<R>(infos).map(|(info, address)| (info.index, (info, address))).collect();
        let found = &mut self.found;
        self.devices.retain(|index, device| {
            let stays = wanted.get(index).is_some_and(|(info, _)| **info == device.info);
            if stays {
                wanted.remove(index);
            } else {
                found.extend(device.released(*index));
            }
            stays
        });
        for (index, (info, address)) in wanted {
            let kept = self.readings.keep(info, address);
            let (info, settling) = (info.clone(), Settling::default());
            self.devices
                .insert(index, Device { info, kept, settling, failures: 0, told: None, is_missed: false });
        }
    }

    /// Watches nothing; what was told does not hold any more.
    pub(crate) fn release(&mut self) {
        for (index, mut device) in std::mem::take(&mut self.devices) {
            self.found.extend(device.released(index));
        }
        self.close();
    }

    fn close(&mut self) {
        self.readings.close();
        self.last_round = None;
    }
}

impl<R: Readings> Probe for Rounds<R> {
    fn guard(&self) -> Guard {
        Guard::GpuUse
    }

    fn next(&mut self, watch: &Watch) -> Result<Observation, ProbeError> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Ok(found);
            }
            if let Some(missed) = self.missed.pop_front() {
                return Err(missed);
            }
            let watched = watch.now();
            if !is_to_be_watched::<R>(&watched) {
                self.release();
                if self.found.is_empty() {
                    watch.until(is_to_be_watched::<R>);
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

/// Whether anything is to be watched.
pub(crate) fn is_to_be_watched<R: Readings>(watched: &Watched) -> bool {
    watched.rules.gpu_use && to_be_watched::<R>(&watched.devices).next().is_some()
}

/// The devices that can be watched. A processor that plays a GPU is everybody's.
fn to_be_watched<R: Readings>(infos: &[DeviceInfo]) -> impl Iterator<Item = (&DeviceInfo, R::Address)> {
    let is_gpu = |info: &&DeviceInfo| info.kind != DeviceKind::Software;
    infos.iter().filter(is_gpu).filter_map(|info| Some((info, R::address(info)?)))
}

#[cfg(test)]
mod tests {
    use lull_types::{GpuNeed, GuardRules};

    use super::super::ProcessUse;
    use super::*;

    /// A system of a test's own: by each device's number, the load of a game on it, or why it is not read.
    #[derive(Default)]
    struct Fake {
        loads: BTreeMap<u32, Result<f64, (&'static str, bool)>>,
        lost: Vec<String>,
        closed: u32,
    }

    impl Readings for Fake {
        type Address = String;
        type Kept = String;

        fn address(info: &DeviceInfo) -> Option<String> {
            info.pci_bus_id.clone()
        }

        fn keep(&mut self, _info: &DeviceInfo, address: String) -> String {
            address
        }

        fn read(
            &mut self,
            devices: &mut BTreeMap<u32, Device<String>>,
            _at_work: bool,
            at: Duration,
        ) -> Vec<(u32, Result<Reading, Failure>)> {
            let reading = |load| {
                let game = ProcessUse { pid: 7, load: Some(load), ..ProcessUse::default() };
                Reading { at, processes: vec![game], memory: None }
            };
            let failure = |(why, is_final): (&str, bool)| Failure { why: why.to_owned(), is_final };
            let read = |index: &u32| self.loads[index].map(reading).map_err(failure);
            devices.keys().map(|index| (*index, read(index))).collect()
        }

        fn lost(&mut self, kept: &mut String) {
            self.lost.push(kept.clone());
        }

        fn close(&mut self) {
            self.closed += 1;
        }
    }

    fn device(index: u32, kind: DeviceKind, address: Option<&str>) -> DeviceInfo {
        DeviceInfo {
            index,
            name: address.unwrap_or_default().to_owned(),
            vendor: String::new(),
            kind,
            backend: String::new(),
            driver: String::new(),
            pci_bus_id: address.map(str::to_owned),
            vram_bytes: None,
            storage_buffer_bytes_max: 0,
            features: Vec::new(),
        }
    }

    fn two() -> Watched {
        let devices = [(0, "a"), (1, "b")].map(|(index, at)| device(index, DeviceKind::Discrete, Some(at)));
        Watched { devices: devices.to_vec(), at_work: true, ..Watched::default() }
    }

    fn told(device: u32, is_used: bool) -> Observation {
        let by = is_used.then_some(GpuUse { program: None, need: GpuNeed::Time });
        Observation::GpuUse { device, by }
    }

    #[test]
    fn what_is_new_of_each_device_is_told_and_a_lost_one_hides_no_other() {
        const BUSY: Result<f64, (&str, bool)> = Ok(0.9);
        const IDLE: Result<f64, (&str, bool)> = Ok(0.0);
        const MISSED: Result<f64, (&str, bool)> = Err(("busy", false));
        const GONE: Result<f64, (&str, bool)> = Err(("gone", true));
        let mut probe = Rounds::of(Fake::default());
        let watched = two();
        // What both devices did in each second, and what is told of them; or the error.
        let script: &[(_, _, Result<&[Observation], &str>)] = &[
            (IDLE, IDLE, Ok(&[told(0, false), told(1, false)])),
            (BUSY, IDLE, Ok(&[])),
            (BUSY, IDLE, Ok(&[told(0, true)])),
            (MISSED, IDLE, Ok(&[])),
            (MISSED, IDLE, Ok(&[])),
            (MISSED, IDLE, Ok(&[told(0, false)])),
            (GONE, MISSED, Ok(&[])),
            (GONE, GONE, Err("gone")),
            (MISSED, MISSED, Ok(&[])),
            (GONE, Err(("away", true)), Err("away; gone")),
            (GONE, BUSY, Ok(&[told(1, false)])),
        ];
        let mut missed = Vec::new();
        for (at, (first, second, expected)) in (1..).zip(script) {
            probe.readings.loads = BTreeMap::from([(0, *first), (1, *second)]);
            let found = probe.round(&watched, Duration::from_secs(at));
            match expected {
                Ok(expected) => {
                    assert_eq!(found, Ok(()), "at {at} s");
                    assert_eq!(probe.found.drain(..).collect::<Vec<_>>(), *expected, "at {at} s");
                }
                Err(why) => {
                    assert_eq!(found, Err(ProbeError::new(WHAT, why)));
                    assert!(probe.devices.is_empty() && probe.found.is_empty());
                }
            }
            missed.extend(probe.missed.drain(..).map(|error| (at, error.to_string())));
        }
        let of_first = |why: &str| {
            format!(
                "which programs use the GPU cannot be read of a, so this guard does not hold that one free, and only \
                 the others: {why}"
            )
        };
        assert_eq!(missed, [(6, of_first("busy")), (11, of_first("gone"))], "each is told once");
        assert_eq!(probe.readings.lost, ["a", "a", "a", "b", "a", "b", "a"]);
        assert_eq!(probe.readings.closed, 2);
    }

    #[test]
    fn only_what_is_lent_and_can_be_read_is_watched() {
        let check = |device: DeviceInfo, expected: bool| {
            let mut watched = Watched { devices: vec![device], ..Watched::default() };
            assert_eq!(is_to_be_watched::<Fake>(&watched), expected, "{:?}", watched.devices);
            watched.rules.gpu_use = false;
            assert!(!is_to_be_watched::<Fake>(&watched));
        };
        check(device(0, DeviceKind::Discrete, Some("a")), true);
        check(device(0, DeviceKind::Integrated, Some("a")), true);
        check(device(0, DeviceKind::Discrete, None), false);
        check(device(0, DeviceKind::Software, Some("a")), false);
        let mut probe = Rounds::of(Fake::default());
        probe.readings.loads = BTreeMap::from([(0, Ok(0.9)), (1, Ok(0.9))]);
        for at in 0..9 {
            probe.round(&two(), Duration::from_secs(at)).unwrap();
        }
        assert_eq!(probe.found.len(), 4);
        probe.found.clear();
        // One is another now.
        let other = Watched { devices: vec![device(0, DeviceKind::Discrete, Some("c"))], ..two() };
        probe.round(&other, Duration::from_secs(9)).unwrap();
        assert_eq!(
            probe.found.drain(..).collect::<Vec<_>>(),
            [told(0, false), told(1, false), told(0, false)]
        );
        let watch = Watch::default();
        for at in 10..19 {
            probe.round(&other, Duration::from_secs(at)).unwrap();
        }
        assert_eq!(probe.found.drain(..).collect::<Vec<_>>(), [told(0, true)]);
        watch.tell(Watched { rules: GuardRules { gpu_use: false, ..GuardRules::default() }, ..other });
        assert_eq!(probe.next(&watch), Ok(told(0, false)));
        assert!(probe.devices.is_empty() && probe.readings.closed == 1);
    }
}
