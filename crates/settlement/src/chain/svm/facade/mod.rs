//! Solana's JSON-RPC over the practice ledger, so that a worker, a wallet's author, or anyone else reads and checks a
//! practice network as they would a real cluster.
//!
//! It is small and says so: a method that is not here is an error, and nothing is made up. What the ledger does not
//! keep is null or empty, as the interface allows: times of blocks, logs, and balances in lamports.
//!
//! # Invariants
//! - Whatever is asked, there is an answer, and it is JSON-RPC 2.0.
//! - A question costs no more than a page of a thousand transactions.

mod faucet;
mod params;
mod stated;
#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::Ledger;
use super::machine::View;
use crate::chain::{BLOCKHASH_BLOCKS, ChainError, Status};
use params::Params;

/// Questions in one request, as a batch: what a page of an explorer asks at once.
const BATCH_MAX: usize = 40;
/// Signatures in one question, as on Solana.
const STATUSES_MAX: usize = 256;
/// Transactions in one answer of what mentions an address, as on Solana.
const MENTIONS_MAX: u64 = 1000;
/// The largest account, by the protocol.
const ACCOUNT_BYTES_MAX: u64 = 10 * 1024 * 1024;

/// Why a question has no result, in the codes of JSON-RPC and of Solana.
#[derive(Debug)]
pub(super) struct Refusal {
    code: i64,
    message: String,
}

impl Refusal {
    fn invalid(message: impl Into<String>) -> Self {
        Self { code: -32602, message: message.into() }
    }
}

impl From<ChainError> for Refusal {
    fn from(error: ChainError) -> Self {
        let code = match &error {
            ChainError::NotATransaction => -32602,
            ChainError::Refused(_) => -32002,
            ChainError::Unreachable(_)
            | ChainError::Disagreement { .. }
            | ChainError::Unreadable(_)
            | ChainError::Ledger(_) => -32603,
        };
        Self { code, message: error.to_string() }
    }
}

/// Answers a request, which is one question or a batch of them, in JSON.
pub async fn answer(ledger: &Ledger, request: &[u8]) -> Value {
    match serde_json::from_slice(request) {
        Err(_) => refused(Value::Null, -32700, "the request is not JSON"),
        Ok(Value::Array(questions)) if questions.is_empty() => {
            refused(Value::Null, -32600, "the batch is empty")
        }
        Ok(Value::Array(questions)) if questions.len() > BATCH_MAX => {
            refused(Value::Null, -32600, &format!("a batch has at most {BATCH_MAX} questions"))
        }
        Ok(Value::Array(questions)) => {
            let mut answers = Vec::with_capacity(questions.len());
            for question in &questions {
                answers.push(answer_one(ledger, question).await);
            }
            Value::Array(answers)
        }
        Ok(question) => answer_one(ledger, &question).await,
    }
}

fn refused(id: Value, code: i64, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

async fn answer_one(ledger: &Ledger, question: &Value) -> Value {
    let id = question.get("id").filter(|id| id.is_string() || id.is_number()).cloned().unwrap_or(Value::Null);
    let Some(method) = question.get("method").and_then(Value::as_str) else {
        return refused(id, -32600, "a question has a method");
    };
    let params = match question.get("params") {
        None | Some(Value::Null) => &[],
        Some(Value::Array(params)) => params.as_slice(),
        Some(_) => return refused(id, -32602, "parameters are a list"),
    };
    match result(ledger, method, Params(params)).await {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": id, "result": result }),
        Err(Refusal { code, message }) => refused(id, code, &message),
    }
}

async fn result(ledger: &Ledger, method: &str, params: Params<'_>) -> Result<Value, Refusal> {
    match method {
        "getHealth" => Ok(json!("ok")),
        "getGenesisHash" => on(ledger, |machine| Ok(json!(machine.blockhash(0).to_string()))).await,
        "getSlot" | "getBlockHeight" => {
            let view = params.view(0)?;
            on(ledger, move |machine| Ok(json!(machine.slot_of(view)))).await
        }
        "getLatestBlockhash" => {
            params.view(0)?;
            on(ledger, |machine| {
                let recent = machine.recent();
                let slot = recent.last_valid_height.saturating_sub(BLOCKHASH_BLOCKS);
                let value = json!({
                    "blockhash": recent.blockhash.to_string(),
                    "lastValidBlockHeight": recent.last_valid_height,
                });
                Ok(in_context(slot, value))
            })
            .await
        }
        "getMinimumBalanceForRentExemption" => {
            let bytes = params.number(0, ACCOUNT_BYTES_MAX)?;
            on(ledger, move |machine| {
                Ok(json!(machine.rent_exempt(usize::try_from(bytes).unwrap_or(usize::MAX))))
            })
            .await
        }
        // Nobody else is here.
        "getRecentPrioritizationFees" => {
            on(ledger, |machine| {
                Ok(json!([{ "slot": machine.slot_of(View::Newest), "prioritizationFee": 0 }]))
            })
            .await
        }
        "sendTransaction" => {
            let bytes = params.transaction()?;
            on(ledger, move |machine| Ok(json!(machine.send(&bytes)?.to_string()))).await
        }
        "getSignatureStatuses" => {
            let signatures = params.signatures(STATUSES_MAX)?;
            on(ledger, move |machine| {
                let slot = machine.slot_of(View::Newest);
                let mut statuses = Vec::with_capacity(signatures.len());
                for signature in &signatures {
                    statuses.push(status(slot, machine.status(signature)?));
                }
                Ok(in_context(slot, Value::Array(statuses)))
            })
            .await
        }
        "getAccountInfo" => {
            let (address, view, encoding) =
                (params.address(0)?, params.view(1)?, params.account_encoding(1)?);
            on(ledger, move |machine| {
                let account = machine.account_in(&address, view)?;
                let stated = account.map(|account| stated::account(&account, encoding)).transpose()?;
                Ok(in_context(machine.slot_of(view), stated.unwrap_or(Value::Null)))
            })
            .await
        }
        "getBalance" => {
            let (address, view) = (params.address(0)?, params.view(1)?);
            on(ledger, move |machine| {
                let lamports = machine.account_in(&address, view)?.map_or(0, |account| account.lamports);
                Ok(in_context(machine.slot_of(view), json!(lamports)))
            })
            .await
        }
        "getTokenAccountBalance" => {
            let (address, view) = (params.address(0)?, params.view(1)?);
            on(ledger, move |machine| {
                let account = machine.account_in(&address, view)?;
                let held = account.as_ref().and_then(crate::chain::TokenAccount::parse);
                let held = held.ok_or_else(|| Refusal::invalid("this is no token account"))?;
                let decimals = stated::decimals(machine, &held.mint)?;
                Ok(in_context(machine.slot_of(view), stated::token_amount(held.amount, decimals)))
            })
            .await
        }
        "getTransaction" => {
            let (signature, view) = (params.signature(0)?, params.view(1)?);
            let encoding = params.transaction_encoding(1)?;
            on(ledger, move |machine| {
                let found = machine.transaction_in(&signature, view)?;
                Ok(found
                    .map(|found| stated::transaction(machine, &found, encoding))
                    .transpose()?
                    .unwrap_or(Value::Null))
            })
            .await
        }
        "getSignaturesForAddress" => {
            let (address, view) = (params.address(0)?, params.view(1)?);
            let (before, until) = (params.named_signature(1, "before")?, params.named_signature(1, "until")?);
            let limit = params.limit(1, MENTIONS_MAX)?;
            on(ledger, move |machine| {
                let page = machine.mentions_in(&address, view, before.as_ref(), until.as_ref(), limit)?;
                let final_slot = machine.final_slot();
                let stated = page.into_iter().map(|(signature, slot)| {
                    json!({
                        "signature": signature.to_string(),
                        "slot": slot,
                        "err": null,
                        "memo": null,
                        "blockTime": null,
                        "confirmationStatus": stated::confirmation(slot, final_slot),
                    })
                });
                Ok(Value::Array(stated.collect()))
            })
            .await
        }
        "requestAirdrop" => {
            let (address, lamports) = (params.address(0)?, params.number(1, faucet::LAMPORTS_MAX)?);
            on(ledger, move |machine| Ok(json!(faucet::give(machine, address, lamports)?.to_string()))).await
        }
        _ => Err(Refusal {
            code: -32601,
            message: "Method not found: a practice ledger answers what payouts and deposits need".to_owned(),
        }),
    }
}

/// Work on the ledger, which waits for the disk.
async fn on(
    ledger: &Ledger,
    work: impl FnOnce(&mut super::machine::Machine) -> Result<Value, Refusal> + Send + 'static,
) -> Result<Value, Refusal> {
    ledger.with(move |machine| Ok(work(machine))).await?
}

fn in_context(slot: u64, value: Value) -> Value {
    json!({ "context": { "slot": slot }, "value": value })
}

fn status(now: u64, status: Status) -> Value {
    match status {
        Status::Seen { slot } => json!({
            "slot": slot,
            "confirmations": now.saturating_sub(slot),
            "err": null,
            "status": { "Ok": null },
            "confirmationStatus": "confirmed",
        }),
        // What fails is not taken, so whatever is on the ledger was done.
        Status::Finalized { slot, .. } => json!({
            "slot": slot,
            "confirmations": null,
            "err": null,
            "status": { "Ok": null },
            "confirmationStatus": "finalized",
        }),
        Status::Unknown { .. } | Status::Unsure => Value::Null,
    }
}
