//! The network's engine on an in-memory store, with the shell's part played here.

use lull_network::engine::{
    Against, BlobOwner, CheckOutcome, Config, Effect, Engine, Input, JobSpec, Policy, SessionId, TaskSpec,
};
use lull_network::{ledger, store};
use lull_network_api::customer::Job;
use lull_network_api::{NetworkTicket, WorkerMessage};
use lull_types::{BaseUnits, BlobHash, CustomerId, JOB_KIND_WGSL, NetworkId, SecretKey, WorkerId};
use rand::Rng;
use rusqlite::Connection;

use super::world::{Event, Stage};

/// What each task pays.
pub const PRICE: u64 = 250;

/// What a payload's one output is, for whoever computes it honestly.
pub fn truth(payload: BlobHash) -> BlobHash {
    BlobHash::of(&payload.0)
}

/// A network.
pub struct Network {
    key: SecretKey,
    connection: Connection,
    engine: Option<Engine>,
    life: u32,
    trusted: bool,
    crashed: bool,
    customers: Vec<CustomerId>,
}

/// As real networks decide, but that simulated devices compute nothing that could be timed.
fn config() -> Config {
    let policy = Policy { timing_valid_ms: None, ..Policy::default() };
    Config { policy, ..Config::default() }
}

impl Network {
    /// A network with two customers and their jobs.
    pub fn new(stage: &mut Stage, trusted: bool) -> Self {
        let connection = store::open_in_memory().unwrap();
        let key = SecretKey::from_bytes(&[77; 32]);
        let mut network =
            Self { key, connection, engine: None, life: 0, trusted, crashed: false, customers: Vec::new() };
        network.start(stage);
        for customer in 0..2u8 {
            network.submit(customer, stage);
        }
        network
    }

    fn submit(&mut self, index: u8, stage: &mut Stage) {
        let create = Input::CreateCustomer { name: format!("customer {index}"), api_key_hash: [index; 32] };
        self.commit(create, stage);
        let customer = store::queries::customer_by_key(&self.connection, &[index; 32]).unwrap().unwrap();
        self.customers.push(customer);
        let deposit =
            Input::Deposit { customer, amount: BaseUnits(1_000_000), reference: format!("d{index}") };
        self.commit(deposit, stage);
        let tasks: Vec<TaskSpec> = (0..stage.chance.random_range(3..12u8))
            .map(|task| TaskSpec {
                payload: BlobHash::of(&[index, task]),
                inputs: Vec::new(),
                outputs: 1,
                picture: None,
            })
            .collect();
        for task in &tasks {
            let by = BlobOwner::Customer(customer);
            self.commit(Input::BlobStored { hash: task.payload, bytes: 2, by }, stage);
        }
        let job = JobSpec {
            idempotency_key: "only".to_owned(),
            title: format!("job of customer {index}"),
            kind: JOB_KIND_WGSL.to_owned(),
            price_per_task: BaseUnits(PRICE),
            task_deadline_ms: 120_000,
            tasks,
        };
        self.commit(Input::CreateJob { customer, job }, stage);
    }

    pub fn id(&self) -> NetworkId {
        self.key.network_id()
    }

    pub fn ticket(&self) -> NetworkTicket {
        NetworkTicket { id: self.id(), addresses: Vec::new(), relay: None }
    }

    pub fn life(&self) -> u32 {
        self.life
    }

    pub fn is_up(&self) -> bool {
        self.engine.is_some()
    }

    pub fn lives(&self, life: u32) -> bool {
        self.is_up() && self.life == life
    }

    /// Whether it has crashed since the last call.
    pub fn has_crashed(&mut self) -> bool {
        std::mem::take(&mut self.crashed)
    }

    /// Starts, or starts again on the same store.
    pub fn start(&mut self, stage: &mut Stage) {
        self.life += 1;
        let seed = stage.chance.random();
        self.engine = Some(Engine::new(self.key.clone(), config(), seed));
        let kinds = if self.trusted { vec![JOB_KIND_WGSL.to_owned()] } else { Vec::new() };
        self.commit(Input::TrustedRuntime { kinds }, stage);
    }

    /// Ends at once, and comes back after a while.
    pub fn crash(&mut self, stage: &mut Stage) {
        if self.engine.take().is_some() {
            self.crashed = true;
            let down = stage.chance.random_range(100..20_000);
            stage.after(down, Event::NetworkStarts);
        }
    }

    pub fn connected(&mut self, worker: WorkerId, link: u64, stage: &mut Stage) {
        self.tell(Input::WorkerConnected { worker, session: SessionId(link) }, stage);
    }

    pub fn hear(&mut self, worker: WorkerId, link: u64, message: WorkerMessage, stage: &mut Stage) {
        self.tell(Input::FromWorker { worker, session: SessionId(link), message }, stage);
    }

    /// A worker puts a blob; whether it is stored.
    pub fn stored(&mut self, hash: BlobHash, worker: WorkerId, stage: &mut Stage) -> bool {
        self.tell(Input::BlobStored { hash, bytes: 4, by: BlobOwner::Worker(worker) }, stage)
    }

    /// Tells the engine, in a transaction. It may crash before the commit, when nothing has happened, or right
    /// after it, when nobody has heard.
    pub fn tell(&mut self, input: Input, stage: &mut Stage) -> bool {
        if stage.mishap(2) {
            let Some(engine) = &mut self.engine else { return false };
            let transaction = self.connection.transaction().unwrap();
            let _ = engine.handle(&transaction, input, stage.now);
            transaction.rollback().unwrap();
            self.crash(stage);
            return false;
        }
        let unheard = stage.mishap(2);
        let Some(effects) = self.decide(input, stage) else { return false };
        if unheard {
            self.crash(stage);
            return false;
        }
        self.carry_out(effects, stage);
        true
    }

    /// Tells the engine what must not be lost.
    fn commit(&mut self, input: Input, stage: &mut Stage) {
        let effects = self.decide(input, stage).expect("the network is up");
        self.carry_out(effects, stage);
    }

    fn decide(&mut self, input: Input, stage: &Stage) -> Option<Vec<Effect>> {
        let engine = self.engine.as_mut()?;
        let transaction = self.connection.transaction().unwrap();
        match engine.handle(&transaction, input, stage.now) {
            Ok(effects) => {
                transaction.commit().unwrap();
                Some(effects)
            }
            Err(error) => panic!("the engine failed: {error}"),
        }
    }

    fn carry_out(&mut self, effects: Vec<Effect>, stage: &mut Stage) {
        for effect in effects {
            match effect {
                Effect::Send { session, message, .. } => {
                    stage.send(|| Event::ToWorker { link: session.0, message: message.clone() });
                }
                Effect::Check(request) => {
                    let expected = match request.against {
                        Against::TrustedRuntime => vec![truth(request.payload)],
                        Against::Outputs(outputs) => outputs,
                    };
                    let outcome = if request.reported == expected {
                        CheckOutcome::Match
                    } else {
                        CheckOutcome::Mismatch { expected, difference: "it differs".to_owned() }
                    };
                    let took = stage.chance.random_range(50..3_000);
                    let input = Input::CheckEnded { check: request.check, outcome };
                    stage.after(took, Event::TellNetwork { life: self.life, input });
                }
                Effect::DropSession { session, .. } => {
                    stage.links.remove(&session.0);
                }
                Effect::JobChanged { .. }
                | Effect::Progress { .. }
                | Effect::Answer(_)
                | Effect::Time { .. }
                // This network pays on no chain.
                | Effect::Prove { .. }
                | Effect::LookAtClaims { .. } => {}
            }
        }
    }

    /// All jobs.
    pub fn jobs(&self) -> Vec<Job> {
        let of = |customer: &CustomerId| store::queries::jobs_of(&self.connection, *customer, 100).unwrap();
        self.customers.iter().flat_map(of).collect()
    }

    /// What a worker has earned by the ledger, in whatever state.
    pub fn owed(&self, worker: WorkerId) -> u64 {
        let accounts =
            [ledger::Account::Held(worker), ledger::Account::Payable(worker), ledger::Account::Paid(worker)];
        let balance = |account| store::queries::balance(&self.connection, account).unwrap();
        accounts.iter().map(balance).sum::<i64>().try_into().expect("nobody earns less than nothing")
    }

    /// The ledger's own audit.
    pub fn audit(&self) {
        ledger::audit(&self.connection).unwrap();
    }
}
