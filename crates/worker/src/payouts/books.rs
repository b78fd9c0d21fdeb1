//! The worker's own books, as they are weighed against the network's word.

use lull_checks::receipts;
use lull_settlement::verify::Books;
use lull_types::{BaseUnits, Fault, PayoutStage};

use crate::machine::PayoutFacts;
use crate::shell::Store;

/// Recomputes every receipt of the network and adds up what it told.
pub(super) async fn books(store: &Store, facts: &PayoutFacts) -> Result<Books, Fault> {
    let held = store.receipts_of_network(facts.network).await?;
    let (network, worker) = (facts.network, facts.worker);
    let recomputed = tokio::task::spawn_blocking(move || receipts::verify_all(network, worker, held)).await;
    let recomputed = recomputed.map_err(|error| Fault::new("internal", error.to_string()))?;
    let arrived = || facts.told.payouts.values().filter(|payout| payout.stage == PayoutStage::Confirmed);
    let sum = |amounts: &mut dyn Iterator<Item = BaseUnits>| {
        BaseUnits(amounts.fold(0, |sum, amount| sum.saturating_add(amount.0)))
    };
    // Between a receipt and the balance that comes with it nothing can be compared but what is listed.
    let balance = facts.balance.filter(|_| recomputed.total == facts.earned);
    Ok(Books {
        receipts: recomputed.receipts,
        earned: recomputed.total,
        receipts_fault: recomputed.fault,
        listed: facts.told.standing.as_ref().map(|standing| standing.wallets.clone()).unwrap_or_default(),
        paid: sum(&mut arrived().map(|payout| payout.amount)),
        fees: sum(&mut arrived().map(|payout| payout.fee)),
        held: balance.map(|balance| balance.held),
        payable: balance.map(|balance| balance.payable),
        paid_in_all: balance.map(|balance| balance.paid),
    })
}
