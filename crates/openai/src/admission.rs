//! Who asks, whether they may, and the bytes of what they ask.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;

use crate::backend::{Backend, Customer};
use crate::desk::Desk;
use crate::error::ApiError;

/// Bytes of a request: its text ([`crate::settings::TEXT_BYTES_MAX`]) where each character is escaped, which takes three
/// times as much for most scripts, and as much again for what is around it.
pub(crate) const BODY_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bytes that are read and thrown away of a request that is refused: a client that is still sending when the connection
/// is closed never reads the answer. What is longer is no mistake.
const THROWN_AWAY_BYTES_MAX: usize = 4 * BODY_BYTES_MAX;
/// Time for a request's bytes to arrive, with which 8 MiB fit through a line of a megabit.
const BODY_TIMEOUT: Duration = Duration::from_secs(75);
/// A key of Lull is 57 characters; who sends a longer one is not looked up.
const KEY_CHARS_MAX: usize = 128;

/// Answers a request that counts against the customer's limits.
pub(crate) async fn counted<B, H, F>(desk: Desk<B>, request: Request, handle: H) -> Response
where
    B: Backend,
    H: FnOnce(Desk<B>, Customer, Bytes) -> F,
    F: Future<Output = Result<Response, ApiError>>,
{
    let (head, body) = request.into_parts();
    let customer = match authenticate(&desk, &head.headers).await {
        Ok(customer) => customer,
        Err(error) => return refuse(body, error).await,
    };
    let mut response = match desk.admit(&customer) {
        Err(refusal) => refuse(body, refusal.into()).await,
        Ok(()) => match read(body).await {
            Ok(body) => handle(desk.clone(), customer, body).await.into_response(),
            Err(error) => error.into_response(),
        },
    };
    for (name, value) in desk.standing(&customer).headers() {
        // Digits and letters, which every header may have.
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// The customer whose key the request carries.
pub(crate) async fn authenticate<B: Backend>(
    desk: &Desk<B>,
    headers: &HeaderMap,
) -> Result<Customer, ApiError> {
    let key = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .map(str::trim)
        .filter(|key| !key.is_empty() && key.len() <= KEY_CHARS_MAX)
        .ok_or_else(|| {
            ApiError::new("key_missing", "send your API key in the header “Authorization: Bearer KEY”")
        })?;
    Ok(desk.backend.authenticate(key).await?)
}

/// Reads a body.
async fn read(body: Body) -> Result<Bytes, ApiError> {
    let mut chunks = body.into_data_stream();
    let reading = async {
        let (mut bytes, mut thrown_away) = (Vec::new(), 0);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|error| {
                ApiError::new("request_malformed", format!("the request broke off: {error}"))
            })?;
            if thrown_away == 0 && bytes.len() + chunk.len() <= BODY_BYTES_MAX {
                bytes.extend_from_slice(&chunk);
                continue;
            }
            thrown_away += bytes.len() + chunk.len();
            bytes = Vec::new();
            if thrown_away > THROWN_AWAY_BYTES_MAX {
                break;
            }
        }
        if thrown_away > 0 {
            let message = format!("the request has more than {BODY_BYTES_MAX} bytes");
            return Err(ApiError::new("request_too_large", message));
        }
        Ok(Bytes::from(bytes))
    };
    let late = || ApiError::new("request_too_slow", "the request did not arrive in time; send it again");
    tokio::time::timeout(BODY_TIMEOUT, reading).await.unwrap_or_else(|_| Err(late()))
}

/// Refuses a request of which nothing is needed.
async fn refuse(body: Body, error: ApiError) -> Response {
    let mut chunks = body.into_data_stream();
    let throwing_away = async {
        let mut thrown_away = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            thrown_away += chunk.len();
            if thrown_away > BODY_BYTES_MAX {
                break;
            }
        }
    };
    // Whether all of it came makes no difference to the answer.
    let _ = tokio::time::timeout(BODY_TIMEOUT, throwing_away).await;
    error.into_response()
}
