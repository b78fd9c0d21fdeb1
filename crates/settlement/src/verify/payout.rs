//! A payout: its transaction, what it moved, and what that rests on.

use lull_types::BaseUnits;

use super::claim::{ClaimFound, PostedRoot, claim_in};
use super::{Answer, Books, Fact, Finding, Party, Subject, Wrong, hex};
use crate::chain::{Account, Outcome, TokenChange, Transaction};

/// What a network says of a payout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldPayout {
    /// Of which epoch.
    pub epoch: u64,
    /// What arrived.
    pub amount: BaseUnits,
    /// Whether the network sent it. Of a claim that somebody else sent it knows the epoch only roughly.
    pub sent_by_network: bool,
    /// Whether it was said to be final so long ago that every endpoint has come so far.
    pub is_settled: bool,
}

/// What the chain answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutAnswers {
    /// The payout's transaction.
    pub transaction: Answer<Transaction>,
    /// The network's account.
    pub account: Answer<Account>,
    /// What was paid to this worker's wallet in all.
    pub claimed: Answer<BaseUnits>,
    /// Roots that were found to be posted, in any order.
    pub roots: Vec<PostedRoot>,
}

/// Checks a payout. Facts are in the order of [`Subject`].
pub fn payout(party: &Party, told: ToldPayout, answers: &PayoutAnswers, books: &Books) -> Vec<Fact> {
    let transaction = answers.transaction.is();
    let claim = transaction.and_then(|transaction| claim_in(transaction, party));
    let destination = claim.as_ref().map(|claim| claim.destination).or_else(|| party.destination());
    let moved = transaction.zip(destination).and_then(|(transaction, destination)| {
        transaction.tokens.iter().find(|change| change.account == destination)
    });
    let account = answers.account.is();
    vec![
        carried_out(told, answers),
        program(party, transaction, claim.as_ref(), account),
        mint(party, account, moved),
        amount(told, transaction, claim.as_ref(), moved),
        destination_of(party, transaction, claim.as_ref()),
        path(told, claim.as_ref()),
        root(party, told, claim.as_ref(), account, &answers.roots),
        match &claim {
            Some(claim) => books.check(party.wallet, claim.lifetime),
            None => books.check(party.wallet, BaseUnits::ZERO),
        },
    ]
}

fn carried_out(told: ToldPayout, answers: &PayoutAnswers) -> Fact {
    let fact =
        |finding, found: String| Fact::new(Subject::Transaction, finding, "final, and carried out", found);
    match &answers.transaction {
        Answer::Is(Transaction { outcome: Outcome::Done, slot, .. }) => {
            fact(Finding::Holds, format!("carried out in the final block of slot {slot}"))
        }
        Answer::Is(Transaction { outcome: Outcome::Failed(why), .. }) => {
            fact(Finding::Wrong(Wrong::Failed), format!("failed: {why}"))
        }
        Answer::Silent(why) => fact(Finding::Unknown, why.clone()),
        Answer::Nothing => {
            // Endpoints forget transactions, and none forgets accounts.
            let paid = match &answers.claimed {
                Answer::Is(paid) => Some(*paid),
                // An account of claims is made by the first claim, and a network's before all.
                Answer::Nothing if answers.account.is().is_some() => Some(BaseUnits::ZERO),
                Answer::Nothing | Answer::Silent(_) => None,
            };
            match paid.filter(|paid| told.is_settled && *paid < told.amount) {
                Some(paid) => fact(
                    Finding::Wrong(Wrong::NeverHappened { paid }),
                    format!("no such transaction, and {paid} USDC paid in all"),
                ),
                None => fact(
                    Finding::Unknown,
                    "this endpoint knows no such transaction, or has forgotten it".to_owned(),
                ),
            }
        }
    }
}

fn program(
    party: &Party,
    transaction: Option<&Transaction>,
    claim: Option<&ClaimFound>,
    account: Option<&Account>,
) -> Fact {
    let fact = |finding, found| Fact::new(Subject::Program, finding, party.place(), found);
    if party.account_named != party.account() {
        let found = format!("the network names account {}", party.account_named);
        return fact(Finding::Wrong(Wrong::OtherAccount), found);
    }
    if account.is_some_and(|account| party.read(account).is_none()) {
        let found = "what is at that address is not this network's account".to_owned();
        return fact(Finding::Wrong(Wrong::OtherAccount), found);
    }
    match (transaction, claim) {
        (None, _) => fact(Finding::Unknown, String::new()),
        (Some(_), Some(claim)) if Some(claim.claim_account) == party.claim_account() => {
            fact(Finding::Holds, party.place())
        }
        (Some(_), Some(claim)) => {
            // The program takes no other, so that it is another program under a known name, or the wallet is another's.
            fact(Finding::Wrong(Wrong::NotAClaim), format!("claims kept in {}", claim.claim_account))
        }
        (Some(transaction), None) => {
            let programs: Vec<_> =
                transaction.instructions.iter().map(|told| told.program.to_string()).take(8).collect();
            fact(Finding::Wrong(Wrong::NotAClaim), format!("it calls {}", programs.join(", ")))
        }
    }
}

fn mint(party: &Party, account: Option<&Account>, moved: Option<&TokenChange>) -> Fact {
    let fact = |finding, found| Fact::new(Subject::Mint, finding, party.mint.to_string(), found);
    let paid_from = account.and_then(|account| party.read(account)).map(|account| account.mint);
    if let Some(mint) = paid_from.filter(|mint| *mint != party.mint.to_bytes()) {
        let found = crate::chain::Address::new_from_array(mint).to_string();
        return fact(Finding::Wrong(Wrong::OtherMint), found);
    }
    match moved {
        Some(change) if change.mint == party.mint => fact(Finding::Holds, change.mint.to_string()),
        Some(change) => fact(Finding::Wrong(Wrong::OtherMint), change.mint.to_string()),
        None => fact(Finding::Unknown, String::new()),
    }
}

fn amount(
    told: ToldPayout,
    transaction: Option<&Transaction>,
    claim: Option<&ClaimFound>,
    moved: Option<&TokenChange>,
) -> Fact {
    let fact =
        |finding, found: String| Fact::new(Subject::Amount, finding, format!("{} USDC", told.amount), found);
    if transaction.is_none() {
        return fact(Finding::Unknown, String::new());
    }
    let arrived = moved.map_or(0, |change| change.after.0.saturating_sub(change.before.0));
    let arrived = BaseUnits(arrived);
    let wrong = || Finding::Wrong(Wrong::OtherAmount { said: told.amount, found: arrived });
    match claim.map_or(0, |claim| claim.beside) {
        0 if arrived == told.amount => fact(Finding::Holds, format!("{arrived} USDC")),
        0 => fact(wrong(), format!("{arrived} USDC")),
        // Which of them brought how much, balances do not tell.
        beside => {
            let found = format!("{arrived} USDC, with {beside} more of your machines’ claims");
            fact(if arrived > told.amount { Finding::Holds } else { wrong() }, found)
        }
    }
}

fn destination_of(party: &Party, transaction: Option<&Transaction>, claim: Option<&ClaimFound>) -> Fact {
    let expected = party.destination().map(|address| address.to_string()).unwrap_or_default();
    let text = format!("{expected}, of wallet {}", party.wallet);
    let fact = |finding, found| Fact::new(Subject::Destination, finding, text, found);
    match (transaction, claim) {
        (None, _) => fact(Finding::Unknown, String::new()),
        (Some(_), Some(claim)) => {
            let found = claim.destination.to_string();
            let holds = found == expected;
            fact(if holds { Finding::Holds } else { Finding::Wrong(Wrong::OtherDestination) }, found)
        }
        // Where a payment that is no claim went is not this payout's matter.
        (Some(_), None) => fact(Finding::Unknown, String::new()),
    }
}

fn path(told: ToldPayout, claim: Option<&ClaimFound>) -> Fact {
    let expected = "a proof from this worker, this wallet and what it earned in all";
    let fact = |finding, found| Fact::new(Subject::Path, finding, expected, found);
    let Some(claim) = claim else { return fact(Finding::Unknown, String::new()) };
    let found = format!(
        "{} USDC earned in all lead by {} siblings to {}",
        claim.lifetime,
        claim.proof.0.len(),
        hex(&claim.root)
    );
    // A claim pays what the leaf says less what was paid before: never more.
    let holds = claim.lifetime >= told.amount;
    fact(if holds { Finding::Holds } else { Finding::Wrong(Wrong::BrokenPath) }, found)
}

fn root(
    party: &Party,
    told: ToldPayout,
    claim: Option<&ClaimFound>,
    account: Option<&Account>,
    roots: &[PostedRoot],
) -> Fact {
    let newest = account.and_then(|account| party.read(account));
    let newest = newest.map(|account| PostedRoot { epoch: account.epoch, root: account.root });
    let posted = || newest.iter().chain(roots);
    let named = posted().find(|posted| posted.epoch == told.epoch);
    let expected = match named {
        Some(posted) => format!("epoch {}: {}", posted.epoch, hex(&posted.root)),
        None => format!("the root of epoch {}", told.epoch),
    };
    let fact = |finding, found| Fact::new(Subject::Root, finding, expected.clone(), found);
    let Some(claim) = claim else { return fact(Finding::Unknown, String::new()) };
    if let Some(posted) = posted().find(|posted| posted.root == claim.root) {
        return fact(Finding::Holds, format!("epoch {}: {}", posted.epoch, hex(&posted.root)));
    }
    let found = hex(&claim.root);
    if named.is_some() && told.sent_by_network {
        fact(Finding::Wrong(Wrong::OtherRoot), found)
    } else {
        fact(Finding::Unknown, found)
    }
}
