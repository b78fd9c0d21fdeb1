//! The network: enrols workers, places work, verifies it, and keeps the money straight.
//!
//! The [`engine`] decides purely over a [`store`] (SQLite); the [`writer`] is the one thread that commits, and
//! releases effects only after the commit. Everything else is a shell around these: it turns what arrives into
//! an [`engine::Input`] and carries out each [`engine::Effect`].

pub mod blobs;
pub mod customers;
pub mod data_dir;
pub mod engine;
pub mod gateway;
pub mod http;
pub mod inference;
pub mod ledger;
pub mod metrics;
pub mod operators;
pub mod payouts;
pub mod picture;
pub mod practice;
pub mod reader;
pub mod retention;
pub mod service;
pub mod store;
pub mod verifier;
pub mod writer;
