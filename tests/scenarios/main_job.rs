//! What a newcomer sees, and what a customer gets.

use anyhow::{Context, Result, ensure};
use ed25519_dalek::{Signer, SigningKey};
use lull_network_api::customer::JobState;
use lull_tests::{Machine, Network, spin_task, spin_value};
use reqwest::StatusCode;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_newcomer_earns_in_the_terminal() -> Result<()> {
    let machine = Machine::new()?;
    let (succeeded, printed) = machine.command_line(&["run", "--practice", "--tasks", "3"]).await?;
    ensure!(succeeded, "{printed}");
    let (succeeded, verdict) = machine.command_line(&["receipts", "verify"]).await?;
    ensure!(succeeded, "{printed}\n{verdict}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_gets_right_results_and_a_worker_its_pay() -> Result<()> {
    let network = Network::start().await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;

    let tasks: Vec<_> = (0..6).map(|seed| spin_task(seed, 16, 100)).collect();
    let id = customer.submit("six spins", &tasks, 1_500).await?;
    let job = customer.finished(id).await?;
    assert_eq!((job.state, job.tasks_done, job.spent.0, job.reserved.0), (JobState::Done, 6, 9_000, 0));

    let results = customer.results(id).await?;
    assert_eq!(results.len(), 6);
    for result in results {
        let words = customer.blob(result.outputs[0]).await?;
        let expected: Vec<u8> =
            (0..16 * 64).flat_map(|index| spin_value(result.index, index, 100).to_le_bytes()).collect();
        assert!(words == expected, "task {} has a wrong result", result.index);
    }

    machine.until("six receipts", |snapshot| snapshot.earnings.receipts == 6).await?;
    assert_eq!(machine.verified_receipts().await?, (6, 9_000));
    assert_eq!(customer.account().await?.deposit.0, 1_000_000 - 9_000);

    // The customer holds, without asking anyone to be believed, what the worker was paid for.
    let proof = lull_tests::eventually("every countersignature", async || {
        Ok(Some(customer.proof(id).await?).filter(|proof| proof.receipts.len() == 6))
    })
    .await?;
    for receipt in &proof.receipts {
        lull_checks::receipts::verify_countersigned(receipt)?;
    }
    let paid: u64 = proof.receipts.iter().map(|receipt| receipt.signed.leaf.amount.0).sum();
    assert_eq!(paid, 9_000);
    prove_a_wallet(&mut machine).await
}

/// The worker's own page, asked as a wallet's browser would ask it.
async fn prove_a_wallet(machine: &mut Machine) -> Result<()> {
    let holder = SigningKey::from_bytes(&[5; 32]);
    let address = bs58::encode(holder.verifying_key().as_bytes()).into_string();
    let (succeeded, printed) = machine.command_line(&["wallet", "prove"]).await?;
    ensure!(succeeded, "{printed}");
    let url =
        printed.lines().find(|line| line.starts_with("http://127.0.0.1:")).context("no page")?.to_owned();

    let browser = reqwest::Client::builder().no_proxy().build()?;
    assert!(browser.get(&url).send().await?.text().await?.contains("Which wallet is yours?"));
    // Another site whose name points at this machine, and whoever does not know the address.
    let elsewhere = browser.get(&url).header("host", "lull.example").send().await?;
    let secret = url.trim_end_matches('/').rsplit('/').next().context("no secret")?;
    let guessed = browser.get(url.replace(secret, &"0".repeat(32))).send().await?;
    assert_eq!([elsewhere.status(), guessed.status()], [StatusCode::NOT_FOUND; 2]);

    let ask = async |what: &str, body: Value| -> Result<(StatusCode, Value)> {
        let answer = browser.post(format!("{url}{what}")).json(&body).send().await?;
        Ok((answer.status(), answer.json().await?))
    };
    let (status, drawn) = ask("state", json!({ "address": address })).await?;
    let text = drawn["text"].as_str().with_context(|| format!("{status}: {drawn}"))?;
    assert!(text.contains(&address) && text.contains("moves no money"), "{text}");
    let signed = |by: &SigningKey| json!({ "nonce": drawn["nonce"], "signature": hex(&by.sign(text.as_bytes()).to_bytes()) });
    let (status, refused) = ask("prove", signed(&SigningKey::from_bytes(&[6; 32]))).await?;
    assert_eq!((status, &refused["code"]), (StatusCode::CONFLICT, &json!("wallet_signature_wrong")));
    let (status, proven) = ask("prove", signed(&holder)).await?;
    assert_eq!((status, &proven["from"]), (StatusCode::OK, &Value::Null), "{proven}");

    let (_, shown) = machine.command_line(&["wallet", "show"]).await?;
    assert!(shown.contains(&address) && shown.contains("signed for"), "{shown}");
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
