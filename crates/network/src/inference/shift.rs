//! One worker's stream: what is asked of it and what it answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use iroh::endpoint::{Connection, RecvStream, SendStream, VarInt};
use lull_network_api::{OPENING_FRAMES, Opening, SHIFT_FRAMES, ShiftAnswer, ShiftReply, ShiftRequest};
use lull_types::infer::{Generate, Token};
use lull_types::{AssignmentId, Fault, WorkerId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::floor::Seat;
use super::models::ServedModel;
use super::{Inference, PREPARING_MS, SHIFT_MS, lock};
use crate::engine::{Input, SessionId};
use crate::gateway::close_code;

/// How long opening a stream or writing to it may take: a worker that does not read is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a worker with something to do may be silent: a slice takes a tenth of a second, and a slow machine that reads a
/// long prompt tells of each. Whoever asked waits for that long before another worker goes on.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// How long a worker may take to report a shift that the network has ended.
const REPORT_TIMEOUT: Duration = Duration::from_secs(30);
/// The code of an end that is the network's.
const OVER: &str = "shift_over";
/// Answers that were read and not taken.
const ANSWERS_KEPT_MAX: usize = 1_024;

/// What a shift is told.
#[derive(Debug)]
pub(super) enum ShiftCommand {
    /// Ask.
    Ask { ask: ShiftAsk, answers: mpsc::UnboundedSender<ShiftAnswer>, number: oneshot::Sender<u64> },
    /// No longer want an answer.
    Drop(u64),
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) enum ShiftAsk {
    Generate(Generate),
    Embed(Vec<Token>),
}

/// Serves a shift from its assignment to its end, and tells the engine that it is over.
pub(super) async fn run(
    inference: Inference,
    worker: WorkerId,
    session: SessionId,
    assignment: AssignmentId,
    model: Arc<ServedModel>,
) {
    let shared = &inference.0;
    let connection = shared.setup.hub.connection(worker, session);
    let reason = match connection {
        None => gone(),
        Some(connection) => tokio::select! {
            () = shared.cancel.cancelled() => over("the network stops"),
            ended = serve(&inference, &connection, assignment) => ended,
        },
    };
    lock(&shared.floor).closed(assignment);
    shared.changed.notify_waiters();
    if reason.code == OVER {
        // A worker that sees the end of its stream reports by itself; one that does not is told.
        tokio::select! {
            () = shared.cancel.cancelled() => {}
            () = tokio::time::sleep(REPORT_TIMEOUT) => {}
        }
    }
    tracing::debug!(%worker, model = model.model.name, code = reason.code, "a shift is over");
    // The writer is gone only when the service stops; the next start ends all shifts.
    let _ = shared.setup.inbox.tell(Input::ShiftOver { assignment, reason }).await;
}

fn gone() -> Fault {
    Fault::new("shift_broken_off", "the connection ended, so the shift is over; what was served is paid")
}

fn over(why: &str) -> Fault {
    Fault::new(OVER, format!("the shift is over, as {why}; what was served is paid"))
}

/// Why it ended.
async fn serve(inference: &Inference, connection: &Connection, assignment: AssignmentId) -> Fault {
    let opened = timeout(WRITE_TIMEOUT, async {
        let (mut send, receive) = connection.open_bi().await.ok()?;
        OPENING_FRAMES.write(&mut send, &Opening::Shift { assignment }).await.ok()?;
        Some((send, receive))
    });
    let Ok(Some((send, receive))) = opened.await else { return gone() };
    let (replies, inbox) = mpsc::channel(ANSWERS_KEPT_MAX);
    // Reading a frame must not be cancelled half-way.
    let reader = tokio::spawn(read(receive, replies));
    let (seats, seated) = mpsc::channel(1);
    let mut desk =
        Desk { inference, assignment, send, open: HashMap::new(), last: 0, heard_at: Instant::now(), seats };
    let reason = desk.serve(inbox).await;
    // Nobody is seated any more; those who are hear that it ended, book what they were told, and leave.
    lock(&inference.0.floor).closed(assignment);
    desk.open.clear();
    let _ = desk.send.finish();
    drop(desk);
    drain(seated).await;
    reader.abort();
    reason
}

/// Waits until everybody who was seated has left.
async fn drain(mut seated: mpsc::Receiver<()>) {
    while seated.recv().await.is_some() {}
}

async fn read(mut receive: RecvStream, replies: mpsc::Sender<ShiftReply>) {
    while let Ok(reply) = SHIFT_FRAMES.read::<ShiftReply>(&mut receive).await {
        if replies.send(reply).await.is_err() {
            break;
        }
    }
    // Whatever comes is not wanted.
    let _ = receive.stop(VarInt::from_u32(close_code::MALFORMED));
}

struct Desk<'a> {
    inference: &'a Inference,
    assignment: AssignmentId,
    send: SendStream,
    /// Answers that are waited for.
    open: HashMap<u64, mpsc::UnboundedSender<ShiftAnswer>>,
    last: u64,
    heard_at: Instant,
    /// Kept by each who is seated, for as long as it is.
    seats: mpsc::Sender<()>,
}

impl Desk<'_> {
    async fn serve(&mut self, mut replies: mpsc::Receiver<ShiftReply>) -> Fault {
        let begun = Instant::now();
        let (commands, mut inbox) = mpsc::unbounded_channel();
        let mut ready_at: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let ends_at = match ready_at {
                None => begun + Duration::from_millis(PREPARING_MS),
                Some(at) => at + Duration::from_millis(SHIFT_MS),
            };
            let idle_at = ready_at.and_then(|_| lock(&self.inference.0.floor).idle_until(self.assignment));
            let silent_at = (!self.open.is_empty()).then(|| self.heard_at + SILENCE_MAX);
            // A shift at its end takes nobody new, and ends with the last who is there.
            let is_ending = now >= ends_at;
            if is_ending {
                lock(&self.inference.0.floor).closed(self.assignment);
                if self.open.is_empty() {
                    return over("its time is up");
                }
            }
            if idle_at.is_some_and(|at| now >= at) {
                return over("nobody asked");
            }
            if silent_at.is_some_and(|at| now >= at) {
                return over("the worker does not answer");
            }
            let look_at = [(!is_ending).then_some(ends_at), idle_at, silent_at].into_iter().flatten().min();
            let look_at = look_at.unwrap_or(now + SILENCE_MAX);
            tokio::select! {
                reply = replies.recv() => {
                    self.heard_at = Instant::now();
                    match reply {
                        None => return gone(),
                        Some(ShiftReply::Preparing { .. }) => {}
                        Some(ShiftReply::Ready { sequences }) => {
                            if ready_at.is_none() {
                                ready_at = Some(Instant::now());
                                let mut floor = lock(&self.inference.0.floor);
                                let asked = Seat {
                                    shift: self.assignment,
                                    commands: commands.clone(),
                                    _kept: self.seats.clone(),
                                };
                                floor.ready(asked, sequences, Instant::now());
                            }
                            self.inference.0.changed.notify_waiters();
                        }
                        Some(ShiftReply::Answer { number, answer }) => {
                            if !self.hand_over(number, answer) {
                                return over("the worker answers what nobody asked");
                            }
                        }
                    }
                }
                Some(command) = inbox.recv() => {
                    if self.obey(command).await.is_none() {
                        return gone();
                    }
                }
                () = tokio::time::sleep_until(look_at.into()) => {}
            }
        }
    }

    /// False when nobody asked.
    fn hand_over(&mut self, number: u64, answer: ShiftAnswer) -> bool {
        let is_last = answer.is_last();
        let Some(answers) = self.open.get(&number) else {
            // One that was dropped, or that came late.
            return number <= self.last;
        };
        // Whoever asked has gone, and says so.
        let _ = answers.send(answer);
        if is_last {
            self.open.remove(&number);
        }
        true
    }

    async fn obey(&mut self, command: ShiftCommand) -> Option<()> {
        let request = match command {
            ShiftCommand::Ask { ask, answers, number } => {
                self.last += 1;
                if self.open.is_empty() {
                    self.heard_at = Instant::now();
                }
                // One that has gone already is not asked for.
                number.send(self.last).ok();
                self.open.insert(self.last, answers);
                match ask {
                    ShiftAsk::Generate(generate) => {
                        ShiftRequest::Generate { number: self.last, generate: Box::new(generate) }
                    }
                    ShiftAsk::Embed(tokens) => ShiftRequest::Embed { number: self.last, tokens },
                }
            }
            ShiftCommand::Drop(number) => {
                if self.open.remove(&number).is_none() {
                    return Some(());
                }
                ShiftRequest::Drop { number }
            }
        };
        timeout(WRITE_TIMEOUT, SHIFT_FRAMES.write(&mut self.send, &request)).await.ok()?.ok()
    }
}
