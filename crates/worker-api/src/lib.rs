//! Messages between the app (or the command line) and the worker, and the local transport that carries them.
//!
//! A client sends [`Command`]s, each with a number, and gets one [`Reply`] to each. After
//! [`Command::Subscribe`] it also gets a [`Snapshot`] at once and after every change. A snapshot is the whole
//! truth, so that a client that starts late or misses one is right again with the next.

mod message;
mod payouts;
mod power;
mod secret;
mod snapshot;
mod standing;
pub mod transport;

pub use message::{
    Command, CommandEnvelope, EarningsBucket, EarningsPoint, PauseFor, ReceiptRow, ReceiptsCheck, Reply,
    ReplyEnvelope, ServerMessage, SettingsChange, TaskRow, TaskState, TripRow,
};
pub use payouts::{CheckedFact, Finding, KeptWallet, PayoutCheck, Subject};
pub use power::{PowerPrice, PriceChange, PriceListView};
pub use secret::SecretText;
pub use snapshot::{
    AssignmentStage, AssignmentView, BenchmarkView, DataView, DeviceView, EarningsView, Effort, Estimate,
    GuardView, Intent, NetworkView, Notice, Settings, ShiftView, Snapshot, StateView, Steps, WalletProof,
};
pub use standing::{Counted, DeviceStanding, Exclusion, Withheld};

/// Version of these messages. The app and the worker are installed together; a client that finds another
/// version asks for a restart.
pub const PROTOCOL_VERSION: u16 = 5;
