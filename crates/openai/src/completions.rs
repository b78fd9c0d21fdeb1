//! `POST /v1/completions`.

use axum::body::Bytes;
use axum::response::Response;
use lull_types::infer::Finish;
use serde::Serialize;

use crate::answer::{Requested, answer};
use crate::backend::{Backend, ChosenToken, Customer, Passage, Prompt};
use crate::desk::{Desk, draw_seed};
use crate::error::ApiError;
use crate::fields::Fields;
use crate::form::{Answer, Form, finish_reason, token_text};
use crate::passages;
use crate::refused;
use crate::settings::{Settings, TokensMax};

/// Prompts of a request, of which each is answered on its own. Programs that evaluate models send about so many at once.
const PROMPTS_MAX: usize = 32;
/// Answers of a request: more than that would let one request wait for most of a small network's workers.
const CHOICES_MAX: usize = 32;
/// What OpenAI's completions have when nothing is said; clients of this older API say it, as it is so short.
const TOKENS_MAX_UNSAID: u32 = 16;

/// Answers a request.
pub(crate) async fn create<B: Backend>(
    desk: Desk<B>,
    customer: Customer,
    body: Bytes,
) -> Result<Response, ApiError> {
    let CompletionRequest { settings, passages } = CompletionRequest::parse(&body, draw_seed()?)?;
    let form = CompletionForm::new(settings.logprobs, passages.len() * settings.n as usize);
    let prompts = passages.into_iter().map(Prompt::Plain).collect();
    answer(desk, customer, Requested { settings, prompts, form }).await
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CompletionRequest {
    pub(crate) settings: Settings,
    pub(crate) passages: Vec<Passage>,
}

impl CompletionRequest {
    pub(crate) fn parse(body: &[u8], drawn_seed: i64) -> Result<Self, ApiError> {
        let fields = Fields::parse(body)?;
        refused::check_completion(&fields)?;
        let mut settings = Settings::parse(&fields, drawn_seed)?;
        let unsaid = TokensMax { tokens: TOKENS_MAX_UNSAID, param: "max_tokens" };
        settings.tokens_max = settings.tokens_max.or(Some(unsaid));
        // Whatever is not refused above is a wish for the chosen token's, except false, which is none of OpenAI's.
        settings.logprobs = fields.get("logprobs").is_some_and(|field| field.flag().is_err());
        let prompt = fields.need("prompt")?;
        let passages = passages::parse(&prompt, PROMPTS_MAX)?;
        if passages.len() * settings.n as usize > CHOICES_MAX {
            let message = format_args!("and “n” ask for more than {CHOICES_MAX} answers; send more requests");
            return Err(prompt.refuse("invalid_value", message));
        }
        Ok(Self { settings, passages })
    }
}

/// How completions are answered.
#[derive(Clone, Debug)]
pub(crate) struct CompletionForm {
    logprobs: bool,
    /// Characters of each answer that have been told.
    told_chars: Vec<usize>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CompletionChoice {
    index: u32,
    text: String,
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Logprobs {
    tokens: Vec<String>,
    token_logprobs: Vec<f32>,
    /// What else might have been chosen is not told.
    top_logprobs: Option<()>,
    /// Where each token begins, in characters of the answer.
    text_offset: Vec<usize>,
}

impl CompletionForm {
    pub(crate) fn new(logprobs: bool, answers: usize) -> Self {
        Self { logprobs, told_chars: vec![0; answers] }
    }
}

/// Tokens from this character of the answer on, which is moved behind them.
fn logprobs(tokens: &[ChosenToken], at: &mut usize) -> Logprobs {
    let offset = |token: &ChosenToken| {
        let begins = *at;
        // A character is counted with its first byte, as it may come in several tokens.
        *at += token.bytes.iter().filter(|byte| !(0x80..0xC0).contains(*byte)).count();
        begins
    };
    Logprobs {
        text_offset: tokens.iter().map(offset).collect(),
        tokens: tokens.iter().map(token_text).collect(),
        token_logprobs: tokens.iter().map(|token| token.logprob).collect(),
        top_logprobs: None,
    }
}

impl Form for CompletionForm {
    type Choice = CompletionChoice;
    type Delta = CompletionChoice;
    const ID_PREFIX: &'static str = "cmpl-";
    const OBJECT: &'static str = "text_completion";
    const CHUNK_OBJECT: &'static str = "text_completion";

    fn choice(&self, index: u32, answer: Answer) -> CompletionChoice {
        CompletionChoice {
            index,
            text: answer.text,
            logprobs: self.logprobs.then(|| logprobs(&answer.tokens, &mut 0)),
            finish_reason: Some(finish_reason(answer.finish)),
        }
    }

    fn opening(&self, _: u32) -> Option<CompletionChoice> {
        None
    }

    fn more(&mut self, index: u32, text: String, tokens: &[ChosenToken]) -> CompletionChoice {
        let logprobs = match self.told_chars.get_mut(index as usize) {
            Some(at) if self.logprobs => Some(logprobs(tokens, at)),
            _ => None,
        };
        CompletionChoice { index, text, logprobs, finish_reason: None }
    }

    fn closing(&self, index: u32, finish: Finish) -> CompletionChoice {
        let finish_reason = Some(finish_reason(finish));
        CompletionChoice { index, text: String::new(), logprobs: None, finish_reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<CompletionRequest, ApiError> {
        CompletionRequest::parse(format!(r#"{{"model": "m", {more}}}"#).as_bytes(), 1)
    }

    #[test]
    fn prompts_are_texts_or_tokens() {
        let text = |text: &str| Passage::Text(text.to_owned());
        let request = parse(r#""prompt": ["a", "b"], "logprobs": 0, "max_tokens": 5"#).unwrap();
        assert_eq!(request.passages, [text("a"), text("b")]);
        assert!(request.settings.logprobs);
        assert_eq!(request.settings.tokens_max.map(|it| it.tokens), Some(5));
        let request = parse(r#""prompt": [1, 2]"#).unwrap();
        assert_eq!(request.passages, [Passage::Tokens(vec![1, 2])]);
        assert!(!request.settings.logprobs);
        assert_eq!(request.settings.tokens_max.map(|it| it.tokens), Some(TOKENS_MAX_UNSAID));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(parse(r#""n": 1"#).unwrap_err().param.as_deref(), Some("prompt"));
        assert_eq!(parse(r#""prompt": "a", "logprobs": 3"#).unwrap_err().param.as_deref(), Some("logprobs"));
        let five = r#""prompt": ["a", "b", "c", "d", "e"]"#;
        assert!(parse(&format!(r#"{five}, "n": 6"#)).is_ok());
        assert_eq!(parse(&format!(r#"{five}, "n": 7"#)).unwrap_err().param.as_deref(), Some("prompt"));
    }

    #[test]
    fn tokens_begin_where_their_first_character_does() {
        // "é" in two tokens, then " x".
        let tokens = [&b"\xc3"[..], b"\xa9", b" x"];
        let tokens = tokens.map(|bytes| ChosenToken { bytes: bytes.to_vec(), logprob: -1.0 });
        let mut form = CompletionForm::new(true, 2);
        let first = form.more(1, "é".to_owned(), &tokens[..2]).logprobs.unwrap();
        assert_eq!(first.text_offset, [0, 1]);
        assert_eq!(first.tokens, ["\u{fffd}", "\u{fffd}"]);
        let second = form.more(1, " x".to_owned(), &tokens[2..]).logprobs.unwrap();
        assert_eq!(second.text_offset, [1]);
        let other = form.more(0, " x".to_owned(), &tokens[2..]).logprobs.unwrap();
        assert_eq!(other.text_offset, [0]);
        let finish = Finish::EndOfText;
        let whole = form.choice(0, Answer { text: "é x".to_owned(), tokens: tokens.into(), finish });
        assert_eq!(whole.logprobs.unwrap().text_offset, [0, 1, 1]);
    }
}
