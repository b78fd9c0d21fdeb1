//! Instructions as bytes: a tag, then fixed fields, integers little-endian.

use crate::Address;
use crate::hash::Hash;

/// The shortest delay between the announcement of a withdrawal and the withdrawal, seconds: a week, in which
/// contributors who watch their network see it coming.
pub const WITHDRAWAL_DELAY_S_MIN: u32 = 7 * 24 * 60 * 60;

/// The most siblings that a proof may have: enough for as many leaves as anyone could hash, and far more than fit into
/// a transaction.
pub const PROOF_NODES_MAX: usize = 32;

const INITIALIZE: u8 = 0;
const POST_ROOT: u8 = 1;
const CLAIM: u8 = 2;
const ROTATE_AUTHORITY: u8 = 3;
const ANNOUNCE_WITHDRAWAL: u8 = 4;
const CANCEL_WITHDRAWAL: u8 = 5;
const WITHDRAW_UNCLAIMED: u8 = 6;

/// What the program can be told. The accounts that each needs are listed at the constructors of `Call`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction<'a> {
    /// Makes a network's account.
    Initialize {
        /// Seconds from the announcement of a withdrawal to the withdrawal; at least [`WITHDRAWAL_DELAY_S_MIN`].
        withdrawal_delay_s: u32,
    },
    /// Replaces the root of lifetime earnings.
    PostRoot {
        /// Counts the roots; greater than the last one's.
        epoch: u64,
        /// Sum of the lifetime earnings under the root, base units; never falls.
        committed: u64,
        /// The root.
        root: &'a Hash,
    },
    /// Pays lifetime earnings less what was paid before.
    Claim(Claim<'a>),
    /// Hands the network to another authority.
    RotateAuthority,
    /// Announces a withdrawal and starts its delay; replaces one that was announced before.
    AnnounceWithdrawal {
        /// Base units.
        amount: u64,
    },
    /// Takes an announcement back.
    CancelWithdrawal,
    /// Carries the announced withdrawal out.
    WithdrawUnclaimed,
}

/// A proof of lifetime earnings. The wallet is the owner of the token account that is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// Bump of the wallet's associated token account, which is cheaper to be told than to search.
    pub destination_bump: u8,
    /// Lifetime earnings as the leaf has them, base units.
    pub lifetime: u64,
    /// Who earned them.
    pub worker: &'a Address,
    /// Siblings on the way to the root, from below.
    pub proof: &'a [Hash],
}

impl<'a> Instruction<'a> {
    /// Reads an instruction; `None` when the bytes are not exactly one.
    #[inline(always)]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = bytes.split_first()?;
        match tag {
            INITIALIZE => {
                Some(Self::Initialize { withdrawal_delay_s: u32::from_le_bytes(rest.try_into().ok()?) })
            }
            POST_ROOT => {
                let (epoch, rest) = rest.split_first_chunk()?;
                let (committed, root) = rest.split_first_chunk()?;
                Some(Self::PostRoot {
                    epoch: u64::from_le_bytes(*epoch),
                    committed: u64::from_le_bytes(*committed),
                    root: root.try_into().ok()?,
                })
            }
            CLAIM => {
                let (&destination_bump, rest) = rest.split_first()?;
                let (lifetime, rest) = rest.split_first_chunk()?;
                let (worker, rest) = rest.split_first_chunk()?;
                let (proof, []) = rest.as_chunks() else { return None };
                let lifetime = u64::from_le_bytes(*lifetime);
                let fits = proof.len() <= PROOF_NODES_MAX;
                fits.then_some(Self::Claim(Claim { destination_bump, lifetime, worker, proof }))
            }
            ROTATE_AUTHORITY => rest.is_empty().then_some(Self::RotateAuthority),
            ANNOUNCE_WITHDRAWAL => {
                Some(Self::AnnounceWithdrawal { amount: u64::from_le_bytes(rest.try_into().ok()?) })
            }
            CANCEL_WITHDRAWAL => rest.is_empty().then_some(Self::CancelWithdrawal),
            WITHDRAW_UNCLAIMED => rest.is_empty().then_some(Self::WithdrawUnclaimed),
            _ => None,
        }
    }

    /// The bytes that [`Instruction::read`] reads.
    #[cfg(not(target_arch = "bpf"))]
    pub fn write(&self) -> Vec<u8> {
        match *self {
            Self::Initialize { withdrawal_delay_s } => {
                [&[INITIALIZE][..], &withdrawal_delay_s.to_le_bytes()].concat()
            }
            Self::PostRoot { epoch, committed, root } => {
                [&[POST_ROOT][..], &epoch.to_le_bytes(), &committed.to_le_bytes(), root].concat()
            }
            Self::Claim(Claim { destination_bump, lifetime, worker, proof }) => {
                let fixed = [&[CLAIM, destination_bump][..], &lifetime.to_le_bytes(), worker].concat();
                [&fixed[..], proof.as_flattened()].concat()
            }
            Self::RotateAuthority => vec![ROTATE_AUTHORITY],
            Self::AnnounceWithdrawal { amount } => {
                [&[ANNOUNCE_WITHDRAWAL][..], &amount.to_le_bytes()].concat()
            }
            Self::CancelWithdrawal => vec![CANCEL_WITHDRAWAL],
            Self::WithdrawUnclaimed => vec![WITHDRAW_UNCLAIMED],
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let root = [7; 32];
        let proof = [[1; 32], [2; 32]];
        for instruction in [
            Instruction::Initialize { withdrawal_delay_s: 1 },
            Instruction::PostRoot { epoch: 1, committed: 2, root: &root },
            Instruction::Claim(Claim { destination_bump: 254, lifetime: 3, worker: &root, proof: &proof }),
            Instruction::Claim(Claim { destination_bump: 254, lifetime: 3, worker: &root, proof: &[] }),
            Instruction::RotateAuthority,
            Instruction::AnnounceWithdrawal { amount: 4 },
            Instruction::CancelWithdrawal,
            Instruction::WithdrawUnclaimed,
        ] {
            let bytes = instruction.write();
            assert_eq!(Instruction::read(&bytes), Some(instruction));
            assert_eq!(Instruction::read(&[&bytes[..], &[0]].concat()), None, "{instruction:?} and a byte");
            assert_eq!(Instruction::read(&bytes[..bytes.len() - 1]), None, "{instruction:?} less a byte");
        }
    }

    #[test]
    fn a_proof_has_an_end() {
        let proof = [[0; 32]; PROOF_NODES_MAX + 1];
        let claim = |proof| {
            Instruction::Claim(Claim { destination_bump: 0, lifetime: 0, worker: &[0; 32], proof }).write()
        };
        assert_eq!(Instruction::read(&claim(&proof)), None);
        assert!(Instruction::read(&claim(&proof[1..])).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_or_written_back(bytes in proptest::collection::vec(any::<u8>(), 0..200), tag in 0u8..8) {
            for bytes in [&bytes[..], &[&[tag], &bytes[..]].concat()] {
                if let Some(instruction) = Instruction::read(bytes) {
                    prop_assert_eq!(instruction.write(), bytes);
                }
            }
        }
    }
}
