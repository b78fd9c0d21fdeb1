//! A machine on the bench: it is told something and looked at.

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::UnixMillis;
use lull_worker_api::{Intent, StateView};

use super::fixture::{assignment, found, identity, network_info, outputs, report, ticket};
use crate::machine::{
    Effect, Input, JoinedNetwork, Lease, Machine, NetworkChoice, Order, Record, Restored, RunEnd, SessionId,
    Stage, TransferId,
};

/// When every test begins.
pub const T0: u64 = 1_000_000;

/// A machine with a clock that the test turns.
pub struct Bench {
    pub machine: Machine,
    pub now: u64,
    pub last: Vec<Effect>,
}

impl Bench {
    pub fn start(restored: Restored) -> Self {
        let (machine, last) = Machine::start(identity(1), restored, UnixMillis(T0));
        Self { machine, now: T0, last }
    }

    /// Joined to a network by ticket, with `devices` measured.
    pub fn joined(devices: u32) -> Restored {
        Restored {
            intent: Some(Intent::On),
            network: Some(JoinedNetwork {
                choice: NetworkChoice::Ticket(ticket()),
                info: None,
                enrolled: true,
            }),
            benchmarks: (0..devices).map(report).collect(),
            ..Restored::default()
        }
    }

    /// Connected and enrolled, and asking for work.
    pub fn up(devices: u32) -> Self {
        Self::up_from(Self::joined(devices), devices)
    }

    /// The same, from what a journal holds.
    pub fn up_from(restored: Restored, devices: u32) -> Self {
        let mut bench = Self::start(restored);
        bench.give(Input::DevicesFound(Ok(found(devices))));
        let session = bench.session();
        bench.give(Input::SessionOpened { session });
        bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: true });
        bench.said(NetworkMessage::Enrolled);
        bench
    }

    /// With assignment 7 running on device 0.
    pub fn running() -> (Self, Lease) {
        let mut bench = Self::up(1);
        let lease = bench.run(7, 0);
        (bench, lease)
    }

    /// With assignment 7 running on device 0 and 8 on device 1.
    pub fn running_two() -> (Self, Lease, Lease) {
        let mut bench = Self::up(2);
        let (first, second) = (bench.run(7, 0), bench.run(8, 1));
        (bench, first, second)
    }

    /// An assignment comes and is run.
    pub fn run(&mut self, number: u128, device: u32) -> Lease {
        self.run_fetched(number, device);
        let lease = self.lease();
        self.give(Input::RunStarted { lease: lease.id });
        lease
    }

    /// An assignment comes and is about to be run.
    pub fn run_fetched(&mut self, number: u128, device: u32) {
        self.said(NetworkMessage::Assign(Box::new(assignment(number, device, self.now + 600_000))));
        let transfer = self.transfer();
        self.give(Input::Fetched { transfer, output_bytes: 1000 });
    }

    pub fn give(&mut self, input: Input) -> &mut Self {
        self.last = self.machine.handle(input, UnixMillis(self.now));
        self.machine.assert_invariants(UnixMillis(self.now));
        self
    }

    pub fn order(&mut self, order: Order) -> &mut Self {
        self.machine.check(&order, UnixMillis(self.now)).expect("the order can be followed");
        self.give(Input::Order(order))
    }

    pub fn said(&mut self, message: NetworkMessage) -> &mut Self {
        let session = self.machine.link.session.id().unwrap_or(SessionId(0));
        self.give(Input::NetworkSaid { session, message: Box::new(message) })
    }

    pub fn after(&mut self, ms: u64) -> &mut Self {
        self.now += ms;
        self.give(Input::Tick)
    }

    pub fn state(&self) -> StateView {
        self.machine.state(UnixMillis(self.now))
    }

    pub fn state_name(&self) -> String {
        let json = serde_json::to_value(self.state()).unwrap();
        json["name"].as_str().unwrap_or_default().to_owned()
    }

    pub fn has(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.last.iter().any(wanted)
    }

    pub fn sends(&self, wanted: impl Fn(&WorkerMessage) -> bool) -> bool {
        self.has(|effect| matches!(effect, Effect::Send { message, .. } if wanted(message)))
    }

    pub fn hands_back(&self, code: &str) -> bool {
        let recorded = |record: &Record| matches!(record, Record::Stage { stage: Stage::HandingBack { reason }, .. } if reason.code == code);
        self.has(|effect| matches!(effect, Effect::Journal(records) if records.iter().any(recorded)))
    }

    pub fn session(&self) -> SessionId {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::OpenSession { session, .. } => Some(*session),
            _ => None,
        });
        found.expect("a session is opened")
    }

    pub fn transfer(&self) -> TransferId {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::Fetch { transfer, .. } | Effect::Upload { transfer, .. } => Some(*transfer),
            _ => None,
        });
        found.expect("blobs are moved")
    }

    pub fn lease(&self) -> Lease {
        let found = self.last.iter().find_map(|effect| match effect {
            Effect::Run { lease, .. } | Effect::StartBenchmark { lease, .. } => Some(*lease),
            _ => None,
        });
        found.expect("a lease is given")
    }
}

pub fn done() -> RunEnd {
    RunEnd::Done { outputs: outputs(assignment(7, 0, 0).task), ran_ms: 3000 }
}
