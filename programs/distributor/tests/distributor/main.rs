//! The committed artefact in the genuine virtual machine.

mod cost;
mod refusals;
mod sequences;
mod world;
