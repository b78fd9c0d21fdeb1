//! Parameters that would change what an answer means and that are not supported: refused, not ignored, as whoever sends
//! them would take the answer for something that it is not.
//!
//! Fields that nobody here knows are ignored. Clients send what the newest API of OpenAI has, and frameworks add fields
//! of their own; most only concern how a request is billed, stored or routed, and a server that refused what it does
//! not know would break with every release of theirs.

use serde_json::Value;

use crate::error::ApiError;
use crate::fields::Fields;

/// A parameter, and values that ask for nothing, in JSON. Null asks for nothing anyway.
type Refused = (&'static str, &'static [&'static str]);

/// Of chats and completions.
const OF_ANSWERS: &[Refused] = &[
    ("logit_bias", &["{}"]),
    // Of other servers, for the choice of tokens: here it is top_p and the penalties alone.
    ("top_k", &["0", "-1"]),
    ("min_p", &["0", "0.0"]),
    ("repetition_penalty", &["1", "1.0"]),
];

/// Of chats.
const OF_CHATS: &[Refused] = &[
    ("tools", &["[]"]),
    ("tool_choice", &["\"none\""]),
    ("functions", &["[]"]),
    ("function_call", &["\"none\""]),
    ("response_format", &[r#"{"type": "text"}"#]),
    ("modalities", &["[]", r#"["text"]"#]),
    ("audio", &[]),
    ("reasoning_effort", &["\"none\""]),
    ("verbosity", &["\"medium\""]),
    ("web_search_options", &[]),
    ("top_logprobs", &["0"]),
    // Of other servers.
    ("chat_template", &[]),
    ("chat_template_kwargs", &["{}"]),
];

/// Of completions.
const OF_COMPLETIONS: &[Refused] = &[
    ("suffix", &["\"\""]),
    ("echo", &["false"]),
    ("best_of", &["1"]),
    // The chosen token's own is given with 0; any other count asks for those that were not chosen.
    ("logprobs", &["0", "false"]),
];

/// Longer than any value above with reasonable white space; a longer one asks for something.
const NEUTRAL_BYTES_MAX: usize = 64;

/// Refuses what a chat cannot have.
pub(crate) fn check_chat(fields: &Fields<'_>) -> Result<(), ApiError> {
    check(fields, OF_ANSWERS).and_then(|()| check(fields, OF_CHATS))
}

/// Refuses what a completion cannot have.
pub(crate) fn check_completion(fields: &Fields<'_>) -> Result<(), ApiError> {
    check(fields, OF_ANSWERS).and_then(|()| check(fields, OF_COMPLETIONS))
}

fn check(fields: &Fields<'_>, refused: &[Refused]) -> Result<(), ApiError> {
    for (name, neutral) in refused {
        let Some(field) = fields.get(name) else { continue };
        let is_neutral = field.raw().len() <= NEUTRAL_BYTES_MAX
            && serde_json::from_str::<Value>(field.raw()).is_ok_and(|value| {
                neutral.iter().any(|other| serde_json::from_str::<Value>(other).is_ok_and(|it| it == value))
            });
        if !is_neutral {
            return Err(field.refuse("unsupported_parameter", "is not supported here; leave it out"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_neutral_value_is_json() {
        for (name, neutral) in [OF_ANSWERS, OF_CHATS, OF_COMPLETIONS].concat() {
            for value in neutral {
                assert!(serde_json::from_str::<Value>(value).is_ok(), "{name}: {value}");
                assert!(value.len() <= NEUTRAL_BYTES_MAX);
            }
        }
    }

    #[test]
    fn what_changes_the_meaning_is_refused_and_what_asks_for_nothing_is_not() {
        let chat = |json: &str| check_chat(&Fields::parse(json.as_bytes()).unwrap()).map_err(|it| it.param);
        let completion =
            |json: &str| check_completion(&Fields::parse(json.as_bytes()).unwrap()).map_err(|it| it.param);
        let refused = |param: &str| Err(Some(param.to_owned()));
        assert_eq!(
            chat(r#"{"tools": [], "tool_choice": "none", "response_format": { "type" :"text"}}"#),
            Ok(())
        );
        assert_eq!(chat(r#"{"tools": null, "modalities": ["text"], "logit_bias": {}, "top_k": -1}"#), Ok(()));
        assert_eq!(chat(r#"{"brand_new": {"of": "OpenAI"}, "metadata": {}, "store": true}"#), Ok(()));
        assert_eq!(chat(r#"{"tools": [{}]}"#), refused("tools"));
        assert_eq!(chat(r#"{"tool_choice": "auto"}"#), refused("tool_choice"));
        assert_eq!(chat(r#"{"response_format": {"type": "json_object"}}"#), refused("response_format"));
        assert_eq!(chat(r#"{"modalities": ["text", "audio"]}"#), refused("modalities"));
        assert_eq!(chat(r#"{"logit_bias": {"50256": -100}}"#), refused("logit_bias"));
        assert_eq!(chat(r#"{"top_logprobs": 1}"#), refused("top_logprobs"));
        assert_eq!(completion(r#"{"best_of": 1, "echo": false, "suffix": "", "logprobs": 0}"#), Ok(()));
        assert_eq!(completion(r#"{"best_of": 2}"#), refused("best_of"));
        assert_eq!(completion(r#"{"logprobs": 5}"#), refused("logprobs"));
        assert_eq!(completion(r#"{"echo": true}"#), refused("echo"));
        assert_eq!(completion(r#"{"suffix": "end"}"#), refused("suffix"));
    }
}
