//! The worker's decisions, without IO: [`Machine::handle`] turns what happened into what is to be done.
//!
//! Intent (what the contributor wants) is kept apart from fact (what is the case). Every input changes facts;
//! then what is wanted is compared with them, and the difference becomes effects. Time comes in with each
//! input and never from a clock; randomness comes from a seed.
//!
//! What the shell calls:
//! - `Machine::start(identity: Identity, restored: Restored, now) -> (Machine, Vec<Effect>)`
//! - `machine.check(&order, now) -> Result<(), Fault>` before it gives an order; `Err` is the refusal
//! - `machine.handle(input, now) -> Vec<Effect>`
//! - `machine.next_deadline() -> Option<UnixMillis>`: give [`Input::Tick`] then
//! - `machine.view(now, utc_offset_minutes) -> View`

mod effect;
mod id;
mod input;
mod record;
mod view;

pub use effect::Effect;
pub use id::{Lease, LeaseId, SessionId, TransferId};
pub use input::{FoundDevices, Input, Order, RunEnd, TransferFailure};
use lull_types::SecretKey;
pub use record::{
    Earned, JoinedNetwork, KnownNetwork, NetworkChoice, OpenAssignment, Record, Restored, Stage,
};
pub use view::{DeviceFacts, View};

/// Who this worker is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The device key; its public half is the worker's id.
    pub key: SecretKey,
    /// Version of the worker, told to networks.
    pub worker_version: String,
    /// Seed of the jitter in back-offs; different on every start.
    pub seed: u64,
}
