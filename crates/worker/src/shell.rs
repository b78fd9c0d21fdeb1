//! The worker's IO: tells the machine what happens and does what it wants.
//!
//! One loop owns the machine. Whatever takes time runs in a task of its own and comes back as an [`Input`]; the
//! loop itself waits for nothing but the journal, which must be written before what follows from it.

mod challenges;
mod data;
mod handle;
pub mod measuring;
mod opened;
mod power;
mod practice;
mod price_watch;
mod publisher;
mod recorder;
mod runtimes;
mod sampler;
mod shifts;
mod store;
mod tasks;
mod transfers;
mod view;
mod watching;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use iroh::endpoint::Connection;
use lull_guards::{Observation, Probe, TimeZone, Watch, Watched};
use lull_types::{Cause, Coded, Fault, Guard, NetworkId, SecretKey, Tariff, UnixMillis};
use lull_worker_api::{Snapshot, StateView};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::blobs::{BlobCache, CACHE_BYTES_MAX};
use crate::clock;
use crate::kept_wallet::WalletKeys;
use crate::machine::{Effect, Identity, Input, LeaseId, Machine, SessionId};
use crate::models::Models;
use crate::paths::Paths;
use crate::power::{Keeper, MakeControl};
use crate::power_price::{ListTold, PowerPrices};
use crate::prices::PriceReader;
use crate::session::{Dialer, Link};
use crate::telemetry::{KeptEnergy, Source};
use challenges::Challenges;
use data::DataTap;
use handle::Request;
pub use handle::{Handle, Look};
use opened::Opened;
pub use practice::NETWORK_BIN_ENV;
use practice::Practice;
pub use publisher::PUBLISH_INTERVAL;
use publisher::Publisher;
use recorder::SharedSource;
pub use runtimes::RuntimeSource;
use runtimes::{Context, Runtimes};
use shifts::Shifts;
pub use store::Store;
use transfers::Transfers;
use view::Viewer;

/// Inputs that wait for the loop. Tasks wait when it is full; a machine full of GPUs has dozens under way.
const INPUTS_MAX: usize = 256;

/// Requests that wait for the loop; as many as the local API has under way.
const REQUESTS_MAX: usize = 64;

/// The longest sleep before a deadline. A machine that was suspended, or whose clock was set, meets its
/// deadlines late by this at most.
const SLEEP_MAX: Duration = Duration::from_secs(60);

/// The shortest time from one tick to the next, so that a deadline which the machine leaves in the past costs
/// a little time and not all of it.
const TICK_INTERVAL_MIN: Duration = Duration::from_millis(10);

/// What a worker is made from.
pub struct Options {
    /// Its folder; the caller holds its lock.
    pub paths: Paths,
    /// The device key.
    pub key: SecretKey,
    /// Its runtimes.
    pub runtime: RuntimeSource,
    /// Where models are kept.
    pub models: Arc<dyn Models>,
    /// The practice network's program; `None` looks for the installed one.
    pub network_program: Option<PathBuf>,
    /// Where the devices' figures come from.
    pub telemetry: Box<dyn Source>,
    /// Where keys of wallets are kept.
    pub wallet_keys: WalletKeys,
    /// What reads lists of prices of power.
    pub prices: Box<dyn PriceReader>,
    /// What watches the machine for guards.
    pub probes: Vec<Box<dyn Probe>>,
    /// What changes the power limits of boards.
    pub power: MakeControl,
}

/// Starts a worker on this folder. It runs until [`crate::machine::Order::Shutdown`].
///
/// # Errors
/// When its folder, blobs or journal cannot be used.
pub async fn start(options: Options) -> Result<(Handle, JoinHandle<()>), Fault> {
    let Options {
        paths,
        key,
        runtime,
        models,
        network_program,
        telemetry,
        wallet_keys,
        prices,
        probes,
        power,
    } = options;
    let (store, restored) = Store::open(paths.journal()).await?;
    // What a killed worker's runtimes left behind; theirs is a folder of their own.
    let _ = tokio::fs::remove_dir_all(paths.scratch()).await;
    let blobs = {
        let folder = paths.blobs();
        let opened = tokio::task::spawn_blocking(move || BlobCache::open(folder, CACHE_BYTES_MAX)).await;
        opened
            .map_err(|error| Fault::new("internal", error.to_string()))?
            .map_err(|error| fault_of(&error))?
    };
    let (inputs, inbox) = mpsc::channel(INPUTS_MAX);
    let (requests, asked) = mpsc::channel(REQUESTS_MAX);
    let (samples, sampled) = mpsc::channel(1);
    let (plans, plan) = watch::channel(sampler::Plan::default());
    let telemetry: SharedSource = Arc::new(Mutex::new(telemetry));
    tokio::spawn(sampler::run(Arc::clone(&telemetry), plan, samples));
    let watch = Watch::default();
    watching::watch(probes, &watch, &inputs);
    let power = power::keep(paths.power_limits(), power, inputs.clone());

    let mut seed = [0; 8];
    getrandom::fill(&mut seed).map_err(|error| Fault::new("no_randomness", error.to_string()))?;
    let identity = Identity {
        key: key.clone(),
        worker_version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: u64::from_le_bytes(seed),
        zone: TimeZone::system(),
    };
    let (zone, tariff) = (identity.zone.clone(), restored.settings.tariff.clone());
    let (tariffs, tariff_watched) = watch::channel(tariff.clone());
    let (told, prices_told) = mpsc::channel(1);
    tokio::spawn(price_watch::run(prices, tariff_watched, told));
    let (machine, effects) = Machine::start(identity, restored, clock::now());
    let energy = KeptEnergy::open(paths.energy());
    let power_prices = PowerPrices::open(paths.prices(), zone, tariff, clock::now());
    let mut viewer = Viewer::new(key.worker_id(), store.clone(), energy, power_prices);
    viewer.refresh(network_of(&viewer.snapshot(&machine))).await;
    let publisher = Publisher::new(viewer.snapshot(&machine));
    let looks = Arc::new(AtomicUsize::new(0));
    let dialer = Dialer::new(key);
    let handle = Handle {
        requests,
        snapshots: publisher.sender(),
        looks: Arc::clone(&looks),
        store: store.clone(),
        blobs: blobs.clone(),
        wallet_keys: wallet_keys.clone(),
        meter: dialer.meter().clone(),
        power: power.clone(),
    };
    let shifts = Shifts::default();
    let context = Context {
        source: runtime,
        scratch: paths.scratch(),
        blobs: blobs.clone(),
        models: Arc::clone(&models),
        shifts: shifts.clone(),
        telemetry,
        inputs: inputs.clone(),
    };
    let transfers = Transfers::new(blobs, models, inputs.clone());
    let shell = Shell {
        machine,
        store,
        inputs,
        runtimes: Runtimes::new(context),
        data: DataTap::new(dialer.meter().clone()),
        dialer,
        links: HashMap::new(),
        transfers,
        challenges: Challenges::default(),
        shifts,
        practice: None,
        network_program,
        practice_folder: paths.practice(),
        viewer,
        publisher,
        plans,
        tariffs,
        watch,
        figures: watching::Figures::default(),
        margins: Vec::new(),
        looks,
        wallet_keys,
        power,
        exiting: false,
    };
    let running = tokio::spawn(shell.run(effects, inbox, asked, sampled, prices_told));
    Ok((handle, running))
}

fn fault_of(error: &impl lull_types::Coded) -> Fault {
    error.fault()
}

struct Shell {
    machine: Machine,
    store: Store,
    inputs: mpsc::Sender<Input>,
    runtimes: Runtimes,
    dialer: Dialer,
    data: DataTap,
    links: HashMap<SessionId, Link>,
    transfers: Transfers,
    challenges: Challenges,
    shifts: Shifts,
    practice: Option<Practice>,
    network_program: Option<PathBuf>,
    practice_folder: PathBuf,
    viewer: Viewer,
    publisher: Publisher,
    plans: watch::Sender<sampler::Plan>,
    /// Tells whoever reads lists of prices what is to be read.
    tariffs: watch::Sender<Tariff>,
    /// Tells the probes what is to be watched.
    watch: Watch,
    figures: watching::Figures,
    /// What work on each device would leave, as the machine was told.
    margins: Vec<Observation>,
    /// How many look at the devices' figures.
    looks: Arc<AtomicUsize>,
    wallet_keys: WalletKeys,
    power: Keeper,
    exiting: bool,
}

impl Shell {
    async fn run(
        mut self,
        first: Vec<Effect>,
        mut inbox: mpsc::Receiver<Input>,
        mut asked: mpsc::Receiver<Request>,
        mut sampled: mpsc::Receiver<sampler::Samples>,
        mut prices_told: mpsc::Receiver<ListTold>,
    ) {
        // The first effects' failure comes back to the machine like any other; nobody else waits for it.
        let _ = self.execute(first).await;
        let mut ticked_at: Option<Instant> = None;
        while !self.exiting {
            let tick_at = self.machine.next_deadline().map(|at| deadline(at, ticked_at));
            let publish_at = self.publisher.due_at();
            let data_at = Some(self.data.due_at(!self.links.is_empty()));
            // What is about to be published is priced then.
            let reprice_at = self.viewer.reprice_at().filter(|_| publish_at.is_none());
            let look_at = reprice_at.map(|at| deadline(at, None));
            tokio::select! {
                // People first, then what frees a GPU or moves work, then the rest.
                biased;
                Some(request) = asked.recv() => self.answer(request).await,
                Some(input) = inbox.recv() => drop(self.handle(input).await),
                () = until(tick_at) => {
                    ticked_at = Some(Instant::now());
                    if self.machine.next_deadline().is_some_and(|at| at <= clock::now()) {
                        drop(self.handle(Input::Tick).await);
                    }
                }
                () = until(publish_at) => {
                    self.follow_tariff();
                    self.observe_margins().await;
                    let snapshot = self.viewer.snapshot(&self.machine);
                    self.publisher.publish(snapshot);
                    self.plan();
                }
                () = until(data_at) => {
                    self.shifts.sweep(|assignment| self.machine.is_work(assignment));
                    if let Some(moved) = self.data.read() {
                        drop(self.handle(Input::DataMoved(moved)).await);
                    }
                }
                Some(samples) = sampled.recv() => {
                    let figures = self.figures.of(&samples);
                    self.viewer.sampled(samples);
                    for seen in figures {
                        drop(self.handle(Input::Observed(seen)).await);
                    }
                    self.publisher.changed();
                    self.plan();
                }
                Some(told) = prices_told.recv() => {
                    self.viewer.prices_told(told);
                    self.publisher.changed();
                }
                () = until(look_at) => {
                    if reprice_at.is_some_and(|at| at <= clock::now()) {
                        self.publisher.changed();
                    }
                }
            }
        }
        self.put_away(inbox).await;
    }

    async fn answer(&mut self, request: Request) {
        match request {
            Request::Order(order, reply) => {
                let result = match self.machine.check(&order, clock::now()) {
                    Ok(()) => self.handle(Input::Order(*order)).await,
                    Err(refusal) => Err(refusal),
                };
                // Whoever asked may have left.
                let _ = reply.send(result);
            }
            Request::Snapshot(reply) => {
                let _ = reply.send(self.viewer.snapshot(&self.machine));
            }
            Request::PayoutFacts(reply) => {
                let _ = reply.send(self.machine.payout_facts());
            }
            Request::ProofAnswer(wallet, reply) => {
                let _ = reply.send(self.machine.proof_answer(wallet).cloned());
            }
            Request::Looks => self.plan(),
        }
    }

    /// Tells the machine and does what it wants. `Err` when that could not be written down.
    async fn handle(&mut self, input: Input) -> Result<(), Fault> {
        self.note(&input).await;
        let effects = self.machine.handle(input, clock::now());
        self.execute(effects).await
    }

    /// Has power priced, and lists read, by the tariff that the contributor wants.
    fn follow_tariff(&mut self) {
        let tariff = self.machine.tariff().clone();
        self.viewer.price(&tariff);
        self.tariffs.send_if_modified(|current| {
            let changed = *current != tariff;
            *current = tariff;
            changed
        });
    }

    /// Tells the machine what work on each device would leave, where that is another than before.
    async fn observe_margins(&mut self) {
        let margins = self.viewer.margins(&self.machine);
        if margins != self.margins {
            self.margins.clone_from(&margins);
            for margin in margins {
                drop(self.handle(Input::Observed(margin)).await);
            }
        }
    }

    /// What the shell itself learns from an input.
    async fn note(&mut self, input: &Input) {
        match input {
            Input::RunEnded { lease, .. } => self.keep_energy(*lease).await,
            Input::RunStarted { lease } => self.viewer.run_started(*lease),
            Input::Freed { lease } => {
                self.runtimes.freed(*lease);
                self.viewer.freed(*lease);
            }
            Input::SessionLost { session, fault } => {
                tracing::info!(session = session.0, code = fault.code, "{}", fault.sentence);
                self.links.remove(session);
            }
            Input::Fetched { transfer, .. }
            | Input::FetchFailed { transfer, .. }
            | Input::Uploaded { transfer }
            | Input::UploadFailed { transfer, .. } => self.transfers.ended(*transfer),
            Input::DevicesFound(Ok(found)) => self.runtimes.found(found.hardware.devices.clone()),
            Input::PracticeEnded(fault) | Input::PracticeStarted(Err(fault)) => {
                tracing::warn!(code = fault.code, "{}", fault.sentence);
                self.practice = None;
            }
            Input::SightLost { fault, .. } | Input::DeviceUnseen(fault) | Input::PowerLimitStuck(fault) => {
                tracing::warn!(code = fault.code, "{}", fault.sentence);
            }
            Input::Order(_)
            | Input::Observed(_)
            | Input::DataMoved(_)
            | Input::PowerLimit { .. }
            | Input::DevicesFound(Err(_))
            | Input::BenchmarkProgress { .. }
            | Input::BenchmarkEnded { .. }
            | Input::ChallengeAsked { .. }
            | Input::ChallengeEnded { .. }
            | Input::RunProgress { .. }
            | Input::ShiftProgress { .. }
            | Input::PracticeStarted(Ok(_))
            | Input::SessionOpened { .. }
            | Input::NetworkSaid { .. }
            | Input::SignedAsWallet { .. }
            | Input::JournalFailed(_)
            | Input::JournalRestored(_)
            | Input::Tick => {}
        }
    }

    /// Writes down what a run took, and its price. They are figures to look at; work does not stop for them.
    async fn keep_energy(&mut self, lease: LeaseId) {
        let Some(record) = self.viewer.run_ended(lease) else { return };
        if let Err(fault) = self.store.write(vec![record]).await {
            tracing::warn!(code = fault.code, "energy could not be written down");
        }
    }

    /// Executes effects in order. When records cannot be written, what follows them is dropped and the machine
    /// is told; `Err` is the first such fault.
    async fn execute(&mut self, effects: Vec<Effect>) -> Result<(), Fault> {
        let mut effects = VecDeque::from(effects);
        let mut result = Ok(());
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Journal(records) => {
                    let stale = self.viewer.recorded(&records);
                    if let Err(fault) = self.store.write(records).await {
                        tracing::error!(code = fault.code, "{}", fault.sentence);
                        let more = self.machine.handle(Input::JournalFailed(fault.clone()), clock::now());
                        effects = more.into();
                        result = result.and(Err(fault));
                    } else if stale {
                        self.refresh().await;
                    }
                }
                Effect::Restore => {
                    let input = match self.store.restore().await {
                        Ok(restored) => Input::JournalRestored(Box::new(restored)),
                        Err(fault) => Input::JournalFailed(fault),
                    };
                    effects.extend(self.machine.handle(input, clock::now()));
                }
                other => self.begin(other),
            }
        }
        result
    }

    async fn refresh(&mut self) {
        let network = network_of(&self.viewer.snapshot(&self.machine));
        self.viewer.refresh(network).await;
    }

    /// Begins an effect that does not hold up the ones after it.
    fn begin(&mut self, effect: Effect) {
        match effect {
            // Executed by the caller, which waits for them.
            Effect::Journal(_) | Effect::Restore => {}
            Effect::FindDevices => {
                let context = self.runtimes.context().clone();
                tokio::spawn(async move {
                    let found = runtimes::find_devices(&context).await;
                    let _ = context.inputs.send(Input::DevicesFound(found)).await;
                });
            }
            Effect::StartBenchmark { lease, sustained } => self.runtimes.benchmark(lease, sustained),
            Effect::AnswerChallenge { lease, challenge } => {
                self.runtimes.challenge(lease, self.challenges.take(challenge));
            }
            Effect::DeclineChallenge { challenge, fault } => {
                if let Some(stream) = self.challenges.take(challenge) {
                    tokio::spawn(stream.decline(fault));
                }
            }
            Effect::Run { lease, assignment } => {
                self.viewer.run_prepared(lease, assignment.id);
                self.runtimes.run(lease, assignment);
            }
            Effect::Pace { lease, percent } => self.runtimes.pace(lease, percent),
            Effect::PowerLimit { device, ceiling_watts } => self.power.want(*device, ceiling_watts),
            Effect::Cancel { lease } => self.runtimes.cancel(lease),
            Effect::Kill { lease } => self.runtimes.kill(lease),
            Effect::StartPracticeNetwork => {
                let before = self.practice.take();
                let program = self.network_program.clone();
                let folder = self.practice_folder.clone();
                self.practice = Some(Practice::start(program, folder, before, self.inputs.clone()));
            }
            Effect::StopPracticeNetwork => {
                if let Some(practice) = &self.practice {
                    practice.cancel();
                }
            }
            Effect::OpenSession { session, ticket } => {
                let inputs = self.inputs.clone();
                let opened = Opened { challenges: self.challenges.clone(), shifts: self.shifts.clone() };
                let link = Link::open(self.dialer.clone(), ticket, move |event| {
                    let inputs = inputs.clone();
                    let input = opened.input(session, event);
                    async move {
                        if let Some(input) = input {
                            // The shell is gone only when the process ends.
                            let _ = inputs.send(input).await;
                        }
                    }
                });
                self.links.insert(session, link);
            }
            Effect::CloseSession { session } => {
                if let Some(link) = self.links.get(&session) {
                    link.close();
                }
            }
            Effect::Send { session, message } => {
                if let Some(link) = self.links.get(&session) {
                    link.send(*message);
                }
            }
            Effect::Fetch { transfer, session, assignment, room } => {
                self.transfers.fetch(transfer, self.connection(session), assignment, room);
            }
            Effect::Upload { transfer, session, assignment: _, outputs } => {
                self.transfers.upload(transfer, self.connection(session), outputs);
            }
            Effect::StopTransfer { transfer } => self.transfers.stop(transfer),
            // Blobs are a bounded cache: a job's tasks share their inputs, and its picture is put together
            // from outputs, so the least recently used go when room is needed and not before.
            Effect::DropFiles { assignment } => {
                self.shifts.forget(assignment);
                tracing::debug!(%assignment, "an assignment is over");
            }
            Effect::SignAsWallet { wallet, nonce, text } => {
                let (keys, inputs) = (self.wallet_keys.clone(), self.inputs.clone());
                tokio::spawn(async move {
                    let signed = keys.sign(wallet, text.as_bytes()).await.map_err(|error| error.fault());
                    let _ = inputs.send(Input::SignedAsWallet { nonce, signed }).await;
                });
            }
            Effect::Notify(notice) => {
                tracing::info!(code = notice.code, problem = notice.problem, "{}", notice.sentence);
            }
            Effect::Publish => {
                self.publisher.changed();
                self.yield_practice();
            }
            Effect::Exit => self.exiting = true,
        }
    }

    fn connection(&self, session: SessionId) -> Option<Connection> {
        self.links.get(&session).and_then(Link::connection)
    }

    /// The practice network checks others' work on this machine's GPU: not while it is kept free or measured.
    fn yield_practice(&self) {
        let Some(practice) = &self.practice else { return };
        let state = self.machine.view(clock::now(), 0).state;
        let must_be_free = matches!(state, StateView::Yielding { .. } | StateView::Benchmarking(_));
        practice.set_yielding(must_be_free);
    }

    /// Adapts the sampling and the probes to who looks and what runs.
    fn plan(&mut self) {
        let snapshot = self.publisher.latest();
        let rests = |cause: &Cause| match cause {
            Cause::Guard(active) => matches!(active.trip.guard(), Guard::Heat | Guard::Quiet),
            Cause::Paused { .. } | Cause::ResumeDelay { .. } => false,
        };
        let plan = sampler::Plan {
            devices: snapshot.devices.iter().map(|device| device.info.clone()).collect(),
            working: self.viewer.is_running(),
            watched: self.looks.load(Ordering::Relaxed) > 0,
            cooling: snapshot.devices.iter().any(|device| device.held.iter().any(rests)),
        };
        let lent = snapshot.devices.iter().filter(|device| device.lent);
        self.watch.tell(Watched {
            rules: snapshot.settings.guards.clone(),
            devices: lent.map(|device| device.info.clone()).collect(),
            at_work: plan.working,
        });
        self.plans.send_if_modified(|current| {
            let changed = *current != plan;
            *current = plan;
            changed
        });
    }

    /// Ends everything that was begun, in an order in which nothing is lost.
    async fn put_away(mut self, mut inbox: mpsc::Receiver<Input>) {
        // Tasks that still tell something must not wait for a loop that has ended.
        let drained = tokio::spawn(async move { while inbox.recv().await.is_some() {} });
        power::put_back(&self.power).await;
        self.transfers.stop_all();
        for (_, link) in self.links.drain() {
            link.closed().await;
        }
        if let Some(practice) = self.practice.take() {
            practice.stop().await;
        }
        self.dialer.close().await;
        self.publisher.publish(self.viewer.snapshot(&self.machine));
        drained.abort();
    }
}

/// The network joined, once it has said who it is.
pub(crate) fn network_of(snapshot: &Snapshot) -> Option<NetworkId> {
    snapshot.network.as_ref()?.id.parse().ok()
}

/// When to look whether an instant has come, on the clock that sleeping goes by.
fn deadline(at: UnixMillis, ticked_at: Option<Instant>) -> Instant {
    let at = Instant::now() + at.since(clock::now()).min(SLEEP_MAX);
    match ticked_at {
        Some(last) => at.max(last + TICK_INTERVAL_MIN),
        None => at,
    }
}

async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
