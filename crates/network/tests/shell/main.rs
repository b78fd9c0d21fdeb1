//! The real `lull-network` process: customers over HTTP, workers over iroh, and strangers on both.
#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod customers;
mod funds;
mod ledger;
mod payouts;
mod process;
mod samples;
mod strangers;
mod timing;
mod wire;
mod worker;
mod workers;
