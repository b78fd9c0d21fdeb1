//! The committed artefact in the genuine virtual machine.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod cost;
mod refusals;
mod sequences;
mod world;
