//! What is not answered is refused so that clients know why.

use axum::body::Body;
use axum::http::{HeaderMap, Request};
use lull_openai::fake::{
    KEY, KEY_OF_FEW_REQUESTS, KEY_WITHOUT_MONEY, MODEL, MODEL_THAT_EMBEDS, MODEL_THAT_IS_BUSY,
    MODEL_THAT_STALLS,
};
use serde_json::{Value, json};

use crate::served::Served;

const CHAT: &str = "/v1/chat/completions";

fn chat(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "Hi"}]})
}

#[tokio::test]
async fn keys_are_needed_everywhere() {
    let served = Served::new();
    let asked = [
        Request::post(CHAT),
        Request::post("/v1/completions"),
        Request::post("/v1/embeddings"),
        Request::get("/v1/models"),
        Request::get("/v1/models/fake/repeats"),
    ];
    for request in asked {
        let answer = served.answer(request.body(Body::from("{}")).unwrap()).await;
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_api_key"));
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert_eq!(answer.header("x-ratelimit-limit-requests"), None);
    }
    let answer = served.post_as("lull_wrong", CHAT, &chat(MODEL)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (401, "invalid_api_key"));
    assert_eq!(served.backend.opened(), 0);
}

#[tokio::test]
async fn refusals_name_what_is_at_fault() {
    let served = Served::new();
    let with = |more: Value| {
        let mut request = chat(MODEL);
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    let table = [
        (CHAT, chat("gpt-4"), 404, "model_not_found", Some("model")),
        (CHAT, chat(MODEL_THAT_EMBEDS), 400, "unsupported_model", Some("model")),
        (CHAT, with(json!({"tools": [{"type": "function"}]})), 400, "unsupported_parameter", Some("tools")),
        (CHAT, with(json!({"top_logprobs": 3})), 400, "unsupported_parameter", Some("top_logprobs")),
        (CHAT, with(json!({"temperature": 3})), 400, "invalid_value", Some("temperature")),
        (CHAT, with(json!({"max_tokens": 5000})), 400, "invalid_value", Some("max_tokens")),
        (CHAT, json!([]), 400, "request_malformed", None),
        (CHAT, chat(MODEL_THAT_IS_BUSY), 503, "overloaded", None),
        ("/v1/completions", json!({"model": MODEL}), 400, "missing_required_parameter", Some("prompt")),
        ("/v1/embeddings", json!({"model": MODEL, "input": "a"}), 400, "unsupported_model", Some("model")),
        (
            "/v1/embeddings",
            json!({"model": MODEL_THAT_EMBEDS, "input": "a", "dimensions": 4}),
            400,
            "unsupported_parameter",
            Some("dimensions"),
        ),
    ];
    for (path, request, status, code, param) in table {
        let answer = served.post(path, &request).await;
        let told = answer.json();
        assert_eq!((answer.status.as_u16(), answer.code().as_str()), (status, code), "{request}");
        assert_eq!(told["error"]["param"].as_str(), param, "{request}");
        assert!(told["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
        assert!(answer.header("x-request-id").is_some());
    }
    let busy = served.post(CHAT, &chat(MODEL_THAT_IS_BUSY)).await;
    assert_eq!(busy.header("retry-after"), Some("3"));
}

#[tokio::test]
async fn whoever_asks_too_much_is_told_when_to_ask_again() {
    let served = Served::new();
    let mut answered = 0;
    let refused = loop {
        let answer = served.post_as(KEY_OF_FEW_REQUESTS, CHAT, &chat(MODEL)).await;
        assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("60"));
        if answer.status.as_u16() != 200 {
            break answer;
        }
        answered += 1;
    };
    // Some flow in while the others are asked for.
    assert!((60..100).contains(&answered), "{answered}");
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limit_exceeded"));
    assert_eq!(refused.json()["error"]["type"], "requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    let other = served.post_as(KEY, CHAT, &chat(MODEL)).await;
    assert_eq!(other.status.as_u16(), 200);
}

#[tokio::test]
async fn whoever_has_no_money_is_told_not_to_try_again() {
    let served = Served::new();
    let answer = served.post_as(KEY_WITHOUT_MONEY, CHAT, &chat(MODEL)).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (429, "insufficient_quota"));
    assert_eq!(answer.json()["error"]["type"], "insufficient_quota");
    assert_eq!(answer.header("x-should-retry"), Some("false"));
}

#[tokio::test]
async fn methods_and_sizes_are_bounded() {
    let served = Served::new();
    let answer = served.get(CHAT).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (405, "method_not_supported"));
    let long = json!({"model": "x".repeat(8 * 1024 * 1024)});
    let answer = served.post(CHAT, &long).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (413, "request_too_large"));
}

#[tokio::test]
async fn tokens_are_taken_while_an_answer_is_made_and_put_back_after() {
    let served = Served::new();
    let completion = |model: &str, stream: bool| json!({"model": model, "prompt": "one two", "max_tokens": 4_000, "stream": stream});
    let remaining = |headers: &HeaderMap| -> u32 {
        headers["x-ratelimit-remaining-tokens"].to_str().unwrap().parse().unwrap()
    };
    let post = |body: Value| {
        let request =
            Request::post("/v1/completions").header("authorization", format!("Bearer {KEY_OF_FEW_REQUESTS}"));
        request.body(Body::from(body.to_string())).unwrap()
    };
    let busy = served.answer(post(completion(MODEL_THAT_IS_BUSY, false))).await;
    assert_eq!(remaining(&busy.headers), 6_000, "a failure is not the customer's");
    let answer = served.answer(post(completion(MODEL, false))).await;
    assert!(remaining(&answer.headers) >= 5_996, "four tokens were used");
    // What flows in while this runs is a hundred tokens a second.
    let stalling = served.respond(post(completion(MODEL_THAT_STALLS, true))).await;
    assert!(remaining(stalling.headers()) < 4_000, "all that the answer may come to is taken");
    let refused = served.answer(post(completion(MODEL, false))).await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (429, "rate_limit_exceeded"));
    assert_eq!(refused.json()["error"]["type"], "tokens");
    drop(stalling);
    served.backend.until_closed().await;
}
