//! What the kernel's drivers tell of who uses AMD's and Intel's devices.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::files::{GpuFiles, read_small};
use crate::gpu_use::fdinfo::{self, ClientId, Clients};
use crate::gpu_use::{ProcessUse, Processes};

/// Those that open devices for others and pass them on: who uses the device is the one that has it from them.
const OPENERS: &[&str] = &["systemd-logind", "elogind-daemon", "seatd", "systemd"];

/// What is older is not compared with: it would be an average over a time in which the device was not watched.
const COMPARED_WITHIN: Duration = Duration::from_secs(9);

/// A file that so often in a row told of no client is none; a driver that was busy may tell of none once.
const UNREAD_MAX: u32 = 3;

/// Reads devices by the clients of their drivers.
#[derive(Debug)]
pub struct Drm {
    proc: PathBuf,
    files: GpuFiles,
    clients: Clients,
    /// Of which device a file is, so that a device that is not asked about is not touched.
    devices: HashMap<(u32, u32), String>,
    /// How often in a row a file told of no client.
    unread: HashMap<(u32, u32), u32>,
    text: Vec<u8>,
}

/// What one process did to one device.
#[derive(Default)]
struct Tally {
    /// What each class of engines did, once that is known.
    engines: Option<HashMap<String, f64>>,
    memory_bytes: Option<u64>,
}

impl Drm {
    /// Under this `/proc`.
    pub fn new(proc: PathBuf) -> Self {
        Self {
            files: GpuFiles::new(proc.clone()),
            proc,
            clients: Clients::default(),
            devices: HashMap::new(),
            unread: HashMap::new(),
            text: Vec::new(),
        }
    }

    /// Who uses the devices at these PCI addresses.
    ///
    /// # Errors
    /// When processes cannot be listed.
    pub fn read(
        &mut self,
        now: Duration,
        wanted: &BTreeSet<String>,
        processes: &mut dyn Processes,
    ) -> io::Result<BTreeMap<String, Vec<ProcessUse>>> {
        self.clients.keep_read_since(now.saturating_sub(COMPARED_WITHIN));
        self.files.look(now)?;
        let files = self.files.all();
        let there: HashSet<_> = files.iter().copied().collect();
        self.devices.retain(|file, _| there.contains(file));
        self.unread.retain(|file, _| there.contains(file));
        let mut tallies = BTreeMap::<(String, u32), Tally>::new();
        let mut counted = HashMap::<ClientId, u32>::new();
        for (pid, file) in files {
            if self.devices.get(&(pid, file)).is_some_and(|device| !wanted.contains(device)) {
                continue;
            }
            if let Err(error) = read_small(&self.proc.join(format!("{pid}/fdinfo/{file}")), &mut self.text) {
                if error.kind() == io::ErrorKind::NotFound {
                    self.files.forget(pid, file);
                }
                continue;
            }
            let Some(client) = fdinfo::parse(&self.text) else {
                let times = self.unread.entry((pid, file)).or_default();
                *times += 1;
                if *times >= UNREAD_MAX {
                    self.files.forget(pid, file);
                }
                continue;
            };
            self.unread.remove(&(pid, file));
            self.devices.insert((pid, file), client.id.pci_bus_id.clone());
            if !wanted.contains(&client.id.pci_bus_id) || opens_for_others(processes, pid) {
                continue;
            }
            // A client that several have open is the one's who has it for longest.
            if let Some(of) = counted.insert(client.id.clone(), pid) {
                counted.insert(client.id, of);
                if of == pid {
                    self.files.forget(pid, file);
                }
                continue;
            }
            let tally = tallies.entry((client.id.pci_bus_id.clone(), pid)).or_default();
            if let Some(shares) = self.clients.shares(&client, now) {
                let engines = tally.engines.get_or_insert_default();
                for (engine, share) in shares {
                    *engines.entry(engine).or_default() += share;
                }
            }
            if let Some(bytes) = client.memory_bytes {
                tally.memory_bytes = Some(tally.memory_bytes.unwrap_or(0).saturating_add(bytes));
            }
        }
        let mut uses: BTreeMap<String, Vec<ProcessUse>> =
            wanted.iter().map(|device| (device.clone(), Vec::new())).collect();
        for ((device, pid), tally) in tallies {
            let Some((who, uses)) = processes.who(pid).zip(uses.get_mut(&device)) else { continue };
            uses.push(ProcessUse {
                pid,
                program: who.program,
                is_ours: who.is_ours,
                load: tally.engines.map(|engines| engines.into_values().fold(0.0, f64::max).min(1.0)),
                memory_bytes: tally.memory_bytes,
            });
        }
        Ok(uses)
    }
}

fn opens_for_others(processes: &mut dyn Processes, pid: u32) -> bool {
    let program = processes.who(pid).and_then(|who| who.program);
    program.is_some_and(|program| OPENERS.contains(&program.as_str()))
}

#[cfg(test)]
mod tests {
    use super::super::people::People;
    use super::super::tests::{AMD, FakeProc, INTEL};
    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn read(drm: &mut Drm, proc: &FakeProc, at: u64, wanted: &[&str]) -> BTreeMap<String, Vec<ProcessUse>> {
        let wanted = wanted.iter().map(|bus| (*bus).to_owned()).collect();
        drm.read(seconds(at), &wanted, &mut People::new(proc.path(), 60)).unwrap()
    }

    /// Processes, what each did, and what each holds in mebibytes.
    fn uses(of: &BTreeMap<String, Vec<ProcessUse>>, device: &str) -> Vec<(u32, Option<f64>, Option<u64>)> {
        of[device].iter().map(|by| (by.pid, by.load, by.memory_bytes.map(|bytes| bytes >> 20))).collect()
    }

    #[test]
    fn descriptors_of_one_client_count_once() {
        let proc = FakeProc::new();
        // Process 7 has the client twice, its child has it from its parent, and the session's manager opened it.
        for (pid, name, parent) in [(3, "systemd-logind", 1), (7, "game", 1), (8, "child", 7)] {
            proc.process(pid, name, parent);
        }
        let write = |busy_ms: u64| {
            for (pid, file) in [(3, 5), (7, 10), (7, 11), (8, 10)] {
                proc.amdgpu(pid, file, AMD, 217, busy_ms, 100);
            }
            // Another client of the same process, and one of another device.
            proc.amdgpu(7, 12, AMD, 218, busy_ms / 2, 50);
            proc.amdgpu(7, 13, INTEL, 217, busy_ms, 7);
        };
        let mut drm = Drm::new(proc.path());
        write(1000);
        let first = read(&mut drm, &proc, 1, &[AMD, INTEL]);
        assert_eq!(uses(&first, AMD), [(7, None, Some(150))]);
        assert_eq!(uses(&first, INTEL), [(7, None, Some(7))]);
        write(1200);
        let then = read(&mut drm, &proc, 2, &[AMD, INTEL]);
        let load = then[AMD][0].load.unwrap();
        assert!((load - 0.3).abs() < 1e-9, "{load}");
        assert_eq!(then[AMD].len(), 1);
        assert_eq!(then[AMD][0].program.as_deref(), Some("game"));
        // One that ends leaves what it had to the other.
        proc.remove(7);
        write_one(&proc, 1300);
        assert_eq!(uses(&read(&mut drm, &proc, 3, &[AMD]), AMD), [(8, Some(0.1), Some(100))]);
    }

    fn write_one(proc: &FakeProc, busy_ms: u64) {
        proc.amdgpu(8, 10, AMD, 217, busy_ms, 100);
    }

    #[test]
    fn the_busiest_class_of_engines_counts() {
        let proc = FakeProc::new();
        proc.process(7, "film", 1);
        let write = |gfx_ms: u64, decoder_ms: u64| {
            let text = format!(
                "drm-driver:\tamdgpu\ndrm-pdev:\t{AMD}\ndrm-client-id:\t5\n\
                 drm-engine-gfx:\t{gfx_ms}000000 ns\ndrm-engine-dec:\t{decoder_ms}000000 ns\n"
            );
            proc.gpu(7, 4, &text);
        };
        let mut drm = Drm::new(proc.path());
        write(1000, 1000);
        read(&mut drm, &proc, 1, &[AMD]);
        write(1200, 1400);
        let load = read(&mut drm, &proc, 2, &[AMD])[AMD][0].load.unwrap();
        assert!((load - 0.4).abs() < 1e-9, "{load}");
    }

    #[test]
    fn a_device_that_is_not_asked_about_is_not_touched() {
        let proc = FakeProc::new();
        proc.process(7, "game", 1);
        proc.amdgpu(7, 10, AMD, 217, 1000, 100);
        proc.amdgpu(7, 11, INTEL, 3, 1000, 100);
        let mut drm = Drm::new(proc.path());
        assert_eq!(uses(&read(&mut drm, &proc, 1, &[AMD]), AMD).len(), 1);
        // It would be told of now, if it were read.
        proc.amdgpu(7, 11, AMD, 999, 1000, 100);
        assert_eq!(uses(&read(&mut drm, &proc, 2, &[AMD]), AMD), [(7, Some(0.0), Some(100))]);
        assert_eq!(uses(&read(&mut drm, &proc, 3, &[AMD, INTEL]), AMD), [(7, Some(0.0), Some(200))]);
    }

    #[test]
    fn a_reading_from_long_ago_is_not_compared_with() {
        let proc = FakeProc::new();
        proc.process(7, "game", 1);
        let mut drm = Drm::new(proc.path());
        proc.amdgpu(7, 10, AMD, 217, 1000, 100);
        read(&mut drm, &proc, 1, &[AMD]);
        proc.amdgpu(7, 10, AMD, 217, 50_000, 100);
        assert_eq!(uses(&read(&mut drm, &proc, 60, &[AMD]), AMD), [(7, None, Some(100))]);
        proc.amdgpu(7, 10, AMD, 217, 50_500, 100);
        assert_eq!(uses(&read(&mut drm, &proc, 61, &[AMD]), AMD), [(7, Some(0.5), Some(100))]);
    }

    #[test]
    fn files_that_are_no_clients_or_gone_are_nothing() {
        let proc = FakeProc::new();
        proc.process(7, "game", 1);
        proc.gpu(7, 3, "pos:\t0\nflags:\t02\n");
        proc.gpu(7, 4, "\u{0}\u{1}drm-pdev");
        proc.link(7, "fd/5", "/dev/dri/card0");
        proc.amdgpu(7, 6, AMD, 217, 1000, 100);
        let mut drm = Drm::new(proc.path());
        assert_eq!(uses(&read(&mut drm, &proc, 1, &[AMD]), AMD), [(7, None, Some(100))]);
        assert_eq!(drm.files.all(), [(7, 3), (7, 4), (7, 6)], "one is gone");
        // A driver that was busy once.
        proc.gpu(7, 6, "pos:\t0\n");
        assert_eq!(uses(&read(&mut drm, &proc, 2, &[AMD]), AMD), []);
        proc.amdgpu(7, 6, AMD, 217, 1500, 100);
        assert_eq!(uses(&read(&mut drm, &proc, 3, &[AMD]), AMD), [(7, Some(0.25), Some(100))]);
        assert_eq!(drm.files.all(), [(7, 6)], "the others are not read again");
    }
}
