//! Payouts on Solana's own validator, over JSON-RPC.
//!
//! A validator is built once, outside the repository, and each test has one with a ledger of its own:
//! `cargo xtask validator` does both. Without it these tests are ignored.
#![allow(clippy::unwrap_used, reason = "a test may end where its world is not as it must be")]
#![allow(clippy::print_stdout, reason = "what a transaction costs, and how often was killed, is shown")]

// What every ledger must do is said once, beside the trait.
#[path = "../../crates/settlement/tests/contract/mod.rs"]
mod contract;

mod books;
mod chain;
mod ground;
mod killed;
mod paid;
mod program;
