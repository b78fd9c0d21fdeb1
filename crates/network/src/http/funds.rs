//! Deposits and refunds over HTTP.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use lull_network_api::funds::{Deposit, DepositState, NewDeposit, NewRefund, Refund};
use lull_settlement::qr;
use lull_types::{BaseUnits, Coded, CustomerId, DepositId};

use super::auth::Customer;
use super::error::ErrorBody;
use super::{ApiError, Desk};
use crate::engine::{Answer, Input};
use crate::payouts::deposits::{Deposits, WATCHED};
use crate::store::funds::{self, DepositRow};

/// Deposits and refunds in one list, the newest first.
const LISTED_MAX: u32 = 1000;

fn unknown_deposit() -> ApiError {
    ApiError::new("deposit_unknown", "you have no such deposit")
}

fn unknown_refund() -> ApiError {
    ApiError::new("refund_unknown", "you have no such refund")
}

fn contradiction() -> ApiError {
    ApiError::new(
        "network_contradiction",
        "the network lost track of this request; look at the list, then send it again",
    )
}

fn deposits(desk: &Desk) -> Result<&Deposits, ApiError> {
    desk.deposits.as_deref().ok_or_else(|| {
        ApiError::new(
            "no_payouts",
            "this network takes and pays no money on a chain; ask whoever runs it how to pay",
        )
    })
}

async fn row(desk: &Desk, customer: CustomerId, id: &str) -> Result<DepositRow, ApiError> {
    let id: DepositId = id.parse().map_err(|_| unknown_deposit())?;
    desk.reader.read(move |db| funds::deposit_of(db, customer, id)).await?.ok_or_else(unknown_deposit)
}

/// A deposit as it stands in the records.
async fn stated(desk: &Desk, row: DepositRow) -> Result<Deposit, ApiError> {
    let url = deposits(desk)?.request(row.reference, row.amount).to_string();
    let DepositRow { id, reference, amount, created_at } = row;
    let payments = desk.reader.read(move |db| funds::payments(db, id)).await?;
    let received = payments.iter().fold(0u64, |sum, payment| sum.saturating_add(payment.amount.0));
    let state = match received {
        0 => DepositState::Waiting,
        received if amount.is_some_and(|amount| received < amount.0) => DepositState::Part,
        _ => DepositState::Paid,
    };
    Ok(Deposit {
        id,
        state,
        amount,
        received: BaseUnits(received),
        reference,
        url,
        payments,
        created_at,
        watched_until: created_at.after(WATCHED),
    })
}

/// Asks for a deposit: its URL is a Solana Pay request that a wallet opens or reads from the picture. What arrives is
/// credited when it is final, about 13 seconds later, whoever paid it and however much it is.
#[utoipa::path(
    post, path = "/v1/deposits", tag = "account", security(("api_key" = [])), request_body = NewDeposit,
    responses(
        (status = 201, body = Deposit), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 422, body = ErrorBody, description = "The amount is unusable, or this network takes no payments"),
    )
)]
pub(super) async fn create_deposit(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    new: Result<Json<NewDeposit>, JsonRejection>,
) -> Result<(StatusCode, Json<Deposit>), ApiError> {
    let Json(NewDeposit { amount }) = new?;
    let answer = desk.inbox.ask(Input::CreateDeposit { customer, amount }).await?;
    let Answer::DepositCreated(id) = answer else { return Err(contradiction()) };
    let row = row(&desk, customer, &id.to_string()).await?;
    Ok((StatusCode::CREATED, Json(stated(&desk, row).await?)))
}

/// The newest deposits, at most a thousand.
#[utoipa::path(
    get, path = "/v1/deposits", tag = "account", security(("api_key" = [])),
    responses((status = 200, body = Vec<Deposit>), (status = 401, body = ErrorBody))
)]
pub(super) async fn list_deposits(
    State(desk): State<Desk>,
    Customer(customer): Customer,
) -> Result<Json<Vec<Deposit>>, ApiError> {
    let rows = desk.reader.read(move |db| funds::deposits_of(db, customer, LISTED_MAX)).await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        all.push(stated(&desk, row).await?);
    }
    Ok(Json(all))
}

/// One deposit. The chain is asked for its payments first, also when it is no longer watched.
#[utoipa::path(
    get, path = "/v1/deposits/{id}", tag = "account", security(("api_key" = [])),
    params(("id" = String, Path, description = "The deposit's id")),
    responses((status = 200, body = Deposit), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(super) async fn get_deposit(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<Deposit>, ApiError> {
    let row = row(&desk, customer, &id).await?;
    if let Err(fault) = deposits(&desk)?.look_now(&row).await {
        // What is in the records is told all the same.
        tracing::debug!(code = fault.code, "a deposit could not be looked at: {}", fault.sentence);
    }
    Ok(Json(stated(&desk, row).await?))
}

/// The deposit's URL as a QR code.
#[utoipa::path(
    get, path = "/v1/deposits/{id}/qr.svg", tag = "account", security(("api_key" = [])),
    params(("id" = String, Path, description = "The deposit's id")),
    responses(
        (status = 200, content_type = "image/svg+xml", body = String),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    )
)]
pub(super) async fn get_deposit_qr(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let row = row(&desk, customer, &id).await?;
    let url = deposits(&desk)?.request(row.reference, row.amount).to_string();
    let picture = qr::picture(&url).map_err(|error| ApiError::new(error.code(), error.to_string()))?;
    // The URL of a deposit never changes. Private, as it needs a key.
    let headers =
        [(header::CONTENT_TYPE, "image/svg+xml"), (header::CACHE_CONTROL, "private, max-age=86400")];
    Ok((headers, picture))
}

/// Refunds what was not used to a wallet: what is free to spend, or a part of it. The money leaves the account at once,
/// and is in it again if it could not be paid. The same idempotency key again returns the first refund, with status 200.
#[utoipa::path(
    post, path = "/v1/refunds", tag = "account", security(("api_key" = [])), request_body = NewRefund,
    responses(
        (status = 201, body = Refund, description = "Created"),
        (status = 200, body = Refund, description = "Was there before"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 402, body = ErrorBody, description = "So much is not free to spend"),
        (status = 409, body = ErrorBody, description = "Another is under way, or the key was used for another refund"),
        (status = 422, body = ErrorBody, description = "Too little, or a wallet that cannot be paid"),
    )
)]
pub(super) async fn create_refund(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    new: Result<Json<NewRefund>, JsonRejection>,
) -> Result<(StatusCode, Json<Refund>), ApiError> {
    let Json(NewRefund { idempotency_key, amount, to }) = new?;
    deposits(&desk)?.check_refunded(to).await?;
    let answer = desk.inbox.ask(Input::CreateRefund { customer, idempotency_key, amount, to }).await?;
    let Answer::RefundCreated { refund, created } = answer else { return Err(contradiction()) };
    let refund = desk.reader.read(move |db| funds::refund_of(db, customer, refund)).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(refund.ok_or_else(unknown_refund)?)))
}

/// The newest refunds, at most a thousand.
#[utoipa::path(
    get, path = "/v1/refunds", tag = "account", security(("api_key" = [])),
    responses((status = 200, body = Vec<Refund>), (status = 401, body = ErrorBody))
)]
pub(super) async fn list_refunds(
    State(desk): State<Desk>,
    Customer(customer): Customer,
) -> Result<Json<Vec<Refund>>, ApiError> {
    Ok(Json(desk.reader.read(move |db| funds::refunds_of(db, customer, LISTED_MAX)).await?))
}

/// One refund.
#[utoipa::path(
    get, path = "/v1/refunds/{id}", tag = "account", security(("api_key" = [])),
    params(("id" = u64, Path, description = "The refund's number")),
    responses((status = 200, body = Refund), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(super) async fn get_refund(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<Refund>, ApiError> {
    let id: u64 = id.parse().map_err(|_| unknown_refund())?;
    let refund = desk.reader.read(move |db| funds::refund_of(db, customer, id)).await?;
    refund.map(Json).ok_or_else(unknown_refund)
}
