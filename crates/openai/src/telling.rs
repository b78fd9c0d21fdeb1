//! What a stream tells, decided purely: pieces of answers in, events out.

use serde::Serialize;

use crate::backend::Piece;
use crate::error::ApiError;
use crate::form::{Chunk, Envelope, Form, Lull, Total};

/// The last event of a stream that is complete.
const DONE: &str = "[DONE]";

/// What is heard of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Heard {
    /// A part of it.
    Piece(Piece),
    /// Nothing any more.
    End,
}

/// A response that is told while its answers are made.
#[derive(Debug)]
pub(crate) struct Telling<F> {
    form: F,
    envelope: Envelope,
    seed: i64,
    include_usage: bool,
    /// Whether each answer is complete.
    complete: Vec<bool>,
    total: Total,
    /// Whether nothing is told any more.
    over: bool,
}

impl<F: Form> Telling<F> {
    pub(crate) fn new(form: F, envelope: Envelope, answers: usize, seed: i64, include_usage: bool) -> Self {
        let complete = vec![false; answers];
        Self { form, envelope, seed, include_usage, complete, total: Total::default(), over: false }
    }

    /// Whether everything has been told.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Tokens of the answers that are complete.
    pub(crate) fn tokens(&self) -> u64 {
        self.total.tokens()
    }

    /// The data of the first events.
    pub(crate) fn open(&self) -> Vec<String> {
        let openings = (0..).zip(&self.complete).filter_map(|(index, _)| self.form.opening(index));
        openings.map(|delta| self.chunk(&[delta], None)).collect()
    }

    /// The data of the events by which something of an answer is told.
    pub(crate) fn handle(&mut self, index: u32, heard: Heard) -> Vec<String> {
        if self.over || self.complete.get(index as usize).is_none_or(|complete| *complete) {
            return Vec::new();
        }
        match heard {
            Heard::Piece(Piece::Text { text, tokens }) => {
                // Nothing is to be told while a character or a string to stop at is undecided.
                if text.is_empty() && tokens.is_empty() {
                    return Vec::new();
                }
                let delta = self.form.more(index, text, &tokens);
                vec![self.chunk(&[delta], None)]
            }
            Heard::Piece(Piece::Done(finished)) => {
                if let Err(error) = self.total.add(&finished) {
                    return self.fail(&error);
                }
                self.complete[index as usize] = true;
                self.over = self.complete.iter().all(|complete| *complete);
                let lull = self.over.then_some(Lull { price: self.total.price, seed: Some(self.seed) });
                let closing = self.form.closing(index, finished.finish);
                if !self.over {
                    return vec![self.chunk(&[closing], None)];
                }
                if !self.include_usage {
                    return vec![self.chunk(&[closing], lull), DONE.to_owned()];
                }
                let usage = Chunk::<F::Delta> {
                    envelope: &self.envelope,
                    choices: &[],
                    usage: Some(Some(self.total.usage())),
                    lull,
                };
                vec![self.chunk(&[closing], None), json(&usage), DONE.to_owned()]
            }
            Heard::Piece(Piece::Failed(fault)) => self.fail(&fault.into()),
            Heard::End => self.fail(&cut_short()),
        }
    }

    /// The error is the last that is told: clients raise it, and would take what follows for a complete answer.
    fn fail(&mut self, error: &ApiError) -> Vec<String> {
        self.over = true;
        let id = &self.envelope.id;
        tracing::warn!(id, code = %error.code, message = error.message, "a customer's stream failed");
        vec![error.json()]
    }

    fn chunk(&self, choices: &[F::Delta], lull: Option<Lull>) -> String {
        let usage = self.include_usage.then_some(None);
        json(&Chunk { envelope: &self.envelope, choices, usage, lull })
    }
}

/// What is told of answers that end without saying so.
pub(crate) fn cut_short() -> ApiError {
    ApiError::new("answer_cut_short", "the answer broke off without a reason; ask again")
}

fn json(value: &impl Serialize) -> String {
    // Writing such values into memory does not fail.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
#[path = "telling_tests.rs"]
mod tests;
