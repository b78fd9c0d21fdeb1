//! Asks the chain.

use std::sync::Arc;
use std::time::Duration;

use lull_distributor::ClaimAccount;
use lull_settlement::chain::rpc::{self, Rpc, Tally};
use lull_settlement::chain::{Address, Chain, ChainError, Signature, Transaction};
use lull_settlement::verify::{
    Answer, ClaimFound, ListedAnswers, Party, PayoutAnswers, PostedRoot, claim_in, root_posted_in,
};
use lull_types::{BaseUnits, Coded, Fault, Payout, TransactionSignature};
use tokio::time::{Instant, timeout_at};

use super::{CHAIN_TIMEOUT, told};
use crate::machine::PayoutFacts;
use crate::shell::Store;

/// Transactions of the network's account that are looked through for an older root. Every claim of every contributor is
/// one, so that in a large network it is found only where its own transaction is known.
const ROOT_SEARCH_MAX: usize = 200;

/// Transactions of a worker's own claims that are looked through: one an epoch.
const CLAIM_SEARCH_MAX: usize = 100;

/// Whom the chain's answers come from.
pub(super) struct Endpoint {
    chain: Box<dyn Chain>,
    /// What can be said of it in public.
    pub host: String,
    /// Whether the network named it.
    pub is_networks: bool,
    time: Duration,
}

impl Endpoint {
    /// The endpoint that the contributor chose, else the one that the network names.
    /// `tally` counts what is said to one elsewhere.
    pub(super) fn of(facts: &PayoutFacts, tally: &Arc<Tally>) -> Result<Self, Fault> {
        let named = told::place(facts)?.endpoint.as_deref();
        let (url, is_networks) = match facts.chain_endpoint.as_deref() {
            Some(chosen) => (chosen, false),
            None => (named.ok_or_else(none_named)?, true),
        };
        let name = rpc::name(url).map_err(|error| error.fault())?;
        // Programs on this machine trust who speaks to them from it; a network elsewhere must not do so through us.
        if is_networks && name.is_local && !facts.network_is_local {
            return Err(Fault::new(
                "endpoint_on_this_machine",
                "the network names an endpoint on your own machine, which is not asked; choose an endpoint in the settings",
            ));
        }
        let chain = if name.is_local { Rpc::new(&[url]) } else { Rpc::tallied(&[url], tally) };
        let chain = chain.map_err(|error| error.fault())?;
        Ok(Self::over(Box::new(chain), name.host, is_networks))
    }

    pub(super) fn over(chain: Box<dyn Chain>, host: String, is_networks: bool) -> Self {
        Self { chain, host, is_networks, time: CHAIN_TIMEOUT }
    }

    /// The chain itself.
    pub(super) fn chain(&self) -> &dyn Chain {
        &*self.chain
    }

    /// Everything that is asked about one payout.
    pub(super) async fn about_payout(
        &self,
        store: &Store,
        facts: &PayoutFacts,
        party: &Party,
        payout: &Payout,
    ) -> Result<PayoutAnswers, Fault> {
        let until = Instant::now() + self.time;
        let account = party.account();
        let (transaction, account, claimed) = tokio::join!(
            self.transaction(party, payout, until),
            answer(self.chain.account(&account), until),
            self.claimed(party, until),
        );
        let claim = transaction.is().and_then(|transaction| claim_in(transaction, party));
        let posted = account.is().and_then(|account| lull_distributor::NetworkAccount::read(&account.data));
        let roots = match claim {
            Some(claim) if posted.is_none_or(|posted| posted.root != claim.root) => {
                let anchored = store.anchored_epoch(facts.network, payout.epoch).await?;
                let hint = anchored.and_then(|anchored| anchored.signature);
                self.roots(party, payout.epoch, &claim, hint, until).await
            }
            Some(_) | None => Vec::new(),
        };
        Ok(PayoutAnswers { transaction, account, claimed, roots })
    }

    /// Everything that is asked about what the newest epoch lists.
    pub(super) async fn about_listed(&self, party: &Party) -> ListedAnswers {
        let until = Instant::now() + self.time;
        let account = party.account();
        let (account, claimed) =
            tokio::join!(answer(self.chain.account(&account), until), self.claimed(party, until));
        ListedAnswers { account, claimed }
    }

    /// The payout's transaction. That of a claim which the contributor sent is looked for among those that name the
    /// account in which the chain keeps what was paid to them.
    async fn transaction(&self, party: &Party, payout: &Payout, until: Instant) -> Answer<Transaction> {
        if let Some(TransactionSignature(signature)) = payout.signature {
            return answer(self.chain.transaction(&Signature::from(signature)), until).await;
        }
        let Some(account) = party.claim_account() else { return Answer::Nothing };
        let mentions = match within(self.chain.newest_mentions(&account, CLAIM_SEARCH_MAX), until).await {
            Ok(mentions) => mentions,
            Err(error) => return Answer::Silent(error.to_string()),
        };
        for signature in mentions {
            let found = answer(self.chain.transaction(&signature), until).await;
            match &found {
                Answer::Is(transaction) if brought(transaction, party) == Some(payout.amount) => {
                    return found;
                }
                Answer::Is(_) | Answer::Nothing => {}
                Answer::Silent(_) => return found,
            }
        }
        Answer::Silent("none of the newest claims to this wallet has this amount".to_owned())
    }

    async fn claimed(&self, party: &Party, until: Instant) -> Answer<BaseUnits> {
        let Some(address) = party.claim_account() else { return Answer::Nothing };
        match answer(self.chain.account(&address), until).await {
            Answer::Is(account) if account.owner.to_bytes() == *party.anchor.program() => {
                ClaimAccount::read(&account.data)
                    .map_or(Answer::Nothing, |read| Answer::Is(BaseUnits(read.claimed)))
            }
            // Anyone can send lamports to an address at which nothing is yet.
            Answer::Is(_) | Answer::Nothing => Answer::Nothing,
            Answer::Silent(why) => Answer::Silent(why),
        }
    }

    /// Roots that were posted, until the one of this epoch or of this claim is found.
    async fn roots(
        &self,
        party: &Party,
        epoch: u64,
        claim: &ClaimFound,
        hint: Option<TransactionSignature>,
        until: Instant,
    ) -> Vec<PostedRoot> {
        let mut found = Vec::new();
        let is_enough = |found: &[PostedRoot]| {
            found.iter().any(|posted| posted.root == claim.root || posted.epoch == epoch)
        };
        if let Some(TransactionSignature(hint)) = hint {
            self.look_for_root(party, &Signature::from(hint), until, &mut found).await;
        }
        if is_enough(&found) {
            return found;
        }
        let account: Address = party.account();
        let mentions = within(self.chain.newest_mentions(&account, ROOT_SEARCH_MAX), until).await;
        for signature in mentions.unwrap_or_default() {
            if !self.look_for_root(party, &signature, until, &mut found).await || is_enough(&found) {
                break;
            }
        }
        found
    }

    /// False once nobody answers any more.
    async fn look_for_root(
        &self,
        party: &Party,
        signature: &Signature,
        until: Instant,
        found: &mut Vec<PostedRoot>,
    ) -> bool {
        match answer(self.chain.transaction(signature), until).await {
            Answer::Is(transaction) => {
                found.extend(root_posted_in(&transaction, &party.anchor));
                true
            }
            Answer::Nothing => true,
            Answer::Silent(_) => false,
        }
    }
}

/// What a transaction brought to the wallet's token account.
fn brought(transaction: &Transaction, party: &Party) -> Option<BaseUnits> {
    let destination = party.destination()?;
    let change = transaction.tokens.iter().find(|change| change.account == destination)?;
    change.after.minus(change.before).ok()
}

async fn within<T>(
    question: impl Future<Output = Result<T, ChainError>>,
    until: Instant,
) -> Result<T, ChainError> {
    let late = |_| ChainError::Unreachable("no answer in time".to_owned());
    timeout_at(until, question).await.map_err(late)?
}

async fn answer<T>(
    question: impl Future<Output = Result<Option<T>, ChainError>>,
    until: Instant,
) -> Answer<T> {
    match within(question, until).await {
        Ok(Some(value)) => Answer::Is(value),
        Ok(None) => Answer::Nothing,
        Err(error) => Answer::Silent(error.to_string()),
    }
}

fn none_named() -> Fault {
    Fault::new(
        "no_endpoint",
        "the network names no endpoint by which its chain can be read; choose one in the settings",
    )
}
