//! A runtime that holds a model here, in its sandbox: started when it is asked something, ended when it is not for long.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lull_runtime_api::host::{RuntimeCommand, RuntimeProcess, Serving};
use lull_runtime_api::{Answer, Ask, Compute, Purpose, Serve, Served, ServingEvent};
use lull_types::{Coded, DeviceInfo, DeviceKind, Fault};
use tokio::sync::{mpsc, oneshot, watch};

use super::lock;
use crate::engine::Model;

/// Asks that wait for an answer; more make whoever asks wait.
const ASKS_MAX: usize = 64;
/// A vocabulary takes tens of megabytes and a second to load; a model to check with takes much more, and is needed seldom.
const VOCABULARY_IDLE_MAX: Duration = Duration::from_secs(3_600);
const CHECKER_IDLE_MAX: Duration = Duration::from_secs(120);
/// How long an answer may take: a text is read in milliseconds, and checked in minutes where the processor does it.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CHECK_TIMEOUT: Duration = Duration::from_secs(600);
/// How long the process may take to end.
const END_GRACE: Duration = Duration::from_secs(3);
/// Main memory for a vocabulary: a quarter of a million tokens take a tenth of it.
const VOCABULARY_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;
/// What is computed with takes beside the model: keys and values of one text, and what is computed at once.
const CHECK_BYTES_BESIDE: u64 = 8 * 1024 * 1024 * 1024;

/// A runtime that holds a model. It is started when it is needed.
#[derive(Debug)]
pub(super) struct ModelProcess {
    how: Arc<How>,
    live: Mutex<Option<Live>>,
}

#[derive(Debug)]
struct How {
    command: RuntimeCommand,
    serve: Serve,
    idle_max: Duration,
    answer_timeout: Duration,
}

/// What is known of the model once it is loaded.
type About = Option<Result<Arc<Served>, Fault>>;

#[derive(Clone, Debug)]
struct Live {
    asks: mpsc::Sender<Question>,
    about: watch::Receiver<About>,
}

#[derive(Debug)]
struct Question {
    ask: Ask,
    answer: oneshot::Sender<Answer>,
}

impl ModelProcess {
    /// Its vocabulary alone.
    pub fn for_vocabulary(program: &Path, file: &Path, scratch: &Path, model: &Model) -> Self {
        let serve = Serve { purpose: Purpose::Vocabulary, chat_template: model.chat_template.clone() };
        let folder = scratch.join(format!("vocabulary-{}", model.hash));
        Self::new(program, file, folder, VOCABULARY_BYTES_MAX, serve, (VOCABULARY_IDLE_MAX, READ_TIMEOUT))
    }

    /// All of it, on this machine's processor.
    pub fn for_checks(program: &Path, file: &Path, scratch: &Path, model: &Model) -> Self {
        let memory_bytes_max = model.bytes.saturating_add(CHECK_BYTES_BESIDE);
        let compute = Compute {
            device: processor(),
            context_tokens: model.context_tokens,
            sequences: 1,
            device_bytes_max: 0,
            machine_bytes_max: memory_bytes_max,
            // It has time, and the rest of the network does not.
            threads: 1,
        };
        let serve = Serve { purpose: Purpose::Compute(Box::new(compute)), chat_template: None };
        let folder = scratch.join(format!("checks-{}", model.hash));
        Self::new(program, file, folder, memory_bytes_max, serve, (CHECKER_IDLE_MAX, CHECK_TIMEOUT))
    }

    fn new(
        program: &Path,
        file: &Path,
        scratch: PathBuf,
        memory_bytes_max: u64,
        serve: Serve,
        (idle_max, answer_timeout): (Duration, Duration),
    ) -> Self {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let mut command = RuntimeCommand::new(program, scratch)
            .with_argument("--model")
            .with_argument(file)
            .with_argument("--memory-bytes-max")
            .with_argument(memory_bytes_max.to_string());
        command.memory_bytes_max = memory_bytes_max;
        Self { how: Arc::new(How { command, serve, idle_max, answer_timeout }), live: Mutex::new(None) }
    }

    /// What is known of the model, once it is loaded.
    ///
    /// # Errors
    /// When it cannot be.
    pub async fn about(&self) -> Result<Arc<Served>, Fault> {
        let mut about = self.live().about;
        match about.wait_for(Option::is_some).await {
            Ok(known) => known.clone().unwrap_or_else(|| Err(gone())),
            Err(_) => Err(gone()),
        }
    }

    /// Asks, and waits for the last of the answer.
    ///
    /// # Errors
    /// When the model cannot be loaded, or does not answer.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Fault> {
        let live = self.live();
        let asked = async {
            let (answer, answered) = oneshot::channel();
            live.asks.send(Question { ask, answer }).await.ok()?;
            answered.await.ok()
        };
        match tokio::time::timeout(self.how.answer_timeout, asked).await {
            Ok(Some(Answer::Failed(fault))) => Err(fault),
            Ok(Some(answer)) => Ok(answer),
            // It has ended; why, if it was never loaded.
            Ok(None) => Err(match &*live.about.borrow() {
                Some(Err(fault)) => fault.clone(),
                _ => gone(),
            }),
            Err(_) => {
                // Whoever asks next gets another one.
                lock(&self.live).take();
                Err(gone())
            }
        }
    }

    fn live(&self) -> Live {
        let mut kept = lock(&self.live);
        if let Some(live) = kept.as_ref().filter(|live| !live.asks.is_closed()) {
            return live.clone();
        }
        let (asks, questions) = mpsc::channel(ASKS_MAX);
        let (told, about) = watch::channel(None);
        tokio::spawn(hold(self.how.clone(), questions, told));
        let live = Live { asks, about };
        *kept = Some(live.clone());
        live
    }
}

fn gone() -> Fault {
    Fault::new("answer_failed", "The network's own process for this model has ended. Ask again.")
}

/// The processor, as what a model is computed on here.
fn processor() -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: "processor".to_owned(),
        vendor: String::new(),
        kind: DeviceKind::Software,
        backend: String::new(),
        driver: String::new(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 0,
        features: Vec::new(),
    }
}

/// Holds one process until nobody has asked for long, or it ends.
async fn hold(how: Arc<How>, mut questions: mpsc::Receiver<Question>, about: watch::Sender<About>) {
    let loaded = async {
        let process = RuntimeProcess::start(how.command.clone()).await.map_err(|error| error.fault())?;
        let mut serving = process.serve(how.serve.clone()).map_err(|error| error.fault())?;
        loop {
            match serving.event().await {
                Some(ServingEvent::Loading { .. } | ServingEvent::Answer { .. }) => {}
                Some(ServingEvent::Ready(served)) => return Ok((process, serving, served)),
                None => return Err(serving.outcome().await.err().map_or_else(gone, |error| error.fault())),
            }
        }
    };
    let (process, serving, served) = match loaded.await {
        Ok(loaded) => loaded,
        Err(fault) => {
            tracing::warn!(code = fault.code, sentence = fault.sentence, "a model cannot be held here");
            about.send_replace(Some(Err(fault)));
            return;
        }
    };
    about.send_replace(Some(Ok(Arc::from(served))));
    answer_all(&how, serving, &mut questions).await;
    questions.close();
    process.stop(END_GRACE).await;
}

async fn answer_all(how: &How, mut serving: Serving, questions: &mut mpsc::Receiver<Question>) {
    let mut open: HashMap<u64, oneshot::Sender<Answer>> = HashMap::new();
    let mut last = 0;
    loop {
        tokio::select! {
            question = tokio::time::timeout(how.idle_max, questions.recv()) => match question {
                Ok(Some(question)) => {
                    last += 1;
                    open.insert(last, question.answer);
                    serving.ask(last, question.ask);
                }
                Ok(None) => return,
                Err(_) if open.is_empty() => return,
                Err(_) => {}
            },
            event = serving.event() => match event {
                Some(ServingEvent::Answer { number, answer }) if answer.is_last() => {
                    if let Some(waiting) = open.remove(&number) {
                        // Whoever asked may have gone.
                        let _ = waiting.send(answer);
                    }
                }
                Some(_) => {}
                None => return,
            },
        }
    }
}
