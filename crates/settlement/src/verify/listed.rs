//! What the newest epoch lists for a wallet, whether it was paid or not.

use lull_types::{BaseUnits, EarningsProof};

use super::{Answer, Books, Fact, Finding, Party, Subject, Wrong, hex};
use crate::chain::Account;
use crate::epoch::{Leaf, Proof};

/// What the chain answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAnswers {
    /// The network's account.
    pub account: Answer<Account>,
    /// What was paid to this worker's wallet in all.
    pub claimed: Answer<BaseUnits>,
}

/// Checks the proof that a network gives. `is_settled` says that its epoch was said to be final so long ago that every
/// endpoint has come so far. Facts are in the order of [`Subject`].
pub fn listed(
    party: &Party,
    proof: &EarningsProof,
    is_settled: bool,
    answers: &ListedAnswers,
    books: &Books,
) -> Vec<Fact> {
    let account = &answers.account;
    vec![
        program(party, account),
        mint(party, account),
        amount(party, answers, is_settled, books),
        path(party, proof),
        root(party, proof, account, is_settled),
        receipts(party, proof, answers, books),
    ]
}

fn program(party: &Party, account: &Answer<Account>) -> Fact {
    let fact = |finding, found| Fact::new(Subject::Program, finding, party.place(), found);
    if party.account_named != party.account() {
        let found = format!("the network names account {}", party.account_named);
        return fact(Finding::Wrong(Wrong::OtherAccount), found);
    }
    match account {
        Answer::Is(account) if party.read(account).is_some() => fact(Finding::Holds, party.place()),
        Answer::Is(_) => fact(
            Finding::Wrong(Wrong::OtherAccount),
            "what is at that address is not this network's account".to_owned(),
        ),
        Answer::Nothing => fact(
            Finding::Unknown,
            "this endpoint knows no such account; it may be one of another ledger".to_owned(),
        ),
        Answer::Silent(why) => fact(Finding::Unknown, why.clone()),
    }
}

fn mint(party: &Party, account: &Answer<Account>) -> Fact {
    let fact = |finding, found| Fact::new(Subject::Mint, finding, party.mint.to_string(), found);
    match account.is().and_then(|account| party.read(account)) {
        Some(account) => {
            let found = crate::chain::Address::new_from_array(account.mint).to_string();
            let holds = account.mint == party.mint.to_bytes();
            fact(if holds { Finding::Holds } else { Finding::Wrong(Wrong::OtherMint) }, found)
        }
        None => fact(Finding::Unknown, String::new()),
    }
}

/// What the chain has paid of it, against what the network says that it has.
fn amount(party: &Party, answers: &ListedAnswers, is_settled: bool, books: &Books) -> Fact {
    let said = books.listed.iter().find(|listed| listed.wallet == party.wallet);
    let said = said.map_or(BaseUnits::ZERO, |listed| listed.paid);
    let fact =
        |finding, found| Fact::new(Subject::Amount, finding, format!("{said} USDC paid so far"), found);
    let paid = match &answers.claimed {
        Answer::Is(paid) => *paid,
        Answer::Nothing if answers.account.is().is_some() => BaseUnits::ZERO,
        Answer::Nothing => return fact(Finding::Unknown, String::new()),
        Answer::Silent(why) => return fact(Finding::Unknown, why.clone()),
    };
    // The network may not have seen yet what the contributor claimed, and an endpoint what the network sent.
    let finding = match paid {
        paid if paid >= said => Finding::Holds,
        paid if is_settled => Finding::Wrong(Wrong::PaidLess { said, found: paid }),
        _ => Finding::Unknown,
    };
    fact(finding, format!("{paid} USDC"))
}

fn path(party: &Party, proof: &EarningsProof) -> Fact {
    let leaf = Leaf { worker: party.worker, wallet: party.wallet, lifetime: proof.lifetime };
    let holds = Proof(proof.siblings.clone()).holds(&party.anchor, &leaf, &proof.root)
        && proof.wallet == party.wallet;
    let found = format!("{} USDC and {} siblings", proof.lifetime, proof.siblings.len());
    let finding = if holds { Finding::Holds } else { Finding::Wrong(Wrong::BrokenPath) };
    Fact::new(Subject::Path, finding, format!("a proof that leads to {}", hex(&proof.root)), found)
}

fn root(party: &Party, proof: &EarningsProof, account: &Answer<Account>, is_settled: bool) -> Fact {
    let expected = format!("epoch {}: {}", proof.epoch, hex(&proof.root));
    let fact = |finding, found| Fact::new(Subject::Root, finding, expected.clone(), found);
    let Some(account) = account.is().and_then(|account| party.read(account)) else {
        return fact(Finding::Unknown, String::new());
    };
    let found = format!("epoch {}: {}", account.epoch, hex(&account.root));
    let finding = match account.epoch {
        epoch if epoch == proof.epoch && account.root == proof.root => Finding::Holds,
        epoch if epoch == proof.epoch => Finding::Wrong(Wrong::OtherRoot),
        // It was replaced while it was being looked at.
        epoch if epoch > proof.epoch => Finding::Unknown,
        epoch if is_settled => Finding::Wrong(Wrong::NotPosted { said: proof.epoch, found: epoch }),
        _ => Finding::Unknown,
    };
    fact(finding, found)
}

fn receipts(party: &Party, proof: &EarningsProof, answers: &ListedAnswers, books: &Books) -> Fact {
    let fact = books.check(party.wallet, proof.lifetime);
    match answers.claimed.is() {
        Some(paid) if fact.finding == Finding::Holds && proof.lifetime < *paid => {
            let wrong = Wrong::ListedFell { listed: proof.lifetime, paid: *paid };
            Fact { finding: Finding::Wrong(wrong), ..fact }
        }
        _ => fact,
    }
}
