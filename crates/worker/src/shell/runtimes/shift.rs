//! A shift under a lease: a runtime that serves a model, and the network that asks it.
//!
//! First what costs nothing: whether the model fits, and the network's stream. Then the runtime is started, and this end
//! carries requests to it and answers back, until either side, the shift's time or the machine ends it. An end waits for
//! nobody: what was told last leaves by itself, and the runtime is put away by the lease.

mod desk;
mod fit;

use std::ffi::OsString;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Duration;

use lull_network_api::{Assignment, ShiftReply, ShiftRequest};
use lull_runtime_api::host::{RuntimeCommand, RuntimeError, RuntimeProcess, Serving};
use lull_runtime_api::{Compute, Purpose, Serve, ServingEvent};
use lull_types::infer::Shift;
use lull_types::{Coded, DeviceInfo, Fault};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use super::reins::{Pull, Reins};
use super::{Holding, Revoked};
use crate::machine::{Input, RunEnd};
use crate::models::Held;
use crate::session::{RequestsEnd, ShiftReplies, ShiftRequests, ShiftStream};
use crate::shell::tasks;
use desk::{Desk, Tell};
use fit::Spare;

/// How long a network that has given a shift may take to open its stream: it does so at once, but for a session that breaks
/// and is dialled anew.
const OPENED_WITHIN: Duration = Duration::from_secs(60);

/// Figures change all the time; people read two a second.
const SHOW_INTERVAL: Duration = Duration::from_millis(500);

/// Requests that are read ahead. Each may be as long as a context.
const REQUESTS_AHEAD: usize = 4;

/// Replies that wait to leave: some seconds of tokens of a full device, as long as a line at home may stall. A network that
/// lets more wait does not read.
const REPLIES_WAITING_MAX: usize = 16 * 1024;

/// With so much room less nothing more is asked, so that only what goes on can fill it.
const REPLIES_ROOM_MIN: usize = REPLIES_WAITING_MAX / 2;

/// What a driver and its copies take of the machine's memory beside the model.
const DRIVER_BYTES: u64 = 1024 * 1024 * 1024;

/// A shift that can be served here.
struct Prepared {
    model: Held,
    shift: Shift,
    compute: Compute,
    command: RuntimeCommand,
    stream: ShiftStream,
}

/// Why a shift is no longer served.
enum Over {
    /// The machine takes the device back: it was cancelled, or killed.
    Revoked,
    /// Its time is over, or the network has no more to ask.
    Done,
    /// The network left it, or cannot be served any longer.
    Left(Fault),
    /// The runtime does not serve it any more.
    Ended,
}

impl Holding {
    pub(super) async fn shift(self, assignment: Box<Assignment>, device: DeviceInfo) {
        let lease = self.lease.id;
        let prepared = tokio::select! {
            biased;
            () = self.kill.cancelled() => Err(RunEnd::Cancelled),
            () = self.cancel.cancelled() => Err(RunEnd::Cancelled),
            prepared = self.prepare_shift(&assignment, device) => prepared,
        };
        let mut held = None;
        let (process, end) = match prepared {
            Err(end) => (None, end),
            Ok(Prepared { model, shift, compute, command, stream }) => {
                held = Some(model);
                match self.start_with(command).await {
                    Ok(process) => {
                        let end = self.serve(&process, shift, compute, stream).await;
                        (Some(process), end)
                    }
                    Err(Some(fault)) => (None, RunEnd::LocalFault(fault)),
                    Err(None) => (None, RunEnd::Cancelled),
                }
            }
        };
        self.context.tell(Input::RunEnded { lease, end }).await;
        self.free(process).await;
        // No process reads its file any more.
        drop(held);
    }

    /// Whether the model is here and fits, and a network that wants it served.
    async fn prepare_shift(&self, assignment: &Assignment, device: DeviceInfo) -> Result<Prepared, RunEnd> {
        let shift = tasks::load_shift(self.context.blobs.clone(), assignment.payload).await?;
        let models = self.context.models.clone();
        let wanted = shift.clone();
        let (model, compute) = blocking(move || {
            let model = models.held(wanted.model).ok_or_else(|| RunEnd::LocalFault(tasks::missing()))?;
            let compute = fit(model.path(), &wanted, device)?;
            Ok((model, compute))
        })
        .await?;
        let command = self.context.source.command_llm(&self.context.scratch, &self.folder());
        let mut command = command.map_err(|error| RunEnd::LocalFault(error.fault()))?;
        command.memory_bytes_max = compute.machine_bytes_max.saturating_add(DRIVER_BYTES);
        let bytes_max = command.memory_bytes_max.to_string();
        command.arguments =
            [OsString::from("--model"), model.path().into(), "--memory-bytes-max".into(), bytes_max.into()]
                .into();
        let Ok(stream) = timeout(OPENED_WITHIN, self.context.shifts.take(assignment.id)).await else {
            let sentence = "The network gave a shift and did not begin it.";
            return Err(RunEnd::GivenBack(Fault::new("shift_not_opened", sentence)));
        };
        Ok(Prepared { model, shift, compute, command, stream })
    }

    async fn serve(
        &self,
        process: &RuntimeProcess,
        shift: Shift,
        compute: Compute,
        stream: ShiftStream,
    ) -> RunEnd {
        let sequences = compute.sequences;
        let purpose = Purpose::Compute(Box::new(compute));
        let serving = match process.serve(Serve { purpose, chat_template: None }) {
            Ok(serving) => serving,
            Err(error) => return failed(error),
        };
        self.context.tell(Input::RunStarted { lease: self.lease.id }).await;
        let (asks, asked) = mpsc::channel(REQUESTS_AHEAD);
        tokio::spawn(hear(stream.requests, asks));
        let (replies, waiting) = mpsc::channel(REPLIES_WAITING_MAX);
        tokio::spawn(say(stream.replies, waiting));
        let serve_for = Duration::from_millis(shift.serve_ms);
        let desk = Desk::new(shift, sequences);
        let mut shop = Shop { holding: self, serving, desk, asked, replies, serve_for, ready_at: None };
        let mut reins = self.reins(process);
        let over = shop.keep(&mut reins, process).await;
        let ran_ms = shop.ready_at.map_or(0, |at| at.elapsed().as_millis() as u64);
        match over {
            Over::Revoked => {
                shop.drop_all();
                RunEnd::Cancelled
            }
            // What becomes of its outputs is known to the network, token by token.
            Over::Done => {
                shop.drop_all();
                RunEnd::Done { outputs: Vec::new(), ran_ms }
            }
            Over::Left(fault) => RunEnd::GivenBack(fault),
            Over::Ended => match self.unless_killed(process, shop.serving.outcome()).await {
                Err(Revoked) => RunEnd::Cancelled,
                Ok(Err(error)) => failed(error),
                Ok(Ok(())) => {
                    let sentence = "The program that served the model stopped without being asked to.";
                    RunEnd::DeviceFault(Fault::new("serving_stopped", sentence))
                }
            },
        }
    }
}

/// A model that is served to a network.
struct Shop<'a> {
    holding: &'a Holding,
    serving: Serving,
    desk: Desk,
    asked: mpsc::Receiver<Result<ShiftRequest, RequestsEnd>>,
    replies: mpsc::Sender<ShiftReply>,
    serve_for: Duration,
    /// When the model was loaded.
    ready_at: Option<Instant>,
}

impl Shop<'_> {
    /// Serves until something ends it.
    async fn keep(&mut self, reins: &mut Reins<'_>, process: &RuntimeProcess) -> Over {
        let mut show = interval(SHOW_INTERVAL);
        show.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut shown = None;
        if let Err(over) = self.reply(ShiftReply::Preparing { fraction: 0.0 }) {
            return over;
        }
        loop {
            // Nobody can wait for longer than a clock goes.
            let over_at = self.ready_at.and_then(|at| at.checked_add(self.serve_for));
            let over = async {
                match over_at {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let may_ask = self.replies.capacity() > REPLIES_ROOM_MIN;
            let stepped = tokio::select! {
                // What frees the device first; requests last, as whoever asks may ask without end.
                biased;
                pull = reins.pulled() => {
                    if pull == Pull::Kill {
                        process.kill().await;
                    }
                    Err(Over::Revoked)
                }
                () = over => Err(Over::Done),
                () = self.replies.closed() => Err(Over::Left(not_taken())),
                _ = show.tick() => {
                    self.show(&mut shown).await;
                    Ok(())
                }
                event = self.serving.event() => self.told(event),
                request = self.asked.recv(), if may_ask => self.asked(request),
            };
            if let Err(over) = stepped {
                return over;
            }
        }
    }

    fn told(&mut self, event: Option<ServingEvent>) -> Result<(), Over> {
        let event = event.ok_or(Over::Ended)?;
        if matches!(event, ServingEvent::Ready(_)) {
            self.ready_at = Some(Instant::now());
        }
        self.desk.told(event).map_or(Ok(()), |reply| self.reply(reply))
    }

    fn asked(&mut self, request: Option<Result<ShiftRequest, RequestsEnd>>) -> Result<(), Over> {
        let reaction = match request {
            Some(Ok(request)) => self.desk.asked(request),
            Some(Err(RequestsEnd::Finished)) => return Err(Over::Done),
            Some(Err(error @ RequestsEnd::Garbled(_))) => {
                return Err(Over::Left(Fault::new("shift_garbled", error.to_string())));
            }
            Some(Err(error @ RequestsEnd::Lost(_))) => {
                return Err(Over::Left(Fault::new("shift_lost", error.to_string())));
            }
            None => return Err(Over::Left(Fault::new("shift_lost", "the requests ended without an end"))),
        };
        match reaction.tell {
            Some(Tell::Ask(number, ask)) => self.serving.ask(number, *ask),
            Some(Tell::Drop(number)) => self.serving.drop_ask(number),
            None => {}
        }
        reaction.reply.map_or(Ok(()), |reply| self.reply(reply))
    }

    fn reply(&self, reply: ShiftReply) -> Result<(), Over> {
        self.replies.try_send(reply).map_err(|_| Over::Left(not_taken()))
    }

    /// Tells the network that nothing more is answered, if it still reads.
    fn drop_all(&mut self) {
        for reply in self.desk.drop_all() {
            // A network that reads nothing learns it from the end of the stream.
            let _ = self.replies.try_send(reply);
        }
    }

    async fn show(&mut self, shown: &mut Option<lull_worker_api::ShiftView>) {
        let Some(ready_at) = self.ready_at else { return };
        let lease = self.holding.lease.id;
        let context = &self.holding.context;
        let view = self.desk.view(Instant::now());
        if shown.as_ref() != Some(&view) {
            *shown = Some(view.clone());
            context.tell(Input::ShiftProgress { lease, shift: Box::new(view) }).await;
        }
        let fraction = ready_at.elapsed().as_secs_f32() / self.serve_for.as_secs_f32();
        context.tell(Input::RunProgress { lease, fraction }).await;
    }
}

/// How a shift is computed on a device. Looks at the file and at what of the machine is free.
fn fit(path: &Path, shift: &Shift, device: DeviceInfo) -> Result<Compute, RunEnd> {
    let local = |error: std::io::Error| RunEnd::LocalFault(Fault::new("model_unreadable", error.to_string()));
    let file = File::open(path).map_err(local)?;
    let model = lull_gguf::read(BufReader::new(file)).map_err(|error| match error {
        lull_gguf::GgufError::Io(error) => local(error),
        // It is the file that was asked for, by its hash.
        error => RunEnd::TaskFault(error.fault()),
    })?;
    let spare = Spare::look().map_err(RunEnd::LocalFault)?;
    let room = spare.room(&device);
    let Some(sequences) = fit::sequences(&model, shift, room) else {
        let mib = |bytes: u64| bytes / (1024 * 1024);
        let needed = mib(model.memory(shift.context_tokens.into(), 1).total_bytes());
        let sentence = format!(
            "{} takes {needed} MiB of memory, and this device has {} MiB and its machine {} MiB free for it.",
            shift.name,
            mib(room.device_bytes),
            mib(room.machine_bytes)
        );
        return Err(RunEnd::GivenBack(Fault::new("model_too_large", sentence)));
    };
    let threads = spare.threads(&device);
    Ok(Compute {
        device,
        context_tokens: shift.context_tokens,
        sequences,
        device_bytes_max: room.device_bytes,
        machine_bytes_max: room.machine_bytes,
        threads,
    })
}

/// Whose fault it is that a model is not served any more.
fn failed(error: RuntimeError) -> RunEnd {
    match error {
        RuntimeError::ServingFailed(fault) => match fault.code.as_str() {
            // The program lacks what it was installed for.
            "model_not_built" => RunEnd::LocalFault(fault),
            // It was found out later than it could have been, or llama.cpp knows better.
            "model_too_large" | "model_not_loaded" | "model_no_such_device" => RunEnd::GivenBack(fault),
            _ => RunEnd::DeviceFault(fault),
        },
        error => super::run::failed(error),
    }
}

fn not_taken() -> Fault {
    Fault::new("shift_not_taken", "The network takes no more answers, so the shift was broken off.")
}

/// Reads requests until the end, or until nobody wants them.
async fn hear(mut requests: ShiftRequests, asks: mpsc::Sender<Result<ShiftRequest, RequestsEnd>>) {
    loop {
        let request = tokio::select! {
            request = requests.next() => request,
            () = asks.closed() => return,
        };
        let is_last = request.is_err();
        if asks.send(request).await.is_err() || is_last {
            return;
        }
    }
}

/// Says replies until there are no more, or the network takes none.
async fn say(mut replies: ShiftReplies, mut waiting: mpsc::Receiver<ShiftReply>) {
    while let Some(reply) = waiting.recv().await {
        if replies.say(&reply).await.is_none() {
            return;
        }
    }
    replies.end().await;
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunEnd> + Send + 'static,
) -> Result<T, RunEnd> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(RunEnd::LocalFault(Fault::new("internal", error.to_string()))),
    }
}
