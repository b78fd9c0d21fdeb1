//! What customers pay in and get back, over kills of the network.

use lull_network_api::customer::Account;
use lull_network_api::funds::{Deposit, DepositState, NewDeposit, NewRefund, Refund, RefundState};
use lull_settlement::chain::Chain;
use lull_settlement::compose::Key;
use lull_settlement::deposit::Request;
use lull_types::{BaseUnits, WalletAddress};
use reqwest::{Method, StatusCode};

use crate::ledger::{FAST, Ledger, pay, token_account, treasury, until};
use crate::process::{Customer, Network, operate, refusal};

const USDC: u64 = 1_000_000;

fn wallet(key: &Key) -> WalletAddress {
    WalletAddress::from_bytes(key.address().to_bytes()).unwrap()
}

async fn ask_deposit(customer: &Customer, amount: Option<u64>) -> Deposit {
    let new = NewDeposit { amount: amount.map(BaseUnits) };
    let response = customer.request(Method::POST, "/v1/deposits").json(&new).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::CREATED);
    response.json().await.unwrap()
}

async fn until_paid(customer: &Customer, deposit: &Deposit) -> Deposit {
    let path = format!("/v1/deposits/{}", deposit.id);
    until("a deposit", || async {
        let deposit: Deposit = customer.json(&path).await;
        (deposit.state == DepositState::Paid).then_some(deposit)
    })
    .await
}

async fn ask_refund(
    customer: &Customer,
    key: &str,
    amount: Option<u64>,
    to: WalletAddress,
) -> reqwest::Response {
    let new = NewRefund { idempotency_key: key.to_owned(), amount: amount.map(BaseUnits), to };
    customer.request(Method::POST, "/v1/refunds").json(&new).send().await.unwrap()
}

async fn until_refund_is(customer: &Customer, id: u64, states: &[RefundState]) -> Refund {
    let path = format!("/v1/refunds/{id}");
    until("a refund", || async {
        let refund: Refund = customer.json(&path).await;
        states.contains(&refund.state).then_some(refund)
    })
    .await
}

async fn stands(customer: &Customer) -> (u64, u64) {
    let account: Account = customer.json("/v1/account").await;
    (account.deposit.0, account.refunding.0)
}

#[tokio::test]
async fn money_comes_in_and_goes_back_once_over_kills() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Network::start(folder.path(), &FAST);
    let mut network = start();
    let ada = network.new_customer("Ada");
    let payer = Key::from_bytes(&[5; 32]);
    Ledger::of(&network).enrich(&network, payer.address(), 100 * USDC).await;
    let here = |network: &Network| Customer::new(&network.announcement.http, &ada.key);

    let customer = here(&network);
    let deposit = ask_deposit(&customer, Some(5 * USDC)).await;
    assert_eq!((deposit.state, deposit.received), (DepositState::Waiting, BaseUnits::ZERO));
    let request: Request = deposit.url.parse().unwrap();
    assert_eq!(
        (request.amount, request.reference.to_bytes()),
        (Some(BaseUnits(5 * USDC)), deposit.reference.0)
    );
    let picture = customer.get(&format!("/v1/deposits/{}/qr.svg", deposit.id)).await;
    assert_eq!(picture.headers()["content-type"], "image/svg+xml");
    assert!(picture.text().await.unwrap().contains("<svg"));
    let stranger = network.add_customer("Eve", 0);
    for path in ["", "/qr.svg"] {
        let answer = stranger.get(&format!("/v1/deposits/{}{path}", deposit.id)).await;
        assert_eq!(refusal(answer).await, (404, "deposit_unknown".to_owned()));
    }

    // Paid, and killed before it can have been credited: nothing is final within a moment.
    let paid = Ledger::of(&network).send(&payer, &[pay(&payer, 5 * USDC, &request)]).await;
    network.kill();
    network = start();
    let credited = until_paid(&here(&network), &deposit).await;
    let payments: Vec<_> = credited.payments.iter().map(|p| (p.signature.to_string(), p.amount.0)).collect();
    assert_eq!(payments, [(paid.to_string(), 5 * USDC)]);
    // Paid once more under the same request.
    let second = Ledger::of(&network).send(&payer, &[pay(&payer, 2 * USDC, &request)]).await;
    Ledger::of(&network).until_final(second).await;
    network.kill();
    network = start();
    let path = format!("/v1/deposits/{}", deposit.id);
    until("the second payment", || async {
        let deposit: Deposit = here(&network).json(&path).await;
        (deposit.received.0 == 7 * USDC).then_some(())
    })
    .await;
    assert_eq!(stands(&here(&network)).await, (7 * USDC, 0));

    // Three refunds, each with a kill at another instant.
    let before = Ledger::of(&network).held(payer.address()).await;
    let instants: [&[RefundState]; 3] =
        [&[RefundState::Planned, RefundState::Sent], &[RefundState::Sent], &[]];
    for (n, states) in instants.into_iter().enumerate() {
        let customer = here(&network);
        let answer = ask_refund(&customer, &format!("refund {n}"), Some(USDC), wallet(&payer)).await;
        assert_eq!(answer.status(), StatusCode::CREATED);
        let refund: Refund = answer.json().await.unwrap();
        if !states.is_empty() {
            let last = [states, &[RefundState::Paid][..]].concat();
            until_refund_is(&customer, refund.id, &last).await;
        }
        network.kill();
        network = start();
        let customer = here(&network);
        let done = until_refund_is(&customer, refund.id, &[RefundState::Paid, RefundState::Returned]).await;
        assert_eq!(done.state, RefundState::Paid);
        assert!(done.signature.is_some());
        let again = ask_refund(&customer, &format!("refund {n}"), Some(USDC), wallet(&payer)).await;
        assert_eq!(again.status(), StatusCode::OK);
        assert_eq!(again.json::<Refund>().await.unwrap(), done, "the same key is the same refund");
    }
    let ledger = Ledger::of(&network);
    ledger.until_all_is_settled().await;
    assert_eq!(ledger.held(payer.address()).await, before + 3 * USDC);
    assert_eq!(stands(&here(&network)).await, (4 * USDC, 0));
    // Opened, paid from twice, and refunded to three times.
    let all = ledger.rpc.mentions(&token_account(payer.address()), None).await.unwrap();
    assert_eq!(all.len(), 6);
    assert!(network.stop().success());
}

#[tokio::test]
async fn a_limit_stops_refunds_until_a_person_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let limits = [&FAST[..], &["--tokens-max", "1500000"]].concat();
    let mut network = Network::start(folder.path(), &limits);
    let ada = network.new_customer("Ada");
    let here = |network: &Network| Customer::new(&network.announcement.http, &ada.key);
    let payer = Key::from_bytes(&[6; 32]);
    Ledger::of(&network).enrich(&network, payer.address(), 10 * USDC).await;
    let customer = here(&network);
    let deposit = ask_deposit(&customer, None).await;
    Ledger::of(&network).send(&payer, &[pay(&payer, 5 * USDC, &deposit.url.parse().unwrap())]).await;
    until_paid(&customer, &deposit).await;

    // What cannot be refunded is refused before anything moves.
    let nobody = wallet(&Key::from_bytes(&[77; 32]));
    let refused = ask_refund(&customer, "x", None, nobody).await;
    assert_eq!(refusal(refused).await, (422, "refund_wallet_without_account".to_owned()));
    let refused = ask_refund(&customer, "x", None, wallet(&treasury(folder.path()))).await;
    assert_eq!(refusal(refused).await, (422, "refund_wallet_unusable".to_owned()));
    let refused = ask_refund(&customer, "x", Some(6 * USDC), wallet(&payer)).await;
    assert_eq!(refusal(refused).await, (402, "deposit_too_small".to_owned()));

    for (n, ends) in [RefundState::Paid, RefundState::Planned].into_iter().enumerate() {
        let answer = ask_refund(&customer, &n.to_string(), Some(USDC), wallet(&payer)).await;
        let refund: Refund = answer.json().await.unwrap();
        until_refund_is(&customer, refund.id, &[ends]).await;
    }
    let stopped = "lull_payouts_stopped{code=\"sender_tokens_limit\"} 1";
    until("the alarm", || async { network.metrics().await.contains(stopped).then_some(()) }).await;
    network.kill();
    network = Network::start(folder.path(), &limits);
    until("the alarm after a restart", || async { network.metrics().await.contains(stopped).then_some(()) })
        .await;
    let standing = operate(folder.path(), &["payouts", "status"]);
    assert_eq!(standing["alarm"]["code"], "sender_tokens_limit");
    assert_eq!(
        (&standing["spent_tokens"], &standing["limits"]["tokens_max"]),
        (&1_000_000.into(), &1_500_000.into())
    );
    assert_eq!(standing["treasury"], treasury(folder.path()).address().to_string());
    assert!(standing["balances"]["tokens"].as_u64().unwrap() > 0);

    let standing = operate(folder.path(), &["payouts", "resume", "--tokens-max", "2000000"]);
    assert_eq!(
        (&standing["alarm"], &standing["limits"]["tokens_max"]),
        (&serde_json::Value::Null, &2_000_000.into())
    );
    until_refund_is(&here(&network), 2, &[RefundState::Paid]).await;
    assert!(!network.metrics().await.contains("sender_tokens_limit"));
    let ledger = Ledger::of(&network);
    assert_eq!(ledger.held(payer.address()).await, 7 * USDC);
}

#[tokio::test]
async fn who_pays_on_no_chain_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::start(folder.path(), &[]);
    let customer = network.add_customer("Ada", 5_000_000);
    let answer = customer.request(Method::POST, "/v1/deposits").json(&NewDeposit::default()).send().await;
    assert_eq!(refusal(answer.unwrap()).await, (422, "no_payouts".to_owned()));
    let refused = ask_refund(&customer, "x", None, wallet(&Key::from_bytes(&[5; 32]))).await;
    assert_eq!(refusal(refused).await, (422, "no_payouts".to_owned()));
    let answer = customer.request(Method::POST, "/solana").body("{}").send().await.unwrap();
    assert_eq!(refusal(answer).await, (404, "path_unknown".to_owned()));
    assert_eq!(customer.json::<serde_json::Value>("/epochs").await, serde_json::json!([]));
}
