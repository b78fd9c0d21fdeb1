//! The service: one process that holds a data folder and joins the gateway, the engine, the verifier and the
//! customers' API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lull_models::Library;
use lull_network_api::NetworkMessage;
use lull_runtime_api::host::{RuntimeCommand, find_runtime};
use lull_settlement::chain::Chain;
use lull_settlement::chain::svm::Ledger;
use lull_settlement::compose::Place;
use lull_settlement::sender::Payee;
use lull_types::{BlobHash, Coded, Fault, SecretKey, UnixMillis, WorkerId};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::data_dir::{DataDir, DataDirError, write_secret};
use crate::engine::{
    BlobOwner, CheckOutcome, Config, Effect, Engine, FoundOf, Input, PayoutPolicy, Policy, Round,
};
use crate::gateway::{self, EnginePort, Gateway, GatewayConfig, Hub, OpenAssignment, close_code};
use crate::http::{self, Desk, HttpConfig, Tls};
use crate::inference::{CustomersBackend, Inference};
use crate::metrics::Metrics;
use crate::payouts::deposits::Deposits;
use crate::payouts::wallet_proofs::WalletProofs;
use crate::payouts::{self, Ask, Payouts, Treasury};
use crate::reader::{self, Reader};
use crate::retention::{self, Retention};
use crate::verifier::Verifier;
use crate::writer::{self, Inbox, Writer};
use crate::{inference, operators, practice, store};

/// How often the engine looks at its deadlines, the shortest of which is a second.
const TICK: Duration = Duration::from_secs(1);
/// The program that runs tasks again.
const RUNTIME: &str = "lull-runtime-gpu";

/// How a network is run.
#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// Its folder.
    pub data_dir: PathBuf,
    /// Its name, for people.
    pub name: String,
    /// Practice tokens, practice customers and sample jobs.
    pub practice: bool,
    /// What it decides by.
    pub policy: Policy,
    /// Where workers dial; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Addresses for the ticket besides those found here.
    pub advertise: Vec<SocketAddr>,
    /// Where customers are served; port 0 takes a free one.
    pub http: SocketAddr,
    /// Needed unless customers are on this machine.
    pub tls: Option<Tls>,
    /// How it pays.
    pub payouts: payouts::Settings,
}

/// Where and how a network pays, ready to begin.
struct Paying {
    chain: Arc<dyn Chain>,
    place: Place,
    treasury: Treasury,
    policy: PayoutPolicy,
    /// The ledger of this process, if it is on that.
    ledger: Option<Ledger>,
}

impl Paying {
    async fn prepare(
        config: &ServiceConfig,
        dir: &DataDir,
        key: &SecretKey,
        http: &str,
    ) -> Result<Option<Self>, Fault> {
        let charges = config.payouts.charges();
        if let Some(cluster) = &config.payouts.cluster {
            let (rpc, place, treasury) = cluster.begin(key).map_err(|error| error.fault())?;
            let policy = cluster.policy(&place, charges, config.practice);
            return Ok(Some(Self { chain: Arc::new(rpc), place, treasury, policy, ledger: None }));
        }
        if !config.practice {
            return Ok(None);
        }
        let (ledger, place, treasury) =
            payouts::practice::begin(&dir.practice_ledger(), key, config.payouts.slot, now).await?;
        let policy = payouts::practice::policy(&place, charges, Some(format!("{http}/solana")));
        Ok(Some(Self { chain: Arc::new(ledger.clone()), place, treasury, policy, ledger: Some(ledger) }))
    }

    fn setup(
        self,
        config: &ServiceConfig,
        dir: &DataDir,
        key: &SecretKey,
        inbox: Inbox,
        reader: Arc<Reader>,
        hub: Arc<Hub>,
    ) -> payouts::Setup {
        payouts::Setup {
            chain: self.chain,
            place: self.place,
            mint_is_known: self.ledger.is_some(),
            treasury: self.treasury,
            key: key.clone(),
            policy: config.payouts.spending.clone(),
            slot: config.payouts.slot,
            epoch_ms: config.policy.epoch_ms,
            folder: dir.epochs(),
            inbox,
            reader,
            hub,
            clock: now,
        }
    }
}

/// What is told when the service is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// How workers find it.
    pub ticket: String,
    /// Where customers are served.
    pub http: String,
    /// Where the metrics are.
    pub metrics: String,
}

/// A running service.
#[derive(Debug)]
pub struct Service {
    announcement: Announcement,
    verifier: Verifier,
    cancel: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    /// Ends `effects` once nothing is left that could cause any.
    drained: CancellationToken,
    effects: JoinHandle<()>,
    inbox: Inbox,
    writer: Writer,
    // Held until everything has stopped.
    _dir: DataDir,
}

/// The wall clock.
pub fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The engine, for gateway and verifier.
#[derive(Debug)]
struct Port {
    inbox: Inbox,
    reader: Arc<Reader>,
    metrics: Arc<Metrics>,
}

impl EnginePort for Port {
    async fn tell(&self, input: Input) {
        if let Input::CheckEnded { outcome, .. } = &input {
            self.metrics.checked(match outcome {
                CheckOutcome::Match => "match",
                CheckOutcome::Mismatch { .. } => "mismatch",
                CheckOutcome::Failed { .. } => "failed",
            });
        }
        // The writer is gone only when the service stops; then nothing more is taken.
        let _ = self.inbox.tell(input).await;
    }

    async fn blob_stored(&self, worker: WorkerId, hash: BlobHash, bytes: u64) -> Result<(), Fault> {
        let by = BlobOwner::Worker(worker);
        self.inbox.ask(Input::BlobStored { hash, bytes, by }).await.map(|_| ())
    }

    async fn open_assignments(&self, worker: WorkerId) -> Result<Vec<OpenAssignment>, Fault> {
        Ok(self.reader.read(move |db| reader::open_assignments(db, worker)).await?)
    }
}

impl Service {
    /// Starts everything. When it returns, workers and customers can connect.
    pub async fn start(config: ServiceConfig) -> Result<Self, Fault> {
        let dir = DataDir::take(&config.data_dir).map_err(|error| error.fault())?;
        let key = dir.key().map_err(|error| error.fault())?;
        let connection = store::open(&dir.store(), store::Journal::Durable).map_err(|error| error.fault())?;
        if config.practice || config.payouts.cluster.is_some() {
            payouts::check_length(&connection, config.policy.epoch_ms, now())?;
        }
        let blobs = Arc::new(Blobs::open(dir.blobs()).map_err(|error| error.fault())?);
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| DataDirError::NoRandomness.fault())?;
        let http_config = HttpConfig { listen: config.http, tls: config.tls.clone() };
        let listening = http::listen(&http_config).await.map_err(|error| error.fault())?;
        let paying = Paying::prepare(&config, &dir, &key, &listening.url()).await?;
        let engine_config = Config {
            name: config.name.clone(),
            practice: config.practice,
            policy: config.policy.clone(),
            payouts: paying.as_ref().map(|paying| paying.policy.clone()),
        };
        let engine = Engine::new(key.clone(), engine_config, seed);
        let (effects, released) = mpsc::unbounded_channel();
        let (inbox, writer) = writer::start(connection, engine, now, move |effect| {
            // Nobody carries effects out any more when the service has stopped.
            let _ = effects.send(effect);
        })
        .map_err(|error| Fault::new("no_thread", format!("the system starts no thread: {error}")))?;

        let reader = Arc::new(Reader::new(dir.store()));
        let gateway_config = GatewayConfig { listen: config.listen, advertise: config.advertise.clone() };
        let gateway = Gateway::bind(&key, &gateway_config).await.map_err(|error| error.fault())?;
        let metrics = Arc::new(Metrics::new(gateway.hub()).map_err(|error| error.fault())?);
        let port = Arc::new(Port { inbox: inbox.clone(), reader: reader.clone(), metrics: metrics.clone() });
        let announcement = Announcement {
            ticket: gateway.ticket().to_string(),
            http: listening.url(),
            metrics: format!("{}/metrics", listening.url()),
        };

        let cancel = CancellationToken::new();
        let runtime = find_runtime(RUNTIME)
            .inspect_err(|error| tracing::warn!(code = error.code(), %error, "there is no trusted runtime"))
            .ok()
            .map(|program| RuntimeCommand::new(program, dir.scratch()));
        let (verifier, verifier_task) =
            Verifier::start(runtime, blobs.clone(), port.clone(), cancel.child_token());
        let mut tasks = vec![verifier_task];
        let hub = gateway.hub();
        let drained = CancellationToken::new();
        let practice_ledger = paying.as_ref().and_then(|paying| paying.ledger.clone());
        let mut deposits = None;
        let payouts = match paying {
            Some(paying) => {
                let watched = Arc::new(Deposits::new(
                    paying.chain.clone(),
                    paying.place,
                    &paying.treasury,
                    &config.name,
                    inbox.clone(),
                    reader.clone(),
                    (now, config.payouts.slot),
                )?);
                tasks.push(tokio::spawn(watched.clone().watch(cancel.child_token())));
                let when = (now as fn() -> UnixMillis, config.payouts.slot);
                let proofs = WalletProofs::new(paying.chain.clone(), inbox.clone(), reader.clone(), when);
                tasks.push(tokio::spawn(proofs.watch(cancel.child_token())));
                deposits = Some(watched);
                let setup = paying.setup(&config, &dir, &key, inbox.clone(), reader.clone(), hub.clone());
                let (payouts, task) = payouts::start(setup, cancel.child_token())?;
                tasks.push(tokio::spawn(task));
                metrics.watch_payouts(payouts.clone());
                Some(payouts)
            }
            None => None,
        };
        // An operator chooses which models there are; the disk is the bound.
        let models = Library::open(dir.models(), u64::MAX / 2).await.map_err(|error| error.fault())?;
        let inference = Inference::start(
            inference::Setup {
                inbox: inbox.clone(),
                reader: reader.clone(),
                blobs: blobs.clone(),
                hub: hub.clone(),
                models: models.clone(),
                scratch: dir.scratch(),
                key: key.clone(),
                name: config.name.clone(),
            },
            cancel.child_token(),
        )
        .await?;
        let carrier = Carrier {
            hub,
            verifier: verifier.clone(),
            port: port.clone(),
            payouts: payouts.clone(),
            inference: inference.clone(),
        };
        let effects = tokio::spawn(carrier.run(released, drained.clone()));
        tasks.push(tokio::spawn(gateway.run((blobs.clone(), models.clone()), port, cancel.child_token())));
        tasks.push(tokio::spawn(tick(inbox.clone(), cancel.child_token())));
        let retention = if config.practice { Retention::PRACTICE } else { Retention::CUSTOMERS };
        tasks.push(tokio::spawn(retention::run(
            reader.clone(),
            blobs.clone(),
            retention,
            cancel.child_token(),
        )));
        let asked = operators::Asked { inbox: inbox.clone(), payouts, inference: inference.clone() };
        operators::serve(&dir, asked, cancel.child_token()).await?;
        let desk = Desk {
            inbox: inbox.clone(),
            reader,
            blobs,
            metrics,
            network: key.network_id(),
            deposits,
            epochs: dir.epochs(),
            practice_ledger,
        };
        let backend = Arc::new(CustomersBackend(inference.clone()));
        let router = http::router(desk.clone()).merge(lull_openai::router(backend));
        if config.practice {
            let practice = Arc::new(practice::Practice::new(router.clone(), desk, &key));
            tasks.push(tokio::spawn(practice.clone().ask(inference, cancel.child_token())));
            tasks.push(tokio::spawn(practice.run(cancel.child_token())));
        }
        let http_cancel = cancel.child_token();
        tasks.push(tokio::spawn(async move {
            if let Err(error) = listening.serve(router, http_cancel).await {
                tracing::error!(%error, "customers are no longer served");
            }
        }));
        let json = serde_json::to_vec(&announcement).unwrap_or_default();
        write_secret(&dir.announcement(), &json)
            .map_err(|source| DataDirError::Io { path: dir.announcement(), source }.fault())?;
        Ok(Self { announcement, verifier, cancel, tasks, drained, effects, inbox, writer, _dir: dir })
    }

    /// Where it can be reached.
    pub fn announcement(&self) -> &Announcement {
        &self.announcement
    }

    /// While paused, the network's own runtime is not running; see [`Verifier::pause`].
    pub fn pause_checks(&self, paused: bool) {
        self.verifier.pause(paused);
    }

    /// Stops everything: no more is taken, what was taken is committed, and all who are connected are told.
    pub async fn stop(self) {
        self.cancel.cancel();
        let Self { tasks, drained, effects, inbox, writer, verifier, _dir, .. } = self;
        drop((inbox, verifier));
        for task in tasks {
            // A panic was reported when it happened.
            let _ = task.await;
        }
        // Effects may become inputs, so they hold an inbox of their own, which keeps the writer.
        drained.cancel();
        let _ = effects.await;
        // The last inbox is gone with the tasks, so the writer comes to its end.
        let joined = tokio::task::spawn_blocking(move || writer.join()).await;
        if !matches!(joined, Ok(true)) {
            tracing::error!("the writer did not end well");
        }
    }
}

async fn tick(inbox: Inbox, cancel: CancellationToken) {
    let mut timer = tokio::time::interval(TICK);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = timer.tick() => if inbox.tell(Input::Tick).await.is_err() { return },
        }
    }
}

/// Carries out what the engine asks for.
struct Carrier {
    hub: Arc<Hub>,
    verifier: Verifier,
    port: Arc<Port>,
    payouts: Option<Payouts>,
    inference: Inference,
}

impl Carrier {
    /// In order, until it is told that nothing more is to be done.
    async fn run(self, mut effects: mpsc::UnboundedReceiver<Effect>, drained: CancellationToken) {
        loop {
            let effect = tokio::select! {
                effect = effects.recv() => effect,
                () = drained.cancelled() => return,
            };
            let Some(effect) = effect else { return };
            self.carry_out(effect).await;
        }
    }

    async fn carry_out(&self, effect: Effect) {
        match effect {
            Effect::Send { worker, session, message } => {
                self.port.metrics.sent();
                if let NetworkMessage::Assign(assignment) = &message {
                    self.inference.assigned(worker, session, assignment);
                }
                self.hub.send(worker, session, message);
            }
            Effect::Check(request) => {
                let check = request.check;
                if let Some(outcome) = self.verifier.check(request) {
                    self.port.tell(Input::CheckEnded { check, outcome }).await;
                }
            }
            Effect::Time(round) => self.time(round),
            Effect::DropSession { worker, session, reason } => {
                self.hub.close(worker, session, close_code::REPLACED, reason.sentence.as_bytes());
            }
            Effect::Prove { worker, session, wallet } => {
                if let Err(fault) = self.ask_payouts(Ask::Prove { worker, session, wallet }) {
                    let message = NetworkMessage::Refused { assignment: None, fault };
                    self.hub.send(worker, session, message);
                }
            }
            // Without room it is found at one of the looks that come by themselves.
            Effect::LookAtClaims { worker, wallet } => {
                let _ = self.ask_payouts(Ask::LookAtClaims(Payee { worker, wallet }));
            }
            // Customers ask for jobs and pictures when they want them.
            Effect::JobChanged { .. } | Effect::Progress { .. } => {}
            // The writer has handed it over already.
            Effect::Answer(_) => {}
        }
    }

    fn ask_payouts(&self, ask: Ask) -> Result<(), Fault> {
        let none = || Fault::new("no_payouts", "this network pays on no chain; your earnings are kept");
        self.payouts.as_ref().ok_or_else(none)?.ask(ask)
    }

    fn time(&self, Round { account, asked, goes_without }: Round) {
        let workers = asked
            .iter()
            .map(|asked| (self.hub.connection(asked.worker, asked.session), asked.claims.clone()));
        let workers = workers.collect();
        let port = self.port.clone();
        tokio::spawn(async move {
            let findings = gateway::time(workers, goes_without).await;
            let found = asked.into_iter().zip(findings).map(|(asked, findings)| FoundOf {
                worker: asked.worker,
                session: asked.session,
                findings,
            });
            port.tell(Input::Timed { account, found: found.collect() }).await;
        });
    }
}
