use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex};

use lull_types::{BaseUnits, CustomerId, SecretKey, WorkerId};

use super::*;
use crate::engine::{Config, SessionId};
use crate::ledger::{self, Account};
use crate::store::{self, Journal};

fn engine(seed: u8) -> Engine {
    Engine::new(SecretKey::from_bytes(&[1; 32]), Config::default(), [seed; 32])
}

fn clock() -> UnixMillis {
    UnixMillis(1_000_000)
}

fn open_writer(connection: Connection, seed: u8) -> (Inbox, Writer, Receiver<Effect>) {
    let (effects, released) = channel();
    let release = move |effect| {
        let _ = effects.send(effect);
    };
    let (inbox, writer) = start(connection, engine(seed), clock, release).unwrap();
    (inbox, writer, released)
}

fn create(inbox: &Inbox, n: u8) -> CustomerId {
    let input = Input::CreateCustomer { name: "customer".to_owned(), api_key_hash: [n; 32] };
    match inbox.ask_blocking(input).unwrap() {
        Answer::CustomerCreated(customer) => customer,
        other => panic!("{other:?}"),
    }
}

fn deposit(customer: CustomerId, reference: &str) -> Input {
    Input::Deposit { customer, amount: BaseUnits(1), reference: reference.to_owned() }
}

fn funds(connection: &Connection, customer: CustomerId) -> i64 {
    ledger::balance(connection, &Account::Customer(customer)).unwrap()
}

#[test]
fn an_input_that_fails_is_undone_alone() {
    let mut connection = store::open_in_memory().unwrap();
    let mut engine = engine(0);
    let customer = Input::CreateCustomer { name: "customer".to_owned(), api_key_hash: [1; 32] };
    let mut outcomes = commit_group(&mut connection, &mut engine, vec![customer], clock()).unwrap();
    let Ok(effects) = outcomes.remove(0) else { panic!("refused") };
    let [Effect::Answer(Answer::CustomerCreated(customer))] = effects[..] else { panic!("{effects:?}") };
    let reused = Input::Deposit { customer, amount: BaseUnits(9), reference: "a".to_owned() };
    let group = vec![deposit(customer, "a"), reused, deposit(customer, ""), deposit(customer, "b")];
    let outcomes = commit_group(&mut connection, &mut engine, group, clock()).unwrap();
    let codes: Vec<_> = outcomes.iter().map(|o| o.as_ref().err().map(|fault| fault.code.as_str())).collect();
    assert_eq!(codes, [None, Some("reference_reused"), Some("reference_unusable"), None]);
    assert_eq!(funds(&connection, customer), 2);
    ledger::audit(&connection).unwrap();
}

#[test]
fn effects_come_out_after_the_commit_and_answers_go_to_who_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.sqlite");
    let (inbox, writer, released) = open_writer(store::open(&path, Journal::Durable).unwrap(), 0);
    let worker = WorkerId([3; 32]);
    let session = SessionId(1);
    inbox.ask_blocking(Input::WorkerConnected { worker, session }).unwrap();
    let message = WorkerMessage::WantWork { device: 0 };
    inbox.ask_blocking(Input::FromWorker { worker, session, message }).unwrap();
    assert!(matches!(released.recv().unwrap(), Effect::Send { message: NetworkMessage::NoWork { .. }, .. }));

    let customer = create(&inbox, 1);
    // What was answered can be read at once, by anyone.
    let reader = store::open_reader(&path).unwrap();
    for n in 1..=20 {
        inbox.ask_blocking(deposit(customer, &n.to_string())).unwrap();
        assert_eq!(funds(&reader, customer), n);
    }
    drop(inbox);
    assert!(writer.join());
    assert!(released.try_recv().is_err());
}

#[test]
fn inputs_that_wait_share_a_commit() {
    // The first effect holds the writer up until the queue is full of deposits.
    let gate = Arc::new((Mutex::new(false), Condvar::new()));
    let opened = gate.clone();
    let release = move |_| {
        let (open, changed) = &*opened;
        drop(changed.wait_while(open.lock().unwrap(), |open| !*open).unwrap());
    };
    let (inbox, writer) = start(store::open_in_memory().unwrap(), engine(0), clock, release).unwrap();
    let customer = create(&inbox, 1);
    let worker = WorkerId([3; 32]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let answers: Vec<_> = runtime.block_on(async {
        inbox.tell(Input::WorkerConnected { worker, session: SessionId(1) }).await.unwrap();
        inbox.tell(Input::WorkerConnected { worker, session: SessionId(2) }).await.unwrap();
        let mut answers = Vec::new();
        for n in 0..300 {
            let (answer, answered) = oneshot::channel();
            let request = Request { input: deposit(customer, &n.to_string()), answer: Some(answer) };
            inbox.requests.send(request).await.unwrap();
            answers.push(answered);
        }
        answers
    });
    *gate.0.lock().unwrap() = true;
    gate.1.notify_all();
    let sums: Vec<u64> = answers
        .into_iter()
        .map(|answered| match answered.blocking_recv().unwrap().unwrap() {
            Answer::Deposited { deposit } => deposit.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(sums, (1..=300).collect::<Vec<_>>(), "in order");
    drop(inbox);
    assert!(writer.join());
}

#[test]
fn a_full_disk_refuses_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.sqlite");
    let connection = store::open(&path, Journal::Durable).unwrap();
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    connection
        .query_row(&format!("PRAGMA max_page_count = {}", pages + 6), [], |row| row.get::<_, i64>(0))
        .unwrap();
    let (inbox, writer, released) = open_writer(connection, 0);
    let customer = create(&inbox, 1);
    let mut booked = Vec::new();
    let mut refused = 0;
    for n in 0..2_000 {
        let reference = format!("{n:0>150}");
        match inbox.ask_blocking(deposit(customer, &reference)) {
            Ok(_) => booked.push(reference),
            Err(fault) => {
                assert_eq!(fault.code, "network_disk_full");
                refused += 1;
                if refused == 3 {
                    break;
                }
            }
        }
    }
    assert!(refused == 3 && booked.len() > 10, "{refused} {}", booked.len());
    // A worker is told, too.
    let worker = WorkerId([3; 32]);
    let session = SessionId(1);
    inbox.ask_blocking(Input::WorkerConnected { worker, session }).unwrap();
    let mut enrolment = crate::engine::tests::rig::enrolment(
        (0..16).map(|n| crate::engine::tests::rig::device(n, &"v".repeat(400))).collect(),
        &[&"k".repeat(400)],
    );
    enrolment.hardware.os = "o".repeat(500);
    let message = WorkerMessage::Enrol(Box::new(enrolment));
    let fault = inbox.ask_blocking(Input::FromWorker { worker, session, message }).unwrap_err();
    assert_eq!(fault.code, "network_disk_full");
    assert!(
        matches!(released.recv().unwrap(), Effect::Send { message: NetworkMessage::Refused { fault, .. }, .. } if fault.code == "network_disk_full")
    );
    drop(inbox);
    assert!(writer.join());

    let (inbox, writer, _released) = open_writer(store::open(&path, Journal::Durable).unwrap(), 1);
    for reference in &booked {
        inbox.ask_blocking(deposit(customer, reference)).unwrap();
    }
    drop(inbox);
    assert!(writer.join());
    let reader = store::open_reader(&path).unwrap();
    assert_eq!(funds(&reader, customer), booked.len() as i64, "all that was answered is there, once");
    ledger::audit(&reader).unwrap();
}

const CHILD_PATH: &str = "LULL_TEST_WRITER_PATH";

/// Deposits until it is killed; prints each reference once it is answered.
#[test]
#[ignore = "the process that a_killed_writer_has_kept_what_it_answered kills; it never ends by itself"]
fn deposits_until_killed() {
    let Ok(path) = std::env::var(CHILD_PATH) else { return };
    let connection = store::open(path.as_ref(), Journal::Durable).unwrap();
    let seed = u8::try_from(std::process::id() % 251).unwrap();
    let (inbox, _writer, _released) = open_writer(connection, seed);
    let customer = create(&inbox, 1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let inbox = &inbox;
            scope.spawn(move || {
                for n in 0u64.. {
                    let reference = format!("{}-{thread}-{n}", std::process::id());
                    inbox.ask_blocking(deposit(customer, &reference)).unwrap();
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "booked {reference}").unwrap();
                    out.flush().unwrap();
                }
            });
        }
    });
}

#[test]
fn a_killed_writer_has_kept_what_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.sqlite");
    let mut answered = Vec::new();
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["writer::tests::deposits_until_killed", "--exact", "--ignored", "--nocapture"])
            .env(CHILD_PATH, &path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = answered.len() + 25 + 10 * round;
        while answered.len() < enough {
            let line = lines.next().expect("the child goes on").unwrap();
            answered.extend(line.split_once("booked ").map(|(_, reference)| reference.to_owned()));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it still managed to print before it died was answered, too; a torn last line was not read whole.
        answered.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| line.split_once("booked ").map(|(_, reference)| reference.to_owned())),
        );
        answered.pop();

        let connection = store::open(&path, Journal::Durable).unwrap();
        ledger::audit(&connection).unwrap();
        for reference in &answered {
            let booked = connection
                .prepare_cached("SELECT 1 FROM transfers WHERE kind = 'deposit' AND reference = ?1")
                .unwrap()
                .exists([reference.as_bytes()])
                .unwrap();
            assert!(booked, "{reference} was answered and lost");
        }
    }
}
