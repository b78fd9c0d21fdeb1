//! All devices of an account are timed in one round, and only its last one counts.

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{Fault, Measure, WalletAddress, WorkerId};

use super::rig::{KIND, Rig, TIMING_VALID_MS, device, enrolment, measurement};
use super::timing::{conclude, conclude_each, speeds, timed};
use crate::engine::{MemoryFinding, TimingOutcome};

const ROUND_PAUSE_MS: u64 = 600_000;
const GATHER_MS: u64 = 120_000;

fn wallet(n: u8) -> WalletAddress {
    // Public keys of our own keys are on the curve.
    bs58(n).parse().unwrap()
}

fn bs58(n: u8) -> String {
    ["7EqQdEULxWcraVx3mXKFjc84LhCkMGZCkRuDpvcMwJeK", "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"]
        [usize::from(n) - 1]
        .to_owned()
}

fn rig() -> Rig {
    let mut rig = Rig::timing();
    let customer = rig.customer(1);
    rig.job(customer, "job", 50);
    rig
}

fn paid_to(rig: &mut Rig, n: u8, to: WalletAddress) -> WorkerId {
    let worker = rig.worker(n);
    rig.say(worker, WorkerMessage::SetWallet(Some(to)));
    worker
}

/// Whether it gets work; it is handed back at once.
fn works(rig: &mut Rig, worker: WorkerId) -> bool {
    match rig.ask(worker).pop() {
        Some(NetworkMessage::Assign(assignment)) => {
            rig.hand_back(worker, assignment.id, "paused");
            true
        }
        _ => false,
    }
}

fn asked(rig: &Rig) -> Vec<WorkerId> {
    rig.timings.last().expect("a round").asked.iter().map(|asked| asked.worker).collect()
}

fn not_now() -> TimingOutcome {
    TimingOutcome::NotNow(Fault::new("challenge_declined", "it is at work"))
}

#[test]
fn a_newcomer_is_timed_together_with_those_of_its_wallet() {
    let mut rig = rig();
    let first = paid_to(&mut rig, 1, wallet(1));
    rig.idle(first);
    assert_eq!(asked(&rig), [first]);
    conclude(&mut rig, &timed(1_000.0));
    assert!(works(&mut rig, first));
    let stranger = paid_to(&mut rig, 2, wallet(2));
    let nobodys = rig.worker(3);
    for other in [stranger, nobodys] {
        rig.idle(other);
        assert_eq!(asked(&rig), [other], "they are other accounts");
        conclude(&mut rig, &timed(1_000.0));
    }

    // The first was timed a moment ago, and is left alone for a while.
    let second = paid_to(&mut rig, 4, wallet(1));
    assert_eq!(rig.idle(second), "being_timed");
    assert!(rig.timings.is_empty());
    assert!(works(&mut rig, first));
    rig.pass(ROUND_PAUSE_MS);
    assert_eq!(rig.idle(second), "being_timed");
    let mut both = asked(&rig);
    both.sort_unstable();
    let mut expected = [first, second];
    expected.sort_unstable();
    assert_eq!(both, expected);
    assert_eq!(rig.idle(first), "being_timed", "nothing new while it is timed");
    // One device behind both: each is found at half.
    conclude(&mut rig, &timed(500.0));
    assert!(works(&mut rig, first) && works(&mut rig, second));

    // Who is away keeps what was found, and loses it once the others were timed without it.
    rig.disconnect(second);
    rig.pass(ROUND_PAUSE_MS);
    rig.connect(second);
    assert!(works(&mut rig, second));
    rig.disconnect(second);
    rig.pass(TIMING_VALID_MS);
    rig.idle(first);
    conclude(&mut rig, &timed(1_000.0));
    rig.pass(ROUND_PAUSE_MS);
    rig.connect(second);
    assert_eq!(rig.idle(second), "being_timed");
    assert_eq!(asked(&rig).len(), 2);
}

#[test]
fn a_wallet_that_is_set_during_a_round_keeps_what_was_found() {
    let mut rig = rig();
    let alone = rig.worker(1);
    rig.idle(alone);
    rig.say(alone, WorkerMessage::SetWallet(Some(wallet(1))));
    conclude(&mut rig, &timed(1_000.0));
    assert!(works(&mut rig, alone), "it would not answer again for some minutes");

    // Whoever comes to others this way is timed together with them all the same.
    let newcomer = rig.worker(2);
    rig.idle(newcomer);
    rig.say(newcomer, WorkerMessage::SetWallet(Some(wallet(1))));
    conclude(&mut rig, &timed(1_000.0));
    assert_eq!(rig.idle(newcomer), "being_timed");
}

#[test]
fn a_round_waits_for_work_to_end_but_not_for_ever() {
    let mut rig = rig();
    let first = paid_to(&mut rig, 1, wallet(1));
    rig.idle(first);
    conclude(&mut rig, &timed(1_000.0));
    let assignment = rig.take(first);
    let second = paid_to(&mut rig, 2, wallet(1));
    rig.pass(ROUND_PAUSE_MS);
    // The deadline is over; it gets another.
    let assignment = if rig.told(first).is_empty() { assignment } else { rig.take(first) };
    rig.hand_back(first, assignment.id, "paused");
    rig.pass(60_000);
    let assignment = rig.take(first);
    assert_eq!(rig.idle(second), "being_timed");
    assert!(rig.timings.is_empty(), "the first is at work");
    rig.report(first, &assignment, b"done");
    assert_eq!(rig.idle(first), "being_timed", "and gets nothing new");
    rig.pass(5_000);
    rig.idle(second);
    assert_eq!(asked(&rig).len(), 2);
    assert!(!rig.timings[0].goes_without);
    // One of the two is never ready.
    conclude(&mut rig, &not_now());
    assert_eq!(rig.idle(first), "being_timed");
    rig.pass(GATHER_MS);
    rig.idle(first);
    assert!(rig.timings[0].goes_without);
    conclude_each(&mut rig, |worker| if worker == first { timed(1_000.0) } else { not_now() });
    assert!(works(&mut rig, first));
    rig.pass(5_000);
    assert_eq!(rig.idle(second), "being_timed");
    assert!(rig.timings.is_empty(), "the first is not kept from its work again so soon");
    assert!(works(&mut rig, first));
}

#[test]
fn a_wallet_that_is_set_later_makes_a_difference_only_where_it_is_shared() {
    let mut rig = rig();
    let first = rig.worker(1);
    rig.idle(first);
    conclude(&mut rig, &timed(1_000.0));
    rig.say(first, WorkerMessage::SetWallet(Some(wallet(1))));
    assert!(works(&mut rig, first), "nobody else is paid there");
    let second = rig.worker(2);
    rig.idle(second);
    conclude(&mut rig, &timed(1_000.0));
    rig.say(second, WorkerMessage::SetWallet(Some(wallet(1))));
    rig.pass(ROUND_PAUSE_MS);
    assert_eq!(rig.idle(second), "being_timed");
    assert_eq!(asked(&rig).len(), 2);
}

#[test]
fn nobody_knows_when_it_is_timed_again() {
    let mut ends = Vec::new();
    for n in 1..=12 {
        let mut rig = Rig::timing();
        rig.engine =
            crate::engine::Engine::new(super::rig::network_key(), crate::engine::Config::default(), [n; 32]);
        let worker = rig.worker(1);
        rig.idle(worker);
        conclude(&mut rig, &timed(1_000.0));
        let until: i64 =
            rig.connection.query_row("SELECT valid_until FROM timings", [], |row| row.get(0)).unwrap();
        let valid_ms = until.cast_unsigned() - rig.now.0;
        assert!((TIMING_VALID_MS / 5..=TIMING_VALID_MS).contains(&valid_ms), "{valid_ms}");
        ends.push(valid_ms);
    }
    ends.sort_unstable();
    ends.dedup();
    assert!(ends.len() > 10 && ends[ends.len() - 1] > ends[0] * 2, "{ends:?}");
}

#[test]
fn what_was_lowered_is_told_with_both_figures() {
    let mut rig = rig();
    let worker = rig.worker(1);
    let mut fast = enrolment(vec![device(0, "amd")], &[KIND]);
    fast.benchmarks[0].measurements.push(measurement(Measure::GemmFp32, 10_000.0));
    let fast = WorkerMessage::Enrol(Box::new(fast));
    rig.say(worker, fast.clone());
    rig.idle(worker);
    let TimingOutcome::Timed { evidence, .. } = timed(1.0) else { panic!() };
    let claimed = rig.timings[0].asked[0].claims[0].gigaflops;
    let memory = MemoryFinding::NotFound(Fault::new("memory_too_slow", "too slow"));
    conclude(&mut rig, &TimingOutcome::Timed { gigaflops: claimed / 4.0, evidence, memory });
    let told = rig.told(worker);
    assert_eq!(speeds(&told), [(0, claimed / 4.0)]);
    let reasons: Vec<_> = told
        .iter()
        .filter_map(|message| match message {
            NetworkMessage::ClaimLowered { device: 0, reason } => Some(reason),
            _ => None,
        })
        .collect();
    let codes: Vec<_> = reasons.iter().map(|reason| reason.code.as_str()).collect();
    assert_eq!(codes, ["claim_lowered", "memory_too_slow"]);
    let sentence = &reasons[0].sentence;
    assert!(sentence.contains(&format!("{claimed:.1}")), "{sentence}");
    assert!(sentence.contains(&format!("{:.1}", claimed / 4.0)), "{sentence}");
    // Another benchmark of the same speed is believed as before.
    rig.say(worker, fast);
    assert!(works(&mut rig, worker));
}
