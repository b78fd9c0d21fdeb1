//! Boards that are held to a ceiling by their own power limits.

use lull_guards::{Draw, FullScreen, Observation};
use lull_types::{Fault, GuardRules, PowerLimit, QuietLimits, UnixMillis};
use lull_worker_api::{PauseFor, Settings, SettingsChange};

use super::bench::{Bench, done};
use super::fixture::{device, fault};
use crate::machine::{Effect, Input, Lease, Order, Restored};

fn rules(quiet: Option<QuietLimits>) -> GuardRules {
    GuardRules { quiet, ..GuardRules::default() }
}

fn held_to(watts: u16) -> Option<QuietLimits> {
    Some(QuietLimits { power_watts: Some(watts), may_lower_power_limit: true, ..QuietLimits::default() })
}

/// Under these rules, with assignment 7 running on device 0.
fn running(quiet: Option<QuietLimits>) -> (Bench, Lease) {
    let settings = Settings { guards: rules(quiet), ..Settings::default() };
    let mut bench = Bench::up_from(Restored { settings, ..Bench::joined(1) }, 1);
    bench.run_fetched(7, 0);
    let lease = bench.lease();
    (bench, lease)
}

fn configure(quiet: Option<QuietLimits>) -> Order {
    Order::Configure(SettingsChange { guards: Some(rules(quiet)), ..SettingsChange::default() })
}

fn asks(bench: &Bench) -> Vec<(u32, Option<u16>)> {
    let asked = |effect: &Effect| match effect {
        Effect::PowerLimit { device, ceiling_watts } => Some((device.index, *ceiling_watts)),
        _ => None,
    };
    bench.last.iter().filter_map(asked).collect()
}

fn lowered() -> PowerLimit {
    PowerLimit::Lowered { watts: 180, former_watts: 320 }
}

fn stands(limit: PowerLimit) -> Input {
    Input::PowerLimit { device: 0, limit }
}

fn shown(bench: &Bench) -> Option<PowerLimit> {
    bench.machine.view(UnixMillis(bench.now), 0).devices[0].power_limit.clone()
}

fn notices(bench: &Bench, code: &str) -> usize {
    let notices = bench.machine.view(UnixMillis(bench.now), 0).notices;
    notices.iter().filter(|notice| notice.code == code).count()
}

#[test]
fn a_board_is_held_to_a_ceiling_only_with_leave_and_only_while_it_works() {
    let no_leave = QuietLimits { may_lower_power_limit: false, ..held_to(180).unwrap() };
    for quiet in [None, Some(no_leave), Some(QuietLimits { power_watts: None, ..held_to(180).unwrap() })] {
        assert_eq!(asks(&running(quiet).0), [], "{quiet:?}");
    }
    let (mut bench, lease) = running(held_to(180));
    assert_eq!(asks(&bench), [(0, Some(180))]);
    bench.give(stands(lowered()));
    assert_eq!((asks(&bench), shown(&bench)), (vec![], Some(lowered())));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    assert_eq!(asks(&bench), [(0, None)]);
    bench.give(stands(PowerLimit::Own { watts: 320 }));
    assert_eq!(shown(&bench), Some(PowerLimit::Own { watts: 320 }));
}

#[test]
fn whatever_takes_the_device_gives_the_board_its_own_limit_back_first() {
    let game = Input::Observed(Observation::FullScreen(Some(FullScreen { program: None })));
    let pause = Order::Pause { duration: PauseFor::UntilResumed, device: None };
    let taken =
        [game, Input::Order(pause), Input::Order(Order::Shutdown), Input::JournalFailed(fault("disk_full"))];
    for input in taken {
        let (mut bench, _) = running(held_to(180));
        bench.give(stands(lowered())).give(input.clone());
        assert_eq!(asks(&bench), [(0, None)], "{input:?}");
        let is = |wanted: fn(&Effect) -> bool| bench.last.iter().position(wanted);
        let given_back = is(|effect| matches!(effect, Effect::PowerLimit { .. }));
        let written = is(|effect| matches!(effect, Effect::Journal(_)));
        assert!(written.is_none() || given_back < written, "{:?}", bench.last);
    }
}

#[test]
fn leave_that_is_withdrawn_or_changed_counts_at_once() {
    let (mut bench, _) = running(held_to(180));
    bench.give(stands(lowered())).order(configure(held_to(150)));
    assert_eq!(asks(&bench), [(0, Some(150))]);
    bench.order(configure(None));
    assert_eq!((asks(&bench), shown(&bench)), (vec![(0, None)], None));
    assert_eq!(bench.state_name(), "working");
    bench.order(configure(held_to(180)));
    assert_eq!(asks(&bench), [(0, Some(180))]);
}

#[test]
fn a_system_that_says_no_is_told_of_once_and_not_asked_again_until_leave_is_given_anew() {
    let refusals = [
        (PowerLimit::NotPermitted, "power_limit_not_permitted"),
        (PowerLimit::Unsupported, "power_limit_unsupported"),
    ];
    for (refusal, code) in refusals {
        let (mut bench, lease) = running(held_to(180));
        bench.give(stands(refusal.clone()));
        assert_eq!(notices(&bench, code), 1);
        // The board is let go of, which says nothing new.
        assert_eq!(asks(&bench), [(0, None)]);
        bench.give(stands(PowerLimit::Own { watts: 320 }));
        assert_eq!((asks(&bench), shown(&bench)), (vec![], Some(refusal.clone())));
        bench.give(Input::RunEnded { lease: lease.id, end: done() });
        assert_eq!(asks(&bench), []);
        bench.give(Input::Freed { lease: lease.id });
        bench.after(2 * 3_600_000);
        bench.order(configure(None)).order(configure(held_to(180)));
        bench.run_fetched(9, 0);
        assert_eq!(asks(&bench), [(0, Some(180))]);
        bench.give(stands(refusal.clone()));
        assert_eq!(notices(&bench, code), 1, "a person has read it");
    }
}

#[test]
fn what_fails_is_told_and_tried_again_with_the_next_work() {
    let (mut bench, lease) = running(held_to(180));
    let trouble = Fault::new("power_limit_refused", "The driver said no.");
    bench.give(stands(PowerLimit::Failed { fault: trouble.clone() }));
    assert_eq!((notices(&bench, "power_limit_refused"), asks(&bench)), (1, vec![]));
    assert_eq!(shown(&bench), Some(PowerLimit::Failed { fault: trouble }));
    bench.give(Input::RunEnded { lease: lease.id, end: done() });
    assert_eq!(asks(&bench), [(0, None)]);
    bench.give(Input::PowerLimitStuck(fault("power_limit_not_put_back")));
    assert_eq!(notices(&bench, "power_limit_not_put_back"), 1);
}

#[test]
fn a_board_that_holds_itself_to_the_limit_need_not_rest_as_well() {
    let draw = |watts| {
        let at = Draw { fan_percent: None, watts: Some(watts) };
        Input::Observed(Observation::Draw { device: 0, at })
    };
    let slowed = |bench: &Bench| bench.has(|effect| matches!(effect, Effect::Pace { .. }));
    let (mut bench, _) = running(held_to(180));
    bench.give(stands(PowerLimit::NotPermitted)).give(draw(185));
    assert!(slowed(&bench), "the duty cycle does it");
    let (mut bench, _) = running(held_to(180));
    bench.give(stands(lowered())).give(draw(185));
    assert!(!slowed(&bench));
    // The board's least is more than the ceiling.
    bench.give(draw(220));
    assert!(slowed(&bench));
}

#[test]
fn what_is_asked_for_names_the_device() {
    let (bench, _) = running(held_to(180));
    let named =
        |effect: &Effect| matches!(effect, Effect::PowerLimit { device: of, .. } if **of == device(0));
    assert!(bench.has(named));
}
