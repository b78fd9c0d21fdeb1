//! Everything that a client shows, in one value.

use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, Cause, ChainAddress, DataMoved, DeviceInfo, DeviceTelemetry,
    Fault, Guard, GuardRules, GuardState, HardwareReport, JobId, Measure, PayoutStanding, PictureTile,
    PowerLimit, SandboxPart, Score, Tariff, UnixMillis, WalletAddress, WalletStanding, WorkerId,
    tariff_or_price,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{DeviceStanding, KeptWallet, PowerPrice};

/// Whether the contributor wants work to be done. Kept over restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// No work.
    Off,
    /// Work when nothing stands against it.
    On,
}

/// The worker, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Snapshot {
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u16,
    /// Version of the worker.
    pub worker_version: String,
    /// Its id.
    pub worker: WorkerId,
    /// When this snapshot was taken, by the worker's clock.
    pub taken_at: UnixMillis,
    /// What the contributor wants.
    pub intent: Intent,
    /// What is the case.
    pub state: StateView,
    /// Which steps to a first earning are behind.
    pub steps: Steps,
    /// The machine, once it is known.
    pub hardware: Option<HardwareReport>,
    /// How jobs are locked in on it: what holds, and what this system lacks. Empty until that is known.
    pub sandbox: Vec<SandboxPart>,
    /// What the machine is watched for, so that the GPU is free when it must be; in the order in which it is shown.
    pub guards: Vec<GuardView>,
    /// How much data has moved this month.
    pub data: DataView,
    /// Its devices.
    pub devices: Vec<DeviceView>,
    /// The network joined or being joined.
    pub network: Option<NetworkView>,
    /// Where the contributor wants to be paid.
    pub wallet: Option<WalletAddress>,
    /// Where the network pays, once it has said so in this session.
    pub wallet_standing: Option<WalletStanding>,
    /// The proof of a wallet that is under way.
    pub wallet_proof: Option<WalletProof>,
    /// The wallet whose key is kept here, if one was made or taken over.
    pub kept_wallet: Option<KeptWallet>,
    /// How payouts stand, as the network last said.
    pub payouts: Option<PayoutStanding>,
    /// What was earned.
    pub earnings: EarningsView,
    /// What could be earned, once a benchmark is there.
    pub estimate: Option<Estimate>,
    /// What power costs now, by the contributor's tariff.
    pub power_price: PowerPrice,
    /// The contributor's choices.
    pub settings: Settings,
    /// Things that a person should be told once, newest last. A client remembers the highest `id` it showed.
    pub notices: Vec<Notice>,
}

/// What a wallet's holder is asked to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WalletProof {
    /// The wallet.
    pub wallet: WalletAddress,
    /// Who asks its holder: [`lull_types::WalletStatement::domain`].
    pub domain: String,
    /// Which text.
    pub nonce: Option<String>,
    /// The text, once the network has drawn it.
    pub text: Option<String>,
    /// What a transaction names to stand for it, if one is to.
    pub reference: Option<ChainAddress>,
    /// Until when it counts.
    pub expires_at: Option<UnixMillis>,
    /// Why it was refused.
    pub fault: Option<Fault>,
}

impl WalletProof {
    /// A proof for which the network has drawn nothing yet.
    pub fn new(wallet: WalletAddress, domain: String) -> Self {
        Self { wallet, domain, nonce: None, text: None, reference: None, expires_at: None, fault: None }
    }
}

/// What the worker is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum StateView {
    /// Intent is off and nothing runs.
    Stopped,
    /// Runtimes and devices are being found.
    Starting,
    /// Devices are being measured.
    Benchmarking(BenchmarkView),
    /// A network is being dialled, or enrolment is under way.
    Connecting {
        /// Attempts since the last success.
        attempt: u32,
        /// When the next is made, if it is being waited for.
        retry_at: Option<UnixMillis>,
        /// What went wrong with the last.
        fault: Option<Fault>,
    },
    /// Connected, with nothing to do.
    Ready {
        /// Why, as the network says; `None` while it is being asked.
        reason: Option<Fault>,
    },
    /// At least one assignment runs.
    Working {
        /// They, by device.
        assignments: Vec<AssignmentView>,
    },
    /// Guards hold every device free that is lent.
    Yielding {
        /// Which guards, of all devices together.
        causes: Vec<Cause>,
        /// Since when.
        since: UnixMillis,
    },
    /// Intent went off; running assignments are handed back until the deadline, then dropped.
    Draining {
        /// The deadline.
        deadline: UnixMillis,
    },
    /// Something failed; it will be tried again.
    Faulted {
        /// What.
        fault: Fault,
        /// When it is tried again; `None` when that needs the contributor.
        retry_at: Option<UnixMillis>,
    },
}

/// A benchmark under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct BenchmarkView {
    /// Device index.
    pub device: u32,
    /// What is being measured.
    pub measure: Option<Measure>,
    /// How much of the whole is done, 0 to 1.
    pub fraction: f32,
    /// Best value so far of `measure`.
    pub value_so_far: Option<f64>,
}

/// One running assignment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct AssignmentView {
    /// Its id.
    pub id: AssignmentId,
    /// Its job.
    pub job: JobId,
    /// The job's title.
    pub job_title: String,
    /// Who submitted it.
    pub customer_name: String,
    /// Job kind.
    pub kind: String,
    /// Device index.
    pub device: u32,
    /// Where it stands.
    pub stage: AssignmentStage,
    /// How much of the run is done, 0 to 1.
    pub fraction: f32,
    /// What it earns when accepted.
    pub price: BaseUnits,
    /// Its position in the job, from 0.
    pub task_index: u32,
    /// Tasks in the job.
    pub task_count: u32,
    /// Where its output belongs in a picture, if it is one.
    pub picture: Option<PictureTile>,
    /// What is served, if it is a shift that has begun to be.
    pub shift: Option<ShiftView>,
}

/// A model that is served. What it is asked and what it answers are the customers' and never shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct ShiftView {
    /// The model's name, as the network says it.
    pub model: String,
    /// Texts that are being read or written.
    pub texts_open: u32,
    /// Tokens of prompts that were read in this shift.
    #[ts(type = "number")]
    pub tokens_read: u64,
    /// Tokens that were generated in it.
    #[ts(type = "number")]
    pub tokens_generated: u64,
    /// Tokens generated in a second, over the last few.
    pub tokens_per_second: f32,
    /// What 1,000 generated tokens earn.
    pub price_per_1000_generated_tokens: BaseUnits,
    /// What 1,000 tokens of prompts earn.
    pub price_per_1000_prompt_tokens: BaseUnits,
}

/// Where an assignment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum AssignmentStage {
    /// Its blobs are being fetched.
    Fetching,
    /// Its runtime is being started.
    Preparing,
    /// It runs.
    Running,
    /// Its outputs are being sent.
    Uploading,
}

/// Where one guard stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct GuardView {
    /// Which.
    pub guard: Guard,
    /// Where it stands.
    pub stand: GuardState,
}

/// How much data has moved between this machine and others in the month that counts for caps. What stays on this machine,
/// such as that of the practice network, is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct DataView {
    /// That much.
    pub moved: DataMoved,
    /// When the month began.
    pub begins_at: UnixMillis,
    /// When the next one does.
    pub ends_at: UnixMillis,
    /// When a cap is reached at the pace of this month so far, if it is.
    pub reached_at: Option<UnixMillis>,
}

/// Which steps to a first earning are behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Steps {
    /// Devices were found.
    pub devices_found: bool,
    /// A benchmark is there.
    pub benchmarked: bool,
    /// A network has enrolled this worker.
    pub enrolled: bool,
    /// A receipt is held.
    pub first_receipt: bool,
}

/// One device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct DeviceView {
    /// What it is.
    pub info: DeviceInfo,
    /// Whether the contributor lends it.
    pub lent: bool,
    /// Why it is held free now; empty when it is not.
    pub held: Vec<Cause>,
    /// How much of the time it works, in per cent, so that it stays under the contributor's limits of heat, noise and
    /// power.
    pub pace_percent: u8,
    /// How its board's own power limit stands, where Lull may lower it and has looked.
    #[serde(default)]
    pub power_limit: Option<PowerLimit>,
    /// What it is doing now.
    pub telemetry: DeviceTelemetry,
    /// Whether the power in `telemetry` is that of the processor's whole package, of which the device is a part.
    pub power_of_package: bool,
    /// Its last benchmark.
    pub benchmark: Option<BenchmarkReport>,
    /// What that means for each kind of work.
    pub scores: Vec<Score>,
    /// GFLOP/s of matrix products that the network itself has timed on it.
    pub timed_gigaflops: Option<f64>,
    /// Memory that the network itself has found to be really there. Not all that is claimed is asked for where filling
    /// it would take more than a few seconds.
    #[ts(type = "number | null")]
    pub timed_memory_bytes: Option<u64>,
    /// Where it stands, as the network last said, while it would take work and has none.
    pub standing: Option<DeviceStanding>,
}

/// The network joined or being joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct NetworkView {
    /// Its id, in hexadecimal.
    pub id: String,
    /// Its name, once it has said it.
    pub name: Option<String>,
    /// Its money is practice tokens without value.
    pub practice: bool,
    /// Whether a session is open.
    pub connected: bool,
    /// Whether it has enrolled this worker.
    pub enrolled: bool,
}

/// What was earned. Sums over receipts that this worker holds and has verified; `held`, `payable` and `paid`
/// are the network's statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
pub struct EarningsView {
    /// Since local midnight.
    pub today: BaseUnits,
    /// The last seven days, today included.
    pub seven_days: BaseUnits,
    /// All receipts.
    pub all_time: BaseUnits,
    /// Receipts held.
    pub receipts: u32,
    /// Accepted, held through the audit window.
    pub held: BaseUnits,
    /// Free to be paid.
    pub payable: BaseUnits,
    /// Paid.
    pub paid: BaseUnits,
    /// Energy used by assignments that were accepted, in watt-hours, where power is measured.
    pub energy_watt_hours: Option<f64>,
}

/// What a day could bring, computed and labelled as an estimate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Estimate {
    /// Hours a day that the estimate assumes.
    pub hours_per_day: f64,
    /// Before power.
    pub gross_per_day: BaseUnits,
    /// Power under load in watts.
    pub power_watts: f64,
    /// Whether `power_watts` was measured; otherwise it is a typical figure for this sort of device.
    pub power_measured: bool,
    /// Whether it was measured of the processor's whole package, of which a device is a part.
    pub power_of_package: bool,
    /// The price of power, in millionths of a US dollar for a kilowatt-hour; where it changes, on average over the coming
    /// 24 hours.
    #[ts(type = "number")]
    pub tariff_micro_per_kwh: i64,
    /// What that power costs a day, in base units; below zero where whoever takes power is paid for it.
    #[ts(type = "number")]
    pub power_cost_per_day: i64,
    /// How it was computed, in a sentence.
    pub basis: String,
    /// Accepted tasks of this worker that the figures rest on; 0 when they rest on the benchmark alone.
    pub tasks_seen: u32,
}

/// How hard to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Effort {
    /// A third of the time: cool and silent.
    Quiet,
    /// Two thirds of the time.
    Balanced,
    /// All of the time.
    Full,
}

/// The contributor's choices. Kept over restarts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
pub struct Settings {
    /// How hard to work.
    pub effort: Effort,
    /// What power costs. Older files have one price in its place.
    #[serde(alias = "tariff_micro_per_kwh", deserialize_with = "tariff_or_price")]
    pub tariff: Tariff,
    /// Devices that are not lent, by index.
    pub devices_not_lent: Vec<u32>,
    /// Work begins when the worker starts, instead of waiting for a word.
    pub start_working: bool,
    /// URL of the Solana endpoint by which payouts are checked; none for the one that the network names.
    #[serde(default)]
    pub chain_endpoint: Option<String>,
    /// Which guards are wanted.
    #[serde(default)]
    pub guards: GuardRules,
    /// Whether language models are served, whose files are large and kept on this machine.
    #[serde(default)]
    pub serves_models: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            effort: Effort::Full,
            tariff: Tariff::default(),
            devices_not_lent: Vec::new(),
            start_working: true,
            chain_endpoint: None,
            guards: GuardRules::default(),
            // It takes gigabytes of disk and of the line, so that it waits for a word.
            serves_models: false,
        }
    }
}

/// Something that a person should be told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Notice {
    /// Rises by one with each notice.
    #[ts(type = "number")]
    pub id: u64,
    /// When.
    pub at: UnixMillis,
    /// `first_earning`, or the code of a problem.
    pub code: String,
    /// In a sentence.
    pub sentence: String,
    /// Whether it is a problem.
    pub problem: bool,
}
