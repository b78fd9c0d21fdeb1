//! `POST /v1/chat/completions`.

use axum::body::Bytes;
use axum::response::Response;
use lull_types::infer::Finish;
use serde::Serialize;

use crate::answer::{Requested, answer};
use crate::backend::{Backend, ChatMessage, ChosenToken, Customer, Prompt, Role};
use crate::desk::{Desk, draw_seed};
use crate::error::ApiError;
use crate::fields::{Field, Fields, Kind};
use crate::form::{Answer, Form, finish_reason, token_text};
use crate::passages::too_long;
use crate::refused;
use crate::settings::{Settings, TEXT_BYTES_MAX, TokensMax, tokens_max};

/// Messages of a conversation; as OpenAI's.
const MESSAGES_MAX: usize = 2048;
/// Parts of a message; as many as messages, as either is a line of a conversation at the least.
const PARTS_MAX: usize = 2048;

/// Answers a request.
pub(crate) async fn create<B: Backend>(
    desk: Desk<B>,
    customer: Customer,
    body: Bytes,
) -> Result<Response, ApiError> {
    let ChatRequest { settings, messages } = ChatRequest::parse(&body, draw_seed()?)?;
    let form = ChatForm { logprobs: settings.logprobs };
    answer(desk, customer, Requested { settings, prompts: vec![Prompt::Chat(messages)], form }).await
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChatRequest {
    pub(crate) settings: Settings,
    pub(crate) messages: Vec<ChatMessage>,
}

impl ChatRequest {
    pub(crate) fn parse(body: &[u8], drawn_seed: i64) -> Result<Self, ApiError> {
        let fields = Fields::parse(body)?;
        refused::check_chat(&fields)?;
        let mut settings = Settings::parse(&fields, drawn_seed)?;
        settings.tokens_max = newer_tokens_max(&fields, settings.tokens_max)?;
        settings.logprobs = fields.get("logprobs").map_or(Ok(false), |field| field.flag())?;
        Ok(Self { settings, messages: messages(&fields.need("messages")?)? })
    }
}

/// `max_tokens` has become `max_completion_tokens`, and means the same here.
fn newer_tokens_max(fields: &Fields<'_>, older: Option<TokensMax>) -> Result<Option<TokensMax>, ApiError> {
    let newer = tokens_max(fields, "max_completion_tokens")?;
    match (older, newer) {
        (Some(older), Some(newer)) if older.tokens != newer.tokens => Err(ApiError::param(
            newer.param,
            "invalid_value",
            "“max_completion_tokens” and “max_tokens” say different things; send one of them",
        )),
        _ => Ok(newer.or(older)),
    }
}

fn messages(field: &Field<'_>) -> Result<Vec<ChatMessage>, ApiError> {
    let mut left = TEXT_BYTES_MAX;
    let mut messages = Vec::new();
    for element in field.elements(MESSAGES_MAX)? {
        let message = message(&element)?;
        left = left.checked_sub(message.text.len()).ok_or_else(|| too_long(field))?;
        messages.push(message);
    }
    if messages.is_empty() {
        return Err(field.refuse("empty_array", "is empty; give at least one message"));
    }
    Ok(messages)
}

/// A message. Its `name` is ignored: templates of open models have no place for it.
fn message(field: &Field<'_>) -> Result<ChatMessage, ApiError> {
    let fields = field.object()?;
    let role = fields.need("role")?;
    let unsupported = "unsupported_parameter";
    let role = match role.text()?.as_str() {
        // OpenAI's newer word for the same.
        "system" | "developer" => Role::System,
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "tool" | "function" => {
            return Err(role.refuse(unsupported, "is of a tool, and tools are not supported here"));
        }
        _ => return Err(role.refuse("invalid_value", "must be “system”, “developer”, “user” or “assistant”")),
    };
    for (name, neutral) in [("tool_calls", "[]"), ("function_call", ""), ("audio", "")] {
        if let Some(call) = fields.get(name).filter(|it| it.raw() != neutral) {
            return Err(call.refuse(unsupported, "is not supported here; leave it out"));
        }
    }
    Ok(ChatMessage { role, text: content(&fields.need("content")?)? })
}

/// A string, or parts of text, which are put together as servers of open models do: each on a line of its own.
fn content(field: &Field<'_>) -> Result<String, ApiError> {
    if field.kind() != Kind::Array {
        return field.text();
    }
    let mut text = String::new();
    for (at, element) in field.elements(PARTS_MAX)?.iter().enumerate() {
        let part = element.object()?;
        let kind = part.need("type")?;
        if kind.text()? != "text" {
            return Err(kind.refuse(
                "unsupported_parameter",
                "is not “text”; models here read text alone, no images, sound or files",
            ));
        }
        if at > 0 {
            text.push('\n');
        }
        text.push_str(&part.need("text")?.text()?);
    }
    Ok(text)
}

/// How chats are answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChatForm {
    pub(crate) logprobs: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct ChatChoice {
    index: u32,
    message: Message,
    logprobs: Option<Logprobs>,
    finish_reason: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    role: &'static str,
    content: String,
    refusal: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ChatDelta {
    index: u32,
    delta: Delta,
    logprobs: Option<Logprobs>,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

#[derive(Debug, Serialize)]
struct Logprobs {
    content: Vec<TokenLogprob>,
    refusal: Option<Vec<TokenLogprob>>,
}

#[derive(Debug, Serialize)]
struct TokenLogprob {
    token: String,
    bytes: Vec<u8>,
    logprob: f32,
    /// Always empty: what else might have been chosen is not told.
    top_logprobs: [(); 0],
}

impl ChatForm {
    fn logprobs(self, tokens: &[ChosenToken]) -> Option<Logprobs> {
        let told = |token: &ChosenToken| TokenLogprob {
            token: token_text(token),
            bytes: token.bytes.clone(),
            logprob: token.logprob,
            top_logprobs: [],
        };
        self.logprobs.then(|| Logprobs { content: tokens.iter().map(told).collect(), refusal: None })
    }
}

impl Form for ChatForm {
    type Choice = ChatChoice;
    type Delta = ChatDelta;
    const ID_PREFIX: &'static str = "chatcmpl-";
    const OBJECT: &'static str = "chat.completion";
    const CHUNK_OBJECT: &'static str = "chat.completion.chunk";

    fn choice(&self, index: u32, answer: Answer) -> ChatChoice {
        ChatChoice {
            index,
            logprobs: self.logprobs(&answer.tokens),
            message: Message { role: Role::Assistant.name(), content: answer.text, refusal: None },
            finish_reason: finish_reason(answer.finish),
        }
    }

    fn opening(&self, index: u32) -> Option<ChatDelta> {
        let delta = Delta { role: Some(Role::Assistant.name()), content: Some(String::new()) };
        Some(ChatDelta { index, delta, logprobs: None, finish_reason: None })
    }

    fn more(&mut self, index: u32, text: String, tokens: &[ChosenToken]) -> ChatDelta {
        let delta = Delta { role: None, content: Some(text) };
        ChatDelta { index, delta, logprobs: self.logprobs(tokens), finish_reason: None }
    }

    fn closing(&self, index: u32, finish: Finish) -> ChatDelta {
        let finish_reason = Some(finish_reason(finish));
        ChatDelta { index, delta: Delta::default(), logprobs: None, finish_reason }
    }
}

#[cfg(test)]
#[path = "chat_tests.rs"]
mod tests;
