//! Model files: a library on disk that never grows over its cap, and how one moves between machines, verified while
//! it streams.
//!
//! A model is a file of 0.2 to 40 GB, named by the BLAKE3 hash of the whole of it. [`Library`] keeps models;
//! [`fetch`] asks somebody for one over any stream and [`send`] answers. Every 16 KiB are checked against the hash
//! as they arrive, with BLAKE3's own tree, so that nobody has to be trusted and nothing is fetched twice: what is
//! verified stays, through a cut line, a kill or a power cut.

mod disk;
mod error;
mod fetch;
mod groups;
mod library;
mod line;
mod rate;
mod record;
mod send;
mod shelf;
pub mod wire;

pub use error::LibraryError;
pub use fetch::{FetchError, FetchOptions, Fetched, Lie, UNSAVED_BYTES_MAX, fetch};
pub use groups::{GROUP_BYTES, MODEL_BYTES_MAX};
pub use library::{FREE_BYTES_MIN, Held, Library, Listed, Presence, Progress, Usage};
pub use line::SILENCE_MAX;
pub use rate::RateLimit;
pub use send::{SendError, SendOptions, Sent, send};
