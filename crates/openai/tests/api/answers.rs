//! What is asked for is answered as OpenAI does.

use lull_openai::backend::{ChatMessage, Passage, Prompt, Role};
use lull_openai::fake::{CONTEXT_TOKENS, MODEL, MODEL_THAT_BREAKS, MODEL_THAT_EMBEDS};
use serde_json::{Value, json};

use crate::served::Served;

fn chat(more: Value) -> Value {
    let mut request = json!({"model": MODEL, "messages": [{"role": "user", "content": "one two three"}]});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

/// Takes out what is drawn, after a look at it.
fn without_drawn(mut answer: Value, prefix: &str) -> Value {
    let fields = answer.as_object_mut().unwrap();
    let id = fields.remove("id").unwrap();
    assert!(id.as_str().unwrap().strip_prefix(prefix).is_some_and(|rest| rest.len() == 24), "{id}");
    assert!(fields.remove("created").unwrap().as_u64() > Some(1_700_000_000));
    answer
}

#[tokio::test]
async fn a_chat_is_answered_whole() {
    let served = Served::new();
    let answer = served.post("/v1/chat/completions", &chat(json!({"seed": 5}))).await;
    let expected = json!({
        "object": "chat.completion",
        "model": MODEL,
        "system_fingerprint": "fp_fake",
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": "one two three", "refusal": null},
            "logprobs": null,
            "finish_reason": "stop",
        }],
        "usage": {
            "prompt_tokens": 3, "completion_tokens": 3, "total_tokens": 6,
            "prompt_tokens_details": {"cached_tokens": 1},
        },
        "lull": {"price": 9, "seed": 5},
    });
    assert_eq!(without_drawn(answer.json(), "chatcmpl-"), expected);
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")));
    assert_eq!(answer.header("x-ratelimit-limit-requests"), Some("4294967295"));
    let asks = served.backend.asks();
    let message = ChatMessage { role: Role::User, text: "one two three".to_owned() };
    assert_eq!(*asks[0].prompt, Prompt::Chat(vec![message]));
    assert_eq!((asks[0].sampling.seed, asks[0].tokens_max, asks[0].logprobs), (5, None, false));
}

#[tokio::test]
async fn a_seed_that_is_drawn_is_told() {
    let served = Served::new();
    let seeds = [0, 1].map(|_| chat(json!({})));
    for (at, request) in seeds.iter().enumerate() {
        let answer = served.post("/v1/chat/completions", request).await.json();
        let seed = answer["lull"]["seed"].as_u64().unwrap();
        assert!(seed < 1 << 53);
        assert_eq!(served.backend.asks()[at].sampling.seed, seed);
    }
    let asks = served.backend.asks();
    assert_ne!(asks[0].sampling.seed, asks[1].sampling.seed);
}

#[tokio::test]
async fn a_chat_is_streamed() {
    let served = Served::new();
    let request =
        chat(json!({"stream": true, "stream_options": {"include_usage": true}, "n": 2, "max_tokens": 2}));
    let answer = served.post("/v1/chat/completions", &request).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("x-accel-buffering"), Some("no"));
    let chunks = answer.chunks();
    let id = chunks[0]["id"].clone();
    for chunk in &chunks {
        assert_eq!((&chunk["id"], &chunk["object"]), (&id, &json!("chat.completion.chunk")));
    }
    for index in 0..2 {
        let of_this = chunks.iter().filter_map(|chunk| {
            chunk["choices"].as_array().unwrap().iter().find(|choice| choice["index"] == index)
        });
        let of_this: Vec<&Value> = of_this.collect();
        assert_eq!(of_this[0]["delta"], json!({"role": "assistant", "content": ""}));
        let text: Vec<&str> =
            of_this.iter().filter_map(|choice| choice["delta"]["content"].as_str()).collect();
        assert_eq!(text.concat(), "one two ");
        assert_eq!(of_this.last().unwrap()["finish_reason"], "length");
    }
    let last = chunks.last().unwrap();
    assert_eq!(last["choices"], json!([]));
    assert_eq!(last["usage"]["total_tokens"], 10);
    assert_eq!(last["lull"]["price"], 14);
    served.backend.until_closed().await;
    let seeds: Vec<u64> = served.backend.asks().iter().map(|ask| ask.sampling.seed).collect();
    assert_eq!(seeds[1], seeds[0] + 1);
}

#[tokio::test]
async fn a_stream_that_breaks_tells_why_and_ends() {
    let served = Served::new();
    let request = chat(json!({"stream": true, "model": MODEL_THAT_BREAKS}));
    let answer = served.post("/v1/chat/completions", &request).await;
    let events = answer.events();
    let error: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "worker_lost");
    assert!(!answer.text.contains("[DONE]"));
    let request = chat(json!({"model": MODEL_THAT_BREAKS}));
    let answer = served.post("/v1/chat/completions", &request).await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (503, "worker_lost"));
}

#[tokio::test]
async fn tokens_are_told_where_they_are_asked_for() {
    let served = Served::new();
    let answer = served.post("/v1/chat/completions", &chat(json!({"logprobs": true}))).await.json();
    let second = &answer["choices"][0]["logprobs"]["content"][1];
    let bytes = json!(b"two ");
    assert_eq!(*second, json!({"token": "two ", "bytes": bytes, "logprob": -1.0, "top_logprobs": []}));
    let request = json!({"model": MODEL, "prompt": "one two", "logprobs": 0});
    let answer = served.post("/v1/completions", &request).await.json();
    let expected = json!({
        "tokens": ["one ", "two"], "token_logprobs": [-0.5, -1.0], "top_logprobs": null, "text_offset": [0, 4],
    });
    assert_eq!(answer["choices"][0]["logprobs"], expected);
}

#[tokio::test]
async fn completions_are_answered_prompt_by_prompt() {
    let served = Served::new();
    let request = json!({"model": MODEL, "prompt": ["a b", "c d"], "n": 2, "stop": [" b"], "seed": -1});
    let answer = without_drawn(served.post("/v1/completions", &request).await.json(), "cmpl-");
    let choice = |index: u32, text: &str| json!({"index": index, "text": text, "logprobs": null, "finish_reason": "stop"});
    assert_eq!(
        answer["choices"],
        json!([choice(0, "a"), choice(1, "a"), choice(2, "c d"), choice(3, "c d")])
    );
    assert_eq!(answer["lull"]["seed"], -1);
    let request = json!({"model": MODEL, "prompt": [[5, 6]], "stream": true});
    let chunks = served.post("/v1/completions", &request).await.chunks();
    let text: Vec<&str> = chunks.iter().filter_map(|chunk| chunk["choices"][0]["text"].as_str()).collect();
    assert_eq!(text.concat(), "5 6");
    assert_eq!(chunks.last().unwrap()["lull"]["price"], 6);
    assert!(chunks.iter().all(|chunk| chunk.get("usage").is_none()));
    assert_eq!(*served.backend.asks()[4].prompt, Prompt::Plain(Passage::Tokens(vec![5, 6])));
}

#[tokio::test]
async fn embeddings_are_numbers_or_base_64() {
    let served = Served::new();
    let request = json!({"model": MODEL_THAT_EMBEDS, "input": ["a", "b b"]});
    let answer = served.post("/v1/embeddings", &request).await.json();
    let vector = json!([0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(answer["data"][0], json!({"object": "embedding", "index": 0, "embedding": vector}));
    assert_eq!(answer["data"][1]["index"], 1);
    assert_eq!(answer["usage"], json!({"prompt_tokens": 3, "total_tokens": 3}));
    assert_eq!(answer["lull"], json!({"price": 3}));
    let request =
        json!({"model": MODEL_THAT_EMBEDS, "input": [97], "encoding_format": "base64", "dimensions": 8});
    let answer = served.post("/v1/embeddings", &request).await.json();
    assert_eq!(answer["data"][0]["embedding"].as_str().unwrap().len(), 44);
}

#[tokio::test]
async fn models_are_listed_with_their_prices() {
    let served = Served::new();
    let list = served.get("/v1/models").await.json();
    assert_eq!((&list["object"], list["data"].as_array().unwrap().len()), (&json!("list"), 5));
    let expected = json!({
        "id": MODEL, "object": "model", "created": 1_700_000_000, "owned_by": "fake network",
        "lull": {
            "context_tokens": CONTEXT_TOKENS,
            "price_per_1000_prompt_tokens": 1_000,
            "price_per_1000_completion_tokens": 2_000,
            "licence": "Apache-2.0",
            "generates": true,
            "embedding_dimensions": null,
        },
    });
    assert_eq!(list["data"][0], expected);
    for path in ["/v1/models/fake/repeats", "/v1/models/fake%2Frepeats"] {
        assert_eq!(served.get(path).await.json(), expected);
    }
    let unknown = served.get("/v1/models/gpt-4").await;
    assert_eq!((unknown.status.as_u16(), unknown.code().as_str()), (404, "model_not_found"));
}
