//! Endpoints that answer from a script.

use std::collections::HashMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use solana_rpc_client::rpc_client::RpcClientConfig;
use solana_rpc_client::rpc_sender::{RpcSender, RpcTransportStats};
use solana_rpc_client_api::client_error::{ErrorKind, Result as ClientResult};

use super::*;
use crate::chain::Outcome;

/// Answers each kind of question with the same value, or not at all.
struct Script {
    answers: HashMap<String, Value>,
    asked: Mutex<Vec<Value>>,
}

#[async_trait]
impl RpcSender for Script {
    async fn send(&self, request: RpcRequest, params: Value) -> ClientResult<Value> {
        if let Ok(mut asked) = self.asked.lock() {
            asked.push(params);
        }
        let answer = self.answers.get(&request.to_string()).cloned();
        answer.ok_or_else(|| ErrorKind::Custom("silent".to_owned()).into())
    }
    fn get_transport_stats(&self) -> RpcTransportStats {
        RpcTransportStats::default()
    }
    fn url(&self) -> String {
        "script".to_owned()
    }
}

fn endpoints(scripts: &[&[(&str, Value)]]) -> Rpc {
    let endpoint = |answers: &&[(&str, Value)]| {
        let answers = answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
        let script = Script { answers, asked: Mutex::default() };
        RpcClient::new_sender(script, RpcClientConfig::with_commitment(CommitmentConfig::finalized()))
    };
    Rpc::over(scripts.iter().map(endpoint).collect())
}

fn height(height: u64) -> (&'static str, Value) {
    ("getBlockHeight", json!(height))
}

fn status(confirmation: Option<&str>) -> (&'static str, Value) {
    let value = confirmation.map(|status| {
        json!({ "slot": 9, "confirmations": null, "err": null, "status": { "Ok": null }, "confirmationStatus": status })
    });
    ("getSignatureStatuses", json!({ "context": { "slot": 10 }, "value": [value] }))
}

/// What endpoints answer, and what comes of it.
type Case<'a> = (&'a [&'a [(&'a str, Value)]], Result<Status, &'a str>);

#[tokio::test]
async fn statuses_need_two() {
    let asked = [Signature::from([1; 64])];
    let cases: [Case<'_>; 7] = [
        (&[&[height(7), status(None)], &[height(9), status(None)]], Ok(Status::Unknown { searched_to: 7 })),
        (&[&[height(7), status(None)], &[status(None)]], Ok(Status::Unsure)),
        (&[&[height(7), status(None)], &[]], Ok(Status::Unsure)),
        (
            &[&[height(7), status(None)], &[height(7), status(Some("finalized"))]],
            Ok(Status::Seen { slot: 9 }),
        ),
        (
            &[&[height(7), status(Some("confirmed"))], &[height(7), status(Some("processed"))]],
            Ok(Status::Seen { slot: 9 }),
        ),
        (
            &[&[height(7), status(Some("finalized"))], &[], &[height(7), status(Some("finalized"))]],
            Ok(Status::Finalized { slot: 9, outcome: Outcome::Done }),
        ),
        (&[&[], &[]], Err("chain_unreachable")),
    ];
    for (scripts, expected) in cases {
        let found = endpoints(scripts).statuses(&asked).await;
        let found = found.map(|statuses| statuses[0].clone());
        assert_eq!(found.map_err(|error| lull_types::Coded::code(&error)), expected);
    }
}

#[tokio::test]
async fn an_answer_of_another_length_is_none() {
    let two = json!({ "context": { "slot": 10 }, "value": [null, null] });
    let rpc = endpoints(&[&[height(7), ("getSignatureStatuses", two)]]);
    assert!(matches!(rpc.statuses(&[Signature::from([1; 64])]).await, Err(ChainError::Unreadable(_))));
}

#[tokio::test]
async fn heights_are_the_lowest() {
    let rpc = endpoints(&[&[height(7)], &[height(u64::MAX)]]);
    assert_eq!(rpc.finalized_height().await, Ok(7));
}

#[tokio::test]
async fn a_transaction_that_one_endpoint_takes_is_sent() {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&[5; 64]);
    let taken = ("sendTransaction", json!("whatever it says"));
    let rpc = endpoints(&[&[], &[taken]]);
    assert_eq!(rpc.send(&bytes).await, Ok(Signature::from([5; 64])), "by its own signature");
    assert!(endpoints(&[&[], &[]]).send(&bytes).await.is_err());
    assert_eq!(rpc.send(&[1, 2]).await, Err(ChainError::NotATransaction));
}

#[tokio::test]
async fn accounts_need_two_alike() {
    let account = |lamports: u64| {
        let owner = Address::new_from_array([3; 32]).to_string();
        let value = json!({
            "lamports": lamports, "data": ["AQI=", "base64"], "owner": owner, "executable": false, "rentEpoch": 0
        });
        ("getAccountInfo", json!({ "context": { "slot": 1 }, "value": value }))
    };
    let address = Address::new_from_array([1; 32]);
    let found = endpoints(&[&[account(5)], &[account(6)], &[account(5)]]).account(&address).await;
    let expected = Account { lamports: 5, owner: Address::new_from_array([3; 32]), data: vec![1, 2] };
    assert_eq!(found, Ok(Some(expected)));
    let found = endpoints(&[&[account(5)], &[account(6)]]).account(&address).await;
    assert!(matches!(found, Err(ChainError::Disagreement { agreed: 1, asked: 2, needed: 2 })));
}
