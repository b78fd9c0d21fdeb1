//! From work to tokens in a wallet, as the contributor can check it alone.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use ed25519_dalek::SigningKey;
use lull_tests::{Liar, Machine, Network, spin_task};
use lull_types::{Payout, PayoutStage};
use lull_worker_api::{Command, Finding, PayoutCheck, Reply, SettingsChange, Subject};

/// Epochs of three seconds, slots of 20 ms, and payouts however small: minutes become seconds.
const QUICK: [&str; 9] = [
    "--practice",
    "--epoch-minutes",
    "0.05",
    "--audit-minutes",
    "0",
    "--slot-ms",
    "20",
    "--payout-threshold",
    "1000",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_contributor_is_paid_and_need_not_believe_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let network = Network::start_with(folder.path().join("data"), &QUICK).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let wallet = bs58::encode(SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes()).into_string();
    machine.order(Command::SetWallet { address: Some(wallet) }).await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let tasks: Vec<_> = (0..2).map(|seed| spin_task(seed, 16, 100)).collect();
    customer.submit("two spins", &tasks, 5_000).await?;
    machine.until("a payout that arrived", |snapshot| arrived(snapshot).is_some()).await?;
    let snapshot = machine
        .until("a word of it", |snapshot| {
            snapshot.notices.iter().any(|notice| notice.code == "payout_confirmed")
        })
        .await?;
    let payout = arrived(&snapshot).context("a payout arrived")?.clone();

    // By the chain, over the network's own endpoint; the contributor's choice, as it is on this machine.
    let place = snapshot.payouts.as_ref().and_then(|standing| standing.place.clone()).context("no place")?;
    let endpoint = place.endpoint.context("no endpoint")?;
    choose(&machine, &endpoint).await?;
    let id = payout.id.to_string();
    let (holds, printed) = machine.command_line(&["payouts", "verify", &id]).await?;
    ensure!(holds && printed.contains("everything holds"), "{printed}");
    let (holds, printed) = machine.command_line(&["payouts", "verify"]).await?;
    ensure!(holds, "{printed}");
    let (listed, printed) = machine.command_line(&["payouts"]).await?;
    ensure!(listed && printed.contains(&payout.signature.context("it was sent")?.to_string()), "{printed}");

    // An endpoint that says that less arrived, and one that says nothing.
    let liar = Liar::before(&endpoint, less_arrived).await?;
    choose(&machine, liar.url()).await?;
    let check = verified(&machine, payout.id).await?;
    ensure!(check.fault.as_ref().is_some_and(|fault| fault.code == "payout_other_amount"), "{check:#?}");
    let (holds, printed) = machine.command_line(&["payouts", "verify", &id]).await?;
    ensure!(!holds && printed.contains("WRONG"), "{printed}");
    let silent = Liar::before(&endpoint, |_, _| None).await?;
    choose(&machine, silent.url()).await?;
    let check = verified(&machine, payout.id).await?;
    ensure!(check.fault.is_none(), "{check:#?}");
    let of_the_chain = check.facts.iter().filter(|fact| fact.subject != Subject::Receipts);
    ensure!(
        of_the_chain.clone().count() == 7
            && of_the_chain.clone().all(|fact| fact.finding == Finding::Unknown)
    );

    // For others: evidence, and what needs no worker that runs.
    choose(&machine, &endpoint).await?;
    let (written, path) = machine.command_line(&["payouts", "evidence", &id]).await?;
    let evidence: serde_json::Value = serde_json::from_slice(&std::fs::read(path.trim())?)?;
    ensure!(written && evidence["chain"]["transaction"]["tokens"].is_array(), "{evidence:#}");
    let epochs = network.data().join("epochs");
    let published = std::fs::read_dir(&epochs)?.next().context("an epoch is published")??.path();
    let (holds, printed) =
        machine.command_line(&["receipts", "verify", "--epoch", &text(&published)]).await?;
    ensure!(holds && printed.contains("listed for wallet"), "{printed}");
    statement(&machine, &payout).await
}

async fn statement(machine: &Machine, payout: &Payout) -> Result<()> {
    let file = machine.data().join("statement.csv");
    let year = std::process::Command::new("date").arg("+%Y").output()?;
    let year = String::from_utf8(year.stdout)?;
    let arguments = ["statement", "--year", year.trim(), "--file", &text(&file)];
    let (written, printed) = machine.command_line(&arguments).await?;
    ensure!(written, "{printed}");
    let table = std::fs::read_to_string(&file)?;
    let signature = payout.signature.context("it was sent")?.to_string();
    ensure!(table.lines().any(|row| row.starts_with("payout,") && row.contains(&signature)), "{table}");
    ensure!(table.lines().any(|row| row.starts_with("task,") && row.contains("two spins")), "{table}");
    Ok(())
}

fn arrived(snapshot: &lull_worker_api::Snapshot) -> Option<&Payout> {
    let payouts = &snapshot.payouts.as_ref()?.payouts;
    payouts.iter().find(|payout| payout.stage == PayoutStage::Confirmed && payout.signature.is_some())
}

async fn choose(machine: &Machine, endpoint: &str) -> Result<()> {
    let chain_endpoint = Some(endpoint.to_owned());
    machine
        .order(Command::Configure(Box::new(SettingsChange { chain_endpoint, ..SettingsChange::default() })))
        .await?;
    Ok(())
}

async fn verified(machine: &Machine, payout: u64) -> Result<PayoutCheck> {
    match machine.order(Command::VerifyPayout { payout: Some(payout) }).await? {
        Reply::PayoutChecked(check) => Ok(check),
        reply => anyhow::bail!("unexpected: {reply:?}"),
    }
}

/// Takes a base unit off every balance after a transaction.
fn less_arrived(method: &str, mut answer: serde_json::Value) -> Option<serde_json::Value> {
    if method == "getTransaction" {
        let balances = answer["result"]["meta"]["postTokenBalances"].as_array_mut();
        for balance in balances.into_iter().flatten() {
            let amount = &mut balance["uiTokenAmount"]["amount"];
            let held: u64 = amount.as_str().and_then(|held| held.parse().ok()).unwrap_or(0);
            *amount = held.saturating_sub(1).to_string().into();
        }
    }
    Some(answer)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
