//! The network's decisions: `handle(transaction, input, now)` → effects.

mod effect;
mod input;

pub use effect::{Against, CheckRequest, Effect};
pub use input::{Answer, BlobOwner, CheckId, CheckOutcome, Input, JobSpec, SessionId, TaskSpec};
