//! The customers' HTTP API, as `lull_network_api::customer` documents it, and what operators look at.

mod auth;
mod blobs;
mod error;
mod jobs;
pub mod payload;
mod serve;

use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use lull_types::NetworkId;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::blobs::Blobs;
use crate::metrics::Metrics;
use crate::reader::Reader;
use crate::writer::Inbox;
use auth::BearerKey;
pub use error::ApiError;
pub use serve::{HttpConfig, HttpError, Listening, Tls, listen};

/// What the handlers work with.
#[derive(Clone, Debug)]
pub struct Desk {
    /// Where changes are asked for.
    pub inbox: Inbox,
    /// Where questions are answered.
    pub reader: Arc<Reader>,
    /// The blobs.
    pub blobs: Arc<Blobs>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Who signs the receipts.
    pub network: NetworkId,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lull: the customers' API",
        description = "Blobs, jobs, results and proofs. Money is in base units: 1 USDC is 1,000,000."
    ),
    modifiers(&BearerKey)
)]
struct ApiDocument;

/// The API and its description.
fn customer_api() -> OpenApiRouter<Desk> {
    OpenApiRouter::with_openapi(ApiDocument::openapi())
        .routes(routes!(blobs::put_blob, blobs::get_blob))
        .routes(routes!(jobs::create_job, jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::withdraw_job))
        .routes(routes!(jobs::get_results))
        .routes(routes!(jobs::get_picture))
        .routes(routes!(jobs::get_proof))
        .routes(routes!(auth::get_account))
}

/// All that is served to customers and, on `/metrics` and `/healthz`, to operators.
pub fn router(desk: Desk) -> Router {
    let (api, document) = customer_api().split_for_parts();
    let metrics = desk.metrics.clone();
    api.route("/openapi.json", routing::get(move || std::future::ready(Json(document.clone()))))
        .route("/metrics", routing::get(get_metrics))
        .route("/healthz", routing::get(get_health))
        .fallback(error::no_such_path)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            let metrics = metrics.clone();
            async move {
                let response = next.run(request).await;
                metrics.answered(response.status().as_u16());
                response
            }
        }))
        .with_state(desk)
}

/// In the text exposition format of Prometheus.
async fn get_metrics(State(desk): State<Desk>) -> Result<impl IntoResponse, ApiError> {
    let text = desk.metrics.text(&desk.reader).await?;
    Ok(([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text))
}

/// Whether the records can be read.
async fn get_health(State(desk): State<Desk>) -> Result<&'static str, ApiError> {
    desk.reader.read(|connection| connection.query_row("SELECT 1", [], |_| Ok(()))).await?;
    Ok("ok\n")
}
