//! Endpoints that answer from a script.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use super::*;
use crate::chain::{Instruction, Outcome};

/// Answers each kind of question with the same value, or not at all.
struct Script(HashMap<String, Value>);

#[async_trait]
impl Ask for Script {
    async fn ask(&self, method: &str, _: &Value) -> Result<Value, Failure> {
        self.0.get(method).cloned().ok_or_else(|| Failure::Unreachable("silent".to_owned()))
    }
}

fn endpoints(scripts: &[&[(&str, Value)]]) -> Rpc {
    let endpoint = |answers: &&[(&str, Value)]| {
        let answers = answers.iter().map(|(name, answer)| ((*name).to_owned(), answer.clone())).collect();
        Box::new(Script(answers)) as Box<dyn Ask>
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

#[test]
fn only_secure_endpoints_are_asked() {
    let check = |url: &str| Rpc::new(&[url]).err();
    for good in
        ["https://api.example.org/?key=1", "http://127.0.0.1:8899", "http://[::1]:1/", "http://localhost:1"]
    {
        assert_eq!(check(good), None, "{good}");
    }
    assert_eq!(check("http://api.example.org"), Some(EndpointError::NotSecure));
    assert_eq!(check("http://127.0.0.1.example.org"), Some(EndpointError::NotSecure));
    for bad in ["", "example", "ftp://127.0.0.1/", "file:///etc/passwd"] {
        assert_eq!(check(bad), Some(EndpointError::NotAUrl), "{bad}");
    }
}

/// Serves one answer, byte for byte, and ends.
fn serve(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/?key=secret", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).unwrap();
        // The other side may hang up before it has everything.
        let _ = stream.write_all(&answer);
    });
    url
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn a_hostile_endpoint_is_an_error_without_its_url() {
    let endless = [http("200 OK", "").as_slice(), &[b' '; 100]].concat();
    let huge = format!("{{\"result\":\"{}\"}}", "x".repeat(5 * 1024 * 1024));
    let deep = "[".repeat(100_000);
    let refusal =
        r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32005,"message":"slow\u0007 down","data":{"x":1}}}"#;
    for (answer, code) in [
        (http("200 OK", "no JSON"), "chain_unreadable"),
        (http("200 OK", &deep), "chain_unreadable"),
        (http("200 OK", &huge), "chain_unreadable"),
        (http("200 OK", r#"{"result":-7}"#), "chain_unreadable"),
        (http("200 OK", r#"{"result":{"value":[]}}"#), "chain_unreadable"),
        (http("429 Too Many Requests", "later"), "chain_unreachable"),
        (http("302 Found\r\nlocation: http://127.0.0.1:1/", ""), "chain_unreachable"),
        (http("400 Bad Request", refusal), "chain_refused"),
        (endless, "chain_unreadable"),
        (b"no HTTP at all".to_vec(), "chain_unreachable"),
        (Vec::new(), "chain_unreachable"),
    ] {
        let told = String::from_utf8_lossy(&answer).chars().take(60).collect::<String>();
        let error = Rpc::new(&[serve(answer)]).unwrap().finalized_height().await.unwrap_err();
        assert_eq!(lull_types::Coded::code(&error), code, "{told}: {error}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains("secret") && !said.contains('\u{7}'), "{said}");
    }
    let good = Rpc::new(&[serve(http("200 OK", r#"{"jsonrpc":"2.0","id":1,"result":42}"#))]).unwrap();
    assert_eq!(good.finalized_height().await, Ok(42));
}

#[tokio::test]
async fn a_transaction_that_was_taken_before_is_taken() {
    let mut bytes = vec![1];
    bytes.extend_from_slice(&[5; 64]);
    let refusal = |err: &str| {
        format!(
            r#"{{"error":{{"code":-32002,"message":"Transaction simulation failed","data":{{"err":"{err}"}}}}}}"#
        )
    };
    let send = |err: &str| {
        let rpc = Rpc::new(&[serve(http("200 OK", &refusal(err)))]).unwrap();
        let bytes = bytes.clone();
        async move { rpc.send(&bytes).await.map_err(|error| lull_types::Coded::code(&error)) }
    };
    assert_eq!(send("AlreadyProcessed").await, Ok(Signature::from([5; 64])));
    assert_eq!(send("BlockhashNotFound").await, Err("chain_refused"));
}

#[tokio::test]
async fn a_transaction_is_read_with_what_it_moved() {
    let address = |n: u8| Address::new_from_array([n; 32]);
    let balance = |index: u8, amount: &str| json!({ "accountIndex": index, "mint": address(9).to_string(), "uiTokenAmount": { "amount": amount, "decimals": 6 } });
    let found = |err: Value, index: u8| {
        json!({
            "slot": 5, "blockTime": 1, "version": 0,
            "transaction": { "signatures": [], "message": {
                "accountKeys": [address(1).to_string(), address(2).to_string()],
                "instructions": [{ "programIdIndex": 2, "accounts": [1, 0], "data": "gCB", "stackHeight": null }]
            } },
            "meta": {
                "err": err, "fee": 5000, "loadedAddresses": { "writable": [address(3).to_string()], "readonly": [] },
                "preTokenBalances": [balance(1, "7"), balance(2, "1")], "postTokenBalances": [balance(1, "3"), balance(index, "1")]
            }
        })
    };
    let read = |value: Value| answer::transaction(value).map_err(|error| lull_types::Coded::code(&error));
    let transaction = read(found(Value::Null, 2)).unwrap().unwrap();
    assert_eq!((transaction.slot, transaction.fee_lamports, transaction.outcome), (5, 5000, Outcome::Done));
    assert_eq!(transaction.accounts, [address(1), address(2), address(3)]);
    let told =
        Instruction { program: address(3), accounts: vec![address(2), address(1)], data: vec![2, 3, 4] };
    assert_eq!(transaction.instructions, [told]);
    let moved: Vec<_> = transaction.tokens.iter().map(|c| (c.account, c.before.0, c.after.0)).collect();
    assert_eq!(moved, [(address(2), 7, 3)]);
    let failed = read(found(json!({ "InstructionError": [0, { "Custom": 116 }] }), 2)).unwrap().unwrap();
    assert_eq!(failed.outcome, Outcome::Failed(r#"{"InstructionError":[0,{"Custom":116}]}"#.to_owned()));
    assert_eq!(read(found(Value::Null, 3)), Err("chain_unreadable"), "a balance of no account");
    for (field, wrong) in [("programIdIndex", json!(3)), ("accounts", json!([9])), ("data", json!("0OIl"))] {
        let mut stated = found(Value::Null, 2);
        stated["transaction"]["message"]["instructions"][0][field] = wrong;
        assert_eq!(read(stated), Err("chain_unreadable"), "{field}");
    }
    assert_eq!(read(Value::Null), Ok(None));
    assert_eq!(read(json!({ "slot": 5 })), Err("chain_unreadable"));
}
