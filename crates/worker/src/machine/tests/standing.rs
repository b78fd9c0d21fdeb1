//! Where devices stand without work: what of it is kept, when it is shown, and that a network cannot abuse it.

use lull_network_api::{COUNTED_MAX, Exclusion, NetworkMessage, Standing, WITHHELD_MAX, Withheld};
use lull_types::UnixMillis;
use lull_worker_api as api;
use lull_worker_api::{Counted, DeviceStanding, PauseFor, SettingsChange};

use super::bench::Bench;
use super::fixture::{assignment, fault};
use crate::machine::{Input, Order};

const DAY_MS: u64 = 24 * 3_600_000;

fn withheld(tasks: u32, by: Exclusion) -> Withheld {
    Withheld { tasks, by }
}

/// Two devices are before it, and a task is of another kind.
fn some() -> Standing {
    Standing { ahead: Some(2), withheld: vec![withheld(12, Exclusion::Kind("infer/1".into()))] }
}

fn no_work(device: u32, standing: Standing) -> NetworkMessage {
    NetworkMessage::NoWork { device, reason: fault("no_jobs"), retry_after_ms: 30_000, standing }
}

fn standing(bench: &Bench, device: usize) -> Option<DeviceStanding> {
    bench.machine.view(UnixMillis(bench.now), 0).devices[device].standing.clone()
}

fn exactly(count: u32) -> Counted {
    Counted { count, or_more: false }
}

#[test]
fn each_device_has_its_own_and_keeps_it_until_it_is_answered_again() {
    let mut bench = Bench::up(2);
    assert_eq!(standing(&bench, 0), None);
    bench.said(no_work(0, some()));
    let by = api::Exclusion::Kind { kind: "infer/1".into() };
    let told = DeviceStanding {
        told_at: UnixMillis(bench.now),
        ahead: Some(exactly(2)),
        withheld: vec![api::Withheld { tasks: exactly(12), by }],
    };
    assert_eq!(standing(&bench, 0).as_ref(), Some(&told));
    assert_eq!(standing(&bench, 1), None);

    // It is asked again, and what was said stays until the answer.
    bench.after(30_000);
    assert!(bench.sends(|m| *m == lull_network_api::WorkerMessage::WantWork { device: 0 }));
    assert_eq!(standing(&bench, 0), Some(told));
    bench.said(no_work(0, Standing { ahead: Some(0), withheld: Vec::new() }));
    let told = standing(&bench, 0).unwrap();
    assert_eq!((told.told_at, told.ahead, told.withheld.len()), (UnixMillis(bench.now), Some(exactly(0)), 0));
}

#[test]
fn it_ends_with_work_and_with_the_session() {
    let mut bench = Bench::up(1);
    bench.said(no_work(0, some()));
    bench.said(NetworkMessage::Assign(Box::new(assignment(7, 0, bench.now + 600_000))));
    assert_eq!(standing(&bench, 0), None);

    let mut bench = Bench::up(1);
    bench.said(no_work(0, some()));
    let session = bench.machine.link.session.id().unwrap();
    bench.give(Input::SessionLost { session, fault: fault("connection_broken") });
    assert_eq!(standing(&bench, 0), None);

    let mut bench = Bench::up(1);
    bench.said(no_work(0, some())).order(Order::Join(None));
    assert_eq!(standing(&bench, 0), None, "of another network nothing is known");
}

#[test]
fn it_is_shown_only_where_the_network_is_what_is_missing() {
    let mut bench = Bench::up(2);
    bench.said(no_work(0, some()));
    bench.order(Order::Pause { duration: PauseFor::UntilResumed, device: Some(0) });
    assert_eq!(standing(&bench, 0), None, "the contributor holds it free");
    bench.order(Order::Resume { device: Some(0) });
    assert!(standing(&bench, 0).is_some());
    let change = SettingsChange { devices_not_lent: Some(vec![0]), ..SettingsChange::default() };
    bench.order(Order::Configure(change));
    assert_eq!(standing(&bench, 0), None, "it is not lent");

    let (mut bench, _) = Bench::running();
    bench.said(no_work(0, some()));
    assert_eq!(standing(&bench, 0), None, "it works, whatever the network says");
    bench.said(no_work(9, some()));
}

#[test]
fn every_exclusion_becomes_its_own_with_instants_by_the_clock_here() {
    use {Exclusion as Wire, api::Exclusion as Here};
    let mut bench = Bench::up(1);
    let at = |ms: u64| UnixMillis(bench.now + ms);
    let table = [
        (Wire::NotEnrolled, Here::NotEnrolled),
        (Wire::Kind("infer/1".into()), Here::Kind { kind: "infer/1".into() }),
        (Wire::NotMeasured, Here::NotMeasured),
        (Wire::DeviceClass, Here::DeviceClass),
        (Wire::BeingTimed, Here::BeingTimed),
        (Wire::Refuted { again_in_ms: 3_000 }, Here::Refuted { again_at: at(3_000) }),
        (Wire::FoundWrong, Here::FoundWrong),
        (Wire::OwnReport, Here::OwnReport),
        (Wire::TriedLately { again_in_ms: u64::MAX }, Here::TriedLately { again_at: at(DAY_MS) }),
        (Wire::BackingOff { again_in_ms: 0 }, Here::BackingOff { again_at: at(0) }),
    ];
    for (wire, here) in table {
        bench.said(no_work(0, Standing { ahead: None, withheld: vec![withheld(1, wire)] }));
        let told = standing(&bench, 0).unwrap();
        assert_eq!((told.ahead, &told.withheld[0].by), (None, &here));
    }
}

#[test]
fn a_network_that_lies_changes_nothing_but_words() {
    let mut bench = Bench::up(1);
    // what it says of a kind, what is kept
    let kinds = [
        ("", None),
        ("\u{202e}\u{7}\n ", None),
        ("infer/1\u{1b}[2J", Some("infer/1[2J".to_owned())),
        (&"x".repeat(500_000)[..], Some("x".repeat(40))),
    ];
    for (said, kept) in kinds {
        let group = withheld(1, Exclusion::Kind(said.to_owned()));
        bench.said(no_work(0, Standing { ahead: None, withheld: vec![group] }));
        let kinds: Vec<_> = standing(&bench, 0).unwrap().withheld.into_iter().map(|group| group.by).collect();
        assert_eq!(kinds, kept.map(|kind| api::Exclusion::Kind { kind }).into_iter().collect::<Vec<_>>());
    }
    // said, kept
    let counts = [
        (1, Some(exactly(1))),
        (COUNTED_MAX - 1, Some(exactly(COUNTED_MAX - 1))),
        (COUNTED_MAX, Some(Counted { count: COUNTED_MAX, or_more: true })),
        (u32::MAX, Some(Counted { count: COUNTED_MAX, or_more: true })),
        (0, None),
    ];
    for (said, kept) in counts {
        let group = withheld(said, Exclusion::DeviceClass);
        bench.said(no_work(0, Standing { ahead: Some(said), withheld: vec![group] }));
        let told = standing(&bench, 0).unwrap();
        assert_eq!(told.withheld.first().map(|group| group.tasks), kept);
        assert_eq!(told.ahead, Some(kept.unwrap_or(exactly(0))));
    }
    let many = (1..50_000).map(|n| withheld(n, Exclusion::FoundWrong)).collect();
    bench.said(no_work(0, Standing { ahead: None, withheld: many }));
    assert_eq!(standing(&bench, 0).unwrap().withheld.len(), WITHHELD_MAX);
    // It can be told to a window, whatever was said.
    let view = standing(&bench, 0).unwrap();
    let json = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<DeviceStanding>(&json).unwrap(), view);
}
