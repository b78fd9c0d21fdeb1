//! `lull-worker payouts`: how they stand, and checks of them.

use std::process::ExitCode;

use clap::Subcommand;
use lull_types::{BaseUnits, Fault, NextPayout, Payout, PayoutStage, PayoutStanding};
use lull_worker_api::{Command, Finding, PayoutCheck, Reply, Subject};

use super::remote::{command, connect, snapshot, unexpected};
use super::{say, say_json, text};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<PayoutsCommand>,
}

#[derive(Debug, Subcommand)]
enum PayoutsCommand {
    /// Check a payout against Solana and your receipts; without a number, what the newest epoch lists for you.
    Verify {
        /// Its number in the list.
        id: Option<u64>,
        /// The result in JSON.
        #[arg(long)]
        json: bool,
    },
    /// From how much on payouts are sent to you.
    Threshold {
        /// An amount in USDC, such as 5 or 0.25; or `claim-myself`, to have none sent.
        amount: Threshold,
    },
    /// Claim what the newest epoch lists for you.
    Claim,
    /// Check and write the outcome with all that it rests on to a file.
    Evidence {
        /// Its number in the list; without it, what the newest epoch lists.
        id: Option<u64>,
    },
}

/// Payouts in the list.
const SHOWN: u32 = 20;

pub(super) async fn run(args: Args) -> Result<ExitCode, Fault> {
    match args.command {
        None => show().await,
        Some(PayoutsCommand::Verify { id, json }) => verify(id, json).await,
        Some(PayoutsCommand::Threshold { amount }) => {
            command(&connect().await?, Command::SetPayoutThreshold { least: amount.0 }).await?;
            say("The network was told; “lull-worker payouts” shows what it makes of it.");
            Ok(ExitCode::SUCCESS)
        }
        Some(PayoutsCommand::Claim) => claim().await,
        Some(PayoutsCommand::Evidence { id }) => {
            match command(&connect().await?, Command::ExportEvidence { payout: id }).await? {
                Reply::Exported { path } => say(path),
                _ => return Err(unexpected()),
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}

async fn show() -> Result<ExitCode, Fault> {
    let client = connect().await?;
    let snapshot = snapshot(&client).await?;
    let earnings = &snapshot.earnings;
    say(format!(
        "Earned {} USDC in all: {} held, {} payable, {} paid.",
        earnings.all_time, earnings.held, earnings.payable, earnings.paid
    ));
    match &snapshot.payouts {
        Some(standing) => lines(standing).into_iter().for_each(say),
        None => say("The network has not said how it pays; it does so once the worker is connected."),
    }
    match command(&client, Command::Payouts { limit: SHOWN }).await? {
        Reply::Payouts(payouts) => payouts.iter().map(row).for_each(say),
        _ => return Err(unexpected()),
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(id: Option<u64>, json: bool) -> Result<ExitCode, Fault> {
    match command(&connect().await?, Command::VerifyPayout { payout: id }).await? {
        Reply::PayoutChecked(check) => {
            if json {
                say_json(&check)?;
            } else {
                check_lines(&check).into_iter().for_each(say);
            }
            Ok(if check.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => Err(unexpected()),
    }
}

async fn claim() -> Result<ExitCode, Fault> {
    match command(&connect().await?, Command::ClaimPayout).await? {
        Reply::Claimed { signature } => say(format!("Sent as {signature}; it is final within a minute.")),
        Reply::WalletPage { url } => {
            say("Open this page in the browser on this machine that has your wallet:");
            say(url);
        }
        _ => return Err(unexpected()),
    }
    Ok(ExitCode::SUCCESS)
}

/// How payouts stand, in lines.
fn lines(standing: &PayoutStanding) -> Vec<String> {
    let mut lines = vec![match &standing.next {
        NextPayout::NoChain => "This network pays on no chain.".to_owned(),
        NextPayout::NoWallet => {
            "Nothing is paid: there is no wallet. “lull-worker wallet set” or “wallet prove” gives one.".to_owned()
        }
        NextPayout::WalletUnproven => {
            "Nothing is paid: nobody has signed for the wallet. “lull-worker wallet prove” opens a page for that."
                .to_owned()
        }
        NextPayout::ByContributor => {
            "The network sends nothing, as you wished; “lull-worker payouts claim” claims.".to_owned()
        }
        NextPayout::BelowThreshold { missing } => format!("The next payout is sent when {missing} USDC more are payable."),
        NextPayout::AtEpoch { at, amount } => {
            format!("The next payout, {amount} USDC, is sent after {}.", text::local(*at))
        }
        NextPayout::UnderWay => "A payout is under way.".to_owned(),
        NextPayout::Stopped => {
            "The network has stopped its payouts until a person has looked at them; nothing is lost.".to_owned()
        }
        NextPayout::Nothing => "There is nothing to pay yet.".to_owned(),
    }];
    lines.push(match standing.threshold {
        Some(least) => format!("  sent from {least} USDC on; it costs {} USDC", standing.fee_next),
        None => "  you claim by yourself, at the chain’s own fee".to_owned(),
    });
    if let Some(place) = &standing.place {
        lines.push(format!("  on {}, account {}", text::plain(&place.cluster), place.account));
    }
    if let Some(anchored) = &standing.anchored {
        lines.push(format!("  epoch {} is on the chain since {}", anchored.epoch, text::local(anchored.at)));
    }
    for listed in &standing.wallets {
        lines.push(format!("  {}: {} listed, {} paid", listed.wallet, listed.lifetime, listed.paid));
    }
    lines
}

fn row(payout: &Payout) -> String {
    let stage = match payout.stage {
        PayoutStage::Planned => "planned",
        PayoutStage::Signed => "signed",
        PayoutStage::Sent => "sent",
        PayoutStage::Confirmed => "arrived",
        PayoutStage::Failed => "failed",
        PayoutStage::Expired => "expired",
    };
    let signature = payout.signature.map_or_else(
        || if payout.stage == PayoutStage::Confirmed { "claimed by you".to_owned() } else { String::new() },
        |signature| signature.to_string(),
    );
    format!("{:>6}  {}  {} USDC  {stage}  {signature}", payout.id, text::local(payout.at), payout.amount)
}

/// The outcome of a check, in lines.
fn check_lines(check: &PayoutCheck) -> Vec<String> {
    let whose = if check.endpoint_is_networks {
        "the network’s own; choose another in the settings to depend on nobody’s word but the chain’s"
    } else {
        "your choice"
    };
    let mut lines = vec![format!("By {} ({whose})", text::plain(&check.endpoint))];
    for fact in &check.facts {
        let finding = match fact.finding {
            Finding::Holds => "holds",
            Finding::Wrong => "WRONG",
            Finding::Unknown => "not known",
        };
        let subject = match fact.subject {
            Subject::Transaction => "transaction",
            Subject::Program => "program",
            Subject::Mint => "token",
            Subject::Amount => "amount",
            Subject::Destination => "destination",
            Subject::Path => "proof",
            Subject::Root => "root",
            Subject::Receipts => "receipts",
        };
        lines.push(format!("  {subject:<12}{finding:<10}{}", text::plain_sentence(&fact.found)));
        if fact.finding == Finding::Wrong {
            lines.push(format!("  {:<22}expected {}", "", text::plain_sentence(&fact.expected)));
        }
    }
    lines.push(match &check.fault {
        Some(fault) => format!("  WRONG: {} [{}]", fault.sentence, fault.code),
        None if check.facts.iter().all(|fact| fact.finding == Finding::Holds) => {
            "  everything holds".to_owned()
        }
        None => "  nothing is wrong, as far as this endpoint says".to_owned(),
    });
    lines
}

/// A threshold as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Threshold(Option<BaseUnits>);

impl std::str::FromStr for Threshold {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "claim-myself" {
            return Ok(Self(None));
        }
        let none =
            || "an amount in USDC with at most six decimals, such as 5 or 0.25; or claim-myself".to_owned();
        let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || decimals.len() > 6 {
            return Err(none());
        }
        let whole: u64 = whole.parse().map_err(|_| none())?;
        let decimals: u64 = format!("{decimals:0<6}").parse().map_err(|_| none())?;
        let sum = whole.checked_mul(1_000_000).and_then(|whole| whole.checked_add(decimals));
        sum.map(|sum| Self(Some(BaseUnits(sum)))).ok_or_else(none)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read() {
        let read =
            |text: &str| text.parse::<Threshold>().ok().map(|threshold| threshold.0.map(|least| least.0));
        for (text, expected) in [
            ("5", Some(Some(5_000_000))),
            ("0.25", Some(Some(250_000))),
            ("0.000001", Some(Some(1))),
            ("claim-myself", Some(None)),
            ("0.0000001", None),
            ("-1", None),
            ("+1", None),
            ("1e3", None),
            (".5", None),
            ("5.", None),
            ("", None),
            ("99999999999999999999", None),
            ("18446744073710", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
