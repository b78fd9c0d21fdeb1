//! What customers do, and what they do wrong.

use lull_network::practice::jobs;
use lull_network_api::customer::{Account, Job, JobState, NewJob, NewTask, ProofBundle, TaskResult};
use lull_types::{BaseUnits, BlobHash, JOB_KIND_WGSL};
use reqwest::{Method, StatusCode};

use crate::process::{Customer, Network, add_customer, raw_http, refusal};

/// The first two tiles of a sample picture, put and ready to be submitted.
pub async fn sample_job(customer: &Customer) -> NewJob {
    let sample = jobs::picture(1).unwrap();
    let tasks = &sample.tasks[..2];
    for blob in &sample.blobs {
        let is_needed = tasks.iter().any(|(payload, _)| BlobHash::of(blob) == *payload);
        if is_needed || sample.blobs[..3].contains(blob) {
            customer.put(blob).await;
        }
    }
    NewJob {
        idempotency_key: "first".to_owned(),
        title: sample.title,
        kind: JOB_KIND_WGSL.to_owned(),
        tasks: tasks.iter().map(|&(payload, picture)| NewTask { payload, picture }).collect(),
        price_per_task: BaseUnits(100),
        task_deadline_ms: 60_000,
    }
}

pub async fn submit(customer: &Customer, job: &NewJob) -> (StatusCode, Job) {
    let response = customer.request(Method::POST, "/v1/jobs").json(job).send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_job_is_submitted_followed_and_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let customer = network.add_customer("Ada", 1_000);
    let new = sample_job(&customer).await;

    let (status, job) = submit(&customer, &new).await;
    assert_eq!(status, StatusCode::CREATED);
    assert_eq!((job.state, job.tasks, job.tasks_done), (JobState::Running, 2, 0));
    let (status, again) = submit(&customer, &new).await;
    assert_eq!((status, again.id), (StatusCode::OK, job.id), "the same key again is the same job");
    let account: Account = customer.json("/v1/account").await;
    assert_eq!((account.deposit, account.reserved), (BaseUnits(800), BaseUnits(200)));
    assert_eq!(customer.json::<Vec<Job>>("/v1/jobs").await, vec![job.clone()]);
    assert_eq!(customer.json::<Job>(&format!("/v1/jobs/{}", job.id)).await, job);
    assert_eq!(customer.json::<Vec<TaskResult>>(&format!("/v1/jobs/{}/results", job.id)).await, vec![]);
    let proof: ProofBundle = customer.json(&format!("/v1/jobs/{}/proof", job.id)).await;
    assert_eq!((proof.network, proof.receipts.len()), (network.ticket().id, 0));
    let picture = customer.get(&format!("/v1/jobs/{}/picture.png", job.id)).await.bytes().await.unwrap();
    let reader = png::Decoder::new(std::io::Cursor::new(&picture)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (512, 384), "an empty picture is a picture");
    let blob = customer.get(&format!("/v1/blobs/{}", new.tasks[0].payload)).await.bytes().await.unwrap();
    assert_eq!(BlobHash::of(&blob), new.tasks[0].payload);

    // Nobody else sees any of it.
    let stranger = network.add_customer("Eve", 1_000);
    for path in ["", "/results", "/proof", "/picture.png"] {
        let answer = stranger.get(&format!("/v1/jobs/{}{path}", job.id)).await;
        assert_eq!(refusal(answer).await, (404, "job_unknown".to_owned()));
    }
    let answer = stranger.get(&format!("/v1/blobs/{}", new.tasks[0].payload)).await;
    assert_eq!(refusal(answer).await, (404, "blob_unknown".to_owned()));
    let answer = stranger.request(Method::POST, "/v1/jobs").json(&new).send().await.unwrap();
    assert_eq!(refusal(answer).await, (422, "blob_missing".to_owned()), "a hash gives no right to its blob");

    let path = format!("/v1/jobs/{}", job.id);
    let withdrawn: Job = customer.request(Method::DELETE, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!((withdrawn.state, withdrawn.reserved), (JobState::Withdrawn, BaseUnits(0)));
    let again: Job = customer.request(Method::DELETE, &path).send().await.unwrap().json().await.unwrap();
    assert_eq!(again, withdrawn, "a second time changes nothing");
    let answer = stranger.request(Method::DELETE, &path).send().await.unwrap();
    assert_eq!(refusal(answer).await, (404, "job_unknown".to_owned()));
    let account: Account = customer.json("/v1/account").await;
    assert_eq!(account.deposit, BaseUnits(1_000));
    assert!(network.stop().success());
}

#[tokio::test]
async fn what_is_wrong_is_told_with_a_code() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let http = &network.announcement.http;
    let customer = network.add_customer("Ada", 100);
    let nobody = Customer::new(http, "lull_not_a_key");
    assert_eq!(refusal(nobody.get("/v1/account").await).await, (401, "key_unknown".to_owned()));
    let answer = nobody.request(Method::PUT, &format!("/v1/blobs/{}", BlobHash::of(b"x"))).body("x");
    assert_eq!(refusal(answer.send().await.unwrap()).await.0, 401);

    let put = |hash: String, body: &'static str| {
        customer.request(Method::PUT, &format!("/v1/blobs/{hash}")).body(body)
    };
    let wrong = put(BlobHash::of(b"hello").to_string(), "jello").send().await.unwrap();
    assert_eq!(refusal(wrong).await, (422, "blob_wrong_hash".to_owned()));
    let wrong = put("nonsense".to_owned(), "hello").send().await.unwrap();
    assert_eq!(refusal(wrong).await, (422, "hash_malformed".to_owned()));

    let post = |body: String| {
        customer.request(Method::POST, "/v1/jobs").header("content-type", "application/json").body(body)
    };
    assert_eq!(
        refusal(post("{".to_owned()).send().await.unwrap()).await,
        (400, "request_malformed".to_owned())
    );
    let mut new = sample_job(&customer).await;
    let submit = |new: &NewJob| post(serde_json::to_string(new).unwrap());
    assert_eq!(refusal(submit(&new).send().await.unwrap()).await, (402, "deposit_too_small".to_owned()));
    new.price_per_task = BaseUnits(1);
    assert_eq!(submit(&new).send().await.unwrap().status(), StatusCode::CREATED);
    new.title = "Another".to_owned();
    assert_eq!(refusal(submit(&new).send().await.unwrap()).await, (409, "idempotency_key_reused".to_owned()));
    new.idempotency_key = "second".to_owned();
    new.tasks[0].payload = BlobHash::of(b"never put");
    assert_eq!(refusal(submit(&new).send().await.unwrap()).await, (422, "blob_missing".to_owned()));
    new.tasks[0].payload = customer.put(br#"{"shaders":[]}"#).await;
    assert_eq!(refusal(submit(&new).send().await.unwrap()).await, (422, "wgsl_payload_malformed".to_owned()));
    assert_eq!(refusal(customer.get("/v1/nothing").await).await, (404, "path_unknown".to_owned()));

    // Announced too large: refused before anything is sent.
    let head = format!(
        "PUT /v1/blobs/{} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 999999999999\r\n\r\n",
        BlobHash::of(b"x"),
        add_customer(folder.path(), "Bob", 0).key
    );
    let answer = raw_http(http, head.as_bytes(), "blob_too_large");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let huge = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         content-length: 99999999\r\n\r\n{}",
        add_customer(folder.path(), "Carol", 0).key,
        " ".repeat(8 * 1024 * 1024 + 1)
    );
    let answer = raw_http(http, huge.as_bytes(), "request_too_large");
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let answer = raw_http(http, b"\x16\x03\x01 this is not HTTP\r\n\r\n", "400");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert_eq!(customer.get("/healthz").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn operators_see_metrics_and_customers_the_description() {
    let folder = tempfile::tempdir().unwrap();
    let before = add_customer(folder.path(), "Made before the start", 7);
    let network = Network::start(folder.path(), &[]);
    let customer = Customer::new(&network.announcement.http, &before.key);
    assert_eq!(customer.json::<Account>("/v1/account").await.deposit, BaseUnits(7));
    let metrics = network.metrics().await;
    for line in [
        "lull_records{of=\"customers\"} 1",
        "lull_ledger_base_units{account=\"customers\"} 7",
        "lull_ledger_base_units{account=\"external\"} -7",
        "lull_workers_connected 0",
        "lull_http_requests_total{status=\"200\"} 1",
        "# TYPE lull_checks_total counter",
    ] {
        assert!(metrics.contains(line) || line.starts_with('#'), "{line} is not in\n{metrics}");
    }
    let document: serde_json::Value = customer.json("/openapi.json").await;
    for path in [
        "/v1/blobs/{hash}",
        "/v1/jobs",
        "/v1/jobs/{id}",
        "/v1/jobs/{id}/results",
        "/v1/jobs/{id}/picture.png",
        "/v1/jobs/{id}/proof",
        "/v1/account",
        "/v1/deposits",
        "/v1/deposits/{id}",
        "/v1/deposits/{id}/qr.svg",
        "/v1/refunds",
        "/v1/refunds/{id}",
        "/epochs",
        "/epochs/{number}",
    ] {
        assert!(document["paths"][path].is_object(), "{path} is not described");
    }
    assert!(document["components"]["securitySchemes"]["api_key"].is_object());
    let announced = std::fs::read(folder.path().join("network.json")).unwrap();
    assert_eq!(
        serde_json::from_slice::<serde_json::Value>(&announced).unwrap(),
        serde_json::to_value(&network.announcement).unwrap()
    );
}

#[cfg(unix)]
#[tokio::test]
async fn it_ends_on_a_signal_and_takes_up_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let customer = network.add_customer("Ada", 1_000);
    let (id, ticket) = (customer, network.ticket());
    let new = sample_job(&id).await;
    let (_, job) = submit(&id, &new).await;
    let ended =
        std::process::Command::new("kill").arg("-INT").arg(network.id().to_string()).status().unwrap();
    assert!(ended.success() && network.wait().success());
    let network = Network::start(folder.path(), &[]);
    assert_eq!(network.ticket().id, ticket.id, "the key stays");
    let key = add_customer(folder.path(), "Bob", 0).key;
    let bob = Customer::new(&network.announcement.http, &key);
    assert_eq!(bob.json::<Vec<Job>>("/v1/jobs").await, vec![]);
    network.kill();
    let network = Network::start(folder.path(), &[]);
    assert!(network.metrics().await.contains("lull_records{of=\"jobs_running\"} 1"), "{}", job.id);
}

#[test]
fn an_address_for_everyone_needs_tls() {
    let folder = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_lull-network"))
        .args(["--http", "0.0.0.0:0", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path())
        .env("LULL_LOG", "error")
        .output()
        .unwrap();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("http_needs_tls"));
}
