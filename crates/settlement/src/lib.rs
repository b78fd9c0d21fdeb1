//! Payouts on Solana. Nothing else in the workspace knows Solana but the program on the chain.
//!
//! ```text
//! ledger ─leaves→ epoch ─root→ sender ─bytes→ chain (rpc | svm)
//!                   └─file→ publication ─proof→ whoever claims or checks
//! ```
//! [`epoch`], [`publication`] and [`sender`] are pure. Everything that reaches a ledger is behind
//! [`chain::Chain`]. [`deposit`] is the way in: what customers pay; [`wallet_proof`] is how a wallet is proven by
//! a transaction; [`verify`] is how whoever is paid checks it.

pub mod chain;
#[cfg(feature = "compose")]
pub mod compose;
pub mod deposit;
pub mod epoch;
pub mod publication;
pub mod qr;
pub mod sender;
pub mod verify;
pub mod wallet_proof;
