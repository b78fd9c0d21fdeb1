//! What the machine wants done. The shell executes the effects of one call in order.

use std::time::Duration;

use lull_guards::DataRoom;
use lull_network_api::{Assignment, NetworkTicket, WorkerMessage};
use lull_types::{AssignmentId, BlobHash, DeviceInfo, Fault, WalletAddress};
use lull_worker_api::Notice;

use super::id::{ChallengeId, Lease, LeaseId, SessionId, TransferId};
use super::record::Record;

/// Everything that the machine can want. None of them blocks the machine: what takes time is begun, and its
/// end is told by an [`super::Input`].
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Write these records durably, in one transaction, *before* the effects that follow in the same list. If
    /// that fails, drop the effects that follow and tell [`super::Input::JournalFailed`].
    Journal(Vec<Record>),
    /// The journal failed some time ago: check it, read it again and tell [`super::Input::JournalRestored`],
    /// or [`super::Input::JournalFailed`].
    Restore,
    /// Start the runtimes for a moment and list their devices. → [`super::Input::DevicesFound`]
    FindDevices,
    /// Measure the lease's device. → [`super::Input::BenchmarkProgress`], [`super::Input::BenchmarkEnded`],
    /// [`super::Input::Freed`]
    StartBenchmark {
        /// The right to do so.
        lease: Lease,
        /// How long the sustained measure is then taken; zero for not at all.
        sustained: Duration,
    },
    /// Answer the network's challenge with the lease's device. → [`super::Input::ChallengeEnded`],
    /// [`super::Input::Freed`]
    AnswerChallenge {
        /// The right to do so.
        lease: Lease,
        /// Which.
        challenge: ChallengeId,
    },
    /// Tell the network that a device cannot be timed now.
    DeclineChallenge {
        /// Which.
        challenge: ChallengeId,
        /// Why.
        fault: Fault,
    },
    /// Run an assignment, whose blobs are here, on the lease's device. →
    /// [`super::Input::RunStarted`], [`super::Input::RunProgress`], [`super::Input::RunEnded`],
    /// [`super::Input::Freed`]
    Run {
        /// The right to do so.
        lease: Lease,
        /// What to run.
        assignment: Box<Assignment>,
    },
    /// Have the process of a lease work so much of the time, from now on.
    Pace {
        /// Whose.
        lease: LeaseId,
        /// In per cent; a process that was told nothing works all of the time.
        percent: u8,
    },
    /// Hold a device's board to a ceiling of power from now on, by its own power limit. → [`super::Input::PowerLimit`]
    PowerLimit {
        /// Which.
        device: Box<DeviceInfo>,
        /// In watts; `None` for the limit that it had before.
        ceiling_watts: Option<u16>,
    },
    /// Ask the process of a lease to stop what it does and to end. → [`super::Input::Freed`]
    Cancel {
        /// Whose.
        lease: LeaseId,
    },
    /// Kill the process of a lease now. → [`super::Input::Freed`]
    Kill {
        /// Whose.
        lease: LeaseId,
    },
    /// Start the practice network on this machine. → [`super::Input::PracticeStarted`]
    StartPracticeNetwork,
    /// End the practice network.
    StopPracticeNetwork,
    /// Dial a network. → [`super::Input::SessionOpened`] or [`super::Input::SessionLost`]
    OpenSession {
        /// The number of the new session.
        session: SessionId,
        /// Where.
        ticket: NetworkTicket,
    },
    /// Close a session after what was sent on it has left, within a second. Nothing heard on it counts any
    /// more.
    CloseSession {
        /// Which.
        session: SessionId,
    },
    /// Send a message, after those sent before it.
    Send {
        /// On which session.
        session: SessionId,
        /// What.
        message: Box<WorkerMessage>,
    },
    /// Fetch the payload of an assignment and the inputs that it names, unless they are here already, and
    /// check their hashes. Once the payload is here it says what moves for the task: nothing more is fetched where there
    /// is no room for that. → [`super::Input::Fetched`] or [`super::Input::FetchFailed`]
    Fetch {
        /// The number of this attempt.
        transfer: TransferId,
        /// On which session.
        session: SessionId,
        /// For which assignment.
        assignment: Box<Assignment>,
        /// What may move for it.
        room: DataRoom,
    },
    /// Send the outputs of an assignment. → [`super::Input::Uploaded`] or [`super::Input::UploadFailed`]
    Upload {
        /// The number of this attempt.
        transfer: TransferId,
        /// On which session.
        session: SessionId,
        /// For which assignment.
        assignment: AssignmentId,
        /// Their hashes, in order; the bytes lie where the run left them.
        outputs: Vec<BlobHash>,
    },
    /// Stop moving blobs. What is told of this transfer afterwards is ignored.
    StopTransfer {
        /// Which.
        transfer: TransferId,
    },
    /// The assignment is over: its payload, inputs and outputs are no longer needed. Picture tiles are the
    /// shell's to keep.
    DropFiles {
        /// Which.
        assignment: AssignmentId,
    },
    /// Sign this text with the key of a wallet that is kept, or say why not. → [`super::Input::SignedAsWallet`]
    SignAsWallet {
        /// The wallet.
        wallet: WalletAddress,
        /// The statement's.
        nonce: String,
        /// Its text, which this worker has written from the statement.
        text: String,
    },
    /// Tell a person, once. It is also in the view's notices.
    Notify(Notice),
    /// The view changed: show [`super::Machine::view`] to whoever watches. At most one in a list, at its end.
    Publish,
    /// Everything is put away: end the process.
    Exit,
}
