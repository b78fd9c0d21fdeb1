//! What a network told of where it pays, as the chain's own types.

use lull_settlement::chain::Address;
use lull_settlement::epoch::Anchor;
use lull_settlement::verify::Party;
use lull_types::{ChainPlace, Fault, WalletAddress};

use crate::machine::PayoutFacts;

/// Where the network says that it pays.
pub(super) fn place(facts: &PayoutFacts) -> Result<&ChainPlace, Fault> {
    let standing = facts.told.standing.as_ref().ok_or_else(nothing)?;
    standing.place.as_ref().ok_or_else(|| {
        Fault::new("no_payouts", "this network pays on no chain, so there is nothing to check on one")
    })
}

/// The network under the program that it names, and where its payouts should go.
pub(super) fn party(facts: &PayoutFacts, wallet: WalletAddress) -> Result<Party, Fault> {
    let place = place(facts)?;
    let anchor = Anchor::new(facts.network, place.program.0).ok_or_else(|| {
        Fault::new("chain_no_address", "this network’s key has no account on the chain; ask the network")
    })?;
    Ok(Party {
        anchor,
        account_named: Address::new_from_array(place.account.0),
        mint: Address::new_from_array(place.mint.0),
        worker: facts.worker,
        wallet,
    })
}

pub(super) fn nothing() -> Fault {
    Fault::new(
        "payouts_unknown",
        "the network has not said yet how it pays; it does so once the worker is connected",
    )
}
