//! The network under test, with the part of its shell that a crash takes away.

use lull_network::engine::{CheckOutcome, CheckRequest, Config, Effect, Engine, Input, PayoutPolicy, Policy};
use lull_network::writer;
use lull_types::{BaseUnits, ChainAddress, ChainPlace, Fault, SecretKey, UnixMillis};
use rusqlite::Connection;

use crate::dice::Dice;

pub fn network_key() -> SecretKey {
    SecretKey::from_bytes(&[200; 32])
}

pub const AUDIT_WINDOW_MS: u64 = 6_000;

/// Short times, so that a run sees many of them.
fn policy() -> Policy {
    Policy {
        newcomer_tasks: 2,
        // Simulated devices compute nothing.
        timing_valid_ms: None,
        attempts_max: 3,
        backoff_ms_first: 200,
        backoff_ms_max: 2_000,
        handback_pause_ms: 1_500,
        blame_pause_ms: 3_000,
        second_wait_ms_max: 15_000,
        audit_window_ms: AUDIT_WINDOW_MS,
        no_work_retry_ms: 2_000,
        epoch_ms: 30_000,
        ..Policy::default()
    }
}

/// One copy of the process; the connection stands for the disk and survives it.
pub struct Network {
    pub connection: Connection,
    engine: Engine,
    /// Arrived, not committed.
    group: Vec<Input>,
}

impl Network {
    /// On a disk that is wiped first. One disk serves many runs, so that its statements are compiled once.
    pub fn new(connection: Connection, dice: &mut Dice) -> Self {
        wipe(&connection);
        Self { connection, engine: fresh_engine(dice), group: Vec::new() }
    }

    pub fn give(&mut self, input: Input) {
        self.group.push(input);
    }

    pub fn has_work(&self) -> bool {
        !self.group.is_empty()
    }

    /// Commits what has arrived and lets its effects out.
    pub fn commit(&mut self, now: UnixMillis) -> Vec<Result<Vec<Effect>, Fault>> {
        let group = std::mem::take(&mut self.group);
        writer::commit_group(&mut self.connection, &mut self.engine, group, now).unwrap()
    }

    /// Dies in the middle of a commit: the group was handled and nothing of it is on the disk.
    pub fn crash(&mut self, now: UnixMillis, dice: &mut Dice) {
        let tx = self.connection.transaction().unwrap();
        for input in std::mem::take(&mut self.group) {
            if self.engine.handle(&tx, input, now).is_err() {
                break;
            }
        }
        drop(tx);
        self.engine = fresh_engine(dice);
    }
}

fn wipe(connection: &Connection) {
    let mut statement = connection.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let tables: Vec<String> =
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    connection.pragma_update(None, "foreign_keys", "OFF").unwrap();
    for table in tables {
        connection.prepare_cached(&format!("DELETE FROM {table}")).unwrap().execute([]).unwrap();
    }
    connection.pragma_update(None, "foreign_keys", "ON").unwrap();
}

/// Every wallet is paid, and every other payout is sent.
fn payouts() -> PayoutPolicy {
    let place = ChainPlace {
        cluster: "simulated".to_owned(),
        endpoint: None,
        program: ChainAddress([1; 32]),
        mint: ChainAddress([2; 32]),
        account: ChainAddress([3; 32]),
    };
    PayoutPolicy {
        place,
        fee_first: BaseUnits(5),
        fee_later: BaseUnits(1),
        threshold: BaseUnits(200),
        threshold_min: BaseUnits(1),
        pays_unproven: true,
    }
}

fn fresh_engine(dice: &mut Dice) -> Engine {
    let config = Config { policy: policy(), payouts: Some(payouts()), ..Config::default() };
    Engine::new(network_key(), config, dice.seed())
}

/// What bytes are worth. Two honest workers may differ within the tolerance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    Right,
    Wrong,
}

/// What a real check would find.
pub fn check(request: &CheckRequest, book: &crate::world::Library, dice: &mut Dice) -> CheckOutcome {
    use lull_network::engine::Against;
    if dice.percent(10) {
        let fault = Fault::new("device_lost", "the trusted device was lost");
        return CheckOutcome::Failed { fault, task_at_fault: false };
    }
    let reported = book.quality(&request.reported);
    let expected = match &request.against {
        Against::TrustedRuntime if book.is_poison(request.payload) => {
            let fault = Fault::new("shader_invalid", "the shader does not compile");
            return CheckOutcome::Failed { fault, task_at_fault: true };
        }
        Against::TrustedRuntime => Quality::Right,
        Against::Outputs(outputs) => book.quality(outputs),
    };
    match (reported, expected) {
        (Quality::Right, Quality::Right) => CheckOutcome::Match,
        // Cheats do not conspire: two wrong results are wrong in two ways.
        (Quality::Wrong, _) | (_, Quality::Wrong) => CheckOutcome::Mismatch {
            expected: vec![book.right_of(request.payload)],
            difference: "they differ".to_owned(),
        },
    }
}
