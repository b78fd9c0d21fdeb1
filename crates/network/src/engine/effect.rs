//! What the engine asks of the shell. Effects are carried out in order, only after the commit of the input that
//! caused them; any of them may be lost in a crash, and the engine asks again.

use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, BlobHash, Fault, JobId, TaskId, WalletAddress, WorkerId};

use super::{Answer, CheckId, Round, SessionId};

/// One thing to do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Say this on this session. Nothing is to be done when the session is gone.
    Send {
        /// To whom.
        worker: WorkerId,
        /// On which session.
        session: SessionId,
        /// What.
        message: NetworkMessage,
    },
    /// Time these devices, all at the same moment, and tell [`super::Input::Timed`].
    Time(Round),
    /// Compare the outputs of a report and tell [`super::Input::CheckEnded`].
    Check(CheckRequest),
    /// The state, the money or a result of a job changed. For pictures, metrics and whoever follows it.
    JobChanged {
        /// Which.
        job: JobId,
    },
    /// A worker tells how far it is. Not stored.
    Progress {
        /// The job.
        job: JobId,
        /// The task.
        task: TaskId,
        /// The assignment.
        assignment: AssignmentId,
        /// 0 to 1.
        fraction: f32,
    },
    /// Close this session.
    DropSession {
        /// Whose.
        worker: WorkerId,
        /// Which.
        session: SessionId,
        /// Why.
        reason: Fault,
    },
    /// Say the proof of this worker's earnings for one wallet, or why there is none.
    Prove {
        /// Whose, and to whom.
        worker: WorkerId,
        /// On which session.
        session: SessionId,
        /// Which wallet.
        wallet: WalletAddress,
    },
    /// Read what the chain has paid to this wallet for this worker, and tell [`super::Input::ChainPaid`].
    LookAtClaims {
        /// Whose.
        worker: WorkerId,
        /// Which wallet.
        wallet: WalletAddress,
    },
    /// The answer for whoever gave the input. The writer takes it out and hands it over.
    Answer(Answer),
}

/// A comparison that the shell does: `lull_checks::compare` under the tolerance that the payload states.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRequest {
    /// Names it in the answer.
    pub check: CheckId,
    /// The task, for logs.
    pub task: TaskId,
    /// Job kind, such as `wgsl/1`.
    pub kind: String,
    /// Blob of the payload.
    pub payload: BlobHash,
    /// Blobs that the payload names.
    pub inputs: Vec<BlobHash>,
    /// The outputs in question, in order.
    pub reported: Vec<BlobHash>,
    /// What they are compared with.
    pub against: Against,
}

/// Where the expected outputs of a check come from.
#[derive(Clone, Debug, PartialEq)]
pub enum Against {
    /// Run the task on the network's own trusted runtime.
    TrustedRuntime,
    /// These outputs, which another worker reported for the same task.
    Outputs(Vec<BlobHash>),
}
