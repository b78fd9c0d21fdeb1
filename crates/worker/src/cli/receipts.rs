//! `lull-worker receipts verify`: offline, from the journal or from an exported file.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lull_checks::receipts;
use lull_settlement::publication;
use lull_types::{BaseUnits, ChainAddress, Coded, Fault};
use lull_worker_api::ReceiptsCheck;

use super::{paths, say, say_json};
use crate::local_api::{RECEIPT_BUNDLE_VERSION, ReceiptBundle, verify as recompute};
use crate::shell::Store;

/// A receipt takes about 1.5 KB in an export; this is several hundred thousand of them.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

pub(super) async fn verify(
    file: Option<PathBuf>,
    epoch: Option<PathBuf>,
    json: bool,
) -> Result<ExitCode, Fault> {
    let bundle = match file {
        Some(file) => {
            let read = tokio::task::spawn_blocking(move || read(&file)).await;
            read.map_err(|error| Fault::new("internal", error.to_string()))??
        }
        None => held().await?,
    };
    let worker = bundle.worker;
    let networks = bundle.networks.len();
    let checked = tokio::task::spawn_blocking(move || {
        let listed = epoch.map(|epoch| listed_in(&epoch, &bundle)).transpose()?;
        Ok::<_, Fault>((recompute(bundle), listed))
    });
    let (mut check, listed) = checked.await.map_err(|error| Fault::new("internal", error.to_string()))??;
    if let Some(listed) = &listed
        && let Some(fault) = &listed.fault
    {
        check.fault.get_or_insert(fault.clone());
    }
    if json {
        say_json(&check)?;
    } else {
        say(format!("Receipts of worker {} from {networks} network(s)", worker.short()));
        listed.iter().flat_map(|listed| &listed.lines).for_each(say);
        lines(&check).into_iter().for_each(say);
    }
    Ok(if check.fault.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The outcome of a check, in lines.
pub(super) fn lines(check: &ReceiptsCheck) -> Vec<String> {
    let mut lines = vec![format!(
        "  {} receipts and {} signatures recomputed, {} earned",
        check.receipts, check.signatures, check.total
    )];
    lines.push(match &check.fault {
        None => "  everything holds".to_owned(),
        Some(fault) => format!("  WRONG: {} [{}]", fault.sentence, fault.code),
    });
    lines
}

/// What an epoch lists for a worker, against its receipts.
#[derive(Debug)]
struct Listed {
    lines: Vec<String>,
    fault: Option<Fault>,
}

/// Checks the published file of an epoch, and what it lists for the receipts' worker. That the file is the network's
/// is shown by its root, which must be the one on the chain.
fn listed_in(file: &Path, bundle: &ReceiptBundle) -> Result<Listed, Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::new("epoch_file_unreadable", format!("{} cannot be read: {error}", file.display()))
    };
    let opened = BufReader::new(File::open(file).map_err(unreadable)?);
    let (header, leaves) = publication::of_worker(opened, bundle.worker).map_err(|error| error.fault())?;
    let network = header.anchor.network();
    let receipts = bundle.networks.iter().find(|receipts| receipts.network == network);
    let receipts = receipts.map(|receipts| receipts.receipts.clone()).unwrap_or_default();
    let earned = receipts::verify_all(network, bundle.worker, receipts).total;
    let listed = BaseUnits(leaves.iter().fold(0, |sum, leaf| sum.saturating_add(leaf.lifetime.0)));
    let mut lines = vec![format!(
        "Epoch {} of network {network}: {} leaves, {} USDC in all; the file agrees with itself",
        header.epoch, header.leaves, header.total
    )];
    lines.push(format!(
        "  root {}, to be compared with account {}",
        hex(&header.root),
        ChainAddress(*header.anchor.account())
    ));
    lines.extend(
        leaves.iter().map(|leaf| format!("  {} USDC listed for wallet {}", leaf.lifetime, leaf.wallet)),
    );
    let fault = if leaves.is_empty() {
        Some(Fault::new(
            "not_in_epoch",
            "the epoch lists nothing for this worker; what it had earned by then had no wallet, or was left out",
        ))
    } else if listed > earned {
        Some(Fault::new(
            "epoch_beyond_receipts",
            format!("the epoch lists {listed} USDC for this worker, and its receipts come to {earned}"),
        ))
    } else {
        let rest = BaseUnits(earned.0 - listed.0);
        lines.push(format!("  {rest} USDC of the receipts are not listed in it: later earnings, and fees"));
        None
    };
    Ok(Listed { lines, fault })
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// What this folder's journal holds; read beside a running worker.
async fn held() -> Result<ReceiptBundle, Fault> {
    let store = Store::to_read(paths()?.journal());
    let networks = store.receipts_of_all_networks().await?;
    let worker = networks.iter().flat_map(|(_, receipts)| receipts).map(|r| r.signed.receipt.worker).next();
    let Some(worker) = worker else {
        return Err(Fault::new(
            "no_receipts",
            "this worker holds no receipts yet; they come with accepted tasks",
        ));
    };
    Ok(ReceiptBundle::new(worker, networks))
}

fn read(file: &Path) -> Result<ReceiptBundle, Fault> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Fault::new("receipts_file_unreadable", format!("{} cannot be read: {error}", file.display()))
    };
    let mut text = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(FILE_BYTES_MAX).read_to_end(&mut text))
        .map_err(|error| unreadable(&error))?;
    let bundle: ReceiptBundle = serde_json::from_slice(&text).map_err(|error| unreadable(&error))?;
    if bundle.lull_receipts != RECEIPT_BUNDLE_VERSION {
        let sentence = format!("{} is of another version of Lull; update Lull to check it", file.display());
        return Err(Fault::new("receipts_file_version", sentence));
    }
    Ok(bundle)
}
