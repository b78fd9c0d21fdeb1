//! A worker's machine on a journal, with the shell's part played here.

use std::collections::BTreeMap;
use std::time::Duration;

use lull_network_api::{Assignment, NetworkTicket};
use lull_types::{
    BenchmarkReport, BlobHash, DeviceInfo, DeviceKind, Fault, HardwareReport, JOB_KIND_WGSL, Measure,
    Measurement, NetworkId, SecretKey, WorkerId,
};
use lull_worker::journal::Journal;
use lull_worker::machine::{
    Effect, FoundDevices, Identity, Input, LeaseId, Machine, Order, Record, RunEnd, SessionId,
    TransferFailure,
};
use lull_worker_api::PauseFor;
use rand::Rng;

use super::network::truth;
use super::world::{Event, Stage};

/// A worker.
pub struct Worker {
    index: usize,
    key: SecretKey,
    cheats: bool,
    ticket: NetworkTicket,
    folder: tempfile::TempDir,
    alive: Option<(Machine, Journal)>,
    life: u32,
    /// Leases in use: what is told when they end.
    leases: BTreeMap<LeaseId, bool>,
    rejections: u64,
    paused: bool,
}

fn device() -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: "GPU".to_owned(),
        vendor: "NVIDIA".to_owned(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "1".to_owned(),
        pci_bus_id: None,
        vram_bytes: Some(8 << 30),
        storage_buffer_bytes_max: 1 << 30,
        features: Vec::new(),
    }
}

fn found() -> FoundDevices {
    let hardware = HardwareReport {
        os: "Linux".to_owned(),
        cpu: "CPU".to_owned(),
        cpu_threads: 8,
        memory_bytes: 16 << 30,
        devices: vec![device()],
    };
    FoundDevices { hardware, kinds: vec![JOB_KIND_WGSL.to_owned()], sandbox: Vec::new() }
}

fn measured(stage: &Stage) -> BenchmarkReport {
    // Within what the network believes of every measure.
    let measurement = |measure| Measurement::new(measure, vec![8.0; 5], "simulated", true);
    let measurements = Measure::ORDINARY.map(measurement).to_vec();
    BenchmarkReport::new(device(), "0", stage.now, Duration::from_secs(1), measurements)
}

impl Worker {
    /// A worker that starts and joins.
    pub fn new(index: usize, cheats: bool, ticket: NetworkTicket, stage: &mut Stage) -> Self {
        let key = SecretKey::from_bytes(&[u8::try_from(index).unwrap() + 1; 32]);
        // Kept in memory where there is such a folder: what is tested is the order of writes, not the disk.
        let memory = std::path::Path::new("/dev/shm");
        let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let mut worker = Self {
            index,
            key,
            cheats,
            ticket,
            folder: folder.unwrap(),
            alive: None,
            life: 0,
            leases: BTreeMap::new(),
            rejections: 0,
            paused: false,
        };
        worker.start(stage);
        worker
    }

    pub fn id(&self) -> WorkerId {
        self.key.worker_id()
    }

    pub fn index(&self) -> usize {
        self.index
    }

    pub fn cheats(&self) -> bool {
        self.cheats
    }

    pub fn rejections(&self) -> u64 {
        self.rejections
    }

    pub fn lives(&self, life: u32) -> bool {
        self.alive.is_some() && self.life == life
    }

    /// Starts, or starts again on the same journal.
    pub fn start(&mut self, stage: &mut Stage) {
        self.life += 1;
        self.leases.clear();
        self.paused = false;
        let journal = Journal::open(&self.folder.path().join("journal.db"), stage.now).unwrap();
        let restored = journal.restore().unwrap();
        let joined = restored.network.is_some();
        let identity = Identity {
            key: self.key.clone(),
            worker_version: "0".to_owned(),
            seed: stage.chance.random(),
            zone: lull_guards::TimeZone::UTC,
        };
        let (machine, effects) = Machine::start(identity, restored, stage.now);
        self.alive = Some((machine, journal));
        self.carry_out(effects, stage);
        if !joined {
            self.tell(self.life, Input::Order(Order::Join(Some(self.ticket.clone()))), stage);
        }
    }

    /// Ends at once, and comes back after a while.
    pub fn crash(&mut self, stage: &mut Stage) {
        if self.alive.take().is_some() {
            let down = stage.chance.random_range(100..10_000);
            stage.after(down, Event::WorkerStarts { worker: self.index });
        }
    }

    /// The person pauses, or goes on.
    pub fn pause_or_resume(&mut self, stage: &mut Stage) {
        self.paused = !self.paused;
        let order = if self.paused {
            Order::Pause { duration: PauseFor::Minutes(1), device: None }
        } else {
            Order::Resume { device: None }
        };
        self.tell(self.life, Input::Order(order), stage);
    }

    /// Tells the machine, if it is still in that life.
    pub fn tell(&mut self, life: u32, input: Input, stage: &mut Stage) {
        if !self.lives(life) {
            return;
        }
        match &input {
            Input::Freed { lease } => drop(self.leases.remove(lease)),
            // A run that was cancelled has told its end already.
            Input::RunEnded { lease, .. } | Input::BenchmarkEnded { lease, .. } => {
                match self.leases.get_mut(lease) {
                    Some(ended) if !*ended => *ended = true,
                    _ => return,
                }
            }
            Input::RunStarted { lease } if self.leases.get(lease) != Some(&false) => return,
            _ => {}
        }
        let Some((machine, _)) = &mut self.alive else { return };
        let effects = machine.handle(input, stage.now);
        self.carry_out(effects, stage);
    }

    fn carry_out(&mut self, effects: Vec<Effect>, stage: &mut Stage) {
        for effect in effects {
            // A crash between any two effects.
            if stage.mishap(1) {
                self.crash(stage);
                return;
            }
            self.effect(effect, stage);
        }
        if let Some(at) = self.alive.as_ref().and_then(|(machine, _)| machine.next_deadline()) {
            stage.after(
                at.since(stage.now).as_millis() as u64,
                Event::WorkerTick { worker: self.index, life: self.life },
            );
        }
    }

    fn soon(&self, stage: &mut Stage, ms: u64, input: Input) {
        stage.after(ms, Event::Tell { worker: self.index, life: self.life, input });
    }

    fn effect(&mut self, effect: Effect, stage: &mut Stage) {
        let Some((_, journal)) = &mut self.alive else { return };
        match effect {
            Effect::SignAsWallet { .. } => unreachable!("no wallet is kept here"),
            Effect::Journal(records) => {
                journal.apply(&records).unwrap();
                let rejected = |record: &&Record| {
                    matches!(
                        record,
                        Record::Verdict { verdict: lull_network_api::Verdict::Rejected { .. }, .. }
                    )
                };
                self.rejections += records.iter().filter(rejected).count() as u64;
            }
            Effect::Restore => {
                let restored = Box::new(journal.restore().unwrap());
                self.soon(stage, 1, Input::JournalRestored(restored));
            }
            Effect::FindDevices => self.soon(stage, 50, Input::DevicesFound(Ok(found()))),
            Effect::StartBenchmark { lease, .. } => {
                self.leases.insert(lease.id, false);
                let outcome = Ok(Box::new(measured(stage)));
                self.soon(stage, 1_000, Input::BenchmarkEnded { lease: lease.id, outcome });
                self.soon(stage, 1_001, Input::Freed { lease: lease.id });
            }
            Effect::Run { lease, assignment } => self.run(lease.id, &assignment, stage),
            Effect::Cancel { lease } | Effect::Kill { lease } => {
                if self.leases.contains_key(&lease) {
                    self.soon(stage, 5, Input::RunEnded { lease, end: RunEnd::Cancelled });
                    let fault = Fault::new("cancelled", "It was stopped.");
                    self.soon(stage, 5, Input::BenchmarkEnded { lease, outcome: Err(fault) });
                    self.soon(stage, 6, Input::Freed { lease });
                }
            }
            Effect::OpenSession { session, .. } => {
                stage.after(10, Event::Dial { worker: self.index, life: self.life, session });
            }
            Effect::CloseSession { session } => {
                if let Some(link) = self.link(session, stage) {
                    let input = lull_network::engine::Input::WorkerDisconnected {
                        worker: self.id(),
                        session: lull_network::engine::SessionId(link),
                    };
                    let life = stage.links[&link].network_life;
                    // What was sent before has left; it may arrive before or after this.
                    stage.after(100, Event::TellNetwork { life, input });
                }
            }
            Effect::Send { session, message } => {
                if let Some(link) = self.link(session, stage) {
                    stage.send(|| Event::ToNetwork { link, message: (*message).clone() });
                }
            }
            Effect::Fetch { transfer, session, .. } => {
                let cut = self.link(session, stage).is_none() || stage.mishap(20);
                let input = if cut {
                    let fault = Fault::new("cut", "The connection broke.");
                    Input::FetchFailed { transfer, failure: TransferFailure::Connection(fault) }
                } else {
                    Input::Fetched { transfer, output_bytes: 1000 }
                };
                self.soon(stage, 30, input);
            }
            Effect::Upload { transfer, session, outputs, .. } => {
                let link = self.link(session, stage);
                let (worker, life) = (self.index, self.life);
                stage.after(30, Event::Put { worker, life, transfer, link, outputs });
            }
            Effect::Exit => self.crash(stage),
            Effect::StartPracticeNetwork
            | Effect::StopPracticeNetwork
            | Effect::StopTransfer { .. }
            | Effect::DropFiles { .. }
            | Effect::AnswerChallenge { .. }
            | Effect::DeclineChallenge { .. }
            | Effect::Notify(_)
            | Effect::Pace { .. }
            | Effect::PowerLimit { .. }
            | Effect::Publish => {}
        }
    }

    fn run(&mut self, lease: LeaseId, assignment: &Assignment, stage: &mut Stage) {
        self.leases.insert(lease, false);
        self.soon(stage, 20, Input::RunStarted { lease });
        let takes = stage.chance.random_range(200..20_000);
        let honest = truth(assignment.payload);
        let lie = self.cheats && stage.chance.random_bool(0.5);
        let output = if lie { BlobHash::of(b"made up") } else { honest };
        let end = if stage.mishap(20) {
            RunEnd::DeviceFault(Fault::new("device_lost", "The device was lost."))
        } else {
            RunEnd::Done { outputs: vec![output], ran_ms: takes }
        };
        self.soon(stage, takes, Input::RunEnded { lease, end });
        self.soon(stage, takes + 1, Input::Freed { lease });
    }

    fn link(&self, session: SessionId, stage: &Stage) -> Option<u64> {
        let is_mine = |link: &&u64| {
            let ends = stage.links[*link];
            (ends.worker, ends.worker_life, ends.worker_session) == (self.index, self.life, session)
        };
        stage.links.keys().find(is_mine).copied()
    }

    /// What the receipts say that are held now.
    pub fn earned(&self, network: NetworkId) -> u64 {
        let Some((_, journal)) = &self.alive else { return u64::MAX };
        let earned = journal.restore().unwrap().earned;
        earned.get(&network).map_or(0, |earned| earned.lane.cumulative().0)
    }

    /// Number and sum of all receipts, recomputed from the journal.
    pub fn verified(&mut self, network: NetworkId) -> (u64, u64) {
        let (_, journal) = self.alive.as_ref().expect("it is running in the end");
        let history = journal.all_receipts(network).unwrap();
        let tasks: std::collections::BTreeSet<_> = history.iter().map(|r| r.signed.leaf.task).collect();
        assert_eq!(tasks.len(), history.len(), "a task was paid twice");
        let checked = lull_checks::receipts::verify_all(network, self.id(), history);
        assert_eq!(checked.fault, None);
        (checked.receipts.into(), checked.total.0)
    }
}
