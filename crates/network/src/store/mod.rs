//! The durable state: one SQLite file, versioned, checked when it is opened, and set aside when it is damaged.

mod column;
pub mod funds;
mod open;
pub mod payouts;
pub mod queries;
mod state;
pub mod wallets;

pub use column::{FromJson, Json, Sql};
pub use open::{Journal, StoreError, open, open_in_memory, open_reader};
pub use state::{
    AssignmentState, BatchStage, CheckState, JobStage, PlanStage, Purpose, RefundStage, TaskState,
};

/// What is stored of an API key. The key holds 256 random bits, so a plain hash cannot be searched; a slow one
/// would only slow every request.
pub fn api_key_hash(key: &str) -> [u8; 32] {
    *blake3::hash(key.as_bytes()).as_bytes()
}
