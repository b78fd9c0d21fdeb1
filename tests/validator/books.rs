//! A network's books while its process is down: the engine itself has contributors earn, on the store that the process
//! goes on with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use ed25519_dalek::{Signer, SigningKey};
use lull_network::data_dir::DataDir;
use lull_network::engine::{
    Answer, BlobOwner, CheckId, CheckOutcome, Config, Effect, Engine, Input, JobSpec, Policy, SessionId,
    TaskSpec,
};
use lull_network::ledger::Account;
use lull_network::service::now;
use lull_network::store::{self, payouts, queries};
use lull_network::writer::commit_group;
use lull_network::{ledger, store::Journal};
use lull_network_api::{Enrolment, NetworkMessage, Verdict, WorkerMessage};
use lull_settlement::chain::Signature;
use lull_settlement::epoch::Leaf;
use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, CustomerId, DeviceInfo, DeviceKind, HardwareReport,
    JOB_KIND_WGSL, Measure, Measurement, SecretKey, UnixMillis, WalletAddress, WorkerId,
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rusqlite::Connection;

/// Much more than is ever earned here.
const DEPOSIT: u64 = 1 << 40;

/// Somebody who lends a machine.
#[derive(Clone, Debug)]
pub struct Contributor {
    pub worker: WorkerId,
    holder: SigningKey,
}

impl Contributor {
    /// The contributor of a number. Every two have one wallet, as somebody with two machines has.
    pub fn new(n: u8) -> Self {
        let worker = SecretKey::from_bytes(&[100 + n; 32]).worker_id();
        Self { worker, holder: SigningKey::from_bytes(&[1 + n / 2; 32]) }
    }

    fn wallet(&self) -> WalletAddress {
        WalletAddress::from_bytes(self.holder.verifying_key().to_bytes()).unwrap()
    }
}

/// The books, which nobody else may change meanwhile.
pub struct Books {
    connection: Connection,
    engine: Engine,
    checks: Vec<CheckId>,
    mail: BTreeMap<WorkerId, Vec<NetworkMessage>>,
    sessions: BTreeMap<WorkerId, SessionId>,
    _dir: DataDir,
}

impl Books {
    /// Opens those of a network that does not run.
    pub fn open(data: &Path, dice: &mut ChaCha8Rng) -> Result<Self> {
        let dir = DataDir::take(data)?;
        let policy = Policy { audit_window_ms: 0, timing_valid_ms: None, ..Policy::default() };
        let engine = Engine::new(dir.key()?, Config { policy, ..Config::default() }, dice.random());
        let connection = store::open(&dir.store(), Journal::Durable)?;
        let (checks, mail, sessions) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut books = Self { connection, engine, checks, mail, sessions, _dir: dir };
        books.tell(vec![Input::TrustedRuntime { kinds: vec![JOB_KIND_WGSL.to_owned()] }])?;
        Ok(books)
    }

    fn tell(&mut self, inputs: Vec<Input>) -> Result<Vec<Answer>> {
        let outcomes = commit_group(&mut self.connection, &mut self.engine, inputs, now())?;
        let mut answers = Vec::new();
        for outcome in outcomes {
            for effect in outcome.map_err(|fault| anyhow!("{fault}"))? {
                match effect {
                    Effect::Send { worker, message, .. } => {
                        self.mail.entry(worker).or_default().push(message)
                    }
                    Effect::Check(request) => self.checks.push(request.check),
                    Effect::Answer(answer) => answers.push(answer),
                    Effect::DropSession { .. }
                    | Effect::Time(_)
                    | Effect::Prove { .. }
                    | Effect::LookAtClaims { .. }
                    | Effect::JobChanged { .. }
                    | Effect::Progress { .. } => {}
                }
            }
        }
        Ok(answers)
    }

    /// Each says something; what each was told since.
    fn say(
        &mut self,
        said: Vec<(WorkerId, WorkerMessage)>,
    ) -> Result<BTreeMap<WorkerId, Vec<NetworkMessage>>> {
        self.mail.clear();
        let input = |(worker, message)| {
            let session = self.sessions.get(&worker).copied().context("it is not connected")?;
            Ok(Input::FromWorker { worker, session, message })
        };
        let inputs = said.into_iter().map(input).collect::<Result<Vec<_>>>()?;
        self.tell(inputs)?;
        Ok(std::mem::take(&mut self.mail))
    }

    fn connect(&mut self, contributors: &[Contributor]) -> Result<()> {
        for contributor in contributors {
            let session = SessionId(self.sessions.len() as u64);
            self.sessions.insert(contributor.worker, session);
            self.tell(vec![Input::WorkerConnected { worker: contributor.worker, session }])?;
        }
        Ok(())
    }

    /// Contributors come: their machines are enrolled, their wallets proven.
    pub fn enrol(&mut self, contributors: &[Contributor]) -> Result<()> {
        self.connect(contributors)?;
        let all = |message: &dyn Fn(&Contributor) -> WorkerMessage| {
            contributors.iter().map(|one| (one.worker, message(one))).collect::<Vec<_>>()
        };
        self.say(all(&|_| WorkerMessage::Enrol(Box::new(enrolment()))))?;
        let domain = "127.0.0.1:40000".to_owned();
        let ask = all(&|one| WorkerMessage::StateWallet { wallet: one.wallet(), domain: domain.clone() });
        let drawn = self.say(ask)?;
        let mut proofs = Vec::new();
        for contributor in contributors {
            let statement = drawn[&contributor.worker].iter().find_map(|message| match message {
                NetworkMessage::WalletStatement(statement) => Some(statement),
                _ => None,
            });
            let statement = statement.context("no text was drawn")?;
            let text = lull_checks::wallet::text(statement)?;
            let signature = lull_types::Signature(contributor.holder.sign(text.as_bytes()).to_bytes());
            let proof = WorkerMessage::ProveWallet { nonce: statement.nonce.clone(), signature };
            proofs.push((contributor.worker, proof));
        }
        self.say(proofs)?;
        Ok(())
    }

    /// A customer has each do one task at a price, and each does it right.
    pub fn earn(&mut self, contributors: &[Contributor], title: &str, price: u64) -> Result<()> {
        self.connect(contributors)?;
        let customer = self.customer()?;
        let payload = BlobHash::of(title.as_bytes());
        self.tell(vec![Input::BlobStored { hash: payload, bytes: 1, by: BlobOwner::Customer(customer) }])?;
        let task = TaskSpec { payload, inputs: Vec::new(), outputs: 1, picture: None };
        let job = JobSpec {
            idempotency_key: title.to_owned(),
            title: title.to_owned(),
            kind: JOB_KIND_WGSL.to_owned(),
            price_per_task: BaseUnits(price),
            task_deadline_ms: 600_000,
            tasks: vec![task; contributors.len()],
        };
        self.tell(vec![Input::CreateJob { customer, job }])?;
        let want = contributors.iter().map(|one| (one.worker, WorkerMessage::WantWork { device: 0 }));
        let placed = self.say(want.collect())?;
        let mut reports = Vec::new();
        for contributor in contributors {
            let assignment = assignment(&placed[&contributor.worker])?;
            let hash = BlobHash::of(assignment.as_bytes());
            let by = BlobOwner::Worker(contributor.worker);
            self.tell(vec![Input::BlobStored { hash, bytes: 1, by }])?;
            let report = WorkerMessage::Report { assignment, outputs: vec![hash], ran_ms: 1 };
            reports.push((contributor.worker, report));
        }
        let mut accepted = accepted(self.say(reports)?.values().flatten());
        let ended = |check| Input::CheckEnded { check, outcome: CheckOutcome::Match };
        let checked = self.checks.drain(..).map(ended).collect();
        self.mail.clear();
        self.tell(checked)?;
        accepted += self::accepted(self.mail.values().flatten());
        ensure!(accepted == contributors.len(), "{accepted} of {} were paid", contributors.len());
        self.tell(vec![Input::Tick])?;
        Ok(())
    }

    fn customer(&mut self) -> Result<CustomerId> {
        let create = Input::CreateCustomer { name: "Ada".to_owned(), api_key_hash: [1; 32] };
        self.tell(vec![create])?;
        let customer = queries::customer_by_key(&self.connection, &[1; 32])?.context("no customer")?;
        let deposit = Input::Deposit { customer, amount: BaseUnits(DEPOSIT), reference: "first".to_owned() };
        self.tell(vec![deposit])?;
        Ok(customer)
    }
}

/// What the books say, read beside a network that may run.
pub struct Reading(Connection);

impl Reading {
    pub fn open(data: &Path) -> Result<Self> {
        let path: PathBuf = data.join("network.sqlite");
        Ok(Self(store::open_reader(&path)?))
    }

    /// Held, payable and paid of a worker.
    pub fn earned(&self, worker: WorkerId) -> Result<[u64; 3]> {
        let balance = |account| anyhow::Ok(u64::try_from(queries::balance(&self.0, account)?)?);
        let [held, payable, paid] = [Account::Held, Account::Payable, Account::Paid];
        Ok([balance(&held(worker))?, balance(&payable(worker))?, balance(&paid(worker))?])
    }

    /// What the network itself has: fees of payouts, less what it spent.
    pub fn treasury(&self) -> Result<i64> {
        Ok(queries::balance(&self.0, &Account::Treasury)?)
    }

    /// Whether everything sums to zero and every account is its entries' sum.
    pub fn audit(&self) -> Result<()> {
        Ok(ledger::audit(&self.0)?)
    }

    /// Every leaf, and whether the chain has paid all that is listed and nothing is under way.
    pub fn leaves(&self) -> Result<(Vec<Leaf>, bool)> {
        let settled = self.0.query_row(
            "SELECT NOT EXISTS (SELECT 1 FROM leaves WHERE paid < lifetime)
                AND NOT EXISTS (SELECT 1 FROM batches WHERE state IN ('planned', 'signed', 'sent'))",
            [],
            |row| row.get(0),
        )?;
        Ok((payouts::leaves(&self.0)?, settled))
    }

    /// The number of the newest epoch whose root is on the chain.
    pub fn anchored(&self) -> Result<Option<u64>> {
        Ok(payouts::anchored(&self.0)?.map(|epoch| epoch.number))
    }

    /// Every signature that was stored, and how many batches ended in each way.
    pub fn batches(&self) -> Result<(Vec<Signature>, BTreeMap<String, u64>)> {
        let mut statement = self.0.prepare("SELECT signature, state FROM batches")?;
        let rows = statement.query_map([], |row| Ok((row.get::<_, Option<[u8; 64]>>(0)?, row.get(1)?)))?;
        let (mut signatures, mut ends) = (Vec::new(), BTreeMap::new());
        for row in rows {
            let (signature, state): (_, String) = row?;
            signatures.extend(signature.map(Signature::from));
            *ends.entry(state).or_default() += 1;
        }
        Ok((signatures, ends))
    }

    /// Payouts and fees that were booked for a worker: of what the network sent, and what its contributor claimed.
    pub fn payouts(&self, worker: WorkerId) -> Result<[u64; 3]> {
        let sum = |what: &str, which: &str| {
            let sql = format!(
                "SELECT coalesce(sum(p.{what}), 0) FROM payouts p LEFT JOIN batches b ON b.id = p.batch
                 WHERE p.worker = ?1 AND {which}"
            );
            self.0.query_row(&sql, [worker.0], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs)
        };
        let confirmed = "b.state = 'confirmed'";
        Ok([sum("amount", confirmed)?, sum("amount", "p.batch IS NULL")?, sum("fee", confirmed)?])
    }
}

fn assignment(messages: &[NetworkMessage]) -> Result<AssignmentId> {
    let placed = messages.iter().find_map(|message| match message {
        NetworkMessage::Assign(assignment) => Some(assignment.id),
        _ => None,
    });
    match placed {
        Some(id) => Ok(id),
        None => bail!("no work: {messages:?}"),
    }
}

fn accepted<'a>(messages: impl Iterator<Item = &'a NetworkMessage>) -> usize {
    let is_accepted = |message: &&NetworkMessage| {
        matches!(message, NetworkMessage::Verdict { verdict: Verdict::Accepted { .. }, .. })
    };
    messages.filter(is_accepted).count()
}

fn enrolment() -> Enrolment {
    let device = DeviceInfo {
        index: 0,
        name: "device".to_owned(),
        vendor: "amd".to_owned(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "1".to_owned(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 1 << 27,
        features: Vec::new(),
    };
    let measurement = Measurement::new(Measure::Fp32Peak, vec![1_000.0], "simulated", true);
    let took = Duration::from_millis(1);
    Enrolment {
        benchmarks: vec![BenchmarkReport::new(device.clone(), "1", UnixMillis(0), took, vec![measurement])],
        hardware: HardwareReport {
            os: "Debian 12".to_owned(),
            cpu: "cpu".to_owned(),
            cpu_threads: 8,
            memory_bytes: 1 << 34,
            devices: vec![device],
        },
        kinds: vec![JOB_KIND_WGSL.to_owned()],
    }
}
