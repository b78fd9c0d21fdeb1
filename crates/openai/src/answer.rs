//! From a request for answers to the response, whole or as a stream.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::future::try_join_all;

use crate::backend::{
    Ask, Backend, ChosenToken, Customer, Finished, ModelCard, Passage, Piece, Pieces, Prompt,
};
use crate::desk::{Desk, draw_id, now_unix_s};
use crate::error::ApiError;
use crate::form::{Answer, Envelope, Form, Lull, Total, Whole};
use crate::settings::{BYTES_PER_TOKEN, Settings};
use crate::sse;
use crate::telling::{Telling, cut_short};

/// Tokens of an answer that may be as long as it likes, until it is known how long it was: half a page.
const TOKENS_ASSUMED: u64 = 512;

/// What is asked for.
pub(crate) struct Requested<F> {
    pub(crate) settings: Settings,
    /// Each is gone on with [`Settings::n`] times.
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) form: F,
}

/// Answers it.
pub(crate) async fn answer<B: Backend, F: Form>(
    desk: Desk<B>,
    customer: Customer,
    requested: Requested<F>,
) -> Result<Response, ApiError> {
    let Requested { settings, prompts, form } = requested;
    let model = desk.model(&settings.model).await?;
    check(&settings, &model)?;
    let envelope = Envelope {
        id: draw_id(F::ID_PREFIX)?,
        object: if settings.stream.is_none() { F::OBJECT } else { F::CHUNK_OBJECT },
        created: now_unix_s(),
        model: model.id,
        system_fingerprint: model.fingerprint,
    };
    let reserved = desk.reserve(&customer, estimated_tokens(&settings, &prompts))?;
    let asks = asks(&settings, prompts);
    let starting = try_join_all(asks.into_iter().map(|ask| desk.backend.generate(&customer, ask)));
    let (reserved, answers) = reserved.unless_failed(starting).await?;
    if let Some(options) = settings.stream {
        let telling = Telling::new(form, envelope, answers.len(), settings.seed(), options.include_usage);
        return Ok(sse::response(telling, answers, reserved));
    }
    let collecting = try_join_all(answers.into_iter().map(collect));
    let (reserved, answers) = reserved.unless_failed(collecting).await?;
    let mut total = Total::default();
    let mut choices = Vec::with_capacity(answers.len());
    for (index, (answer, finished)) in (0..).zip(answers) {
        total.add(&finished)?;
        choices.push(form.choice(index, answer));
    }
    reserved.settle(total.tokens());
    let lull = Lull { price: total.price, seed: Some(settings.seed()) };
    Ok(Json(Whole { envelope, choices, usage: total.usage(), lull }).into_response())
}

/// Whether the model can do what is asked for.
fn check(settings: &Settings, model: &ModelCard) -> Result<(), ApiError> {
    if !model.generates {
        let message = format!("the model “{}” makes embeddings and no text", model.id);
        return Err(ApiError::param("model", "unsupported_model", message));
    }
    match settings.tokens_max {
        Some(max) if max.tokens > model.context_tokens => {
            let message = format!(
                "“{}” is {}, and the context of “{}” has {} tokens for prompt and answer together",
                max.param, max.tokens, model.id, model.context_tokens
            );
            Err(ApiError::param(max.param, "invalid_value", message))
        }
        _ => Ok(()),
    }
}

/// An ask for each answer: the first prompt's, then the second's, as OpenAI numbers them.
fn asks(settings: &Settings, prompts: Vec<Prompt>) -> Vec<Ask> {
    let of = |prompt: Prompt| {
        let prompt = Arc::new(prompt);
        (0..settings.n).map(move |answer| Ask {
            model: settings.model.clone(),
            prompt: prompt.clone(),
            sampling: settings.sampling_of(answer),
            tokens_max: settings.tokens_max.map(|max| max.tokens),
            stop: settings.stop.clone(),
            logprobs: settings.logprobs,
        })
    };
    prompts.into_iter().flat_map(of).collect()
}

/// Tokens that a request may come to.
fn estimated_tokens(settings: &Settings, prompts: &[Prompt]) -> u64 {
    let each = settings.tokens_max.map_or(TOKENS_ASSUMED, |max| u64::from(max.tokens));
    let of_prompts: u64 = prompts
        .iter()
        .map(|prompt| match prompt {
            Prompt::Chat(messages) => estimated(messages.iter().map(|message| message.text.len()).sum()),
            Prompt::Plain(passage) => estimated_in(passage),
        })
        .sum();
    (of_prompts + each * prompts.len() as u64) * u64::from(settings.n)
}

/// Tokens of a passage.
pub(crate) fn estimated_in(passage: &Passage) -> u64 {
    match passage {
        Passage::Text(text) => estimated(text.len()),
        Passage::Tokens(tokens) => tokens.len() as u64,
    }
}

fn estimated(bytes: usize) -> u64 {
    bytes.div_ceil(BYTES_PER_TOKEN) as u64
}

/// Waits for the whole answer.
async fn collect(mut pieces: Pieces) -> Result<(Answer, Finished), ApiError> {
    let (mut whole, mut all): (String, Vec<ChosenToken>) = Default::default();
    while let Some(piece) = pieces.next().await {
        match piece {
            Piece::Text { text, tokens } => {
                whole.push_str(&text);
                all.extend(tokens);
            }
            Piece::Done(finished) => {
                return Ok((Answer { text: whole, tokens: all, finish: finished.finish }, finished));
            }
            Piece::Failed(fault) => return Err(fault.into()),
        }
    }
    Err(cut_short())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::ChatRequest;
    use crate::completions::CompletionRequest;

    fn prompts(request: &CompletionRequest) -> Vec<Prompt> {
        request.passages.iter().cloned().map(Prompt::Plain).collect()
    }

    #[test]
    fn answers_are_numbered_by_prompt_and_seeded_one_by_one() {
        let json = br#"{"model": "m", "prompt": ["a", "b"], "n": 2, "seed": 7, "stop": "."}"#;
        let request = CompletionRequest::parse(json, 0).unwrap();
        let asks = asks(&request.settings, prompts(&request));
        let told: Vec<_> = asks.iter().map(|ask| (&*ask.prompt, ask.sampling.seed)).collect();
        let text = |text: &str| Prompt::Plain(Passage::Text(text.to_owned()));
        let (a, b) = (text("a"), text("b"));
        assert_eq!(told, [(&a, 7), (&a, 8), (&b, 7), (&b, 8)]);
        assert!(asks.iter().all(|ask| ask.stop == ["."] && ask.tokens_max == Some(16)));
    }

    #[test]
    fn tokens_are_estimated_for_every_answer() {
        let estimate = |json: &str| {
            let request = CompletionRequest::parse(json.as_bytes(), 0).unwrap();
            estimated_tokens(&request.settings, &prompts(&request))
        };
        assert_eq!(estimate(r#"{"model": "m", "prompt": "12345678", "max_tokens": 10}"#), 12);
        assert_eq!(estimate(r#"{"model": "m", "prompt": ["1", "2"], "max_tokens": 10, "n": 3}"#), 66);
        assert_eq!(estimate(r#"{"model": "m", "prompt": [1, 2, 3], "max_tokens": 10}"#), 13);
        let json = br#"{"model": "m", "messages": [{"role": "user", "content": "12345678"}]}"#;
        let chat = ChatRequest::parse(json, 0).unwrap();
        assert_eq!(estimated_tokens(&chat.settings, &[Prompt::Chat(chat.messages)]), 2 + TOKENS_ASSUMED);
    }
}
