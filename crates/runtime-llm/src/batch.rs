//! What is computed next: texts of several customers side by side (continuous batching).
//!
//! In each slice every text that is being written goes on by one token, and prompts are read with what is left of the
//! slice's time. A text that comes begins in the sequence that holds the longest part of its prompt, and only the rest is
//! computed.

mod open;
mod slice;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use lull_runtime_api::{Answer, Ask};
use lull_types::Fault;
use lull_types::infer::Token;

use crate::model::{Entry, Model};
use open::Open;
use slice::Slice;

/// Tokens that are computed at once at most: llama.cpp's own bound, from which on more gain nothing.
pub const ENTRIES_MAX: usize = 512;
/// Of them those with scores, each as large as the vocabulary: 32 MiB for a quarter of a million tokens.
const SCORED_MAX: usize = 32;
/// Asks that wait for a sequence. A network sends a worker no more than it has sequences, but for those that cross.
const WAITING_MAX: usize = 64;

/// Texts that are written and read side by side.
#[derive(Debug)]
pub struct Batch {
    context_tokens: u32,
    sequences: Vec<Sequence>,
    waiting: VecDeque<(u64, Ask)>,
    slice: Slice,
    /// Counts up with each text that begins, so that the sequence is taken whose text is the oldest.
    begun: u64,
}

/// A sequence of the model, and the text that goes on in it.
#[derive(Debug, Default)]
struct Sequence {
    /// Tokens that the model holds of it.
    held: Vec<Token>,
    open: Option<Open>,
    begun: u64,
}

/// Where answers go, by the number of the ask.
pub trait Tell: FnMut(u64, Answer) {}
impl<F: FnMut(u64, Answer)> Tell for F {}

impl Batch {
    /// For a model that holds so many sequences of so many tokens.
    pub fn new(sequences: u32, context_tokens: u32) -> Self {
        Self {
            context_tokens,
            sequences: (0..sequences).map(|_| Sequence::default()).collect(),
            waiting: VecDeque::new(),
            slice: Slice::default(),
            begun: 0,
        }
    }

    /// Takes an ask.
    pub fn ask(&mut self, number: u64, ask: Ask, model: &mut impl Model, tell: &mut impl Tell) {
        if self.waiting.len() >= WAITING_MAX {
            tell(number, Answer::Failed(busy()));
            return;
        }
        match Open::check(&ask, self.context_tokens, model) {
            Ok(()) => self.waiting.push_back((number, ask)),
            Err(fault) => tell(number, Answer::Failed(fault)),
        }
    }

    /// Drops an ask. One that has ended is none.
    pub fn drop_ask(&mut self, number: u64, tell: &mut impl Tell) {
        let waited = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != number);
        let mut dropped = self.waiting.len() < waited;
        for sequence in &mut self.sequences {
            dropped |= sequence.open.take_if(|open| open.number == number).is_some();
        }
        if dropped {
            tell(number, Answer::Dropped);
        }
    }

    /// Drops all of them.
    pub fn drop_all(&mut self, tell: &mut impl Tell) {
        let waiting = self.waiting.drain(..).map(|(number, _)| number);
        let open = self.sequences.iter_mut().filter_map(|sequence| sequence.open.take());
        waiting.chain(open.map(|open| open.number)).for_each(|number| tell(number, Answer::Dropped));
    }

    /// Whether there is nothing to compute.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sequences.iter().all(|sequence| sequence.open.is_none())
    }

    /// Computes one slice, and tells how long it took.
    ///
    /// # Errors
    /// When the model failed; every ask has been told.
    pub fn step(&mut self, model: &mut impl Model, tell: &mut impl Tell) -> Result<Duration, Fault> {
        let began = Instant::now();
        self.begin_waiting(model, tell);
        let (entries, parts) = self.plan();
        if entries.is_empty() {
            return Ok(began.elapsed());
        }
        if let Err(error) = model.compute(&entries) {
            let fault = Fault::from(error);
            let open = self.sequences.iter_mut().filter_map(|sequence| sequence.open.take());
            let numbers =
                open.map(|open| open.number).chain(self.waiting.drain(..).map(|(number, _)| number));
            numbers.for_each(|number| tell(number, Answer::Failed(fault.clone())));
            return Err(fault);
        }
        for part in &parts {
            self.go_on(part, &entries, model, tell);
        }
        let read = entries.len() - parts.iter().filter(|part| part.writes).count();
        let took = began.elapsed();
        self.slice.took(read, took);
        Ok(took)
    }

    /// Puts texts that wait into sequences that are free.
    fn begin_waiting(&mut self, model: &mut impl Model, tell: &mut impl Tell) {
        while let Some((_, ask)) = self.waiting.front() {
            // Embeddings are computed apart from all sequences.
            if let Ask::Embed { tokens } = ask {
                let answer = match model.embed(tokens) {
                    Ok(numbers) => Answer::Embedding(numbers),
                    Err(error) => Answer::Failed(error.into()),
                };
                if let Some((number, _)) = self.waiting.pop_front() {
                    tell(number, answer);
                }
                continue;
            }
            let tokens = Open::tokens_of(ask);
            let kept = |sequence: &Sequence| {
                let same = sequence.held.iter().zip(tokens).take_while(|(held, token)| held == token).count();
                // The last one is computed again, for its scores.
                same.min(Open::keepable(ask))
            };
            let free = (0..self.sequences.len()).filter(|at| self.sequences[*at].open.is_none());
            let best = free.max_by_key(|at| {
                let sequence = &self.sequences[*at];
                (kept(sequence), std::cmp::Reverse(sequence.begun))
            });
            let Some(at) = best else { return };
            let kept = kept(&self.sequences[at]);
            let kept = if model.keep(at as u32, kept as u32) { kept } else { 0 };
            let Some((number, ask)) = self.waiting.pop_front() else { return };
            self.begun += 1;
            let sequence = &mut self.sequences[at];
            sequence.begun = self.begun;
            sequence.held.truncate(kept);
            match Open::begin(number, ask, kept as u32, self.context_tokens, model) {
                Ok(open) => sequence.open = Some(open),
                Err(answer) => tell(number, answer),
            }
        }
    }

    /// What the next slice computes: first a token of each text that is written, then prompts.
    fn plan(&self) -> (Vec<Entry>, Vec<Part>) {
        let mut entries = Vec::new();
        let mut parts = Vec::new();
        let mut scored = 0;
        let mut add = |at: usize, left: &mut usize| {
            let sequence = &self.sequences[at];
            let Some(open) = &sequence.open else { return };
            let from = sequence.held.len();
            let first = entries.len();
            for (place, token) in open.tokens.iter().enumerate().skip(from) {
                let scores = open.wants_scores(place);
                if *left == 0 || (scores && scored == SCORED_MAX.max(self.sequences.len())) {
                    break;
                }
                *left -= 1;
                scored += usize::from(scores);
                entries.push(Entry { token: *token, sequence: at as u32, place: place as u32, scores });
            }
            if entries.len() > first {
                parts.push(Part { sequence: at, entries: first..entries.len(), writes: open.writes(from) });
            }
        };
        let writes = |at: &usize| {
            let sequence = &self.sequences[*at];
            sequence.open.as_ref().is_some_and(|open| open.writes(sequence.held.len()))
        };
        let (writing, mut reading): (Vec<usize>, Vec<usize>) =
            (0..self.sequences.len()).filter(|at| self.sequences[*at].open.is_some()).partition(writes);
        let mut room = ENTRIES_MAX;
        writing.into_iter().for_each(|at| add(at, &mut room));
        let mut room = room.min(self.slice.tokens());
        // Who came first is read first: all side by side would have all wait for the last.
        reading.sort_by_key(|at| self.sequences[*at].begun);
        reading.into_iter().for_each(|at| add(at, &mut room));
        (entries, parts)
    }

    /// Takes in what was computed of a sequence.
    fn go_on(&mut self, part: &Part, entries: &[Entry], model: &impl Model, tell: &mut impl Tell) {
        let sequence = &mut self.sequences[part.sequence];
        let Some(open) = &mut sequence.open else { return };
        sequence.held.extend(entries[part.entries.clone()].iter().map(|entry| entry.token));
        for at in part.entries.clone().filter(|at| entries[*at].scores) {
            open.take_scores(entries[at].place as usize, model.scores(at), model, tell);
        }
        if !part.writes && !open.is_over {
            tell(open.number, Answer::Reading { tokens: sequence.held.len() as u32 });
        }
        if open.is_over {
            sequence.open = None;
        }
    }
}

/// The entries of one sequence in a slice.
#[derive(Debug)]
struct Part {
    sequence: usize,
    entries: std::ops::Range<usize>,
    /// Whether it is one token of a text that is written.
    writes: bool,
}

fn busy() -> Fault {
    Fault::new("model_busy", "This model has more to do than it can take on. Ask again in a moment.")
}

#[cfg(test)]
mod tests;
