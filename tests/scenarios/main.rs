//! Real processes together, on loopback.

mod killed;
mod main_job;
mod together;
