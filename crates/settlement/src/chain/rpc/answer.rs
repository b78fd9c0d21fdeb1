//! What endpoints answer, as this program's own types.

use std::collections::BTreeMap;

use lull_types::BaseUnits;
use serde::Deserialize;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::request::RpcError;
use solana_transaction_status_client_types::option_serializer::OptionSerializer;
use solana_transaction_status_client_types::{
    EncodedConfirmedTransactionWithStatusMeta, TransactionConfirmationStatus, TransactionStatus,
    UiTransactionTokenBalance,
};

use super::super::quorum::Said;
use super::super::{Address, ChainError, Outcome, Signature, TokenChange, Transaction};

/// Which error this is. The URL is left out of it: it often holds a key.
pub(super) fn error(error: ClientError) -> ChainError {
    match error.kind() {
        ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
            ChainError::Refused(format!("{message} ({code})"))
        }
        ErrorKind::TransactionError(error) => ChainError::Refused(error.to_string()),
        ErrorKind::SerdeJson(error) => ChainError::Unreadable(error.to_string()),
        ErrorKind::Reqwest(error) if error.is_timeout() => {
            ChainError::Unreachable("no answer in time".to_owned())
        }
        ErrorKind::Reqwest(error) => match error.status() {
            Some(status) => ChainError::Unreachable(status.to_string()),
            None => ChainError::Unreachable("no connection".to_owned()),
        },
        ErrorKind::Io(error) => ChainError::Unreachable(error.kind().to_string()),
        ErrorKind::Middleware(_)
        | ErrorKind::RpcError(_)
        | ErrorKind::SigningError(_)
        | ErrorKind::Custom(_) => ChainError::Unreachable("the request failed".to_owned()),
    }
}

/// An endpoint that has the transaction already took it.
pub(super) fn sent_before(refusal: ClientError) -> Result<(), ChainError> {
    match refusal.kind().get_transaction_error() {
        Some(solana_transaction_error::TransactionError::AlreadyProcessed) => Ok(()),
        _ => Err(error(refusal)),
    }
}

/// The signature by which a transaction goes: the first of those that it begins with.
pub(super) fn first_signature(transaction: &[u8]) -> Option<Signature> {
    let (count, rest) = transaction.split_first()?;
    // A count of 128 and more would take a second byte; a packet has no room for so many.
    (1..128).contains(count).then(|| rest.first_chunk::<64>().map(|bytes| Signature::from(*bytes)))?
}

pub(super) fn said(status: Option<TransactionStatus>, searched_to: u64) -> Said {
    let Some(status) = status else { return Said::Unknown { searched_to } };
    let slot = status.slot;
    if status.confirmation_status != Some(TransactionConfirmationStatus::Finalized) {
        return Said::Seen { slot };
    }
    let outcome = status.err.map_or(Outcome::Done, |error| Outcome::Failed(error.to_string()));
    Said::Finalized { slot, outcome }
}

pub(super) fn mentions(page: Vec<Mention>) -> Result<Vec<Signature>, ChainError> {
    let parse = |mention: Mention| {
        mention.signature.parse().map_err(|_| ChainError::Unreadable("a signature that is none".to_owned()))
    };
    page.into_iter().map(parse).collect()
}

/// What is needed of an answer to `getSignaturesForAddress`.
#[derive(Deserialize)]
pub(super) struct Mention {
    signature: String,
}

pub(super) fn transaction(
    found: Option<EncodedConfirmedTransactionWithStatusMeta>,
) -> Result<Option<Transaction>, ChainError> {
    let Some(found) = found else { return Ok(None) };
    let unreadable = |what: &str| ChainError::Unreadable(format!("a transaction without {what}"));
    let meta = found.transaction.meta.ok_or_else(|| unreadable("what it did"))?;
    let stated = found.transaction.transaction.decode().ok_or_else(|| unreadable("its bytes"))?;
    let mut accounts = stated.message.static_account_keys().to_vec();
    if let OptionSerializer::Some(loaded) = &meta.loaded_addresses {
        for address in loaded.writable.iter().chain(&loaded.readonly) {
            accounts.push(address.parse().map_err(|_| unreadable("readable addresses"))?);
        }
    }
    let mut changes = BTreeMap::new();
    let before = balances(meta.pre_token_balances, &accounts).ok_or_else(|| unreadable("balances"))?;
    let after = balances(meta.post_token_balances, &accounts).ok_or_else(|| unreadable("balances"))?;
    let none = BaseUnits::ZERO;
    for (account, mint, amount) in before {
        changes.insert(account, TokenChange { account, mint, before: amount, after: none });
    }
    for (account, mint, amount) in after {
        changes.entry(account).or_insert(TokenChange { account, mint, before: none, after: none }).after =
            amount;
    }
    Ok(Some(Transaction {
        slot: found.slot,
        outcome: meta.err.map_or(Outcome::Done, |error| Outcome::Failed(error.to_string())),
        fee_lamports: meta.fee,
        accounts,
        tokens: changes.into_values().filter(|change| change.before != change.after).collect(),
    }))
}

/// Token account, mint and amount of each balance; none if one cannot be read.
fn balances(
    stated: OptionSerializer<Vec<UiTransactionTokenBalance>>,
    accounts: &[Address],
) -> Option<Vec<(Address, Address, BaseUnits)>> {
    let OptionSerializer::Some(stated) = stated else { return Some(Vec::new()) };
    let read = |balance: &UiTransactionTokenBalance| {
        let account = *accounts.get(usize::from(balance.account_index))?;
        let amount = balance.ui_token_amount.amount.parse().ok()?;
        Some((account, balance.mint.parse().ok()?, BaseUnits(amount)))
    };
    stated.iter().map(read).collect()
}
