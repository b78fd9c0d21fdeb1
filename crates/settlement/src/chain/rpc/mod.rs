//! Solana's JSON-RPC, over several endpoints that check each other; see [`super::quorum`].

mod answer;
mod endpoint;
mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use data_encoding::BASE64;
use futures_util::future::join_all;
use serde_json::json;

use super::quorum::{self, Said};
use super::{Account, Address, Chain, ChainError, Recent, Signature, Status, Transaction};
use endpoint::{Ask, Failure, Http};
pub use endpoint::{EndpointError, Named, name};
pub use tally::Tally;

/// Signatures in one question: the most that an endpoint takes.
const STATUSES_MAX: usize = 256;

/// Transactions in one answer of what mentions an address: the most that an endpoint gives.
const MENTIONS_MAX: usize = 1000;

/// Pages of mentions that are read at once. More than a hundred thousand payments with one reference between two
/// looks are no payments; the rest is read at the next look.
const MENTION_PAGES_MAX: usize = 100;

/// What JSON-RPC calls a question whose parameters cannot be read: here, a transaction that is none.
const INVALID_PARAMS: i64 = -32602;

/// One or more endpoints.
pub struct Rpc {
    endpoints: Vec<Box<dyn Ask>>,
    /// Whose answer comes first. It moves on, so that nobody's blockhashes are used always.
    first: AtomicUsize,
}

impl std::fmt::Debug for Rpc {
    /// Without the addresses: they often hold a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rpc({} endpoints)", self.endpoints.len())
    }
}

impl Rpc {
    /// Endpoints by URL. At least two of different operators; with one, its word is all there is.
    ///
    /// # Errors
    /// [`EndpointError`], of the first that cannot be used.
    pub fn new<U: AsRef<str>>(urls: &[U]) -> Result<Self, EndpointError> {
        Self::tallied(urls, &Arc::default())
    }

    /// The same, and `tally` counts what is said.
    ///
    /// # Errors
    /// [`EndpointError`], of the first that cannot be used.
    pub fn tallied<U: AsRef<str>>(urls: &[U], tally: &Arc<Tally>) -> Result<Self, EndpointError> {
        let endpoint =
            |url: &U| Http::new(url.as_ref(), Arc::clone(tally)).map(|http| Box::new(http) as Box<dyn Ask>);
        Ok(Self::over(urls.iter().map(endpoint).collect::<Result<_, _>>()?))
    }

    fn over(endpoints: Vec<Box<dyn Ask>>) -> Self {
        Self { endpoints, first: AtomicUsize::new(0) }
    }

    /// Asks all endpoints at once and gives the answers of those that answered.
    async fn ask<'a, T, F>(&'a self, question: impl Fn(&'a dyn Ask) -> F) -> Result<Vec<T>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let count = self.endpoints.len().max(1);
        let first = self.first.fetch_add(1, Ordering::Relaxed) % count;
        let (after, before) = self.endpoints.split_at(first.min(self.endpoints.len()));
        let both = before.iter().chain(after).map(AsRef::as_ref);
        let answers = join_all(both.map(question)).await;
        let mut last_error = ChainError::Unreachable("no endpoint is configured".to_owned());
        let mut given = Vec::new();
        for answer in answers {
            match answer {
                Ok(answer) => given.push(answer),
                Err(error) => last_error = error,
            }
        }
        if given.is_empty() { Err(last_error) } else { Ok(given) }
    }

    async fn agreed<'a, T: Clone + PartialEq, F>(
        &'a self,
        question: impl Fn(&'a dyn Ask) -> F,
    ) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        quorum::agreed(&self.ask(question).await?, self.endpoints.len())
    }
}

#[async_trait]
impl Chain for Rpc {
    async fn recent(&self) -> Result<Recent, ChainError> {
        let said = self.ask(|endpoint| async {
            let params = json!([{ "commitment": "confirmed" }]);
            answer::recent(endpoint.ask("getLatestBlockhash", &params).await?)
        });
        quorum::recent(&said.await?, self.endpoints.len())
    }

    async fn finalized_height(&self) -> Result<u64, ChainError> {
        quorum::height(&self.ask(final_height).await?, self.endpoints.len())
    }

    /// Every endpoint is given the transaction; one that takes it is enough.
    async fn send(&self, transaction: &[u8]) -> Result<Signature, ChainError> {
        let signature = answer::first_signature(transaction).ok_or(ChainError::NotATransaction)?;
        // Endpoints are not to send again by themselves: the sender does, and knows when to stop.
        let options = json!({ "encoding": "base64", "preflightCommitment": "confirmed", "maxRetries": 0 });
        let question = json!([BASE64.encode(transaction), options]);
        let taken = self.ask(|endpoint| async {
            match endpoint.ask("sendTransaction", &question).await {
                Ok(_) => Ok(()),
                // It has it already, so it was taken.
                Err(Failure::Refused { data, .. }) if data["err"] == "AlreadyProcessed" => Ok(()),
                Err(Failure::Refused { code: INVALID_PARAMS, .. }) => Err(ChainError::NotATransaction),
                Err(failure) => Err(failure.into()),
            }
        });
        taken.await.map(|_| signature)
    }

    async fn statuses(&self, signatures: &[Signature]) -> Result<Vec<Status>, ChainError> {
        let mut statuses = Vec::with_capacity(signatures.len());
        for asked in signatures.chunks(STATUSES_MAX) {
            let answers = self.ask(|endpoint| async {
                // First: what is unknown afterwards is in no block up to this one.
                let searched_to = final_height(endpoint).await?;
                let signatures: Vec<String> = asked.iter().map(ToString::to_string).collect();
                let params = json!([signatures, { "searchTransactionHistory": true }]);
                let said = answer::said(endpoint.ask("getSignatureStatuses", &params).await?, searched_to)?;
                if said.len() == asked.len() {
                    Ok(said)
                } else {
                    Err(ChainError::Unreadable(format!("{} statuses for {}", said.len(), asked.len())))
                }
            });
            let answers = answers.await?;
            statuses.extend((0..asked.len()).map(|at| {
                let said: Vec<Said> = answers.iter().map(|answer| answer[at].clone()).collect();
                quorum::status(&said, self.endpoints.len())
            }));
        }
        Ok(statuses)
    }

    async fn account(&self, address: &Address) -> Result<Option<Account>, ChainError> {
        let params = json!([address.to_string(), { "encoding": "base64", "commitment": "finalized" }]);
        self.agreed(|endpoint| async { answer::account(endpoint.ask("getAccountInfo", &params).await?) })
            .await
    }

    async fn transaction(&self, signature: &Signature) -> Result<Option<Transaction>, ChainError> {
        let options =
            json!({ "encoding": "json", "commitment": "finalized", "maxSupportedTransactionVersion": 0 });
        let params = json!([signature.to_string(), options]);
        self.agreed(|endpoint| async { answer::transaction(endpoint.ask("getTransaction", &params).await?) })
            .await
    }

    /// What any endpoint tells: each transaction is read with [`Chain::transaction`] before it counts.
    async fn mentions(
        &self,
        address: &Address,
        until: Option<&Signature>,
    ) -> Result<Vec<Signature>, ChainError> {
        let answers = self.ask(|endpoint| mentions_by(endpoint, address, until)).await?;
        let mut all: Vec<Signature> = Vec::new();
        for signature in answers.into_iter().flatten() {
            if !all.contains(&signature) {
                all.push(signature);
            }
        }
        Ok(all)
    }

    /// One question, where [`Chain::mentions`] may ask a hundred.
    async fn newest_mentions(&self, address: &Address, count: usize) -> Result<Vec<Signature>, ChainError> {
        let options = json!({ "limit": count.min(MENTIONS_MAX), "commitment": "finalized" });
        let params = json!([address.to_string(), options]);
        let answers = self.ask(|endpoint| async {
            answer::mentions(endpoint.ask("getSignaturesForAddress", &params).await?)
        });
        let mut longest = answers.await?.into_iter().max_by_key(Vec::len).unwrap_or_default();
        longest.truncate(count);
        Ok(longest)
    }

    async fn airdrop(&self, to: &Address, lamports: u64) -> Result<Signature, ChainError> {
        let params = json!([to.to_string(), lamports]);
        let given = self.ask(|endpoint| async {
            let signature: String = answer::parse(endpoint.ask("requestAirdrop", &params).await?)?;
            signature.parse().map_err(|_| ChainError::Unreadable("a signature that is none".to_owned()))
        });
        given.await?.pop().ok_or_else(|| ChainError::Unreachable("no endpoint is configured".to_owned()))
    }

    async fn rent_exempt(&self, bytes: usize) -> Result<u64, ChainError> {
        let params = json!([bytes]);
        self.agreed(|endpoint| async {
            answer::parse(endpoint.ask("getMinimumBalanceForRentExemption", &params).await?)
        })
        .await
    }

    /// The upper quartile of the last 150 slots, as the cheapest endpoint tells it.
    async fn priority_fee(&self, written: &[Address]) -> Result<u64, ChainError> {
        let written: Vec<String> = written.iter().map(ToString::to_string).collect();
        let params = json!([written]);
        let said = self.ask(|endpoint| async {
            answer::priority_fee(endpoint.ask("getRecentPrioritizationFees", &params).await?)
        });
        Ok(said.await?.into_iter().min().unwrap_or(0))
    }
}

async fn final_height(endpoint: &dyn Ask) -> Result<u64, ChainError> {
    answer::parse(endpoint.ask("getBlockHeight", &json!([{ "commitment": "finalized" }])).await?)
}

async fn mentions_by(
    endpoint: &dyn Ask,
    address: &Address,
    until: Option<&Signature>,
) -> Result<Vec<Signature>, ChainError> {
    let mut all: Vec<Signature> = Vec::new();
    for _ in 0..MENTION_PAGES_MAX {
        let options = json!({
            "limit": MENTIONS_MAX,
            "commitment": "finalized",
            "until": until.map(ToString::to_string),
            "before": all.last().map(ToString::to_string),
        });
        let params = json!([address.to_string(), options]);
        let page = answer::mentions(endpoint.ask("getSignaturesForAddress", &params).await?)?;
        let full = page.len() >= MENTIONS_MAX;
        all.extend(page);
        if !full {
            break;
        }
    }
    Ok(all)
}
