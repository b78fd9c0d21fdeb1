//! The worker's decisions, without IO: [`Machine::handle`] turns what happened into what is to be done.
//!
//! Intent (what the contributor wants) is kept apart from fact (what is the case). Every input changes facts;
//! then what is wanted is compared with them (`drive_…`), and the difference becomes effects. Time comes in
//! with each input and never from a clock; randomness comes from a seed.
//!
//! Three rules hold for every list of effects. What frees the GPU comes first and waits for nothing. Records
//! come next, in one transaction. Everything else comes after them, so that nothing irreversible is done
//! before it is written down.
//!
//! What the shell calls: [`Machine::start`], [`Machine::check`] before an order, [`Machine::handle`],
//! [`Machine::next_deadline`] and [`Machine::view`].

mod answers;
mod backoff;
mod benchmark;
mod challenge;
mod data;
mod device;
mod drain;
mod effect;
mod guarding;
mod id;
mod input;
mod invariants;
mod journal_fault;
mod kept;
mod lease;
mod link;
mod notice;
mod order;
mod out;
mod payouts;
mod power;
mod receipts;
mod record;
mod run;
mod standing;
mod state;
mod task;
#[cfg(test)]
pub(crate) mod tests;
mod view;
mod wallets;

use std::collections::{BTreeMap, VecDeque};

use lull_guards::{Policy, TimeZone};
use lull_network_api::{Balance, RecentPrice};
use lull_types::{AssignmentId, BenchmarkReport, NetworkId, SecretKey, Tariff, UnixMillis};
use lull_worker_api::{Intent, Notice, Settings, StateView};

pub use data::{SAVE_AFTER, SAVE_BYTES};
pub use drain::DRAIN_TIME;
pub use effect::Effect;
pub use id::{ChallengeId, Lease, LeaseId, SessionId, TransferId};
pub use input::{ChallengeEnd, FoundDevices, Input, Order, RunEnd, TransferFailure};
pub use kept::{OWN_PROOF_RETRY, OWN_PROOF_TIMEOUT};
pub use lease::{CANCEL_GRACE, YIELD_DEADLINE};
pub use notice::NOTICES_KEPT;
pub use payouts::{PAYOUTS_KEPT, PayoutFacts, ProofAnswer, ToldPayouts};
pub use receipts::{COUNTERSIGNATURES_KEPT, QUARTER_MS, QUARTERS_KEPT};
pub use record::{
    Earned, JoinedNetwork, KnownNetwork, NetworkChoice, OpenAssignment, Pause, Record, Restored, SignedClaim,
    Stage, TripCost,
};
pub use task::OVER_KEPT;
pub use view::{DeviceFacts, View};

use backoff::Chance;
use benchmark::Benchmark;
use data::Unsaved;
use device::{Device, Hardware};
use drain::Drain;
use guarding::Guarding;
use journal_fault::JournalFault;
use lease::Leases;
use link::Link;
use out::Out;
use payouts::Payouts;
use power::PowerLimits;
use task::Task;
use wallets::Wallets;

/// Who this worker is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The device key; its public half is the worker's id.
    pub key: SecretKey,
    /// Version of the worker, told to networks.
    pub worker_version: String,
    /// Seed of the jitter in back-offs; different on every start.
    pub seed: u64,
    /// Where the contributor's clock stands.
    pub zone: TimeZone,
}

/// The worker's state, whole.
#[derive(Clone, Debug)]
pub struct Machine {
    identity: Identity,
    chance: Chance,
    /// The last number given to a lease, session or transfer.
    last_id: u64,

    // What is wanted. Kept over restarts.
    intent: Intent,
    settings: Settings,
    network: Option<record::JoinedNetwork>,
    wallets: Wallets,
    payouts: Payouts,

    // What is the case.
    hardware: Hardware,
    /// Failures to find devices in a row.
    hardware_failures: u32,
    devices: Vec<Device>,
    benchmarks: Vec<BenchmarkReport>,
    benchmark: Benchmark,
    /// Changes whenever something changes that a network should know of this worker.
    offer_revision: u64,
    policy: Policy,
    guarding: Guarding,
    /// Counts of data that are not written down yet.
    unsaved: Unsaved,
    power_limits: PowerLimits,
    leases: Leases,
    link: Link,
    /// Receipts in a row that came before one that is missing.
    gaps: u32,
    tasks: Vec<Task>,
    over: VecDeque<AssignmentId>,
    earned: BTreeMap<NetworkId, Earned>,
    balance: Option<(NetworkId, Balance)>,
    /// What work has lately paid, by the network that says so.
    prices: Option<(NetworkId, Vec<RecentPrice>)>,
    notices: VecDeque<Notice>,
    drain: Option<Drain>,
    /// The process is to end.
    shutting_down: bool,
    exited: bool,
    journal_fault: Option<JournalFault>,
    wake: Option<UnixMillis>,
    /// What was last shown, to tell whether a tick changed it.
    shown: Option<StateView>,
}

impl Machine {
    /// A machine that goes on from what the journal holds, and the first things to do.
    pub fn start(identity: Identity, restored: Restored, now: UnixMillis) -> (Self, Vec<Effect>) {
        let chance = Chance(identity.seed);
        let waits_for_a_word = !restored.settings.start_working;
        let mut policy = Policy::new(identity.zone.clone());
        for Pause { device, until } in &restored.pauses {
            policy.pause(*device, *until);
        }
        let mut machine = Self {
            identity,
            chance,
            last_id: 0,
            intent: Intent::Off,
            settings: Settings::default(),
            network: None,
            wallets: Wallets::default(),
            payouts: Payouts::default(),
            hardware: Hardware::Unknown,
            hardware_failures: 0,
            devices: Vec::new(),
            benchmarks: Vec::new(),
            benchmark: Benchmark::default(),
            offer_revision: 0,
            policy,
            guarding: Guarding::default(),
            unsaved: Unsaved::default(),
            power_limits: PowerLimits::default(),
            leases: Leases::default(),
            link: Link::new(),
            gaps: 0,
            tasks: Vec::new(),
            over: VecDeque::new(),
            earned: BTreeMap::new(),
            balance: None,
            prices: None,
            notices: VecDeque::new(),
            drain: None,
            shutting_down: false,
            exited: false,
            journal_fault: None,
            wake: None,
            shown: None,
        };
        machine.load(restored);
        machine.policy.follow(machine.settings.guards.clone(), now);
        let mut out = Out::default();
        if waits_for_a_word && machine.intent == Intent::On {
            machine.intent = Intent::Off;
            out.record(Record::Intent(Intent::Off));
        }
        machine.drive(now, &mut out);
        out.publish();
        (machine, out.into_effects())
    }

    /// Takes over what the journal holds. Facts of this process (leases, hardware, a pause) stay.
    fn load(&mut self, restored: Restored) {
        self.intent = restored.intent.unwrap_or(Intent::Off);
        self.settings = restored.settings;
        self.network = restored.network;
        self.wallets.wanted = restored.wallet;
        self.payouts.told = restored.payouts;
        self.wallets.kept = restored.kept_wallet;
        self.benchmarks = restored.benchmarks;
        self.tasks = restored.open.into_iter().map(Task::new).collect();
        self.over = restored.over.into();
        self.earned = restored.earned;
        self.notices = restored.notices.into();
        self.load_data(&restored.data);
        self.offer_revision += 1;
    }

    /// Takes in what happened and says what is to be done, in order. Times never go back; an input with an
    /// earlier `now` than the last is harmless.
    pub fn handle(&mut self, input: Input, now: UnixMillis) -> Vec<Effect> {
        let mut out = Out::default();
        let is_tick = matches!(input, Input::Tick);
        if self.exited {
            // The list that ended in `Exit` was dropped when its records could not be written; what they would
            // have said is worked out again from the journal after the next start.
            return if matches!(input, Input::JournalFailed(_)) { vec![Effect::Exit] } else { Vec::new() };
        }
        if self.journal_fault.is_some() {
            self.take_while_journal_fails(input, now, &mut out);
        } else {
            self.take(input, now, &mut out);
        }
        self.drive(now, &mut out);
        let state = self.state(now);
        if !is_tick || out.len() > 0 || self.shown.as_ref() != Some(&state) {
            out.publish();
        }
        self.shown = Some(state);
        out.into_effects()
    }

    fn take(&mut self, input: Input, now: UnixMillis, out: &mut Out) {
        match input {
            Input::Order(order) => self.on_order(order, now, out),
            Input::DevicesFound(found) => self.on_devices_found(found, now, out),
            Input::BenchmarkProgress { lease, measure, fraction, value_so_far } => {
                self.on_benchmark_progress(lease, measure, fraction, value_so_far);
            }
            Input::BenchmarkEnded { lease, outcome } => self.on_benchmark_ended(lease, outcome, now, out),
            Input::ChallengeAsked { challenge, device } => {
                self.on_challenge_asked(challenge, device, now, out);
            }
            Input::ChallengeEnded { lease, end } => self.on_challenge_ended(lease, end, now, out),
            Input::RunStarted { lease } => self.on_run_started(lease),
            Input::RunProgress { lease, fraction } => self.on_run_progress(lease, fraction, now, out),
            Input::ShiftProgress { lease, shift } => self.on_shift_progress(lease, *shift),
            Input::RunEnded { lease, end } => self.on_run_ended(lease, end, now, out),
            Input::Freed { lease } => self.on_freed(lease, now, out),
            Input::PracticeStarted(started) => self.on_practice_started(started, now, out),
            Input::PracticeEnded(fault) => self.on_practice_ended(fault, now, out),
            Input::SessionOpened { session } => self.on_session_opened(session, now, out),
            Input::SessionLost { session, fault } => self.on_session_lost(session, fault, now),
            Input::NetworkSaid { session, message } => self.on_network_said(session, *message, now, out),
            Input::DataMoved(moved) => self.on_data_moved(moved, now),
            Input::Fetched { transfer, output_bytes } => self.on_fetched(transfer, output_bytes, out),
            Input::Uploaded { transfer } => self.on_uploaded(transfer, out),
            Input::FetchFailed { transfer, failure } | Input::UploadFailed { transfer, failure } => {
                self.on_transfer_failed(transfer, failure, now, out);
            }
            Input::SignedAsWallet { nonce, signed } => self.on_signed_as_wallet(nonce, signed, now, out),
            Input::Observed(seen) => self.policy.observe(seen, now),
            Input::SightLost { guard, fault } => {
                self.policy.lose_sight(guard, now);
                self.notify_problem(&fault, now, out);
            }
            Input::PowerLimit { device, limit } => self.on_power_limit(device, limit, now, out),
            Input::DeviceUnseen(fault) | Input::PowerLimitStuck(fault) => {
                self.notify_problem(&fault, now, out);
            }
            Input::JournalFailed(fault) => self.on_journal_failed(fault, now, out),
            // Only the answer to a question, and none was asked.
            Input::JournalRestored(_) | Input::Tick => {}
        }
    }

    /// Compares what is wanted with what is the case until nothing more follows from it.
    fn drive(&mut self, now: UnixMillis, out: &mut Out) {
        loop {
            let before = out.len();
            out.forget_wake();
            self.drive_guards(now, out);
            self.leases.enforce(now, out);
            if self.journal_fault.is_some() {
                self.drive_journal(now, out);
            } else {
                self.drive_hardware(now, out);
                self.drive_benchmark(now, out);
                self.drive_leases(now, out);
                self.drive_tasks(now, out);
                self.drive_asking(now, out);
                self.drive_data(now, out);
                self.drive_drain(now, out);
                self.drive_link(now, out);
                self.drive_own_proof(now, out);
            }
            self.drive_power_limits(out);
            if out.len() == before {
                break;
            }
        }
        self.wake = out.wake();
    }

    /// When [`Input::Tick`] is to be given, if nothing else happens before.
    pub fn next_deadline(&self) -> Option<UnixMillis> {
        self.wake
    }

    /// What power costs, as the contributor says.
    pub fn tariff(&self) -> &Tariff {
        &self.settings.tariff
    }

    /// Whether an assignment is still to be done here.
    pub fn is_work(&self, assignment: AssignmentId) -> bool {
        self.tasks.iter().any(|task| task.id() == assignment && task.is_work())
    }

    /// This worker's id.
    pub fn worker_id(&self) -> lull_types::WorkerId {
        self.identity.key.worker_id()
    }

    /// Whether the contributor wants work and the process goes on.
    fn works(&self) -> bool {
        self.intent == Intent::On && !self.shutting_down
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}
