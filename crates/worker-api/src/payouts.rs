//! Payouts, as the app asks the worker about them: what can be checked, and wallets that the worker keeps.

use lull_types::{Fault, UnixMillis, WalletAddress};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// What the worker found when it looked for itself, on the chain and in its own receipts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct PayoutCheck {
    /// The payout that was checked; none when what the newest epoch lists was.
    #[ts(type = "number | null")]
    pub payout: Option<u64>,
    /// Whose word it rests on: the host of the endpoint that was asked.
    pub endpoint: String,
    /// Whether that endpoint is the network's own rather than one of the contributor's choice.
    pub endpoint_is_networks: bool,
    /// When it was checked.
    pub at: UnixMillis,
    /// Each thing that was checked, in order.
    pub facts: Vec<CheckedFact>,
    /// The first that is wrong; none when everything holds, or could not be found out.
    pub fault: Option<Fault>,
}

/// One thing that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct CheckedFact {
    /// What.
    pub subject: Subject,
    /// What came of it.
    pub finding: Finding,
    /// What it should be, by the receipts and by what the network said; as text.
    pub expected: String,
    /// What the chain says; empty when it does not say.
    pub found: String,
}

/// What can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// The transaction is in a final block and did what it says.
    Transaction,
    /// It claims from the network's distributor, with the network's account.
    Program,
    /// The token is the one that the network said it pays.
    Mint,
    /// The amount is what the network said it paid.
    Amount,
    /// The tokens went to the token account of the contributor's wallet.
    Destination,
    /// The Merkle path from this worker's leaf leads to the root.
    Path,
    /// That root is the one which the network posted on the chain.
    Root,
    /// The lifetime in the leaf agrees with this worker's own receipts.
    Receipts,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is as it should be.
    Holds,
    /// It is not.
    Wrong,
    /// The endpoint did not say.
    Unknown,
}

/// A wallet that the worker made and whose key it keeps in the system's keychain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct KeptWallet {
    /// Its address.
    pub address: WalletAddress,
    /// Whether the contributor has shown that they wrote the words down. Until then it is not paid to.
    pub confirmed: bool,
}
