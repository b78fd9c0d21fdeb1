//! From a job to a wallet: a real worker earns, its network lists it, and Solana pays it.

use anyhow::{Context, Result, bail, ensure};
use lull_network::data_dir::DataDir;
use lull_settlement::chain::Address;
use lull_settlement::chain::rpc::Rpc;
use lull_settlement::publication;
use lull_tests::{Machine, Network, Phone, eventually, spin_task};
use lull_types::{PaidFrom, WalletAddress};
use lull_worker_api::{Command, Reply};

use crate::ground::Ground;

/// Of a job's one task, so that no epoch ends in the middle of it.
const PRICE: u64 = 6_000;
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
    let phone = Phone::new(&[5; 32], validator.url())?;
    let wallet = prove(&machine, &phone).await?;
    let (purse, _) = ground.place.token_account(wallet).context("no address")?;

    // What is earned next is paid on top of what was: a claim is of a lifetime.
    let mut lifetime = 0;
    for (round, fee) in (1u32..).zip(FEES) {
        let id = customer.submit(&format!("round {round}"), &[spin_task(round, 16, 100)], PRICE).await?;
        let job = customer.finished(id).await?;
        ensure!(job.tasks_done == 1, "{job:?}");
        lifetime += PRICE - fee;
        let mut held = 0;
        let arrived = eventually("the payout", async || {
            held = ground.tokens(&rpc, &purse).await?;
            Ok((held == lifetime).then_some(()))
        });
        let arrived = arrived.await;
        arrived.with_context(|| format!("{held} arrived of {lifetime}; {}", network.log_tail()))?;
    }

    let account = ground.account(&rpc).await?;
    let file = std::fs::File::open(data.join("epochs").join(format!("{}.epoch", account.epoch)))?;
    let (header, leaves) = publication::read(std::io::BufReader::new(file))?;
    ensure!(header.root == account.root, "another root is published than posted");
    let [leaf] = leaves.as_slice() else { anyhow::bail!("{leaves:?}") };
    ensure!((leaf.wallet, leaf.lifetime.0) == (wallet, lifetime), "{leaf:?}");
    ground.agrees(&rpc, leaves.as_slice()).await?;

    // The network's books say the same, once they have heard of it, and sum to zero.
    machine.until("every receipt", |snapshot| snapshot.earnings.receipts == 2).await?;
    ensure!(machine.verified_receipts().await? == (2, 2 * PRICE), "each task is earned once");
    let paid = machine.until("the payout's end", |snapshot| snapshot.earnings.paid.0 == lifetime).await?;
    ensure!(paid.earnings.payable.0 == 0 && paid.earnings.held.0 == 0, "{:?}", paid.earnings);
    let accounts = network.metrics().await?;
    let balances = accounts.iter().filter(|(name, _)| name.starts_with("lull_ledger_base_units{"));
    ensure!(balances.map(|(_, balance)| *balance).sum::<f64>() == 0.0, "{accounts:?}");
    Ok(())
}

/// The wallet's holder has a phone read the code that the worker shows.
async fn prove(machine: &Machine, phone: &Phone) -> Result<WalletAddress> {
    phone.fill(1_000_000_000).await?;
    let wallet = phone.address()?;
    machine.order(Command::SetWallet { address: Some(wallet.to_string()) }).await?;
    let Reply::WalletRequest { url, .. } = machine.order(Command::ProveWalletByPhone).await? else {
        bail!("no request")
    };
    phone.scan(&url).await?;
    let proven = machine.until("the proof", |snapshot| {
        let standing = snapshot.wallet_standing.as_ref();
        standing.is_some_and(|standing| standing.paid_from(wallet) == Some(PaidFrom::Now))
    });
    proven.await?;
    Ok(wallet)
}
