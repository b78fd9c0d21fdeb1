//! Double entry in base units.
//!
//! Money only moves, in transfers whose entries sum to zero:
//! ```text
//! external ─deposit→ customer ─reserve→ job ─accept→ held(worker) ─release→ payable(worker) ─pay→ paid(worker)
//!    ↑                 │  ↑──────return──┘               ↑
//!    └─── refunding ←──┘                      treasury ──┘  second opinions, which the network pays itself
//! ```
//! No account goes below zero but the two that stand for the world outside the customers' money: `external`
//! (what was ever paid in, negated) and `treasury` (what the network spent on its own checks, negated).
//! Every transfer has a kind and a reference, and is booked once: the same again changes nothing, another one
//! under the same name is an error.

mod account;
mod audit;
mod book;

pub use account::Account;
pub use audit::{AuditError, audit};
pub use book::{LedgerError, Transfer, TransferKind, balance, book};

#[cfg(test)]
mod tests;
