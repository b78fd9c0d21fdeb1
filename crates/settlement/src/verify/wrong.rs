//! What can be wrong with a payout, in words for whoever is paid.

use lull_types::{BaseUnits, Coded};

/// Something that a network said of a payout is not so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The transaction failed.
    #[error(
        "The network says that this payout arrived, but its transaction failed on the chain, so nothing was paid. Ask the network, with the evidence."
    )]
    Failed,
    /// There is no such transaction, and the chain has paid less than it would have.
    #[error(
        "The network says that this payout arrived, but the chain knows no such transaction and has paid only {paid} USDC to this wallet. Ask the network, with the evidence."
    )]
    NeverHappened {
        /// What the chain has paid to the wallet in all.
        paid: BaseUnits,
    },
    /// The account that the network names does not follow from its key.
    #[error(
        "The network names an account on the chain that does not belong to the key that signs your receipts. Do not rely on what that account holds."
    )]
    OtherAccount,
    /// The transaction does not claim this worker's earnings from the network's account.
    #[error(
        "The transaction of this payout does not claim your earnings from the network's account: it is another payment, or none. Ask the network, with the evidence."
    )]
    NotAClaim,
    /// Another token.
    #[error(
        "What was paid is another token than the one that the network says it pays, and may be worth nothing. Ask the network, with the evidence."
    )]
    OtherMint,
    /// Another amount.
    #[error(
        "{found} USDC arrived by this transaction, and the network says that {said} did. Ask the network, with the evidence."
    )]
    OtherAmount {
        /// What the network said.
        said: BaseUnits,
        /// What the chain says.
        found: BaseUnits,
    },
    /// The chain has paid less than the network says.
    #[error(
        "The chain has paid {found} USDC to this wallet in all, and the network says that it paid {said}. Ask the network, with the evidence."
    )]
    PaidLess {
        /// What the network said.
        said: BaseUnits,
        /// What the chain says.
        found: BaseUnits,
    },
    /// Another account was paid.
    #[error(
        "The tokens did not go to the token account of your wallet. Check that the wallet is yours, then ask the network, with the evidence."
    )]
    OtherDestination,
    /// The path does not lead from this leaf to the root.
    #[error(
        "The proof does not lead from your earnings to the root that the network named. Nothing can be claimed with it; ask the network, with the evidence."
    )]
    BrokenPath,
    /// The root is not the one on the chain.
    #[error(
        "Your earnings are listed under a root that the network did not post on the chain. Ask the network, with the evidence."
    )]
    OtherRoot,
    /// The network said that a root is on the chain, and it is not.
    #[error(
        "The network says that epoch {said} is on the chain, and the chain is at epoch {found}. Ask the network, with the evidence."
    )]
    NotPosted {
        /// What the network said.
        said: u64,
        /// What the chain says.
        found: u64,
    },
    /// A receipt does not hold.
    #[error("Your receipts do not hold ({0}), so nothing can be compared with them.")]
    BadReceipts(String),
    /// More is listed than was earned.
    #[error(
        "The network lists {listed} USDC for you, and your receipts come to {earned}. More than that was never earned here: export your receipts and ask the network."
    )]
    BeyondReceipts {
        /// What is listed, fees included.
        listed: BaseUnits,
        /// What the receipts add up to.
        earned: BaseUnits,
    },
    /// Less is listed than was paid.
    #[error(
        "The newest epoch lists {listed} USDC for you, and {paid} were paid before. What is listed never falls: ask the network, with the evidence."
    )]
    ListedFell {
        /// What is listed.
        listed: BaseUnits,
        /// What was paid.
        paid: BaseUnits,
    },
    /// The network owes more than it says.
    #[error(
        "Your receipts come to {earned} USDC, and the network accounts for {accounted}, fees included. Export your receipts and ask the network for the rest."
    )]
    Unaccounted {
        /// What the receipts add up to.
        earned: BaseUnits,
        /// Held, payable, paid, and fees.
        accounted: BaseUnits,
    },
}

impl Coded for Wrong {
    fn code(&self) -> &'static str {
        match self {
            Self::Failed => "payout_failed",
            Self::NeverHappened { .. } => "payout_never_happened",
            Self::OtherAccount => "payout_other_account",
            Self::NotAClaim => "payout_not_a_claim",
            Self::OtherMint => "payout_other_mint",
            Self::OtherAmount { .. } => "payout_other_amount",
            Self::PaidLess { .. } => "payout_paid_less",
            Self::OtherDestination => "payout_other_destination",
            Self::BrokenPath => "payout_broken_path",
            Self::OtherRoot => "payout_other_root",
            Self::NotPosted { .. } => "payout_not_posted",
            Self::BadReceipts(_) => "payout_receipts_do_not_hold",
            Self::BeyondReceipts { .. } => "payout_beyond_receipts",
            Self::ListedFell { .. } => "payout_listed_fell",
            Self::Unaccounted { .. } => "payout_unaccounted",
        }
    }
}
