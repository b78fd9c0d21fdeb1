//! A customer, over HTTP.

use anyhow::{Context, Result, ensure};
use lull_network_api::customer::{Account, Job, JobState, NewJob, NewTask, ProofBundle, TaskResult};
use lull_types::wgsl::{
    Tolerance, WgslBinding, WgslBuffer, WgslBufferRole, WgslDispatch, WgslInit, WgslTask,
};
use lull_types::{BaseUnits, BlobHash, JOB_KIND_WGSL, JobId};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;

use crate::eventually;

/// A customer with an API key.
#[derive(Clone, Debug)]
pub struct Customer {
    http: String,
    key: String,
    client: reqwest::Client,
}

impl Customer {
    pub(crate) fn new(http: String, key: String) -> Self {
        // reqwest insists on a TLS provider also for plain HTTP; an error means that one is installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self { http, key, client: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}/v1/{path}", self.http)).bearer_auth(&self.key)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let response = self.request(Method::GET, path).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "GET {path}: {status}: {text}");
        serde_json::from_str(&text).with_context(|| format!("GET {path}: {text}"))
    }

    /// Submits tasks, each at `price` base units.
    pub async fn submit(&self, title: &str, tasks: &[WgslTask], price: u64) -> Result<JobId> {
        let mut new_tasks = Vec::new();
        for task in tasks {
            let bytes = serde_json::to_vec(task)?;
            let payload = BlobHash::of(&bytes);
            let put = self.request(Method::PUT, &format!("blobs/{payload}")).body(bytes).send().await?;
            ensure!(put.status().is_success(), "{}", put.text().await?);
            new_tasks.push(NewTask { payload, picture: None });
        }
        let job = NewJob {
            idempotency_key: title.to_owned(),
            title: title.to_owned(),
            kind: JOB_KIND_WGSL.to_owned(),
            tasks: new_tasks,
            price_per_task: BaseUnits(price),
            task_deadline_ms: 60_000,
        };
        let response = self.request(Method::POST, "jobs").json(&job).send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str::<Job>(&text)?.id)
    }

    /// A job.
    pub async fn job(&self, id: JobId) -> Result<Job> {
        self.get(&format!("jobs/{id}")).await
    }

    /// Waits until a job no longer runs.
    pub async fn finished(&self, id: JobId) -> Result<Job> {
        eventually("the job's end", async || {
            // While the network is down the customer asks again, as anyone would.
            Ok(self.job(id).await.ok().filter(|job| job.state != JobState::Running))
        })
        .await
    }

    /// The results of a job.
    pub async fn results(&self, id: JobId) -> Result<Vec<TaskResult>> {
        self.get(&format!("jobs/{id}/results")).await
    }

    /// Everything that proves a job's payments.
    pub async fn proof(&self, id: JobId) -> Result<ProofBundle> {
        self.get(&format!("jobs/{id}/proof")).await
    }

    /// The account.
    pub async fn account(&self) -> Result<Account> {
        self.get("account").await
    }

    /// The bytes of a blob.
    pub async fn blob(&self, hash: BlobHash) -> Result<Vec<u8>> {
        let response =
            self.request(Method::GET, &format!("blobs/{hash}")).send().await?.error_for_status()?;
        Ok(response.bytes().await?.to_vec())
    }
}

const SPIN: &str = "
struct LullSlice { first_workgroup: u32, workgroup_count: u32, reserved_0: u32, reserved_1: u32 }
@group(0) @binding(0) var<uniform> parameters: vec4<u32>;
@group(0) @binding(1) var<storage, read_write> words: array<u32>;
@group(3) @binding(0) var<uniform> lull_slice: LullSlice;

@compute @workgroup_size(64)
fn spin(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let index = (lull_slice.first_workgroup + group.x) * 64u + lane;
    var value = index ^ parameters.x;
    for (var round = 0u; round < parameters.y; round++) {
        value = value * 1664525u + 1013904223u;
    }
    if index < arrayLength(&words) { words[index] = value; }
}
";

/// A task that takes a while: `workgroups` × 64 words, each stepped `rounds` times through a generator that
/// starts at its index and `seed`.
pub fn spin_task(seed: u32, workgroups: u32, rounds: u32) -> WgslTask {
    let binding = |binding| WgslBinding { group: 0, binding, buffer: binding };
    WgslTask {
        shaders: vec![SPIN.to_owned()],
        buffers: vec![
            WgslBuffer {
                bytes: 16,
                init: WgslInit::Words(vec![seed, rounds, 0, 0]),
                role: WgslBufferRole::Uniform,
            },
            WgslBuffer {
                bytes: u64::from(workgroups) * 256,
                init: WgslInit::Zero,
                role: WgslBufferRole::ReadWrite,
            },
        ],
        dispatches: vec![WgslDispatch {
            shader: 0,
            entry: "spin".to_owned(),
            bindings: vec![binding(0), binding(1)],
            workgroups,
        }],
        outputs: vec![1],
        tolerance: Tolerance::Exact,
    }
}

/// What word `index` of a [`spin_task`] must be.
pub fn spin_value(seed: u32, index: u32, rounds: u32) -> u32 {
    (0..rounds).fold(index ^ seed, |value, _| value.wrapping_mul(1_664_525).wrapping_add(1_013_904_223))
}
