//! The background worker: a pure state machine in an IO shell, and its command line.

pub mod atomic;
pub mod blobs;
pub mod cli;
pub mod clock;
pub mod estimate;
pub mod journal;
pub mod kept_wallet;
pub mod keychain;
pub mod local_api;
pub mod lock;
pub mod logs;
pub mod machine;
pub mod models;
pub mod paths;
pub mod payouts;
pub mod picture;
pub mod power;
pub mod power_price;
pub mod prices;
pub mod session;
pub mod shell;
pub mod signed_benchmark;
pub mod statement;
pub mod telemetry;
pub mod wallet_page;
mod wallet_proof;
