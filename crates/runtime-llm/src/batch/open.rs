//! One text that is written or checked.

use lull_infer::{Sampler, Scores, Text};
use lull_runtime_api::{Answer, Ask};
use lull_types::Fault;
use lull_types::infer::{Finish, Generate, Token, limits};

use super::Tell;
use crate::model::Vocabulary;

/// A text in a sequence.
#[derive(Debug)]
pub(super) struct Open {
    pub number: u64,
    /// All of it so far, also what the model does not hold yet.
    pub tokens: Vec<Token>,
    /// No more is to be computed.
    pub is_over: bool,
    kept_tokens: u32,
    sampler: Sampler,
    work: Work,
}

#[derive(Debug)]
enum Work {
    Writes {
        text: Text,
        /// Length at which it is long enough.
        tokens_max: usize,
        log_probabilities: bool,
    },
    Checks {
        given_tokens: usize,
        gaps: Vec<f32>,
    },
}

impl Open {
    /// Whether an ask makes sense for this model.
    pub(super) fn check(ask: &Ask, context_tokens: u32, model: &impl Vocabulary) -> Result<(), Fault> {
        let tokens = Self::tokens_of(ask);
        let unusable =
            |what: &str| Err(Fault::new("ask_unusable", format!("What was asked is not usable: {what}.")));
        if tokens.is_empty() {
            return unusable("it has no tokens");
        }
        if tokens.iter().any(|token| *token >= model.tokens()) {
            return unusable("it has tokens that the model does not know");
        }
        if tokens.len() as u64 > u64::from(context_tokens) {
            return Err(Fault::new(
                "context_too_long",
                format!("This text has {} tokens, and the model takes {context_tokens}.", tokens.len()),
            ));
        }
        match ask {
            Ask::Generate(generate) if !generate.sampling.is_usable() => {
                unusable("its sampling is out of bounds")
            }
            Ask::Generate(generate) if generate.generated as usize >= tokens.len() => {
                unusable("it has no prompt")
            }
            Ask::Generate(generate)
                if generate.stops.len() > limits::STOP_STRINGS_MAX
                    || generate.stops.iter().any(|stop| stop.len() > limits::STOP_BYTES_MAX) =>
            {
                unusable("it stops at too much")
            }
            Ask::Check { sampling, .. } if !sampling.is_usable() => unusable("its sampling is out of bounds"),
            Ask::Check { given_tokens, generated, .. }
                if !(1..=tokens.len()).contains(&(*given_tokens as usize)) || generated >= given_tokens =>
            {
                unusable("it has no prompt")
            }
            Ask::Tokenize { .. } | Ask::Chat { .. } => unusable("it is not for a model that computes"),
            Ask::Generate(_) | Ask::Check { .. } | Ask::Embed { .. } => Ok(()),
        }
    }

    /// The text of an ask, as far as it goes.
    pub(super) fn tokens_of(ask: &Ask) -> &[Token] {
        match ask {
            Ask::Generate(Generate { tokens, .. }) | Ask::Check { tokens, .. } | Ask::Embed { tokens } => {
                tokens
            }
            Ask::Tokenize { .. } | Ask::Chat { .. } => &[],
        }
    }

    /// How many of its tokens need not be computed, if they are held.
    pub(super) fn keepable(ask: &Ask) -> usize {
        match ask {
            Ask::Check { given_tokens, .. } => *given_tokens as usize - 1,
            _ => Self::tokens_of(ask).len() - 1,
        }
    }

    /// Begins a text of which a sequence holds `kept` tokens; or its end, where there is nothing to do.
    pub(super) fn begin(
        number: u64,
        ask: Ask,
        kept: u32,
        context_tokens: u32,
        model: &impl Vocabulary,
    ) -> Result<Self, Answer> {
        match ask {
            Ask::Generate(generate) => {
                let Generate { tokens, generated, sampling, tokens_max, stops, log_probabilities } = generate;
                let prompt_tokens = tokens.len() - generated as usize;
                let mut sampler = Sampler::new(sampling, prompt_tokens as u64);
                let mut text = Text::new(stops);
                let finished = |finish| Answer::Finished { finish, kept_tokens: kept };
                for token in &tokens[prompt_tokens..] {
                    sampler.accept(*token);
                    // Whoever began it may have been gone before it could tell that it had ended.
                    if model.is_end(*token) {
                        return Err(finished(Finish::EndOfText));
                    }
                    if text.push(&model.piece(*token)).stopped {
                        return Err(finished(Finish::StopString));
                    }
                }
                let tokens_max =
                    prompt_tokens.saturating_add(tokens_max as usize).min(context_tokens as usize);
                if tokens.len() >= tokens_max {
                    return Err(finished(Finish::Length));
                }
                let work = Work::Writes { text, tokens_max, log_probabilities };
                Ok(Self { number, tokens, is_over: false, kept_tokens: kept, sampler, work })
            }
            Ask::Check { tokens, given_tokens, generated, sampling } => {
                let given = given_tokens as usize;
                if tokens.len() == given {
                    return Err(Answer::Gaps(Vec::new()));
                }
                let prompt_tokens = given - generated as usize;
                let mut sampler = Sampler::new(sampling, prompt_tokens as u64);
                tokens[prompt_tokens..given].iter().for_each(|token| sampler.accept(*token));
                let work = Work::Checks { given_tokens: given, gaps: Vec::new() };
                Ok(Self { number, tokens, is_over: false, kept_tokens: kept, sampler, work })
            }
            Ask::Embed { .. } | Ask::Tokenize { .. } | Ask::Chat { .. } => {
                Err(Answer::Failed(Fault::new("ask_unusable", "This is not answered in a sequence.")))
            }
        }
    }

    /// Whether the scores after the token at this place are wanted.
    pub(super) fn wants_scores(&self, place: usize) -> bool {
        match &self.work {
            Work::Writes { .. } => place + 1 == self.tokens.len(),
            Work::Checks { given_tokens, .. } => place + 1 >= *given_tokens && place + 1 < self.tokens.len(),
        }
    }

    /// Whether, with so many tokens held, it goes on by one token that was just written.
    pub(super) fn writes(&self, held: usize) -> bool {
        matches!(self.work, Work::Writes { .. }) && held + 1 == self.tokens.len()
    }

    /// Takes in the scores after the token at `place`, and tells what they give.
    pub(super) fn take_scores(
        &mut self,
        place: usize,
        scores: &[f32],
        model: &impl Vocabulary,
        tell: &mut impl Tell,
    ) {
        let number = self.number;
        let mut fail = || tell(number, Answer::Failed(broken()));
        match &mut self.work {
            Work::Writes { text, tokens_max, log_probabilities } => {
                let Some(choice) = self.sampler.choose(Scores(scores), *log_probabilities) else {
                    self.is_over = true;
                    return fail();
                };
                let token = choice.token;
                self.sampler.accept(token);
                self.tokens.push(token);
                tell(number, Answer::Token { token, log_probability: choice.log_probability });
                let finish = if model.is_end(token) {
                    Finish::EndOfText
                } else if text.push(&model.piece(token)).stopped {
                    Finish::StopString
                } else if self.tokens.len() >= *tokens_max {
                    Finish::Length
                } else {
                    return;
                };
                self.is_over = true;
                tell(number, Answer::Finished { finish, kept_tokens: self.kept_tokens });
            }
            Work::Checks { given_tokens, gaps } => {
                let token = self.tokens[place + 1];
                let Some(gap) = self.sampler.gap(Scores(scores), token) else {
                    self.is_over = true;
                    return fail();
                };
                self.sampler.accept(token);
                gaps.push(gap as f32);
                if *given_tokens + gaps.len() == self.tokens.len() {
                    self.is_over = true;
                    tell(number, Answer::Gaps(std::mem::take(gaps)));
                }
            }
        }
    }
}

fn broken() -> Fault {
    Fault::new(
        "model_broken",
        "The model gives no numbers. Its file is damaged, or it cannot be computed here.",
    )
}
