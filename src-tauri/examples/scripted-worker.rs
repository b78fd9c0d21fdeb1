//! A worker that only pretends, for tests of the app: it has one device, measures it in a second, is enrolled at
//! once and earns with every task, of which one is always running. It answers where a real one would.
//!
//! `LULL_WORKER=target/debug/examples/scripted-worker lull`

use std::sync::Arc;
use std::time::Duration;

use lull_types::{
    BaseUnits, BenchmarkReport, Cause, Coded, DeviceInfo, DeviceKind, DeviceTelemetry, Fault, Measure,
    Measurement, PauseUntil, UnixMillis, WalletAddressError, WorkerId,
};
use lull_worker_api::transport::{Handler, Listener, data_dir, default_endpoint, serve};
use lull_worker_api::{
    AssignmentStage, AssignmentView, BenchmarkView, Command, DataView, DeviceView, EarningsView, Intent,
    NetworkView, Notice, PROTOCOL_VERSION, PauseFor, PowerPrice, ReceiptRow, ReceiptsCheck, Reply, Settings,
    Snapshot, StateView, Steps, TaskRow, TaskState,
};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// What a task earns.
const PRICE: BaseUnits = BaseUnits(1_850);

/// How often the script goes on. Ten steps make a task or a benchmark.
const STEP: Duration = Duration::from_millis(100);

fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

struct Scripted {
    snapshot: watch::Sender<Arc<Snapshot>>,
    end: Notify,
}

impl Scripted {
    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        self.snapshot.send_modify(|shared| {
            let mut snapshot = Snapshot::clone(shared);
            change(&mut snapshot);
            snapshot.taken_at = now();
            *shared = Arc::new(snapshot);
        });
    }

    /// The script's next line.
    fn step(&self) {
        self.change(|snapshot| match &mut snapshot.state {
            StateView::Benchmarking(benchmark) => {
                benchmark.fraction += 0.1;
                benchmark.value_so_far = Some(f64::from(benchmark.fraction) * 100.0);
                if benchmark.fraction >= 1.0 {
                    snapshot.devices[0].benchmark = Some(measured());
                    snapshot.steps.benchmarked = true;
                    snapshot.state = StateView::Ready { reason: None };
                }
            }
            StateView::Working { assignments } => {
                assignments[0].fraction += 0.1;
                if assignments[0].fraction >= 1.0 {
                    earn(snapshot);
                    snapshot.state = working();
                }
            }
            StateView::Ready { .. } if snapshot.steps.enrolled && snapshot.intent == Intent::On => {
                snapshot.state = working();
            }
            _ => {}
        });
    }
}

fn earn(snapshot: &mut Snapshot) {
    if !snapshot.steps.first_receipt {
        let sentence = "The first task was accepted and its receipt is here.".to_owned();
        let code = "first_earning".to_owned();
        snapshot.notices.push(Notice { id: 1, at: now(), code, sentence, problem: false });
    }
    snapshot.steps.first_receipt = true;
    let earnings = &mut snapshot.earnings;
    earnings.receipts += 1;
    earnings.all_time = PRICE.times(u64::from(earnings.receipts)).unwrap_or_default();
    (earnings.today, earnings.seven_days) = (earnings.all_time, earnings.all_time);
}

fn working() -> StateView {
    let assignment = AssignmentView {
        id: id(),
        job: id(),
        job_title: "Harbour at night".to_owned(),
        customer_name: "Studio Sample".to_owned(),
        kind: lull_types::JOB_KIND_WGSL.to_owned(),
        device: 0,
        stage: AssignmentStage::Running,
        fraction: 0.0,
        price: PRICE,
        task_index: 0,
        task_count: 64,
        picture: None,
        shift: None,
    };
    StateView::Working { assignments: vec![assignment] }
}

/// The script's only id; its two kinds have the same form.
#[allow(clippy::expect_used, reason = "the text is an id")]
fn id<T: serde::de::DeserializeOwned>() -> T {
    serde_json::from_str(r#""01890a5d-ac96-774b-bcce-b302099a8057""#).expect("an id")
}

fn device() -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: "Pretended device".to_owned(),
        vendor: "Script".to_owned(),
        kind: DeviceKind::Software,
        backend: "none".to_owned(),
        driver: "none".to_owned(),
        pci_bus_id: None,
        vram_bytes: None,
        storage_buffer_bytes_max: 128 * 1024 * 1024,
        features: Vec::new(),
    }
}

fn measured() -> BenchmarkReport {
    let measurement =
        |measure, value| Measurement::new(measure, vec![value; 5], "A script's invention.", true);
    let measurements = vec![
        measurement(Measure::Fp32Peak, 150.0),
        measurement(Measure::MemoryRead, 9.1),
        measurement(Measure::GemmFp32, 90.0),
    ];
    BenchmarkReport::new(device(), "0.1.0", now(), Duration::from_secs(1), measurements)
}

impl Handler for Scripted {
    type Look = ();

    fn look(&self) {}

    async fn handle(&self, command: Command) -> Reply {
        let taken = self.snapshot.borrow().earnings;
        match command {
            Command::Status => return Reply::Snapshot(Box::new(Snapshot::clone(&self.snapshot.borrow()))),
            Command::Start => self.change(|snapshot| {
                snapshot.intent = Intent::On;
                snapshot.state = StateView::Ready { reason: None };
            }),
            Command::Stop => self.change(|snapshot| {
                snapshot.intent = Intent::Off;
                snapshot.state = StateView::Stopped;
            }),
            Command::Pause { duration, device } => self.change(|snapshot| {
                let until = match duration {
                    PauseFor::Minutes(minutes) => {
                        PauseUntil::Instant(now().after(Duration::from_secs(60 * u64::from(minutes))))
                    }
                    PauseFor::UntilRestart => PauseUntil::Restart,
                    PauseFor::UntilResumed => PauseUntil::Resumed,
                };
                let causes = vec![Cause::Paused { device, until }];
                snapshot.state = StateView::Yielding { causes, since: now() };
            }),
            Command::Resume { .. } => {
                self.change(|snapshot| snapshot.state = StateView::Ready { reason: None })
            }
            Command::Benchmark { device, .. } => self.change(|snapshot| {
                let measure = Some(Measure::Fp32Peak);
                let benchmark = BenchmarkView { device, measure, fraction: 0.0, value_so_far: None };
                snapshot.state = StateView::Benchmarking(benchmark);
            }),
            Command::Enrol { .. } => self.change(|snapshot| {
                snapshot.steps.enrolled = true;
                snapshot.network = Some(NetworkView {
                    id: "00".repeat(32),
                    name: Some("Practice".to_owned()),
                    practice: true,
                    connected: true,
                    enrolled: true,
                });
            }),
            Command::Earnings { .. } => return Reply::Earnings(Vec::new()),
            Command::Tasks { .. } => {
                return Reply::Tasks(if taken.receipts > 0 { vec![task()] } else { Vec::new() });
            }
            Command::Programs => return Reply::Programs(vec!["blender".to_owned(), "obs".to_owned()]),
            Command::Trips { .. } => return Reply::Trips(Vec::new()),
            Command::DataDays { .. } => return Reply::DataDays(Vec::new()),
            Command::Picture { .. } => return Reply::Picture(None),
            Command::Receipts { .. } => {
                return Reply::Receipts((1..=taken.receipts).rev().map(receipt).collect());
            }
            Command::VerifyReceipts => {
                return Reply::ReceiptsChecked(ReceiptsCheck {
                    receipts: taken.receipts,
                    signatures: 2 * taken.receipts,
                    total: taken.all_time,
                    fault: None,
                });
            }
            Command::ExportReceipts
            | Command::ExportBenchmark { .. }
            | Command::ExportEvidence { .. }
            | Command::ExportStatement { .. }
            | Command::ExportLogs => {
                return Reply::Exported { path: "/dev/null".to_owned() };
            }
            Command::Shutdown => self.end.notify_one(),
            Command::ProveWallet => {
                let url = "http://127.0.0.1:41234/00112233445566778899aabbccddeeff/".to_owned();
                return Reply::WalletPage { url };
            }
            Command::ProveWalletByPhone => {
                return Reply::Refused(Fault::new("wallet_not_set", "Set the address of a wallet first."));
            }
            Command::SetWallet { address } => match address.map(|address| address.parse()).transpose() {
                Ok(wallet) => self.change(|snapshot| snapshot.wallet = wallet),
                Err::<_, WalletAddressError>(error) => return Reply::Refused(error.fault()),
            },
            Command::Payouts { .. } => return Reply::Payouts(Vec::new()),
            Command::MakeWallet
            | Command::ConfirmWallet { .. }
            | Command::RestoreWallet { .. }
            | Command::ExportWallet
            | Command::ForgetWallet { .. }
            | Command::ClaimPayout
            | Command::VerifyPayout { .. } => {
                return Reply::Refused(Fault::new(
                    "not_scripted",
                    "this worker follows a script, which has no wallet",
                ));
            }
            Command::Subscribe
            | Command::Look { .. }
            | Command::CancelBenchmark
            | Command::SetPayoutThreshold { .. }
            | Command::Configure(_) => {}
        }
        Reply::Done
    }
}

fn task() -> TaskRow {
    TaskRow {
        assignment: id(),
        job: id(),
        job_title: "Harbour at night".to_owned(),
        customer_name: "Studio Sample".to_owned(),
        kind: lull_types::JOB_KIND_WGSL.to_owned(),
        device: 0,
        task_index: 0,
        task_count: 64,
        picture: None,
        started_at: now(),
        ran_ms: Some(1000),
        price: PRICE,
        state: TaskState::Accepted { checked: true },
    }
}

fn receipt(nonce: u32) -> ReceiptRow {
    ReceiptRow {
        nonce: u64::from(nonce),
        epoch: 0,
        amount: PRICE,
        cumulative: PRICE.times(u64::from(nonce)).unwrap_or_default(),
        assignment: id(),
        job_title: Some("Harbour at night".to_owned()),
        received_at: now(),
    }
}

fn newcomer() -> Snapshot {
    Snapshot {
        protocol: PROTOCOL_VERSION,
        worker_version: "0.1.0".to_owned(),
        worker: WorkerId([1; 32]),
        taken_at: now(),
        intent: Intent::On,
        state: StateView::Ready { reason: None },
        steps: Steps { devices_found: true, benchmarked: false, enrolled: false, first_receipt: false },
        hardware: None,
        sandbox: Vec::new(),
        guards: Vec::new(),
        data: DataView::default(),
        devices: vec![DeviceView {
            scores: measured().scores(),
            info: device(),
            lent: true,
            held: Vec::new(),
            pace_percent: 100,
            power_limit: None,
            power_of_package: false,
            telemetry: DeviceTelemetry::default(),
            benchmark: None,
            timed_gigaflops: None,
            timed_memory_bytes: None,
            standing: None,
        }],
        network: None,
        wallet: None,
        wallet_standing: None,
        wallet_proof: None,
        kept_wallet: None,
        payouts: None,
        earnings: EarningsView::default(),
        estimate: None,
        power_price: PowerPrice::default(),
        settings: Settings::default(),
        notices: Vec::new(),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let data_dir = data_dir()?;
    std::fs::create_dir_all(&data_dir)?;
    let listener = Listener::bind(&default_endpoint(&data_dir)).await?;
    let (snapshot, snapshots) = watch::channel(Arc::new(newcomer()));
    let scripted = Arc::new(Scripted { snapshot, end: Notify::new() });
    let script = {
        let scripted = Arc::clone(&scripted);
        tokio::spawn(async move {
            loop {
                sleep(STEP).await;
                scripted.step();
            }
        })
    };
    serve(listener, Arc::clone(&scripted), snapshots, scripted.end.notified()).await;
    script.abort();
    Ok(())
}
