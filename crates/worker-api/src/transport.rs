//! The local transport between the worker and the programs of the same person: the app and the command line.
//!
//! # Who may speak
//! On Unix the endpoint is a socket with mode 0600 in a folder with mode 0700; on Windows it is a named pipe
//! whose access list names this user alone and which refuses connections over a network. Whoever is the same
//! user may command the worker: the boundary is the account, not the program.
//!
//! # The format
//! A frame is a `u32` length of the body, big-endian, then the body: one message in JSON. A client sends
//! [`CommandEnvelope`](crate::CommandEnvelope)s, each with a number of its choice, and gets
//! [`ServerMessage`](crate::ServerMessage)s. Replies come in the order in which they are ready. A frame over the
//! cap, or one that is no envelope at all, ends the connection; an envelope of another protocol version, or with
//! a command that this version does not know, is refused by a reply, so that an older client can say why it is
//! at a loss.

mod client;
mod endpoint;
mod server;
#[cfg(windows)]
mod windows;

pub use client::{Client, Snapshots};
pub use endpoint::{DATA_DIR_VARIABLE, Endpoint, data_dir, default_endpoint};
pub use server::{Handler, Listener, serve};

use std::io;

use tokio_util::codec::LengthDelimitedCodec;

/// Cap on a frame from the worker. The largest message is a job's picture: a 2048 × 2048 PNG of noise, which
/// compression cannot shrink, is 12 MiB, and base 64 makes that 16 MiB.
pub const SERVER_FRAME_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Cap on a frame from a client. The largest command carries a network's ticket of a few hundred bytes; this
/// leaves room without letting a client make the worker hold much.
pub const CLIENT_FRAME_BYTES_MAX: usize = 64 * 1024;

/// Why the worker cannot be reached, or an endpoint cannot be had. What the worker answers, a refusal included,
/// is a [`Reply`](crate::Reply) and none of these.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nobody answers at the endpoint.
    #[error("The worker is not running. Start it by opening Lull, or with `lull-worker run`.")]
    NotRunning(#[source] io::Error),
    /// Somebody answers at the endpoint, or holds its lock.
    #[error("Another worker is already running for this account and data folder.")]
    AlreadyRunning,
    /// The two sides speak different versions.
    #[error(
        "The worker that is running speaks protocol {worker} and this program {client}. Quit Lull and start it \
         again, so that both are of the same version."
    )]
    VersionMismatch {
        /// Version of the worker; 0 when it did not say.
        worker: u16,
        /// Version of this program.
        client: u16,
    },
    /// The connection ended while it was needed.
    #[error("The connection to the worker ended.")]
    Lost,
    /// The worker did not answer in time.
    #[error(
        "The worker has not answered for {seconds} seconds. If this goes on, quit Lull and start it again."
    )]
    NotAnswering {
        /// How long was waited.
        seconds: u64,
    },
    /// What came, or was to be sent, is over the cap or no message.
    #[error("The worker and this program do not understand each other: {0}.")]
    Malformed(String),
    /// The endpoint's folder, lock or socket cannot be made or opened.
    #[error("The worker's local socket at {at} cannot be used: {source}.")]
    Endpoint {
        /// Where.
        at: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The system names no home folder.
    #[error(
        "This account has no home folder, so there is no place for Lull's data. Set {DATA_DIR_VARIABLE} to a \
         folder."
    )]
    NoHome,
}

impl lull_types::Coded for TransportError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "worker_not_running",
            Self::AlreadyRunning => "worker_already_running",
            Self::VersionMismatch { .. } => "worker_version_mismatch",
            Self::Lost => "worker_connection_lost",
            Self::NotAnswering { .. } => "worker_not_answering",
            Self::Malformed(_) => "worker_not_understood",
            Self::Endpoint { .. } => "worker_endpoint_unusable",
            Self::NoHome => "data_folder_unknown",
        }
    }
}

/// The code with which the worker refuses an envelope of another protocol version.
const CODE_VERSION_MISMATCH: &str = "worker_version_mismatch";

fn codec(frame_bytes_max: usize) -> LengthDelimitedCodec {
    LengthDelimitedCodec::builder().max_frame_length(frame_bytes_max).new_codec()
}

#[cfg(test)]
mod tests;
