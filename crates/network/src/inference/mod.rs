//! Inference: language models that contributors' devices serve, asked by customers over OpenAI's API.
//!
//! - `models`: which ones, and their files.
//! - `process`: a runtime that holds one of them here: its vocabulary, or all of it to check what others generated.
//! - `floor`: the shifts that go on, who is asked next, and how many shifts are wanted. Pure.
//! - `shift`: one worker's stream.
//! - `ask`: what one customer asks, from its reservation to its last token, whoever serves it.
//! - `backend`: all of that as the API wants it.
//!
//! Money and what outlasts a restart are the engine's (`engine::shifts`); all here is forgotten with the process.

mod ask;
mod backend;
mod check;
mod floor;
mod models;
mod process;
mod shift;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use lull_models::Library;
use lull_network_api::Assignment;
use lull_runtime_api::host::find_runtime;
use lull_types::{BaseUnits, BlobHash, Coded, CustomerId, Fault, JOB_KIND_INFER, SecretKey, WorkerId};
use tokio::sync::{Notify, OnceCell};
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::customers;
use crate::engine::{Answer, BlobOwner, COMING, Input, JobSpec, Model, SessionId, TaskSpec};
use crate::gateway::Hub;
use crate::reader::Reader;
use crate::writer::Inbox;

pub use backend::CustomersBackend;
use floor::Floor;
pub use models::NewModel;
use models::ServedModel;

/// The program that holds models.
const RUNTIME: &str = "lull-runtime-llm";
/// How long one worker serves before its shift is paid: often enough that a contributor sees it earn, seldom enough that
/// receipts do not pile up.
const SHIFT_MS: u64 = 10 * 60 * 1000;
/// For how long texts that are being written then may go on: the longest at the pace of a slow device.
const FINISHING_MS: u64 = 10 * 60 * 1000;
/// What a shift's assignment has beside, to fetch a model over a home line and to load it.
const PREPARING_MS: u64 = 60 * 60 * 1000;

/// What inference is run with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where changes are asked for.
    pub inbox: Inbox,
    /// Where questions are answered.
    pub reader: Arc<Reader>,
    /// The blobs, for the payloads of shifts.
    pub blobs: Arc<Blobs>,
    /// The workers.
    pub hub: Arc<Hub>,
    /// The files of models.
    pub models: Library,
    /// Where runtimes work.
    pub scratch: PathBuf,
    /// The network's key, from which the key of its own customer follows.
    pub key: SecretKey,
    /// Its name, for people.
    pub name: String,
}

/// Inference in one network. Clones are the same.
#[derive(Clone, Debug)]
pub struct Inference(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    setup: Setup,
    /// The program, if it is installed.
    program: Option<PathBuf>,
    /// The network's own customer, which submits shifts; made with the first of them.
    operator: OnceCell<CustomerId>,
    models: Mutex<Vec<Arc<ServedModel>>>,
    floor: Mutex<Floor>,
    /// Told when somebody may be served who waits.
    changed: Notify,
    cancel: CancellationToken,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept is whole between statements, so a panic elsewhere leaves nothing half done.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inference {
    /// Begins, with the models that were served before.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn start(setup: Setup, cancel: CancellationToken) -> Result<Self, Fault> {
        setup.inbox.ask(Input::ForgetAsks).await?;
        let program = find_runtime(RUNTIME)
            .inspect_err(
                |error| tracing::warn!(code = error.code(), %error, "language models cannot be served"),
            )
            .ok();
        setup.inbox.tell(Input::TrustsModels(program.is_some())).await?;
        let inference = Self(Arc::new(Shared {
            program,
            operator: OnceCell::new(),
            models: Mutex::default(),
            floor: Mutex::default(),
            changed: Notify::new(),
            cancel,
            setup,
        }));
        for model in inference.0.setup.reader.read(models::all).await? {
            let name = model.name.clone();
            if let Err(fault) = inference.serve_model(model).await {
                tracing::warn!(name, code = fault.code, sentence = fault.sentence, "a model is not served");
            }
        }
        Ok(inference)
    }

    /// The engine has given a worker an assignment. Shifts are opened on its connection.
    pub fn assigned(&self, worker: WorkerId, session: SessionId, assignment: &Assignment) {
        if assignment.kind != JOB_KIND_INFER {
            return;
        }
        let Some(model) = self.model_of_payload(assignment.payload) else { return };
        if lock(&self.0.floor).placed(assignment.job, assignment.id, model.hash(), Instant::now()) {
            tokio::spawn(shift::run(self.clone(), worker, session, assignment.id, model));
        }
    }

    fn model_of_payload(&self, payload: BlobHash) -> Option<Arc<ServedModel>> {
        lock(&self.0.models).iter().find(|model| model.payload_hash() == payload).cloned()
    }

    fn model_named(&self, name: &str) -> Option<Arc<ServedModel>> {
        lock(&self.0.models).iter().find(|model| model.model.name == name).cloned()
    }

    async fn serve_model(&self, model: Model) -> Result<(), Fault> {
        let Some(program) = &self.0.program else {
            let sentence =
                "The program lull-runtime-llm is not installed beside this one, so no model is served.";
            return Err(Fault::new("runtime_missing", sentence));
        };
        let held = self.0.setup.models.get(model.hash).await.map_err(|error| error.fault())?;
        let missing = || {
            let sentence = format!("The file of {} is missing; add it again.", model.name);
            Fault::new("models_missing", sentence)
        };
        let held = held.ok_or_else(missing)?;
        let served = ServedModel::new(model, program, held, &self.0.setup.scratch, SHIFT_MS + FINISHING_MS);
        let mut models = lock(&self.0.models);
        models.retain(|known| known.hash() != served.hash());
        models.push(Arc::new(served));
        Ok(())
    }

    async fn make_operator(&self) -> Result<CustomerId, Fault> {
        let Setup { key, name, inbox, .. } = &self.0.setup;
        let key = customers::api_key(&blake3::derive_key("lull network customer 1", &key.to_bytes()));
        Ok(customers::ensure(inbox, name, &key, BaseUnits::ZERO, "").await?.id)
    }

    /// Calls for one more shift of a model.
    async fn call_out(&self, model: &ServedModel) -> Result<(), Fault> {
        let payload = model.payload();
        let hash = model.payload_hash();
        let bytes = payload.len() as u64;
        self.0.setup.blobs.put(payload).await.map_err(|error| error.fault())?;
        let operator = *self.0.operator.get_or_try_init(|| self.make_operator()).await?;
        let by = BlobOwner::Customer(operator);
        self.0.setup.inbox.ask(Input::BlobStored { hash, bytes, by }).await?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(|error| Fault::new("internal", error.to_string()))?;
        let job = JobSpec {
            idempotency_key: format!("shift-{}", data_encoding::HEXLOWER.encode(&random)),
            title: model.model.name.clone(),
            kind: JOB_KIND_INFER.to_owned(),
            price_per_task: COMING,
            task_deadline_ms: SHIFT_MS + FINISHING_MS + PREPARING_MS,
            tasks: vec![TaskSpec { payload: hash, inputs: vec![model.hash()], outputs: 0, picture: None }],
        };
        match self.0.setup.inbox.ask(Input::CreateJob { customer: operator, job }).await? {
            Answer::JobCreated { job, .. } => {
                lock(&self.0.floor).called(job, model.hash());
                Ok(())
            }
            _ => Err(Fault::new("network_contradiction", "a shift was answered with something else")),
        }
    }

    /// Gives a place in a shift back, once all that was served on it is booked.
    fn leave(&self, seat: floor::Seat) {
        lock(&self.0.floor).left(seat.shift, Instant::now());
        self.0.changed.notify_waiters();
    }

    /// Waits until one of a model's shifts has room; calls for more where they are too few.
    async fn seat(&self, model: &ServedModel, prefix: u64, patience: Duration) -> Result<floor::Seat, Fault> {
        let waiting = floor::Waiting::new(&self.0.floor, model.hash());
        let seated = async {
            loop {
                // Asked for before it is looked, so that no change in between is missed.
                let changed = self.0.changed.notified();
                let (seat, wanted) = {
                    let mut floor = lock(&self.0.floor);
                    (floor.seat(model.hash(), prefix), floor.wants_more(model.hash()))
                };
                if let Some(seat) = seat {
                    return Ok(seat);
                }
                if wanted {
                    self.call_out(model).await?;
                }
                changed.await;
            }
        };
        let seated = tokio::time::timeout(patience, seated).await;
        drop(waiting);
        seated.unwrap_or_else(|_| {
            let busy = lock(&self.0.floor).is_served(model.hash());
            Err(if busy {
                Fault::new(
                    "workers_busy",
                    "All workers that serve this model are busy. Ask again in a moment.",
                )
            } else {
                Fault::new(
                    "workers_none",
                    "No worker serves this model at present. Ask again in some minutes.",
                )
            })
        })
    }
}
