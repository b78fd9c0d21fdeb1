//! Whatever a stranger sends is taken or refused.

use lull_openai::check_request;
use proptest::prelude::*;
use serde_json::{Map, Value};

const PATHS: [&str; 3] = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"];

/// Names that requests have, and one that none has.
const NAMES: [&str; 24] = [
    "model",
    "messages",
    "role",
    "content",
    "type",
    "text",
    "prompt",
    "input",
    "n",
    "stop",
    "seed",
    "stream",
    "stream_options",
    "include_usage",
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "logprobs",
    "tools",
    "response_format",
    "encoding_format",
    "dimensions",
    "unheard_of",
];

/// Any JSON, mostly with names and words that mean something.
fn any_json() -> impl Strategy<Value = Value> {
    let words = ["user", "assistant", "tool", "text", "float", "base64", "m", "", "\u{0}é😀"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-3i64..10).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(words.to_vec()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        let name = prop_oneof![prop::sample::select(NAMES.to_vec()).prop_map(str::to_owned), any::<String>()];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((name, inner), 0..10)
                .prop_map(|fields| Value::Object(Map::from_iter(fields))),
        ]
    })
}

/// A refusal blames the request, and says why.
fn check(body: &[u8]) -> Result<(), TestCaseError> {
    for path in PATHS {
        if let Err(error) = check_request(path, body) {
            prop_assert_eq!(error.status.as_u16(), 400);
            prop_assert!(!error.message.is_empty());
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_json_breaks_the_parsers(json in any_json()) {
        check(json.to_string().as_bytes())?;
    }

    /// A request that would be taken, with a field that is anything.
    #[test]
    fn no_field_breaks_the_parsers(name in prop::sample::select(NAMES.to_vec()), json in any_json()) {
        let mut request = serde_json::json!({
            "model": "m", "messages": [{"role": "user", "content": "a"}], "prompt": "a", "input": "a",
        });
        request[name] = json.clone();
        check(request.to_string().as_bytes())?;
        request["messages"] = serde_json::json!([{"role": "user", "content": json}]);
        check(request.to_string().as_bytes())?;
    }

    #[test]
    fn no_bytes_break_the_parsers(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
        check(&bytes)?;
    }

    /// Half of a request is no request.
    #[test]
    fn no_cut_breaks_the_parsers(json in any_json(), at in any::<prop::sample::Index>()) {
        let text = json.to_string();
        check(&text.as_bytes()[..at.index(text.len() + 1)])?;
    }
}

#[test]
fn depth_overflows_no_stack() {
    for open in ["[", "{\"a\":"] {
        for name in ["messages", "prompt", "input", "stop", "tools", "unheard_of"] {
            let body = format!("{{\"model\": \"m\", \"{name}\": {}", open.repeat(1_000_000));
            for path in PATHS {
                assert!(check_request(path, body.as_bytes()).is_err());
            }
        }
    }
}
