//! The background worker: a pure state machine in an IO shell, and its command line.

pub mod machine;
