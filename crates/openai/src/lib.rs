//! The OpenAI-compatible HTTP API that customers' clients already speak.
//!
//! [`router`] answers `POST /v1/chat/completions`, `/v1/completions` and `/v1/embeddings` and `GET /v1/models` for
//! whatever is a [`Backend`]. What is taken, refused and told is in `docs/openai.md`. Nothing here knows workers, records
//! or connections to them.
//!
//! What a client sends is read in `chat`, `completions` and `embeddings`; what it is told while an answer is made is
//! decided in `telling`, and how much it may ask for in [`limits`]: all three are pure.

mod admission;
mod answer;
pub mod backend;
mod chat;
mod completions;
mod desk;
mod embeddings;
mod error;
pub mod fake;
mod faults;
mod fields;
mod form;
pub mod limits;
mod models;
mod passages;
mod refused;
mod settings;
mod sse;
mod telling;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing};
use tracing::Instrument;

pub use backend::Backend;
pub use error::ApiError;
pub use faults::{FAULTS, Meaning, Retry};

use desk::Desk;

/// The API. It has no fallback for other paths, so that it can be merged with a router that has.
pub fn router<B: Backend>(backend: Arc<B>) -> Router {
    let chat =
        |State(desk): State<Desk<B>>, request: Request| admission::counted(desk, request, chat::create);
    let completion = |State(desk): State<Desk<B>>, request: Request| {
        admission::counted(desk, request, completions::create)
    };
    let embedding =
        |State(desk): State<Desk<B>>, request: Request| admission::counted(desk, request, embeddings::create);
    let other = error::no_such_method;
    Router::new()
        .route("/v1/chat/completions", routing::post(chat).fallback(other))
        .route("/v1/completions", routing::post(completion).fallback(other))
        .route("/v1/embeddings", routing::post(embedding).fallback(other))
        .route("/v1/models", routing::get(models::list::<B>).fallback(other))
        // Names of models may have slashes, which not every client escapes.
        .route("/v1/models/{*name}", routing::get(models::get::<B>).fallback(other))
        .route_layer(from_fn(with_id))
        .with_state(Desk::new(backend))
}

/// Whether a body would be taken at a path, whatever models there are: what fuzzers and tests of parsers need.
pub fn check_request(path: &str, body: &[u8]) -> Result<(), ApiError> {
    match path {
        "/v1/chat/completions" => chat::ChatRequest::parse(body, 0).map(|_| ()),
        "/v1/completions" => completions::CompletionRequest::parse(body, 0).map(|_| ()),
        "/v1/embeddings" => embeddings::EmbeddingRequest::parse(body).map(|_| ()),
        _ => Err(ApiError::new("method_unknown", "nothing is asked for at this path with a body")),
    }
}

/// Gives every response an id, which clients show with errors and which our records have.
async fn with_id(request: Request, next: Next) -> Response {
    let id = match desk::draw_id("req_") {
        Ok(id) => id,
        Err(error) => return error.into_response(),
    };
    let span = tracing::info_span!("customer", request = id);
    let mut response = next.run(request).instrument(span).await;
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), id);
    }
    response
}
