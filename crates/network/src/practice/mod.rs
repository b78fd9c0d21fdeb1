//! The practice network: a treasury of worthless tokens, and real sample jobs that never run out.
//!
//! Its customers go the way of all customers: they have API keys and deposits, put blobs and submit jobs through
//! the same router. Whenever fewer than [`TASKS_WAITING_MIN`] tasks wait, the next job is submitted, so that work
//! is always there, and the disk holds no more of it than that and an hour's past.

pub mod jobs;
mod questions;
pub mod scene;
pub mod wine;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use lull_network_api::customer::{NewJob, NewTask};
use lull_types::{BaseUnits, BlobHash, Fault, JOB_KIND_WGSL, SecretKey};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::customers;
use crate::http::Desk;
use crate::store::queries;
use jobs::SampleJob;
use wine::Wine;

/// A few minutes of work for a fast device, and some hours for a slow one.
const TASKS_WAITING_MIN: u64 = 240;
/// How often it is looked whether that many wait: a fast device does a few tasks a second.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// What a practice customer has at least: some hundred pictures.
const DEPOSIT_MIN: BaseUnits = BaseUnits(10 * BaseUnits::ONE_USDC.0);
/// What it is given when it has less.
const DEPOSIT_STEP: BaseUnits = BaseUnits(100 * BaseUnits::ONE_USDC.0);
/// Time for one task: a software device needs some seconds, and a machine that sleeps in between wakes up.
const TASK_DEADLINE_MS: u64 = 10 * 60 * 1000;
/// The largest answer that is read here: a job.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A practice customer.
#[derive(Debug)]
struct Customer {
    name: &'static str,
    key: String,
}

/// The practice customers at work.
#[derive(Debug)]
pub struct Practice {
    router: Router,
    desk: Desk,
    pictures: Customer,
    searches: Customer,
    questions: Customer,
    wine: Wine,
}

impl Practice {
    /// Customers that submit to this router. Their API keys follow from the network's secret key, so that they
    /// are the same after a restart and stored nowhere.
    pub fn new(router: Router, desk: Desk, network: &SecretKey) -> Self {
        let customer = |name: &'static str| {
            let context = format!("lull practice customer 1: {name}");
            let bits = blake3::derive_key(&context, &network.to_bytes());
            Customer { name, key: customers::api_key(&bits) }
        };
        Self {
            router,
            desk,
            pictures: customer("Practice Pictures"),
            searches: customer("Practice Search"),
            questions: customer("Practice Questions"),
            wine: Wine::shipped(),
        }
    }

    /// Keeps work waiting until it is cancelled.
    pub async fn run(self: std::sync::Arc<Self>, cancel: CancellationToken) {
        let work = async {
            let mut timer = tokio::time::interval(LOOK_EVERY);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                if let Err(fault) = self.fill_up().await {
                    // A full disk, most likely. It is tried again with the next look.
                    tracing::warn!(
                        code = fault.code,
                        sentence = fault.sentence,
                        "no practice job was submitted"
                    );
                }
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = work => {}
        }
    }

    async fn fill_up(&self) -> Result<(), Fault> {
        while self.desk.reader.read(queries::counts).await?.tasks_waiting < TASKS_WAITING_MIN {
            // The clock tells one job from the next, also after a restart.
            let seed = crate::service::now().0;
            let made = |error: jobs::SampleError| Fault::new("practice_job_unusable", error.to_string());
            self.submit(&self.pictures, seed, jobs::picture(seed).map_err(made)?).await?;
            self.submit(&self.searches, seed, jobs::neighbours(&self.wine, seed).map_err(made)?).await?;
        }
        Ok(())
    }

    async fn submit(&self, customer: &Customer, seed: u64, job: SampleJob) -> Result<(), Fault> {
        self.pay_in(customer, seed).await?;
        for blob in job.blobs {
            let path = format!("/v1/blobs/{}", BlobHash::of(&blob));
            self.request(customer, Method::PUT, &path, "application/octet-stream", blob).await?;
        }
        let job = NewJob {
            idempotency_key: format!("practice-{seed}"),
            title: job.title,
            kind: JOB_KIND_WGSL.to_owned(),
            tasks: job.tasks.into_iter().map(|(payload, picture)| NewTask { payload, picture }).collect(),
            price_per_task: job.price,
            task_deadline_ms: TASK_DEADLINE_MS,
        };
        let body = serde_json::to_vec(&job)
            .map_err(|error| Fault::new("practice_job_unusable", error.to_string()))?;
        self.request(customer, Method::POST, "/v1/jobs", "application/json", body).await
    }

    /// Makes the customer if there is none yet, and pays in from the treasury when it has little left.
    async fn pay_in(&self, customer: &Customer, seed: u64) -> Result<(), Fault> {
        let made =
            customers::ensure(&self.desk.inbox, customer.name, &customer.key, BaseUnits::ZERO, "").await?;
        let account = self.desk.reader.read(move |db| queries::account(db, made.id)).await?;
        if account.is_none_or(|account| account.deposit < DEPOSIT_MIN) {
            // A payment belongs to one customer, so its reference names it.
            let reference = format!("practice treasury to {} {seed}", customer.name);
            customers::ensure(&self.desk.inbox, customer.name, &customer.key, DEPOSIT_STEP, &reference)
                .await?;
        }
        Ok(())
    }

    async fn request(
        &self,
        customer: &Customer,
        method: Method,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<(), Fault> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", customer.key))
            .header(header::CONTENT_TYPE, content_type)
            .header(header::CONTENT_LENGTH, body.len())
            .body(Body::from(body))
            .map_err(|error| Fault::new("practice_request_unusable", error.to_string()))?;
        let response = match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        let status = response.status();
        if matches!(status, StatusCode::OK | StatusCode::CREATED) {
            return Ok(());
        }
        let body = axum::body::to_bytes(response.into_body(), ANSWER_BYTES_MAX).await.unwrap_or_default();
        Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
            Fault::new("practice_request_failed", format!("{path} was answered with {status}"))
        }))
    }
}
