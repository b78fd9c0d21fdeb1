//! What the API needs of the network behind it, and the nouns that pass between them.

use std::num::NonZeroU32;
use std::sync::Arc;

use futures_util::stream::BoxStream;
use lull_types::infer::{Finish, Sampling, Token};
use lull_types::{BaseUnits, CustomerId, Fault};

/// What answers customers: the network, or [`crate::fake::FakeBackend`].
///
/// A fault's code decides the HTTP status and OpenAI's name for the error; [`crate::FAULTS`] has the codes that are
/// known here. One that is not among them is told as an error of the server.
pub trait Backend: Send + Sync + 'static {
    /// Who holds this key. `key_unknown` when nobody does.
    fn authenticate(&self, key: &str) -> impl Future<Output = Result<Customer, Fault>> + Send;

    /// The models that are served now, in the order in which they are to be listed.
    fn models(&self) -> impl Future<Output = Result<Arc<[ModelCard]>, Fault>> + Send;

    /// Starts to answer an ask.
    ///
    /// An error here becomes an HTTP status, which clients know how to treat, whereas [`Piece::Failed`] may come
    /// when the status has been sent already. So this resolves when it is decided whether the ask is taken (money
    /// reserved, prompt within the context, a worker there), and soon: until then not even headers are sent.
    ///
    /// Dropping the stream cancels the ask, whose customer is then gone or no longer interested.
    fn generate(&self, customer: &Customer, ask: Ask) -> impl Future<Output = Result<Pieces, Fault>> + Send;

    /// A vector for each passage, in their order. Dropping the future cancels it.
    fn embed(
        &self,
        customer: &Customer,
        model: &str,
        passages: Vec<Passage>,
    ) -> impl Future<Output = Result<Embeddings, Fault>> + Send;
}

/// What comes of an ask: any number of [`Piece::Text`], then one [`Piece::Done`] or [`Piece::Failed`].
/// It is polled no faster than the client reads.
pub type Pieces = BoxStream<'static, Piece>;

/// Who asks, and how much at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Their id.
    pub id: CustomerId,
    /// How much they may ask for.
    pub allowance: Allowance,
}

/// How much a customer may ask for within a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Requests that ask something of a model.
    pub requests_per_minute: NonZeroU32,
    /// Tokens of prompts and answers together.
    pub tokens_per_minute: NonZeroU32,
}

/// What customers are told of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCard {
    /// Its name in requests; may have slashes.
    pub id: String,
    /// Since when it is served, in seconds since the Unix epoch.
    pub created_unix_s: u64,
    /// The network that serves it.
    pub owned_by: String,
    /// Changes when the same seed may give another answer, as with other weights; OpenAI's `system_fingerprint`.
    pub fingerprint: String,
    /// Tokens of prompt and answer together, at most.
    pub context_tokens: u32,
    /// Price of prompts.
    pub price_per_1000_prompt_tokens: BaseUnits,
    /// Price of answers.
    pub price_per_1000_completion_tokens: BaseUnits,
    /// Its licence, as an SPDX expression where there is one.
    pub licence: String,
    /// Whether it goes on with prompts.
    pub generates: bool,
    /// Numbers in each vector, if it embeds.
    pub embedding_dimensions: Option<u32>,
}

/// One answer that is asked for. A request for several is several asks.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// One of [`Backend::models`] that generates.
    pub model: String,
    /// What it goes on with; never empty. Shared, as a request for several answers has it several times.
    pub prompt: Arc<Prompt>,
    /// How tokens are chosen; always usable.
    pub sampling: Sampling,
    /// Tokens of the answer at most, from 1 to the model's context; none is as many as fit the context.
    pub tokens_max: Option<u32>,
    /// The answer ends before the first of these; none is empty.
    pub stop: Vec<String>,
    /// Whether [`Piece::Text`] is to have its tokens.
    pub logprobs: bool,
}

/// What a model goes on with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A conversation, to be laid out by the model's own template.
    Chat(Vec<ChatMessage>),
    /// A text as it is.
    Plain(Passage),
}

/// A text, or the tokens of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passage {
    /// To be made tokens of.
    Text(String),
    /// Not known to be in the model's vocabulary.
    Tokens(Vec<Token>),
}

/// What one side of a conversation said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who.
    pub role: Role,
    /// What.
    pub text: String,
}

/// Sides of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Whoever built the program that asks.
    System,
    /// Whoever uses it.
    User,
    /// The model.
    Assistant,
}

impl Role {
    /// As it is written in requests and templates.
    pub fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// More text: whole characters, and nothing of a string to stop at.
    Text {
        /// The text; may be empty while a character or a string to stop at is not decided yet.
        text: String,
        /// The tokens that were chosen, where they are asked for. They need not end where the text does.
        tokens: Vec<ChosenToken>,
    },
    /// The answer is complete.
    Done(Finished),
    /// The answer broke off.
    Failed(Fault),
}

/// A token of an answer, and how likely it was.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenToken {
    /// Its bytes, which may be a part of a character.
    pub bytes: Vec<u8>,
    /// Natural logarithm of its share before sampling; finite.
    pub logprob: f32,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finished {
    /// Why there is no more.
    pub finish: Finish,
    /// What it took.
    pub usage: Usage,
    /// What it costs.
    pub price: BaseUnits,
}

/// Tokens of an ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Of the prompt, with the template's.
    pub prompt_tokens: u32,
    /// How many of them did not have to be computed again.
    pub cached_prompt_tokens: u32,
    /// Of the answer.
    pub completion_tokens: u32,
}

/// Vectors of passages.
#[derive(Clone, Debug, PartialEq)]
pub struct Embeddings {
    /// One for each passage, in their order; numbers are finite.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens of all passages.
    pub prompt_tokens: u32,
    /// What they cost.
    pub price: BaseUnits,
}
