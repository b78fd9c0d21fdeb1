//! The API as a client meets it, on the fake backend.

#![allow(clippy::unwrap_used, reason = "in a test a panic is how a failure is told")]

mod answers;
mod clients;
mod going_away;
mod parsing;
mod refusals;
mod served;
