//! A wallet on a phone proves itself by a transaction that it signs for a code.

use anyhow::{Context, Result, ensure};
use lull_tests::{Machine, Network, Phone};
use lull_types::PaidFrom;
use lull_worker_api::{Command, Reply, Snapshot};

/// Slots of 20 ms: what is sent is final within a second.
const QUICK: [&str; 3] = ["--practice", "--slot-ms", "20"];
const SOL: u64 = 1_000_000_000;

fn is_proven(snapshot: &Snapshot) -> bool {
    let of_wanted = snapshot.wallet.zip(snapshot.wallet_standing.as_ref());
    of_wanted.is_some_and(|(wallet, standing)| standing.paid_from(wallet) == Some(PaidFrom::Now))
}

async fn endpoint(machine: &Machine) -> Result<String> {
    let endpoint = |snapshot: &Snapshot| snapshot.payouts.as_ref()?.place.as_ref()?.endpoint.clone();
    let snapshot = machine.until("the ledger", |snapshot| endpoint(snapshot).is_some()).await?;
    endpoint(&snapshot).context("no endpoint")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_proves_its_wallet_through_a_crash() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let network = Network::start_with(folder.path().join("data"), &QUICK).await?;
    let mut machine = Machine::new()?;
    machine.join(network.ticket()).await?;
    let endpoint = endpoint(&machine).await?;
    let (phone, other) = (Phone::new(&[8; 32], &endpoint)?, Phone::new(&[9; 32], &endpoint)?);
    phone.fill(SOL).await?;
    other.fill(SOL).await?;

    let (succeeded, printed) = machine.command_line(&["wallet", "prove", "--qr"]).await?;
    ensure!(!succeeded && printed.contains("wallet_not_set"), "{printed}");
    let wallet = phone.address()?;
    machine.order(Command::SetWallet { address: Some(wallet.to_string()) }).await?;
    let Reply::WalletRequest { wallet: asked, url, picture, .. } =
        machine.order(Command::ProveWalletByPhone).await?
    else {
        anyhow::bail!("no request")
    };
    ensure!(asked == wallet && url.starts_with(&format!("solana:{wallet}?")), "{url}");
    ensure!(picture.contains("<svg") && picture.contains("</svg>"), "{picture}");

    // Somebody else who reads the code signs with another wallet, which proves nothing: had it, the next line would see it.
    other.scan(&url).await?;
    phone.scan(&url).await?;
    // What was paid for counts, though nobody is there when it is final.
    machine.crash().await?;
    machine.start().await?;
    let proven = machine.until("the proof", is_proven).await?;
    ensure!(proven.wallet == Some(wallet), "{:?}", proven.wallet);
    let (succeeded, printed) = machine.command_line(&["wallet", "prove", "--qr"]).await?;
    ensure!(succeeded && printed.contains("already"), "{printed}");

    // From the command line, which waits for it. Put right within the hour, a proven wallet's change waits.
    machine.order(Command::SetWallet { address: Some(other.address()?.to_string()) }).await?;
    let scanned = async {
        let drawn = |snapshot: &Snapshot| {
            snapshot.wallet_proof.as_ref().is_some_and(|proof| proof.reference.is_some())
        };
        machine.until("what is to be signed", drawn).await?;
        // The code of the command line is the last that was asked for; this one replaces it with its equal.
        match machine.order(Command::ProveWalletByPhone).await? {
            Reply::WalletRequest { url, .. } => other.scan(&url).await,
            reply => anyhow::bail!("{reply:?}"),
        }
    };
    let (ended, scanned) = tokio::join!(machine.command_line(&["wallet", "prove", "--qr"]), scanned);
    scanned?;
    let (succeeded, printed) = ended?;
    ensure!(succeeded && printed.contains("Proven. You are paid there from"), "{printed}");
    ensure!(printed.contains("solana:") && printed.contains('█'), "{printed}");
    Ok(())
}
