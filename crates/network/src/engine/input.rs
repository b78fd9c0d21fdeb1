//! What the engine is told.

use lull_network_api::WorkerMessage;
use lull_settlement::sender::Record;
use lull_types::{
    AssignmentId, BaseUnits, BlobHash, CustomerId, DepositId, Fault, JobId, PictureTile,
    TransactionSignature, UnixMillis, WalletAddress, WorkerId,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::timing::FoundOf;

/// One connection of one worker. Chosen by the shell, unique while this process lives; sessions do not survive
/// a restart of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// One comparison that the engine asked for with [`super::Effect::Check`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(pub Uuid);

/// Everything that can happen to a network. The same input may be told twice: the second changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A worker proved its key and opened a session. An older session of the same worker is dropped.
    WorkerConnected {
        /// Who.
        worker: WorkerId,
        /// The session.
        session: SessionId,
    },
    /// A session ended, for whatever reason. Its worker's assignments stay open until their deadlines.
    WorkerDisconnected {
        /// Who.
        worker: WorkerId,
        /// The session.
        session: SessionId,
    },
    /// A worker said something.
    FromWorker {
        /// Who, as the connection's key proves it.
        worker: WorkerId,
        /// On which session.
        session: SessionId,
        /// What.
        message: WorkerMessage,
    },
    /// A blob is on the disk, durably, its hash checked. Told for every put, also when the blob was there
    /// before: it records who knows its bytes. Answer the one who put it only after this was answered
    /// ([`Answer::Done`]).
    BlobStored {
        /// Its hash.
        hash: BlobHash,
        /// Its length.
        bytes: u64,
        /// Who put it.
        by: BlobOwner,
    },
    /// Which job kinds the network's own trusted runtime can check now; none when it has none. Told once after
    /// every start, and after each change. Checks that were asked for before are asked for again.
    TrustedRuntime {
        /// The kinds.
        kinds: Vec<String>,
    },
    /// A check that [`super::Effect::Check`] asked for has ended.
    CheckEnded {
        /// Which.
        check: CheckId,
        /// What it found.
        outcome: CheckOutcome,
    },
    /// Devices were timed, as [`super::Effect::Time`] asked.
    Timed {
        /// [`super::Round::account`].
        account: String,
        /// What was found, for each worker.
        found: Vec<FoundOf>,
    },
    /// Time has passed: deadlines, back-offs and the audit window are looked at. Told about every second.
    Tick,
    /// A customer is made, once for each API key. Answered with [`Answer::CustomerCreated`].
    CreateCustomer {
        /// For people; contributors see it.
        name: String,
        /// BLAKE3 of the key; the key itself is never stored.
        api_key_hash: [u8; 32],
    },
    /// Money arrived from outside for a customer. Idempotent by `reference`. Answered with
    /// [`Answer::Deposited`].
    Deposit {
        /// Whose.
        customer: CustomerId,
        /// How much.
        amount: BaseUnits,
        /// Names the payment outside, such as a transaction's signature.
        reference: String,
    },
    /// A customer wants to pay in over the chain. Answered with [`Answer::DepositCreated`].
    CreateDeposit {
        /// Whose.
        customer: CustomerId,
        /// How much; none when the payer chooses.
        amount: Option<BaseUnits>,
    },
    /// A payment of a deposit is final. Idempotent by its transaction. Answered with [`Answer::Done`].
    DepositPaid {
        /// Which deposit.
        deposit: DepositId,
        /// Its transaction.
        signature: TransactionSignature,
        /// What arrived.
        amount: BaseUnits,
    },
    /// A customer wants back what it has not used. Idempotent by the key. Answered with [`Answer::RefundCreated`].
    CreateRefund {
        /// Whose.
        customer: CustomerId,
        /// Chosen by the customer.
        idempotency_key: String,
        /// How much; none for all that is free to spend.
        amount: Option<BaseUnits>,
        /// Where it goes.
        to: WalletAddress,
    },
    /// A transaction that proves a wallet is final. Answered with [`Answer::Done`].
    WalletConfirmed {
        /// For whom.
        worker: WorkerId,
        /// The nonce of the statement that it stands for.
        nonce: String,
        /// The transaction.
        signature: TransactionSignature,
    },
    /// A customer submits a job; its whole price is reserved. Idempotent by the job's key. Answered with
    /// [`Answer::JobCreated`].
    CreateJob {
        /// Whose.
        customer: CustomerId,
        /// What.
        job: JobSpec,
    },
    /// A customer withdraws what is not done of a job. Reports that wait for a verdict are still decided and
    /// paid; the rest of the reserved money returns at once. Answered with [`Answer::JobWithdrawn`].
    WithdrawJob {
        /// Who asks; only the job's owner may.
        customer: CustomerId,
        /// Which.
        job: JobId,
    },
    /// A model is served from now on, or what is known of it changes. Answered with [`Answer::Done`].
    AddModel(Model),
    /// A model is served no more. Answered with [`Answer::Done`].
    RemoveModel(BlobHash),
    /// Whether the network's own runtime can check what models generate.
    TrustsModels(bool),
    /// A customer asks a model something that costs so much at most, which is reserved. Answered with
    /// [`Answer::AskBegun`].
    BeginAsk {
        /// Who.
        customer: CustomerId,
        /// The most that it costs.
        price_max: BaseUnits,
    },
    /// A worker did something for an ask. Answered with [`Answer::Served`].
    Served(Served),
    /// An ask is over, and what is left of its money goes back. Answered with [`Answer::Done`].
    EndAsk(JobId),
    /// A serving was checked, as [`Answer::Served`] asked: whether it is right; none when that could not be found out.
    ServingChecked {
        /// Which.
        serving: i64,
        /// What was found.
        is_right: Option<bool>,
    },
    /// The stream of a shift has ended, after all that was served on it was told.
    ShiftOver {
        /// Its assignment.
        assignment: AssignmentId,
        /// Why.
        reason: Fault,
    },
    /// Told once after every start, before anything is asked: what was asked before is over. Answered with
    /// [`Answer::Done`].
    ForgetAsks,
    /// A part of all that is payable is listed for the epoch that ends. Answered with [`Answer::EpochPart`].
    CloseEpoch {
        /// The epoch that ends.
        number: u64,
        /// The last worker of the part before; none for the first.
        after: Option<WorkerId>,
    },
    /// The payouts' sender has decided this: it is made durable, and what was paid is booked. Answered with
    /// [`Answer::Done`].
    KeepPayouts(Vec<Record>),
    /// The chain has paid so much to this wallet for this worker in all, whoever claimed it. Answered with
    /// [`Answer::Done`].
    ChainPaid {
        /// Whose.
        worker: WorkerId,
        /// Which wallet.
        wallet: WalletAddress,
        /// In all.
        total: BaseUnits,
    },
}

/// Who put a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlobOwner {
    /// A worker, as an output.
    Worker(WorkerId),
    /// A customer, as a payload or an input.
    Customer(CustomerId),
}

/// A job, parsed from what the customer sent: the shell has read every payload and found it valid for its kind.
#[derive(Clone, Debug, PartialEq)]
pub struct JobSpec {
    /// Chosen by the customer; the same key again returns the first job.
    pub idempotency_key: String,
    /// For people.
    pub title: String,
    /// Job kind, such as `wgsl/1`.
    pub kind: String,
    /// Paid for each accepted task.
    pub price_per_task: BaseUnits,
    /// How long one worker may take for one task.
    pub task_deadline_ms: u64,
    /// Its tasks, in order.
    pub tasks: Vec<TaskSpec>,
}

/// One task of a job.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSpec {
    /// Blob of the payload, put before by the same customer.
    pub payload: BlobHash,
    /// Blobs that the payload names, put before by the same customer.
    pub inputs: Vec<BlobHash>,
    /// How many outputs a report must name.
    pub outputs: u32,
    /// Where its output belongs in a picture, if it is one.
    pub picture: Option<PictureTile>,
}

/// A language model that is served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Hash of its file.
    pub hash: BlobHash,
    /// What customers call it.
    pub name: String,
    /// Under which its makers give it away.
    pub licence: String,
    /// Length of its file.
    pub bytes: u64,
    /// Tokens of a text, prompt and answer together.
    pub context_tokens: u32,
    /// Texts at once on one device.
    pub sequences: u32,
    /// For 1,000 tokens of prompts.
    pub price_per_1000_prompt_tokens: BaseUnits,
    /// For 1,000 tokens that are generated.
    pub price_per_1000_generated_tokens: BaseUnits,
    /// A template for chats, in the place of its own.
    pub chat_template: Option<String>,
}

/// What one worker did for one ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The ask.
    pub ask: JobId,
    /// The shift's assignment.
    pub assignment: AssignmentId,
    /// Tokens of the prompt that it read and is paid for.
    pub prompt_tokens: u32,
    /// Tokens that it generated.
    pub generated_tokens: u32,
    /// What that costs.
    pub amount: BaseUnits,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub enum CheckOutcome {
    /// The reported outputs agree with the expected ones within the task's tolerance.
    Match,
    /// They do not.
    Mismatch {
        /// Hashes of the outputs that the check found.
        expected: Vec<BlobHash>,
        /// How they differ, in a sentence.
        difference: String,
    },
    /// The check itself could not be done.
    Failed {
        /// Why.
        fault: Fault,
        /// The task is to blame: it fails on every device.
        task_at_fault: bool,
    },
}

/// The answer to an input that someone waits for. It is given after the commit.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// It is stored durably; there is nothing to tell.
    Done,
    /// The customer exists.
    CustomerCreated(CustomerId),
    /// The deposit is booked.
    Deposited {
        /// What the customer can spend now.
        deposit: BaseUnits,
    },
    /// The deposit is expected.
    DepositCreated(DepositId),
    /// The refund is fixed.
    RefundCreated {
        /// Its number.
        refund: u64,
        /// Whether it was made now; false when the key was used before for the same refund.
        created: bool,
    },
    /// The job exists.
    JobCreated {
        /// Its id.
        job: JobId,
        /// Whether it was made now; false when the key was used before for the same job.
        created: bool,
    },
    /// The ask goes on under this id.
    AskBegun(JobId),
    /// What was served is booked.
    Served {
        /// The serving, if it is to be checked: [`Input::ServingChecked`] is then told.
        serving: Option<i64>,
    },
    /// A part of an epoch is listed.
    EpochPart {
        /// After whom the next part begins; none when all is listed.
        next: Option<WorkerId>,
    },
    /// The job takes no more work.
    JobWithdrawn {
        /// Reserved money that returned at once.
        returned: BaseUnits,
        /// When.
        at: UnixMillis,
    },
}
