//! Receipts: the network's signed statement of accepted work. Verification is in `lull-checks`.

use serde::{Deserialize, Serialize};

use crate::{AssignmentId, BaseUnits, BlobHash, NetworkId, Signature, TaskId, UnixMillis, WorkerId};

/// A cumulative statement: by `nonce`, this worker has earned `cumulative` in this lane.
///
/// Only the receipt with the highest nonce of a lane counts, so that a lost or repeated one does no harm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// Who states it.
    pub network: NetworkId,
    /// Who earned it.
    pub worker: WorkerId,
    /// Independent sequence of receipts of one worker.
    pub lane: u32,
    /// The period whose accepted assignments `job_root` covers.
    pub epoch: u64,
    /// Counts the receipts of a lane from 1, without gaps, over all epochs.
    pub nonce: u64,
    /// Lifetime earnings of the lane, this assignment included.
    pub cumulative: BaseUnits,
    /// Merkle root over the [`ReceiptLeaf`]s of this lane in this epoch, in order of nonce.
    pub job_root: BlobHash,
    /// After this instant the receipt is no longer accepted as new; earnings already counted stay.
    pub expiry: UnixMillis,
}

impl Receipt {
    /// The bytes that are signed: every field in order, fixed width, integers big-endian (132 bytes).
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(132);
        bytes.extend_from_slice(&self.network.0);
        bytes.extend_from_slice(&self.worker.0);
        bytes.extend_from_slice(&self.lane.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.nonce.to_be_bytes());
        bytes.extend_from_slice(&self.cumulative.0.to_be_bytes());
        bytes.extend_from_slice(&self.job_root.0);
        bytes.extend_from_slice(&self.expiry.0.to_be_bytes());
        bytes
    }
}

/// What one accepted assignment adds to a receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptLeaf {
    /// The accepted assignment.
    pub assignment: AssignmentId,
    /// Its task.
    pub task: TaskId,
    /// BLAKE3 over the hashes of the reported outputs, in order.
    pub outputs: BlobHash,
    /// What it earned.
    pub amount: BaseUnits,
}

impl ReceiptLeaf {
    /// The bytes that are hashed into the tree: every field in order, fixed width (72 bytes).
    pub fn canonical(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(72);
        bytes.extend_from_slice(self.assignment.as_bytes());
        bytes.extend_from_slice(self.task.as_bytes());
        bytes.extend_from_slice(&self.outputs.0);
        bytes.extend_from_slice(&self.amount.0.to_be_bytes());
        bytes
    }
}

/// A receipt with the network's signature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// What is stated.
    pub receipt: Receipt,
    /// The assignment that this receipt adds to the one before.
    pub leaf: ReceiptLeaf,
    /// The network's signature over [`Receipt::canonical`].
    pub network_signature: Signature,
}

/// A receipt signed by both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountersignedReceipt {
    /// What the network signed.
    pub signed: SignedReceipt,
    /// The worker's signature over [`Receipt::canonical`].
    pub worker_signature: Signature,
}
