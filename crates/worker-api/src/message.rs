//! What a client asks of the worker, and what it is told.

use lull_types::{
    AssignmentId, BaseUnits, DataDay, Fault, GuardRules, JobId, Payout, PictureTile, Tariff,
    TransactionSignature, Trip, UnixMillis, WalletAddress,
};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{Effort, PayoutCheck, SecretText, Snapshot};

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// One snapshot. → [`Reply::Snapshot`]
    Status,
    /// A snapshot now and after every change, as [`ServerMessage::Changed`]. → [`Reply::Done`]
    Subscribe,
    /// Somebody looks at the devices' figures from now on, or does not any more: they are measured while somebody does,
    /// which the end of the connection ends too. → [`Reply::Done`]
    Look {
        /// Whether somebody does.
        on: bool,
    },
    /// Turns work on. → [`Reply::Done`]
    Start,
    /// Turns work off. → [`Reply::Done`] at once; the snapshot shows the draining.
    Stop,
    /// Frees the GPU for a time. → [`Reply::Done`]
    Pause {
        /// For how long.
        duration: PauseFor,
        /// One device; `None` for all.
        #[serde(default)]
        device: Option<u32>,
    },
    /// Ends a pause at once, without the resume delay. → [`Reply::Done`]
    Resume {
        /// One device; `None` for all, those that were paused by themselves too.
        #[serde(default)]
        device: Option<u32>,
    },
    /// Names of the programs that run now, to choose from for [`GuardRules::programs`]. → [`Reply::Programs`]
    Programs,
    /// When guards held a device free, and what that cost, newest first. → [`Reply::Trips`]
    Trips {
        /// At most so many, capped at 200.
        limit: u32,
    },
    /// How much data has moved on each of the last days, today included. → [`Reply::DataDays`]
    DataDays {
        /// So many, capped at 400.
        days: u16,
    },
    /// Measures one device; work waits. → [`Reply::Done`] when it has begun; progress is in the snapshot.
    Benchmark {
        /// Device index.
        device: u32,
        /// How long [`lull_types::Measure::Sustained`] is then taken, up to 600 s; 0 for not at all.
        sustained_seconds: u32,
    },
    /// Writes a device's last benchmark to a file, signed by this worker, that anyone can check. → [`Reply::Exported`]
    ExportBenchmark {
        /// Device index.
        device: u32,
    },
    /// Stops a benchmark. → [`Reply::Done`]
    CancelBenchmark,
    /// Joins a network; `None` is the practice network on this machine. → [`Reply::Done`] when it is written
    /// down; progress is in the snapshot.
    Enrol {
        /// The network's ticket.
        ticket: Option<String>,
    },
    /// Sets or clears where earnings are paid. → [`Reply::Done`]
    SetWallet {
        /// A Solana wallet address.
        address: Option<String>,
    },
    /// Serves a page on this machine on which the contributor proves, with their own wallet, that they hold the
    /// address; and sets it. → [`Reply::WalletPage`]
    ProveWallet,
    /// Asks for a transaction of the wallet that is set which proves it, by a code that a phone reads.
    /// → [`Reply::WalletRequest`]; that it is proven is in the snapshot.
    ProveWalletByPhone,
    /// Makes a wallet of twelve words, whose key the system's keychain keeps. One that was made and not confirmed is
    /// replaced; a confirmed one is not. → [`Reply::WalletWords`], the only time unless they are asked for.
    MakeWallet,
    /// Shows that the words were written down; the wallet is then set, and proven with its key. → [`Reply::Done`]
    ConfirmWallet {
        /// The words, separated by spaces.
        #[ts(type = "string")]
        words: SecretText,
    },
    /// Takes a wallet over by its words; it is then set, and proven with its key. → [`Reply::Done`]
    RestoreWallet {
        /// Twelve or twenty-four words, separated by spaces.
        #[ts(type = "string")]
        words: SecretText,
    },
    /// Shows the words of the wallet that is kept, to move it to another program. → [`Reply::WalletWords`]
    ExportWallet,
    /// Removes the key of the wallet that is kept from this machine. Where earnings are paid does not change.
    /// → [`Reply::Done`]
    ForgetWallet {
        /// Its words, to show that they are somewhere else; none when the contributor says that they are, or when they
        /// were never confirmed.
        #[ts(type = "string | null")]
        words: Option<SecretText>,
    },
    /// Says from how much on the network sends payouts by itself; `None` to claim them oneself. → [`Reply::Done`] when
    /// the network was told; the snapshot shows what it made of it.
    SetPayoutThreshold {
        /// The least amount that is sent.
        least: Option<BaseUnits>,
    },
    /// Payouts that the network has told of, newest first. → [`Reply::Payouts`]
    Payouts {
        /// At most so many, capped at 200.
        limit: u32,
    },
    /// Claims what the newest epoch lists for the wallet. With a wallet that the worker keeps, the claim is signed and
    /// sent. → [`Reply::Claimed`]. With any other a page is served on which its holder signs. → [`Reply::WalletPage`]
    ClaimPayout,
    /// Checks a payout, or what the newest epoch lists, against the chain and this worker's receipts.
    /// → [`Reply::PayoutChecked`]
    VerifyPayout {
        /// Its id; none for what the newest epoch lists.
        #[ts(type = "number | null")]
        payout: Option<u64>,
    },
    /// Checks the same and writes the outcome with all that it rests on to a file, as evidence. → [`Reply::Exported`]
    ExportEvidence {
        /// Its id; none for what the newest epoch lists.
        #[ts(type = "number | null")]
        payout: Option<u64>,
    },
    /// Writes a statement of earnings as CSV: a row for each accepted task, and each payout. → [`Reply::Exported`]
    ExportStatement {
        /// From then.
        from: UnixMillis,
        /// Until then, exclusive.
        until: UnixMillis,
        /// Minutes that local time is ahead of UTC, in which times are written.
        utc_offset_minutes: i32,
    },
    /// Changes settings. → [`Reply::Done`]
    Configure(Box<SettingsChange>),
    /// Earnings over time. → [`Reply::Earnings`]
    Earnings {
        /// From then.
        from: UnixMillis,
        /// Until then, exclusive.
        until: UnixMillis,
        /// Width of a point.
        bucket: EarningsBucket,
        /// Minutes that local time is ahead of UTC, so that days are the contributor's.
        utc_offset_minutes: i32,
    },
    /// Recent tasks, newest first. → [`Reply::Tasks`]
    Tasks {
        /// At most so many, capped at 200.
        limit: u32,
    },
    /// The picture of a job as far as this worker has rendered it. → [`Reply::Picture`]
    Picture {
        /// Which.
        job: JobId,
    },
    /// Receipts, newest first. → [`Reply::Receipts`]
    Receipts {
        /// At most so many, capped at 200.
        limit: u32,
    },
    /// Recomputes every receipt: signatures, sums, roots. → [`Reply::ReceiptsChecked`]
    VerifyReceipts,
    /// Writes receipts and their leaves to a file that anyone can check. → [`Reply::Exported`]
    ExportReceipts,
    /// Writes the logs, redacted, to one file. → [`Reply::Exported`]
    ExportLogs,
    /// Ends the worker; work is handed back first. → [`Reply::Done`]
    Shutdown,
}

/// For how long to pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PauseFor {
    /// So many minutes.
    Minutes(u32),
    /// Until the worker is started again.
    UntilRestart,
    /// Until [`Command::Resume`], however often the worker is started meanwhile.
    UntilResumed,
}

/// Settings that change; `None` leaves one as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, TS)]
#[serde(default)]
pub struct SettingsChange {
    /// How hard to work.
    pub effort: Option<Effort>,
    /// What power costs.
    pub tariff: Option<Tariff>,
    /// Devices that are not lent.
    pub devices_not_lent: Option<Vec<u32>>,
    /// Whether work begins when the worker starts.
    pub start_working: Option<bool>,
    /// URL of the Solana endpoint by which payouts are checked; empty for the one that the network names.
    pub chain_endpoint: Option<String>,
    /// Which guards are wanted.
    pub guards: Option<GuardRules>,
    /// Whether language models are served.
    pub serves_models: Option<bool>,
}

/// Width of a point on the earnings chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum EarningsBucket {
    /// An hour.
    Hour,
    /// A local day.
    Day,
}

/// Earnings of one job kind in one bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct EarningsPoint {
    /// Start of the bucket.
    pub at: UnixMillis,
    /// Job kind.
    pub kind: String,
    /// Sum of accepted assignments.
    pub amount: BaseUnits,
    /// How many.
    pub tasks: u32,
}

/// What became of a task here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum TaskState {
    /// Under way.
    Open,
    /// Reported; the verdict is awaited.
    Reported,
    /// Accepted and earned.
    Accepted {
        /// Whether it was run again to check it.
        checked: bool,
    },
    /// Found wrong.
    Rejected {
        /// How it differed.
        difference: String,
    },
    /// Undecided; placed again elsewhere.
    Inconclusive {
        /// Why.
        reason: String,
    },
    /// Not done.
    Abandoned {
        /// Why.
        fault: Fault,
    },
}

/// One task of this worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TaskRow {
    /// Its assignment.
    pub assignment: AssignmentId,
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
    /// Its position in the job, from 0.
    pub task_index: u32,
    /// Tasks in the job.
    pub task_count: u32,
    /// Where its output belongs in a picture, if it is one.
    pub picture: Option<PictureTile>,
    /// When it was taken.
    pub started_at: UnixMillis,
    /// Time the run took on the device.
    #[ts(type = "number | null")]
    pub ran_ms: Option<u64>,
    /// What it earns when accepted.
    pub price: BaseUnits,
    /// What became of it.
    pub state: TaskState,
}

/// A time for which a guard held a device free while work was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct TripRow {
    /// Why.
    pub trip: Trip,
    /// Since when.
    pub since: UnixMillis,
    /// Until when; `None` while it holds, and when the worker ended in the meantime.
    pub until: Option<UnixMillis>,
    /// Tasks that it interrupted; another worker does them.
    pub interrupted: u32,
    /// What had been done of those tasks, in shares of their prices.
    pub lost: BaseUnits,
    /// What the time would have brought, by what this worker's devices earn an hour at present; an estimate.
    pub missed: Option<BaseUnits>,
}

/// One receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReceiptRow {
    /// Its place in the sequence.
    #[ts(type = "number")]
    pub nonce: u64,
    /// Its epoch.
    #[ts(type = "number")]
    pub epoch: u64,
    /// What this assignment earned.
    pub amount: BaseUnits,
    /// Lifetime earnings with it.
    pub cumulative: BaseUnits,
    /// The assignment.
    pub assignment: AssignmentId,
    /// The job's title, if it is still known.
    pub job_title: Option<String>,
    /// When it arrived.
    pub received_at: UnixMillis,
}

/// The outcome of recomputing every receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ReceiptsCheck {
    /// Receipts checked.
    pub receipts: u32,
    /// Signatures checked, the network's and this worker's.
    pub signatures: u32,
    /// Sum of all leaves; equals the last cumulative when nothing is wrong.
    pub total: BaseUnits,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

/// An answer to a command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, TS)]
#[serde(tag = "reply", content = "value", rename_all = "snake_case")]
pub enum Reply {
    /// Done, or begun.
    Done,
    /// To [`Command::Status`].
    Snapshot(Box<Snapshot>),
    /// To [`Command::Programs`].
    Programs(Vec<String>),
    /// To [`Command::Trips`].
    Trips(Vec<TripRow>),
    /// To [`Command::DataDays`]: oldest first, those without data too.
    DataDays(Vec<DataDay>),
    /// To [`Command::Earnings`].
    Earnings(Vec<EarningsPoint>),
    /// To [`Command::Tasks`].
    Tasks(Vec<TaskRow>),
    /// To [`Command::Picture`]: a PNG in base 64; `None` when nothing of it is here.
    Picture(Option<String>),
    /// To [`Command::Receipts`].
    Receipts(Vec<ReceiptRow>),
    /// To [`Command::VerifyReceipts`].
    ReceiptsChecked(ReceiptsCheck),
    /// To [`Command::ProveWallet`]: to be opened in the browser that has the wallet.
    WalletPage {
        /// Its address on this machine. Whoever knows it can begin a proof, so it is for the contributor alone.
        url: String,
    },
    /// To [`Command::ProveWalletByPhone`].
    WalletRequest {
        /// The wallet that it proves.
        wallet: WalletAddress,
        /// A transfer request of Solana Pay, from the wallet to itself.
        url: String,
        /// The same as a QR code, an SVG document.
        picture: String,
        /// Until when the transaction counts.
        expires_at: UnixMillis,
    },
    /// To [`Command::MakeWallet`] and [`Command::ExportWallet`]. Whoever knows the words holds the wallet.
    WalletWords {
        /// Its address.
        address: WalletAddress,
        /// They, in order.
        #[ts(type = "Array<string>")]
        words: Vec<SecretText>,
    },
    /// To [`Command::Payouts`].
    Payouts(Vec<Payout>),
    /// To [`Command::ClaimPayout`]: the claim was sent.
    Claimed {
        /// Its transaction.
        signature: TransactionSignature,
    },
    /// To [`Command::VerifyPayout`].
    PayoutChecked(PayoutCheck),
    /// To an export: where the file is.
    Exported {
        /// Its path.
        path: String,
    },
    /// Refused; nothing was changed.
    Refused(Fault),
}

/// A command with the client's number for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandEnvelope {
    /// [`crate::PROTOCOL_VERSION`].
    pub protocol: u16,
    /// Chosen by the client.
    pub id: u64,
    /// The command.
    pub command: Command,
}

/// A reply with the number of its command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyEnvelope {
    /// The command's number.
    pub id: u64,
    /// The answer.
    pub reply: Reply,
}

/// Worker → client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerMessage {
    /// An answer.
    Reply(ReplyEnvelope),
    /// The worker changed; only after [`Command::Subscribe`].
    Changed(Box<Snapshot>),
}
