//! Solana's JSON-RPC, over several endpoints that check each other; see [`super::quorum`].

mod answer;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use data_encoding::BASE64;
use futures_util::future::join_all;
use serde_json::json;
use solana_commitment_config::CommitmentConfig;
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client_api::client_error::Error as ClientError;
use solana_rpc_client_api::request::RpcRequest;

use super::quorum::{self, Said};
use super::{Account, Address, Chain, ChainError, Recent, Signature, Status, Transaction};

/// How long one endpoint may take. Public ones answer within a second; the sender asks again anyway.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Signatures in one question: the most that an endpoint takes.
const STATUSES_MAX: usize = 256;

/// Transactions in one answer of what mentions an address: the most that an endpoint gives.
const MENTIONS_MAX: usize = 1000;

/// Pages of mentions that are read at once. More than a hundred thousand payments with one reference between two
/// looks are no payments; the rest is read at the next look.
const MENTION_PAGES_MAX: usize = 100;

/// One or more endpoints.
pub struct Rpc {
    endpoints: Vec<RpcClient>,
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
    pub fn new(urls: &[String]) -> Self {
        let endpoint = |url: &String| {
            RpcClient::new_with_timeout_and_commitment(url.clone(), TIMEOUT, CommitmentConfig::finalized())
        };
        Self::over(urls.iter().map(endpoint).collect())
    }

    fn over(endpoints: Vec<RpcClient>) -> Self {
        Self { endpoints, first: AtomicUsize::new(0) }
    }

    /// Asks all endpoints at once and gives the answers of those that answered.
    async fn ask<'a, T, F>(&'a self, question: impl Fn(&'a RpcClient) -> F) -> Result<Vec<T>, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let count = self.endpoints.len().max(1);
        let first = self.first.fetch_add(1, Ordering::Relaxed) % count;
        let (after, before) = self.endpoints.split_at(first.min(self.endpoints.len()));
        let answers = join_all(before.iter().chain(after).map(question)).await;
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
        question: impl Fn(&'a RpcClient) -> F,
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
            let confirmed = CommitmentConfig::confirmed();
            let said =
                endpoint.get_latest_blockhash_with_commitment(confirmed).await.map_err(answer::error)?;
            Ok(Recent { blockhash: said.0, last_valid_height: said.1 })
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
            let taken: Result<String, ClientError> =
                endpoint.send(RpcRequest::SendTransaction, question.clone()).await;
            taken.map(|_| ()).or_else(answer::sent_before)
        });
        taken.await.map(|_| signature)
    }

    async fn statuses(&self, signatures: &[Signature]) -> Result<Vec<Status>, ChainError> {
        let mut statuses = Vec::with_capacity(signatures.len());
        for asked in signatures.chunks(STATUSES_MAX) {
            let answers = self.ask(|endpoint| async {
                // First: what is unknown afterwards is in no block up to this one.
                let searched_to = final_height(endpoint).await?;
                let answer = endpoint.get_signature_statuses_with_history(asked).await;
                let found = answer.map_err(answer::error)?.value.into_iter();
                let said: Vec<Said> = found.map(|status| answer::said(status, searched_to)).collect();
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
        self.agreed(|endpoint| async {
            let finalized = CommitmentConfig::finalized();
            let found =
                endpoint.get_account_with_commitment(address, finalized).await.map_err(answer::error)?;
            let plain = |account: solana_account::Account| Account {
                lamports: account.lamports,
                owner: account.owner,
                data: account.data,
            };
            Ok(found.value.map(plain))
        })
        .await
    }

    async fn transaction(&self, signature: &Signature) -> Result<Option<Transaction>, ChainError> {
        let options =
            json!({ "encoding": "base64", "commitment": "finalized", "maxSupportedTransactionVersion": 0 });
        let question = json!([signature.to_string(), options]);
        self.agreed(|endpoint| async {
            let found =
                endpoint.send(RpcRequest::GetTransaction, question.clone()).await.map_err(answer::error)?;
            answer::transaction(found)
        })
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

    async fn rent_exempt(&self, bytes: usize) -> Result<u64, ChainError> {
        self.agreed(|endpoint| async move {
            endpoint.get_minimum_balance_for_rent_exemption(bytes).await.map_err(answer::error)
        })
        .await
    }

    /// The upper quartile of the last 150 slots, as the cheapest endpoint tells it.
    async fn priority_fee(&self, written: &[Address]) -> Result<u64, ChainError> {
        let said = self.ask(|endpoint| async {
            let fees = endpoint.get_recent_prioritization_fees(written).await.map_err(answer::error)?;
            let mut fees: Vec<u64> = fees.iter().map(|fee| fee.prioritization_fee).collect();
            fees.sort_unstable();
            Ok(fees.get(fees.len() * 3 / 4).copied().unwrap_or(0))
        });
        Ok(said.await?.into_iter().min().unwrap_or(0))
    }
}

async fn final_height(endpoint: &RpcClient) -> Result<u64, ChainError> {
    endpoint.get_block_height_with_commitment(CommitmentConfig::finalized()).await.map_err(answer::error)
}

async fn mentions_by(
    endpoint: &RpcClient,
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
        let question = json!([address.to_string(), options]);
        let page =
            endpoint.send(RpcRequest::GetSignaturesForAddress, question).await.map_err(answer::error)?;
        let page = answer::mentions(page)?;
        let full = page.len() >= MENTIONS_MAX;
        all.extend(page);
        if !full {
            break;
        }
    }
    Ok(all)
}
