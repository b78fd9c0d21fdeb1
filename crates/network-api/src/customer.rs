//! The customer HTTP API: JSON over HTTPS, `Authorization: Bearer KEY`.
//!
//! | method | path | |
//! |---|---|---|
//! | PUT | `/v1/blobs/{hash}` | store a blob; the body is its bytes |
//! | GET | `/v1/blobs/{hash}` | fetch a blob of one's own job |
//! | POST | `/v1/jobs` | [`NewJob`] → [`Job`] |
//! | GET | `/v1/jobs`, `/v1/jobs/{id}` | [`Job`] |
//! | GET | `/v1/jobs/{id}/results` | [`TaskResult`]s |
//! | GET | `/v1/jobs/{id}/picture.png` | the picture as far as it is done |
//! | GET | `/v1/jobs/{id}/proof` | [`ProofBundle`] |
//! | DELETE | `/v1/jobs/{id}` | withdraw what is not done; reserved money returns |
//! | GET | `/v1/account` | [`Account`] |
//!
//! What is paid in and goes back, and what is published for everyone, is in [`crate::funds`].

use lull_types::{
    BaseUnits, BlobHash, CountersignedReceipt, Fault, JobId, NetworkId, PictureTile, TaskId, UnixMillis,
    WorkerId,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A job as a customer submits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewJob {
    /// Chosen by the customer; the same key again returns the first job instead of a second.
    pub idempotency_key: String,
    /// For people; contributors see it.
    pub title: String,
    /// Job kind, such as `wgsl/1`.
    pub kind: String,
    /// Its tasks.
    pub tasks: Vec<NewTask>,
    /// Paid for each accepted task, in base units.
    #[schema(value_type = u64)]
    pub price_per_task: BaseUnits,
    /// How long one worker may take for one task.
    pub task_deadline_ms: u64,
}

/// A task as a customer submits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTask {
    /// Blob of the payload, put before.
    #[schema(value_type = String)]
    pub payload: BlobHash,
    /// Where its output belongs in a picture, if it is one.
    #[schema(value_type = Option<Object>)]
    pub picture: Option<PictureTile>,
}

/// A job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Some tasks are not done.
    Running,
    /// All tasks are done.
    Done,
    /// A task failed too often; what was not done is not paid for.
    Failed,
    /// The customer withdrew it.
    Withdrawn,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    #[schema(value_type = String)]
    pub id: JobId,
    /// As submitted.
    pub title: String,
    /// As submitted.
    pub kind: String,
    /// Its state.
    pub state: JobState,
    /// Tasks in it.
    pub tasks: u32,
    /// Tasks accepted.
    pub tasks_done: u32,
    /// Paid for so far, in base units.
    #[schema(value_type = u64)]
    pub spent: BaseUnits,
    /// Still reserved, in base units.
    #[schema(value_type = u64)]
    pub reserved: BaseUnits,
    /// When it was submitted, in milliseconds since 1970.
    #[schema(value_type = u64)]
    pub created_at: UnixMillis,
    /// Why it failed, if it did.
    #[schema(value_type = Option<Object>)]
    pub fault: Option<Fault>,
}

/// An accepted task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaskResult {
    /// Its id.
    #[schema(value_type = String)]
    pub task: TaskId,
    /// Its position in the job, from 0.
    pub index: u32,
    /// Who did it.
    #[schema(value_type = String)]
    pub worker: WorkerId,
    /// Blobs of its outputs, in order.
    #[schema(value_type = Vec<String>)]
    pub outputs: Vec<BlobHash>,
    /// Whether it was run again to check it.
    pub checked: bool,
    /// What was paid for it, in base units.
    #[schema(value_type = u64)]
    pub amount: BaseUnits,
}

/// Everything that a customer needs to check a job's payments without the network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofBundle {
    /// Who signed.
    #[schema(value_type = String)]
    pub network: NetworkId,
    /// The job.
    pub job: Job,
    /// Its accepted tasks.
    pub results: Vec<TaskResult>,
    /// The receipts of its tasks, those that the workers have countersigned by now.
    #[schema(value_type = Vec<Object>)]
    pub receipts: Vec<CountersignedReceipt>,
}

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Account {
    /// For people; contributors see it.
    pub name: String,
    /// Free to spend, in base units.
    #[schema(value_type = u64)]
    pub deposit: BaseUnits,
    /// Reserved for running jobs, in base units.
    #[schema(value_type = u64)]
    pub reserved: BaseUnits,
    /// On its way back to the customer's wallet, in base units.
    #[schema(value_type = u64)]
    pub refunding: BaseUnits,
}
