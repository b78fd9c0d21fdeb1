//! The one thread that writes: it gathers inputs into transactions, commits them durably, and only then lets
//! their effects out.
//!
//! A durable commit costs one wait for the disk, however much is in it. So the writer takes all that waits in
//! the queue, up to [`GROUP_MAX`], into one transaction, with a savepoint around each input: one that fails is
//! undone alone. While the disk is busy the next group gathers by itself, so that the group grows with the load
//! and nobody waits for a timer.
//!
//! When the disk is full or fails, the whole group is refused, and so is whoever waits for an answer: nothing
//! was promised, and every sender tries again.

use std::fmt;
use std::thread::JoinHandle;

use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{AssignmentId, Coded, Fault, UnixMillis};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::engine::{Answer, Effect, Engine, EngineError, Input};

/// Inputs in one transaction. At 64 a group the wait for the disk is already the smaller part; this bounds what
/// one failure of the disk refuses.
pub const GROUP_MAX: usize = 512;
/// Inputs that may wait. Beyond that, senders wait: a queue of two groups keeps the writer busy.
const QUEUE_MAX: usize = 2 * GROUP_MAX;

type Outcome = Result<Answer, Fault>;

struct Request {
    input: Input,
    answer: Option<oneshot::Sender<Outcome>>,
}

/// Where inputs are given to the writer. Clones lead to the same writer, which ends when the last one is gone.
#[derive(Clone)]
pub struct Inbox {
    requests: mpsc::Sender<Request>,
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({} waiting)", self.requests.max_capacity() - self.requests.capacity())
    }
}

fn shutting_down() -> Fault {
    EngineError::ShuttingDown.fault()
}

impl Inbox {
    /// Gives an input and waits only for room in the queue. What comes of it comes as effects.
    ///
    /// # Errors
    /// When the writer has ended.
    pub async fn tell(&self, input: Input) -> Result<(), Fault> {
        self.requests.send(Request { input, answer: None }).await.map_err(|_| shutting_down())
    }

    /// Gives an input and waits until it is committed.
    ///
    /// # Errors
    /// Why nothing was changed, as it is told to whoever asked.
    pub async fn ask(&self, input: Input) -> Result<Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request { input, answer: Some(answer) }).await.map_err(|_| shutting_down())?;
        answered.await.map_err(|_| shutting_down())?
    }

    /// As [`Self::ask`], from a thread that may block.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn ask_blocking(&self, input: Input) -> Result<Answer, Fault> {
        let (answer, answered) = oneshot::channel();
        self.requests.blocking_send(Request { input, answer: Some(answer) }).map_err(|_| shutting_down())?;
        answered.blocking_recv().map_err(|_| shutting_down())?
    }
}

/// The writer's thread.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<()>,
}

impl Writer {
    /// Waits for the writer to end: after the last [`Inbox`] is gone, all that waits is committed first.
    /// False when it ended by a panic.
    pub fn join(self) -> bool {
        self.thread.join().is_ok()
    }
}

/// Starts the writer. `clock` tells the time of each group; `release` is given every effect but the answers,
/// in order, after the commit, and must not block.
///
/// # Errors
/// When no thread can be started.
pub fn start(
    connection: Connection,
    engine: Engine,
    clock: impl Fn() -> UnixMillis + Send + 'static,
    release: impl FnMut(Effect) + Send + 'static,
) -> std::io::Result<(Inbox, Writer)> {
    let (requests, queue) = mpsc::channel(QUEUE_MAX);
    let work = Work { connection, engine, clock: Box::new(clock), release: Box::new(release) };
    let thread = std::thread::Builder::new().name("writer".to_owned()).spawn(move || work.run(queue))?;
    Ok((Inbox { requests }, Writer { thread }))
}

struct Work {
    connection: Connection,
    engine: Engine,
    clock: Box<dyn Fn() -> UnixMillis + Send>,
    release: Box<dyn FnMut(Effect) + Send>,
}

impl Work {
    fn run(mut self, mut queue: mpsc::Receiver<Request>) {
        let mut group = Vec::new();
        while let Some(first) = queue.blocking_recv() {
            group.push(first);
            while group.len() < GROUP_MAX
                && let Ok(request) = queue.try_recv()
            {
                group.push(request);
            }
            self.commit(&mut group);
        }
    }

    /// Takes a group through one transaction.
    fn commit(&mut self, group: &mut Vec<Request>) {
        let now = (self.clock)();
        let inputs: Vec<Input> = group.iter().map(|request| request.input.clone()).collect();
        match commit_group(&mut self.connection, &mut self.engine, inputs, now) {
            Ok(outcomes) => {
                for (request, outcome) in group.drain(..).zip(outcomes) {
                    self.conclude(request, outcome);
                }
            }
            Err(error) => {
                let fault = error.fault();
                tracing::error!(code = %fault.code, inputs = group.len(), "a group was not committed: {error}");
                for request in group.drain(..) {
                    self.conclude(request, Err(fault.clone()));
                }
            }
        }
    }

    fn conclude(&mut self, request: Request, outcome: Result<Vec<Effect>, Fault>) {
        let outcome = match outcome {
            Ok(effects) => {
                let mut answer = Answer::Done;
                for effect in effects {
                    match effect {
                        Effect::Answer(given) => answer = given,
                        other => (self.release)(other),
                    }
                }
                Ok(answer)
            }
            Err(fault) => {
                if let Some(refusal) = refusal(&request.input, &fault) {
                    (self.release)(refusal);
                }
                Err(fault)
            }
        };
        if let Some(answer) = request.answer {
            // Whoever asked may have gone away; it is committed all the same.
            let _ = answer.send(outcome);
        }
    }
}

/// Takes inputs through one transaction and commits it. Each input has its own outcome: its effects, which may
/// be released now, or why it alone was undone.
///
/// This is the writer without its thread, for whoever drives an engine by hand.
///
/// # Errors
/// When nothing at all was committed.
pub fn commit_group(
    connection: &mut Connection,
    engine: &mut Engine,
    inputs: Vec<Input>,
    now: UnixMillis,
) -> Result<Vec<Result<Vec<Effect>, Fault>>, EngineError> {
    let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut outcomes = Vec::with_capacity(inputs.len());
    for input in inputs {
        outcomes.push(handle_one(&tx, engine, input, now)?);
    }
    tx.commit()?;
    Ok(outcomes)
}

/// Handles one input within a savepoint. The outer error is the end of the whole transaction.
fn handle_one(
    tx: &Transaction<'_>,
    engine: &mut Engine,
    input: Input,
    now: UnixMillis,
) -> Result<Result<Vec<Effect>, Fault>, EngineError> {
    tx.prepare_cached("SAVEPOINT input")?.execute([])?;
    match engine.handle(tx, input, now) {
        Ok(effects) => {
            tx.prepare_cached("RELEASE input")?.execute([])?;
            Ok(Ok(effects))
        }
        // SQLite rolls everything back by itself when it cannot go on, as on a full disk; what came before in
        // this group is gone then, too.
        Err(error) if tx.is_autocommit() => Err(error),
        Err(error) => {
            if !error.is_refusal() {
                tracing::error!(code = error.code(), "an input was undone: {error}");
            }
            tx.prepare_cached("ROLLBACK TO input")?.execute([])?;
            tx.prepare_cached("RELEASE input")?.execute([])?;
            Ok(Err(error.fault()))
        }
    }
}

/// How a worker learns that its message changed nothing.
fn refusal(input: &Input, fault: &Fault) -> Option<Effect> {
    let Input::FromWorker { worker, session, message } = input else { return None };
    let message = NetworkMessage::Refused { assignment: about(message), fault: fault.clone() };
    Some(Effect::Send { worker: *worker, session: *session, message })
}

/// The assignment that a message is about, if any.
fn about(message: &WorkerMessage) -> Option<AssignmentId> {
    match message {
        WorkerMessage::Progress { assignment, .. }
        | WorkerMessage::Report { assignment, .. }
        | WorkerMessage::HandBack { assignment, .. } => Some(*assignment),
        WorkerMessage::Hello { .. }
        | WorkerMessage::Enrol(_)
        | WorkerMessage::SetWallet(_)
        | WorkerMessage::StateWallet { .. }
        | WorkerMessage::ProveWallet { .. }
        | WorkerMessage::SetPayoutThreshold(_)
        | WorkerMessage::WantProof { .. }
        | WorkerMessage::Claimed { .. }
        | WorkerMessage::WantWork { .. }
        | WorkerMessage::Countersign { .. } => None,
    }
}

#[cfg(test)]
mod tests;
