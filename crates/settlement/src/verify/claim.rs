//! Claims and roots, as they lie in transactions.

use lull_distributor::Instruction as Call;
use lull_types::BaseUnits;

use super::Party;
use crate::chain::{Address, Outcome, Transaction};
use crate::epoch::{Anchor, Hash, Leaf, Proof, hash_leaf};

/// A claim of a worker's earnings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimFound {
    /// The lifetime that it shows.
    pub lifetime: BaseUnits,
    /// The siblings that it shows.
    pub proof: Proof,
    /// Where the chain keeps what was paid; as the transaction names it.
    pub claim_account: Address,
    /// Where the tokens went; as the transaction names it.
    pub destination: Address,
    /// The root that the proof leads to from the leaf of the worker and the wallet that are expected.
    pub root: Hash,
    /// Other claims of the same transaction that go to the same account: those of the contributor's other machines.
    pub beside: usize,
}

/// A root that a transaction posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedRoot {
    /// Of which epoch.
    pub epoch: u64,
    /// The root.
    pub root: Hash,
}

/// Places of the accounts of a claim and of a root; see `docs/settlement.md`.
const NETWORK_ACCOUNT: usize = 1;
const CLAIM_ACCOUNT: usize = 3;
const DESTINATION: usize = 4;

/// The claim of this worker from this network in a transaction. Of several the one that goes to the expected wallet;
/// none when it has no such claim. What failed is looked at, too.
pub fn claim_in(transaction: &Transaction, party: &Party) -> Option<ClaimFound> {
    let claims = || {
        transaction
            .instructions
            .iter()
            .filter(|told| told.program == party.program())
            .filter(|told| told.accounts.get(NETWORK_ACCOUNT) == Some(&party.account()))
            .filter_map(|told| match Call::read(&told.data)? {
                Call::Claim(claim) => {
                    Some((claim, *told.accounts.get(CLAIM_ACCOUNT)?, *told.accounts.get(DESTINATION)?))
                }
                Call::Initialize { .. }
                | Call::PostRoot { .. }
                | Call::RotateAuthority
                | Call::AnnounceWithdrawal { .. }
                | Call::CancelWithdrawal
                | Call::WithdrawUnclaimed => None,
            })
    };
    let expected = party.destination();
    let own = || claims().filter(|(claim, _, _)| *claim.worker == party.worker.0);
    let to_wallet = own().find(|(_, _, destination)| Some(*destination) == expected);
    let (claim, claim_account, destination) = to_wallet.or_else(|| own().next())?;
    let leaf = Leaf { worker: party.worker, wallet: party.wallet, lifetime: BaseUnits(claim.lifetime) };
    Some(ClaimFound {
        lifetime: leaf.lifetime,
        root: lull_distributor::hash::root(hash_leaf(&party.anchor, &leaf), claim.proof),
        proof: Proof(claim.proof.to_vec()),
        claim_account,
        destination,
        beside: claims().filter(|(_, _, other)| *other == destination).count().saturating_sub(1),
    })
}

/// The root that a final transaction posted for this network; none when it posted none.
pub fn root_posted_in(transaction: &Transaction, anchor: &Anchor) -> Option<PostedRoot> {
    if transaction.outcome != Outcome::Done {
        return None;
    }
    let account = Address::new_from_array(*anchor.account());
    let program = Address::new_from_array(*anchor.program());
    let posts = transaction.instructions.iter().filter(|told| told.program == program);
    let posts = posts.filter(|told| told.accounts.get(NETWORK_ACCOUNT) == Some(&account));
    let mut roots = posts.filter_map(|told| match Call::read(&told.data)? {
        Call::PostRoot { epoch, root, .. } => Some(PostedRoot { epoch, root: *root }),
        Call::Initialize { .. }
        | Call::Claim(_)
        | Call::RotateAuthority
        | Call::AnnounceWithdrawal { .. }
        | Call::CancelWithdrawal
        | Call::WithdrawUnclaimed => None,
    });
    // Of several in one transaction the last is the one that stays.
    roots.next_back()
}
