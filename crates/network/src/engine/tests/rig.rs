//! A network in memory with workers and customers that do as they are told.

use std::time::Duration;

use std::collections::BTreeMap;

use lull_network_api::{Assignment, Enrolment, NetworkMessage, Standing, Verdict, WorkerMessage};
use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, CustomerId, DeviceInfo, DeviceKind, Fault,
    HardwareReport, JobId, Measure, Measurement, SecretKey, UnixMillis, WalletAddress, WorkerId,
};
use rusqlite::Connection;

use crate::engine::*;
use crate::ledger;
use crate::store::{self, queries};
use crate::writer::commit_group;

pub const KIND: &str = "wgsl/1";
pub const PRICE: u64 = 100;
pub const DEADLINE_MS: u64 = 10_000;
/// Much more than any test spends.
pub const DEPOSIT: u64 = 1_000_000;

/// Every report is checked.
pub fn strict() -> Policy {
    Policy { newcomer_tasks: u32::MAX, ..Policy::default() }
}

/// How long timings count in [`Rig::timing`].
pub const TIMING_VALID_MS: u64 = 30 * 24 * 3_600_000;

pub struct Rig {
    pub connection: Connection,
    pub engine: Engine,
    pub now: UnixMillis,
    /// Checks that were asked for and not concluded.
    pub checks: Vec<CheckRequest>,
    /// Timings that were asked for.
    pub timings: Vec<Round>,
    /// What payouts were asked for: whose wallet was to be looked at.
    pub looks: Vec<(WorkerId, WalletAddress)>,
    /// All that was sent, by worker, since it was last looked at.
    sent: BTreeMap<WorkerId, Vec<NetworkMessage>>,
    sessions: BTreeMap<WorkerId, SessionId>,
    next: u64,
}

pub fn network_key() -> SecretKey {
    SecretKey::from_bytes(&[99; 32])
}

pub fn key(n: u8) -> SecretKey {
    SecretKey::from_bytes(&[n; 32])
}

pub fn device(index: u32, vendor: &str) -> DeviceInfo {
    DeviceInfo {
        index,
        name: format!("{vendor} {index}"),
        vendor: vendor.to_owned(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "1".to_owned(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 1 << 27,
        features: Vec::new(),
    }
}

pub fn measurement(measure: Measure, value: f64) -> Measurement {
    Measurement::new(measure, vec![value * 0.99, value, value * 1.01], "measured", true)
}

pub fn enrolment(devices: Vec<DeviceInfo>, kinds: &[&str]) -> Enrolment {
    let benchmark = |device: &DeviceInfo| {
        let measurements = vec![measurement(Measure::Fp32Peak, 20_000.0)];
        BenchmarkReport::new(device.clone(), "1", UnixMillis(0), Duration::from_millis(1), measurements)
    };
    Enrolment {
        benchmarks: devices.iter().map(benchmark).collect(),
        hardware: HardwareReport {
            os: "Debian 12".to_owned(),
            cpu: "cpu".to_owned(),
            cpu_threads: 8,
            memory_bytes: 1 << 34,
            devices,
        },
        kinds: kinds.iter().map(|kind| (*kind).to_owned()).collect(),
    }
}

impl Rig {
    /// A network that times no device.
    pub fn new(policy: Policy) -> Self {
        Self::of(Policy { timing_valid_ms: None, ..policy })
    }

    /// One that does, with a trusted runtime for [`KIND`].
    pub fn timing() -> Self {
        let mut rig = Self::of(Policy { timing_valid_ms: Some(TIMING_VALID_MS), ..Policy::default() });
        rig.trust(&[KIND]);
        rig
    }

    fn of(policy: Policy) -> Self {
        Self::with(Config { policy, ..Config::default() })
    }

    pub fn with(config: Config) -> Self {
        Self {
            connection: store::open_in_memory().unwrap(),
            engine: Engine::new(network_key(), config, [7; 32]),
            now: UnixMillis(1_000_000_000_000),
            checks: Vec::new(),
            timings: Vec::new(),
            looks: Vec::new(),
            sent: BTreeMap::new(),
            sessions: BTreeMap::new(),
            next: 0,
        }
    }

    /// With a trusted runtime for [`KIND`].
    pub fn with_runtime(policy: Policy) -> Self {
        let mut rig = Self::new(policy);
        rig.trust(&[KIND]);
        rig
    }

    pub fn trust(&mut self, kinds: &[&str]) {
        let kinds = kinds.iter().map(|kind| (*kind).to_owned()).collect();
        self.checks.clear();
        self.tell(Input::TrustedRuntime { kinds }).unwrap();
    }

    /// Gives one input, commits it, sorts its effects and checks the books.
    pub fn tell(&mut self, input: Input) -> Result<Answer, Fault> {
        let mut outcomes =
            commit_group(&mut self.connection, &mut self.engine, vec![input], self.now).unwrap();
        let mut answer = Answer::Done;
        for effect in outcomes.pop().unwrap()? {
            match effect {
                Effect::Send { worker, session, message } => {
                    if self.sessions.get(&worker) == Some(&session) {
                        self.sent.entry(worker).or_default().push(message);
                    }
                }
                Effect::Check(check) => self.checks.push(check),
                Effect::Answer(given) => answer = given,
                Effect::DropSession { worker, session, .. } => {
                    if self.sessions.get(&worker) == Some(&session) {
                        self.sessions.remove(&worker);
                    }
                }
                Effect::Time(round) => self.timings.push(round),
                Effect::LookAtClaims { worker, wallet } => self.looks.push((worker, wallet)),
                Effect::Prove { .. } | Effect::JobChanged { .. } | Effect::Progress { .. } => {}
            }
        }
        ledger::audit(&self.connection).unwrap();
        Ok(answer)
    }

    pub fn pass(&mut self, ms: u64) {
        self.now = UnixMillis(self.now.0 + ms);
        self.tell(Input::Tick).unwrap();
    }

    pub fn connect(&mut self, worker: WorkerId) -> SessionId {
        self.next += 1;
        let session = SessionId(self.next);
        self.sessions.insert(worker, session);
        self.tell(Input::WorkerConnected { worker, session }).unwrap();
        session
    }

    pub fn disconnect(&mut self, worker: WorkerId) {
        if let Some(session) = self.sessions.remove(&worker) {
            self.tell(Input::WorkerDisconnected { worker, session }).unwrap();
        }
    }

    /// A worker with one device of a vendor, connected and enrolled.
    pub fn worker_of(&mut self, n: u8, vendor: &str) -> WorkerId {
        let worker = key(n).worker_id();
        self.connect(worker);
        self.say(worker, WorkerMessage::Hello { worker_version: "1".to_owned(), nonce_held: 0 });
        let enrolled =
            self.say(worker, WorkerMessage::Enrol(Box::new(enrolment(vec![device(0, vendor)], &[KIND]))));
        assert_eq!(enrolled, [NetworkMessage::Enrolled]);
        worker
    }

    pub fn worker(&mut self, n: u8) -> WorkerId {
        self.worker_of(n, "amd")
    }

    /// Says something for a worker; returns what it was told since it was last looked at.
    pub fn say(&mut self, worker: WorkerId, message: WorkerMessage) -> Vec<NetworkMessage> {
        self.sent.remove(&worker);
        let session = self.sessions[&worker];
        self.tell(Input::FromWorker { worker, session, message }).unwrap();
        self.told(worker)
    }

    pub fn told(&mut self, worker: WorkerId) -> Vec<NetworkMessage> {
        self.sent.remove(&worker).unwrap_or_default()
    }

    pub fn ask(&mut self, worker: WorkerId) -> Vec<NetworkMessage> {
        self.say(worker, WorkerMessage::WantWork { device: 0 })
    }

    /// What a worker gets when it asks.
    pub fn take(&mut self, worker: WorkerId) -> Assignment {
        match self.ask(worker).pop() {
            Some(NetworkMessage::Assign(assignment)) => *assignment,
            other => panic!("expected work, got {other:?}"),
        }
    }

    /// Why a worker gets nothing.
    pub fn idle(&mut self, worker: WorkerId) -> String {
        match self.ask(worker).pop() {
            Some(NetworkMessage::NoWork { reason, .. }) => reason.code,
            other => panic!("expected no work, got {other:?}"),
        }
    }

    /// Where a worker stands that gets nothing.
    pub fn standing(&mut self, worker: WorkerId, device: u32) -> Standing {
        match self.say(worker, WorkerMessage::WantWork { device }).pop() {
            Some(NetworkMessage::NoWork { standing, .. }) => standing,
            other => panic!("expected no work, got {other:?}"),
        }
    }

    /// Uploads and reports.
    pub fn report(&mut self, worker: WorkerId, assignment: &Assignment, bytes: &[u8]) -> Vec<NetworkMessage> {
        let hash = self.put_by(BlobOwner::Worker(worker), bytes);
        // So that reports have an order.
        self.now = UnixMillis(self.now.0 + 1);
        self.say(worker, WorkerMessage::Report { assignment: assignment.id, outputs: vec![hash], ran_ms: 5 })
    }

    pub fn hand_back(
        &mut self,
        worker: WorkerId,
        assignment: AssignmentId,
        code: &str,
    ) -> Vec<NetworkMessage> {
        self.say(worker, WorkerMessage::HandBack { assignment, reason: Fault::new(code, "because") })
    }

    /// Concludes the only check that is open.
    pub fn conclude(&mut self, outcome: CheckOutcome) {
        assert_eq!(self.checks.len(), 1, "{:?}", self.checks);
        let check = self.checks.remove(0).check;
        self.tell(Input::CheckEnded { check, outcome }).unwrap();
    }

    pub fn put_by(&mut self, by: BlobOwner, bytes: &[u8]) -> BlobHash {
        let hash = BlobHash::of(bytes);
        self.tell(Input::BlobStored { hash, bytes: bytes.len() as u64, by }).unwrap();
        hash
    }

    /// A customer with money.
    pub fn customer(&mut self, n: u8) -> CustomerId {
        let created = self
            .tell(Input::CreateCustomer { name: format!("customer {n}"), api_key_hash: [n; 32] })
            .unwrap();
        let Answer::CustomerCreated(customer) = created else { panic!("{created:?}") };
        let amount = BaseUnits(DEPOSIT);
        self.tell(Input::Deposit { customer, amount, reference: format!("seed {n}") }).unwrap();
        customer
    }

    pub fn spec(&mut self, customer: CustomerId, key: &str, tasks: u32) -> JobSpec {
        let payload = self.put_by(BlobOwner::Customer(customer), key.as_bytes());
        let task = TaskSpec { payload, inputs: Vec::new(), outputs: 1, picture: None };
        JobSpec {
            idempotency_key: key.to_owned(),
            title: key.to_owned(),
            kind: KIND.to_owned(),
            price_per_task: BaseUnits(PRICE),
            task_deadline_ms: DEADLINE_MS,
            tasks: vec![task; tasks as usize],
        }
    }

    pub fn submit(&mut self, customer: CustomerId, job: JobSpec) -> Result<JobId, Fault> {
        match self.tell(Input::CreateJob { customer, job })? {
            Answer::JobCreated { job, .. } => Ok(job),
            other => panic!("{other:?}"),
        }
    }

    pub fn job(&mut self, customer: CustomerId, key: &str, tasks: u32) -> JobId {
        let spec = self.spec(customer, key, tasks);
        self.submit(customer, spec).unwrap()
    }

    pub fn job_view(&self, job: JobId) -> lull_network_api::customer::Job {
        queries::job(&self.connection, job).unwrap().unwrap()
    }

    /// Held, payable, paid.
    pub fn earned(&self, worker: WorkerId) -> [i64; 3] {
        use ledger::Account::{Held, Paid, Payable};
        [Held(worker), Payable(worker), Paid(worker)].map(|a| ledger::balance(&self.connection, &a).unwrap())
    }

    pub fn funds(&self, customer: CustomerId) -> i64 {
        ledger::balance(&self.connection, &ledger::Account::Customer(customer)).unwrap()
    }
}

/// The verdicts among messages.
pub fn verdicts(messages: &[NetworkMessage]) -> Vec<Verdict> {
    let verdict = |message: &NetworkMessage| match message {
        NetworkMessage::Verdict { verdict, .. } => Some(verdict.clone()),
        _ => None,
    };
    messages.iter().filter_map(verdict).collect()
}

/// The code of the only refusal among messages.
pub fn refused(messages: &[NetworkMessage]) -> &str {
    match messages {
        [NetworkMessage::Refused { fault, .. }] => &fault.code,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

pub fn mismatch() -> CheckOutcome {
    CheckOutcome::Mismatch { expected: vec![BlobHash::of(b"right")], difference: "it differs".to_owned() }
}

pub fn accepted(checked: bool) -> Verdict {
    Verdict::Accepted { amount: BaseUnits(PRICE), checked }
}
