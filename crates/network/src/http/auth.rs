//! API keys: who a request comes from.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::header;
use axum::http::request::Parts;
use lull_network_api::customer::Account;
use lull_types::CustomerId;
use utoipa::Modify;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::error::ErrorBody;
use super::{ApiError, Desk};
use crate::store::{api_key_hash, queries};

/// A key is 57 characters; who sends a longer one is not looked up.
const KEY_CHARS_MAX: usize = 128;

/// Adds the scheme of the API keys to the description.
pub(super) struct BearerKey;

impl Modify for BearerKey {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        document.components.get_or_insert_default().add_security_scheme("api_key", scheme);
    }
}

/// The customer whose key the request carries.
///
/// The key is looked up by its BLAKE3 hash. The time that takes may tell how much of the hash of a wrong key
/// agrees with some stored hash, which leads to no key: it would have to be found from its hash.
#[derive(Clone, Copy, Debug)]
pub(super) struct Customer(pub CustomerId);

impl FromRequestParts<Desk> for Customer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, desk: &Desk) -> Result<Self, ApiError> {
        let key = parts
            .headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim)
            .filter(|key| key.len() <= KEY_CHARS_MAX)
            .ok_or_else(|| {
                ApiError::new("key_missing", "send your API key in the header “Authorization: Bearer KEY”")
            })?;
        let hash = api_key_hash(key);
        let customer = desk.reader.read(move |db| queries::customer_by_key(db, &hash)).await?;
        customer.map(Self).ok_or_else(|| {
            ApiError::new("key_unknown", "no customer has this API key; check that it was copied whole")
        })
    }
}

/// The account: what is free to spend, and what is reserved for running jobs.
#[utoipa::path(
    get, path = "/v1/account", tag = "account", security(("api_key" = [])),
    responses((status = 200, body = Account), (status = 401, body = ErrorBody))
)]
pub(super) async fn get_account(
    State(desk): State<Desk>,
    Customer(customer): Customer,
) -> Result<Json<Account>, ApiError> {
    let account = desk.reader.read(move |db| queries::account(db, customer)).await?;
    account.map(Json).ok_or_else(|| ApiError::new("key_unknown", "this customer's account is gone"))
}
