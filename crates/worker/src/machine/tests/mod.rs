//! Tests of the machine: tables of single states, and a seeded simulation of its whole life.

mod fixture;
mod sim;
mod states;
