//! A backend without workers, for tests of this API and of programs that speak it.
//!
//! Its models go on with a prompt by repeating its last text: each word, with the space after it, is a token. What an
//! answer comes to is settled by the ask alone.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use futures_util::stream::{iter, pending};
use lull_types::infer::Finish;
use lull_types::{BaseUnits, CustomerId, Fault, UnixMillis};
use tokio::sync::watch;

use crate::backend::{
    Allowance, Ask, Backend, ChosenToken, Customer, Embeddings, Finished, ModelCard, Passage, Piece, Pieces,
    Prompt, Usage,
};

/// The key of a customer who may ask for as much as it likes.
pub const KEY: &str = "lull_fake";
/// The key of a customer who may ask sixty times a minute, for 6,000 tokens.
pub const KEY_OF_FEW_REQUESTS: &str = "lull_fake_slow";
/// The key of a customer whose deposit is used up.
pub const KEY_WITHOUT_MONEY: &str = "lull_fake_poor";

/// Repeats the prompt.
pub const MODEL: &str = "fake/repeats";
/// Gives the first token and then nothing, until nobody waits any more.
pub const MODEL_THAT_STALLS: &str = "fake/stalls";
/// Gives the first token and fails.
pub const MODEL_THAT_BREAKS: &str = "fake/breaks";
/// Takes no ask, as all workers are busy.
pub const MODEL_THAT_IS_BUSY: &str = "fake/busy";
/// Makes embeddings.
pub const MODEL_THAT_EMBEDS: &str = "fake/embeds";

/// Numbers of a vector.
pub const DIMENSIONS: u32 = 8;
/// Tokens of prompt and answer.
pub const CONTEXT_TOKENS: u32 = 4096;

/// Asks as they come and go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Streams {
    opened: usize,
    closed: usize,
}

/// The backend.
#[derive(Debug)]
pub struct FakeBackend {
    models: Arc<[ModelCard]>,
    asks: Mutex<Vec<Ask>>,
    streams: Arc<watch::Sender<Streams>>,
}

impl Default for FakeBackend {
    fn default() -> Self {
        let model = |id: &str| ModelCard {
            id: id.to_owned(),
            created_unix_s: 1_700_000_000,
            owned_by: "fake network".to_owned(),
            fingerprint: "fp_fake".to_owned(),
            context_tokens: CONTEXT_TOKENS,
            price_per_1000_prompt_tokens: BaseUnits(1_000),
            price_per_1000_completion_tokens: BaseUnits(2_000),
            licence: "Apache-2.0".to_owned(),
            generates: id != MODEL_THAT_EMBEDS,
            embedding_dimensions: (id == MODEL_THAT_EMBEDS).then_some(DIMENSIONS),
        };
        let ids = [MODEL, MODEL_THAT_STALLS, MODEL_THAT_BREAKS, MODEL_THAT_IS_BUSY, MODEL_THAT_EMBEDS];
        let streams = Arc::new(watch::Sender::new(Streams::default()));
        Self { models: ids.into_iter().map(model).collect(), asks: Mutex::default(), streams }
    }
}

impl FakeBackend {
    /// Every ask so far, in the order in which they came.
    pub fn asks(&self) -> Vec<Ask> {
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers that have been started.
    pub fn opened(&self) -> usize {
        self.streams.borrow().opened
    }

    /// Waits until no answer is wanted any more that has been started.
    pub async fn until_closed(&self) {
        let mut streams = self.streams.subscribe();
        // The sender is this backend's own, and so still there.
        let _ = streams.wait_for(|streams| streams.opened == streams.closed).await;
    }
}

impl Backend for FakeBackend {
    async fn authenticate(&self, key: &str) -> Result<Customer, Fault> {
        let (number, requests, tokens) = match key {
            KEY => (1, u32::MAX, u32::MAX),
            KEY_OF_FEW_REQUESTS => (2, 60, 6_000),
            KEY_WITHOUT_MONEY => (3, u32::MAX, u32::MAX),
            _ => return Err(Fault::new("key_unknown", "no customer has this API key")),
        };
        let at_least_one = |count: u32| NonZeroU32::MIN.saturating_add(count.saturating_sub(1));
        Ok(Customer {
            id: CustomerId::from_parts(UnixMillis(0), &[number; 10]),
            allowance: Allowance {
                requests_per_minute: at_least_one(requests),
                tokens_per_minute: at_least_one(tokens),
            },
        })
    }

    async fn models(&self) -> Result<Arc<[ModelCard]>, Fault> {
        Ok(self.models.clone())
    }

    async fn generate(&self, customer: &Customer, ask: Ask) -> Result<Pieces, Fault> {
        if self.authenticate(KEY_WITHOUT_MONEY).await.is_ok_and(|poor| poor.id == customer.id) {
            return Err(Fault::new("deposit_too_small", "the deposit is used up; pay something in"));
        }
        if ask.model == MODEL_THAT_IS_BUSY {
            return Err(Fault::new("workers_busy", "all workers are busy; try again later"));
        }
        let pieces = pieces(&ask);
        let stalls = ask.model == MODEL_THAT_STALLS;
        self.asks.lock().unwrap_or_else(PoisonError::into_inner).push(ask);
        self.streams.send_modify(|streams| streams.opened += 1);
        let open = Open(self.streams.clone());
        let pieces = if stalls { iter(pieces).chain(pending()).boxed() } else { iter(pieces).boxed() };
        Ok(pieces
            .map(move |piece| {
                // The closure, and so the stream, holds it.
                let _ = &open;
                piece
            })
            .boxed())
    }

    async fn embed(&self, _: &Customer, _: &str, passages: Vec<Passage>) -> Result<Embeddings, Fault> {
        let texts: Vec<String> = passages.iter().map(text_of).collect();
        let prompt_tokens = texts.iter().map(|text| words(text)).sum();
        let vectors = texts.iter().map(|text| vector(text)).collect();
        Ok(Embeddings { vectors, prompt_tokens, price: BaseUnits(u64::from(prompt_tokens)) })
    }
}

/// An answer that somebody waits for.
struct Open(Arc<watch::Sender<Streams>>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.send_modify(|streams| streams.closed += 1);
    }
}

/// Everything that comes of an ask.
fn pieces(ask: &Ask) -> Vec<Piece> {
    let (prompt_tokens, last) = match &*ask.prompt {
        Prompt::Chat(messages) => (
            messages.iter().map(|message| words(&message.text)).sum(),
            messages.last().map(|message| message.text.clone()).unwrap_or_default(),
        ),
        Prompt::Plain(passage) => (words(&text_of(passage)), text_of(passage)),
    };
    let mut finish = Finish::EndOfText;
    let all = last.split_inclusive(' ').count();
    let most = ask.tokens_max.map_or(all, |max| max as usize);
    let mut text: String = last.split_inclusive(' ').take(most).collect();
    if most < all {
        finish = Finish::Length;
    }
    if let Some(at) = ask.stop.iter().filter_map(|stop| text.find(stop.as_str())).min() {
        text.truncate(at);
        finish = Finish::StopString;
    }
    let mut pieces: Vec<Piece> =
        text.split_inclusive(' ').enumerate().map(|(at, word)| piece(ask, at, word)).collect();
    let completion_tokens = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    match ask.model.as_str() {
        MODEL_THAT_STALLS => pieces.truncate(1),
        MODEL_THAT_BREAKS => {
            pieces.truncate(1);
            pieces.push(Piece::Failed(Fault::new(
                "worker_lost",
                "the worker is gone, and no other can take over",
            )));
        }
        _ => pieces.push(Piece::Done(Finished {
            finish,
            usage: Usage { prompt_tokens, cached_prompt_tokens: prompt_tokens / 2, completion_tokens },
            price: BaseUnits(u64::from(prompt_tokens) + 2 * u64::from(completion_tokens)),
        })),
    }
    pieces
}

fn piece(ask: &Ask, at: usize, word: &str) -> Piece {
    let token = ChosenToken { bytes: word.as_bytes().to_vec(), logprob: -0.5 * (at + 1) as f32 };
    Piece::Text { text: word.to_owned(), tokens: if ask.logprobs { vec![token] } else { Vec::new() } }
}

fn words(text: &str) -> u32 {
    u32::try_from(text.split_whitespace().count()).unwrap_or(u32::MAX)
}

/// A passage as text; tokens are written as their numbers.
fn text_of(passage: &Passage) -> String {
    match passage {
        Passage::Text(text) => text.clone(),
        Passage::Tokens(tokens) => {
            let words: Vec<String> = tokens.iter().map(u32::to_string).collect();
            words.join(" ")
        }
    }
}

/// Numbers that the text settles: how many of its bytes leave which remainder.
fn vector(text: &str) -> Vec<f32> {
    let mut counts = [0.0; DIMENSIONS as usize];
    for byte in text.bytes() {
        counts[byte as usize % counts.len()] += 1.0;
    }
    counts.to_vec()
}
