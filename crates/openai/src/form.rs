//! How answers are written, whole and in chunks. Chats and completions differ in it and in nothing else.

use lull_types::BaseUnits;
use lull_types::infer::Finish;
use serde::Serialize;

use crate::backend::{ChosenToken, Finished, Usage};
use crate::error::ApiError;

/// The form of one kind of answer.
pub(crate) trait Form: Send + 'static {
    /// A whole answer.
    type Choice: Serialize;
    /// A part of one.
    type Delta: Serialize;
    /// What ids of answers begin with.
    const ID_PREFIX: &'static str;
    /// OpenAI's `object` of a whole answer.
    const OBJECT: &'static str;
    /// And of a chunk.
    const CHUNK_OBJECT: &'static str;

    /// A whole answer.
    fn choice(&self, index: u32, answer: Answer) -> Self::Choice;
    /// What is told before there is any text.
    fn opening(&self, index: u32) -> Option<Self::Delta>;
    /// More text.
    fn more(&mut self, index: u32, text: String, tokens: &[ChosenToken]) -> Self::Delta;
    /// The end.
    fn closing(&self, index: u32, finish: Finish) -> Self::Delta;
}

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// Its tokens, where they were asked for.
    pub(crate) tokens: Vec<ChosenToken>,
    pub(crate) finish: Finish,
}

/// What all chunks of a response, or the whole of it, have in common.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Envelope {
    pub(crate) id: String,
    pub(crate) object: &'static str,
    /// Seconds since the Unix epoch.
    pub(crate) created: u64,
    pub(crate) model: String,
    pub(crate) system_fingerprint: String,
}

/// A whole response.
#[derive(Serialize)]
pub(crate) struct Whole<C> {
    #[serde(flatten)]
    pub(crate) envelope: Envelope,
    pub(crate) choices: Vec<C>,
    pub(crate) usage: WireUsage,
    pub(crate) lull: Lull,
}

/// A chunk of a response.
#[derive(Serialize)]
pub(crate) struct Chunk<'a, D> {
    #[serde(flatten)]
    pub(crate) envelope: &'a Envelope,
    pub(crate) choices: &'a [D],
    /// Left out unless usage was asked for; then null in all but the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) usage: Option<Option<WireUsage>>,
    /// In the last chunk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lull: Option<Lull>,
}

/// What OpenAI's responses have no place for. A field beside theirs, as both official clients hand on fields that they do
/// not know there: `response.lull["price"]` in Python, `response.lull.price` in JavaScript.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Lull {
    /// What the response costs, in base units: 1 USDC is 1,000,000.
    pub(crate) price: BaseUnits,
    /// What gives the same response again, if it is sent along with the same request; none where nothing is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<i64>,
}

/// OpenAI's `usage`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WireUsage {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptTokensDetails,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct PromptTokensDetails {
    cached_tokens: u64,
}

/// What all answers of a response took. A prompt that was gone on with several times counts so often, as it is paid for;
/// it is mostly cached then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Total {
    prompt_tokens: u64,
    cached_prompt_tokens: u64,
    completion_tokens: u64,
    pub(crate) price: BaseUnits,
}

impl Total {
    /// Adds an answer.
    pub(crate) fn add(&mut self, finished: &Finished) -> Result<(), ApiError> {
        let Usage { prompt_tokens, cached_prompt_tokens, completion_tokens } = finished.usage;
        let price = self.price.plus(finished.price);
        self.price = price.map_err(|error| ApiError::new("answer_malformed", error.to_string()))?;
        self.prompt_tokens += u64::from(prompt_tokens);
        self.cached_prompt_tokens += u64::from(cached_prompt_tokens);
        self.completion_tokens += u64::from(completion_tokens);
        Ok(())
    }

    /// Tokens of prompts and answers.
    pub(crate) fn tokens(&self) -> u64 {
        self.prompt_tokens + self.completion_tokens
    }

    /// As it is written.
    pub(crate) fn usage(&self) -> WireUsage {
        WireUsage {
            prompt_tokens: self.prompt_tokens,
            completion_tokens: self.completion_tokens,
            total_tokens: self.tokens(),
            prompt_tokens_details: PromptTokensDetails { cached_tokens: self.cached_prompt_tokens },
        }
    }
}

/// OpenAI's word for why there is no more.
pub(crate) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::EndOfText | Finish::StopString => "stop",
        Finish::Length => "length",
    }
}

/// A token as text, where its bytes are a part of a character with signs that stand for them.
pub(crate) fn token_text(token: &ChosenToken) -> String {
    String::from_utf8_lossy(&token.bytes).into_owned()
}
