//! A worker's own books against what its network lists, pays and says that it owes.

use lull_types::{BaseUnits, Fault, WalletAddress, WalletEarnings};

use super::{Fact, Finding, Subject, Wrong};

/// What a worker knows of its earnings by itself, and what its network says of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Receipts that were recomputed.
    pub receipts: u32,
    /// What they add up to.
    pub earned: BaseUnits,
    /// Why they do not hold, if they do not.
    pub receipts_fault: Option<Fault>,
    /// What the newest epoch lists, by wallet, as the network says.
    pub listed: Vec<WalletEarnings>,
    /// Sum of the final payouts that the network ever told this worker of.
    pub paid: BaseUnits,
    /// What it kept for them.
    pub fees: BaseUnits,
    /// Accepted and held through the audit window, as the network says; none when it has not said so lately.
    pub held: Option<BaseUnits>,
    /// Free to be paid, as the network says.
    pub payable: Option<BaseUnits>,
    /// Paid in all, as the network says.
    pub paid_in_all: Option<BaseUnits>,
}

impl Books {
    /// Compares all that is listed, of which `lifetime` for `wallet` was just seen.
    pub(super) fn check(&self, wallet: WalletAddress, lifetime: BaseUnits) -> Fact {
        let expected = format!("at most {} USDC, the sum of {} receipts", self.earned, self.receipts);
        let fact = |finding, found: String| Fact::new(Subject::Receipts, finding, expected.clone(), found);
        if let Some(fault) = &self.receipts_fault {
            let wrong = Wrong::BadReceipts(fault.sentence.clone());
            return fact(Finding::Wrong(wrong), fault.sentence.clone());
        }
        // What this wallet is listed with may have been seen under an earlier or a later root than the one told of.
        let others = self.listed.iter().filter(|listed| listed.wallet != wallet);
        let own = self.listed.iter().find(|listed| listed.wallet == wallet);
        let own = own.map_or(lifetime, |listed| listed.lifetime.max(lifetime));
        let listed = sum(others.map(|listed| listed.lifetime).chain([own]));
        let with_fees = sum([listed, self.fees]);
        let Ok(rest) = self.earned.minus(with_fees) else {
            let wrong = Wrong::BeyondReceipts { listed: with_fees, earned: self.earned };
            return fact(Finding::Wrong(wrong), format!("{listed} listed, {} kept as fees", self.fees));
        };
        let mut found = format!("{listed} listed, {} kept as fees, {rest} not listed yet", self.fees);
        let (Some(held), Some(payable), Some(paid_in_all)) = (self.held, self.payable, self.paid_in_all)
        else {
            return fact(Finding::Holds, found);
        };
        found = format!("{found}; of all, {paid_in_all} paid, {payable} payable, {held} held");
        // Fees are known of the payouts that this worker was told of. If it was told of fewer than were paid, its
        // journal is younger than its earnings, and what older payouts cost is not known.
        if self.paid != paid_in_all {
            return fact(Finding::Holds, found);
        }
        let accounted = sum([held, payable, paid_in_all, self.fees]);
        if accounted < self.earned {
            let wrong = Wrong::Unaccounted { earned: self.earned, accounted };
            return fact(Finding::Wrong(wrong), found);
        }
        fact(Finding::Holds, found)
    }
}

/// A sum that stops at the largest number: whoever lists so much lists too much.
fn sum(amounts: impl IntoIterator<Item = BaseUnits>) -> BaseUnits {
    BaseUnits(amounts.into_iter().fold(0, |sum, amount| sum.saturating_add(amount.0)))
}
