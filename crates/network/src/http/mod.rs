//! The customers' HTTP API, as `lull_network_api::customer` documents it, and what operators look at.

mod auth;
mod blobs;
mod epochs;
mod error;
mod funds;
mod jobs;
pub mod payload;
mod serve;
mod solana;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::IntoResponse;
use axum::{Json, Router, routing};
use lull_settlement::chain::svm::Ledger;
use lull_types::NetworkId;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::blobs::Blobs;
use crate::metrics::Metrics;
use crate::payouts::deposits::Deposits;
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
    /// Where customers pay, if this network pays on a chain.
    pub deposits: Option<Arc<Deposits>>,
    /// Folder of published epochs.
    pub epochs: PathBuf,
    /// The ledger of a practice network that pays on its own.
    pub practice_ledger: Option<Ledger>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Lull: the customers' API",
        description = "Blobs, jobs, results, proofs, deposits and refunds; for everyone, published epochs. Money is in base units: 1 USDC is 1,000,000."
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
        .routes(routes!(funds::create_deposit, funds::list_deposits))
        .routes(routes!(funds::get_deposit))
        .routes(routes!(funds::get_deposit_qr))
        .routes(routes!(funds::create_refund, funds::list_refunds))
        .routes(routes!(funds::get_refund))
        .routes(routes!(epochs::list_epochs))
        .routes(routes!(epochs::get_epoch))
}

/// All that is served to customers and, on `/metrics` and `/healthz`, to operators.
pub fn router(desk: Desk) -> Router {
    let (api, document) = customer_api().split_for_parts();
    let metrics = desk.metrics.clone();
    api.route("/openapi.json", routing::get(move || std::future::ready(Json(document.clone()))))
        .route("/metrics", routing::get(get_metrics))
        .route("/healthz", routing::get(get_health))
        .route(
            "/solana",
            routing::post(solana::answer).layer(DefaultBodyLimit::max(solana::REQUEST_BYTES_MAX)),
        )
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
