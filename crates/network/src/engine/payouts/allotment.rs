//! What the end of an epoch lists for one worker, and whether it is sent.

use lull_types::BaseUnits;

/// What a contributor wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To claim by themselves: nothing is kept back, and nothing is sent.
    Claims,
    /// To be sent this much or more at once.
    Sent(BaseUnits),
}

/// Where a worker stands with its present wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// Payable in all.
    pub payable: BaseUnits,
    /// Listed for other wallets and not paid, and fees of payouts under way: it is not this wallet's.
    pub elsewhere: BaseUnits,
    /// Listed for this wallet.
    pub lifetime: BaseUnits,
    /// Paid of that.
    pub paid: BaseUnits,
}

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allotment {
    /// The lifetime of the leaf; never less than before.
    pub lifetime: BaseUnits,
    /// What a claim of it would pay.
    pub claimable: BaseUnits,
    /// Whether the network sends it.
    pub sent: bool,
}

/// Lists what is payable. Of whoever is to be sent payouts, the fee is kept back: a claim pays the whole leaf.
pub(super) fn allot(standing: Standing, wish: Wish, fee: BaseUnits) -> Allotment {
    let Standing { payable, elsewhere, lifetime, paid } = standing;
    let available = payable.0.saturating_sub(elsewhere.0);
    // What was listed stays listed.
    let listed = lifetime.0.saturating_sub(paid.0);
    let kept_back = match wish {
        Wish::Claims => 0,
        Wish::Sent(_) => fee.0,
    };
    let claimable = available.saturating_sub(kept_back).max(listed);
    let sent = match wish {
        Wish::Claims => false,
        Wish::Sent(threshold) => {
            claimable > 0 && claimable >= threshold.0 && available.saturating_sub(claimable) >= fee.0
        }
    };
    Allotment { lifetime: BaseUnits(paid.0.saturating_add(claimable)), claimable: BaseUnits(claimable), sent }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn standing([payable, elsewhere, lifetime, paid]: [u64; 4]) -> Standing {
        Standing {
            payable: BaseUnits(payable),
            elsewhere: BaseUnits(elsewhere),
            lifetime: BaseUnits(lifetime),
            paid: BaseUnits(paid),
        }
    }

    #[test]
    fn the_fee_is_kept_back_before_it_is_owed() {
        let sent = |threshold| Wish::Sent(BaseUnits(threshold));
        let table = [
            // payable, elsewhere, lifetime, paid; wish; lifetime, sent
            ([100, 0, 0, 0], sent(50), (90, true)),
            ([100, 0, 0, 0], sent(91), (90, false)),
            ([100, 0, 0, 0], Wish::Claims, (100, false)),
            ([5, 0, 0, 0], sent(1), (0, false)),
            ([0, 0, 70, 70], sent(1), (70, false)),
            // What another wallet is owed stays that wallet's.
            ([100, 40, 0, 0], sent(50), (50, true)),
            // Earned on top of what was paid.
            ([30, 0, 70, 70], sent(20), (90, true)),
            // Listed whole for one who claimed, and now wants it sent: the fee comes out of what is earned next.
            ([100, 0, 100, 0], sent(50), (100, false)),
            ([109, 0, 100, 0], sent(50), (100, false)),
            ([110, 0, 100, 0], sent(50), (100, true)),
        ];
        for (figures, wish, (lifetime, sent)) in table {
            let found = allot(standing(figures), wish, BaseUnits(10));
            assert_eq!((found.lifetime.0, found.sent), (lifetime, sent), "{figures:?} {wish:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_listed_that_is_not_payable(
            paid in 0u64..1000, listed in 0u64..1000, more in 0u64..1000, elsewhere in 0u64..1000,
            threshold in 0u64..1000, fee in 0u64..1000, claims: bool,
        ) {
            let before = standing([listed + more + elsewhere, elsewhere, paid + listed, paid]);
            let wish = if claims { Wish::Claims } else { Wish::Sent(BaseUnits(threshold)) };
            let found = allot(before, wish, BaseUnits(fee));
            prop_assert!(found.lifetime >= before.lifetime);
            prop_assert!(found.claimable.0 <= listed + more);
            prop_assert_eq!(found.lifetime.0 - paid, found.claimable.0);
            if found.sent {
                prop_assert!(found.claimable.0 + fee <= listed + more && found.claimable.0 >= threshold.max(1));
            }
        }
    }
}
