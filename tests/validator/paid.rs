//! From a job to a wallet: a real worker earns, its network lists it, and Solana pays it.

use anyhow::{Context, Result, ensure};
use ed25519_dalek::{Signer, SigningKey};
use lull_network::data_dir::DataDir;
use lull_settlement::chain::Address;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::publication;
use lull_tests::{Machine, Network, eventually, spin_task};
use lull_types::WalletAddress;
use serde_json::{Value, json};

use crate::ground::Ground;

const TASKS: u32 = 4;
const PRICE: u64 = 1_500;
/// At one USDC for a SOL, rents included: 10,000 and 3,041,520 lamports.
const FEES: [u64; 2] = [3_052, 10];

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Solana's validator: cargo xtask validator"]
async fn what_a_worker_earns_arrives_in_its_wallet() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    let ground = Ground::of(DataDir::take(&data)?.key()?);
    let validator = ground.validator().await?;
    let rpc = Rpc::new(&[validator.url()])?;
    let treasury = ground.treasury_file(folder.path())?;
    let program = Address::new_from_array(*ground.place.anchor.program()).to_string();
    let mint = ground.place.mint.to_string();
    let treasury = treasury.to_str().context("a path of text")?;
    let options = [
        ["--solana", validator.url()],
        ["--program", &program],
        ["--mint", &mint],
        ["--treasury", treasury],
        ["--sol-price", "1"],
        ["--payout-threshold", "1000"],
        ["--epoch-minutes", "0.05"],
        ["--audit-minutes", "0"],
    ];
    let network = Network::start_with(data.clone(), options.as_flattened()).await?;
    let customer = network.customer("Ada", 1_000_000).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let holder = SigningKey::from_bytes(&[5; 32]);
    prove(&machine, &holder).await?;
    let wallet = WalletAddress::from_bytes(holder.verifying_key().to_bytes())?;
    let (purse, _) = ground.place.token_account(wallet).context("no address")?;

    // What is earned next is paid on top of what was: a claim is of a lifetime.
    let mut lifetime = 0;
    for (round, fee) in (1..).zip(FEES) {
        let tasks: Vec<_> = (0..TASKS).map(|seed| spin_task(seed, 16, 100)).collect();
        let id = customer.submit(&format!("round {round}"), &tasks, PRICE).await?;
        let job = customer.finished(id).await?;
        lifetime += u64::from(TASKS) * PRICE - fee;
        let mut held = 0;
        let arrived = eventually("the payout", async || {
            held = ground.tokens(&rpc, &purse).await?;
            Ok((held == lifetime).then_some(()))
        });
        let arrived = arrived.await;
        arrived.with_context(|| format!("{held} arrived of {lifetime}; {}", network.log_tail()))?;
        ensure!(job.tasks_done == TASKS, "{job:?}");
    }

    let account = ground.account(&rpc).await?;
    let file = std::fs::File::open(data.join("epochs").join(format!("{}.epoch", account.epoch)))?;
    let (header, leaves) = publication::read(std::io::BufReader::new(file))?;
    ensure!(header.root == account.root, "another root is published than posted");
    let [leaf] = leaves.as_slice() else { anyhow::bail!("{leaves:?}") };
    ensure!((leaf.wallet, leaf.lifetime.0) == (wallet, lifetime), "{leaf:?}");
    ground.agrees(&rpc, leaves.as_slice()).await?;

    // The network's books say the same, once they have heard of it, and sum to zero.
    let rounds = FEES.len() as u64;
    machine.until("every receipt", |snapshot| snapshot.earnings.receipts == TASKS * rounds as u32).await?;
    ensure!(machine.verified_receipts().await? == (TASKS * rounds as u32, rounds * u64::from(TASKS) * PRICE));
    let paid = machine.until("the payout's end", |snapshot| snapshot.earnings.paid.0 == lifetime).await?;
    ensure!(paid.earnings.payable.0 == 0 && paid.earnings.held.0 == 0, "{:?}", paid.earnings);
    let accounts = network.metrics().await?;
    let balances = accounts.iter().filter(|(name, _)| name.starts_with("lull_ledger_base_units{"));
    ensure!(balances.map(|(_, balance)| *balance).sum::<f64>() == 0.0, "{accounts:?}");
    Ok(())
}

/// The wallet's holder signs what the worker's own page shows, as a wallet's browser would have it done.
async fn prove(machine: &Machine, holder: &SigningKey) -> Result<()> {
    let address = bs58::encode(holder.verifying_key().as_bytes()).into_string();
    let (succeeded, printed) = machine.command_line(&["wallet", "prove"]).await?;
    ensure!(succeeded, "{printed}");
    let page = printed.lines().find(|line| line.starts_with("http://127.0.0.1:")).context("no page")?;
    let browser = reqwest::Client::builder().no_proxy().build()?;
    let ask = async |what: &str, body: Value| -> Result<Value> {
        let answer = browser.post(format!("{page}{what}")).json(&body).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    };
    let drawn = ask("state", json!({ "address": address })).await?;
    let text = drawn["text"].as_str().with_context(|| drawn.to_string())?;
    let signature = data_encoding::HEXLOWER.encode(&holder.sign(text.as_bytes()).to_bytes());
    ask("prove", json!({ "nonce": drawn["nonce"], "signature": signature })).await?;
    Ok(())
}
