//! Receipts: issuing, accepting, countersigning, and checking a whole history without anyone's help.

use lull_types::{
    BaseUnits, BlobHash, Coded, CountersignedReceipt, Domain, Fault, KeyError, MoneyError, NetworkId,
    Receipt, ReceiptLeaf, SecretKey, SignedReceipt, UnixMillis, WorkerId,
};
use serde::{Deserialize, Serialize};

use crate::merkle::Accumulator;

/// Why a receipt does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Its nonce is not above the highest one held. Harmless: it was delivered twice.
    #[error("this receipt is already held")]
    AlreadyHeld,
    /// Receipts between this one and the last are missing; they must be asked for again.
    #[error("receipt {found} arrived, but {expected} is the next; the network must send the missing ones")]
    Gap {
        /// The next nonce.
        expected: u64,
        /// The nonce that came.
        found: u64,
    },
    /// It is about another worker, network or lane.
    #[error("this receipt is for another worker, network or lane")]
    WrongParty,
    /// A signature does not hold.
    #[error("receipt {nonce}: {of}'s signature does not match what it states")]
    BadSignature {
        /// Its nonce.
        nonce: u64,
        /// `the network` or `the worker`.
        of: &'static str,
    },
    /// The cumulative sum is not the one before plus this assignment's amount.
    #[error("receipt {nonce} states earnings of {stated}, but they add up to {expected}")]
    WrongSum {
        /// Its nonce.
        nonce: u64,
        /// What it states.
        stated: BaseUnits,
        /// What the leaves add up to.
        expected: BaseUnits,
    },
    /// The root does not cover the assignments of its epoch.
    #[error("receipt {nonce} does not cover exactly the tasks that were accepted before it")]
    WrongRoot {
        /// Its nonce.
        nonce: u64,
    },
    /// Its epoch lies before the last one.
    #[error("receipt {nonce} goes back to an earlier period")]
    EpochWentBack {
        /// Its nonce.
        nonce: u64,
    },
    /// Two receipts with one nonce state different things: proof that the network contradicts itself.
    #[error("the network signed two different receipts with number {nonce}; keep both, they prove it")]
    Contradiction {
        /// Their nonce.
        nonce: u64,
    },
    /// The sum left the range of money.
    #[error(transparent)]
    Money(#[from] MoneyError),
}

impl Coded for ReceiptError {
    fn code(&self) -> &'static str {
        match self {
            Self::AlreadyHeld => "receipt_already_held",
            Self::Gap { .. } => "receipt_gap",
            Self::WrongParty => "receipt_wrong_party",
            Self::BadSignature { .. } => "receipt_bad_signature",
            Self::WrongSum { .. } => "receipt_wrong_sum",
            Self::WrongRoot { .. } => "receipt_wrong_root",
            Self::EpochWentBack { .. } => "receipt_epoch_went_back",
            Self::Contradiction { .. } => "receipt_contradiction",
            Self::Money(_) => "money_out_of_range",
        }
    }
}

/// One hash over the hashes of an assignment's outputs, in order.
pub fn outputs_hash(outputs: &[BlobHash]) -> BlobHash {
    BlobHash::of(&outputs.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>())
}

/// What is known of one lane: where its sequence of receipts stands. Both sides keep the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lane {
    network: NetworkId,
    worker: WorkerId,
    lane: u32,
    epoch: u64,
    nonce: u64,
    cumulative: BaseUnits,
    /// The leaves of `epoch`.
    leaves: Accumulator,
    /// The last receipt's signed bytes, to tell a repetition from a contradiction.
    last: Option<BlobHash>,
}

impl Lane {
    /// A lane without receipts.
    pub fn new(network: NetworkId, worker: WorkerId, lane: u32) -> Self {
        Self {
            network,
            worker,
            lane,
            epoch: 0,
            nonce: 0,
            cumulative: BaseUnits::ZERO,
            leaves: Accumulator::default(),
            last: None,
        }
    }

    /// Nonce of the last receipt; 0 for none.
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// Lifetime earnings.
    pub fn cumulative(&self) -> BaseUnits {
        self.cumulative
    }

    /// Epoch of the last receipt.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The state after one more accepted assignment, and the receipt that states it.
    fn next(
        &self,
        leaf: &ReceiptLeaf,
        epoch: u64,
        expiry: UnixMillis,
    ) -> Result<(Self, Receipt), ReceiptError> {
        let nonce = self.nonce + 1;
        if epoch < self.epoch {
            return Err(ReceiptError::EpochWentBack { nonce });
        }
        let mut leaves = if epoch == self.epoch { self.leaves.clone() } else { Accumulator::default() };
        leaves.push(&leaf.canonical());
        let cumulative = self.cumulative.plus(leaf.amount)?;
        let receipt = Receipt {
            network: self.network,
            worker: self.worker,
            lane: self.lane,
            epoch,
            nonce,
            cumulative,
            job_root: leaves.root(),
            expiry,
        };
        let last = Some(BlobHash::of(&receipt.canonical()));
        Ok((Self { epoch, nonce, cumulative, leaves, last, ..self.clone() }, receipt))
    }

    /// The network's side: states one more accepted assignment. `key` must be the network's.
    ///
    /// # Errors
    /// When the sum leaves the range of money or the epoch goes back; nothing has changed then.
    pub fn issue(
        &mut self,
        key: &SecretKey,
        leaf: ReceiptLeaf,
        epoch: u64,
        expiry: UnixMillis,
    ) -> Result<SignedReceipt, ReceiptError> {
        let (next, receipt) = self.next(&leaf, epoch, expiry)?;
        let network_signature = key.sign(Domain::Receipt, &receipt.canonical());
        *self = next;
        Ok(SignedReceipt { receipt, leaf, network_signature })
    }

    /// The worker's side: recomputes everything that the receipt states and, if it holds, moves on.
    ///
    /// # Errors
    /// What does not hold; nothing has changed then. `AlreadyHeld` is harmless.
    pub fn accept(&mut self, signed: &SignedReceipt) -> Result<(), ReceiptError> {
        let stated = &signed.receipt;
        let nonce = stated.nonce;
        if (stated.network, stated.worker, stated.lane) != (self.network, self.worker, self.lane) {
            return Err(ReceiptError::WrongParty);
        }
        verify_network_signature(signed)?;
        if nonce <= self.nonce {
            let differs = nonce == self.nonce && self.last != Some(BlobHash::of(&stated.canonical()));
            return Err(if differs {
                ReceiptError::Contradiction { nonce }
            } else {
                ReceiptError::AlreadyHeld
            });
        }
        if nonce != self.nonce + 1 {
            return Err(ReceiptError::Gap { expected: self.nonce + 1, found: nonce });
        }
        let (next, expected) = self.next(&signed.leaf, stated.epoch, stated.expiry)?;
        if stated.cumulative != expected.cumulative {
            return Err(ReceiptError::WrongSum {
                nonce,
                stated: stated.cumulative,
                expected: expected.cumulative,
            });
        }
        if stated.job_root != expected.job_root {
            return Err(ReceiptError::WrongRoot { nonce });
        }
        *self = next;
        Ok(())
    }
}

fn verify_network_signature(signed: &SignedReceipt) -> Result<(), ReceiptError> {
    let Receipt { network, nonce, .. } = signed.receipt;
    let verified = signed.network_signature.verify(&network.0, Domain::Receipt, &signed.receipt.canonical());
    verified.map_err(|_: KeyError| ReceiptError::BadSignature { nonce, of: "the network" })
}

/// The worker's signature beside the network's. `key` must be the worker's.
pub fn countersign(key: &SecretKey, signed: &SignedReceipt) -> CountersignedReceipt {
    let worker_signature = key.sign(Domain::ReceiptCountersign, &signed.receipt.canonical());
    CountersignedReceipt { signed: signed.clone(), worker_signature }
}

/// Whether both signatures hold.
///
/// # Errors
/// Which one does not.
pub fn verify_countersigned(receipt: &CountersignedReceipt) -> Result<(), ReceiptError> {
    verify_network_signature(&receipt.signed)?;
    let stated = &receipt.signed.receipt;
    let verified =
        receipt.worker_signature.verify(&stated.worker.0, Domain::ReceiptCountersign, &stated.canonical());
    verified.map_err(|_| ReceiptError::BadSignature { nonce: stated.nonce, of: "the worker" })
}

/// The outcome of checking a history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    /// Receipts that hold, from the first on.
    pub receipts: u32,
    /// Signatures checked on the way.
    pub signatures: u32,
    /// Sum of their amounts.
    pub total: BaseUnits,
    /// The first thing that does not hold.
    pub fault: Option<Fault>,
}

/// Checks a lane's whole history, in order of nonce from 1: every signature, sum and root.
pub fn verify_all(
    network: NetworkId,
    worker: WorkerId,
    history: impl IntoIterator<Item = CountersignedReceipt>,
) -> Checked {
    let mut lane = Lane::new(network, worker, 0);
    let mut checked = Checked { receipts: 0, signatures: 0, total: BaseUnits::ZERO, fault: None };
    for receipt in history {
        if let Err(error) = verify_countersigned(&receipt).and_then(|()| lane.accept(&receipt.signed)) {
            checked.fault = Some(error.fault());
            break;
        }
        checked.receipts += 1;
        checked.signatures += 2;
        checked.total = lane.cumulative();
    }
    checked
}

#[cfg(test)]
mod tests {
    use super::*;
    use lull_types::{AssignmentId, TaskId};

    struct Parties {
        network: SecretKey,
        worker: SecretKey,
    }

    fn parties() -> Parties {
        Parties { network: SecretKey::from_bytes(&[1; 32]), worker: SecretKey::from_bytes(&[2; 32]) }
    }

    fn leaf(n: u8, amount: u64) -> ReceiptLeaf {
        ReceiptLeaf {
            assignment: AssignmentId::from_parts(UnixMillis(n.into()), &[n; 10]),
            task: TaskId::from_parts(UnixMillis(n.into()), &[n; 10]),
            outputs: BlobHash::of(&[n]),
            amount: BaseUnits(amount),
        }
    }

    impl Parties {
        fn lane(&self) -> Lane {
            Lane::new(self.network.network_id(), self.worker.worker_id(), 0)
        }

        /// Ten receipts over two epochs.
        fn history(&self) -> Vec<SignedReceipt> {
            let mut lane = self.lane();
            let issue = |n: u8| {
                lane.issue(&self.network, leaf(n, 100), u64::from(n / 6), UnixMillis(u64::MAX)).unwrap()
            };
            (0..10).map(issue).collect()
        }

        fn check(&self, history: impl IntoIterator<Item = CountersignedReceipt>) -> Checked {
            verify_all(self.network.network_id(), self.worker.worker_id(), history)
        }
    }

    #[test]
    fn a_history_is_accepted_once_and_in_order() {
        let parties = parties();
        let mut lane = parties.lane();
        let history = parties.history();
        assert_eq!(lane.accept(&history[1]), Err(ReceiptError::Gap { expected: 1, found: 2 }));
        for signed in &history {
            assert_eq!(lane.accept(signed), Ok(()));
            assert_eq!(lane.accept(signed), Err(ReceiptError::AlreadyHeld));
        }
        assert_eq!(lane.accept(&history[0]), Err(ReceiptError::AlreadyHeld));
        assert_eq!((lane.nonce(), lane.cumulative(), lane.epoch()), (10, BaseUnits(1000), 1));
    }

    #[test]
    fn every_false_statement_is_found() {
        let parties = parties();
        let history = parties.history();
        // A network that signs what it should not: each change is signed anew with the network's own key.
        let forge = |change: fn(&mut SignedReceipt)| {
            let mut lane = parties.lane();
            history[..3].iter().for_each(|signed| lane.accept(signed).unwrap());
            let mut forged = history[3].clone();
            change(&mut forged);
            forged.network_signature = parties.network.sign(Domain::Receipt, &forged.receipt.canonical());
            let before = lane.clone();
            let result = lane.accept(&forged);
            assert_eq!(lane, before, "an error changes nothing");
            result
        };
        assert!(matches!(forge(|r| r.receipt.cumulative.0 -= 1), Err(ReceiptError::WrongSum { .. })));
        assert!(matches!(forge(|r| r.leaf.amount.0 += 1), Err(ReceiptError::WrongSum { .. })));
        assert!(matches!(forge(|r| r.leaf.outputs.0[0] ^= 1), Err(ReceiptError::WrongRoot { .. })));
        assert!(matches!(forge(|r| r.receipt.epoch += 1), Err(ReceiptError::WrongRoot { .. })));
        assert!(matches!(forge(|r| r.receipt.worker.0[0] ^= 1), Err(ReceiptError::WrongParty)));
        assert!(matches!(forge(|r| r.receipt.lane = 1), Err(ReceiptError::WrongParty)));
        assert!(matches!(forge(|r| r.receipt.nonce = 9), Err(ReceiptError::Gap { .. })));
    }

    #[test]
    fn a_signature_covers_every_field() {
        // The first 68 bytes name the parties and the lane; another one is refused before its signature is looked at.
        let parties = parties();
        assert_eq!(parties.history()[0].receipt.canonical().len(), 132);
        for byte in 68..132 {
            let mut lane = parties.lane();
            let mut signed = parties.history()[0].clone();
            let receipt = &mut signed.receipt;
            match byte {
                68..76 => receipt.epoch ^= 1 << ((byte - 68) * 8),
                76..84 => receipt.nonce ^= 1 << ((byte - 76) * 8),
                84..92 => receipt.cumulative.0 ^= 1 << ((byte - 84) * 8),
                92..124 => receipt.job_root.0[byte - 92] ^= 1,
                _ => receipt.expiry.0 ^= 1 << ((byte - 124) * 8),
            }
            assert!(matches!(lane.accept(&signed), Err(ReceiptError::BadSignature { .. })), "byte {byte}");
        }
    }

    #[test]
    fn a_contradiction_is_told_from_a_repetition() {
        let parties = parties();
        let mut lane = parties.lane();
        lane.accept(&parties.history()[0]).unwrap();
        let other = parties.lane().issue(&parties.network, leaf(0, 99), 0, UnixMillis(u64::MAX)).unwrap();
        assert_eq!(lane.accept(&other), Err(ReceiptError::Contradiction { nonce: 1 }));
    }

    #[test]
    fn a_whole_history_is_checked() {
        let parties = parties();
        let mut history: Vec<_> = parties.history().iter().map(|r| countersign(&parties.worker, r)).collect();
        let whole = parties.check(history.clone());
        assert_eq!((whole.receipts, whole.signatures, whole.total), (10, 20, BaseUnits(1000)));
        assert_eq!(whole.fault, None);

        history[4].worker_signature.0[0] ^= 1;
        let broken = parties.check(history.clone());
        assert_eq!((broken.receipts, broken.total), (4, BaseUnits(400)));
        assert_eq!(broken.fault.unwrap().code, "receipt_bad_signature");

        history.remove(2);
        assert_eq!(parties.check(history).fault.unwrap().code, "receipt_gap");
    }

    #[test]
    fn sums_do_not_overflow() {
        let parties = parties();
        let mut lane = parties.lane();
        lane.issue(&parties.network, leaf(0, u64::MAX), 0, UnixMillis(0)).unwrap();
        let before = lane.clone();
        assert!(matches!(
            lane.issue(&parties.network, leaf(1, 1), 0, UnixMillis(0)),
            Err(ReceiptError::Money(_))
        ));
        assert_eq!(lane, before);
    }
}
