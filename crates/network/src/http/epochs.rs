//! Published epochs over HTTP, for everyone: what they hold is on the chain by its root, and wallets are on it anyway.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use lull_network_api::funds::PublishedEpoch;
use tokio_util::io::ReaderStream;

use super::error::ErrorBody;
use super::{ApiError, Desk};
use crate::payouts::publication_file;
use crate::store::funds;

/// Epochs in one list, the newest first: some twenty years of weeks.
const LISTED_MAX: u32 = 1000;

/// The newest published epochs, at most a thousand.
#[utoipa::path(get, path = "/epochs", tag = "epochs", responses((status = 200, body = Vec<PublishedEpoch>)))]
pub(super) async fn list_epochs(State(desk): State<Desk>) -> Result<Json<Vec<PublishedEpoch>>, ApiError> {
    Ok(Json(desk.reader.read(|db| funds::epochs(db, LISTED_MAX)).await?))
}

/// The file of an epoch, as docs/settlement.md lays it out: every worker's lifetime earnings, which anyone can check
/// against the root in the network's account on the chain.
#[utoipa::path(
    get, path = "/epochs/{number}", tag = "epochs",
    params(("number" = u64, Path, description = "The epoch's number")),
    responses(
        (status = 200, content_type = "application/octet-stream", body = Vec<u8>),
        (status = 304, description = "You have it: the entity tag is its root"),
        (status = 404, body = ErrorBody),
    )
)]
pub(super) async fn get_epoch(
    State(desk): State<Desk>,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let unknown =
        || ApiError::new("epoch_unknown", "no such epoch is published here; /epochs lists those that are");
    let number: u64 = number.parse().map_err(|_| unknown())?;
    let root = desk.reader.read(move |db| funds::epoch_root(db, number)).await?.ok_or_else(unknown)?;
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&root));
    // Once it is in the records, the file of an epoch never changes.
    let lasting = [
        (header::ETAG, tag.clone()),
        (header::CACHE_CONTROL, "public, immutable, max-age=31536000".to_owned()),
    ];
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, lasting).into_response());
    }
    let unusable = |error: std::io::Error| {
        ApiError::new("disk_failed", format!("the file of this epoch cannot be read: {error}"))
    };
    let file = match tokio::fs::File::open(publication_file(&desk.epochs, number)).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(unknown()),
        opened => opened.map_err(unusable)?,
    };
    let bytes = file.metadata().await.map_err(unusable)?.len();
    let about = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, bytes.to_string()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{number}.epoch\"")),
    ];
    Ok((lasting, about, Body::from_stream(ReaderStream::new(file))).into_response())
}

/// Whether the other side has what this tag names.
fn has(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}
