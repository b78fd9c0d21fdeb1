//! Nouns of the job kind `infer/1`: a language model that goes on with a prompt, token by token.

use serde::{Deserialize, Serialize};

use crate::{BaseUnits, BlobHash};

/// Name and version of the kind.
pub const JOB_KIND_INFER: &str = "infer/1";

/// A token: its number in the model's vocabulary.
pub type Token = u32;

/// How the next token is chosen. The same model, tokens and sampling give the same choice everywhere, but for what
/// devices round differently: `lull_infer::sampling` has the rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// From 0, which takes the likeliest token each time, to [`limits::TEMPERATURE_MAX`].
    pub temperature: f32,
    /// Only the likeliest tokens are chosen among that together have this share, over 0 to 1.
    pub top_p: f32,
    /// Taken off the score of each token that is among those generated so far, within [`limits::PENALTY_MAX`] of 0.
    pub presence_penalty: f32,
    /// Taken off the score of each token for every time that it is among those generated so far; as above.
    pub frequency_penalty: f32,
    /// What chance is drawn from.
    pub seed: u64,
}

impl Sampling {
    /// The likeliest token, always.
    pub const GREEDY: Self =
        Self { temperature: 0.0, top_p: 1.0, presence_penalty: 0.0, frequency_penalty: 0.0, seed: 0 };

    /// Whether every number is within its bounds.
    pub fn is_usable(&self) -> bool {
        let penalties = [self.presence_penalty, self.frequency_penalty];
        (0.0..=limits::TEMPERATURE_MAX).contains(&self.temperature)
            && self.top_p > 0.0
            && self.top_p <= 1.0
            && penalties.iter().all(|penalty| penalty.abs() <= limits::PENALTY_MAX)
    }
}

/// A text to go on with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    /// The prompt, and then what was generated already, here or elsewhere.
    pub tokens: Vec<Token>,
    /// How many of `tokens` were generated.
    pub generated: u32,
    /// How the next ones are chosen.
    pub sampling: Sampling,
    /// How many are generated at most, with those that were already.
    pub tokens_max: u32,
    /// Strings at which it stops, in what is generated.
    pub stops: Vec<String>,
    /// Whether each token's log-probability is wanted.
    pub log_probabilities: bool,
}

/// The payload of a task of the kind, as JSON: a shift, in which one worker serves one model to many customers.
///
/// The network opens a stream for it, on which asks come and answers go. A shift ends when the network finishes the stream, at
/// the latest `serve_ms` after the model was ready, or when the worker hands it back or vanishes; what was generated in it is
/// paid in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// Hash of the model's file.
    pub model: BlobHash,
    /// Its name, for people.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Tokens of a text, prompt and answer together.
    pub context_tokens: u32,
    /// Texts at once.
    pub sequences: u32,
    /// How long the worker serves at most, from when the model is ready.
    pub serve_ms: u64,
    /// What it earns for 1,000 tokens of prompts that it reads.
    pub price_per_1000_prompt_tokens: BaseUnits,
    /// What it earns for 1,000 tokens that it generates.
    pub price_per_1000_generated_tokens: BaseUnits,
}

/// Why no more tokens come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// The model ended its text.
    EndOfText,
    /// The text has one of the strings at which it was to stop.
    StopString,
    /// As many tokens were generated as were asked for, or as fit the context.
    Length,
}

/// Bounds on what is asked of a model.
pub mod limits {
    /// Above it, text is noise.
    pub const TEMPERATURE_MAX: f32 = 2.0;
    /// As OpenAI's.
    pub const PENALTY_MAX: f32 = 2.0;
    /// Strings to stop at; as OpenAI's.
    pub const STOP_STRINGS_MAX: usize = 4;
    /// Bytes of one of them.
    pub const STOP_BYTES_MAX: usize = 256;
    /// Bytes of a shift's payload.
    pub const SHIFT_BYTES_MAX: usize = 4 * 1024;
    /// Texts at once on one device: more make each of them slower than people read.
    pub const SEQUENCES_MAX: u32 = 64;
    /// Tokens of prompt and answer together: more than present models are trained for.
    pub const CONTEXT_TOKENS_MAX: u32 = 131_072;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_bounds_are_seen() {
        assert!(Sampling::GREEDY.is_usable());
        let usable = |change: fn(&mut Sampling)| {
            let mut sampling = Sampling::GREEDY;
            change(&mut sampling);
            sampling.is_usable()
        };
        assert!(usable(|it| it.temperature = 2.0));
        assert!(!usable(|it| it.temperature = 2.1));
        assert!(!usable(|it| it.temperature = f32::NAN));
        assert!(!usable(|it| it.top_p = 0.0));
        assert!(!usable(|it| it.top_p = f32::NAN));
        assert!(usable(|it| it.presence_penalty = -2.0));
        assert!(!usable(|it| it.frequency_penalty = f32::INFINITY));
    }
}
