//! Pages that are opened in the contributor's browser: the worker's own, on which their wallet signs, and a
//! transaction's in a block explorer.

use lull_types::{Fault, TransactionSignature};
use serde::Deserialize;

/// Opens the worker's page in the system's browser, and nothing else.
#[tauri::command]
pub async fn open_wallet_page(url: String) -> Result<(), Fault> {
    if !is_wallet_page(&url) {
        return Err(Fault::new("page_elsewhere", "Only the worker's own page is opened from here."));
    }
    open(&url)
}

/// A ledger that the explorer knows. Of any other it has no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExplorerCluster {
    /// Where tokens have value.
    Mainnet,
    /// For developers.
    Devnet,
    /// For those who run validators.
    Testnet,
}

/// Opens a transaction's page on explorer.solana.com in the system's browser. The window names the transaction and not
/// the page, so that it can have no other opened.
#[tauri::command]
pub async fn open_explorer(cluster: ExplorerCluster, signature: TransactionSignature) -> Result<(), Fault> {
    open(&explorer_page(cluster, &signature))
}

fn explorer_page(cluster: ExplorerCluster, signature: &TransactionSignature) -> String {
    let cluster = match cluster {
        ExplorerCluster::Mainnet => "mainnet-beta",
        ExplorerCluster::Devnet => "devnet",
        ExplorerCluster::Testnet => "testnet",
    };
    format!("https://explorer.solana.com/tx/{signature}?cluster={cluster}")
}

fn open(url: &str) -> Result<(), Fault> {
    tauri_plugin_opener::open_url(url, None::<&str>).map_err(|error| {
        let sentence = format!("No browser could be opened: {error}. Open this address in one: {url}");
        Fault::new("browser_failed", sentence)
    })
}

/// Whether it is an address as the worker makes them: `http://127.0.0.1:PORT/SECRET/`.
fn is_wallet_page(url: &str) -> bool {
    let parts =
        url.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix('/')?.split_once('/'));
    parts.is_some_and(|(port, secret)| {
        port.parse::<u16>().is_ok()
            && secret.len() == 32
            && secret.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_workers_page_is_opened() {
        let secret = "00112233445566778899aabbccddeeff";
        assert!(is_wallet_page(&format!("http://127.0.0.1:41234/{secret}/")));
        for url in [
            "https://lull.example/".to_owned(),
            "file:///etc/passwd".to_owned(),
            format!("http://127.0.0.1:41234@lull.example/{secret}/"),
            format!("http://127.0.0.1:99999/{secret}/"),
            format!("http://127.0.0.1:41234/{secret}/more/"),
            format!("http://127.0.0.1:41234/{}/", &secret[1..]),
        ] {
            assert!(!is_wallet_page(&url), "{url}");
        }
    }

    /// As the window's words are read.
    fn asked(cluster: &str, signature: &str) -> Option<String> {
        let cluster = serde_json::from_value(cluster.into()).ok()?;
        let signature = serde_json::from_value(signature.into()).ok()?;
        Some(explorer_page(cluster, &signature))
    }

    #[test]
    fn of_the_explorer_only_transactions_of_public_ledgers_are_opened() {
        let signature = TransactionSignature([9; 64]).to_string();
        for (cluster, named) in [("mainnet", "mainnet-beta"), ("devnet", "devnet"), ("testnet", "testnet")] {
            let page = format!("https://explorer.solana.com/tx/{signature}?cluster={named}");
            assert_eq!(asked(cluster, &signature), Some(page));
        }
        for cluster in ["practice", "mainnet-beta", "", "custom&customUrl=https://lull.example"] {
            assert_eq!(asked(cluster, &signature), None, "{cluster}");
        }
        let longer = format!("{signature}?cluster=custom");
        for signature in ["", "../address/abc", &signature[2..], longer.as_str(), "https://lull.example/"] {
            assert_eq!(asked("mainnet", signature), None, "{signature}");
        }
    }
}
