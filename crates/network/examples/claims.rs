//! How many claims and completions a second the network stores durably, on one machine.
//!
//! ```text
//! cargo run --release -p lull-network --example claims -- [FOLDER] [WORKERS] [SECONDS] [RUNS]
//! ```
//! Each cycle is what a worker really causes: it asks for work and is given a task (one durable input), its output
//! is stored (a second), and its report is accepted (a third), which books the money, issues and signs a receipt,
//! and tells the verdict. One report in twenty is checked first (a fourth input; the check itself is not run).
//! Every input goes through the writer's queue into a SQLite file in FOLDER with `synchronous=FULL`, and a worker
//! sends its next input only when the last one is committed. Runs are repeated on a fresh file; the median is
//! given with the lowest and the highest.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use lull_network::engine::{
    Answer, BlobOwner, CheckOutcome, Config, Effect, Engine, Input, JobSpec, Policy, SessionId, TaskSpec,
};
use lull_network::writer::{self, Inbox};
use lull_network::{ledger, store};
use lull_network_api::{Enrolment, NetworkMessage, Verdict, WorkerMessage};
use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, CustomerId, DeviceInfo, DeviceKind, HardwareReport,
    Measure, Measurement, SecretKey, UnixMillis, WorkerId,
};
use tokio::sync::mpsc;

const KIND: &str = "wgsl/1";
/// Tasks in the queue before the clock starts: more than any run takes.
const JOBS: u32 = 60;
const TASKS_PER_JOB: u32 = 10_000;

fn clock() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let folder = args.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let workers: u32 = args.next().map_or(Ok(512), |text| text.parse())?;
    let seconds: u64 = args.next().map_or(Ok(5), |text| text.parse())?;
    let runs: usize = args.next().map_or(Ok(5), |text| text.parse())?;
    let mut rates = Vec::new();
    for run in 0..runs.max(1) {
        let path = folder.join(format!("lull-claims-{}-{run}.sqlite", std::process::id()));
        let rate = measure(&path, workers, Duration::from_secs(seconds));
        for suffix in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(suffix);
            // What was never made cannot be removed.
            let _ = std::fs::remove_file(name);
        }
        let rate = rate?;
        report(&format!("run {}: {rate:.0} claim+complete/s", run + 1));
        rates.push(rate);
    }
    rates.sort_by(f64::total_cmp);
    let (low, median, high) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
    report(&format!(
        "median {median:.0}/s, lowest {low:.0}, highest {high:.0} ({workers} workers at once, {seconds} s a run, \
         {runs} runs, SQLite WAL, synchronous=FULL)"
    ));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are what this program is for")]
fn report(line: &str) {
    println!("{line}");
}

fn measure(path: &Path, workers: u32, time: Duration) -> anyhow::Result<f64> {
    let connection = store::open(path, store::Journal::Durable)?;
    let config = Config {
        policy: Policy { newcomer_tasks: 0, timing_valid_ms: None, ..Policy::default() },
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&clock().0.to_be_bytes());
    let engine = Engine::new(SecretKey::from_bytes(&[1; 32]), config, seed);
    let (effects, released) = mpsc::unbounded_channel();
    let release = move |effect| {
        // After the end of a run nobody listens.
        let _ = effects.send(effect);
    };
    let (inbox, thread) = writer::start(connection, engine, clock, release)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let rate = runtime.block_on(drive(inbox, released, workers, time))?;
    drop(runtime);
    if !thread.join() {
        bail!("the writer failed");
    }
    ledger::audit(&store::open_reader(path)?)?;
    Ok(rate)
}

async fn drive(
    inbox: Inbox,
    mut released: mpsc::UnboundedReceiver<Effect>,
    workers: u32,
    time: Duration,
) -> anyhow::Result<f64> {
    inbox.ask(Input::TrustedRuntime { kinds: vec![KIND.to_owned()] }).await?;
    fill_queue(&inbox).await?;
    let mut mailboxes = Vec::new();
    let done = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let mut crew = tokio::task::JoinSet::new();
    for n in 0..workers {
        let (mailbox, mail) = mpsc::unbounded_channel();
        mailboxes.push(mailbox);
        crew.spawn(work(inbox.clone(), n, mail, done.clone(), stop.clone()));
    }
    let checker = inbox.clone();
    let post = tokio::spawn(async move {
        while let Some(effect) = released.recv().await {
            match effect {
                Effect::Send { session, message, .. } => {
                    if let Some(mailbox) = mailboxes.get(session.0 as usize) {
                        let _ = mailbox.send(message);
                    }
                }
                Effect::Check(request) => {
                    let input = Input::CheckEnded { check: request.check, outcome: CheckOutcome::Match };
                    checker.tell(input).await?;
                }
                Effect::JobChanged { .. }
                | Effect::Progress { .. }
                | Effect::DropSession { .. }
                | Effect::Time { .. }
                | Effect::Prove { .. }
                | Effect::LookAtClaims { .. }
                | Effect::Answer(_) => {}
            }
        }
        anyhow::Ok(())
    });
    // The first second warms caches and the file up.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (start, before) = (Instant::now(), done.load(Ordering::Relaxed));
    tokio::time::sleep(time).await;
    let rate = (done.load(Ordering::Relaxed) - before) as f64 / start.elapsed().as_secs_f64();
    stop.store(true, Ordering::Relaxed);
    while let Some(worked) = crew.join_next().await {
        worked??;
    }
    drop(inbox);
    post.abort();
    Ok(rate)
}

async fn fill_queue(inbox: &Inbox) -> anyhow::Result<()> {
    for n in 0..4u8 {
        let create = Input::CreateCustomer { name: format!("customer {n}"), api_key_hash: [n; 32] };
        let Answer::CustomerCreated(customer) = inbox.ask(create).await? else { bail!("no customer") };
        let amount = BaseUnits(1 << 50);
        inbox.ask(Input::Deposit { customer, amount, reference: n.to_string() }).await?;
        let payload = BlobHash::of(&[n]);
        inbox.ask(Input::BlobStored { hash: payload, bytes: 1, by: BlobOwner::Customer(customer) }).await?;
        for job in 0..JOBS / 4 {
            inbox.ask(Input::CreateJob { customer, job: job_of(customer, job, payload) }).await?;
        }
    }
    Ok(())
}

fn job_of(_customer: CustomerId, n: u32, payload: BlobHash) -> JobSpec {
    JobSpec {
        idempotency_key: n.to_string(),
        title: "claims".to_owned(),
        kind: KIND.to_owned(),
        price_per_task: BaseUnits(1_000),
        task_deadline_ms: 60_000,
        tasks: vec![
            TaskSpec { payload, inputs: Vec::new(), outputs: 1, picture: None };
            TASKS_PER_JOB as usize
        ],
    }
}

async fn work(
    inbox: Inbox,
    n: u32,
    mut mail: mpsc::UnboundedReceiver<NetworkMessage>,
    done: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
) -> anyhow::Result<()> {
    let mut secret = [7; 32];
    secret[..4].copy_from_slice(&n.to_be_bytes());
    let worker = SecretKey::from_bytes(&secret).worker_id();
    let session = SessionId(n.into());
    inbox.ask(Input::WorkerConnected { worker, session }).await?;
    let say = async |message| inbox.ask(Input::FromWorker { worker, session, message }).await;
    say(WorkerMessage::Enrol(Box::new(enrolment()))).await?;
    while !stop.load(Ordering::Relaxed) {
        say(WorkerMessage::WantWork { device: 0 }).await?;
        let assignment = loop {
            match mail.recv().await.context("the writer ended")? {
                NetworkMessage::Assign(assignment) => break assignment.id,
                NetworkMessage::NoWork { reason, .. } => bail!("out of tasks: {reason}"),
                _ => {}
            }
        };
        complete(&inbox, worker, session, assignment, &mut mail).await?;
        done.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

async fn complete(
    inbox: &Inbox,
    worker: WorkerId,
    session: SessionId,
    assignment: AssignmentId,
    mail: &mut mpsc::UnboundedReceiver<NetworkMessage>,
) -> anyhow::Result<()> {
    let hash = BlobHash::of(assignment.as_bytes());
    inbox.ask(Input::BlobStored { hash, bytes: 16, by: BlobOwner::Worker(worker) }).await?;
    let message = WorkerMessage::Report { assignment, outputs: vec![hash], ran_ms: 1 };
    inbox.ask(Input::FromWorker { worker, session, message }).await?;
    loop {
        match mail.recv().await.context("the writer ended")? {
            NetworkMessage::Verdict { verdict: Verdict::Accepted { .. }, .. } => return Ok(()),
            NetworkMessage::Refused { fault, .. } => bail!(fault),
            _ => {}
        }
    }
}

fn enrolment() -> Enrolment {
    let device = DeviceInfo {
        index: 0,
        name: "device".to_owned(),
        vendor: "amd".to_owned(),
        kind: DeviceKind::Discrete,
        backend: "vulkan".to_owned(),
        driver: "1".to_owned(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 1 << 27,
        features: Vec::new(),
    };
    let measurement = Measurement::new(Measure::Fp32Peak, vec![1_000.0], "simulated", true);
    let took = Duration::from_millis(1);
    Enrolment {
        benchmarks: vec![BenchmarkReport::new(device.clone(), "1", UnixMillis(0), took, vec![measurement])],
        hardware: HardwareReport {
            os: "Debian 12".to_owned(),
            cpu: "cpu".to_owned(),
            cpu_threads: 8,
            memory_bytes: 1 << 34,
            devices: vec![device],
        },
        kinds: vec![KIND.to_owned()],
    }
}
