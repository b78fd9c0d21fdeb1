//! Clients that go away, and pauses in which nothing comes.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use futures_util::StreamExt;
use lull_openai::fake::{KEY, MODEL_THAT_STALLS};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::Served;

fn stalling(stream: bool, n: u32) -> String {
    let messages = json!([{"role": "user", "content": "one two three"}]);
    json!({"model": MODEL_THAT_STALLS, "messages": messages, "stream": stream, "n": n}).to_string()
}

/// Asks over a connection.
async fn asking(served: &Served, body: &str) -> TcpStream {
    let mut connection = TcpStream::connect(served.listen().await).await.unwrap();
    let bytes = body.len();
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nHost: lull\r\nAuthorization: Bearer {KEY}\r\nContent-Length: {bytes}\r\n\r\n"
    );
    connection.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    connection
}

#[tokio::test]
async fn answers_end_when_the_client_of_a_stream_is_gone() {
    let served = Served::new();
    let mut connection = asking(&served, &stalling(true, 2)).await;
    let mut read = String::new();
    while !read.contains("one ") {
        let mut bytes = [0; 1024];
        let count = connection.read(&mut bytes).await.unwrap();
        assert_ne!(count, 0, "the stream ended: {read}");
        read.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
    }
    assert_eq!(served.backend.opened(), 2);
    drop(connection);
    served.backend.until_closed().await;
}

#[tokio::test]
async fn answers_end_when_the_client_that_waits_for_the_whole_is_gone() {
    let served = Served::new();
    let connection = asking(&served, &stalling(false, 1)).await;
    // It is known that the answer was begun, without a look at the clock.
    while served.backend.opened() == 0 {
        tokio::task::yield_now().await;
    }
    drop(connection);
    served.backend.until_closed().await;
}

#[tokio::test(start_paused = true)]
async fn silence_is_filled_with_comments() {
    let served = Served::new();
    let request = Request::post("/v1/chat/completions").header("authorization", format!("Bearer {KEY}"));
    let response = served.respond(request.body(Body::from(stalling(true, 1))).unwrap()).await;
    let mut frames = response.into_body().into_data_stream();
    let started = tokio::time::Instant::now();
    let mut comments = Vec::new();
    while comments.len() < 3 {
        let frame = frames.next().await.unwrap().unwrap();
        let text = std::str::from_utf8(&frame).unwrap();
        if text.starts_with(':') {
            assert!(text.ends_with("\n\n"), "{text:?}");
            comments.push(started.elapsed());
        }
    }
    assert_eq!(comments, [15, 30, 45].map(Duration::from_secs));
    drop(frames);
    served.backend.until_closed().await;
}
