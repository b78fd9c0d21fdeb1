//! The pages on which a contributor's own wallet signs, in a real browser: from a proof of the wallet to tokens in it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use ed25519_dalek::SigningKey;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::chain::{Address, Chain};
use lull_settlement::epoch::associated_token_account;
use lull_tests::{Customer, Machine, Network, PATIENCE, eventually, spin_task};
use lull_types::{
    BaseUnits, ChainAddress, NextPayout, Payout, PayoutStage, PayoutStanding, WalletAddress, WalletStanding,
};
use lull_worker_api::{Command, PauseFor, Reply, Snapshot, TaskRow, TaskState};

/// Epochs of three seconds. A transaction is good for 150 slots: seven seconds are enough for a browser on a busy machine.
const QUICK: [&str; 7] = ["--practice", "--epoch-minutes", "0.05", "--audit-minutes", "0", "--slot-ms", "50"];

/// What the scripted wallets sign with.
const SECRET: [u8; 32] = [9; 32];

/// Of each of the two tasks of a job.
const PRICE: u64 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_in_a_browser_proves_itself_and_claims() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let network = Network::start_with(folder.path().join("data"), &QUICK).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let wallet = WalletAddress::from_bytes(SigningKey::from_bytes(&SECRET).verifying_key().to_bytes())?;
    machine.order(Command::SetPayoutThreshold { least: None }).await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let url = page(&machine, Command::ProveWallet).await?;
    let proving = async {
        play(&["--play", "bare", "--url", &url]).await?;
        play(&["--play", "prove", "--url", &url]).await
    };
    let (first, ()) = tokio::try_join!(earn(&machine, &customer, "the first job"), proving)?;
    machine.until("the proof", |snapshot| is_proven(snapshot, wallet)).await?;

    let listed = machine.until("what is listed", |snapshot| is_listed(snapshot, wallet, first)).await?;
    ensure!(payouts(&listed).next == NextPayout::ByContributor, "{:?}", listed.payouts);
    let url = page(&machine, Command::ClaimPayout).await?;
    play(&["--play", "claim", "--url", &url, "--amount", &first.to_string()]).await?;
    machine.until("the first claim", |snapshot| claims(snapshot).count() == 1).await?;

    // What is earned after that goes by a wallet that sends by itself.
    let all = earn(&machine, &customer, "the second job").await?;
    let listed = machine.until("more that is listed", |snapshot| is_listed(snapshot, wallet, all)).await?;
    let second = all.minus(first)?;
    let place = payouts(&listed).place.as_ref().context("no place")?;
    let endpoint = place.endpoint.as_deref().context("no endpoint")?;
    let url = page(&machine, Command::ClaimPayout).await?;
    play(&["--play", "send", "--url", &url, "--amount", &second.to_string(), "--endpoint", endpoint]).await?;
    let claimed = machine.until("the second claim", |snapshot| claims(snapshot).count() == 2).await?;

    let came: Vec<_> = claims(&claimed).map(|claim| (claim.wallet, claim.amount, claim.fee)).collect();
    assert_eq!(came, [(wallet, second, BaseUnits::ZERO), (wallet, first, BaseUnits::ZERO)]);
    for claim in claims(&claimed) {
        let (holds, printed) = machine.command_line(&["payouts", "verify", &claim.id.to_string()]).await?;
        ensure!(holds, "{printed}");
    }
    assert_eq!(held(endpoint, place.mint, wallet).await?, all);
    Ok(())
}

/// What a wallet holds, by the chain.
async fn held(endpoint: &str, mint: ChainAddress, wallet: WalletAddress) -> Result<BaseUnits> {
    let (purse, _) =
        associated_token_account(wallet.as_bytes(), &mint.0).context("the wallet has no account")?;
    let account = Rpc::new(&[endpoint])?.token_account(&Address::new_from_array(purse)).await?;
    Ok(account.map_or(BaseUnits::ZERO, |account| account.amount))
}

/// Has the worker do a job and then nothing more; gives what it has earned in all by then. A root that is posted while a
/// claim is on its way voids it, so nothing new may be listed then.
async fn earn(machine: &Machine, customer: &Customer, title: &str) -> Result<BaseUnits> {
    let tasks: Vec<_> = (0..2).map(|seed| spin_task(seed, 16, 100)).collect();
    let job = customer.submit(title, &tasks, PRICE).await?;
    machine.order(Command::Resume { device: None }).await?;
    customer.finished(job).await?;
    pause(machine).await?;
    let accepted = eventually("every verdict", async || {
        let Reply::Tasks(tasks) = machine.order(Command::Tasks { limit: 200 }).await? else {
            bail!("unexpected reply")
        };
        let is_open = |task: &TaskRow| matches!(task.state, TaskState::Open | TaskState::Reported);
        let is_accepted = |task: &&TaskRow| matches!(task.state, TaskState::Accepted { .. });
        Ok((!tasks.iter().any(is_open)).then(|| tasks.iter().filter(is_accepted).count()))
    });
    let accepted = u32::try_from(accepted.await?)?;
    let paid = machine.until("every receipt", |snapshot| snapshot.earnings.receipts == accepted).await?;
    ensure!(paid.earnings.all_time >= BaseUnits(2 * PRICE), "{:?}", paid.earnings);
    Ok(paid.earnings.all_time)
}

/// Practice jobs never run out, and would go on all the time.
async fn pause(machine: &Machine) -> Result<()> {
    machine.order(Command::Pause { duration: PauseFor::UntilRestart, device: None }).await?;
    Ok(())
}

fn is_proven(snapshot: &Snapshot, wallet: WalletAddress) -> bool {
    let counts = |standing: &WalletStanding| standing.proven && standing.wallet == Some(wallet);
    snapshot.wallet == Some(wallet) && snapshot.wallet_standing.as_ref().is_some_and(counts)
}

fn is_listed(snapshot: &Snapshot, wallet: WalletAddress, lifetime: BaseUnits) -> bool {
    let listed = |standing: &PayoutStanding| {
        standing.wallets.iter().any(|listed| listed.wallet == wallet && listed.lifetime == lifetime)
    };
    snapshot.payouts.as_ref().is_some_and(listed)
}

fn payouts(snapshot: &Snapshot) -> &PayoutStanding {
    snapshot.payouts.as_ref().expect("the network has said how it pays")
}

/// What the contributor claimed, as the network found it on the chain.
fn claims(snapshot: &Snapshot) -> impl Iterator<Item = &Payout> {
    let payouts = snapshot.payouts.iter().flat_map(|standing| &standing.payouts);
    payouts.filter(|payout| payout.stage == PayoutStage::Confirmed && payout.signature.is_none())
}

async fn page(machine: &Machine, command: Command) -> Result<String> {
    match machine.order(command).await? {
        Reply::WalletPage { url } => Ok(url),
        reply => bail!("unexpected: {reply:?}"),
    }
}

/// Has a browser with scripted wallets play a part of `e2e/wallet-page.mjs`.
async fn play(arguments: &[&str]) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/wallet-page.mjs");
    let mut node = tokio::process::Command::new("node");
    node.arg(script).args(["--key", &data_encoding::HEXLOWER.encode(&SECRET)]).args(arguments);
    node.stdin(Stdio::null()).kill_on_drop(true);
    let played = tokio::time::timeout(PATIENCE, node.output()).await.context("the browser does not end")?;
    let played = played.context("node is missing; `cargo xtask setup` installs what tests need")?;
    let (printed, complaints) =
        (String::from_utf8_lossy(&played.stdout), String::from_utf8_lossy(&played.stderr));
    ensure!(played.status.success(), "{arguments:?}: {printed}{complaints}");
    Ok(())
}
