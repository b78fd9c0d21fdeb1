use serde_json::{Value, json};

use super::*;

fn parse(json: &Value) -> Result<ChatRequest, ApiError> {
    ChatRequest::parse(json.to_string().as_bytes(), 1)
}

/// Parses one message.
fn read(message: &Value) -> Result<ChatMessage, ApiError> {
    parse(&json!({"model": "m", "messages": [message]})).map(|request| request.messages[0].clone())
}

#[test]
fn messages_are_strings_or_parts() {
    let message = |role, text: &str| Ok(ChatMessage { role, text: text.to_owned() });
    let table = [
        (json!({"role": "system", "content": "a"}), message(Role::System, "a")),
        (json!({"role": "developer", "content": "a"}), message(Role::System, "a")),
        (json!({"role": "user", "content": "", "name": "Ada"}), message(Role::User, "")),
        (
            json!({"role": "assistant", "content": "a", "tool_calls": [], "audio": null}),
            message(Role::Assistant, "a"),
        ),
        (
            json!({"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
            message(Role::User, "a\nb"),
        ),
        (json!({"role": "user", "content": []}), message(Role::User, "")),
    ];
    for (written, expected) in table {
        assert_eq!(read(&written), expected, "{written}");
    }
}

#[test]
fn messages_that_cannot_be_read_are_refused_by_name() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:"}});
    let table = [
        (json!({"role": "tool", "content": "a", "tool_call_id": "x"}), "role", "unsupported_parameter"),
        (json!({"role": "function", "content": "a"}), "role", "unsupported_parameter"),
        (json!({"role": "boss", "content": "a"}), "role", "invalid_value"),
        (json!({"role": 1, "content": "a"}), "role", "invalid_type"),
        (json!({"content": "a"}), "role", "missing_required_parameter"),
        (json!({"role": "user"}), "content", "missing_required_parameter"),
        (json!({"role": "user", "content": null}), "content", "missing_required_parameter"),
        (json!({"role": "user", "content": 1}), "content", "invalid_type"),
        (json!({"role": "user", "content": [image]}), "content[0].type", "unsupported_parameter"),
        (
            json!({"role": "user", "content": [{"type": "text"}]}),
            "content[0].text",
            "missing_required_parameter",
        ),
        (json!({"role": "user", "content": ["a"]}), "content[0]", "invalid_type"),
        (
            json!({"role": "assistant", "content": "a", "tool_calls": [{}]}),
            "tool_calls",
            "unsupported_parameter",
        ),
        (
            json!({"role": "assistant", "content": null, "function_call": {}}),
            "function_call",
            "unsupported_parameter",
        ),
    ];
    for (written, param, code) in table {
        let error = read(&written).unwrap_err();
        assert_eq!(error.param, Some(format!("messages[0].{param}")), "{written}");
        assert_eq!((error.status.as_u16(), &*error.code), (400, code), "{written}");
    }
}

#[test]
fn requests_are_bounded() {
    let message = json!({"role": "user", "content": "a"});
    let of = |messages: Vec<Value>| parse(&json!({"model": "m", "messages": messages}));
    assert!(of(vec![message.clone(); MESSAGES_MAX]).is_ok());
    assert_eq!(of(vec![message; MESSAGES_MAX + 1]).unwrap_err().param.as_deref(), Some("messages"));
    assert_eq!(of(vec![]).unwrap_err().code, "empty_array");
    let long = json!({"role": "user", "content": "x".repeat(TEXT_BYTES_MAX / 2 + 1)});
    assert!(of(vec![long.clone()]).is_ok());
    assert_eq!(of(vec![long.clone(), long]).unwrap_err().code, "context_length_exceeded");
}

#[test]
fn the_bound_on_tokens_has_two_names() {
    let of = |more: Value| {
        let mut request = json!({"model": "m", "messages": [{"role": "user", "content": "a"}]});
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        parse(&request).map(|request| request.settings.tokens_max.map(|max| (max.tokens, max.param)))
    };
    assert_eq!(of(json!({})), Ok(None));
    assert_eq!(of(json!({"max_tokens": 5})), Ok(Some((5, "max_tokens"))));
    assert_eq!(of(json!({"max_completion_tokens": 5})), Ok(Some((5, "max_completion_tokens"))));
    assert_eq!(of(json!({"max_tokens": 5, "max_completion_tokens": 5})).unwrap().unwrap().0, 5);
    let error = of(json!({"max_tokens": 5, "max_completion_tokens": 6})).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("max_completion_tokens"));
}
