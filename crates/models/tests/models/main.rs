//! The library and the transfer together, on real files.
#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod disk_full;
mod killed;
mod liars;
mod library;
mod simulation;
mod support;
mod transfer;
