use lull_network_api::customer::JobState;
use lull_types::{BaseUnits, BlobHash, CustomerId, PictureTile, UnixMillis};

use super::rig::*;
use crate::engine::*;
use crate::store::queries;

#[test]
fn a_key_makes_one_job() {
    let mut rig = Rig::with_runtime(strict());
    let (customer, other) = (rig.customer(1), rig.customer(2));
    let spec = rig.spec(customer, "key", 3);
    let job = rig.submit(customer, spec.clone()).unwrap();
    let again = rig.tell(Input::CreateJob { customer, job: spec.clone() }).unwrap();
    assert_eq!(again, Answer::JobCreated { job, created: false });
    assert_eq!(rig.funds(customer), (DEPOSIT - 3 * PRICE) as i64, "reserved once");
    let different = JobSpec { title: "another".to_owned(), ..spec };
    assert_eq!(rig.submit(customer, different).unwrap_err().code, "idempotency_key_reused");
    let theirs = rig.spec(other, "key", 3);
    assert_ne!(rig.submit(other, theirs).unwrap(), job, "keys are each customer's own");
}

#[test]
fn jobs_that_cannot_be_are_refused() {
    let mut rig = Rig::with_runtime(strict());
    let (customer, other) = (rig.customer(1), rig.customer(2));
    let good = rig.spec(customer, "key", 1);
    let task = good.tasks[0].clone();
    let theirs = rig.put_by(BlobOwner::Customer(other), b"their secret");
    let tile = PictureTile { picture_width: 8, picture_height: 8, x: 4, y: 4, width: 8, height: 8 };
    let with_task = |task: TaskSpec| JobSpec { tasks: vec![task], ..good.clone() };
    let table = [
        (JobSpec { tasks: Vec::new(), ..good.clone() }, "tasks_count_unusable"),
        (JobSpec { tasks: vec![task.clone(); 10_001], ..good.clone() }, "tasks_count_unusable"),
        (JobSpec { price_per_task: BaseUnits(0), ..good.clone() }, "price_zero"),
        (JobSpec { price_per_task: BaseUnits(DEPOSIT + 1), ..good.clone() }, "deposit_too_small"),
        (JobSpec { price_per_task: BaseUnits(u64::MAX), ..good.clone() }, "amount_unusable"),
        (JobSpec { task_deadline_ms: 999, ..good.clone() }, "deadline_unusable"),
        (JobSpec { title: " ".to_owned(), ..good.clone() }, "job_text_unusable"),
        (JobSpec { idempotency_key: "k".repeat(201), ..good.clone() }, "job_text_unusable"),
        (with_task(TaskSpec { outputs: 0, ..task.clone() }), "outputs_none"),
        (with_task(TaskSpec { picture: Some(tile), ..task.clone() }), "picture_tile_outside"),
        (with_task(TaskSpec { payload: BlobHash::of(b"nowhere"), ..task.clone() }), "blob_missing"),
        (with_task(TaskSpec { inputs: vec![theirs], ..task.clone() }), "blob_missing"),
    ];
    for (spec, code) in table {
        assert_eq!(rig.submit(customer, spec).unwrap_err().code, code);
        assert_eq!(rig.funds(customer), DEPOSIT as i64);
    }
    let nobody = CustomerId::from_parts(UnixMillis(0), &[0; 10]);
    assert_eq!(rig.submit(nobody, good.clone()).unwrap_err().code, "customer_unknown");
    rig.submit(customer, good).unwrap();
}

#[test]
fn withdrawing_returns_what_is_not_done_and_pays_what_was_reported() {
    let mut rig = Rig::with_runtime(strict());
    let (customer, other) = (rig.customer(1), rig.customer(2));
    let job = rig.job(customer, "job", 4);
    let (done, reported, open) = (rig.worker(1), rig.worker(2), rig.worker(3));
    let a = rig.take(done);
    rig.report(done, &a, b"right");
    rig.conclude(CheckOutcome::Match);
    let b = rig.take(reported);
    rig.report(reported, &b, b"right");
    rig.take(open);
    rig.told(open);

    let theirs = rig.tell(Input::WithdrawJob { customer: other, job }).unwrap_err();
    assert_eq!(theirs.code, "job_unknown");
    let at = rig.now;
    let answer = rig.tell(Input::WithdrawJob { customer, job }).unwrap();
    assert_eq!(answer, Answer::JobWithdrawn { returned: BaseUnits(2 * PRICE), at });
    assert_eq!(rig.told(open).len(), 1);
    let view = rig.job_view(job);
    assert_eq!(
        (view.state, view.reserved.0),
        (JobState::Withdrawn, PRICE),
        "one report is still being checked"
    );
    let again = rig.tell(Input::WithdrawJob { customer, job }).unwrap();
    assert_eq!(again, Answer::JobWithdrawn { returned: BaseUnits(0), at });
    rig.conclude(CheckOutcome::Match);
    assert_eq!(rig.earned(reported), [100, 0, 0], "no accepted report is unpaid");
    let view = rig.job_view(job);
    assert_eq!((view.state, view.reserved.0, view.tasks_done), (JobState::Withdrawn, 0, 2));
    assert_eq!(rig.funds(customer), (DEPOSIT - 2 * PRICE) as i64);
    assert_eq!(rig.idle(open), "no_jobs");
}

#[test]
fn a_rejected_report_of_a_withdrawn_job_returns_its_money() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    let job = rig.job(customer, "job", 1);
    let worker = rig.worker(1);
    let assignment = rig.take(worker);
    rig.report(worker, &assignment, b"wrong");
    rig.tell(Input::WithdrawJob { customer, job }).unwrap();
    rig.conclude(mismatch());
    assert_eq!((rig.funds(customer), rig.job_view(job).reserved.0), (DEPOSIT as i64, 0));
}

#[test]
fn a_finished_job_shows_its_results_and_its_picture() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    let mut spec = rig.spec(customer, "picture", 2);
    for (x, task) in (0..).zip(&mut spec.tasks) {
        task.picture =
            Some(PictureTile { picture_width: 2, picture_height: 1, x, y: 0, width: 1, height: 1 });
    }
    let job = rig.submit(customer, spec).unwrap();
    let worker = rig.worker(1);
    for bytes in [b"left", b"rite"] {
        let assignment = rig.take(worker);
        assert!(assignment.picture.is_some());
        rig.report(worker, &assignment, bytes);
        assert!(!queries::customer_may_get(&rig.connection, customer, BlobHash::of(bytes)).unwrap());
        rig.conclude(CheckOutcome::Match);
        assert!(queries::customer_may_get(&rig.connection, customer, BlobHash::of(bytes)).unwrap());
    }
    let view = rig.job_view(job);
    assert_eq!((view.state, view.tasks_done, view.spent.0), (JobState::Done, 2, 2 * PRICE));
    let results = queries::results(&rig.connection, job).unwrap();
    assert_eq!(results.iter().map(|r| r.index).collect::<Vec<_>>(), [0, 1]);
    let tiles = queries::finished_tiles(&rig.connection, job).unwrap();
    assert_eq!(
        tiles.iter().map(|t| (t.tile.x, t.pixels)).collect::<Vec<_>>(),
        [(0, BlobHash::of(b"left")), (1, BlobHash::of(b"rite"))]
    );
    assert_eq!(rig.tell(Input::WithdrawJob { customer, job }).unwrap_err().code, "job_ended");
    let account = queries::account(&rig.connection, customer).unwrap().unwrap();
    assert_eq!((account.deposit.0, account.reserved.0), (DEPOSIT - 2 * PRICE, 0));
}

#[test]
fn blobs_are_for_those_who_need_them() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    let mut spec = rig.spec(customer, "job", 1);
    let input = rig.put_by(BlobOwner::Customer(customer), b"input");
    spec.tasks[0].inputs = vec![input];
    let payload = spec.tasks[0].payload;
    rig.submit(customer, spec).unwrap();
    let (worker, other) = (rig.worker(1), rig.worker(2));
    let may = |rig: &Rig, who| {
        let get = |blob| queries::worker_may_get(&rig.connection, who, blob).unwrap();
        (get(payload), get(input), queries::worker_may_put(&rig.connection, who).unwrap())
    };
    assert_eq!(may(&rig, worker), (false, false, false));
    let assignment = rig.take(worker);
    assert_eq!(may(&rig, worker), (true, true, true));
    assert_eq!(may(&rig, other), (false, false, false));
    rig.hand_back(worker, assignment.id, "game_started");
    assert_eq!(may(&rig, worker), (false, false, false));
}

#[test]
fn customers_and_deposits_are_made_once() {
    let mut rig = Rig::with_runtime(strict());
    let customer = rig.customer(1);
    assert_eq!(rig.customer(1), customer);
    assert_eq!(rig.funds(customer), DEPOSIT as i64);
    let key = [1; 32];
    assert_eq!(queries::customer_by_key(&rig.connection, &key).unwrap(), Some(customer));
    assert_eq!(queries::customer_by_key(&rig.connection, &[2; 32]).unwrap(), None);
    let deposit = |amount, reference: &str| Input::Deposit {
        customer,
        amount: BaseUnits(amount),
        reference: reference.to_owned(),
    };
    assert_eq!(rig.tell(deposit(0, "x")).unwrap_err().code, "amount_unusable");
    assert_eq!(rig.tell(deposit(5, "")).unwrap_err().code, "reference_unusable");
    assert_eq!(rig.tell(deposit(5, "seed 1")).unwrap_err().code, "reference_reused");
    let nameless = Input::CreateCustomer { name: " ".to_owned(), api_key_hash: [3; 32] };
    assert_eq!(rig.tell(nameless).unwrap_err().code, "customer_name_unusable");
}
