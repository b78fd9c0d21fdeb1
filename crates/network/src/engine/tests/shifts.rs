use lull_network_api::{Assignment, NetworkMessage, Verdict, WorkerMessage};
use lull_types::{BaseUnits, BlobHash, CustomerId, Fault, JOB_KIND_INFER, JobId, WorkerId};

use super::rig::*;
use crate::engine::*;
use crate::ledger::{self, Account};

/// A network with its own customer, a customer who asks, and a worker with a shift.
struct Scene {
    rig: Rig,
    operator: CustomerId,
    customer: CustomerId,
    worker: WorkerId,
    shift: Assignment,
}

impl Scene {
    fn new(policy: Policy) -> Self {
        let mut rig = Rig::new(policy);
        rig.tell(Input::TrustsModels(true)).unwrap();
        let operator = rig.customer(9);
        let customer = rig.customer(1);
        let worker = inferring(&mut rig, 1);
        call_out(&mut rig, operator, "shift 1");
        let shift = rig.take(worker);
        assert_eq!((shift.kind.as_str(), shift.price), (JOB_KIND_INFER, COMING));
        Self { rig, operator, customer, worker, shift }
    }

    fn begin(&mut self, price_max: u64) -> JobId {
        let begun =
            self.rig.tell(Input::BeginAsk { customer: self.customer, price_max: BaseUnits(price_max) });
        let Ok(Answer::AskBegun(ask)) = begun else { panic!("{begun:?}") };
        ask
    }

    /// Something is served in the shift; gives the serving, if it is to be checked.
    fn serve(&mut self, ask: JobId, amount: u64) -> Option<i64> {
        let served = Served {
            ask,
            assignment: self.shift.id,
            prompt_tokens: 3,
            generated_tokens: 5,
            amount: BaseUnits(amount),
        };
        match self.rig.tell(Input::Served(served)).unwrap() {
            Answer::Served { serving } => serving,
            other => panic!("{other:?}"),
        }
    }

    fn end(&mut self, ask: JobId) {
        self.rig.tell(Input::EndAsk(ask)).unwrap();
    }

    fn over(&mut self) -> Vec<NetworkMessage> {
        self.rig.told(self.worker);
        let reason = Fault::new("shift_over", "it is over");
        self.rig.tell(Input::ShiftOver { assignment: self.shift.id, reason }).unwrap();
        self.rig.told(self.worker)
    }

    fn report(&mut self) -> Vec<NetworkMessage> {
        let assignment = self.shift.id;
        self.rig.say(self.worker, WorkerMessage::Report { assignment, outputs: Vec::new(), ran_ms: 9 })
    }

    /// What was reserved for the shift and is not decided, and for an ask.
    fn reserved(&self, of: JobId) -> i64 {
        ledger::balance(&self.rig.connection, &Account::Reserved(of)).unwrap()
    }

    fn treasury(&self) -> i64 {
        ledger::balance(&self.rig.connection, &Account::Treasury).unwrap()
    }
}

/// A worker that serves models and nothing else.
fn inferring(rig: &mut Rig, n: u8) -> WorkerId {
    let worker = key(n).worker_id();
    rig.connect(worker);
    rig.say(worker, WorkerMessage::Hello { worker_version: "1".to_owned(), nonce_held: 0 });
    let enrolment = enrolment(vec![device(0, "amd")], &[JOB_KIND_INFER]);
    assert_eq!(rig.say(worker, WorkerMessage::Enrol(Box::new(enrolment))), [NetworkMessage::Enrolled]);
    worker
}

fn call_out(rig: &mut Rig, operator: CustomerId, name: &str) -> JobId {
    let payload = rig.put_by(BlobOwner::Customer(operator), b"a shift");
    let model = BlobHash::of(b"a model");
    let job = JobSpec {
        idempotency_key: name.to_owned(),
        title: "a model".to_owned(),
        kind: JOB_KIND_INFER.to_owned(),
        price_per_task: COMING,
        task_deadline_ms: DEADLINE_MS,
        tasks: vec![TaskSpec { payload, inputs: vec![model], outputs: 0, picture: None }],
    };
    rig.submit(operator, job).unwrap()
}

fn trusting() -> Policy {
    // Nobody is checked but by chance, which is seldom.
    Policy { newcomer_tasks: 0, ..Policy::default() }
}

fn amount_of(verdicts: &[Verdict]) -> u64 {
    match verdicts {
        [Verdict::Accepted { amount, .. }] => amount.0,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_served_is_paid_with_the_shift_and_the_rest_goes_back() {
    let mut scene = Scene::new(trusting());
    let (first, second) = (scene.begin(1_000), scene.begin(500));
    assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64 - 1_500);
    assert_eq!(scene.serve(first, 300), None);
    scene.serve(second, 20);
    scene.end(first);
    scene.end(second);
    assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64 - 320);
    assert_eq!(scene.reserved(scene.shift.job), 321, "with what the network pays for coming");
    assert_eq!(scene.rig.earned(scene.worker), [0, 0, 0], "nothing is earned before it is over");

    let told = scene.report();
    assert_eq!(amount_of(&verdicts(&told)), 321);
    assert!(told.iter().any(|message| matches!(message, NetworkMessage::Receipt(_))));
    assert_eq!(scene.rig.earned(scene.worker), [321, 0, 0]);
    assert_eq!((scene.reserved(scene.shift.job), scene.treasury()), (0, -1));
    // Reported twice, and ended by the network as well: paid once.
    scene.report();
    assert_eq!(scene.over(), []);
    assert_eq!(scene.rig.earned(scene.worker), [321, 0, 0]);
    assert_eq!(scene.rig.job_view(scene.shift.job).tasks_done, 1);
}

#[test]
fn a_worker_that_vanishes_or_gives_back_is_paid_for_what_it_told() {
    let ends: [fn(&mut Scene) -> Vec<NetworkMessage>; 3] = [
        |scene| scene.over(),
        |scene| scene.rig.hand_back(scene.worker, scene.shift.id, "worker_paused"),
        |scene| {
            scene.rig.told(scene.worker);
            scene.rig.pass(DEADLINE_MS + 1);
            scene.rig.told(scene.worker)
        },
    ];
    for end in ends {
        let mut scene = Scene::new(trusting());
        let ask = scene.begin(1_000);
        scene.serve(ask, 70);
        assert_eq!(amount_of(&verdicts(&end(&mut scene))), 71);
        // Another one goes on with the rest.
        assert_eq!(scene.reserved(ask), 930);
        scene.end(ask);
        assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64 - 70);
    }
}

#[test]
fn a_shift_in_which_nothing_was_served_ends_for_nothing_unless_it_was_kept_to_its_end() {
    let mut scene = Scene::new(trusting());
    scene.over();
    assert_eq!(scene.rig.earned(scene.worker), [0, 0, 0]);
    assert_eq!(scene.reserved(scene.shift.job), 0);

    let mut scene = Scene::new(trusting());
    assert_eq!(amount_of(&verdicts(&scene.report())), COMING.0);
}

#[test]
fn who_gives_a_shift_back_unserved_gets_no_other_for_a_while() {
    let mut scene = Scene::new(trusting());
    scene.rig.hand_back(scene.worker, scene.shift.id, "model_too_large");
    call_out(&mut scene.rig, scene.operator, "shift 2");
    scene.rig.idle(scene.worker);
    let other = inferring(&mut scene.rig, 2);
    assert_eq!(scene.rig.take(other).kind, JOB_KIND_INFER);
    call_out(&mut scene.rig, scene.operator, "shift 3");
    scene.rig.pass(10 * 60 * 1000);
    scene.rig.take(scene.worker);
}

#[test]
fn what_is_checked_is_decided_when_the_check_is() {
    let mut scene = Scene::new(strict());
    let ask = scene.begin(1_000);
    let serving = scene.serve(ask, 300).expect("newcomers are checked");
    scene.end(ask);
    assert_eq!(verdicts(&scene.report()), []);
    scene.rig.tell(Input::ServingChecked { serving, is_right: Some(true) }).unwrap();
    let told = scene.rig.told(scene.worker);
    assert_eq!(verdicts(&told), [Verdict::Accepted { amount: BaseUnits(301), checked: true }]);
    // Told twice.
    scene.rig.tell(Input::ServingChecked { serving, is_right: Some(false) }).unwrap();
    assert_eq!(scene.rig.earned(scene.worker), [301, 0, 0]);
}

#[test]
fn a_shift_with_something_made_up_is_not_paid_and_those_who_asked_get_it_back() {
    let mut scene = Scene::new(strict());
    let (honest, made_up) = (scene.begin(1_000), scene.begin(1_000));
    let servings =
        [scene.serve(honest, 300), scene.serve(made_up, 50)].map(|serving| serving.expect("it is checked"));
    scene.end(honest);
    scene.end(made_up);
    scene.rig.tell(Input::ServingChecked { serving: servings[0], is_right: Some(true) }).unwrap();
    scene.over();
    scene.rig.tell(Input::ServingChecked { serving: servings[1], is_right: Some(false) }).unwrap();
    let told = scene.rig.told(scene.worker);
    assert!(matches!(&verdicts(&told)[..], [Verdict::Rejected { .. }]), "{told:?}");
    assert_eq!(scene.rig.earned(scene.worker), [0, 0, 0]);
    assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64);
    assert_eq!(scene.reserved(scene.shift.job), 0);
}

#[test]
fn a_check_that_cannot_be_made_is_held_against_nobody() {
    let mut scene = Scene::new(strict());
    let ask = scene.begin(1_000);
    let serving = scene.serve(ask, 300).expect("newcomers are checked");
    scene.over();
    scene.rig.tell(Input::ServingChecked { serving, is_right: None }).unwrap();
    assert_eq!(scene.rig.earned(scene.worker), [301, 0, 0]);
}

#[test]
fn an_ask_costs_no_more_than_was_reserved_and_needs_the_money() {
    let mut scene = Scene::new(trusting());
    let too_much = Input::BeginAsk { customer: scene.customer, price_max: BaseUnits(DEPOSIT + 1) };
    assert_eq!(scene.rig.tell(too_much).unwrap_err().code, "deposit_too_small");
    let ask = scene.begin(10);
    scene.serve(ask, 11);
    scene.end(ask);
    assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64 - 10);
    // What comes late is nobody's.
    assert_eq!(scene.serve(ask, 11), None);
    assert_eq!(scene.reserved(scene.shift.job), 11);
}

#[test]
fn what_costs_nothing_is_served_as_well() {
    let mut scene = Scene::new(trusting());
    let ask = scene.begin(0);
    scene.serve(ask, 0);
    scene.end(ask);
    assert_eq!(amount_of(&verdicts(&scene.report())), COMING.0);
}

#[test]
fn a_restart_ends_what_was_asked_and_pays_what_was_served() {
    let mut scene = Scene::new(strict());
    let ask = scene.begin(1_000);
    scene.serve(ask, 300).expect("newcomers are checked");
    call_out(&mut scene.rig, scene.operator, "nobody came");
    for _ in 0..2 {
        scene.rig.tell(Input::ForgetAsks).unwrap();
        assert_eq!(scene.rig.funds(scene.customer), DEPOSIT as i64 - 300);
        assert_eq!(scene.rig.earned(scene.worker), [301, 0, 0]);
        assert_eq!(scene.reserved(ask), 0);
    }
    let waiting = crate::store::queries::counts(&scene.rig.connection).unwrap().tasks_waiting;
    assert_eq!(waiting, 0, "who is wanted again is called again");
}

#[test]
fn only_the_network_calls_for_shifts() {
    let mut scene = Scene::new(trusting());
    let mut job = scene.rig.spec(scene.customer, "mine", 1);
    job.kind = JOB_KIND_INFER.to_owned();
    assert_eq!(scene.rig.submit(scene.customer, job).unwrap_err().code, "kind_unknown");
}

#[test]
fn models_are_kept_by_their_hashes_and_have_names_of_their_own() {
    let mut rig = Rig::new(trusting());
    let model = |n: u8, name: &str| Model {
        hash: BlobHash([n; 32]),
        name: name.to_owned(),
        licence: "MIT".to_owned(),
        bytes: 7,
        context_tokens: 8,
        sequences: 1,
        price_per_1000_prompt_tokens: BaseUnits(0),
        price_per_1000_generated_tokens: BaseUnits(5),
        chat_template: None,
    };
    rig.tell(Input::AddModel(model(1, "a"))).unwrap();
    rig.tell(Input::AddModel(model(1, "b"))).unwrap();
    rig.tell(Input::AddModel(model(2, "a"))).unwrap();
    assert_eq!(rig.tell(Input::AddModel(model(3, "a"))).unwrap_err().code, "model_name_taken");
    rig.tell(Input::RemoveModel(BlobHash([2; 32]))).unwrap();
    rig.tell(Input::AddModel(model(3, "a"))).unwrap();
}
