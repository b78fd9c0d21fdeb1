//! Blobs over HTTP.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use lull_network_api::BLOB_BYTES_MAX;
use lull_types::{BlobHash, Coded};
use tokio_util::io::{ReaderStream, StreamReader};

use super::auth::Customer;
use super::error::ErrorBody;
use super::{ApiError, Desk};
use crate::blobs::BlobError;
use crate::engine::{BlobOwner, Input};
use crate::store::queries;

/// Time for a blob of no length.
const UPLOAD_TIMEOUT_MIN: Duration = Duration::from_secs(30);
/// The slowest line that is waited for, as for workers.
const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 32 * 1024;

fn parse(hash: &str) -> Result<BlobHash, ApiError> {
    hash.parse().map_err(|_| {
        ApiError::new("hash_malformed", "a blob is named by its BLAKE3 hash: 64 hexadecimal digits")
    })
}

/// Stores a blob: the body is its bytes, at most 128 MiB, and the path their BLAKE3 hash. Putting the same blob
/// again does no harm.
#[utoipa::path(
    put, path = "/v1/blobs/{hash}", tag = "blobs", security(("api_key" = [])),
    params(("hash" = String, Path, description = "BLAKE3 of the bytes, 64 hexadecimal digits")),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses(
        (status = 201, description = "Stored"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 413, body = ErrorBody, description = "Larger than a blob may be"),
        (status = 422, body = ErrorBody, description = "The bytes have another hash"),
        (status = 507, body = ErrorBody, description = "The network's disk is full"),
    )
)]
pub(super) async fn put_blob(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(hash): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    let hash = parse(&hash)?;
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<u64>().ok());
    let source = StreamReader::new(body.into_data_stream().map_err(std::io::Error::other));
    let bytes = announced.unwrap_or(BLOB_BYTES_MAX).min(BLOB_BYTES_MAX);
    let timeout = UPLOAD_TIMEOUT_MIN + Duration::from_secs(bytes / UPLOAD_BYTES_PER_SECOND_MIN);
    let stored = tokio::time::timeout(timeout, desk.blobs.put_from(hash, announced, BLOB_BYTES_MAX, source));
    let bytes = stored
        .await
        .map_err(|_| ApiError::new("request_too_slow", "the blob did not arrive in time; send it again"))?
        .map_err(|error| ApiError::of(&error))?;
    let by = BlobOwner::Customer(customer);
    desk.inbox.ask(Input::BlobStored { hash, bytes, by }).await?;
    Ok(StatusCode::CREATED)
}

/// Fetches a blob that this customer has put, or an output of one of its jobs.
#[utoipa::path(
    get, path = "/v1/blobs/{hash}", tag = "blobs", security(("api_key" = [])),
    params(("hash" = String, Path, description = "BLAKE3 of the bytes, 64 hexadecimal digits")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    )
)]
pub(super) async fn get_blob(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(hash): Path<String>,
) -> Result<Response, ApiError> {
    let hash = parse(&hash)?;
    let unknown = || ApiError::new("blob_unknown", "no blob of yours has this hash, or it is no longer kept");
    if !desk.reader.read(move |db| queries::customer_may_get(db, customer, hash)).await? {
        return Err(unknown());
    }
    let (file, bytes) = match desk.blobs.reader(hash).await {
        Err(BlobError::Missing(_)) => return Err(unknown()),
        other => other.map_err(|error| ApiError(error.fault()))?,
    };
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        // The name is the content: it never changes. Private, as it needs a key.
        (header::CACHE_CONTROL, "private, immutable, max-age=31536000".to_owned()),
    ];
    Ok((headers, Body::from_stream(ReaderStream::new(file))).into_response())
}
