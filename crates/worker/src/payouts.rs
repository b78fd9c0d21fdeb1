//! Payouts, for whoever is paid: checked against the chain and the receipts, claimed, and stated.
//!
//! What is decided is in `lull_settlement::verify`; here the chain is asked, with a bound on time, and by an endpoint
//! that the contributor chose or else by the one that the network names.

mod ask;
mod books;
mod claim;
mod evidence;
#[cfg(test)]
mod tests;
mod told;

use std::time::Duration;

use lull_settlement::verify::{self, Fact, Finding, ListedAnswers, Party, PayoutAnswers, ToldPayout};
use lull_types::{Coded, EarningsProof, Fault, PayoutStage, UnixMillis, WalletAddress};
use lull_worker_api::{CheckedFact, PayoutCheck, Subject};
use tokio::time::timeout;

use crate::clock;
use crate::machine::{Order, PayoutFacts, ProofAnswer};
use crate::shell::Handle;

pub use claim::{Unsigned, claim, compose_claim, resume_claims, send_claim, watch_claim};
pub use evidence::{EVIDENCE_VERSION, Evidence};

use ask::Endpoint;
use books::books;
use evidence::AsRead;

/// How long the network may take with a proof: it reads the tree of a million leaves from its disk at worst.
const PROOF_TIMEOUT: Duration = Duration::from_secs(15);

/// How long the chain may be asked for one check, so that the answer is there while a client still waits: they give up
/// after a minute.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(35);

/// After so long every endpoint that works has seen a final block; they lag by seconds.
const SETTLED_AFTER: Duration = Duration::from_secs(300);

/// Messages of one change arrive one after the other. What does not add up is looked at again after this time.
const SECOND_LOOK_AFTER: Duration = Duration::from_secs(1);

/// Characters of an expected or found value: our own longest have about 300, an endpoint's may be megabytes.
const TEXT_CHARS_MAX: usize = 500;

/// A check with all that it rests on.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The outcome.
    pub check: PayoutCheck,
    /// What it rests on, for others.
    pub evidence: Evidence,
}

/// Checks a payout, or what the newest epoch lists.
///
/// # Errors
/// Why it cannot be checked. That something is wrong with it is no error but in the outcome.
pub async fn check(worker: &Handle, payout: Option<u64>) -> Result<Checked, Fault> {
    let facts = worker.payout_facts().await?;
    let endpoint = Endpoint::of(&facts, &worker.http())?;
    check_by(worker, &facts, &endpoint, payout).await
}

async fn check_by(
    worker: &Handle,
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    payout: Option<u64>,
) -> Result<Checked, Fault> {
    let ending = || Fault::new("worker_ending", "the worker is ending; start Lull again");
    let checking = async {
        match payout {
            Some(id) => check_payout(worker, facts, endpoint, id).await,
            None => check_listed(worker, facts, endpoint).await,
        }
    };
    tokio::select! {
        checked = checking => checked,
        () = worker.ended() => Err(ending()),
    }
}

async fn check_payout(
    worker: &Handle,
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    id: u64,
) -> Result<Checked, Fault> {
    let payout = facts.told.payouts.get(&id).ok_or_else(|| {
        Fault::new(
            "no_such_payout",
            format!("the network has told of no payout {id}; look at the list again"),
        )
    })?;
    let is_final = match payout.stage {
        PayoutStage::Confirmed => true,
        PayoutStage::Signed | PayoutStage::Sent | PayoutStage::Failed | PayoutStage::Expired => false,
        PayoutStage::Planned => {
            return Err(Fault::new(
                "payout_not_sent",
                "this payout has no transaction yet; it can be checked once it was sent",
            ));
        }
    };
    let party = party(facts, payout.wallet)?;
    let answers = endpoint.about_payout(worker.store(), facts, &party, payout).await?;
    let told = ToldPayout {
        epoch: payout.epoch,
        amount: payout.amount,
        sent_by_network: payout.signature.is_some(),
        is_settled: is_final && is_settled(payout.at),
    };
    let weigh = |books: &verify::Books| verify::payout(&party, told, &answers, books);
    let (found, facts) = weighed(worker, facts, weigh).await?;
    let check = endpoint.outcome(Some(id), &found);
    let evidence = Evidence::new(worker, &facts, &check, Some(payout), None, payout_read(&party, &answers));
    let evidence = evidence.await?;
    Ok(Checked { check, evidence })
}

async fn check_listed(worker: &Handle, facts: &PayoutFacts, endpoint: &Endpoint) -> Result<Checked, Fault> {
    let wallet = listed_wallet(facts)?;
    let proof = proof(worker, wallet).await?;
    let party = party(facts, wallet)?;
    let answers = endpoint.about_listed(&party).await;
    let anchored = facts.told.standing.as_ref().and_then(|standing| standing.anchored.as_ref());
    let settled = anchored.is_some_and(|anchored| anchored.epoch == proof.epoch && is_settled(anchored.at));
    let weigh = |books: &verify::Books| verify::listed(&party, &proof, settled, &answers, books);
    let (found, facts) = weighed(worker, facts, weigh).await?;
    let check = endpoint.outcome(None, &found);
    let evidence = Evidence::new(worker, &facts, &check, None, Some(&proof), listed_read(&party, &answers));
    let evidence = evidence.await?;
    Ok(Checked { check, evidence })
}

/// Weighs what was found against the books. If they do not add up, they are opened again a moment later: a receipt may
/// have come, and the balance with it not yet.
async fn weighed(
    worker: &Handle,
    facts: &PayoutFacts,
    weigh: impl Fn(&verify::Books) -> Vec<Fact>,
) -> Result<(Vec<Fact>, PayoutFacts), Fault> {
    let receipts_are_wrong = |found: &[Fact]| {
        found.iter().any(|fact| {
            fact.subject == verify::Subject::Receipts && matches!(fact.finding, Finding::Wrong(_))
        })
    };
    let found = weigh(&books(worker.store(), facts).await?);
    if !receipts_are_wrong(&found) {
        return Ok((found, facts.clone()));
    }
    tokio::time::sleep(SECOND_LOOK_AFTER).await;
    let facts = worker.payout_facts().await?;
    Ok((weigh(&books(worker.store(), &facts).await?), facts))
}

/// The wallet of which the newest epoch is asked: the one that is wanted, else one that is still owed.
fn listed_wallet(facts: &PayoutFacts) -> Result<WalletAddress, Fault> {
    let standing = facts.told.standing.as_ref().ok_or_else(told::nothing)?;
    let listed = || standing.wallets.iter();
    let wanted = listed().find(|listed| Some(listed.wallet) == facts.wallet);
    let owed = listed().find(|listed| listed.lifetime > listed.paid);
    let found = wanted.or(owed).or_else(|| listed().next());
    found.map(|listed| listed.wallet).ok_or_else(|| {
        Fault::new(
            "nothing_listed",
            "no epoch lists anything for you yet; what you earn is listed at the end of this one",
        )
    })
}

/// The network under the program that it names, and where its payouts should go.
fn party(facts: &PayoutFacts, wallet: WalletAddress) -> Result<Party, Fault> {
    told::party(facts, wallet)
}

/// The network's proof for a wallet.
async fn proof(worker: &Handle, wallet: WalletAddress) -> Result<EarningsProof, Fault> {
    worker.order(Order::WantProof { wallet }).await?;
    let mut snapshots = worker.snapshots();
    let answered = async {
        loop {
            match worker.proof_answer(wallet).await? {
                Some(ProofAnswer::Told(proof)) => return Ok(*proof),
                Some(ProofAnswer::Refused(fault)) => return Err(fault),
                Some(ProofAnswer::Asked) => {}
                None => return Err(cut_off()),
            }
            snapshots.changed().await.map_err(|_| cut_off())?;
        }
    };
    timeout(PROOF_TIMEOUT, answered).await.unwrap_or_else(|_| {
        Err(Fault::new("proof_not_given", "The network gave no proof in time; try again in a moment."))
    })
}

fn cut_off() -> Fault {
    Fault::new("proof_cut_off", "The connection to the network was cut meanwhile; try again in a moment.")
}

fn is_settled(at: UnixMillis) -> bool {
    clock::now() >= at.after(SETTLED_AFTER)
}

fn payout_read(party: &Party, answers: &PayoutAnswers) -> AsRead {
    AsRead::new(party, answers.transaction.is(), answers.account.is(), answers.claimed.is(), &answers.roots)
}

fn listed_read(party: &Party, answers: &ListedAnswers) -> AsRead {
    AsRead::new(party, None, answers.account.is(), answers.claimed.is(), &[])
}

impl Endpoint {
    /// An outcome as it crosses the boundary.
    fn outcome(&self, payout: Option<u64>, found: &[Fact]) -> PayoutCheck {
        let wrong = found.iter().find_map(|fact| match &fact.finding {
            Finding::Wrong(wrong) => Some(wrong.fault()),
            Finding::Holds | Finding::Unknown => None,
        });
        PayoutCheck {
            payout,
            endpoint: self.host.clone(),
            endpoint_is_networks: self.is_networks,
            at: clock::now(),
            facts: found.iter().map(checked_fact).collect(),
            fault: wrong,
        }
    }
}

fn checked_fact(fact: &Fact) -> CheckedFact {
    CheckedFact {
        subject: match fact.subject {
            verify::Subject::Transaction => Subject::Transaction,
            verify::Subject::Program => Subject::Program,
            verify::Subject::Mint => Subject::Mint,
            verify::Subject::Amount => Subject::Amount,
            verify::Subject::Destination => Subject::Destination,
            verify::Subject::Path => Subject::Path,
            verify::Subject::Root => Subject::Root,
            verify::Subject::Receipts => Subject::Receipts,
        },
        finding: match fact.finding {
            Finding::Holds => lull_worker_api::Finding::Holds,
            Finding::Wrong(_) => lull_worker_api::Finding::Wrong,
            Finding::Unknown => lull_worker_api::Finding::Unknown,
        },
        expected: plain(&fact.expected),
        found: plain(&fact.found),
    }
}

/// Text that may hold an endpoint's words.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_CHARS_MAX).collect()
}
