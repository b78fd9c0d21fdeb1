//! The worker as the app sees it: a program to keep running, and a connection to it.

mod backoff;
mod child;
mod link;
mod supervisor;

pub use child::WorkerProgram;
pub use link::{Link, LinkState};
pub use supervisor::{Pace, supervise};
