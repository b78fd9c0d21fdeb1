//! Errors as customers see them: a fault in JSON, with the status that fits its code.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use lull_types::{Coded, Fault};
use serde::Serialize;
use utoipa::ToSchema;

use crate::reader::ReadError;

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// A stable code.
    pub code: String,
    /// What happened, what it means and what to do.
    pub sentence: String,
}

/// An answer that is an error.
#[derive(Clone, Debug)]
pub struct ApiError(pub Fault);

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> Self {
        Self(error.fault())
    }
}

impl ApiError {
    /// From an error with a code.
    pub fn of(error: &impl Coded) -> Self {
        Self(error.fault())
    }

    /// From a code and a sentence.
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self(Fault::new(code, sentence))
    }

    /// The status that fits. A code that is not named here says what is wrong with a request that could be
    /// read: 422.
    pub fn status(&self) -> StatusCode {
        match self.0.code.as_str() {
            "request_malformed" | "blob_cut_short" | "connection_broken" => StatusCode::BAD_REQUEST,
            "key_missing" | "key_unknown" => StatusCode::UNAUTHORIZED,
            "deposit_too_small" => StatusCode::PAYMENT_REQUIRED,
            "blob_unknown" | "job_unknown" | "deposit_unknown" | "refund_unknown" | "epoch_unknown"
            | "picture_none" | "path_unknown" => StatusCode::NOT_FOUND,
            "method_unknown" => StatusCode::METHOD_NOT_ALLOWED,
            "request_too_slow" => StatusCode::REQUEST_TIMEOUT,
            "idempotency_key_reused" | "job_ended" | "refund_under_way" => StatusCode::CONFLICT,
            "deposits_too_many" => StatusCode::TOO_MANY_REQUESTS,
            "blob_too_large" | "request_too_large" => StatusCode::PAYLOAD_TOO_LARGE,
            "disk_full" | "network_disk_full" => StatusCode::INSUFFICIENT_STORAGE,
            "network_store_failed"
            | "network_shutting_down"
            | "store_unusable"
            | "chain_unreachable"
            | "chain_disagreement"
            | "chain_unreadable"
            | "chain_refused" => StatusCode::SERVICE_UNAVAILABLE,
            "disk_failed"
            | "blob_damaged"
            | "network_contradiction"
            | "picture_failed"
            | "metrics_failed" => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new("request_too_large", "the request is over the limit of this path");
        }
        Self::new("request_malformed", format!("the request cannot be understood: {}", rejection.body_text()))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::warn!(code = self.0.code, sentence = self.0.sentence, "a customer's request failed");
        }
        let mut response = (status, Json(self.0)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let scheme = header::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        // Part of the request's body may not have been read, and what follows on the connection would be taken for
        // the next request.
        let leaves_unread =
            [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT, StatusCode::UNAUTHORIZED];
        if leaves_unread.contains(&status) {
            response.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
        }
        response
    }
}

/// For paths that are not served.
pub async fn no_such_path() -> ApiError {
    ApiError::new("path_unknown", "there is nothing at this path; /openapi.json lists what there is")
}

/// For methods that a path does not have.
pub async fn no_such_method() -> ApiError {
    ApiError::new("method_unknown", "this path does not take this method; /openapi.json lists what it takes")
}
