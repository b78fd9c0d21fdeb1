//! Claims with the contributor's own key: what the newest epoch lists, paid to their wallet, without anyone's help.
//!
//! A claim pays lifetime earnings less what was paid before, so that nothing is paid twice, whoever else claims. What
//! was signed is written down before it is sent, and the same bytes are sent until they are final or can no longer be.

use std::time::Duration;

use lull_distributor::ClaimAccount;
use lull_settlement::chain::{Address, Chain, Outcome, Recent, Signature, Status, TokenAccount};
use lull_settlement::compose::{
    self, Budget, Instruction, Key, LAMPORTS_A_SIGNATURE, Place, RentedAccount, Signed,
};
use lull_settlement::epoch::{Leaf, Proof};
use lull_settlement::verify::{self, Finding, Party, Subject};
use lull_types::{BaseUnits, Coded, Fault, TransactionSignature, WalletAddress};
use tokio::time::{Instant, sleep};

use super::ask::Endpoint;
use super::books::books;
use super::{party, proof, told};
use crate::machine::{Order, PayoutFacts, Record, SignedClaim};
use crate::shell::Handle;

/// What a claim may pay for being taken soon: a ten-thousandth of a SOL, far more than is usual.
const PRIORITY_LAMPORTS_MAX: u64 = 100_000;

/// What is asked of a practice ledger: rents and fees of many claims.
const AIRDROP_LAMPORTS: u64 = 20_000_000;

/// What was given is final after 13 s on ledgers that keep Solana's time.
const AIRDROP_TIMEOUT: Duration = Duration::from_secs(25);

/// Between two looks: a slot takes 400 ms.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// After so long a claim has expired or is final on every ledger that goes on: a blockhash is taken for a minute or two.
const FOLLOWED_FOR: Duration = Duration::from_secs(600);

/// Claims what the newest epoch lists for the wallet of this key. A claim that was sent before and is not over is sent
/// again instead.
///
/// # Errors
/// Why nothing was sent.
pub async fn claim(worker: &Handle, key: &Key) -> Result<TransactionSignature, Fault> {
    let facts = worker.payout_facts().await?;
    let endpoint = Endpoint::of(&facts, &worker.http())?;
    claim_by(worker, &facts, endpoint, key).await
}

/// A claim that a wallet elsewhere is to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// The transaction with zeros for its signature.
    pub transaction: Vec<u8>,
    /// The height of the last block that takes it.
    pub last_valid_height: u64,
    /// What it pays.
    pub amount: BaseUnits,
    /// The ledger that it is for.
    pub cluster: String,
}

/// Composes a claim that the wallet's holder signs in a program of theirs.
///
/// # Errors
/// Why there is nothing to sign.
pub async fn compose_claim(worker: &Handle, wallet: WalletAddress) -> Result<Unsigned, Fault> {
    let facts = worker.payout_facts().await?;
    let endpoint = Endpoint::of(&facts, &worker.http())?;
    let party = party(&facts, wallet)?;
    let checked = checked_leaf(worker, &facts, &endpoint, &party).await?;
    let amount = checked.amount;
    let payer = Address::new_from_array(*wallet.as_bytes());
    let (composed, recent) = composed(&facts, &endpoint, &party, checked, payer).await?;
    let unsigned = compose::sign_with(&composed, recent.blockhash, payer, |_, _| Some(Signature::default()));
    let transaction = unsigned.map_err(|error| error.fault())?.bytes;
    let cluster = told::place(&facts)?.cluster.clone();
    Ok(Unsigned { transaction, last_valid_height: recent.last_valid_height, amount, cluster })
}

/// Sends a claim that its wallet has signed, and goes on sending it until it is over.
///
/// # Errors
/// Why it was not sent.
pub async fn send_claim(
    worker: &Handle,
    wallet: WalletAddress,
    transaction: Vec<u8>,
    last_valid_height: u64,
) -> Result<TransactionSignature, Fault> {
    let signed = compose::payer_of(&transaction).filter(|(payer, _)| *payer == wallet);
    let Some((_, signature)) = signed else {
        return Err(Fault::new("claim_not_signed", "the wallet did not sign the claim; try again"));
    };
    let facts = worker.payout_facts().await?;
    let endpoint = Endpoint::of(&facts, &worker.http())?;
    let signature = TransactionSignature(*signature.as_array());
    let claim = SignedClaim { signature, bytes: transaction, last_valid_height };
    keep(worker, &facts, wallet, Some(claim.clone())).await?;
    endpoint.chain().send(&claim.bytes).await.map_err(|error| error.fault())?;
    follow(worker, &facts, wallet, endpoint, claim);
    Ok(signature)
}

/// Watches a claim that its wallet has sent by itself, and tells the network when it is final.
///
/// # Errors
/// When the chain cannot be asked.
pub async fn watch_claim(
    worker: &Handle,
    wallet: WalletAddress,
    signature: TransactionSignature,
    last_valid_height: u64,
) -> Result<(), Fault> {
    let facts = worker.payout_facts().await?;
    let endpoint = Endpoint::of(&facts, &worker.http())?;
    let claim = SignedClaim { signature, bytes: Vec::new(), last_valid_height };
    follow(worker, &facts, wallet, endpoint, claim);
    Ok(())
}

/// What is listed, and what of it is not paid yet.
pub(super) struct Claimable {
    pub leaf: Leaf,
    pub proof: Proof,
    pub amount: BaseUnits,
}

/// Goes on with claims that were under way when the worker ended last.
pub async fn resume_claims(worker: Handle) {
    // A network that is not known yet, or never said how it pays, has none.
    let Ok(facts) = worker.payout_facts().await else { return };
    let claims = worker.store().claims(facts.network).await.unwrap_or_default();
    for (wallet, claim) in claims {
        match Endpoint::of(&facts, &worker.http()) {
            Ok(endpoint) => follow(&worker, &facts, wallet, endpoint, claim),
            Err(fault) => tracing::warn!(code = fault.code, "a claim that is under way is not looked at"),
        }
    }
}

async fn claim_by(
    worker: &Handle,
    facts: &PayoutFacts,
    endpoint: Endpoint,
    key: &Key,
) -> Result<TransactionSignature, Fault> {
    let wallet = WalletAddress::from_bytes(key.address().to_bytes()).map_err(|error| error.fault())?;
    if let Some(before) = worker.store().claims(facts.network).await?.remove(&wallet) {
        if is_under_way(endpoint.chain(), &before).await? {
            endpoint.chain().send(&before.bytes).await.map_err(|error| error.fault())?;
            let signature = before.signature;
            follow(worker, facts, wallet, endpoint, before);
            return Ok(signature);
        }
        keep(worker, facts, wallet, None).await?;
    }
    let party = party(facts, wallet)?;
    let claimable = checked_leaf(worker, facts, &endpoint, &party).await?;
    let signed = signed(facts, &endpoint, &party, claimable, key).await?;
    keep(worker, facts, wallet, Some(signed.clone())).await?;
    endpoint.chain().send(&signed.bytes).await.map_err(|error| error.fault())?;
    let signature = signed.signature;
    follow(worker, facts, wallet, endpoint, signed);
    Ok(signature)
}

/// What is listed for the wallet, once it holds: a proof that leads nowhere would cost a fee and pay nothing.
async fn checked_leaf(
    worker: &Handle,
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    party: &Party,
) -> Result<Claimable, Fault> {
    let proof = proof(worker, party.wallet).await?;
    let answers = endpoint.about_listed(party).await;
    let found = verify::listed(party, &proof, false, &answers, &books(worker.store(), facts).await?);
    // What the books say is no reason to leave money where it is.
    let needed = [Subject::Program, Subject::Mint, Subject::Path, Subject::Root];
    for fact in found.iter().filter(|fact| needed.contains(&fact.subject)) {
        match &fact.finding {
            Finding::Holds => {}
            Finding::Wrong(wrong) => return Err(wrong.fault()),
            Finding::Unknown => {
                return Err(Fault::new(
                    "claim_not_checked",
                    format!(
                        "the chain did not say enough to claim now ({}); try again in a moment",
                        fact.found
                    ),
                ));
            }
        }
    }
    let claimed = answers.claimed.is().copied().unwrap_or_default();
    let amount = proof.lifetime.minus(claimed).unwrap_or_default();
    if amount == BaseUnits::ZERO {
        return Err(Fault::new(
            "nothing_to_claim",
            "everything that the newest epoch lists for you was paid; what you earn is listed at the end of this one",
        ));
    }
    let leaf = Leaf { worker: party.worker, wallet: party.wallet, lifetime: proof.lifetime };
    Ok(Claimable { leaf, proof: Proof(proof.siblings), amount })
}

pub(super) async fn signed(
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    party: &Party,
    claimable: Claimable,
    key: &Key,
) -> Result<SignedClaim, Fault> {
    let (composed, recent) = composed(facts, endpoint, party, claimable, key.address()).await?;
    let signed = compose::sign(&composed, recent.blockhash, key, &[]);
    let Signed { signature, bytes } = signed.map_err(|error| error.fault())?;
    let signature = TransactionSignature(*signature.as_array());
    Ok(SignedClaim { signature, bytes, last_valid_height: recent.last_valid_height })
}

/// The claim, for the wallet itself to pay and to sign, and the blockhash that it is to be signed with.
async fn composed(
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    party: &Party,
    Claimable { leaf, proof, .. }: Claimable,
    payer: Address,
) -> Result<(Vec<Instruction>, Recent), Fault> {
    let chain = endpoint.chain();
    let place = Place::new(party.anchor, party.mint).ok_or_else(no_address)?;
    let claims = party.claim_account().ok_or_else(no_address)?;
    let purse = party.destination().ok_or_else(no_address)?;
    let rented = async |address, bytes| {
        RentedAccount::read(chain, &address, bytes).await.map_err(|error| error.fault())
    };
    let rented = [rented(claims, ClaimAccount::LEN).await?, rented(purse, TokenAccount::LEN).await?];
    let rent: u64 = rented.iter().map(|one| one.cost()).sum();
    let lamports_max = rent + LAMPORTS_A_SIGNATURE + PRIORITY_LAMPORTS_MAX;
    afford(facts, endpoint, payer, lamports_max).await?;
    let price = chain.priority_fee(&[party.account(), place.vault]).await.unwrap_or(0);
    let budget = Budget { price, lamports_max };
    let composed = compose::claims(&place, payer, &[(leaf, proof, rented)], budget);
    // Last, so that the blockhash is as fresh as can be.
    let recent = chain.recent().await.map_err(|error| error.fault())?;
    composed.map(|composed| (composed, recent)).map_err(|error| error.fault())
}

/// Whether the wallet can pay for it. On a ledger for practice it is given what it lacks.
async fn afford(
    facts: &PayoutFacts,
    endpoint: &Endpoint,
    payer: Address,
    lamports: u64,
) -> Result<(), Fault> {
    if has(endpoint.chain(), &payer, lamports).await? {
        return Ok(());
    }
    let place = told::place(facts)?;
    if place.cluster != "practice" {
        return Err(Fault::new(
            "wallet_without_sol",
            format!(
                "your wallet pays the chain’s fee by itself and has less than {} SOL; send it some, or let the network send the payout",
                sol(lamports)
            ),
        ));
    }
    let asked = endpoint.chain().airdrop(&payer, AIRDROP_LAMPORTS).await;
    asked.map_err(|error| error.fault())?;
    let until = Instant::now() + AIRDROP_TIMEOUT;
    while !has(endpoint.chain(), &payer, lamports).await? {
        if Instant::now() >= until {
            return Err(Fault::new(
                "airdrop_not_there",
                "the practice ledger has not given your wallet its practice SOL yet; try again in a moment",
            ));
        }
        sleep(LOOK_INTERVAL).await;
    }
    Ok(())
}

async fn has(chain: &dyn Chain, payer: &Address, lamports: u64) -> Result<bool, Fault> {
    let account = chain.account(payer).await.map_err(|error| error.fault())?;
    Ok(account.is_some_and(|account| account.lamports >= lamports))
}

/// Lamports as SOL, rounded up to what a person can type.
fn sol(lamports: u64) -> String {
    let hundred_thousandths = lamports.div_ceil(10_000);
    format!("{}.{:05}", hundred_thousandths / 100_000, hundred_thousandths % 100_000)
}

/// Whether a claim can still be taken, or was and is not final.
pub(super) async fn is_under_way(chain: &dyn Chain, claim: &SignedClaim) -> Result<bool, Fault> {
    let statuses =
        chain.statuses(&[Signature::from(claim.signature.0)]).await.map_err(|error| error.fault())?;
    Ok(match statuses.first() {
        Some(Status::Finalized { .. }) => false,
        Some(Status::Unknown { searched_to }) => *searched_to <= claim.last_valid_height,
        Some(Status::Seen { .. } | Status::Unsure) | None => true,
    })
}

async fn keep(
    worker: &Handle,
    facts: &PayoutFacts,
    wallet: WalletAddress,
    claim: Option<SignedClaim>,
) -> Result<(), Fault> {
    worker.store().write(vec![Record::Claim { network: facts.network, wallet, claim }]).await
}

/// Sends a claim until it is over, and tells the network when it is final.
fn follow(
    worker: &Handle,
    facts: &PayoutFacts,
    wallet: WalletAddress,
    endpoint: Endpoint,
    claim: SignedClaim,
) {
    let (worker, facts) = (worker.clone(), facts.clone());
    tokio::spawn(async move {
        let over = async {
            let until = Instant::now() + FOLLOWED_FOR;
            while Instant::now() < until {
                sleep(LOOK_INTERVAL).await;
                if let Some(over) = is_over(endpoint.chain(), &claim).await {
                    return Some(over);
                }
                // That it is there already is no failure, and any other is tried again.
                if !claim.bytes.is_empty() {
                    let _ = endpoint.chain().send(&claim.bytes).await;
                }
            }
            None
        };
        let over = tokio::select! {
            over = over => over,
            () = worker.ended() => None,
        };
        let Some(over) = over else { return };
        tracing::info!(signature = %claim.signature, ?over, "a claim is over");
        if let Err(fault) = keep(&worker, &facts, wallet, None).await {
            tracing::warn!(code = fault.code, "a claim that is over could not be forgotten");
        }
        if over == Over::Paid
            && let Err(fault) = worker.order(Order::TellClaimed { wallet }).await
        {
            // It looks at the chain at the end of the epoch anyway.
            tracing::info!(code = fault.code, "the network was not told of a claim");
        }
    });
}

/// How a claim ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It was carried out.
    Paid,
    /// The chain undid it.
    Failed,
    /// It can no longer be taken.
    Expired,
}

pub(super) async fn is_over(chain: &dyn Chain, claim: &SignedClaim) -> Option<Over> {
    let statuses = chain.statuses(&[Signature::from(claim.signature.0)]).await.ok()?;
    match statuses.first()? {
        Status::Finalized { outcome: Outcome::Done, .. } => Some(Over::Paid),
        Status::Finalized { outcome: Outcome::Failed(_), .. } => Some(Over::Failed),
        Status::Unknown { searched_to } if *searched_to > claim.last_valid_height => Some(Over::Expired),
        Status::Unknown { .. } | Status::Seen { .. } | Status::Unsure => None,
    }
}

fn no_address() -> Fault {
    Fault::new("chain_no_address", "this network’s key has no account on the chain; ask the network")
}
