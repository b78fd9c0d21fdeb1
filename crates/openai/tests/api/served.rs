//! The API on the fake backend, in the process and on a socket.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use axum::routing::get;
use lull_openai::fake::{FakeBackend, KEY};
use serde_json::Value;
use tower::ServiceExt;

/// More than any answer here has.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A response that was read.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The error's code.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The data of each event.
    pub fn events(&self) -> Vec<&str> {
        assert!(self.text.ends_with("\n\n"), "the last event is not complete: {}", self.text);
        let events = self.text.trim_end().split("\n\n");
        events.map(|event| event.strip_prefix("data: ").unwrap()).collect()
    }

    /// The data of each event but the last, which says that there are no more.
    pub fn chunks(&self) -> Vec<Value> {
        let mut events = self.events();
        assert_eq!(events.pop(), Some("[DONE]"));
        events.into_iter().map(|event| serde_json::from_str(event).unwrap()).collect()
    }
}

/// The API, and what answers.
pub struct Served {
    pub backend: Arc<FakeBackend>,
    router: Router,
}

impl Served {
    pub fn new() -> Self {
        let backend = Arc::new(FakeBackend::default());
        Self { router: lull_openai::router(backend.clone()), backend }
    }

    /// Begins to answer a request.
    pub async fn respond(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Answers a request.
    pub async fn answer(&self, request: Request<Body>) -> Answer {
        let (head, body) = self.respond(request).await.into_parts();
        let bytes = to_bytes(body, ANSWER_BYTES_MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.into()).unwrap() }
    }

    /// Posts with a key.
    pub async fn post_as(&self, key: &str, path: &str, body: &Value) -> Answer {
        let request = Request::post(path).header("authorization", format!("Bearer {key}"));
        self.answer(request.body(body.to_string().into()).unwrap()).await
    }

    /// Posts with the key that may do all.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_as(KEY, path, body).await
    }

    /// Gets with the key that may do all.
    pub async fn get(&self, path: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {KEY}"));
        self.answer(request.body(Body::empty()).unwrap()).await
    }

    /// Serves on a free port of this machine, beside `/until_closed`, which answers when no answer is waited for any
    /// more. Ends with the runtime.
    pub async fn listen(&self) -> SocketAddr {
        let backend = self.backend.clone();
        let until_closed = get(move || async move {
            backend.until_closed().await;
            "closed"
        });
        let router = self.router.clone().route("/until_closed", until_closed);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}
