//! The world around the machine under virtual time: its shell, its runtimes, its person, the wires, and all that
//! goes wrong with them.

use std::collections::{BTreeMap, BTreeSet};

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{AssignmentId, Signature, UnixMillis};

use super::super::fixture::{self, fault, found, identity, ticket};
use super::Tally;
use super::book::Book;
use super::hands::Process;
use super::network::{Network, Reaction};
use crate::journal::Journal;
use crate::machine::backoff::Chance;
use crate::machine::{ChallengeId, Effect, Input, LeaseId, Machine, SessionId, Stage, YIELD_DEADLINE};

/// What is going to happen.
#[derive(Debug)]
pub enum Event {
    /// The worker's process of this generation is told.
    Worker { life: u64, input: Input },
    /// The network hears a message of a session.
    Network { life: u64, session: SessionId, message: WorkerMessage },
    /// The network decides on a report.
    Judge(AssignmentId),
    /// An assignment's deadline has passed.
    Expire(AssignmentId),
    /// The machine asked to be woken.
    Wake { life: u64 },
    /// These leases must be free by now.
    MustBeFree { life: u64, leases: Vec<LeaseId> },
    /// The worker's process starts.
    Start,
    /// The person does something.
    Person,
    /// Something breaks by itself.
    Mishap,
}

/// The whole world.
#[derive(Debug)]
pub struct World {
    pub now: u64,
    next_event: u64,
    events: BTreeMap<(u64, u64), Event>,
    pub chance: Chance,
    /// Challenges that the network has begun.
    challenges: u64,
    /// Whether things go wrong.
    pub faulty: bool,
    pub machine: Option<Machine>,
    /// Counts the starts of the worker's process.
    pub life: u64,
    pub book: Book,
    /// The real journal, written beside the model of it where a test wants to compare them.
    pub journal: Option<Journal>,
    pub tally: Tally,
    pub processes: BTreeMap<LeaseId, Process>,
    /// What the worker's hands hold boards to, by device, in watts.
    pub ceilings: BTreeMap<u32, u16>,
    /// The session that both sides hold, with the time of the last delivery each way.
    pub session: Option<(SessionId, u64, u64)>,
    /// Leases whose end was told, with the life in which they were.
    pub freed: BTreeSet<(u64, LeaseId)>,
    /// What lies on the worker's disk.
    pub fetched: BTreeSet<AssignmentId>,
    pub rendered: BTreeSet<AssignmentId>,
    pub network: Network,
    pub devices: u32,
    /// What happened last, for a failure's report.
    pub trace: std::collections::VecDeque<String>,
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let tasks = 3 + (chance.fraction() * 8.0) as u128;
        let devices = 1 + u32::from(chance.fraction() < 0.4);
        let network = Network::new(tasks, &mut chance);
        Self {
            now: 1_700_000_000_000,
            next_event: 0,
            events: BTreeMap::new(),
            chance,
            challenges: 0,
            faulty: true,
            machine: None,
            life: 0,
            book: Book::default(),
            journal: None,
            tally: Tally::default(),
            processes: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            session: None,
            freed: BTreeSet::new(),
            fetched: BTreeSet::new(),
            rendered: BTreeSet::new(),
            network,
            devices,
            trace: std::collections::VecDeque::new(),
        }
    }

    pub fn later(&mut self, delay: u64, event: Event) {
        self.next_event += 1;
        self.events.insert((self.now + delay, self.next_event), event);
    }

    pub fn tell(&mut self, delay: u64, input: Input) {
        self.later(delay, Event::Worker { life: self.life, input });
    }

    pub fn happens(&mut self, probability: f64) -> bool {
        self.faulty && self.chance.fraction() < probability
    }

    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + (self.chance.fraction() * (most - least) as f64) as u64
    }

    fn note(&mut self, what: String) {
        if self.trace.len() >= 60 {
            self.trace.pop_front();
        }
        self.trace.push_back(format!("{:>8} ms life {}: {what}", self.now - 1_700_000_000_000, self.life));
    }

    /// Lets the next thing happen, unless it lies after `end`.
    pub fn step(&mut self, end: u64) -> bool {
        let Some((&(at, number), _)) = self.events.first_key_value() else { return false };
        if at > end {
            self.now = end;
            return false;
        }
        let Some(event) = self.events.remove(&(at, number)) else { return false };
        self.now = at;
        match event {
            Event::Worker { life, input } if life == self.life => {
                if self.is_still_said(&input) {
                    self.give(input);
                }
            }
            Event::Wake { life } if life == self.life => {
                let due = self.machine.as_ref().and_then(Machine::next_deadline);
                if due.is_some_and(|due| due.0 <= self.now) {
                    self.give(Input::Tick);
                }
            }
            Event::MustBeFree { life, leases } if life == self.life => {
                let held: Vec<_> = leases.iter().filter(|id| self.processes.contains_key(id)).collect();
                assert!(held.is_empty(), "the GPU is not free {YIELD_DEADLINE:?} after the pause: {held:?}");
            }
            Event::Network { life, session, message } => {
                if life == self.life && self.session.is_some_and(|(open, ..)| open == session) {
                    self.network_hears(message);
                }
            }
            Event::Judge(id) => {
                let messages = self.network.judge(id, &mut self.chance);
                messages.into_iter().for_each(|message| self.network_says(message));
            }
            Event::Expire(id) => {
                if let Some(message) = self.network.withdraw(id) {
                    self.network_says(message);
                }
            }
            Event::Start => self.start_worker(),
            Event::Person => self.person_acts(),
            Event::Mishap => self.mishap(),
            Event::Worker { .. } | Event::Wake { .. } | Event::MustBeFree { .. } => {}
        }
        true
    }

    /// Starts the worker's process on what the journal holds.
    pub fn start_worker(&mut self) {
        if self.machine.is_some() {
            return;
        }
        self.life += 1;
        self.note("the worker starts".to_owned());
        if let Some(journal) = &self.journal {
            assert_eq!(journal.restore().unwrap(), self.book.restore());
        }
        let seed = self.life ^ (self.now << 8);
        let (machine, effects) = Machine::start(identity(seed), self.book.restore(), UnixMillis(self.now));
        machine.assert_invariants(UnixMillis(self.now));
        self.machine = Some(machine);
        self.execute(effects);
    }

    /// Ends the worker's process at once, and with it all that it started.
    pub fn kill_worker(&mut self) {
        self.note("the worker is killed".to_owned());
        self.tally.kills += 1;
        self.machine = None;
        self.processes.clear();
        self.ceilings.clear();
        self.session = None;
        // The next life's inputs must not be mistaken for this one's.
        self.life += 1;
        if self.happens(0.1) {
            self.fetched.clear();
            self.rendered.clear();
        }
        let delay = self.between(1, 5000);
        self.later(delay, Event::Start);
    }

    pub fn give(&mut self, input: Input) {
        let Some(mut machine) = self.machine.take() else { return };
        self.note(format!("{input:?}").chars().take(400).collect());
        let pauses = matches!(input, Input::Order(crate::machine::Order::Pause { device: None, .. }));
        let now = UnixMillis(self.now);
        if let Input::Order(order) = &input
            && machine.check(order, now).is_err()
        {
            self.machine = Some(machine);
            return;
        }
        let effects = machine.handle(input, now);
        machine.assert_invariants(now);
        self.machine = Some(machine);
        if pauses {
            self.tally.yields += u64::from(!self.processes.is_empty());
            let leases = self.processes.keys().copied().collect();
            let delay = u64::try_from(YIELD_DEADLINE.as_millis()).unwrap();
            self.later(delay, Event::MustBeFree { life: self.life, leases });
        }
        self.execute(effects);
        self.assert_boards_are_free();
    }

    /// Does what the machine wants, in order. The process may be killed between any two effects.
    fn execute(&mut self, effects: Vec<Effect>) {
        let life = self.life;
        let killed_before =
            if self.happens(0.004) { Some(self.between(0, effects.len() as u64)) } else { None };
        for (index, effect) in effects.into_iter().enumerate() {
            if killed_before == Some(index as u64) {
                self.kill_worker();
                return;
            }
            if effect != Effect::Publish {
                self.note(format!("    {effect:?}").chars().take(400).collect());
            }
            if let Effect::Journal(records) = effect {
                if self.happens(0.01) {
                    self.tally.journal_failures += 1;
                    self.give(Input::JournalFailed(fault("disk_full")));
                    return;
                }
                self.book.apply(&records);
                if let Some(journal) = &mut self.journal {
                    journal.apply(&records).unwrap();
                }
            } else {
                self.act(effect);
            }
            if self.life != life {
                return;
            }
        }
        let due = self.machine.as_ref().and_then(Machine::next_deadline);
        if let Some(due) = due {
            self.later(due.0.saturating_sub(self.now), Event::Wake { life: self.life });
        }
    }

    fn act(&mut self, effect: Effect) {
        match effect {
            Effect::Journal(_) | Effect::Publish | Effect::Notify(_) | Effect::Pace { .. } => {}
            Effect::PowerLimit { device, ceiling_watts } => self.hold_to(device.index, ceiling_watts),
            Effect::Restore => {
                let input = if self.happens(0.3) {
                    Input::JournalFailed(fault("disk_full"))
                } else {
                    Input::JournalRestored(Box::new(self.book.restore()))
                };
                self.tell(0, input);
            }
            Effect::FindDevices => {
                let found =
                    if self.happens(0.1) { Err(fault("runtime_died")) } else { Ok(found(self.devices)) };
                let delay = self.between(50, 500);
                self.tell(delay, Input::DevicesFound(found));
            }
            Effect::StartBenchmark { lease, .. } => self.run_benchmark(lease),
            Effect::AnswerChallenge { lease, .. } => self.answer_challenge(lease),
            Effect::DeclineChallenge { .. } => {}
            Effect::Run { lease, assignment } => {
                let stage = self.book.stage(assignment.id);
                assert_eq!(stage, Some(&Stage::Running), "a run is written down before it begins");
                self.run_task(lease, assignment.id, assignment.task);
            }
            Effect::Cancel { lease } => self.cancel(lease),
            Effect::Kill { lease } => {
                let delay = self.between(1, 60);
                // A lease whose runtime was never started is free, and the machine is told so as well.
                self.tell(delay, Input::Freed { lease });
            }
            Effect::StartPracticeNetwork => {
                let started = if self.happens(0.2) { Err(fault("practice_failed")) } else { Ok(ticket()) };
                let delay = self.between(100, 2000);
                self.tell(delay, Input::PracticeStarted(started));
            }
            Effect::StopPracticeNetwork => self.cut(),
            Effect::OpenSession { session, .. } => {
                let delay = self.between(5, 300);
                if self.happens(0.2) {
                    self.tell(delay, Input::SessionLost { session, fault: fault("unreachable") });
                } else {
                    self.session = Some((session, self.now, self.now));
                    self.tell(delay, Input::SessionOpened { session });
                }
            }
            Effect::CloseSession { session } => {
                if self.session.is_some_and(|(open, ..)| open == session) {
                    // What was sent before still arrives.
                    self.deliver_in_flight(session);
                    self.session = None;
                }
            }
            Effect::SignAsWallet { wallet, nonce, text } => {
                let kept = self.book.restore().kept_wallet;
                assert!(kept.is_some_and(|kept| kept.confirmed && kept.address == wallet), "it is in use");
                let delay = self.between(1, 2000);
                let key = [1, 2].map(fixture::wallet).into_iter().find(|(_, address)| *address == wallet);
                let signed = match key {
                    Some((key, _)) if !self.happens(0.2) => Ok(Signature(key.sign(text.as_bytes()).into())),
                    _ => Err(fault("wallet_key_unavailable")),
                };
                self.tell(delay, Input::SignedAsWallet { nonce, signed });
            }
            Effect::Send { session, message } => self.worker_says(session, *message),
            Effect::Fetch { transfer, session, assignment, room } => {
                self.fetch(transfer, session, assignment.id, &room);
            }

            Effect::Upload { transfer, session, assignment, outputs } => {
                self.upload(transfer, session, assignment, &outputs);
            }
            // What the transfer says afterwards is still told, and must do no harm.
            Effect::StopTransfer { .. } => {}
            Effect::DropFiles { assignment } => {
                self.fetched.remove(&assignment);
                self.rendered.remove(&assignment);
            }
            Effect::Exit => {
                assert!(self.ceilings.is_empty(), "it ends with all boards at their own limits");
                self.machine = None;
                self.processes.clear();
                self.session = None;
                self.life += 1;
                let delay = self.between(1, 3000);
                self.later(delay, Event::Start);
            }
        }
    }

    /// The instants at which a message arrives: once, or never, twice or out of order when things go wrong.
    fn arrivals(&mut self, last: u64) -> Vec<u64> {
        let due = self.now + self.between(1, 80);
        if self.happens(0.03) {
            return Vec::new();
        }
        if self.happens(0.03) {
            return vec![due, due + self.between(0, 3000)];
        }
        if self.happens(0.03) {
            return vec![due + self.between(0, 2000)];
        }
        // In order otherwise.
        vec![due.max(last + 1)]
    }

    fn worker_says(&mut self, session: SessionId, message: WorkerMessage) {
        self.assert_written_down(&message);
        let Some((open, last_out, last_in)) = self.session else { return };
        if open != session {
            return;
        }
        for at in self.arrivals(last_out) {
            self.session = Some((open, last_out.max(at), last_in));
            let event = Event::Network { life: self.life, session, message: message.clone() };
            self.later(at - self.now, event);
        }
    }

    /// Boards are held to a ceiling only while they work, whatever was lost on the way to the hands.
    fn assert_boards_are_free(&self) {
        let Some(machine) = &self.machine else { return };
        for (device, watts) in &self.ceilings {
            assert_eq!(machine.power_limits.wanted().get(device), Some(watts), "device {device}");
        }
    }

    /// Nothing is told to the network that a restart would not know of.
    fn assert_written_down(&self, message: &WorkerMessage) {
        match message {
            WorkerMessage::Report { assignment, .. } => {
                assert!(matches!(self.book.stage(*assignment), Some(Stage::Reported { .. })));
            }
            WorkerMessage::HandBack { assignment, .. } => {
                let stage = self.book.stage(*assignment);
                let known = stage.is_some_and(|s| matches!(s, Stage::HandingBack { .. }) || s.is_over());
                assert!(known, "{assignment} is handed back in {stage:?}");
            }
            WorkerMessage::Countersign { nonce, .. } => assert!(*nonce <= self.book.nonce()),
            WorkerMessage::Hello { nonce_held, .. } => {
                assert_eq!(*nonce_held, self.book.nonce());
                let signed = self.network.countersigned.last().copied().unwrap_or(0);
                assert!(*nonce_held >= signed, "the worker lost receipt {signed} that it had signed");
            }
            WorkerMessage::SetWallet(wallet) => {
                let book = self.book.restore();
                assert_eq!(*wallet, book.wallet, "it is written down first");
                let unconfirmed = book.kept_wallet.filter(|kept| !kept.confirmed).map(|kept| kept.address);
                assert!(wallet.is_none() || *wallet != unconfirmed, "nobody may have its words");
            }
            WorkerMessage::Enrol(_)
            | WorkerMessage::StateWallet { .. }
            | WorkerMessage::ProveWallet { .. }
            | WorkerMessage::SetPayoutThreshold(_)
            | WorkerMessage::WantProof { .. }
            | WorkerMessage::Claimed { .. }
            | WorkerMessage::WantWork { .. }
            | WorkerMessage::Progress { .. } => {}
        }
    }

    pub fn network_hears(&mut self, message: WorkerMessage) {
        if self.happens(0.02) {
            // The network cannot write; nothing happens there.
            let assignment = match message {
                WorkerMessage::Report { assignment, .. } | WorkerMessage::HandBack { assignment, .. } => {
                    Some(assignment)
                }
                _ => None,
            };
            self.network_says(NetworkMessage::Refused { assignment, fault: fault("network_disk_full") });
            return;
        }
        if let WorkerMessage::Report { outputs, .. } = &message
            && self.happens(0.02)
        {
            self.network.lose(outputs);
        }
        if let WorkerMessage::WantWork { device } = message
            && self.happens(0.05)
        {
            let delay = self.between(1, 500);
            self.challenges += 1;
            let challenge = ChallengeId(self.challenges);
            self.tell(delay, Input::ChallengeAsked { challenge, device });
        }
        let reactions = self.network.hear(message, self.now, &mut self.chance);
        for reaction in reactions {
            match reaction {
                Reaction::Say(message) => self.network_says(message),
                Reaction::JudgeLater(id) => {
                    let delay = self.between(10, 3000);
                    self.later(delay, Event::Judge(id));
                }
                Reaction::Expire(id, at) => self.later(at - self.now, Event::Expire(id)),
            }
        }
    }

    pub fn network_says(&mut self, message: NetworkMessage) {
        let Some((session, last_out, last_in)) = self.session else { return };
        for at in self.arrivals(last_in) {
            self.session = Some((session, last_out, last_in.max(at)));
            let message = Box::new(message.clone());
            self.tell(at - self.now, Input::NetworkSaid { session, message });
        }
    }

    fn deliver_in_flight(&mut self, session: SessionId) {
        let ready: Vec<_> = self
            .events
            .iter()
            .filter(|(_, event)| matches!(event, Event::Network { session: of, .. } if *of == session))
            .map(|(key, _)| *key)
            .collect();
        for key in ready {
            if let Some(Event::Network { life, message, .. }) = self.events.remove(&key)
                && life == self.life
            {
                self.network_hears(message);
            }
        }
    }

    /// The wire breaks.
    pub fn cut(&mut self) {
        if let Some((session, ..)) = self.session.take() {
            let delay = self.between(1, 2000);
            self.tell(delay, Input::SessionLost { session, fault: fault("connection_broken") });
        }
    }
}

impl Drop for World {
    /// A failure tells how it came about.
    fn drop(&mut self) {
        if std::thread::panicking() {
            for line in &self.trace {
                eprintln!("{line}");
            }
        }
    }
}
