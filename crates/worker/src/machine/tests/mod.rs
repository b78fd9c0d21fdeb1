//! Tests of the machine: tables of single states, and a seeded simulation of its whole life.

mod bench;
mod challenges;
mod data;
pub(crate) mod fixture;
mod kept;
mod payouts;
mod power;
mod shifts;
mod sim;
mod standing;
mod states;
mod troubles;
