//! How earnings become tokens, as the network tells its worker. All of it can be checked: the lifetimes against the root
//! on the chain, the payouts against their transactions, and both against the worker's own receipts.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{BaseUnits, ChainAddress, TransactionSignature, UnixMillis, WalletAddress};

/// Where on Solana a network pays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct ChainPlace {
    /// Which ledger: `mainnet`, `devnet`, `testnet`, `practice`, or a name of the network's own.
    pub cluster: String,
    /// An endpoint by which it can be read, if the network names one. Whoever checks asks one of their own choice.
    pub endpoint: Option<String>,
    /// The distributor program.
    pub program: ChainAddress,
    /// The token that is paid.
    pub mint: ChainAddress,
    /// The network's account under the program, which holds the root.
    pub account: ChainAddress,
}

/// A root that is on the chain, final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct AnchoredEpoch {
    /// Its number.
    #[ts(type = "number")]
    pub epoch: u64,
    /// When the network saw it to be final.
    pub at: UnixMillis,
    /// The transaction that posted it, if this network sent it.
    pub signature: Option<TransactionSignature>,
}

/// What the newest anchored epoch says of one wallet of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WalletEarnings {
    /// The wallet.
    pub wallet: WalletAddress,
    /// All that was ever earned for it and listed in an epoch, what was paid included.
    pub lifetime: BaseUnits,
    /// What the chain has paid to it of that, as far as the network has seen.
    pub paid: BaseUnits,
}

/// How far a payout is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum PayoutStage {
    /// Its transaction is being made.
    Planned,
    /// Its transaction is signed and stored, and goes out now.
    Signed,
    /// An endpoint took it.
    Sent,
    /// It is final.
    Confirmed,
    /// The chain undid it; it is tried again.
    Failed,
    /// It came into no block in time; it is tried again.
    Expired,
}

/// One payment of a network to a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct Payout {
    /// Names it, within its network, among this worker's payouts.
    #[ts(type = "number")]
    pub id: u64,
    /// Of which epoch.
    #[ts(type = "number")]
    pub epoch: u64,
    /// Where to.
    pub wallet: WalletAddress,
    /// What arrives.
    pub amount: BaseUnits,
    /// What the network keeps for sending it.
    pub fee: BaseUnits,
    /// How far it is.
    pub stage: PayoutStage,
    /// Its transaction, once it is signed. None for a claim that the contributor sent: the chain knows it.
    pub signature: Option<TransactionSignature>,
    /// When it came this far.
    pub at: UnixMillis,
}

/// When the next payout comes, or why none does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum NextPayout {
    /// The network pays on no chain.
    NoChain,
    /// There is no wallet.
    NoWallet,
    /// The wallet's holder has not signed for it.
    WalletUnproven,
    /// The contributor claims, and has told the network to send nothing.
    ByContributor,
    /// What is payable, less the fee, is below what the contributor wants sent at once.
    BelowThreshold {
        /// What is missing.
        missing: BaseUnits,
    },
    /// It is sent after the end of this epoch.
    AtEpoch {
        /// The end.
        at: UnixMillis,
        /// What would arrive.
        amount: BaseUnits,
    },
    /// It is being sent.
    UnderWay,
    /// The network has stopped all payouts until a person has looked: a limit was reached, or the chain disagrees.
    Stopped,
    /// There is nothing to pay.
    Nothing,
}

/// How a worker's payouts stand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PayoutStanding {
    /// Where the network pays; none when it pays on no chain.
    pub place: Option<ChainPlace>,
    /// Least amount, in base units, that the network sends by itself; none when the contributor claims.
    pub threshold: Option<BaseUnits>,
    /// The least threshold that the network takes: below it fees would eat too much.
    pub threshold_min: BaseUnits,
    /// What the next payout to the wallet costs, and each after it.
    pub fee_next: BaseUnits,
    /// What later ones cost.
    pub fee_later: BaseUnits,
    /// When this epoch ends.
    pub epoch_ends_at: UnixMillis,
    /// The newest root on the chain.
    pub anchored: Option<AnchoredEpoch>,
    /// What it says of this worker's wallets.
    pub wallets: Vec<WalletEarnings>,
    /// What comes next.
    pub next: NextPayout,
    /// The newest payouts, the newest first; at most [`PAYOUTS_TOLD_MAX`].
    pub payouts: Vec<Payout>,
}

/// Payouts that a network tells at once: a year of weekly ones. A worker keeps what it was told before.
pub const PAYOUTS_TOLD_MAX: usize = 52;

/// That a worker's earnings for one wallet are under a root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarningsProof {
    /// Of which epoch.
    pub epoch: u64,
    /// The wallet.
    pub wallet: WalletAddress,
    /// Lifetime earnings.
    pub lifetime: BaseUnits,
    /// The root that it leads to.
    pub root: [u8; 32],
    /// The siblings from the leaf upwards.
    pub siblings: Vec<[u8; 32]>,
}
