//! Text that nobody but the contributor may read.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Text that is a secret, such as a word of a wallet: it is wiped from memory when dropped, and no debug output shows it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The text itself: to be shown to its owner, or parsed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for SecretText {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use crate::{Command, Reply};

    #[test]
    fn a_secret_is_sent_as_it_is_and_never_printed() {
        let text = r#"{"command":"confirm_wallet","words":"zoo zoo"}"#;
        let command: Command = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&command).unwrap(), text);
        assert!(!format!("{command:?}").contains("zoo"));
        let address = "GyGKxMyg1p9SsHfm15MkNUu1u9TN2JtTspcdmrtGUdse".parse().unwrap();
        let reply = Reply::WalletWords { address, words: vec!["zoo".into(), "zoo".into()] };
        assert!(serde_json::to_string(&reply).unwrap().contains(r#""words":["zoo","zoo"]"#));
        assert!(!format!("{reply:?}").contains("zoo"));
    }
}
