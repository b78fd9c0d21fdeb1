//! Shifts: when they are taken, how they end, and what is shown of them.

use lull_network_api::{Assignment, NetworkMessage, WorkerMessage};
use lull_types::{BaseUnits, JOB_KIND_INFER, UnixMillis};
use lull_worker_api::{PauseFor, SettingsChange, ShiftView, StateView};

use super::bench::Bench;
use super::fixture::{assignment, fault, found, network_info};
use crate::machine::{Effect, Input, Lease, Order, RunEnd, TransferFailure};

fn shift(number: u128, deadline: u64) -> Assignment {
    Assignment { kind: JOB_KIND_INFER.to_owned(), ..assignment(number, 0, deadline) }
}

fn serves(serves_models: bool) -> Order {
    Order::Configure(SettingsChange { serves_models: Some(serves_models), ..SettingsChange::default() })
}

/// Connected, with a runtime of models.
fn up() -> Bench {
    let mut bench = Bench::start(Bench::joined(1));
    let mut devices = found(1);
    devices.kinds.push(JOB_KIND_INFER.to_owned());
    bench.give(Input::DevicesFound(Ok(devices)));
    let session = bench.session();
    bench.give(Input::SessionOpened { session });
    bench.said(NetworkMessage::Welcome { network: network_info(), enrolled: true });
    bench.said(NetworkMessage::Enrolled);
    bench
}

fn enrolled_kinds(bench: &Bench) -> Option<Vec<String>> {
    bench.last.iter().find_map(|effect| match effect {
        Effect::Send { message, .. } => match &**message {
            WorkerMessage::Enrol(enrolment) => Some(enrolment.kinds.clone()),
            _ => None,
        },
        _ => None,
    })
}

fn running() -> (Bench, Lease) {
    let mut bench = up();
    bench.order(serves(true));
    bench.said(NetworkMessage::Assign(Box::new(shift(7, bench.now + 600_000))));
    let transfer = bench.transfer();
    bench.give(Input::Fetched { transfer, output_bytes: 0 });
    let lease = bench.lease();
    bench.give(Input::RunStarted { lease: lease.id });
    (bench, lease)
}

fn view() -> ShiftView {
    ShiftView {
        model: "Small".to_owned(),
        texts_open: 2,
        tokens_read: 10,
        tokens_generated: 20,
        tokens_per_second: 4.0,
        price_per_1000_generated_tokens: BaseUnits(200),
        price_per_1000_prompt_tokens: BaseUnits(10),
    }
}

fn shown(bench: &Bench) -> Option<ShiftView> {
    match bench.state() {
        StateView::Working { assignments } => assignments[0].shift.clone(),
        _ => None,
    }
}

#[test]
fn models_are_offered_and_taken_only_when_a_person_says_so() {
    let mut bench = up();
    bench.said(NetworkMessage::Assign(Box::new(shift(7, bench.now + 600_000))));
    assert!(bench.hands_back("kind_unknown"));
    bench.said(NetworkMessage::HandBackReceived { assignment: shift(7, 0).id });
    bench.order(serves(true));
    assert_eq!(enrolled_kinds(&bench), Some(vec!["wgsl/1".to_owned(), JOB_KIND_INFER.to_owned()]));
    bench.order(serves(true));
    assert_eq!(enrolled_kinds(&bench), None, "nothing changed");
    bench.order(serves(false));
    assert_eq!(enrolled_kinds(&bench), Some(vec!["wgsl/1".to_owned()]));
}

#[test]
fn a_shift_is_shown_while_it_runs_and_reported_without_outputs() {
    let (mut bench, lease) = running();
    assert_eq!(shown(&bench), None);
    bench.give(Input::ShiftProgress { lease: lease.id, shift: Box::new(view()) });
    assert_eq!(shown(&bench), Some(view()));
    bench.give(Input::RunEnded { lease: lease.id, end: RunEnd::Done { outputs: Vec::new(), ran_ms: 3000 } });
    assert_eq!(shown(&bench), None);
    let transfer = bench.transfer();
    bench.give(Input::Uploaded { transfer });
    assert!(bench.sends(|message| matches!(message,
        WorkerMessage::Report { outputs, ran_ms: 3000, .. } if outputs.is_empty())));
}

#[test]
fn what_is_given_back_blames_nobody_and_the_device_goes_on() {
    let (mut bench, lease) = running();
    bench.give(Input::ShiftProgress { lease: lease.id, shift: Box::new(view()) });
    bench.give(Input::RunEnded { lease: lease.id, end: RunEnd::GivenBack(fault("model_too_large")) });
    assert!(bench.hands_back("model_too_large"));
    assert!(!bench.has(|effect| matches!(effect, Effect::Notify(_))));
    bench.give(Input::Freed { lease: lease.id });
    bench.said(NetworkMessage::HandBackReceived { assignment: shift(7, 0).id });
    assert_eq!(bench.state_name(), "ready");

    bench.after(600_000);
    bench.said(NetworkMessage::Assign(Box::new(shift(8, bench.now + 600_000))));
    let transfer = bench.transfer();
    bench.give(Input::FetchFailed { transfer, failure: TransferFailure::GivenBack(fault("model_missing")) });
    assert!(bench.hands_back("model_missing"));
    assert!(!bench.has(|effect| matches!(effect, Effect::Notify(_))));
}

#[test]
fn a_pause_takes_the_device_back_and_the_shift_is_served_again_after_it() {
    let (mut bench, lease) = running();
    bench.order(Order::Pause { duration: PauseFor::Minutes(1), device: None });
    assert!(matches!(bench.last.first(), Some(Effect::Cancel { lease: of }) if *of == lease.id));
    // What comes of a revocation is nobody's fault, whatever it looks like.
    bench.give(Input::RunEnded { lease: lease.id, end: RunEnd::GivenBack(fault("shift_lost")) });
    bench.give(Input::Freed { lease: lease.id });
    bench.order(Order::Resume { device: None });
    assert_ne!(bench.lease().id, lease.id);
}

#[test]
fn a_shift_that_runs_is_handed_back_when_models_are_not_served_any_more() {
    let (mut bench, lease) = running();
    bench.order(serves(false));
    assert!(bench.has(|effect| matches!(effect, Effect::Cancel { lease: of } if *of == lease.id)));
    assert!(bench.hands_back("models_not_served"));
    assert!(!bench.machine.is_work(shift(7, 0).id));
    assert!(!bench.machine.view(UnixMillis(bench.now), 0).settings.serves_models);
}
