//! The page on which a wallet is proven: it needs the contributor's browser, where their wallet lives.

use lull_types::Fault;

/// Opens the worker's page in the system's browser, and nothing else.
#[tauri::command]
pub async fn open_wallet_page(url: String) -> Result<(), Fault> {
    if !is_wallet_page(&url) {
        return Err(Fault::new("page_elsewhere", "Only the worker's own page is opened from here."));
    }
    tauri_plugin_opener::open_url(&url, None::<&str>).map_err(|error| {
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
}
