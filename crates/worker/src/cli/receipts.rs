//! `lull-worker receipts verify`: offline, from the journal or from an exported file.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use lull_types::Fault;
use lull_worker_api::ReceiptsCheck;

use super::{paths, say, say_json};
use crate::local_api::{RECEIPT_BUNDLE_VERSION, ReceiptBundle, verify as recompute};
use crate::shell::Store;

/// A receipt takes about 1.5 KB in an export; this is several hundred thousand of them.
const FILE_BYTES_MAX: u64 = 1024 * 1024 * 1024;

pub(super) async fn verify(file: Option<PathBuf>, json: bool) -> Result<ExitCode, Fault> {
    let bundle = match file {
        Some(file) => {
            let read = tokio::task::spawn_blocking(move || read(&file)).await;
            read.map_err(|error| Fault::new("internal", error.to_string()))??
        }
        None => held().await?,
    };
    let worker = bundle.worker;
    let networks = bundle.networks.len();
    let check = tokio::task::spawn_blocking(move || recompute(bundle)).await;
    let check = check.map_err(|error| Fault::new("internal", error.to_string()))?;
    if json {
        say_json(&check)?;
    } else {
        say(format!("Receipts of worker {} from {networks} network(s)", worker.short()));
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
