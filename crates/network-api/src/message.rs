//! What worker and network say to each other.

use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, EarningsProof, Fault, HardwareReport, JobId,
    NetworkId, PayoutStanding, PictureTile, Signature, SignedReceipt, TaskId, UnixMillis, WalletAddress,
    WalletStanding, WalletStatement, WorkClass,
};
use serde::{Deserialize, Serialize};

use crate::Standing;

/// Protocol name with its version. A change of any message here raises it; a network may serve several.
pub const ALPN: &[u8] = b"lull/worker/3";

/// Worker → network, on the session stream. The network may get any of them twice, or never.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WorkerMessage {
    /// First message of a session. Answered with `Welcome`, then every receipt above `nonce_held`, then the
    /// balance.
    Hello {
        /// Version of the worker.
        worker_version: String,
        /// Highest nonce without a gap among the receipts that the worker holds, for lane 0; 0 for none.
        nonce_held: u64,
    },
    /// Asks to be enrolled, or renews what the network knows. Answered with `Enrolled` or `Refused`.
    Enrol(Box<Enrolment>),
    /// Sets, changes or clears where earnings are paid. Answered with `WalletSet` or `Refused`. A change waits.
    SetWallet(Option<WalletAddress>),
    /// Asks for what a wallet's holder is to sign. Answered with `WalletStatement` or `Refused`.
    StateWallet {
        /// The wallet to be proven.
        wallet: WalletAddress,
        /// The page on the contributor's machine that shows it to the wallet, as `127.0.0.1:PORT`.
        domain: String,
    },
    /// The holder's signature of the statement that was asked for last. Proves the wallet and sets it; answered with
    /// `WalletSet` or `Refused`.
    ProveWallet {
        /// The statement's.
        nonce: String,
        /// Over the bytes of `lull_checks::wallet::text`.
        signature: Signature,
    },
    /// From how much on the network sends payouts by itself; none when the contributor claims. Answered with `Payouts`
    /// or `Refused`.
    SetPayoutThreshold(Option<BaseUnits>),
    /// Asks for the proof of this worker's earnings for one wallet, under the newest anchored root. Answered with
    /// `EarningsProof` or `Refused`.
    WantProof {
        /// Which wallet.
        wallet: WalletAddress,
    },
    /// The contributor has sent a claim for this wallet: look at the chain. Answered with `Payouts` once that has
    /// changed anything.
    Claimed {
        /// Which wallet.
        wallet: WalletAddress,
    },
    /// Asks for one assignment for one device. Answered with `Assign` or `NoWork`. Asking again while an
    /// assignment of this device is open gets the same one again.
    WantWork {
        /// Device index.
        device: u32,
    },
    /// The assignment goes on; renews nothing, tells the customer.
    Progress {
        /// Which.
        assignment: AssignmentId,
        /// 0 to 1.
        fraction: f32,
    },
    /// The assignment is done and its outputs are uploaded. Idempotent by assignment; answered with
    /// `ReportReceived` or `Refused` with a code that names the assignment's state.
    Report {
        /// Which.
        assignment: AssignmentId,
        /// Hashes of the outputs, in order; each was put as a blob before.
        outputs: Vec<BlobHash>,
        /// Time the run took on the device.
        ran_ms: u64,
    },
    /// The assignment will not be done. Idempotent; answered with `HandBackReceived`.
    HandBack {
        /// Which.
        assignment: AssignmentId,
        /// Why. Codes that blame the task (`task_fault`) count against the task, the rest do not.
        reason: Fault,
    },
    /// The worker's signature on a receipt that it verified. Idempotent; not answered.
    Countersign {
        /// Lane of the receipt.
        lane: u32,
        /// Nonce of the receipt.
        nonce: u64,
        /// Over [`lull_types::Receipt::canonical`].
        signature: Signature,
    },
}

/// What a worker tells when it enrols.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The machine.
    pub hardware: HardwareReport,
    /// One report for each device that is lent.
    pub benchmarks: Vec<BenchmarkReport>,
    /// Job kinds that the worker's runtimes run.
    pub kinds: Vec<String>,
}

/// Network → worker, on the session stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NetworkMessage {
    /// Answer to `Hello`.
    Welcome {
        /// Who this is.
        network: NetworkInfo,
        /// Whether this worker is enrolled.
        enrolled: bool,
    },
    /// Enrolment succeeded.
    Enrolled,
    /// Where earnings are paid, and what waits to come in its place. Also sent when that changes.
    WalletSet(WalletStanding),
    /// What a wallet's holder is to sign.
    WalletStatement(Box<WalletStatement>),
    /// How payouts stand. Sent after `Hello` and after each change.
    Payouts(Box<PayoutStanding>),
    /// That earnings are under the newest root.
    EarningsProof(Box<EarningsProof>),
    /// Work for one device.
    Assign(Box<Assignment>),
    /// No work for this device now.
    NoWork {
        /// Device index.
        device: u32,
        /// Why, for the contributor.
        reason: Fault,
        /// When to ask again. The network also sends an unasked `WorkWaiting` when that changes.
        retry_after_ms: u64,
        /// What waits all the same, what keeps it from this device, and who is served before.
        standing: Standing,
    },
    /// What the network's own challenge found of a device.
    Timed {
        /// Device index.
        device: u32,
        /// GFLOP/s of matrix products.
        gigaflops: f64,
        /// Memory that is really there; none where none was claimed. Less than that may have been claimed and asked
        /// for: a few seconds do not fill the memory of every device.
        memory_bytes: Option<u64>,
    },
    /// What a device claims was not found by the network's own challenge, which counts. Told once.
    ClaimLowered {
        /// Device index.
        device: u32,
        /// What was claimed and what was found.
        reason: Fault,
    },
    /// What work has lately paid, by kind. Not sent while too few tasks were accepted to tell.
    Prices(Vec<RecentPrice>),
    /// Work has arrived: ask again now.
    WorkWaiting,
    /// A report is stored durably.
    ReportReceived {
        /// Which.
        assignment: AssignmentId,
    },
    /// A hand-back is stored durably.
    HandBackReceived {
        /// Which.
        assignment: AssignmentId,
    },
    /// The assignment is void: its deadline passed or its job was withdrawn. Stop it.
    Withdrawn {
        /// Which.
        assignment: AssignmentId,
        /// Why.
        reason: Fault,
    },
    /// What became of a report.
    Verdict {
        /// Which.
        assignment: AssignmentId,
        /// What.
        verdict: Verdict,
    },
    /// A receipt for an accepted assignment. Sent again after each `Hello` until the worker holds it.
    Receipt(Box<SignedReceipt>),
    /// What is owed. Sent after `Hello` and after each change.
    Balance(Balance),
    /// A message was refused and changed nothing.
    Refused {
        /// The assignment that it was about, if any.
        assignment: Option<AssignmentId>,
        /// Why.
        fault: Fault,
    },
}

/// What a kind of job has lately paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentPrice {
    /// Job kind.
    pub kind: String,
    /// What bounds it.
    pub work: WorkClass,
    /// What an hour paid on a device that scores 1 for that, from taking a task to reporting it.
    pub per_score_hour: BaseUnits,
    /// Accepted tasks that it rests on.
    pub tasks: u32,
}

/// What a network tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// Its key.
    pub id: NetworkId,
    /// Its name, for people.
    pub name: String,
    /// Its money is practice tokens without value.
    pub practice: bool,
    /// How long accepted earnings are held before they are payable.
    pub audit_window_ms: u64,
}

/// A task given to one worker until a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Its id.
    pub id: AssignmentId,
    /// The task.
    pub task: TaskId,
    /// The task's job.
    pub job: JobId,
    /// The job's title, for people.
    pub job_title: String,
    /// Who submitted it, for people.
    pub customer_name: String,
    /// Job kind, such as `wgsl/1`.
    pub kind: String,
    /// The device that it is for.
    pub device: u32,
    /// Blob of the payload, as the kind defines it.
    pub payload: BlobHash,
    /// What it earns when accepted.
    pub price: BaseUnits,
    /// A report after this instant counts for nothing.
    pub deadline: UnixMillis,
    /// Where its output belongs in a picture, if it is one.
    pub picture: Option<PictureTile>,
    /// This task's position in its job, from 0.
    pub task_index: u32,
    /// Tasks in the job.
    pub task_count: u32,
}

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// Right, and earned.
    Accepted {
        /// What it earned.
        amount: BaseUnits,
        /// Whether it was run again to check it.
        checked: bool,
    },
    /// Wrong: it differs from what a check found.
    Rejected {
        /// Hashes of the outputs that the check found.
        expected: Vec<BlobHash>,
        /// Hashes of the reported outputs.
        actual: Vec<BlobHash>,
        /// How they differ, in a sentence.
        difference: String,
    },
    /// It could not be decided; the task is placed again and nothing is held against the worker.
    Inconclusive {
        /// Why, in a sentence.
        reason: String,
    },
}

/// What is owed to a worker, by state. Nothing is in two states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Accepted, held through the audit window.
    pub held: BaseUnits,
    /// Free to be paid.
    pub payable: BaseUnits,
    /// Paid.
    pub paid: BaseUnits,
}

/// First frame of a blob stream, worker → network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobRequest {
    /// Send me this blob. Allowed for the payload of an open assignment of this worker and for the inputs
    /// that it names.
    Get(BlobHash),
    /// Send me parts of a model's file, as `lull_models` asks for them on the rest of this stream. Allowed for the model of
    /// an open shift of this worker.
    Model(BlobHash),
    /// I send you this blob: its bytes follow the frame, raw. Allowed while an assignment is open.
    Put {
        /// Its hash.
        hash: BlobHash,
        /// Its length.
        bytes: u64,
    },
}

/// First frame of the answer on a blob stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BlobResponse {
    /// The blob follows, raw.
    Sending {
        /// Its length.
        bytes: u64,
    },
    /// The blob arrived, its hash held, and it is stored durably.
    Stored,
    /// Not given or not taken.
    Refused(Fault),
}
