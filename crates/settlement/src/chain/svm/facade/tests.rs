//! The contract of JSON-RPC, kept by the facade whatever is asked.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use lull_types::UnixMillis;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::chain::svm::{Ledger, Options};
use crate::chain::{Address, Chain};

struct Stage {
    ledger: Ledger,
    now_ms: Arc<AtomicU64>,
    _folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now_ms = Arc::new(AtomicU64::new(1_800_000_000_000));
        let clock = Arc::clone(&now_ms);
        let clock = move || UnixMillis(clock.load(Ordering::Relaxed));
        let ledger = Ledger::open(&folder.path().join("ledger.sqlite"), Options::default(), clock).unwrap();
        Self { ledger, now_ms, _folder: folder }
    }

    fn pass_slots(&self, slots: u64) {
        self.now_ms.fetch_add(slots * Options::default().slot_ms, Ordering::Relaxed);
    }

    async fn ask(&self, method: &str, params: Value) -> Result<Value, i64> {
        let question = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
        let answer = answer(&self.ledger, question.to_string().as_bytes()).await;
        assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)));
        match answer.get("error") {
            Some(error) => Err(error["code"].as_i64().unwrap()),
            None => Ok(answer["result"].clone()),
        }
    }
}

fn address(n: u8) -> String {
    Address::new_from_array([n; 32]).to_string()
}

#[tokio::test]
async fn what_is_not_known_or_wrong_is_an_error() {
    let stage = Stage::new();
    for (method, params, code) in [
        ("getProgramAccounts", json!([]), -32601),
        ("", json!([]), -32601),
        ("getAccountInfo", json!([]), -32602),
        ("getAccountInfo", json!(["x".repeat(5000)]), -32602),
        ("getAccountInfo", json!([address(1), "finalized"]), -32602),
        ("getAccountInfo", json!([address(1), { "commitment": "root" }]), -32602),
        ("getTransaction", json!([address(1)]), -32602),
        ("getSignatureStatuses", json!([[address(1)]]), -32602),
        ("getSignatureStatuses", json!([vec![""; 257]]), -32602),
        ("getSignaturesForAddress", json!([address(1), { "limit": 1001 }]), -32602),
        ("getMinimumBalanceForRentExemption", json!([u64::MAX]), -32602),
        ("getTokenAccountBalance", json!([address(1)]), -32602),
        ("sendTransaction", json!(["AA=="]), -32602),
        ("sendTransaction", json!(["AA==", { "encoding": "base64" }]), -32602),
        ("requestAirdrop", json!([address(1), u64::MAX]), -32602),
        ("requestAirdrop", json!([address(1), -1]), -32602),
    ] {
        assert_eq!(stage.ask(method, params.clone()).await, Err(code), "{method} {params}");
    }
    for (request, code) in [
        (&b"nonsense"[..], -32700),
        (b"", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (br#"{"id":1}"#, -32600),
        (br#"{"method":"getSlot","params":{}}"#, -32602),
    ] {
        let answer = answer(&stage.ledger, request).await;
        assert_eq!(answer["error"]["code"], code, "{answer}");
    }
    let batch = br#"[{"id":"a","method":"getHealth"},{"id":2,"method":"getWealth"}]"#;
    let answers = answer(&stage.ledger, batch).await;
    assert_eq!(answers[0], json!({ "jsonrpc": "2.0", "id": "a", "result": "ok" }));
    assert_eq!((&answers[1]["id"], &answers[1]["error"]["code"]), (&json!(2), &json!(-32601)));
    let many = Value::Array(vec![json!({ "method": "getSlot" }); 41]);
    assert_eq!(answer(&stage.ledger, many.to_string().as_bytes()).await["error"]["code"], -32600);
}

#[tokio::test]
async fn an_airdrop_is_a_transaction_like_any_other() {
    let stage = Stage::new();
    let to = address(1);
    let signature = stage.ask("requestAirdrop", json!([to, 5_000_000])).await.unwrap();
    let confirmed = json!({ "commitment": "confirmed", "encoding": "base64" });
    let account = |options: Value| stage.ask("getAccountInfo", json!([to, options]));
    assert_eq!(account(json!(null)).await.unwrap()["value"], Value::Null, "not final");
    let newest = account(confirmed.clone()).await.unwrap();
    assert_eq!(
        (&newest["value"]["lamports"], &newest["value"]["data"]),
        (&json!(5_000_000), &json!(["", "base64"]))
    );
    let status = stage.ask("getSignatureStatuses", json!([[signature]])).await.unwrap();
    assert_eq!(status["value"][0]["confirmationStatus"], "confirmed");
    assert_eq!(stage.ask("getTransaction", json!([signature])).await.unwrap(), Value::Null);

    stage.pass_slots(40);
    assert_eq!(stage.ask("getBalance", json!([to])).await.unwrap()["value"], 5_000_000);
    let status =
        stage.ask("getSignatureStatuses", json!([[signature], { "searchTransactionHistory": true }])).await;
    assert_eq!(status.unwrap()["value"][0]["confirmationStatus"], "finalized");
    let found = stage.ask("getTransaction", json!([signature])).await.unwrap();
    assert_eq!(found["transaction"]["signatures"][0], signature);
    assert_eq!(found["transaction"]["message"]["accountKeys"][1], to);
    assert_eq!((&found["meta"]["fee"], &found["version"]), (&json!(5000), &json!("legacy")));
    let whole = stage.ask("getTransaction", json!([signature, { "encoding": "base64" }])).await.unwrap();
    let bytes = data_encoding::BASE64.decode(whole["transaction"][0].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(stage.ledger.send(&bytes).await.unwrap().to_string(), signature.as_str().unwrap());
}

#[tokio::test]
async fn mentions_come_in_pages() {
    let stage = Stage::new();
    let to = address(1);
    let mut sent = Vec::new();
    for lamports in [1_000_000, 2_000_000, 3_000_000] {
        sent.push(stage.ask("requestAirdrop", json!([to, lamports])).await.unwrap());
    }
    stage.pass_slots(40);
    let page = |options: Value| {
        let asked = stage.ask("getSignaturesForAddress", json!([to, options]));
        async {
            let all = asked.await.unwrap();
            all.as_array().unwrap().iter().map(|one| one["signature"].clone()).collect::<Vec<_>>()
        }
    };
    let newest_first = [sent[2].clone(), sent[1].clone(), sent[0].clone()];
    assert_eq!(page(json!({})).await, newest_first);
    assert_eq!(page(json!({ "limit": 2 })).await, newest_first[..2]);
    assert_eq!(page(json!({ "before": sent[1] })).await, newest_first[2..]);
    assert_eq!(page(json!({ "until": sent[0] })).await, newest_first[..2]);
    assert_eq!(page(json!({ "before": sent[2], "until": sent[0], "limit": 9 })).await, newest_first[1..2]);
}

#[test]
fn amounts_are_written_as_people_read_them() {
    for (units, decimals, text) in
        [(1_500_000, 6, "1.5"), (1, 6, "0.000001"), (0, 6, "0"), (20_000_000, 6, "20"), (7, 0, "7")]
    {
        assert_eq!(stated::token_amount(lull_types::BaseUnits(units), decimals)["uiAmountString"], text);
    }
}

/// Any JSON, and such as looks like a question.
fn questions() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!(address(1))),
        Just(json!(crate::chain::Signature::from([1; 64]).to_string())),
        Just(json!({ "commitment": "confirmed", "encoding": "base64", "limit": 3 })),
    ];
    let any_json = leaf.prop_recursive(3, 24, 4, |inner| {
        let word = "(id|method|params|commitment|encoding|limit|before|until|[a-z]{0,6})";
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(word, inner, 0..4).prop_map(|map| json!(map)),
        ]
    });
    let method = prop_oneof![
        Just("getAccountInfo"),
        Just("getBalance"),
        Just("getBlockHeight"),
        Just("getGenesisHash"),
        Just("getLatestBlockhash"),
        Just("getMinimumBalanceForRentExemption"),
        Just("getRecentPrioritizationFees"),
        Just("getSignatureStatuses"),
        Just("getSignaturesForAddress"),
        Just("getTokenAccountBalance"),
        Just("getTransaction"),
        Just("requestAirdrop"),
        Just("sendTransaction"),
    ];
    let question = (method, proptest::collection::vec(any_json.clone(), 0..4)).prop_map(
        |(method, params)| json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }),
    );
    prop_oneof![3 => question, 1 => any_json]
}

/// One for all cases: nothing that is asked here spoils it.
static SHARED: LazyLock<(tokio::runtime::Runtime, Stage)> =
    LazyLock::new(|| (tokio::runtime::Builder::new_current_thread().build().unwrap(), Stage::new()));

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_json_gets_an_answer(question in questions()) {
        let (runtime, stage) = &*SHARED;
        let answer = runtime.block_on(answer(&stage.ledger, question.to_string().as_bytes()));
        let answers = match &answer {
            Value::Array(all) => all.clone(),
            one => vec![one.clone()],
        };
        prop_assert!(!answers.is_empty());
        for answer in answers {
            prop_assert_eq!(&answer["jsonrpc"], &json!("2.0"));
            prop_assert!(answer.get("result").is_some() != answer.get("error").is_some(), "{}", answer);
        }
    }

    #[test]
    fn any_bytes_get_an_answer(bytes: Vec<u8>) {
        let (runtime, stage) = &*SHARED;
        let answer = runtime.block_on(answer(&stage.ledger, &bytes));
        prop_assert!(answer.is_object() || answer.is_array());
    }
}
