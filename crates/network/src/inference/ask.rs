//! What one customer asks, from its reservation to its last token, whoever serves it.

use std::sync::Arc;
use std::time::Duration;

use lull_infer::Text;
use lull_network_api::ShiftAnswer;
use lull_openai::backend::{ChosenToken, Finished, Piece, Usage};
use lull_runtime_api::Served as About;
use lull_types::infer::{Finish, Generate, Sampling, Token};
use lull_types::{CustomerId, Fault, JobId};
use tokio::sync::{mpsc, oneshot};

use super::Inference;
use super::floor::Seat;
use super::models::{ServedModel, prefix};
use super::shift::{ShiftAsk, ShiftCommand};
use crate::engine::{Answer, Input, Served};

/// How long somebody waits for a worker with room, at first and after one has vanished.
const SEAT_PATIENCE: Duration = Duration::from_secs(60);
/// Workers that one ask is given to. With a third of them vanishing each minute, eight in a row within one answer are not
/// seen.
const WORKERS_MAX: u32 = 8;
/// Pieces that whoever asked has not read. Then generating goes on, and what is told waits.
const PIECES_MAX: usize = 256;

/// What is to be generated.
#[derive(Debug)]
pub(super) struct Wanted {
    pub customer: CustomerId,
    pub prompt: Vec<Token>,
    pub sampling: Sampling,
    pub tokens_max: u32,
    pub stops: Vec<String>,
    pub log_probabilities: bool,
}

/// Reserves the money and begins. What comes of it is told on the channel, to a last `Done` or `Failed`; when that is closed
/// the ask ends.
pub(super) async fn begin(
    inference: Inference,
    model: Arc<ServedModel>,
    about: Arc<About>,
    wanted: Wanted,
) -> Result<mpsc::Receiver<Piece>, Fault> {
    let ask = reserve(&inference, &model, wanted.customer, wanted.prompt.len(), wanted.tokens_max).await?;
    let (pieces, told) = mpsc::channel(PIECES_MAX);
    let going = Going {
        text: Text::new(wanted.stops.clone()),
        inference,
        model,
        about,
        ask,
        generated: Vec::new(),
        charged_generated: 0,
        charged_prompt: false,
        kept_tokens: 0,
        wanted,
        pieces,
    };
    tokio::spawn(going.go());
    Ok(told)
}

/// Reserves the most that so many tokens cost.
pub(super) async fn reserve(
    inference: &Inference,
    model: &ServedModel,
    customer: CustomerId,
    prompt_tokens: usize,
    tokens_max: u32,
) -> Result<JobId, Fault> {
    let price_max = model.price(prompt_tokens as u64, u64::from(tokens_max));
    match inference.0.setup.inbox.ask(Input::BeginAsk { customer, price_max }).await? {
        Answer::AskBegun(ask) => Ok(ask),
        _ => Err(Fault::new("network_contradiction", "an ask was answered with something else")),
    }
}

/// An ask that goes on.
struct Going {
    inference: Inference,
    model: Arc<ServedModel>,
    about: Arc<About>,
    ask: JobId,
    wanted: Wanted,
    text: Text,
    generated: Vec<Token>,
    /// What was booked so far.
    charged_generated: u64,
    charged_prompt: bool,
    kept_tokens: u32,
    pieces: mpsc::Sender<Piece>,
}

/// How one worker's part ended.
enum Part {
    /// The text is whole.
    Whole(Finish),
    /// Whoever asked has gone.
    Unwanted,
    /// The worker vanished, or is of no use for this: another one goes on.
    Elsewhere(Fault),
    /// No worker can do it.
    Impossible(Fault),
}

impl Going {
    async fn go(mut self) {
        let outcome = self.generate().await;
        // Told after all is booked, so that an account shows what an answer has said.
        if let Err(fault) = self.inference.0.setup.inbox.ask(Input::EndAsk(self.ask)).await {
            tracing::warn!(code = fault.code, sentence = fault.sentence, "an ask could not be ended");
        }
        let last = match outcome {
            Ok(Some(finish)) => {
                let rest = self.text.finish();
                if finish != Finish::StopString && !rest.is_empty() {
                    let _ = self.pieces.send(Piece::Text { text: rest, tokens: Vec::new() }).await;
                }
                Piece::Done(Finished {
                    finish,
                    usage: Usage {
                        prompt_tokens: self.wanted.prompt.len() as u32,
                        cached_prompt_tokens: self.kept_tokens,
                        completion_tokens: self.generated.len() as u32,
                    },
                    price: self.model.price(self.wanted.prompt.len() as u64, self.generated.len() as u64),
                })
            }
            Ok(None) => return,
            Err(fault) => Piece::Failed(fault),
        };
        let _ = self.pieces.send(last).await;
    }

    /// `None` when nobody wants it any more.
    async fn generate(&mut self) -> Result<Option<Finish>, Fault> {
        let prefix = prefix(&self.wanted.prompt);
        let mut lately = None;
        for _ in 0..WORKERS_MAX {
            let seat = tokio::select! {
                seat = self.inference.seat(&self.model, prefix, SEAT_PATIENCE) => seat?,
                () = self.pieces.closed() => return Ok(None),
            };
            let before = self.generated.len();
            let part = self.ask_one(&seat).await;
            self.book(&seat, before).await;
            self.inference.leave(seat);
            match part {
                Part::Whole(finish) => return Ok(Some(finish)),
                Part::Unwanted => return Ok(None),
                Part::Impossible(fault) => return Err(fault),
                Part::Elsewhere(fault) => lately = Some(fault),
            }
        }
        let why = lately.map(|fault| fault.sentence).unwrap_or_default();
        Err(Fault::new(
            "worker_lost",
            format!("{WORKERS_MAX} workers in a row could not finish this. Ask again. The last: {why}"),
        ))
    }

    /// Has one worker go on with the text.
    async fn ask_one(&mut self, seat: &Seat) -> Part {
        let gone = || Part::Elsewhere(Fault::new("worker_lost", "the worker has gone"));
        let generate = Generate {
            tokens: self.wanted.prompt.iter().chain(&self.generated).copied().collect(),
            generated: self.generated.len() as u32,
            sampling: self.wanted.sampling,
            tokens_max: self.wanted.tokens_max,
            stops: self.wanted.stops.clone(),
            log_probabilities: self.wanted.log_probabilities,
        };
        let (answers, mut told) = mpsc::unbounded_channel();
        let (number, numbered) = oneshot::channel();
        if seat
            .commands
            .send(ShiftCommand::Ask { ask: ShiftAsk::Generate(generate), answers, number })
            .is_err()
        {
            return gone();
        }
        let Ok(number) = numbered.await else { return gone() };
        loop {
            let answer = tokio::select! {
                answer = told.recv() => answer,
                () = self.pieces.closed() => {
                    let _ = seat.commands.send(ShiftCommand::Drop(number));
                    return Part::Unwanted;
                }
            };
            match answer {
                None => return gone(),
                Some(ShiftAnswer::Reading { .. }) => {}
                Some(ShiftAnswer::Token { token, log_probability }) => {
                    match self.take(token, log_probability).await {
                        Taken::Goes => {}
                        Taken::Wrong => {
                            let _ = seat.commands.send(ShiftCommand::Drop(number));
                            return Part::Elsewhere(Fault::new(
                                "answer_malformed",
                                "the worker told a token that cannot be",
                            ));
                        }
                        Taken::Ends(finish) => {
                            // The worker finds the same end by itself; where it does not, it is told.
                            let _ = seat.commands.send(ShiftCommand::Drop(number));
                            self.note_kept(&mut told);
                            return Part::Whole(finish);
                        }
                    }
                }
                // The network finds every end itself: one that it does not find is made up.
                Some(ShiftAnswer::Finished { .. } | ShiftAnswer::Embedding(_)) => {
                    return Part::Elsewhere(Fault::new(
                        "answer_malformed",
                        "the worker ended a text that goes on",
                    ));
                }
                Some(ShiftAnswer::Dropped) => return gone(),
                Some(ShiftAnswer::Failed(fault)) if is_about_the_ask(&fault) => {
                    return Part::Impossible(fault);
                }
                Some(ShiftAnswer::Failed(fault)) => return Part::Elsewhere(fault),
            }
        }
    }

    /// What the worker kept of the prompt, if it has said so already.
    fn note_kept(&mut self, told: &mut mpsc::UnboundedReceiver<ShiftAnswer>) {
        while let Ok(answer) = told.try_recv() {
            if let ShiftAnswer::Finished { kept_tokens, .. } = answer {
                self.kept_tokens = kept_tokens.min(self.wanted.prompt.len() as u32);
            }
        }
    }

    async fn take(&mut self, token: Token, log_probability: Option<f32>) -> Taken {
        let is_end = self.about.ends.contains(&token);
        let Some(piece) = self.about.pieces.get(token as usize) else { return Taken::Wrong };
        if self.generated.len() >= self.wanted.tokens_max as usize {
            return Taken::Wrong;
        }
        self.generated.push(token);
        let piece = if is_end { &[][..] } else { piece };
        let written = self.text.push(piece);
        let tokens = match log_probability {
            Some(logprob) if self.wanted.log_probabilities => {
                vec![ChosenToken { bytes: piece.to_vec(), logprob }]
            }
            _ => Vec::new(),
        };
        if !written.text.is_empty() || !tokens.is_empty() {
            // Whoever has gone is noticed with the next look.
            let _ = self.pieces.send(Piece::Text { text: written.text, tokens }).await;
        }
        if is_end {
            Taken::Ends(Finish::EndOfText)
        } else if written.stopped {
            Taken::Ends(Finish::StopString)
        } else if self.generated.len() >= self.wanted.tokens_max as usize {
            Taken::Ends(Finish::Length)
        } else {
            Taken::Goes
        }
    }

    /// Books what a worker did, and has it checked if it is to be.
    async fn book(&mut self, seat: &Seat, before: usize) {
        let generated = self.generated.len() as u64;
        if self.generated.len() == before {
            return;
        }
        let prompt = self.wanted.prompt.len() as u64;
        let price = |prompt, generated| self.model.price(prompt, generated).0;
        let so_far = if self.charged_prompt { price(prompt, self.charged_generated) } else { 0 };
        let prompt_tokens = if self.charged_prompt { 0 } else { prompt as u32 };
        let served = Served {
            ask: self.ask,
            assignment: seat.shift,
            prompt_tokens,
            generated_tokens: (self.generated.len() - before) as u32,
            amount: lull_types::BaseUnits(price(prompt, generated).saturating_sub(so_far)),
        };
        (self.charged_prompt, self.charged_generated) = (true, generated);
        match self.inference.0.setup.inbox.ask(Input::Served(served)).await {
            Ok(Answer::Served { serving: Some(serving) }) => {
                let given = self.wanted.prompt.len() + before;
                let ask = lull_runtime_api::Ask::Check {
                    tokens: self.wanted.prompt.iter().chain(&self.generated).copied().collect(),
                    given_tokens: given as u32,
                    generated: before as u32,
                    sampling: self.wanted.sampling,
                };
                self.inference.check_text(self.model.clone(), serving, ask);
            }
            Ok(_) => {}
            Err(fault) => {
                tracing::warn!(code = fault.code, sentence = fault.sentence, "a serving was not booked")
            }
        }
    }
}

/// What a token does.
enum Taken {
    Goes,
    Ends(Finish),
    /// It is none, or one too many.
    Wrong,
}

/// Whether a fault is about what was asked, so that every worker would say the same.
pub(super) fn is_about_the_ask(fault: &Fault) -> bool {
    matches!(fault.code.as_str(), "context_too_long" | "ask_unusable" | "embedding_too_long")
}
