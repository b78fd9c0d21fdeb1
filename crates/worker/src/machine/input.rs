//! What the machine is told. The shell turns everything that happens into one of these.

use std::time::Duration;

use lull_guards::Observation;
use lull_network_api::{NetworkMessage, NetworkTicket};
use lull_types::{
    BaseUnits, BenchmarkReport, BlobHash, DataMoved, Fault, Guard, HardwareReport, Measure, PowerLimit,
    SandboxPart, Signature, WalletAddress,
};
use lull_worker_api::{PauseFor, SettingsChange, ShiftView};

use super::id::{ChallengeId, LeaseId, SessionId, TransferId};
use super::record::Restored;

/// Everything that can happen to a worker.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A person's order. The shell asks [`super::Machine::check`] first and answers `Refused` when it says no.
    Order(Order),
    /// Answer to [`super::Effect::FindDevices`].
    DevicesFound(Result<FoundDevices, Fault>),
    /// A measure is being taken under a benchmark's lease.
    BenchmarkProgress {
        /// The benchmark's lease.
        lease: LeaseId,
        /// Which measure.
        measure: Measure,
        /// How much of the whole benchmark is done, 0 to 1.
        fraction: f32,
        /// Best value so far, in the measure's unit.
        value_so_far: Option<f64>,
    },
    /// A benchmark ended. [`Input::Freed`] follows when its process is gone.
    BenchmarkEnded {
        /// Its lease.
        lease: LeaseId,
        /// What was found; after a cancel, a fault of any code.
        outcome: Result<Box<BenchmarkReport>, Fault>,
    },
    /// The network wants to time a device. Answered with [`super::Effect::AnswerChallenge`] or
    /// [`super::Effect::DeclineChallenge`].
    ChallengeAsked {
        /// The challenge.
        challenge: ChallengeId,
        /// Device index.
        device: u32,
    },
    /// A challenge ended. [`Input::Freed`] follows when its process is gone.
    ChallengeEnded {
        /// Its lease.
        lease: LeaseId,
        /// How.
        end: ChallengeEnd,
    },
    /// The runtime of a lease was started and given its task: Preparing has become Running.
    RunStarted {
        /// The run's lease.
        lease: LeaseId,
    },
    /// A run goes on.
    RunProgress {
        /// Its lease.
        lease: LeaseId,
        /// How much is done, 0 to 1.
        fraction: f32,
    },
    /// What a run that is a shift serves now.
    ShiftProgress {
        /// Its lease.
        lease: LeaseId,
        /// What.
        shift: Box<ShiftView>,
    },
    /// A run ended, in whatever way. [`Input::Freed`] follows when its process is gone.
    RunEnded {
        /// Its lease.
        lease: LeaseId,
        /// How.
        end: RunEnd,
    },
    /// The process of a lease is gone, and with it all that it held of the GPU. Sent exactly once for every
    /// lease, also when the runtime could not be started, and last of all inputs of that lease.
    Freed {
        /// Which.
        lease: LeaseId,
    },
    /// A probe saw something.
    Observed(Observation),
    /// A probe can tell no more, until it is heard again.
    SightLost {
        /// The guard that it watches for.
        guard: Guard,
        /// Why.
        fault: Fault,
    },
    /// Answer to [`super::Effect::PowerLimit`].
    PowerLimit {
        /// The device.
        device: u32,
        /// How its limit stands.
        limit: PowerLimit,
    },
    /// A board's power limit that this worker, or an earlier one, had lowered could not be put back.
    PowerLimitStuck(Fault),
    /// A probe cannot tell of one device, and goes on with the others.
    DeviceUnseen(Fault),
    /// Answer to [`super::Effect::StartPracticeNetwork`].
    PracticeStarted(Result<NetworkTicket, Fault>),
    /// The practice network ended without being told to.
    PracticeEnded(Fault),
    /// A session is open.
    SessionOpened {
        /// Which.
        session: SessionId,
    },
    /// A session could not be opened, or was open and is lost. Also sent after
    /// [`super::Effect::CloseSession`], where the machine ignores it.
    SessionLost {
        /// Which.
        session: SessionId,
        /// Why.
        fault: Fault,
    },
    /// The network said something.
    NetworkSaid {
        /// On which session.
        session: SessionId,
        /// What.
        message: Box<NetworkMessage>,
    },
    /// Data moved between this machine and others since this was last told.
    DataMoved(DataMoved),
    /// Payload and inputs of an assignment are on this machine and their hashes hold.
    Fetched {
        /// Answer to this [`super::Effect::Fetch`].
        transfer: TransferId,
        /// What will be sent of its outputs, in bytes.
        output_bytes: u64,
    },
    /// A fetch failed.
    FetchFailed {
        /// Answer to this [`super::Effect::Fetch`].
        transfer: TransferId,
        /// Why.
        failure: TransferFailure,
    },
    /// All outputs of an assignment are stored by the network.
    Uploaded {
        /// Answer to this [`super::Effect::Upload`].
        transfer: TransferId,
    },
    /// An upload failed.
    UploadFailed {
        /// Answer to this [`super::Effect::Upload`].
        transfer: TransferId,
        /// Why.
        failure: TransferFailure,
    },
    /// Answer to [`super::Effect::SignAsWallet`].
    SignedAsWallet {
        /// The statement's.
        nonce: String,
        /// The signature of its text, or why there is none.
        signed: Result<Signature, Fault>,
    },
    /// Records could not be written. The shell did not execute the effects that came after them.
    JournalFailed(Fault),
    /// Answer to [`super::Effect::Restore`] when the journal can be read and written again. All that the
    /// machine held in memory is replaced by it.
    JournalRestored(Box<Restored>),
    /// [`super::Machine::next_deadline`] has come. Harmless when early.
    Tick,
}

/// What a person can ask that changes the machine. Queries are answered by the shell from the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Turns work on.
    Start,
    /// Turns work off.
    Stop,
    /// Frees the GPU for a time.
    Pause {
        /// For how long.
        duration: PauseFor,
        /// One device; `None` for all.
        device: Option<u32>,
    },
    /// Ends a pause and any resume delay at once.
    Resume {
        /// Of one device; `None` for all.
        device: Option<u32>,
    },
    /// Measures one device.
    Benchmark {
        /// Device index.
        device: u32,
        /// How long the sustained measure is then taken; zero for not at all.
        sustained: Duration,
    },
    /// Stops a benchmark.
    CancelBenchmark,
    /// Joins a network; `None` is the practice network on this machine. Also turns work on, unless the
    /// settings say that work waits for a word.
    Join(Option<NetworkTicket>),
    /// Sets or clears where earnings are paid.
    SetWallet(Option<WalletAddress>),
    /// Asks the network what the holder of a wallet is to sign; it is in the view when it is there.
    StateWallet {
        /// The wallet.
        wallet: WalletAddress,
        /// The page that shows it to the wallet.
        domain: String,
    },
    /// Sends the network what the holder signed.
    ProveWallet {
        /// The statement's.
        nonce: String,
        /// Over its text.
        signature: Signature,
    },
    /// Tells the network from how much on it is to send payouts; `None` to send none.
    SetPayoutThreshold(Option<BaseUnits>),
    /// Asks the network for the proof of earnings for a wallet; see [`super::Machine::proof_answer`].
    WantProof {
        /// The wallet.
        wallet: WalletAddress,
    },
    /// Tells the network that the contributor's claim for a wallet is final.
    TellClaimed {
        /// The wallet.
        wallet: WalletAddress,
    },
    /// A wallet was made, and its key is kept on this machine. It is not used before [`Order::UseKeptWallet`].
    KeepWallet(WalletAddress),
    /// The contributor knows the words of the wallet whose key is kept: it is where earnings are paid from now on, and
    /// proven with its key.
    UseKeptWallet {
        /// The wallet.
        wallet: WalletAddress,
        /// Whether its key is in a file and not in a keychain, of which the contributor is told.
        in_file: bool,
    },
    /// The key of the kept wallet was removed from this machine.
    ForgetKeptWallet,
    /// Changes settings.
    Configure(SettingsChange),
    /// Ends the worker: work is handed back, then [`super::Effect::Exit`] follows.
    Shutdown,
}

/// The machine's hardware, once enumerated.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundDevices {
    /// The machine with its devices; never without one (that is a fault with the code `no_device`).
    pub hardware: HardwareReport,
    /// Job kinds that the installed runtimes run.
    pub kinds: Vec<String>,
    /// How their processes are locked down on this machine.
    pub sandbox: Vec<SandboxPart>,
}

/// How a challenge ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChallengeEnd {
    /// The product was computed and committed to.
    Answered,
    /// Either side broke it off before that.
    BrokenOff,
    /// The device is at fault.
    DeviceFault(Fault),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum RunEnd {
    /// Done; the outputs lie durably on this machine until [`super::Effect::DropFiles`].
    Done {
        /// Hashes of the outputs, in order.
        outputs: Vec<BlobHash>,
        /// Time on the device.
        ran_ms: u64,
    },
    /// A cancel was followed.
    Cancelled,
    /// The task is at fault and will fail on every device.
    TaskFault(Fault),
    /// The device or its driver is at fault, or the runtime died in the middle: it lost its device.
    DeviceFault(Fault),
    /// This machine is at fault in some other way: the runtime cannot be started, the disk is full.
    LocalFault(Fault),
    /// It is not for this device, or the network has left it, and nothing is at fault: it is given back with that reason.
    GivenBack(Fault),
}

/// Why blobs could not be moved.
#[derive(Clone, Debug, PartialEq)]
pub enum TransferFailure {
    /// The session broke; it is tried again on the next one.
    Connection(Fault),
    /// The network does not give or take the blob. It will not when asked again.
    Refused(Fault),
    /// The payload is malformed, names a blob that is too large, or has another hash: the task is at fault.
    Task(Fault),
    /// This machine is at fault, such as a full disk.
    Local(Fault),
    /// What the task moves does not fit under the contributor's cap of data.
    OverDataCap(Fault),
    /// It is not for this machine, and nothing is at fault: it is given back with that reason.
    GivenBack(Fault),
    /// Files that should be here are not; the step before is done again.
    FilesMissing(Fault),
}
