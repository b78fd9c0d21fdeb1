//! What the machine knows of itself, for people. The shell completes it to a snapshot.

use lull_network_api::RecentPrice;
use lull_types::{
    BenchmarkReport, Cause, DeviceInfo, Fault, HardwareReport, PayoutStanding, PowerLimit, SandboxPart,
    WalletAddress, WalletStanding,
};
use lull_worker_api::{
    DataView, DeviceStanding, EarningsView, GuardView, Intent, KeptWallet, NetworkView, Notice, Settings,
    StateView, Steps, WalletProof,
};

/// The machine's part of a [`lull_worker_api::Snapshot`]. The shell adds the protocol and worker versions, the
/// worker's id, the time, each device's telemetry, the energy used and the estimate.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    /// What the contributor wants.
    pub intent: Intent,
    /// What is the case.
    pub state: StateView,
    /// Which steps to a first earning are behind.
    pub steps: Steps,
    /// The machine's hardware, once it is known.
    pub hardware: Option<HardwareReport>,
    /// How runtimes are locked down on it; empty until that is known.
    pub sandbox: Vec<SandboxPart>,
    /// What the machine is watched for.
    pub guards: Vec<GuardView>,
    /// How much data has moved this month.
    pub data: DataView,
    /// Its devices.
    pub devices: Vec<DeviceFacts>,
    /// The network joined or being joined.
    pub network: Option<NetworkView>,
    /// Where the contributor wants to be paid.
    pub wallet: Option<WalletAddress>,
    /// Where the network joined pays.
    pub wallet_standing: Option<WalletStanding>,
    /// The proof of a wallet under way.
    pub wallet_proof: Option<WalletProof>,
    /// How payouts stand, as the network joined last said.
    pub payouts: Option<PayoutStanding>,
    /// The wallet whose key is kept on this machine.
    pub kept_wallet: Option<KeptWallet>,
    /// What was earned in the network joined; energy is left open.
    pub earnings: EarningsView,
    /// What work in the network joined has lately paid; empty while that is not known.
    pub prices: Vec<RecentPrice>,
    /// The contributor's choices.
    pub settings: Settings,
    /// The last notices, oldest first.
    pub notices: Vec<Notice>,
}

/// One device, without its telemetry.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceFacts {
    /// What it is.
    pub info: DeviceInfo,
    /// Whether the contributor lends it.
    pub lent: bool,
    /// Why it is held free now.
    pub held: Vec<Cause>,
    /// How much of the time it may work, so that it stays under the contributor's limits.
    pub pace_percent: u8,
    /// How its board's own power limit stands, where that may be lowered.
    pub power_limit: Option<PowerLimit>,
    /// Its last benchmark, if it is of this device and not of one that was here before.
    pub benchmark: Option<BenchmarkReport>,
    /// GFLOP/s of matrix products that the network joined has timed.
    pub timed_gigaflops: Option<f64>,
    /// Memory that the network joined has found to be really there.
    pub timed_memory_bytes: Option<u64>,
    /// Where it stands, as the network last said, while it would take work and has none.
    pub standing: Option<DeviceStanding>,
    /// Why it is not used now: it failed and waits, or it is set aside until the worker is started again.
    pub fault: Option<Fault>,
}
