//! What is kept over restarts: the records that the machine writes and what it is given back.

use std::collections::BTreeMap;

use lull_checks::receipts::Lane;
use lull_network_api::{Assignment, NetworkInfo, NetworkTicket, Verdict};
use lull_types::{
    AssignmentId, BaseUnits, BenchmarkReport, BlobHash, CountersignedReceipt, DataMoved, Fault, NetworkId,
    PauseUntil, Payout, PayoutStanding, TransactionSignature, Trip, UnixMillis, WalletAddress,
};
use lull_worker_api::{Intent, KeptWallet, Notice, Settings};
use serde::{Deserialize, Serialize};

use super::payouts::ToldPayouts;

/// A pause by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// One device; `None` for all.
    pub device: Option<u32>,
    /// Until when.
    pub until: PauseUntil,
}

/// What a trip has cost so far, besides time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TripCost {
    /// Runs that it broke off.
    pub interrupted: u32,
    /// What had been done of them, in shares of their prices.
    pub lost: BaseUnits,
}

/// One durable change. Records of one list are applied together or not at all.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// What the contributor wants.
    Intent(Intent),
    /// The contributor's choices.
    Settings(Settings),
    /// The pauses by hand. One until restart is never written.
    Pauses(Vec<Pause>),
    /// A guard begins to hold a device free while work is wanted.
    TripBegan {
        /// Why.
        trip: Trip,
        /// When.
        since: UnixMillis,
    },
    /// It does not any more, or work is not wanted any more.
    TripEnded {
        /// As it began.
        trip: Trip,
        /// When it began.
        since: UnixMillis,
        /// When it ended.
        until: UnixMillis,
        /// What it cost.
        cost: TripCost,
    },
    /// How much data moved in a quarter of an hour, all of it: written again it changes nothing.
    DataMoved {
        /// Quarters of an hour since the Unix epoch.
        quarter: u64,
        /// What moved.
        moved: DataMoved,
    },
    /// The network joined.
    Network(JoinedNetwork),
    /// Where earnings are paid.
    Wallet(Option<WalletAddress>),
    /// The wallet whose key is kept on this machine: its address, never its key.
    KeptWallet(Option<KeptWallet>),
    /// A device was measured; replaces the report of the same device index.
    Benchmark(Box<BenchmarkReport>),
    /// An assignment was taken. Written before anything is done for it.
    Taken {
        /// From which network.
        network: NetworkId,
        /// What.
        assignment: Box<Assignment>,
        /// When.
        at: UnixMillis,
    },
    /// An assignment reached a stage.
    Stage {
        /// Which.
        assignment: AssignmentId,
        /// Where it stands now.
        stage: Stage,
    },
    /// The network's verdict on a report.
    Verdict {
        /// Which.
        assignment: AssignmentId,
        /// What.
        verdict: Verdict,
    },
    /// A receipt that was verified, with the state of its lane after it.
    Receipt {
        /// The receipt with this worker's signature.
        receipt: Box<CountersignedReceipt>,
        /// The lane with this receipt in it.
        lane: Box<Lane>,
        /// When it arrived.
        received_at: UnixMillis,
    },
    /// A payout that the network told of, or how far it is now. One that is final is never written again.
    Payout {
        /// Which network.
        network: NetworkId,
        /// What it says.
        payout: Box<Payout>,
    },
    /// How payouts stand, as the network last said. The epoch that it names as anchored is kept beside the earlier ones.
    PayoutStanding {
        /// Which network.
        network: NetworkId,
        /// What it says.
        standing: Box<PayoutStanding>,
    },
    /// The power of a run of an assignment. The shell's own: the machine knows no power.
    Energy {
        /// Which assignment.
        assignment: AssignmentId,
        /// Thousandths of a watt-hour, where it was measured for all of the run.
        milliwatt_hours: Option<u64>,
        /// What a kilowatt-hour cost meanwhile, in millionths of a US dollar.
        micro_per_kwh: i64,
    },
    /// A claim that the contributor's key has signed, before it is sent; none once it is over. The shell's own: the
    /// machine knows no chain.
    Claim {
        /// From which network.
        network: NetworkId,
        /// For which wallet.
        wallet: WalletAddress,
        /// The claim.
        claim: Option<SignedClaim>,
    },
    /// Something that a person should be told once.
    Notice(Notice),
}

/// A claim as it is sent, and sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedClaim {
    /// By which it is found.
    pub signature: TransactionSignature,
    /// All of it.
    pub bytes: Vec<u8>,
    /// The height of the last block that takes it.
    pub last_valid_height: u64,
}

/// Where an assignment stands, as far as it matters after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub enum Stage {
    /// Its blobs are being fetched.
    Fetching,
    /// Its blobs are here; it waits for its device or runs. After a restart it is run again.
    Running,
    /// It ran; its outputs are being sent.
    Uploading {
        /// Hashes of the outputs, in order.
        outputs: Vec<BlobHash>,
        /// Time on the device.
        ran_ms: u64,
    },
    /// Its outputs are stored by the network and it is reported.
    Reported {
        /// Hashes of the outputs, in order.
        outputs: Vec<BlobHash>,
        /// Time on the device.
        ran_ms: u64,
        /// Whether the network has acknowledged the report.
        acknowledged: bool,
    },
    /// It will not be done here, and the network is to be told.
    HandingBack {
        /// Why.
        reason: Fault,
    },
    /// It is over: handed back and acknowledged, or withdrawn, or refused by the network.
    Abandoned {
        /// Why.
        reason: Fault,
    },
    /// It is over: a verdict or a receipt has come.
    Settled,
}

impl Stage {
    /// Whether nothing more is to be done for it.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Abandoned { .. } | Self::Settled)
    }
}

/// The network joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JoinedNetwork {
    /// Which was asked for.
    pub choice: NetworkChoice,
    /// What it says of itself, once it has.
    pub info: Option<KnownNetwork>,
    /// Whether it has enrolled this worker.
    pub enrolled: bool,
}

/// Which network was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkChoice {
    /// The practice network on this machine.
    Practice,
    /// The network of a ticket.
    Ticket(NetworkTicket),
}

/// What a network said of itself when it was last heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownNetwork {
    /// Its key.
    pub id: NetworkId,
    /// Its name.
    pub name: String,
    /// Its money is practice tokens without value.
    pub practice: bool,
}

impl From<&NetworkInfo> for KnownNetwork {
    fn from(info: &NetworkInfo) -> Self {
        Self { id: info.id, name: info.name.clone(), practice: info.practice }
    }
}

/// An assignment that is not over.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenAssignment {
    /// From which network.
    pub network: NetworkId,
    /// What.
    pub assignment: Assignment,
    /// When it was taken.
    pub taken_at: UnixMillis,
    /// Where it stands.
    pub stage: Stage,
}

/// What one network's receipts add up to.
#[derive(Clone, Debug, PartialEq)]
pub struct Earned {
    /// The verified state of lane 0.
    pub lane: Lane,
    /// Receipts held.
    pub receipts: u32,
    /// Earnings by quarter of an hour since the Unix epoch, for at least the last eight days. A quarter is the
    /// smallest step of any local time's offset, so that local days can be summed from it.
    pub by_quarter: BTreeMap<u64, BaseUnits>,
    /// The worker's last signatures, oldest first, sent again with each session because they are never
    /// answered.
    pub countersignatures: Vec<(u64, lull_types::Signature)>,
}

/// What the journal holds, as the machine needs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Restored {
    /// What the contributor wants; off when nothing was ever written.
    pub intent: Option<Intent>,
    /// The contributor's choices.
    pub settings: Settings,
    /// The pauses by hand.
    pub pauses: Vec<Pause>,
    /// The network joined.
    pub network: Option<JoinedNetwork>,
    /// Where earnings are paid.
    pub wallet: Option<WalletAddress>,
    /// What was told of payouts, by network.
    pub payouts: BTreeMap<NetworkId, ToldPayouts>,
    /// The wallet whose key is kept on this machine.
    pub kept_wallet: Option<KeptWallet>,
    /// The last report of each device index.
    pub benchmarks: Vec<BenchmarkReport>,
    /// Assignments that are not over, of all networks, oldest first.
    pub open: Vec<OpenAssignment>,
    /// The last assignments that are over, oldest first, so that a late message about one is known as such.
    pub over: Vec<AssignmentId>,
    /// Receipts, by network.
    pub earned: BTreeMap<NetworkId, Earned>,
    /// How much data moved, by quarter of an hour since the Unix epoch.
    pub data: BTreeMap<u64, DataMoved>,
    /// The last notices, oldest first.
    pub notices: Vec<Notice>,
}
