//! The protocol loop: requests in, events out.
//!
//! Three threads: one reads requests, one computes, and the loop between them stays free, so that it can refuse, cancel and
//! end the process.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use lull_runtime_api::program::{Controls, Outbox, read_requests};
use lull_runtime_api::{Ask, FrameError, PROTOCOL_VERSION, Request, RuntimeEvent, RuntimeInfo, Serve};
use lull_types::{Coded, Fault, JOB_KIND_INFER, SandboxPart};

/// What the process is told before it serves.
#[derive(Clone, Debug)]
pub struct Options {
    /// The model's file, which it was left the right to read.
    pub model: PathBuf,
    /// How the process is locked down.
    pub sandbox: Vec<SandboxPart>,
}

/// Why serving ended. The process ends with it, at once.
#[derive(Debug)]
pub enum Ended {
    /// The worker asked for it or went away.
    Asked,
    /// The model or the device can no longer be trusted.
    Device,
    /// The worker does not speak this protocol, or cannot be reached.
    Frames(FrameError),
}

enum Inbound {
    Request(Result<Request, FrameError>),
    /// The model is no longer served.
    Served(Result<(), Fault>),
}

/// What the thread that computes is told, in order. A cancel is also told by the controls, so that it is heard at once.
#[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "nothing is computed then"))]
enum Told {
    Serve(Box<Serve>),
    Ask(u64, Box<Ask>),
    Drop(u64),
    Cancel,
}

/// Serves until the worker is gone, asks to end, or the device has to be given up.
pub fn serve(input: impl Read + Send + 'static, outbox: &Outbox, options: &Options) -> Ended {
    let (inbound, messages) = channel();
    let reader = inbound.clone();
    thread::spawn(move || read_requests(input, &reader, Inbound::Request));
    let (told, inbox) = channel();
    let controls = Arc::new(Controls::default());
    let desk = Desk { outbox: outbox.clone(), controls: controls.clone(), inbox };
    let path = options.model.clone();
    let spawned = thread::Builder::new().name("compute".to_owned()).spawn(move || desk.work(&path, &inbound));
    if let Err(error) = spawned {
        return Ended::Frames(error.into());
    }
    let mut server = Server { outbox, options, told, controls, greeted: false, is_serving: false };
    server.serve(&messages).unwrap_or_else(Ended::Frames)
}

struct Server<'a> {
    outbox: &'a Outbox,
    options: &'a Options,
    told: Sender<Told>,
    controls: Arc<Controls>,
    greeted: bool,
    is_serving: bool,
}

impl Server<'_> {
    fn serve(&mut self, messages: &Receiver<Inbound>) -> Result<Ended, FrameError> {
        while let Ok(message) = messages.recv() {
            match message {
                Inbound::Request(Err(FrameError::Closed) | Ok(Request::Shutdown)) => return Ok(Ended::Asked),
                Inbound::Request(Err(error)) => {
                    self.refuse(error.fault())?;
                    return Err(error);
                }
                Inbound::Served(result) => {
                    self.is_serving = false;
                    self.outbox.set_failure(None);
                    let is_broken = result.is_err();
                    self.outbox.send(&RuntimeEvent::ServingEnded(result))?;
                    if is_broken {
                        return Ok(Ended::Device);
                    }
                }
                Inbound::Request(Ok(Request::Hello { protocol })) => self.greet(protocol)?,
                Inbound::Request(Ok(_)) if !self.greeted => {
                    self.refuse(Fault::new("hello_missing", "The first message has to be a greeting."))?;
                }
                Inbound::Request(Ok(Request::Serve(_))) if self.is_serving => {
                    self.refuse(Fault::new("busy", "The runtime serves its model already."))?;
                }
                Inbound::Request(Ok(Request::Serve(serve))) => {
                    // A cancel that came after its work had ended is not meant for this one.
                    self.controls.set_cancelled(false);
                    self.is_serving = true;
                    self.outbox.set_failure(Some(|fault| RuntimeEvent::ServingEnded(Err(fault))));
                    self.tell(Told::Serve(serve))?;
                }
                Inbound::Request(Ok(Request::Ask { number, ask })) if self.is_serving => {
                    self.tell(Told::Ask(number, ask))?;
                }
                // What it is about has ended, and was told so.
                Inbound::Request(Ok(Request::Ask { .. } | Request::Drop { .. })) if !self.is_serving => {}
                Inbound::Request(Ok(Request::Drop { number })) => self.tell(Told::Drop(number))?,
                Inbound::Request(Ok(Request::Cancel)) => {
                    if self.is_serving {
                        self.controls.set_cancelled(true);
                        self.tell(Told::Cancel)?;
                    }
                }
                Inbound::Request(Ok(Request::Pace { percent })) => self.controls.set_pace(percent),
                Inbound::Request(Ok(
                    Request::Enumerate
                    | Request::Benchmark { .. }
                    | Request::Run { .. }
                    | Request::Challenge(_)
                    | Request::Ask { .. },
                )) => {
                    self.refuse(Fault::new(
                        "kind_unsupported",
                        "This runtime serves models and does nothing else.",
                    ))?;
                }
            }
        }
        Ok(Ended::Asked)
    }

    fn greet(&mut self, protocol: u16) -> Result<(), FrameError> {
        self.greeted = protocol == PROTOCOL_VERSION;
        if !self.greeted {
            let sentence = format!(
                "The worker speaks version {protocol} and this runtime version {PROTOCOL_VERSION}; \
                 both have to come from the same release."
            );
            return self.refuse(Fault::new("protocol_mismatch", sentence));
        }
        self.outbox.send(&RuntimeEvent::Hello(RuntimeInfo {
            protocol: PROTOCOL_VERSION,
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            kinds: vec![JOB_KIND_INFER.to_owned()],
            sandbox: self.options.sandbox.clone(),
        }))
    }

    fn tell(&self, told: Told) -> Result<(), FrameError> {
        self.told.send(told).map_err(|_| std::io::Error::other("the thread that computes has ended").into())
    }

    fn refuse(&self, fault: Fault) -> Result<(), FrameError> {
        self.outbox.send(&RuntimeEvent::Refused(fault))
    }
}

/// The side of the thread that computes.
#[cfg_attr(not(feature = "llama"), allow(dead_code, reason = "nothing is computed then"))]
struct Desk {
    outbox: Outbox,
    controls: Arc<Controls>,
    inbox: Receiver<Told>,
}

impl Desk {
    fn work(&self, path: &Path, inbound: &Sender<Inbound>) {
        while let Ok(told) = self.inbox.recv() {
            // All else is about a model that is no longer served.
            let Told::Serve(serve) = told else { continue };
            let result = self.serve_one(path, *serve);
            if inbound.send(Inbound::Served(result)).is_err() {
                return;
            }
        }
    }

    #[cfg(feature = "llama")]
    fn tell(&self, event: lull_runtime_api::ServingEvent) {
        // A worker that is gone is noticed by the reader.
        let _ = self.outbox.send(&RuntimeEvent::Serving(event));
    }

    #[cfg(feature = "llama")]
    fn answer(&self, number: u64, answer: lull_runtime_api::Answer) {
        self.tell(lull_runtime_api::ServingEvent::Answer { number, answer });
    }

    #[cfg(not(feature = "llama"))]
    fn serve_one(&self, _path: &Path, _serve: Serve) -> Result<(), Fault> {
        Err(crate::model::ModelError::NotBuilt.fault())
    }
}

#[cfg(feature = "llama")]
mod computing {
    use std::ops::ControlFlow;

    use lull_runtime_api::{Answer, Compute, Purpose, Served, ServingEvent};

    use super::*;
    use crate::batch::Batch;
    use crate::chat::{ChatError, ChatTemplate};
    use crate::llama::{Llama, Loaded};
    use crate::model::{Model, ModelError, Vocabulary};

    impl Desk {
        pub(super) fn serve_one(&self, path: &Path, serve: Serve) -> Result<(), Fault> {
            let llama = Llama::new()?;
            let header = header(path)?;
            match serve.purpose {
                Purpose::Vocabulary => {
                    let loaded = llama.load_vocabulary(path)?;
                    let chat = loaded.chat_template(serve.chat_template);
                    let pieces = (0..loaded.tokens()).map(|token| loaded.piece(token)).collect();
                    let served = Served { pieces, chats: chat.is_ok(), ..about(&loaded, &header) };
                    self.tell(ServingEvent::Ready(Box::new(served)));
                    self.read(&loaded, &chat);
                }
                Purpose::Compute(compute) => {
                    let (device_layers, device_bytes) = place(&header, &compute)?;
                    let outbox = self.outbox.clone();
                    let controls = self.controls.clone();
                    let mut told = 0.0;
                    let goes_on = move |fraction: f32| {
                        if fraction >= told + 0.01 {
                            told = fraction;
                            let event = ServingEvent::Loading { fraction: fraction.clamp(0.0, 1.0) };
                            let _ = outbox.send(&RuntimeEvent::Serving(event));
                        }
                        !controls.is_cancelled()
                    };
                    let loaded = match llama.load_model(path, &compute.device, device_layers, goes_on) {
                        Err(_) if self.controls.is_cancelled() => return Ok(()),
                        loaded => loaded?,
                    };
                    let mut model = loaded.computing(&llama, &compute)?;
                    let served = Served { device_layers, device_bytes, ..about(&loaded, &header) };
                    self.tell(ServingEvent::Ready(Box::new(served)));
                    let mut batch = Batch::new(compute.sequences, compute.context_tokens);
                    self.compute(&mut model, &mut batch)?;
                }
            }
            Ok(())
        }

        /// Turns texts into tokens until a cancel.
        fn read(&self, loaded: &Loaded, chat: &Result<ChatTemplate, ChatError>) {
            while let Ok(told) = self.inbox.recv() {
                match told {
                    Told::Cancel => return,
                    // Answers are given at once.
                    Told::Drop(_) | Told::Serve(_) => {}
                    Told::Ask(number, ask) => {
                        let answer = match (*ask, chat) {
                            (Ask::Tokenize { text }, _) => {
                                Answer::Tokens(loaded.tokenize(&text, false, true))
                            }
                            (Ask::Chat { messages }, Ok(template)) => {
                                match template.tokens(&messages, loaded) {
                                    Ok(tokens) => Answer::Tokens(tokens),
                                    Err(error) => Answer::Failed(error.fault()),
                                }
                            }
                            (Ask::Chat { .. }, Err(error)) => Answer::Failed(error.fault()),
                            _ => Answer::Failed(Fault::new("ask_unusable", "Only a vocabulary is loaded.")),
                        };
                        self.answer(number, answer);
                    }
                }
            }
        }

        /// Computes until a cancel.
        fn compute(&self, model: &mut impl Model, batch: &mut Batch) -> Result<(), Fault> {
            let mut tell = |number, answer| self.answer(number, answer);
            loop {
                if self.hear(model, batch).is_break() {
                    batch.drop_all(&mut tell);
                    return Ok(());
                }
                let took = batch.step(model, &mut tell)?;
                self.controls.rest_after(took);
            }
        }

        /// Hears what is asked; waits for it while there is nothing to do.
        fn hear(&self, model: &mut impl Model, batch: &mut Batch) -> ControlFlow<()> {
            let mut tell = |number, answer| self.answer(number, answer);
            loop {
                if self.controls.is_cancelled() {
                    return ControlFlow::Break(());
                }
                let told = if batch.is_idle() {
                    // The other side is gone, and the process is about to end.
                    let Ok(told) = self.inbox.recv() else { return ControlFlow::Break(()) };
                    told
                } else {
                    let Ok(told) = self.inbox.try_recv() else { return ControlFlow::Continue(()) };
                    told
                };
                match told {
                    Told::Cancel => return ControlFlow::Break(()),
                    Told::Serve(_) => {}
                    Told::Ask(number, ask) => batch.ask(number, *ask, model, &mut tell),
                    Told::Drop(number) => batch.drop_ask(number, &mut tell),
                }
            }
        }
    }

    fn about(loaded: &Loaded, header: &lull_gguf::Model) -> Served {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        Served {
            vocabulary_tokens: loaded.tokens(),
            pieces: Vec::new(),
            ends: loaded.ends(),
            chats: false,
            context_tokens_trained: number(header.context_tokens),
            embedding_numbers: number(header.embedding),
            device_layers: 0,
            device_bytes: 0,
        }
    }

    /// What a file says of itself. A vocabulary that llama.cpp loads alone does not say it.
    fn header(path: &Path) -> Result<lull_gguf::Model, Fault> {
        let file = std::fs::File::open(path).map_err(|error| ModelError::NotLoaded(error.to_string()))?;
        lull_gguf::read(std::io::BufReader::new(file)).map_err(|error| error.fault())
    }

    /// How many layers fit the device, and what they take, by the file's own header.
    fn place(header: &lull_gguf::Model, compute: &Compute) -> Result<(u32, u64), Fault> {
        let (tokens, sequences) = (u64::from(compute.context_tokens), u64::from(compute.sequences));
        let room = lull_gguf::Room {
            device_bytes: compute.device_bytes_max,
            machine_bytes: compute.machine_bytes_max,
        };
        let placed = header.place(tokens, sequences, room).ok_or_else(|| {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            let allowed_mib = mib(room.device_bytes.saturating_add(room.machine_bytes));
            ModelError::TooLarge {
                needed_mib: mib(header.memory(tokens, sequences).total_bytes()),
                allowed_mib,
            }
        })?;
        Ok((placed.device_layers, placed.device_bytes))
    }
}
