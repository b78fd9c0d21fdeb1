//! The practice ledger's JSON-RPC, so that a practice network is read and checked as a real cluster is.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use lull_settlement::chain::svm::facade;

use super::{ApiError, Desk};

/// The largest question: 256 signatures, with room to spare.
pub(super) const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// Solana's JSON-RPC over the practice ledger.
pub(super) async fn answer(State(desk): State<Desk>, request: Bytes) -> Response {
    match &desk.practice_ledger {
        Some(ledger) => Json(facade::answer(ledger, &request).await).into_response(),
        None => ApiError::new(
            "path_unknown",
            "this network keeps no ledger of its own; ask an endpoint of the cluster that it pays on",
        )
        .into_response(),
    }
}
