//! The probe on a machine of files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use lull_types::{GpuNeed, GuardRules};
use tempfile::TempDir;

use super::*;
use crate::gpu_use::nvidia::{Holder, Sample};
use crate::gpu_use::rounds::is_to_be_watched;
use crate::{GpuUse, Observation, Probe as _, ProbeError, Watch, Watched};

pub(super) const AMD: &str = "0000:03:00.0";
pub(super) const INTEL: &str = "0000:00:02.0";
const NVIDIA: &str = "0000:01:00.0";
const OWN: u32 = 60;
const GIB: u64 = 1 << 30;

/// A `/proc`.
pub(super) struct FakeProc(TempDir);

impl FakeProc {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    /// A process, or its new name.
    pub fn process(&self, pid: u32, name: &str, parent: u32) {
        write(
            &self.0.path().join(format!("{pid}/stat")),
            &format!("{pid} ({name}) S {parent} {pid} {pid} 0 -1"),
        );
        fs::create_dir_all(self.0.path().join(format!("{pid}/fd"))).unwrap();
    }

    pub fn link(&self, pid: u32, name: &str, target: &str) {
        let link = self.0.path().join(format!("{pid}/{name}"));
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&link);
        symlink(target, link).unwrap();
    }

    /// A file of a process that is a GPU.
    pub fn gpu(&self, pid: u32, file: u32, fdinfo: &str) {
        self.link(pid, &format!("fd/{file}"), "/dev/dri/renderD128");
        write(&self.0.path().join(format!("{pid}/fdinfo/{file}")), fdinfo);
    }

    /// The same of a client that has worked for so long.
    pub fn amdgpu(&self, pid: u32, file: u32, bus: &str, client: u64, busy_ms: u64, mebibytes: u64) {
        self.gpu(
            pid,
            file,
            &format!(
                "pos:\t0\ndrm-driver:\tamdgpu\ndrm-pdev:\t{bus}\ndrm-client-id:\t{client}\n\
                 drm-memory-vram:\t{mebibytes} MiB\ndrm-engine-gfx:\t{busy_ms}000000 ns\n"
            ),
        );
    }

    pub fn remove(&self, pid: u32) {
        let _ = fs::remove_dir_all(self.0.path().join(pid.to_string()));
    }
}

/// A `/sys`.
pub(super) struct FakeSys(TempDir);

impl FakeSys {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }

    fn device(&self, bus: &str) -> PathBuf {
        self.0.path().join("bus/pci/devices").join(bus)
    }

    pub fn field(&self, bus: &str, name: &str, value: &str) {
        write(&self.device(bus).join(name), value);
    }

    pub fn driver(&self, bus: &str, name: &str) {
        let link = self.device(bus).join("driver");
        let _ = fs::remove_file(&link);
        symlink(format!("../../../bus/pci/drivers/{name}"), link).unwrap();
    }

    fn vram(&self, bus: &str, total: u64, used: u64) {
        self.field(bus, "mem_info_vram_total", &total.to_string());
        self.field(bus, "mem_info_vram_used", &used.to_string());
    }
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// NVIDIA's library, of one device.
#[derive(Clone, Default)]
struct FakeNvidia(Arc<Mutex<NvidiaState>>);

#[derive(Default)]
struct NvidiaState {
    /// Whether it can be loaded, and how often that was tried.
    is_installed: bool,
    loads: u32,
    is_lost: bool,
    memory: Option<DeviceMemory>,
    holders: Vec<Holder>,
    samples: Vec<Sample>,
    questions: u32,
}

impl FakeNvidia {
    fn installed() -> Self {
        let fake = Self::default();
        fake.set(|state| state.is_installed = true);
        fake
    }

    fn set<T>(&self, change: impl FnOnce(&mut NvidiaState) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn answer<T>(&self, answer: impl FnOnce(&NvidiaState) -> T) -> Result<T, NvidiaError> {
        self.set(|state| {
            state.questions += 1;
            let lost = || NvidiaError::Device { bus: NVIDIA.to_owned(), why: "lost".to_owned() };
            (!state.is_lost).then(|| answer(state)).ok_or_else(lost)
        })
    }
}

impl Nvidia for FakeNvidia {
    fn memory(&mut self, _bus: &str) -> Result<Option<DeviceMemory>, NvidiaError> {
        self.answer(|state| state.memory)
    }

    fn holders(&mut self, _bus: &str) -> Result<Vec<Holder>, NvidiaError> {
        self.answer(|state| state.holders.clone())
    }

    fn samples(&mut self, _bus: &str, _after_us: u64) -> Result<Vec<Sample>, NvidiaError> {
        self.answer(|state| state.samples.clone())
    }
}

fn device(index: u32, vendor: &str, kind: DeviceKind, bus: Option<&str>) -> DeviceInfo {
    DeviceInfo {
        index,
        name: "d".to_owned(),
        vendor: vendor.to_owned(),
        kind,
        backend: "vulkan".to_owned(),
        driver: String::new(),
        pci_bus_id: bus.map(str::to_owned),
        vram_bytes: Some(8 * GIB),
        storage_buffer_bytes_max: 0,
        features: Vec::new(),
    }
}

fn amd() -> DeviceInfo {
    device(0, "AMD", DeviceKind::Discrete, Some(AMD))
}

fn nvidia() -> DeviceInfo {
    device(1, "NVIDIA", DeviceKind::Discrete, Some(NVIDIA))
}

/// A machine, and a probe of it.
struct Bench {
    proc: FakeProc,
    sys: FakeSys,
    library: FakeNvidia,
    probe: GpuUsers,
    watched: Watched,
}

impl Bench {
    fn with(devices: Vec<DeviceInfo>, library: FakeNvidia) -> Self {
        let (proc, sys) = (FakeProc::new(), FakeSys::new());
        proc.process(1, "systemd", 0);
        proc.process(OWN, "lull-worker", 1);
        let roots = Roots { proc: proc.path(), sys: sys.path() };
        let load = {
            let library = library.clone();
            move || {
                library.set(|state| {
                    state.loads += 1;
                    state.is_installed.then_some(()).ok_or(NvidiaError::Library("not installed".to_owned()))
                })?;
                Ok(Box::new(library.clone()) as Box<dyn Nvidia>)
            }
        };
        let probe = GpuUsers::of(Drivers::of(roots, OWN, Box::new(load)));
        Self { proc, sys, library, probe, watched: Watched { devices, at_work: true, ..Watched::default() } }
    }

    fn of(devices: Vec<DeviceInfo>) -> Self {
        Self::with(devices, FakeNvidia::installed())
    }

    /// What a look after so many seconds tells anew.
    fn look(&mut self, at: u64) -> Result<Vec<Observation>, ProbeError> {
        self.probe.round(&self.watched, Duration::from_secs(at))?;
        Ok(self.probe.found.drain(..).collect())
    }

    fn finds(&mut self, at: u64, expected: &[Observation]) {
        assert_eq!(self.look(at).as_deref(), Ok(expected), "at {at} s");
    }
}

fn free(device: u32) -> Observation {
    Observation::GpuUse { device, by: None }
}

fn used(device: u32, program: &str, need: GpuNeed) -> Observation {
    Observation::GpuUse { device, by: Some(GpuUse { program: Some(program.to_owned()), need }) }
}

#[test]
fn a_game_on_amds_is_found_and_its_end() {
    let mut bench = Bench::of(vec![amd()]);
    bench.finds(0, &[free(0)]);
    bench.finds(1, &[]);
    bench.proc.process(500, "game", 1);
    bench.proc.amdgpu(500, 9, AMD, 7, 0, 500);
    // It is new, then looked at, and then it has worked half of a second twice.
    bench.finds(2, &[]);
    bench.finds(3, &[]);
    bench.proc.amdgpu(500, 9, AMD, 7, 500, 500);
    bench.finds(4, &[]);
    bench.proc.amdgpu(500, 9, AMD, 7, 1000, 500);
    bench.finds(5, &[used(0, "game", GpuNeed::Time)]);
    for at in 6..12 {
        bench.finds(at, &[]);
    }
    bench.proc.remove(500);
    bench.finds(12, &[free(0)]);
}

#[test]
fn our_own_work_is_nobodys_need() {
    let mut bench = Bench::of(vec![amd()]);
    bench.proc.process(70, "lull-runtime-gp", OWN);
    bench.sys.vram(AMD, 8 * GIB, 8 * GIB);
    for at in 0..30 {
        bench.proc.amdgpu(70, 9, AMD, 7, at * 1000, 7000);
        let first: &[Observation] = &[free(0)];
        bench.finds(at, if at == 0 { first } else { &[] });
    }
}

#[test]
fn memory_that_is_short_is_found_at_once() {
    let mut bench = Bench::of(vec![amd()]);
    bench.proc.process(500, "game", 1);
    bench.proc.amdgpu(500, 9, AMD, 7, 0, 3000);
    bench.sys.vram(AMD, 8 * GIB, 4 * GIB);
    bench.finds(0, &[free(0)]);
    bench.sys.vram(AMD, 8 * GIB, 8 * GIB - (100 << 20));
    bench.finds(1, &[used(0, "game", GpuNeed::Memory)]);
    // What we held is free again.
    bench.sys.vram(AMD, 8 * GIB, 3 * GIB);
    for at in 2..10 {
        bench.finds(at, &[]);
    }
    bench.finds(10, &[free(0)]);
}

#[test]
fn the_memory_of_a_device_that_shares_the_systems_is_never_short() {
    let mut bench = Bench::of(vec![DeviceInfo { kind: DeviceKind::Integrated, ..amd() }]);
    bench.proc.process(500, "game", 1);
    bench.proc.amdgpu(500, 9, AMD, 7, 0, 3000);
    bench.sys.vram(AMD, 4 * GIB, 4 * GIB);
    bench.finds(0, &[free(0)]);
    bench.finds(1, &[]);
}

#[test]
fn the_memory_of_intels_is_counted_by_its_clients() {
    let intel = || device(2, "Intel", DeviceKind::Discrete, Some(INTEL));
    let mut bench = Bench::of(vec![intel()]);
    bench.proc.process(500, "game", 1);
    let text = |mebibytes: u64| {
        format!(
            "drm-driver:\txe\ndrm-pdev:\t{INTEL}\ndrm-client-id:\t4\ndrm-resident-vram0:\t{mebibytes} MiB\n"
        )
    };
    bench.proc.gpu(500, 4, &text(7000));
    bench.finds(0, &[free(2)]);
    bench.proc.gpu(500, 4, &text(7800));
    bench.finds(1, &[used(2, "game", GpuNeed::Memory)]);
}

#[test]
fn a_device_that_sleeps_is_left_alone() {
    let mut bench = Bench::of(vec![amd(), nvidia()]);
    bench.proc.process(500, "game", 1);
    for bus in [AMD, NVIDIA] {
        bench.sys.field(bus, "power/runtime_status", "suspended");
    }
    for at in 0..10 {
        // It would be told of, if it were asked.
        bench.proc.amdgpu(500, 9, AMD, 7, at * 1000, 500);
        let first: &[Observation] = &[free(0), free(1)];
        bench.finds(at, if at == 0 { first } else { &[] });
    }
    bench.library.set(|state| assert_eq!((state.loads, state.questions), (0, 0)));
}

#[test]
fn while_nobody_works_a_quiet_device_is_told_by_the_whole() {
    let mut bench = Bench::of(vec![amd()]);
    bench.sys.field(AMD, "power/control", "on");
    bench.sys.field(AMD, "gpu_busy_percent", "9");
    bench.sys.vram(AMD, 8 * GIB, GIB);
    bench.proc.process(500, "game", 1);
    let mut busy = 0;
    let mut half_a_second_more = |bench: &Bench| {
        busy += 500;
        bench.proc.amdgpu(500, 9, AMD, 7, busy, 500);
    };
    bench.watched.at_work = false;
    bench.finds(0, &[free(0)]);
    for at in 1..10 {
        half_a_second_more(&bench);
        bench.finds(at, &[]);
    }
    // While we work, by each process.
    bench.watched.at_work = true;
    for at in 11..13 {
        half_a_second_more(&bench);
        bench.finds(at, &[]);
    }
    half_a_second_more(&bench);
    bench.finds(13, &[used(0, "game", GpuNeed::Time)]);
    // And until what was found is over.
    bench.watched.at_work = false;
    for at in 14..40 {
        half_a_second_more(&bench);
        bench.finds(at, &[]);
    }
}

#[test]
fn a_game_on_nvidias_is_found_by_the_library() {
    let mut bench = Bench::of(vec![nvidia()]);
    bench.proc.process(500, "game", 1);
    bench.proc.process(70, "lull-runtime-gp", OWN);
    let sample = |pid, at_us, cores_percent| Sample { pid, at_us, cores_percent, ..Sample::default() };
    bench.finds(0, &[free(1)]);
    for at in 1..5 {
        bench.library.set(|state| state.samples = vec![sample(70, at * 100, 99), sample(4000, at * 100, 99)]);
        bench.finds(at, &[]);
    }
    bench.library.set(|state| state.samples = vec![sample(70, 600, 50), sample(500, 600, 50)]);
    bench.finds(5, &[]);
    bench.library.set(|state| state.samples = vec![sample(70, 700, 50), sample(500, 700, 50)]);
    bench.finds(6, &[used(1, "game", GpuNeed::Time)]);
    // A card of the kernel's own driver is told of by that.
    bench.sys.field(NVIDIA, "power/control", "on");
    bench.sys.driver(NVIDIA, "nouveau");
    let questions = bench.library.set(|state| state.questions);
    bench.probe.release();
    bench.finds(7, &[free(1), free(1)]);
    bench.library.set(|state| assert_eq!(state.questions, questions));
}

#[test]
fn a_library_that_is_missing_is_an_error_and_hides_no_other_device() {
    let mut bench = Bench::with(vec![nvidia()], FakeNvidia::default());
    let error = bench.look(0).unwrap_err();
    assert!(error.to_string().contains("not installed"), "{error}");
    // It is there half a minute later.
    assert!(bench.look(29).is_err());
    bench.library.set(|state| {
        assert_eq!(state.loads, 1);
        state.is_installed = true;
    });
    bench.finds(30, &[free(1)]);
    let mut bench = Bench::with(vec![amd(), nvidia()], FakeNvidia::default());
    bench.finds(0, &[free(0)]);
    bench.finds(1, &[]);
    let missed: Vec<_> = bench.probe.missed.drain(..).map(|error| error.to_string()).collect();
    assert!(matches!(&missed[..], [error] if error.contains("not installed")), "{missed:?}");
    bench.library.set(|state| state.is_installed = true);
    bench.finds(31, &[free(1)]);
}

#[test]
fn a_device_that_is_lost_holds_nothing_and_one_missed_reading_is_nothing() {
    let mut bench = Bench::of(vec![amd(), nvidia()]);
    bench.proc.process(500, "game", 1);
    let busy = |bench: &Bench, at_us: u64| {
        bench.library.set(|state| {
            state.samples = vec![Sample { pid: 500, at_us, cores_percent: 90, ..Sample::default() }];
        });
    };
    bench.finds(0, &[free(0), free(1)]);
    busy(&bench, 100);
    bench.finds(1, &[]);
    busy(&bench, 200);
    bench.finds(2, &[used(1, "game", GpuNeed::Time)]);
    bench.library.set(|state| state.is_lost = true);
    bench.finds(3, &[]);
    bench.finds(4, &[]);
    bench.finds(5, &[free(1)]);
    bench.finds(6, &[]);
    bench.library.set(|state| state.is_lost = false);
    bench.finds(7, &[free(1)]);
    // Alone, it is an error, and told anew when it is back.
    bench.watched.devices = vec![nvidia()];
    bench.library.set(|state| state.is_lost = true);
    bench.finds(8, &[]);
    bench.finds(9, &[]);
    assert!(bench.look(10).is_err());
    bench.library.set(|state| state.is_lost = false);
    bench.finds(40, &[free(1)]);
}

#[test]
fn a_device_that_is_not_lent_any_more_holds_nothing() {
    let mut bench = Bench::of(vec![amd()]);
    bench.proc.process(500, "game", 1);
    let mut at = 0;
    let mut until_found = |bench: &mut Bench| loop {
        bench.proc.amdgpu(500, 9, AMD, 7, at * 1000, 500);
        let found = bench.look(at).unwrap();
        at += 1;
        if found == [used(0, "game", GpuNeed::Time)] {
            break;
        }
        assert!(at < 100, "it is found");
    };
    until_found(&mut bench);
    bench.watched.devices = vec![nvidia()];
    bench.finds(200, &[free(0), free(1)]);
    // Another device in its place is another device.
    bench.watched.devices = vec![device(1, "AMD", DeviceKind::Discrete, Some("0000:0B:00.0"))];
    bench.finds(201, &[free(1)]);
}

#[test]
fn what_cannot_be_watched_is_not() {
    let check = |device: DeviceInfo, expected: bool| {
        let watched = Watched { devices: vec![device], ..Watched::default() };
        assert_eq!(is_to_be_watched::<Drivers>(&watched), expected, "{:?}", watched.devices);
    };
    check(amd(), true);
    check(device(0, "AMD", DeviceKind::Integrated, Some("0000:0B:00.0")), true);
    check(device(0, "Mesa", DeviceKind::Software, None), false);
    check(device(0, "Mesa", DeviceKind::Software, Some(AMD)), false);
    check(device(0, "AMD", DeviceKind::Discrete, None), false);
    check(device(0, "AMD", DeviceKind::Discrete, Some("../../etc")), false);
}

#[test]
fn it_is_looked_often_while_there_is_work_and_at_once_at_a_new_device() {
    let mut bench = Bench::of(vec![amd()]);
    let at = Duration::from_millis;
    assert_eq!(bench.probe.rest(&bench.watched, at(0)), None);
    bench.finds(0, &[free(0)]);
    assert_eq!(bench.probe.rest(&bench.watched, at(200)), Some(at(800)));
    assert_eq!(bench.probe.rest(&bench.watched, at(1000)), None);
    bench.watched.at_work = false;
    assert_eq!(bench.probe.rest(&bench.watched, at(1000)), Some(at(2000)));
    bench.watched.devices.push(nvidia());
    assert_eq!(bench.probe.rest(&bench.watched, at(200)), None);
}

#[test]
fn a_probe_tells_each_device_at_once_and_that_nothing_holds_when_its_guard_is_not_wanted() {
    let bench = Bench::of(vec![amd(), nvidia()]);
    let watch = Watch::default();
    let mut probe = bench.probe;
    // Nothing is known of devices yet.
    let (told, tells) = std::sync::mpsc::channel();
    let thread = std::thread::spawn({
        let watch = watch.clone();
        move || {
            while told.send(probe.next(&watch)).is_ok() {}
        }
    });
    watch.tell(bench.watched.clone());
    assert_eq!(tells.recv().unwrap(), Ok(free(0)));
    assert_eq!(tells.recv().unwrap(), Ok(free(1)));
    // What was found is told once more as gone.
    bench.library.set(|state| {
        state.memory = Some(DeviceMemory { free_bytes: 0, total_bytes: 8 * GIB });
        state.holders = vec![Holder { pid: 1, memory_bytes: Some(4 * GIB) }];
    });
    assert_eq!(tells.recv().unwrap(), Ok(used(1, "systemd", GpuNeed::Memory)));
    let unwanted = GuardRules { gpu_use: false, ..GuardRules::default() };
    let unwatched = Watched { rules: unwanted, ..bench.watched.clone() };
    watch.tell(unwatched.clone());
    assert_eq!(tells.recv().unwrap(), Ok(free(1)));
    // Wanted again, all is told anew.
    watch.tell(bench.watched.clone());
    assert_eq!(tells.recv().unwrap(), Ok(free(0)));
    assert_eq!(tells.recv().unwrap(), Ok(used(1, "systemd", GpuNeed::Memory)));
    // It ends with nobody to tell.
    drop(tells);
    watch.tell(unwatched);
    thread.join().unwrap();
}

/// Nothing here waits, so that on an idle machine the time is the processor's; what the kernel tells of that is in steps of
/// milliseconds.
#[test]
#[ignore = "prints what a round costs and checks nothing: run it alone, with --release and --nocapture"]
fn the_cost_of_a_round() {
    const PROCESSES: usize = 300;
    const ROUNDS: u32 = 600;
    // 48 open files each, as programs of a desktop have.
    let script = "i=3; while [ $i -lt 51 ]; do eval \"exec $i</dev/null\"; i=$((i+1)); done; exec sleep 600";
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|_| std::process::Command::new("/bin/bash").args(["-c", script]).spawn().unwrap())
        .collect();
    let listed = || {
        fs::read_dir("/proc").unwrap().flatten().filter(|entry| entry.path().join("stat").exists()).count()
    };
    // Each has begun when it is a sleep.
    for child in &children {
        while fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap().trim() != "sleep" {
            std::thread::yield_now();
        }
    }
    println!("{} processes", listed());
    // Clients of a driver are not to be had here; texts of the same length are read from a folder of files, each round.
    let proc = FakeProc::new();
    const CLIENTS: u32 = 20;
    for pid in 1..=CLIENTS {
        proc.process(pid, "program", 0);
        proc.amdgpu(pid, 9, AMD, u64::from(pid), 1, 100);
    }
    let mut people = People::new(PathBuf::from("/proc"), std::process::id());
    let mut files = files::GpuFiles::new(PathBuf::from("/proc"));
    let mut drm = Drm::new(proc.path());
    let wanted = BTreeSet::from([AMD.to_owned()]);
    let pids: Vec<u32> = children.iter().take(CLIENTS as usize).map(std::process::Child::id).collect();
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let now = Duration::from_secs(round.into());
        let began = Instant::now();
        people.set_time(now);
        files.look(now).unwrap();
        let looked = Instant::now();
        for pid in &pids {
            crate::gpu_use::Processes::who(&mut people, *pid);
        }
        let asked = Instant::now();
        drm.read(now, &wanted, &mut people).unwrap();
        rounds.push((looked - began, asked - looked, asked.elapsed()));
    }
    for child in &mut children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let (first, rest) = rounds.split_first().unwrap();
    println!("the first look: {:?}", first.0);
    for (what, of) in [
        ("look for files", (|round| round.0) as fn(&(Duration, Duration, Duration)) -> Duration),
        ("whose they are", |round| round.1),
        ("read 20 clients", |round| round.2),
        ("all", |round| round.0 + round.1 + round.2),
    ] {
        let mut costs: Vec<Duration> = rest.iter().map(of).collect();
        costs.sort_unstable();
        let mean = costs.iter().sum::<Duration>() / ROUNDS;
        let (median, p99) = (costs[costs.len() / 2], costs[costs.len() * 99 / 100]);
        println!("{what}: {mean:?} a round on average, {median:?} p50, {p99:?} p99");
    }
}
