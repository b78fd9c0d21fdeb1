//! Where earnings are paid.

use std::process::ExitCode;

use lull_settlement::qr;
use lull_types::{Coded, Fault, PaidFrom, WalletAddress};
use lull_worker_api::{Command, Reply};

use super::remote::{command, connect, snapshot, unexpected};
use super::{say, text};

pub(super) async fn show() -> Result<ExitCode, Fault> {
    let snapshot = snapshot(&connect().await?).await?;
    if let Some(kept) = &snapshot.kept_wallet {
        say(match kept.confirmed {
            true => format!("The key of the wallet {} is kept on this machine.", kept.address),
            false => format!(
                "The wallet {} was made and is not used yet; “lull-worker wallet confirm” asks for its words.",
                kept.address
            ),
        });
    }
    let Some(standing) = snapshot.wallet_standing else {
        say(format!("You want to be paid to {}.", name(snapshot.wallet)));
        say("The network has not said yet where it pays; it does so once the worker has joined one.");
        return Ok(ExitCode::SUCCESS);
    };
    say(format!("You are paid to {}{}.", name(standing.wallet), proof(standing.wallet, standing.proven)));
    if let Some(next) = standing.next {
        say(format!(
            "From {} on, to {}{}.",
            text::local(next.from),
            name(next.wallet),
            proof(next.wallet, next.proven)
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn set(address: Option<String>) -> Result<ExitCode, Fault> {
    command(&connect().await?, Command::SetWallet { address }).await?;
    say("Written down; “lull-worker wallet show” tells from when on it counts.");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn prove() -> Result<ExitCode, Fault> {
    match command(&connect().await?, Command::ProveWallet).await? {
        Reply::WalletPage { url } => {
            say("Open this page in the browser on this machine that has your wallet:");
            say(url);
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(unexpected()),
    }
}

/// Shows the code and waits until the network has seen its transaction.
pub(super) async fn prove_by_phone() -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let before = snapshot(&client).await?;
    if let Some((wallet, standing)) = before.wallet.zip(before.wallet_standing)
        && standing.paid_from(wallet).is_some()
    {
        say(format!("The wallet {wallet} is proven already."));
        return Ok(ExitCode::SUCCESS);
    }
    let Reply::WalletRequest { wallet, url, expires_at, .. } =
        command(&client, Command::ProveWalletByPhone).await?
    else {
        return Err(unexpected());
    };
    let mut snapshots = client.subscribe().await.map_err(|error| error.fault())?;
    say(format!("Scan this with the wallet on your phone that has {wallet}:"));
    say(qr::for_terminal(&url).map_err(|error| error.fault())?);
    say(&url);
    say(format!(
        "It sends 0.000001 SOL to itself and pays Solana's fee, nothing else. The code is good until {}.",
        text::local(expires_at)
    ));
    // No wallet that people have knows the ledger of a practice network.
    if let Some(place) = before.payouts.and_then(|standing| standing.place)
        && place.cluster == "practice"
        && let Some(endpoint) = place.endpoint
    {
        say(format!(
            "This network's ledger is a practice one that no phone reaches; a program can pay at {endpoint}."
        ));
    }
    say("Waiting for the transaction to be final. Ctrl-C ends the waiting, not the proof.");
    loop {
        let snapshot = snapshots.next().await.map_err(|error| error.fault())?;
        let counts = snapshot.wallet_standing.as_ref().and_then(|standing| standing.paid_from(wallet));
        match counts {
            Some(PaidFrom::Now) => say("Proven."),
            Some(PaidFrom::At(at)) => say(format!("Proven. You are paid there from {} on.", text::local(at))),
            None if snapshot.taken_at > expires_at => {
                let sentence = "No transaction was seen in time; ask for a new code.";
                return Err(Fault::new("wallet_proof_expired", sentence));
            }
            None => continue,
        }
        return Ok(ExitCode::SUCCESS);
    }
}

fn name(wallet: Option<WalletAddress>) -> String {
    wallet.map_or_else(|| "no wallet".to_owned(), |wallet| wallet.to_string())
}

fn proof(wallet: Option<WalletAddress>, proven: bool) -> &'static str {
    match (wallet, proven) {
        (None, _) => "",
        (Some(_), true) => ", which its holder has signed for",
        (Some(_), false) => ", which nobody has proven yet to be yours",
    }
}
