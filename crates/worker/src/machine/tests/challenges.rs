//! The network's timed challenge: when it is answered, and what takes it back.

use lull_network_api::NetworkMessage;
use lull_types::UnixMillis;
use lull_worker_api::{PauseFor, StateView};

use super::bench::Bench;
use super::fixture::{fault, other_ticket};
use crate::machine::challenge::CHALLENGE_PAUSE;
use crate::machine::{ChallengeEnd, ChallengeId, Effect, Input, Lease, Order};

const ASKED: Input = Input::ChallengeAsked { challenge: ChallengeId(1), device: 0 };

fn answered(bench: &Bench) -> Option<Lease> {
    bench.last.iter().find_map(|effect| match effect {
        Effect::AnswerChallenge { lease, challenge: ChallengeId(1) } => Some(*lease),
        _ => None,
    })
}

fn timed() -> NetworkMessage {
    NetworkMessage::Timed { device: 0, gigaflops: 42.0, memory_bytes: Some(1 << 32) }
}

fn found(bench: &Bench) -> (Option<f64>, Option<u64>) {
    let view = bench.machine.view(UnixMillis(bench.now), 0);
    (view.devices[0].timed_gigaflops, view.devices[0].timed_memory_bytes)
}

fn declined(bench: &Bench) -> bool {
    bench.has(|effect| {
        matches!(effect, Effect::DeclineChallenge { challenge: ChallengeId(1), fault } if fault.code == "challenge_declined")
    })
}

#[test]
fn an_idle_device_is_timed_and_then_works() {
    let mut bench = Bench::up(1);
    let lease = answered(bench.give(ASKED)).expect("it is answered");
    assert!(matches!(bench.state(), StateView::Benchmarking(view) if view.device == 0));
    bench.give(Input::ChallengeEnded { lease: lease.id, end: ChallengeEnd::Answered });
    bench.said(timed());
    bench.give(Input::Freed { lease: lease.id });
    assert_eq!(bench.state_name(), "ready");
    assert_eq!(found(&bench), (Some(42.0), Some(1 << 32)));
    // A network that asks again and again would get the device for nothing.
    assert!(declined(bench.give(ASKED)));
    bench.after(CHALLENGE_PAUSE.as_millis() as u64);
    assert!(answered(bench.give(ASKED)).is_some());
}

#[test]
fn a_claim_that_is_lowered_is_told_once() {
    let mut bench = Bench::up(1);
    let lowered = |sentence: &str| NetworkMessage::ClaimLowered {
        device: 0,
        reason: lull_types::Fault::new("claim_lowered", sentence),
    };
    let told = |bench: &Bench| {
        let notices = bench.machine.view(UnixMillis(bench.now), 0).notices;
        notices.into_iter().filter(|notice| notice.code == "claim_lowered").collect::<Vec<_>>()
    };
    bench.said(lowered("it claims 5 and does 2"));
    bench.said(lowered("it claims 5 and does 2"));
    let notices = told(&bench);
    assert_eq!(notices.len(), 1);
    assert!(notices[0].problem && notices[0].sentence.ends_with(": it claims 5 and does 2"), "{notices:?}");
    bench.said(lowered("it claims 7 and does 2"));
    assert_eq!(told(&bench).len(), 2, "something else is told at once");
}

#[test]
fn another_network_need_not_wait() {
    let mut bench = Bench::up(1);
    let lease = answered(bench.give(ASKED)).unwrap();
    bench.give(Input::ChallengeEnded { lease: lease.id, end: ChallengeEnd::Answered });
    bench.said(timed());
    bench.give(Input::Freed { lease: lease.id });
    bench.order(Order::Join(None)).give(Input::PracticeStarted(Ok(other_ticket())));
    assert_eq!(found(&bench), (None, None));
    assert!(answered(bench.give(ASKED)).is_some());
}

#[test]
fn a_device_that_is_not_free_is_not_timed() {
    let (mut working, _) = Bench::running();
    assert!(declined(working.give(ASKED)));
    assert_eq!(working.state_name(), "working");

    let mut paused = Bench::up(1);
    paused.order(Order::Pause { duration: PauseFor::UntilRestart, device: None });
    assert!(declined(paused.give(ASKED)));

    let mut off = Bench::up(1);
    off.order(Order::Stop);
    assert!(declined(off.give(ASKED)));

    let mut other = Bench::up(1);
    let elsewhere = Input::ChallengeAsked { challenge: ChallengeId(1), device: 7 };
    assert!(declined(other.give(elsewhere)));

    let mut full = Bench::up(1);
    full.give(Input::JournalFailed(fault("disk_full")));
    assert!(declined(full.give(ASKED)));
}

#[test]
fn a_pause_takes_the_device_back_at_once() {
    let mut bench = Bench::up(1);
    let lease = answered(bench.give(ASKED)).unwrap();
    bench.order(Order::Pause { duration: PauseFor::UntilRestart, device: None });
    assert!(bench.has(|effect| *effect == Effect::Cancel { lease: lease.id }));
    bench.after(150);
    assert!(bench.has(|effect| *effect == Effect::Kill { lease: lease.id }));
    bench.give(Input::ChallengeEnded { lease: lease.id, end: ChallengeEnd::BrokenOff });
    bench.give(Input::Freed { lease: lease.id });
    // It answered nothing, so that it may be asked again at once.
    bench.order(Order::Resume { device: None });
    assert!(answered(bench.give(ASKED)).is_some());
}

#[test]
fn a_device_that_is_lost_while_it_is_timed_rests() {
    for told in [true, false] {
        let mut bench = Bench::up(1);
        let lease = answered(bench.give(ASKED)).unwrap();
        if told {
            let end = ChallengeEnd::DeviceFault(fault("device_lost"));
            bench.give(Input::ChallengeEnded { lease: lease.id, end });
        }
        bench.give(Input::Freed { lease: lease.id });
        assert_eq!(bench.state_name(), "faulted", "told: {told}");
        assert!(declined(bench.give(ASKED)));
    }
}
