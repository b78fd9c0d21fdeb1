//! Real processes together, on loopback.
#![allow(clippy::unwrap_used, reason = "a test may end where its world is not as it must be")]

mod disk_full;
mod inference;
mod kept_wallet;
mod killed;
mod main_job;
mod payouts;
mod together;
mod wallet_by_phone;
mod wallet_pages;
#[cfg(unix)]
mod wallet_words;
