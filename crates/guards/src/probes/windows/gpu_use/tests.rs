use std::sync::{Arc, Mutex};

use lull_types::{GpuNeed, GuardRules};

use super::people::tests::Fake as FakeListing;
use super::*;
use crate::gpu_use::rounds::is_to_be_watched;
use crate::{GpuUse, Observation, Probe as _, Watch, Watched};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
const CARD: Luid = Luid { high: 0, low: 0xd1f3 };
const OTHER: Luid = Luid { high: 0, low: 0xd200 };
const OWN: u32 = 60;

/// Adapters that are none.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    adapters: Vec<Adapter>,
    look: Look,
    holders: ByProcess<u64>,
    error: Option<CounterError>,
    /// How often each was asked.
    listed: u32,
    looks: u32,
    held: u32,
    closed: u32,
}

impl System for Fake {
    fn adapters(&mut self) -> Vec<Adapter> {
        let mut state = self.0.lock().unwrap();
        state.listed += 1;
        state.adapters.clone()
    }

    fn look(&mut self) -> Result<Look, CounterError> {
        let mut state = self.0.lock().unwrap();
        state.looks += 1;
        state.error.clone().map_or_else(|| Ok(state.look.clone()), Err)
    }

    fn holders(&mut self) -> Result<ByProcess<u64>, CounterError> {
        let mut state = self.0.lock().unwrap();
        state.held += 1;
        Ok(state.holders.clone())
    }

    fn close(&mut self) {
        self.0.lock().unwrap().closed += 1;
    }
}

impl Fake {
    /// Two cards of 8 GiB, of which a gibibyte is taken.
    fn new() -> Self {
        let fake = Self::default();
        fake.set(|state| {
            for (luid, name) in [(CARD, "A"), (OTHER, "B")] {
                let name = name.to_owned();
                state.adapters.push(Adapter { luid, name, memory_bytes: 8 * GIB, address: None });
                state.look.taken.insert(luid, GIB);
            }
        });
        fake
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// So much each process works the card.
    fn works(&self, loads: &[(u32, f64)]) {
        self.set(|state| {
            state.look.loads = BTreeMap::from([(CARD, loads.iter().copied().collect())]);
        });
    }

    fn probe(&self) -> GpuUsers {
        let listing = FakeListing::of(&[
            (4, "System", 0, None),
            (40, "explorer.exe", 1, Some(1)),
            (OWN, "lull-worker.exe", 40, Some(2)),
            (70, "lull-runtime-gpu.exe", OWN, Some(3)),
            (80, "Game.exe", 40, Some(4)),
        ]);
        GpuUsers::of(Counters::of(Box::new(self.clone()), People::new(Box::new(listing), OWN)))
    }
}

fn device(index: u32, name: &str, kind: DeviceKind) -> DeviceInfo {
    DeviceInfo {
        index,
        name: name.to_owned(),
        vendor: "AMD".to_owned(),
        kind,
        backend: "vulkan".to_owned(),
        driver: String::new(),
        pci_bus_id: None,
        vram_bytes: Some(8 * GIB),
        storage_buffer_bytes_max: 0,
        features: Vec::new(),
    }
}

fn watched(devices: &[DeviceInfo]) -> Watched {
    Watched { devices: devices.to_vec(), at_work: true, ..Watched::default() }
}

fn card() -> Watched {
    watched(&[device(0, "A", DeviceKind::Discrete)])
}

/// Rounds of a second each.
struct Clock(u64);

impl Clock {
    #[track_caller]
    fn rounds(&mut self, probe: &mut GpuUsers, watched: &Watched, rounds: u64) -> Vec<Observation> {
        for _ in 0..rounds {
            self.0 += 1;
            probe.round(watched, Duration::from_secs(self.0)).unwrap();
        }
        probe.found.drain(..).collect()
    }

    fn fails(&mut self, probe: &mut GpuUsers, watched: &Watched) -> String {
        self.0 += 1;
        let error = probe.round(watched, Duration::from_secs(self.0)).unwrap_err();
        assert!(probe.devices.is_empty() && probe.found.is_empty());
        error.to_string()
    }
}

fn none(device: u32) -> Observation {
    Observation::GpuUse { device, by: None }
}

fn game(device: u32, need: GpuNeed) -> Observation {
    Observation::GpuUse { device, by: Some(GpuUse { program: Some("Game".to_owned()), need }) }
}

#[test]
fn a_game_is_seen_on_the_device_that_it_uses_and_our_work_is_not() {
    let fake = Fake::new();
    let both = watched(&[device(0, "A", DeviceKind::Discrete), device(1, "B", DeviceKind::Discrete)]);
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    // The kernel moves memory for everybody.
    fake.works(&[(70, 1.0), (OWN, 0.1), (4, 0.9)]);
    assert_eq!(clock.rounds(&mut probe, &both, 10), [none(0), none(1)]);
    fake.works(&[(70, 0.4), (80, 0.6)]);
    assert_eq!(clock.rounds(&mut probe, &both, 5), [game(0, GpuNeed::Time)]);
    fake.works(&[(70, 1.0)]);
    assert_eq!(clock.rounds(&mut probe, &both, 12), [none(0)]);
    let state = fake.0.lock().unwrap();
    assert_eq!((state.listed, state.held), (1, 0), "nobody asks who holds memory while there is enough");
}

#[test]
fn memory_that_is_short_is_a_need_of_who_holds_it() {
    let fake = Fake::new();
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    assert_eq!(clock.rounds(&mut probe, &card(), 3), [none(0)]);
    fake.set(|state| {
        state.look.taken.insert(CARD, 8 * GIB - 100 * MIB);
        state.holders = BTreeMap::from([(CARD, BTreeMap::from([(70, 3 * GIB), (80, 4 * GIB)]))]);
    });
    assert_eq!(clock.rounds(&mut probe, &card(), 1), [game(0, GpuNeed::Memory)]);
    // A device that shares the system's memory has none that could be short.
    let mut probe = fake.probe();
    let shared = watched(&[device(0, "A", DeviceKind::Integrated)]);
    assert_eq!(clock.rounds(&mut probe, &shared, 3), [none(0)]);
}

#[test]
fn an_adapter_that_gets_another_number_is_found_again() {
    let fake = Fake::new();
    let both = watched(&[device(0, "A", DeviceKind::Discrete), device(1, "B", DeviceKind::Discrete)]);
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    fake.works(&[(80, 0.9)]);
    assert_eq!(clock.rounds(&mut probe, &both, 4), [none(0), none(1), game(0, GpuNeed::Time)]);
    let again = Luid { high: 0, low: 0xffff };
    fake.set(|state| {
        state.look.taken.remove(&CARD);
        state.look.loads.clear();
        state.adapters[0].luid = again;
    });
    assert_eq!(clock.rounds(&mut probe, &both, 2), [], "once is a system that was busy");
    assert_eq!(clock.rounds(&mut probe, &both, 1), [none(0)]);
    fake.set(|state| {
        state.look.taken.insert(again, GIB);
        state.look.loads = BTreeMap::from([(again, BTreeMap::from([(80, 0.9)]))]);
    });
    let found = clock.rounds(&mut probe, &both, MATCHED_AGAIN.as_secs() + 5);
    assert_eq!(found, [none(0), game(0, GpuNeed::Time)]);
    assert_eq!(fake.0.lock().unwrap().listed, 2);
}

#[test]
fn a_windows_without_counters_is_an_error_at_once_and_one_that_is_busy_is_not() {
    let fake = Fake::new();
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    fake.set(|state| state.error = Some(CounterError::Missing { counter: ENGINES, status: 7 }));
    let error = clock.fails(&mut probe, &card());
    assert!(error.contains("which programs use the GPU") && error.contains("GPU Engine"), "{error}");
    fake.set(|state| state.error = None);
    assert_eq!(clock.rounds(&mut probe, &card(), 1), [none(0)], "it is told anew");
    fake.set(|state| state.error = Some(CounterError::Pdh(7)));
    assert_eq!(clock.rounds(&mut probe, &card(), 2), []);
    clock.fails(&mut probe, &card());
    assert_eq!(fake.0.lock().unwrap().closed, 2);
}

#[test]
fn a_device_that_windows_does_not_know_is_an_error_where_it_is_the_only_one() {
    let fake = Fake::new();
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    let unknown = device(3, "Tesla", DeviceKind::Discrete);
    let error = clock.fails(&mut probe, &watched(std::slice::from_ref(&unknown)));
    assert!(error.contains("Tesla"), "{error}");
    let both = watched(&[device(0, "A", DeviceKind::Discrete), unknown]);
    assert_eq!(clock.rounds(&mut probe, &both, 9), [none(0)]);
}

#[test]
fn what_is_not_watched_any_more_holds_nothing() {
    let fake = Fake::new();
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    fake.works(&[(80, 0.9)]);
    assert_eq!(clock.rounds(&mut probe, &card(), 4), [none(0), game(0, GpuNeed::Time)]);
    let other = watched(&[device(1, "B", DeviceKind::Discrete)]);
    assert_eq!(clock.rounds(&mut probe, &other, 1), [none(0), none(1)]);
    assert_eq!(clock.rounds(&mut probe, &card(), 4), [none(0), game(0, GpuNeed::Time)]);
    let watch = Watch::default();
    watch.tell(Watched { rules: GuardRules { gpu_use: false, ..GuardRules::default() }, ..card() });
    assert_eq!(probe.next(&watch), Ok(none(0)));
    assert!(probe.devices.is_empty());
}

#[test]
fn it_is_looked_often_only_while_a_device_is_at_work() {
    let fake = Fake::new();
    let (mut probe, mut clock) = (fake.probe(), Clock(100));
    assert_eq!(probe.rest(&card(), Duration::from_secs(100)), None, "nothing was looked at yet");
    clock.rounds(&mut probe, &card(), 1);
    probe.readings.look_takes = Duration::ZERO;
    let (at, half) = (Duration::from_secs(101), Duration::from_millis(500));
    assert_eq!(probe.rest(&card(), at + half), Some(half));
    let idle = Watched { at_work: false, ..card() };
    assert_eq!(probe.rest(&idle, at + half), Some(Duration::from_millis(2500)));
    assert_eq!(probe.rest(&idle, at + INTERVAL_IDLE), None);
    // Looks that take long are made less often, within bounds.
    for (takes_ms, at_work_ms, idle_ms) in
        [(2, 1000, 3000), (3, 1500, 3000), (8, 2000, 4000), (900, 2000, 6000)]
    {
        probe.readings.look_takes = Duration::from_millis(takes_ms);
        assert_eq!(probe.rest(&card(), at), Some(Duration::from_millis(at_work_ms)), "{takes_ms} ms");
        assert_eq!(probe.rest(&idle, at), Some(Duration::from_millis(idle_ms)), "{takes_ms} ms");
    }
    let more = watched(&[device(0, "A", DeviceKind::Discrete), device(1, "B", DeviceKind::Discrete)]);
    assert_eq!(probe.rest(&more, at + half), None, "one is new");
    assert!(!is_to_be_watched::<Counters>(&watched(&[device(0, "llvmpipe", DeviceKind::Software)])));
    assert!(!is_to_be_watched::<Counters>(&watched(&[])));
}

/// Wine has no such counters, and a machine of Windows has no such device.
#[test]
fn this_machine_cannot_tell_of_a_device_that_is_not_there() {
    let watch = Watch::default();
    watch.tell(watched(&[device(0, "Lull's Never Made Card", DeviceKind::Discrete)]));
    let mut probe = GpuUsers::of(Counters::new());
    for _ in 0..2 {
        let error = probe.next(&watch).unwrap_err();
        println!("{error}");
        assert!(error.to_string().contains("which programs use the GPU cannot be read"), "{error}");
    }
}

/// Where there are counters, they are read: a machine of Windows with a GPU tells of its memory.
#[test]
fn counters_of_this_machine_are_those_of_its_adapters() {
    let mut system = Windows::default();
    match system.look() {
        Err(CounterError::Missing { .. }) => {
            println!("SKIPPED: this Windows counts nothing that is done on a GPU")
        }
        Err(error) => panic!("{error}"),
        Ok(look) => {
            let adapters = system.adapters();
            for adapter in &adapters {
                assert!(look.taken.contains_key(&adapter.luid), "{adapters:?} {look:?}");
            }
            let began = Instant::now();
            let look = system.look().unwrap();
            println!("a look takes {:?}: {look:?}", began.elapsed());
            println!("{:?}", system.holders().unwrap());
        }
    }
}
