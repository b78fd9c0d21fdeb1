//! Jobs over HTTP.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use lull_network_api::customer::{Job, NewJob, ProofBundle, TaskResult};
use lull_types::wgsl::limits;
use lull_types::{CustomerId, JobId};

use super::auth::Customer;
use super::error::ErrorBody;
use super::{ApiError, Desk, payload};
use crate::engine::{Answer, Input, JobSpec, TaskSpec};
use crate::picture::{Picture, PictureError};
use crate::reader;
use crate::store::queries;

/// Jobs in one list, the newest first.
const JOBS_LISTED_MAX: u32 = 1000;
/// Pixels of a picture that is put together here: more than an 8K frame has.
const PICTURE_PIXELS_MAX: u64 = 64 * 1024 * 1024;

fn unknown() -> ApiError {
    ApiError::new("job_unknown", "you have no such job")
}

fn parse(job: &str) -> Result<JobId, ApiError> {
    job.parse().map_err(|_| unknown())
}

async fn job_of(desk: &Desk, customer: CustomerId, job: JobId) -> Result<Job, ApiError> {
    desk.reader.read(move |db| queries::job_of(db, customer, job)).await?.ok_or_else(unknown)
}

/// Submits a job. Its whole price is reserved from the deposit. The same idempotency key again returns the
/// first job, with status 200.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", security(("api_key" = [])), request_body = NewJob,
    responses(
        (status = 201, body = Job, description = "Created"), (status = 200, body = Job, description = "Was there before"),
        (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 402, body = ErrorBody, description = "The deposit does not cover the price"),
        (status = 409, body = ErrorBody, description = "The key was used for another job"),
        (status = 422, body = ErrorBody, description = "A payload or something else in the job is unusable"),
    )
)]
pub(super) async fn create_job(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    job: Result<Json<NewJob>, JsonRejection>,
) -> Result<(StatusCode, Json<Job>), ApiError> {
    let Json(new) = job?;
    let mut tasks = Vec::with_capacity(new.tasks.len());
    for (at, task) in new.tasks.iter().enumerate() {
        let in_task = |mut error: ApiError| {
            error.0.sentence = format!("task {at}: {}", error.0.sentence);
            error
        };
        let bytes = desk
            .blobs
            .read(task.payload, limits::PAYLOAD_BYTES_MAX as u64)
            .await
            .map_err(|error| in_task(ApiError::of(&error)))?;
        let parsed = payload::parse(&new.kind, &bytes, task.picture.as_ref())
            .map_err(|error| in_task(ApiError::of(&error)))?;
        for input in &parsed.inputs {
            // The engine knows whether this customer ever put it; only the disk knows whether it is still here.
            if !desk.blobs.contains(*input).await.map_err(|error| ApiError::of(&error))? {
                let sentence = format!("the input {input} is not here, or no longer; put it again");
                return Err(in_task(ApiError::new("blob_missing", sentence)));
            }
        }
        tasks.push(TaskSpec {
            payload: task.payload,
            inputs: parsed.inputs,
            outputs: parsed.outputs,
            picture: task.picture,
        });
    }
    let job = JobSpec {
        idempotency_key: new.idempotency_key,
        title: new.title,
        kind: new.kind,
        price_per_task: new.price_per_task,
        task_deadline_ms: new.task_deadline_ms,
        tasks,
    };
    let answer = desk.inbox.ask(Input::CreateJob { customer, job }).await?;
    let Answer::JobCreated { job, created } = answer else {
        return Err(ApiError::new(
            "network_contradiction",
            "the network lost track of this job; submit it again",
        ));
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(job_of(&desk, customer, job).await?)))
}

/// The newest jobs, at most a thousand.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", security(("api_key" = [])),
    responses((status = 200, body = Vec<Job>), (status = 401, body = ErrorBody))
)]
pub(super) async fn list_jobs(
    State(desk): State<Desk>,
    Customer(customer): Customer,
) -> Result<Json<Vec<Job>>, ApiError> {
    Ok(Json(desk.reader.read(move |db| queries::jobs_of(db, customer, JOBS_LISTED_MAX)).await?))
}

/// One job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", security(("api_key" = [])),
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Job), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(super) async fn get_job(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<Job>, ApiError> {
    Ok(Json(job_of(&desk, customer, parse(&id)?).await?))
}

/// Withdraws what is not done. Reports that wait for a verdict are still decided and paid; the rest of the
/// reserved money returns at once.
#[utoipa::path(
    delete, path = "/v1/jobs/{id}", tag = "jobs", security(("api_key" = [])),
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, body = Job), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
        (status = 409, body = ErrorBody, description = "The job has ended already"),
    )
)]
pub(super) async fn withdraw_job(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<Job>, ApiError> {
    let job = parse(&id)?;
    desk.inbox.ask(Input::WithdrawJob { customer, job }).await?;
    Ok(Json(job_of(&desk, customer, job).await?))
}

/// The accepted tasks, in their order.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/results", tag = "jobs", security(("api_key" = [])),
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, body = Vec<TaskResult>), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(super) async fn get_results(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<Vec<TaskResult>>, ApiError> {
    let job = job_of(&desk, customer, parse(&id)?).await?.id;
    Ok(Json(desk.reader.read(move |db| queries::results(db, job)).await?))
}

/// Everything to check the job's payments without the network.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/proof", tag = "jobs", security(("api_key" = [])),
    params(("id" = String, Path, description = "The job's id")),
    responses((status = 200, body = ProofBundle), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody))
)]
pub(super) async fn get_proof(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<Json<ProofBundle>, ApiError> {
    let (job, network) = (parse(&id)?, desk.network);
    let proof = desk.reader.read(move |db| queries::proof(db, network, customer, job)).await?;
    proof.map(Json).ok_or_else(unknown)
}

/// The picture as far as it is done; what is not done is dark grey.
#[utoipa::path(
    get, path = "/v1/jobs/{id}/picture.png", tag = "jobs", security(("api_key" = [])),
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, content_type = "image/png", body = Vec<u8>),
        (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
    )
)]
pub(super) async fn get_picture(
    State(desk): State<Desk>,
    Customer(customer): Customer,
    Path(id): Path<String>,
) -> Result<impl IntoResponse, ApiError> {
    let job = job_of(&desk, customer, parse(&id)?).await?.id;
    let (size, tiles) = desk
        .reader
        .read(move |db| Ok((reader::picture_size(db, job)?, queries::finished_tiles(db, job)?)))
        .await?;
    let none = |sentence: &str| ApiError::new("picture_none", sentence);
    let size = size.ok_or_else(|| none("this job's outputs are no picture"))?;
    if u64::from(size.picture_width) * u64::from(size.picture_height) > PICTURE_PIXELS_MAX {
        return Err(none("this picture is too large to be put together here; fetch its tiles"));
    }
    let failed = |error: &PictureError| ApiError::new("picture_failed", error.to_string());
    let mut picture = Picture::of(&size).map_err(|error| failed(&error))?;
    for finished in tiles {
        // A tile that is no longer kept, or belongs to another picture of the same job, is left out.
        let Ok(pixels) = desk.blobs.read(finished.pixels, finished.tile.bytes() as u64).await else {
            continue;
        };
        if let Err(error) = picture.put(&finished.tile, &pixels) {
            tracing::debug!(task = %finished.task, %error, "a tile was left out of a picture");
        }
    }
    let file = tokio::task::spawn_blocking(move || picture.png())
        .await
        .map_err(|_| ApiError::new("network_shutting_down", "the network is shutting down"))?
        .map_err(|error| failed(&error))?;
    Ok(([(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, no-cache")], file))
}
