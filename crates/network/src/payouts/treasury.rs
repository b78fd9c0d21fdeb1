//! The key that pays, and where it is kept: a file that only this user can read, or the system's keychain. Never in the
//! records, never in the log.

use std::path::{Path, PathBuf};

use lull_settlement::chain::Address;
use lull_settlement::compose::{Key, KeyFileError, Place};
use lull_settlement::epoch::associated_token_account;
use lull_types::Coded;

/// Names the keychain's entries.
const KEYCHAIN_SERVICE: &str = "lull-network treasury";

/// Who pays.
#[derive(Clone, Debug)]
pub struct Treasury {
    /// Pays fees and is the network's authority.
    pub key: Key,
    /// Its account of the network's token, into which customers pay and from which the vault is filled.
    pub purse: Address,
}

/// The key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TreasuryError {
    /// The file cannot be read.
    #[error("the treasury's key {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others may read the file.
    #[error("others on this machine can read the treasury's key {}; run `chmod 600` on it", .0.display())]
    Exposed(PathBuf),
    /// It holds no key.
    #[error(transparent)]
    Malformed(#[from] KeyFileError),
    /// The keychain has no such entry, or is locked.
    #[error("the system's keychain gives no key under the name {name:?}: {reason}")]
    Keychain {
        /// Which entry.
        name: String,
        /// What the keychain said.
        reason: String,
    },
    /// No address follows from it, which happens to one key in 2²⁵⁶.
    #[error("this key has no token account; make another key")]
    NoPurse,
}

impl Coded for TreasuryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "treasury_unreadable",
            Self::Exposed(_) => "treasury_exposed",
            Self::Malformed(error) => error.code(),
            Self::Keychain { .. } => "treasury_keychain",
            Self::NoPurse => "treasury_without_purse",
        }
    }
}

impl Treasury {
    /// The treasury of a key.
    pub fn of(key: Key, place: &Place) -> Result<Self, TreasuryError> {
        let owner = key.address();
        let (purse, _) = associated_token_account(owner.as_array(), place.mint.as_array())
            .ok_or(TreasuryError::NoPurse)?;
        Ok(Self { key, purse: Address::new_from_array(purse) })
    }
}

/// Reads a key: `keychain:NAME`, or the path of a file as `solana-keygen` writes it.
///
/// # Errors
/// [`TreasuryError`].
pub fn read_key(source: &str) -> Result<Key, TreasuryError> {
    if let Some(name) = source.strip_prefix("keychain:") {
        let failed = |error: keyring::Error| TreasuryError::Keychain {
            name: name.to_owned(),
            reason: error.to_string(),
        };
        let entry = keyring::Entry::new(KEYCHAIN_SERVICE, name).map_err(failed)?;
        let text = zeroize::Zeroizing::new(entry.get_password().map_err(failed)?);
        return Ok(Key::from_json(&text)?);
    }
    let path = Path::new(source);
    let unreadable = |source| TreasuryError::Unreadable { path: path.to_owned(), source };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(TreasuryError::Exposed(path.to_owned()));
        }
    }
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    Ok(Key::from_json(&text)?)
}
