//! Shifts: the worker as a process, a model that is made up, and a network in the test that asks it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails where it stands")]

#[allow(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::time::{Duration, Instant};

use iroh::endpoint::{RecvStream, SendStream};
use lull_network_api::{
    FrameError, OPENING_FRAMES, Opening, SHIFT_FRAMES, ShiftAnswer, ShiftReply, ShiftRequest,
};
use lull_testkit::fake_runtime::{Behaviour, FakeFault, model};
use lull_testkit::models;
use lull_types::infer::{Finish, Generate, Sampling, Shift, Token};
use lull_types::{AssignmentId, BaseUnits, BlobHash, UnixMillis};
use lull_worker_api::transport::Client;
use lull_worker_api::{AssignmentView, Command, PauseFor, SettingsChange, Snapshot, StateView};
use support::network::Network;
use support::{PATIENCE, Worker, done, until};

/// What a pause takes at most until the device is free (250 ms), and on a machine that builds other things beside.
const FREE_WITHIN: Duration = Duration::from_millis(1500);

fn shift(model: BlobHash) -> Shift {
    Shift {
        model,
        name: "made-up-1b".to_owned(),
        bytes: 1000,
        context_tokens: 512,
        sequences: 4,
        serve_ms: 300_000,
        price_per_1000_prompt_tokens: BaseUnits(10),
        price_per_1000_generated_tokens: BaseUnits(200),
    }
}

fn quick() -> Behaviour {
    Behaviour { benchmark_ms_per_measure: 20, ..Behaviour::default() }
}

/// Texts that do not end by themselves while a test looks.
fn slow() -> Behaviour {
    Behaviour { token_ms: 100, ..quick() }
}

/// A worker that serves a model that is made up, and a network that has a shift for it.
struct Scene {
    network: Network,
    worker: Worker,
    client: Client,
}

impl Scene {
    async fn new(llm: &Behaviour) -> Self {
        Self::with(llm, &models::made_up(), |_| ()).await
    }

    async fn with(llm: &Behaviour, file: &[u8], change: impl FnOnce(&mut Shift)) -> Self {
        let worker = Worker::new(&quick());
        worker.install_llm(llm);
        Self::begin(worker, file, change).await
    }

    async fn begin(mut worker: Worker, file: &[u8], change: impl FnOnce(&mut Shift)) -> Self {
        let mut shift = shift(worker.put_model(file));
        change(&mut shift);
        let network = Network::with_shift(&shift).await;
        let client = worker.start().await;
        let change = SettingsChange { serves_models: Some(true), ..SettingsChange::default() };
        done(&client, Command::Configure(Box::new(change))).await;
        done(&client, Command::Enrol { ticket: Some(network.ticket.to_string()) }).await;
        Self { network, worker, client }
    }

    /// Opens the stream of the shift once it was given.
    async fn open(&self) -> Stream {
        until(&self.client, "the shift", |s| view(s).is_some()).await;
        let assignment = self.network.state(|state| state.open.clone()).unwrap();
        self.open_for(assignment.id).await
    }

    async fn open_for(&self, assignment: AssignmentId) -> Stream {
        let connection = self.network.state(|state| state.connection.clone()).unwrap();
        let (mut send, receive) = connection.open_bi().await.unwrap();
        OPENING_FRAMES.write(&mut send, &Opening::Shift { assignment }).await.unwrap();
        Stream { send, receive }
    }

    /// Waits until the shift is handed back, and tells why.
    async fn handed_back(&self) -> String {
        let waiting = async {
            loop {
                if let Some(fault) = self.network.state(|state| state.hand_backs.pop()) {
                    return fault.code;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("it is handed back")
    }

    async fn end(mut self) {
        self.worker.shut_down(&self.client).await;
    }
}

fn view(snapshot: &Snapshot) -> Option<&AssignmentView> {
    match &snapshot.state {
        StateView::Working { assignments } => assignments.first(),
        _ => None,
    }
}

struct Stream {
    send: SendStream,
    receive: RecvStream,
}

impl Stream {
    async fn ask(&mut self, request: &ShiftRequest) {
        SHIFT_FRAMES.write(&mut self.send, request).await.unwrap();
    }

    async fn generate(&mut self, number: u64, tokens: Vec<Token>, tokens_max: u32) {
        let generate = Generate {
            tokens,
            generated: 0,
            sampling: Sampling::GREEDY,
            tokens_max,
            stops: Vec::new(),
            log_probabilities: false,
        };
        self.ask(&ShiftRequest::Generate { number, generate: Box::new(generate) }).await;
    }

    async fn next(&mut self) -> Result<ShiftReply, FrameError> {
        tokio::time::timeout(PATIENCE, SHIFT_FRAMES.read(&mut self.receive)).await.expect("it says something")
    }

    /// Waits until the model is loaded.
    async fn ready(&mut self) -> u32 {
        loop {
            match self.next().await.unwrap() {
                ShiftReply::Preparing { fraction } => assert!((0.0..=1.0).contains(&fraction)),
                ShiftReply::Ready { sequences } => return sequences,
                other @ ShiftReply::Answer { .. } => panic!("{other:?}"),
            }
        }
    }

    /// What is told of an ask, to its end.
    async fn answers(&mut self, wanted: u64) -> Vec<ShiftAnswer> {
        let mut answers = Vec::new();
        loop {
            let ShiftReply::Answer { number, answer } = self.next().await.unwrap() else { continue };
            if number == wanted {
                let is_last = answer.is_last();
                answers.push(answer);
                if is_last {
                    return answers;
                }
            }
        }
    }

    async fn failed(&mut self, number: u64) -> String {
        match self.answers(number).await.pop() {
            Some(ShiftAnswer::Failed(fault)) => fault.code,
            other => panic!("{other:?}"),
        }
    }

    /// All that is still told, until the stream ends.
    async fn rest(&mut self) -> Vec<ShiftReply> {
        let mut rest = Vec::new();
        while let Ok(reply) = self.next().await {
            rest.push(reply);
        }
        rest
    }
}

fn tokens(answers: &[ShiftAnswer]) -> Vec<Token> {
    let token = |answer: &ShiftAnswer| match answer {
        ShiftAnswer::Token { token, .. } => Some(*token),
        _ => None,
    };
    answers.iter().filter_map(token).collect()
}

/// What the model that is made up goes on with.
fn expected(mut text: Vec<Token>, count: usize) -> Vec<Token> {
    let prompt = text.len();
    while text.len() < prompt + count {
        text.push(model::next_token(&text));
    }
    text.split_off(prompt)
}

#[tokio::test]
async fn a_shift_goes_from_assignment_to_receipt() {
    let scene = Scene::new(&Behaviour { load_ms: 200, ..quick() }).await;
    let mut stream = scene.open().await;
    // Asks that come before the model is loaded wait.
    stream.generate(1, vec![5, 6, 7], 5).await;
    assert_eq!(stream.ready().await, 4);
    let answers = stream.answers(1).await;
    assert_eq!(answers[0], ShiftAnswer::Reading { tokens: 3 });
    assert_eq!(tokens(&answers), expected(vec![5, 6, 7], 5));
    assert_eq!(answers.last(), Some(&ShiftAnswer::Finished { finish: Finish::Length, kept_tokens: 0 }));

    stream.ask(&ShiftRequest::Embed { number: 2, tokens: vec![1, 2] }).await;
    assert!(matches!(stream.answers(2).await[..], [ShiftAnswer::Embedding(_)]));
    // A number may be used again once its ask has ended. This text goes on until it is dropped.
    stream.generate(1, vec![5], 500).await;
    stream.generate(2, vec![9], 3).await;
    assert_eq!(tokens(&stream.answers(2).await), expected(vec![9], 3));
    let shown = until(&scene.client, "figures", |s| {
        view(s).and_then(|view| view.shift.as_ref()).is_some_and(|shift| shift.tokens_generated > 10)
    })
    .await;
    let shift = view(&shown).unwrap().shift.clone().unwrap();
    assert_eq!((shift.model.as_str(), shift.price_per_1000_generated_tokens), ("made-up-1b", BaseUnits(200)));
    assert!(shift.tokens_read >= 6 && shift.texts_open <= 1, "{shift:?}");
    let (code, text) = scene.worker.call(&["status"]).await;
    assert!(code == 0 && text.contains("serving made-up-1b: ") && text.contains("0.000200 USDC"), "{text}");
    stream.ask(&ShiftRequest::Drop { number: 1 }).await;
    assert!(matches!(
        stream.answers(1).await.last(),
        Some(ShiftAnswer::Dropped | ShiftAnswer::Finished { .. })
    ));

    stream.send.finish().unwrap();
    assert_eq!(stream.rest().await, []);
    until(&scene.client, "the receipt", |s| s.earnings.receipts == 1).await;
    assert!(scene.network.state(|state| state.hand_backs.is_empty()));
    scene.end().await;
}

#[tokio::test]
async fn a_shift_ends_by_itself_when_its_time_is_over() {
    let scene = Scene::with(&slow(), &models::made_up(), |shift| shift.serve_ms = 400).await;
    let mut stream = scene.open().await;
    stream.ready().await;
    stream.generate(1, vec![5], 500).await;
    assert_eq!(stream.answers(1).await.last(), Some(&ShiftAnswer::Dropped));
    assert_eq!(stream.rest().await, []);
    until(&scene.client, "the receipt", |s| s.earnings.receipts == 1).await;
    scene.end().await;
}

#[tokio::test]
async fn a_pause_in_the_middle_frees_the_device_and_nothing_more_is_answered() {
    // One that follows a cancel, and one that does not and is killed.
    for behaviour in [slow(), Behaviour { fault: Some(FakeFault::Hang), good_tokens: 1, ..slow() }] {
        let scene = Scene::new(&behaviour).await;
        let mut stream = scene.open().await;
        stream.ready().await;
        for number in 1..=3 {
            stream.generate(number, vec![number as Token], 500).await;
        }
        loop {
            if let ShiftReply::Answer { answer: ShiftAnswer::Token { .. }, .. } = stream.next().await.unwrap()
            {
                break;
            }
        }
        let began = Instant::now();
        done(&scene.client, Command::Pause { duration: PauseFor::Minutes(5), device: None }).await;
        until(&scene.client, "the device free", |s| matches!(s.state, StateView::Yielding { .. })).await;
        assert!(began.elapsed() < FREE_WITHIN, "{:?}", began.elapsed());
        let mut dropped = Vec::new();
        for reply in stream.rest().await {
            match reply {
                ShiftReply::Answer { number, answer } => {
                    assert!(!dropped.contains(&number), "nothing follows an end: {answer:?}");
                    dropped.extend(answer.is_last().then_some(number));
                }
                other => panic!("{other:?}"),
            }
        }
        dropped.sort_unstable();
        assert_eq!(dropped, [1, 2, 3]);

        // It is this worker's still, and is served again.
        scene.worker.install_llm(&quick());
        done(&scene.client, Command::Resume { device: None }).await;
        let mut stream = scene.open().await;
        stream.ready().await;
        stream.send.finish().unwrap();
        until(&scene.client, "the receipt", |s| s.earnings.receipts == 1).await;
        scene.end().await;
    }
}

#[tokio::test]
async fn a_runtime_that_fails_ends_the_shift_and_its_texts_stay_open() {
    let faults = [
        (FakeFault::Crash, "device_fault"),
        (FakeFault::Garbage, "device_fault"),
        (FakeFault::DeviceLost, "device_fault"),
        (FakeFault::TaskFault, "model_not_loaded"),
    ];
    for (fault, code) in faults {
        let scene = Scene::new(&Behaviour { fault: Some(fault), good_tokens: 4, ..slow() }).await;
        let mut stream = scene.open().await;
        stream.ready().await;
        stream.generate(1, vec![5], 500).await;
        let rest = stream.rest().await;
        assert!(rest.len() >= 4, "{rest:?}");
        assert!(
            rest.iter().all(|reply| matches!(reply,
            ShiftReply::Answer { number: 1, answer } if !answer.is_last())),
            "{rest:?}"
        );
        assert_eq!(scene.handed_back().await, code, "{fault:?}");
        scene.end().await;
    }
}

#[tokio::test]
async fn numbers_and_texts_of_a_hostile_network_do_not_reach_the_runtime() {
    let scene = Scene::new(&slow()).await;
    let mut stream = scene.open().await;
    stream.ready().await;
    for number in 1..=8 {
        stream.generate(number, vec![number as Token], 500).await;
    }
    stream.generate(9, vec![1], 500).await;
    assert_eq!(stream.failed(9).await, "asks_too_many");
    stream.ask(&ShiftRequest::Drop { number: 77 }).await;
    stream.generate(8, vec![1], 500).await;
    assert_eq!(stream.failed(8).await, "ask_number_used");
    stream.ask(&ShiftRequest::Drop { number: 1 }).await;
    assert_eq!(stream.answers(1).await.last(), Some(&ShiftAnswer::Dropped));
    stream.generate(8, vec![1; 513], 1).await;
    assert_eq!(stream.failed(8).await, "ask_too_long");
    // The others go on.
    while !matches!(
        stream.next().await.unwrap(),
        ShiftReply::Answer { number: 2, answer: ShiftAnswer::Token { .. } }
    ) {}

    // A frame over the cap.
    stream.send.write_all(&(SHIFT_FRAMES.bytes_max as u32 + 1).to_le_bytes()).await.unwrap();
    stream.rest().await;
    assert_eq!(scene.handed_back().await, "shift_garbled");
    scene.end().await;
}

#[tokio::test]
async fn a_network_that_does_not_read_is_left() {
    let fast = Behaviour { token_ms: 0, ..quick() };
    let scene = Scene::with(&fast, &models::made_up(), |shift| shift.sequences = 64).await;
    let mut stream = scene.open().await;
    stream.ready().await;
    let request = |number| ShiftRequest::Embed { number, tokens: vec![1] };
    for number in 1..=128 {
        stream.generate(number, vec![number as Token], 500).await;
    }
    // Each of these is refused, until nothing more is read either.
    let mut numbers = 129..;
    while SHIFT_FRAMES.write(&mut stream.send, &request(numbers.next().unwrap())).await.is_ok() {}
    assert_eq!(scene.handed_back().await, "shift_not_taken");
    scene.end().await;
}

#[tokio::test]
async fn a_stream_without_an_assignment_is_reset() {
    let scene = Scene::new(&quick()).await;
    let mut real = scene.open().await;
    let unknown = AssignmentId::from_parts(UnixMillis(1), &[7; 10]);
    let mut stream = scene.open_for(unknown).await;
    assert!(matches!(stream.next().await, Err(FrameError::Io(_))));
    // And the other goes on.
    real.ready().await;
    scene.end().await;
}

#[tokio::test]
async fn a_model_that_does_not_fit_is_handed_back_without_blame() {
    let scene =
        Scene::with(&quick(), &models::keeping(1 << 16), |shift| shift.context_tokens = 131_072).await;
    assert_eq!(scene.handed_back().await, "model_too_large");
    scene.end().await;
}

#[tokio::test]
async fn no_model_is_served_before_the_contributor_says_so() {
    let mut worker = Worker::new(&quick());
    worker.install_llm(&quick());
    let network = Network::with_shift(&shift(worker.put_model(&models::made_up()))).await;
    let client = worker.start().await;
    done(&client, Command::Enrol { ticket: Some(network.ticket.to_string()) }).await;
    until(&client, "no work", |s| matches!(&s.state, StateView::Ready { reason: Some(_) })).await;
    assert_eq!(network.state(|state| state.kinds.clone()), ["wgsl/1"]);
    let ticket = network.ticket.to_string();
    assert_eq!(worker.call(&["enrol", &ticket, "--serve-models"]).await.0, 0);
    until(&client, "the shift", |s| view(s).is_some()).await;
    assert_eq!(network.state(|state| state.kinds.clone()), ["wgsl/1", "infer/1"]);
    assert_eq!(worker.call(&["enrol", &ticket, "--serve-models=false"]).await.0, 0);
    until(&client, "none again", |s| matches!(&s.state, StateView::Ready { .. })).await;
    assert_eq!(network.state(|state| state.hand_backs.pop()).unwrap().code, "models_not_served");
    worker.shut_down(&client).await;
}

#[tokio::test]
async fn a_real_model_is_served() {
    let Some(gemma) = models::gemma() else { return };
    let worker = Worker::new(&quick());
    if !worker.install_real_llm() {
        return;
    }
    let file = std::fs::read(gemma).unwrap();
    let scene = Scene::begin(worker, &file, |shift| {
        shift.name = "gemma-3-270m".to_owned();
        shift.bytes = file.len() as u64;
        shift.sequences = 2;
    })
    .await;
    let mut stream = scene.open().await;
    assert_eq!(stream.ready().await, 2);
    // “The capital of France is”, as its vocabulary has it.
    let prompt = vec![2, 818, 5279, 529, 7001, 563];
    stream.generate(1, prompt.clone(), 8).await;
    let first = tokens(&stream.answers(1).await);
    assert!((1..=8).contains(&first.len()), "{first:?}");
    // The likeliest tokens, the same each time, and where another has left off.
    stream.generate(2, prompt.clone(), 8).await;
    assert_eq!(tokens(&stream.answers(2).await), first);
    stream
        .ask(&ShiftRequest::Generate {
            number: 3,
            generate: Box::new(Generate {
                tokens: [prompt, first[..1].to_vec()].concat(),
                generated: 1,
                sampling: Sampling::GREEDY,
                tokens_max: 8,
                stops: Vec::new(),
                log_probabilities: false,
            }),
        })
        .await;
    assert_eq!(tokens(&stream.answers(3).await), first[1..]);
    stream.generate(4, vec![5], 500).await;
    let began = Instant::now();
    done(&scene.client, Command::Pause { duration: PauseFor::Minutes(5), device: None }).await;
    until(&scene.client, "the device free", |s| matches!(s.state, StateView::Yielding { .. })).await;
    assert!(began.elapsed() < FREE_WITHIN, "{:?}", began.elapsed());
    scene.end().await;
}
