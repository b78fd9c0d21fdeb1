//! What workers are told of prices.

use lull_network_api::{NetworkMessage, RecentPrice, WorkerMessage};
use lull_types::{BaseUnits, WorkClass};

use super::rig::{KIND, PRICE, Rig, device, enrolment, strict};
use crate::engine::CheckOutcome;

/// From taking a task to reporting it; the rig adds a millisecond to each report.
const TAKES_MS: u64 = 9_000;

#[test]
fn a_price_is_what_an_hour_of_score_was_paid() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    rig.job(customer, "job", 10);
    let worker = rig.worker(1);
    let prices_now = |rig: &mut Rig| {
        rig.pass(60_000);
        rig.connect(worker);
        let enrolment = enrolment(vec![device(0, "amd")], &[KIND]);
        let told = rig.say(worker, WorkerMessage::Enrol(Box::new(enrolment)));
        told.into_iter().find_map(|message| match message {
            NetworkMessage::Prices(prices) => Some(prices),
            _ => None,
        })
    };
    for task in 0..3 {
        assert_eq!(prices_now(&mut rig), None, "{task} tasks say little");
        let assignment = rig.take(worker);
        rig.pass(TAKES_MS);
        rig.report(worker, &assignment, &[task]);
        rig.conclude(CheckOutcome::Match);
    }
    // The rig's devices score 20 for rendering.
    let per_score_hour = PRICE as f64 / (20.0 * (TAKES_MS + 1) as f64 / 3_600_000.0);
    let expected = RecentPrice {
        kind: KIND.to_owned(),
        work: WorkClass::Render,
        per_score_hour: BaseUnits(per_score_hour.round() as u64),
        tasks: 3,
    };
    assert_eq!(prices_now(&mut rig), Some(vec![expected]));
}
