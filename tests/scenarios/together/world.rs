//! Time, chance, and what travels.

use std::collections::BTreeMap;

use lull_network::engine as net;
use lull_network_api::customer::JobState;
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{BlobHash, Fault, UnixMillis};
use lull_worker::machine as wrk;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::network::Network;
use super::worker::Worker;

/// Faults happen until then.
const FAULTS_UNTIL_MS: u64 = 15 * 60_000;
/// After the faults everything must have settled by then.
const SETTLED_BY_MS: u64 = FAULTS_UNTIL_MS + 12 * 3_600_000;
/// The virtual clock's first instant: some day in 2026.
const START: UnixMillis = UnixMillis(1_790_000_000_000);

/// What will happen.
#[derive(Debug)]
pub enum Event {
    /// A worker is told something, if it is still in that life.
    Tell { worker: usize, life: u32, input: wrk::Input },
    /// A worker's deadline.
    WorkerTick { worker: usize, life: u32 },
    /// A worker starts again.
    WorkerStarts { worker: usize },
    /// A worker's dial reaches the network.
    Dial { worker: usize, life: u32, session: wrk::SessionId },
    /// A message reaches the network.
    ToNetwork { link: u64, message: WorkerMessage },
    /// A message reaches a worker.
    ToWorker { link: u64, message: NetworkMessage },
    /// A worker's outputs reach the network.
    Put { worker: usize, life: u32, transfer: wrk::TransferId, link: Option<u64>, outputs: Vec<BlobHash> },
    /// The network is told something, if it is still in that life.
    TellNetwork { life: u32, input: net::Input },
    /// Every second.
    NetworkTick,
    /// The network starts again.
    NetworkStarts,
    /// Something breaks.
    Mishap,
}

/// A session, both ends.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    pub worker: usize,
    pub worker_life: u32,
    pub worker_session: wrk::SessionId,
    pub network_life: u32,
}

/// What a world came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settled {
    pub accepted: u64,
    pub rejected: u64,
    pub crashes: u64,
}

/// The machinery that both sides use: clock, chance, agenda, links.
pub struct Stage {
    pub now: UnixMillis,
    pub chance: ChaCha8Rng,
    pub links: BTreeMap<u64, Link>,
    agenda: BTreeMap<(UnixMillis, u64), Event>,
    counter: u64,
}

impl Stage {
    /// Something happens in `ms`.
    pub fn after(&mut self, ms: u64, event: Event) {
        self.counter += 1;
        self.agenda.insert((UnixMillis(self.now.0 + ms), self.counter), event);
    }

    /// A number that no other call gives.
    pub fn unique(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Whether things still go wrong.
    pub fn faulty(&self) -> bool {
        self.now.0 < START.0 + FAULTS_UNTIL_MS
    }

    /// True with a probability in thousandths, while things go wrong.
    pub fn mishap(&mut self, per_mille: u32) -> bool {
        self.faulty() && self.chance.random_range(0..1000) < per_mille
    }

    /// How long a message travels; while things go wrong, long enough to overtake and be overtaken.
    fn delay(&mut self) -> u64 {
        if self.mishap(30) { self.chance.random_range(1..5_000) } else { self.chance.random_range(1..40) }
    }

    /// A message sets off: it may be lost, doubled or late.
    pub fn send(&mut self, event: impl Fn() -> Event) {
        if self.mishap(15) {
            return;
        }
        let delay = self.delay();
        self.after(delay, event());
        if self.mishap(15) {
            let delay = self.delay();
            self.after(delay, event());
        }
    }

    /// The links of one worker's life.
    pub fn links_of(&self, worker: usize) -> Vec<u64> {
        self.links.iter().filter(|(_, link)| link.worker == worker).map(|(id, _)| *id).collect()
    }
}

/// One world.
pub struct World {
    stage: Stage,
    network: Network,
    workers: Vec<Worker>,
    crashes: u64,
}

impl World {
    /// A world with one to four workers, one of which may cheat, and a few jobs.
    pub fn new(seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed);
        let workers = chance.random_range(1..=4);
        // A cheat among three others can be outvoted also where the network has no runtime of its own.
        let cheat = (workers == 4).then_some(3);
        let mut stage =
            Stage { now: START, chance, links: BTreeMap::new(), agenda: BTreeMap::new(), counter: 0 };
        let trusted = workers < 3 || stage.chance.random_bool(0.7);
        let network = Network::new(&mut stage, trusted);
        let ticket = network.ticket();
        let workers = (0..workers)
            .map(|index| Worker::new(index, cheat == Some(index), ticket.clone(), &mut stage))
            .collect();
        stage.after(0, Event::NetworkTick);
        stage.after(1_000, Event::Mishap);
        Self { stage, network, workers, crashes: 0 }
    }

    /// Runs it until all is settled.
    pub fn run(mut self) -> Settled {
        while let Some(((at, _), event)) = self.stage.agenda.pop_first() {
            self.stage.now = at;
            assert!(at.0 < START.0 + SETTLED_BY_MS, "not settled: {}", self.unsettled().unwrap_or_default());
            // Once a second is often enough for a look at every journal.
            let look = matches!(event, Event::NetworkTick) && !self.stage.faulty();
            self.happen(event);
            if look && self.unsettled().is_none() {
                break;
            }
        }
        self.settled()
    }

    fn happen(&mut self, event: Event) {
        let Self { stage, network, workers, .. } = self;
        match event {
            Event::Tell { worker, life, input } => workers[worker].tell(life, input, stage),
            Event::WorkerTick { worker, life } => workers[worker].tell(life, wrk::Input::Tick, stage),
            Event::WorkerStarts { worker } => workers[worker].start(stage),
            Event::Dial { worker, life, session } => {
                if workers[worker].lives(life) {
                    let lost = |fault| wrk::Input::SessionLost { session, fault };
                    if network.is_up() && !stage.mishap(50) {
                        let link = stage.unique();
                        let ends = Link {
                            worker,
                            worker_life: life,
                            worker_session: session,
                            network_life: network.life(),
                        };
                        stage.links.insert(link, ends);
                        network.connected(workers[worker].id(), link, stage);
                        workers[worker].tell(life, wrk::Input::SessionOpened { session }, stage);
                    } else {
                        let fault = Fault::new("unreachable", "The network does not answer.");
                        workers[worker].tell(life, lost(fault), stage);
                    }
                }
            }
            Event::ToNetwork { link, message } => {
                if let Some(ends) = stage.links.get(&link).copied()
                    && network.lives(ends.network_life)
                {
                    network.hear(workers[ends.worker].id(), link, message, stage);
                }
            }
            Event::ToWorker { link, message } => {
                if let Some(ends) = stage.links.get(&link).copied() {
                    let input =
                        wrk::Input::NetworkSaid { session: ends.worker_session, message: Box::new(message) };
                    workers[ends.worker].tell(ends.worker_life, input, stage);
                }
            }
            Event::Put { worker, life, transfer, link, outputs } => {
                let reached = link.is_some_and(|link| stage.links.contains_key(&link)) && network.is_up();
                let stored = reached
                    && !stage.mishap(20)
                    && outputs.iter().all(|hash| network.stored(*hash, workers[worker].id(), stage));
                let input = if stored {
                    wrk::Input::Uploaded { transfer }
                } else {
                    let fault = Fault::new("cut", "The connection broke.");
                    let failure = wrk::TransferFailure::Connection(fault);
                    wrk::Input::UploadFailed { transfer, failure }
                };
                workers[worker].tell(life, input, stage);
            }
            Event::TellNetwork { life, input } => {
                if network.lives(life) {
                    network.tell(input, stage);
                }
            }
            Event::NetworkTick => {
                stage.after(1_000, Event::NetworkTick);
                if network.is_up() {
                    network.tell(net::Input::Tick, stage);
                }
            }
            Event::NetworkStarts => network.start(stage),
            Event::Mishap => self.mishap(),
        }
        if self.network.has_crashed() {
            self.cut_all();
            self.crashes += 1;
        }
    }

    /// Every second or so something breaks.
    fn mishap(&mut self) {
        let Self { stage, network, workers, .. } = self;
        if !stage.faulty() {
            return;
        }
        let next = stage.chance.random_range(500..8_000);
        stage.after(next, Event::Mishap);
        let worker = stage.chance.random_range(0..workers.len());
        match stage.chance.random_range(0..10) {
            0..3 => {
                workers[worker].crash(stage);
                self.crashes += 1;
                self.cut(worker);
            }
            3..7 => self.cut(worker),
            7 => network.crash(stage),
            _ => workers[worker].pause_or_resume(stage),
        }
    }

    /// Cuts a worker's sessions; both ends notice by and by.
    fn cut(&mut self, worker: usize) {
        for link in self.stage.links_of(worker) {
            self.cut_link(link);
        }
    }

    fn cut_all(&mut self) {
        let links: Vec<u64> = self.stage.links.keys().copied().collect();
        links.into_iter().for_each(|link| self.cut_link(link));
    }

    fn cut_link(&mut self, link: u64) {
        let Some(ends) = self.stage.links.remove(&link) else { return };
        let fault = Fault::new("cut", "The connection broke.");
        let input = wrk::Input::SessionLost { session: ends.worker_session, fault };
        let delay = self.stage.chance.random_range(1..2_000);
        self.stage.after(delay, Event::Tell { worker: ends.worker, life: ends.worker_life, input });
        let input = net::Input::WorkerDisconnected {
            worker: self.workers[ends.worker].id(),
            session: net::SessionId(link),
        };
        self.stage.after(delay, Event::TellNetwork { life: ends.network_life, input });
    }

    /// What is not yet as it must be in the end.
    fn unsettled(&self) -> Option<String> {
        if !self.network.is_up() {
            return Some("the network is down".to_owned());
        }
        if let Some(job) = self.network.jobs().into_iter().find(|job| job.state == JobState::Running) {
            return Some(format!("a job runs: {job:?}"));
        }
        for worker in &self.workers {
            let (held, owed) = (worker.earned(self.network.id()), self.network.owed(worker.id()));
            if held != owed {
                return Some(format!("worker {} holds receipts of {held}, owed are {owed}", worker.index()));
            }
        }
        None
    }

    fn settled(mut self) -> Settled {
        self.network.audit();
        let mut accepted = 0;
        for worker in &mut self.workers {
            let (receipts, total) = worker.verified(self.network.id());
            assert_eq!(total, self.network.owed(worker.id()), "worker {}", worker.index());
            accepted += receipts;
        }
        for job in self.network.jobs() {
            assert_eq!(job.reserved.0, 0, "{job:?}");
            assert_eq!(job.spent.0, u64::from(job.tasks_done) * super::network::PRICE, "{job:?}");
            assert!(job.state == JobState::Done || job.fault.is_some(), "{job:?}");
        }
        let honest = self.workers.iter().filter(|worker| !worker.cheats());
        assert_eq!(honest.map(Worker::rejections).sum::<u64>(), 0, "an honest worker was rejected");
        let rejected = self.workers.iter().map(Worker::rejections).sum();
        Settled { accepted, rejected, crashes: self.crashes }
    }
}
