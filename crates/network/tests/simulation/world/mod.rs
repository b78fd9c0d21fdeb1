//! Time, chance and everyone who acts.

mod crew;
mod library;
mod totals;

use std::collections::BTreeMap;

use lull_checks::receipts;
use lull_network::engine::{
    Answer, BlobOwner, CheckId, CheckOutcome, Effect, Input, JobSpec, SessionId, TaskSpec,
};
use lull_network::store::{api_key_hash, queries};
use lull_network_api::NetworkMessage;
use lull_network_api::customer::JobState;
use lull_types::{BaseUnits, BlobHash, CustomerId, Fault, JobId, UnixMillis};
use rusqlite::Connection;

pub use library::Library;
pub use totals::Totals;

use crate::dice::Dice;
use crate::model::{Model, earned};
use crate::network::{self, AUDIT_WINDOW_MS, Network, Quality, network_key};
use crate::worker::{Character, KIND, Worker};

/// Faults happen until then.
const FAULTS_UNTIL_MS: u64 = 20_000;
/// By then everything must have come to rest: the longest waits in a row are those for a second worker, three
/// attempts of a task, and the audit window.
const REST_BY_MS: u64 = FAULTS_UNTIL_MS + 150_000 + AUDIT_WINDOW_MS;
const DEADLINE_MS: u64 = 4_000;
const DEPOSIT: u64 = 100_000;

enum Event {
    ToNetwork(Input, Origin),
    ToWorker(usize, SessionId, NetworkMessage),
    CheckDone(CheckId, CheckOutcome, u64),
    Step(usize),
    Submit(usize),
    Withdraw(usize),
    Tick,
    Commit,
    ToggleRuntime,
}

/// Who waits for the answer to an input.
#[derive(Clone, Copy)]
enum Origin {
    Nobody,
    Submit(usize),
    Withdraw(usize),
}

struct Order {
    customer: CustomerId,
    spec: JobSpec,
    job: Option<JobId>,
    withdrawn: bool,
}

pub struct World {
    now: u64,
    dice: Dice,
    queue: BTreeMap<(u64, u64), Event>,
    sequence: u64,
    sessions: u64,
    network: Network,
    origins: Vec<Origin>,
    /// Counts the network's lives: what an earlier one had in hand is lost.
    life: u64,
    runtime: bool,
    workers: Vec<Worker>,
    orders: Vec<Order>,
    library: Library,
    model: Model,
    totals: Totals,
    epochs: u64,
    told: bool,
}

impl World {
    /// Runs one seed to its end, and panics where anything does not hold.
    pub fn run(seed: u64, disk: Connection, told: bool) -> (Totals, Connection) {
        let mut dice = Dice::new(seed);
        let network = Network::new(disk, &mut dice);
        let mut world = Self {
            now: 1_000_000,
            runtime: dice.percent(60),
            dice,
            queue: BTreeMap::new(),
            sequence: 0,
            sessions: 0,
            network,
            origins: Vec::new(),
            life: 0,
            workers: Vec::new(),
            orders: Vec::new(),
            library: Library::default(),
            model: Model::default(),
            totals: Totals::default(),
            epochs: 0,
            told,
        };
        let start = world.now;
        world.people(start);
        while let Some(((at, _), event)) = world.queue.pop_first() {
            world.now = at;
            if at > start + REST_BY_MS {
                world.explain_unrest();
            }
            let tick = matches!(event, Event::Tick);
            world.happen(event, start);
            if tick && at > start + FAULTS_UNTIL_MS + AUDIT_WINDOW_MS && world.at_rest() {
                break;
            }
        }
        world.end()
    }

    fn faulty(&self, start: u64) -> bool {
        self.now < start + FAULTS_UNTIL_MS
    }

    fn at(&mut self, delay: u64, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }

    fn people(&mut self, start: u64) {
        let count = self.dice.between(4, 7) as u8;
        for n in 0..count {
            let cheat = n >= 3 && self.dice.percent(50);
            let share = self.dice.between(30, 101);
            let character = if cheat { Character::Cheat(share) } else { Character::Honest };
            let vendor = if n < 3 || self.dice.percent(70) { "amd" } else { "nvidia" };
            let devices = if self.dice.percent(25) { 2 } else { 1 };
            self.workers.push(Worker::new(n, character, devices, vendor));
            let delay = self.dice.below(1_500);
            self.at(delay, Event::Step(n.into()));
        }
        for n in 0..2u8 {
            let name = format!("customer {n}");
            let create = Input::CreateCustomer { name, api_key_hash: api_key_hash(&n.to_string()) };
            let Ok(effects) = self.commit_now(create) else { panic!("no customer") };
            let [Effect::Answer(Answer::CustomerCreated(customer))] = effects[..] else {
                panic!("{effects:?}")
            };
            let deposit =
                Input::Deposit { customer, amount: BaseUnits(DEPOSIT), reference: format!("seed {n}") };
            assert!(self.commit_now(deposit).is_ok());
            for job in 0..self.dice.between(1, 4) {
                self.order(customer, job);
            }
        }
        self.at(1, Event::ToggleRuntime);
        self.at(500, Event::Tick);
        assert!(self.faulty(start));
    }

    fn order(&mut self, customer: CustomerId, n: u64) {
        let mut tasks = Vec::new();
        for t in 0..self.dice.between(1, 5) {
            let text = format!("{customer} {n} {t}");
            let payload = BlobHash::of(text.as_bytes());
            let put = Input::BlobStored { hash: payload, bytes: 1, by: BlobOwner::Customer(customer) };
            assert!(self.commit_now(put).is_ok());
            if self.dice.percent(5) {
                self.library.poison.insert(payload);
            }
            self.library.note(&format!("right {payload}"), Quality::Right);
            self.library.note(&format!("nearly right {payload}"), Quality::Right);
            tasks.push(TaskSpec { payload, inputs: Vec::new(), outputs: 1, picture: None });
        }
        let spec = JobSpec {
            idempotency_key: n.to_string(),
            title: "job".to_owned(),
            kind: KIND.to_owned(),
            price_per_task: BaseUnits(self.dice.between(1, 100)),
            task_deadline_ms: DEADLINE_MS,
            tasks,
        };
        let index = self.orders.len();
        self.orders.push(Order { customer, spec, job: None, withdrawn: false });
        let delay = self.dice.below(8_000);
        self.at(delay, Event::Submit(index));
        if self.dice.percent(20) {
            let delay = self.dice.between(3_000, 18_000);
            self.at(delay, Event::Withdraw(index));
        }
    }

    fn commit_now(&mut self, input: Input) -> Result<Vec<Effect>, Fault> {
        self.network.give(input);
        self.network.commit(UnixMillis(self.now)).remove(0)
    }

    fn give(&mut self, input: Input, origin: Origin) {
        if !self.network.has_work() {
            let delay = self.dice.below(40);
            self.at(delay, Event::Commit);
        }
        self.network.give(input);
        self.origins.push(origin);
        self.totals.inputs += 1;
    }

    fn happen(&mut self, event: Event, start: u64) {
        match event {
            Event::ToNetwork(input, origin) => self.give(input, origin),
            Event::ToWorker(n, session, message) => self.worker_hears(n, session, message, start),
            Event::CheckDone(check, outcome, life) if life == self.life => {
                self.give(Input::CheckEnded { check, outcome }, Origin::Nobody);
            }
            Event::CheckDone(..) => {}
            Event::Step(n) => self.step(n, start),
            Event::Submit(n) => {
                let Order { customer, spec, job, .. } = &self.orders[n];
                if job.is_none() {
                    let input = Input::CreateJob { customer: *customer, job: spec.clone() };
                    if self.dice.percent(20) {
                        self.give(input.clone(), Origin::Nobody);
                    }
                    self.give(input, Origin::Submit(n));
                    self.at(2_000, Event::Submit(n));
                }
            }
            Event::Withdraw(n) => {
                let Order { customer, job, withdrawn, .. } = self.orders[n];
                match job {
                    _ if withdrawn => {}
                    Some(job) => {
                        self.give(Input::WithdrawJob { customer, job }, Origin::Withdraw(n));
                        self.at(2_000, Event::Withdraw(n));
                    }
                    None => self.at(2_000, Event::Withdraw(n)),
                }
            }
            Event::Tick => self.tick(start),
            Event::Commit => self.commit(start),
            Event::ToggleRuntime => {
                self.runtime = !self.faulty(start) || self.dice.percent(50);
                self.tell_runtime();
                if self.faulty(start) {
                    let delay = self.dice.between(2_000, 9_000);
                    self.at(delay, Event::ToggleRuntime);
                }
            }
        }
    }

    fn tell_runtime(&mut self) {
        let kinds = if self.runtime { vec![KIND.to_owned()] } else { Vec::new() };
        self.give(Input::TrustedRuntime { kinds }, Origin::Nobody);
    }

    fn tick(&mut self, start: u64) {
        self.give(Input::Tick, Origin::Nobody);
        if self.dice.percent(10) {
            // A crash may come between an epoch's parts and what the chain pays of it; each may be told twice.
            self.epochs += 1;
            for _ in 0..self.dice.between(1, 3) {
                self.give(Input::CloseEpoch { number: self.epochs, after: None }, Origin::Nobody);
            }
        }
        if self.dice.percent(10) {
            let n = self.dice.below(self.workers.len() as u64) as usize;
            let worker = self.workers[n].id;
            let leaves = lull_network::store::payouts::leaves(&self.network.connection).unwrap();
            if let Some(leaf) = leaves.iter().find(|leaf| leaf.worker == worker) {
                let total = BaseUnits(self.dice.between(1, leaf.lifetime.0 + 1));
                for _ in 0..self.dice.between(1, 3) {
                    self.give(Input::ChainPaid { worker, wallet: leaf.wallet, total }, Origin::Nobody);
                }
            }
        }
        if !self.faulty(start) && !self.runtime {
            self.runtime = true;
            self.tell_runtime();
        }
        self.at(1_000, Event::Tick);
    }

    fn commit(&mut self, start: u64) {
        let now = UnixMillis(self.now);
        let origins = std::mem::take(&mut self.origins);
        if self.faulty(start) && self.dice.percent(2) {
            self.tell(|| "the network crashes".to_owned());
            self.network.crash(now, &mut self.dice);
            self.life += 1;
            self.totals.network_crashes += 1;
            for worker in &mut self.workers {
                worker.disconnect();
            }
            self.model.check(&self.network.connection);
            self.tell_runtime();
            return;
        }
        let outcomes = self.network.commit(now);
        self.totals.commits += 1;
        self.model.check(&self.network.connection);
        for (outcome, origin) in outcomes.into_iter().zip(origins) {
            match outcome {
                Ok(effects) => {
                    for effect in effects {
                        self.carry_out(effect, origin, start);
                    }
                }
                Err(fault) => self.refused(&fault, origin),
            }
        }
    }

    fn refused(&mut self, fault: &Fault, origin: Origin) {
        match (origin, fault.code.as_str()) {
            (Origin::Withdraw(n), "job_ended") => self.orders[n].withdrawn = true,
            // A payout that was taken from an older balance.
            (Origin::Nobody, "ledger_overdrawn") => {}
            _ => panic!("{fault}"),
        }
    }

    fn carry_out(&mut self, effect: Effect, origin: Origin, start: u64) {
        match effect {
            Effect::Send { worker, session, message } => {
                self.tell(|| format!("network → {}: {message:?}", worker.short()));
                self.model.hears(worker, &message);
                let n = self.workers.iter().position(|w| w.id == worker).expect("a worker that exists");
                for delay in self.fate(start) {
                    self.at(delay, Event::ToWorker(n, session, message.clone()));
                }
            }
            Effect::Check(request) => {
                let by_runtime = request.against == lull_network::engine::Against::TrustedRuntime;
                if by_runtime && !self.runtime {
                    return;
                }
                let outcome = if self.faulty(start) {
                    network::check(&request, &self.library, &mut self.dice)
                } else {
                    // No more failures of the device; the same verdicts.
                    std::iter::repeat_with(|| network::check(&request, &self.library, &mut self.dice))
                        .find(|o| !matches!(o, CheckOutcome::Failed { task_at_fault: false, .. }))
                        .expect("an endless iterator")
                };
                for _ in 0..self.dice.between(1, 3) {
                    let delay = self.dice.between(50, 1_500);
                    self.at(delay, Event::CheckDone(request.check, outcome.clone(), self.life));
                }
            }
            Effect::DropSession { worker, session, .. } => {
                for w in &mut self.workers {
                    if w.id == worker && w.session == Some(session) {
                        w.disconnect();
                    }
                }
            }
            Effect::Answer(answer) => match (answer, origin) {
                (Answer::JobCreated { job, .. }, Origin::Submit(n)) => self.orders[n].job = Some(job),
                (Answer::JobWithdrawn { .. }, Origin::Withdraw(n)) => self.orders[n].withdrawn = true,
                (_, Origin::Nobody | Origin::Submit(_) | Origin::Withdraw(_)) => {}
            },
            Effect::Prove { .. }
            | Effect::LookAtClaims { .. }
            | Effect::JobChanged { .. }
            | Effect::Progress { .. }
            | Effect::Time { .. } => {}
        }
    }

    fn at_rest(&self) -> bool {
        let count = |sql: &str| -> i64 {
            self.network.connection.prepare_cached(sql).unwrap().query_row([], |row| row.get(0)).unwrap()
        };
        self.orders.iter().all(|order| order.job.is_some())
            && count("SELECT count(*) FROM jobs WHERE tasks_live > 0") == 0
            && count("SELECT count(*) FROM holds") == 0
            && count("SELECT count(*) FROM receipts WHERE worker_signature IS NULL") == 0
            && self.workers.iter().all(|w| w.lane.cumulative().0 == earned(&self.network.connection, w.id))
    }

    fn explain_unrest(&self) -> ! {
        let connection = &self.network.connection;
        let jobs = self.orders.iter().filter_map(|o| o.job).map(|job| queries::job(connection, job).unwrap());
        let jobs: Vec<_> = jobs.flatten().filter(|job| job.state == JobState::Running).collect();
        panic!(
            "no rest: running {jobs:?}, {:?}, {:?}",
            queries::counts(connection),
            queries::sums(connection)
        );
    }

    fn end(mut self) -> (Totals, Connection) {
        let connection = &self.network.connection;
        self.model.check(connection);
        let right = |outputs: &[BlobHash]| self.library.quality(outputs) == Quality::Right;
        self.totals.verdicts = self.model.check_end(connection, right);
        let sums = queries::sums(connection).unwrap();
        assert_eq!((sums.reserved, sums.held), (0, 0), "nothing is reserved and nothing held at the end");
        let mut spent = BTreeMap::<CustomerId, u64>::new();
        for order in &self.orders {
            let job = queries::job(connection, order.job.expect("every job was taken")).unwrap().unwrap();
            match job.state {
                JobState::Running => panic!("{job:?} runs for ever"),
                JobState::Done => self.totals.jobs_done += 1,
                JobState::Failed => self.totals.jobs_failed += 1,
                JobState::Withdrawn => self.totals.jobs_withdrawn += 1,
            }
            *spent.entry(order.customer).or_default() += job.spent.0;
        }
        for (customer, spent) in spent {
            let account = queries::account(connection, customer).unwrap().unwrap();
            assert_eq!(
                account.deposit.0 + spent,
                DEPOSIT,
                "a customer pays for what was done, and nothing else"
            );
        }
        for worker in self.workers {
            let checked = receipts::verify_all(network_key().network_id(), worker.id, worker.receipts);
            assert_eq!(checked.fault, None);
            let earned = earned(connection, worker.id);
            assert_eq!(checked.total.0, earned, "a worker's receipts are what it has");
        }
        self.totals.paid_out = u64::from(sums.paid > 0);
        (self.totals, self.network.connection)
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.told {
            println!("{:>8} {}", self.now - 1_000_000, what());
        }
    }
}
