use lull_types::infer::Finish;
use lull_types::{BaseUnits, Fault};
use serde_json::{Value, json};

use super::*;
use crate::backend::{ChosenToken, Finished, Usage};
use crate::chat::ChatForm;
use crate::completions::CompletionForm;

fn telling<F: Form>(form: F, answers: usize, include_usage: bool) -> Telling<F> {
    let envelope = Envelope {
        id: "id".to_owned(),
        object: F::CHUNK_OBJECT,
        created: 5,
        model: "m".to_owned(),
        system_fingerprint: "fp".to_owned(),
    };
    Telling::new(form, envelope, answers, 7, include_usage)
}

fn text(text: &str) -> Heard {
    Heard::Piece(Piece::Text { text: text.to_owned(), tokens: Vec::new() })
}

fn done(finish: Finish) -> Heard {
    let usage = Usage { prompt_tokens: 4, cached_prompt_tokens: 1, completion_tokens: 2 };
    Heard::Piece(Piece::Done(Finished { finish, usage, price: BaseUnits(9) }))
}

/// Events as values, without what all have in common.
fn told(events: &[String]) -> Vec<Value> {
    let read = |event: &String| {
        let Ok(mut value) = serde_json::from_str::<Value>(event) else { return json!(event) };
        let fields = value.as_object_mut().unwrap();
        if fields.contains_key("choices") {
            for (name, expected) in [("id", json!("id")), ("created", json!(5)), ("model", json!("m"))] {
                assert_eq!(fields.remove(name), Some(expected));
            }
            assert_eq!(fields.remove("system_fingerprint"), Some(json!("fp")));
            fields.remove("object");
        }
        value
    };
    events.iter().map(read).collect()
}

fn chat(index: u32, delta: Value, finish_reason: Option<&str>) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": finish_reason})
}

#[test]
fn a_chat_opens_goes_on_and_closes() {
    let mut telling = telling(ChatForm { logprobs: false }, 1, false);
    let opening = chat(0, json!({"role": "assistant", "content": ""}), None);
    assert_eq!(told(&telling.open()), [json!({"choices": [opening]})]);
    let more = chat(0, json!({"content": "Hi"}), None);
    assert_eq!(told(&telling.handle(0, text("Hi"))), [json!({"choices": [more]})]);
    assert_eq!(telling.handle(0, text("")), [""; 0], "nothing is told of nothing");
    let closing = chat(0, json!({}), Some("stop"));
    let last = json!({"choices": [closing], "lull": {"price": 9, "seed": 7}});
    assert_eq!(told(&telling.handle(0, done(Finish::StopString))), [last, json!("[DONE]")]);
    assert!(telling.is_over());
    assert_eq!(telling.tokens(), 6);
    assert_eq!(telling.handle(0, Heard::End), [""; 0]);
}

#[test]
fn usage_comes_last_and_only_if_it_is_asked_for() {
    let mut telling = telling(ChatForm { logprobs: false }, 2, true);
    assert!(
        told(&telling.open()).iter().all(|chunk| chunk["usage"].is_null() && chunk.get("usage").is_some())
    );
    let first = told(&telling.handle(1, done(Finish::Length)));
    assert_eq!(first, [json!({"choices": [chat(1, json!({}), Some("length"))], "usage": null})]);
    assert_eq!(telling.handle(1, text("late")), [""; 0], "an answer that is complete has no more text");
    let last = told(&telling.handle(0, done(Finish::EndOfText)));
    let usage = json!({
        "prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 2},
    });
    let expected = [
        json!({"choices": [chat(0, json!({}), Some("stop"))], "usage": null}),
        json!({"choices": [], "usage": usage, "lull": {"price": 18, "seed": 7}}),
        json!("[DONE]"),
    ];
    assert_eq!(last, expected);
}

#[test]
fn tokens_are_told_where_they_are_asked_for() {
    let mut telling = telling(ChatForm { logprobs: true }, 1, false);
    let tokens = vec![ChosenToken { bytes: b"\xf0\x9f".to_vec(), logprob: -0.25 }];
    let events = telling.handle(0, Heard::Piece(Piece::Text { text: String::new(), tokens }));
    let token = json!({"token": "\u{fffd}", "bytes": [0xf0, 0x9f], "logprob": -0.25, "top_logprobs": []});
    assert_eq!(told(&events)[0]["choices"][0]["logprobs"], json!({"content": [token], "refusal": null}));
}

#[test]
fn completions_have_no_opening() {
    let mut telling = telling(CompletionForm::new(false, 1), 1, false);
    assert_eq!(telling.open(), [""; 0]);
    let events = told(&telling.handle(0, text("Hi")));
    let choice = json!({"index": 0, "text": "Hi", "logprobs": null, "finish_reason": null});
    assert_eq!(events, [json!({"choices": [choice]})]);
    let events = told(&telling.handle(0, done(Finish::Length)));
    assert_eq!(events[0]["choices"][0]["finish_reason"], "length");
}

#[test]
fn an_error_is_the_last_that_is_told() {
    let failures = [
        (Heard::Piece(Piece::Failed(Fault::new("worker_lost", "gone"))), "worker_lost"),
        (Heard::End, "answer_cut_short"),
    ];
    for (heard, code) in failures {
        let mut telling = telling(ChatForm { logprobs: false }, 2, true);
        let events = told(&telling.handle(1, heard));
        assert_eq!(events.len(), 1);
        assert_eq!(events[0]["error"]["code"], code);
        assert!(telling.is_over());
        assert_eq!(telling.handle(0, text("late")), [""; 0]);
    }
}
