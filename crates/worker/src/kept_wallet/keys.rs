//! Where the secrets of wallets are: in the system's keychain, or in files where a person said so.

use std::fmt;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lull_settlement::compose::Key;
use lull_types::{Coded, Signature, WalletAddress};
use zeroize::Zeroizing;

use super::words::{WalletWords, WordsError};
use crate::atomic::{self, IfThere};
use crate::keychain::{self, KEYCHAIN_ENV, Keychain};
use crate::paths::{self, Paths};

/// Whoever asked for this stands before the screen and may have to type the keychain's password; a client of the worker
/// waits for a minute.
const KEYCHAIN_TIMEOUT: Duration = Duration::from_secs(40);

/// What is kept begins with its version: 1 is followed by the 16 or 32 bytes that the words stand for.
const VERSION: u8 = 1;

/// Why a wallet cannot be kept, or its key not be had.
#[derive(Debug, thiserror::Error)]
pub enum KeptWalletError {
    /// There is no keychain, and nobody said that a file will do.
    #[error(
        "this system has no keychain for the key of a wallet, and a key that holds money is not put into a file \
         unasked; use the address of a wallet that you have, or start the worker with {KEYCHAIN_ENV}=file to have the \
         key in a file that only you can read"
    )]
    NoKeychain,
    /// The keychain does not do it.
    #[error("the place of this wallet's key does not answer: {reason}; unlock the keychain and try again")]
    Unavailable {
        /// Its word on it.
        reason: String,
    },
    /// The key is not where it was put.
    #[error(
        "the key of the wallet {0} is no longer on this machine; take the wallet over again by its words, which nobody \
         has but you"
    )]
    Lost(WalletAddress),
    /// Words, typed or kept.
    #[error(transparent)]
    Words(#[from] WordsError),
    /// No wallet is kept.
    #[error("no wallet is kept on this machine; make one, or take one over by its words")]
    Nothing,
    /// Another one is.
    #[error(
        "the wallet {0} is kept on this machine already; export its words, then remove it with “lull-worker wallet \
         forget”, and try again"
    )]
    Another(WalletAddress),
    /// The words that were typed are another wallet's.
    #[error(
        "these are the words of another wallet than the one that is kept; compare them with what you wrote down"
    )]
    Differ,
}

impl Coded for KeptWalletError {
    fn code(&self) -> &'static str {
        match self {
            Self::NoKeychain => "wallet_no_keychain",
            Self::Unavailable { .. } => "wallet_key_unavailable",
            Self::Lost(_) => "wallet_key_lost",
            Self::Words(error) => error.code(),
            Self::Nothing => "wallet_none_kept",
            Self::Another(_) => "wallet_kept_already",
            Self::Differ => "wallet_words_differ",
        }
    }
}

/// Where keys of wallets go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The system's keychain.
    Keychain,
    /// Files in this folder, because a person said so.
    Folder(PathBuf),
    /// There is no place for them.
    Nowhere,
}

/// The secrets of wallets on this machine, each under its wallet's address; clones share them.
#[derive(Clone)]
pub struct WalletKeys {
    place: Place,
    keychain: Option<Arc<dyn Keychain>>,
    timeout: Duration,
}

impl fmt::Debug for WalletKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WalletKeys").field("place", &self.place).finish_non_exhaustive()
    }
}

impl WalletKeys {
    /// Those of this user and data folder. A file is a place for them only where the environment says so.
    pub fn of_system(paths: &Paths) -> Self {
        if keychain::files_are_wanted() {
            let folder = paths.wallet_keys();
            return Self::new(Place::Folder(folder.clone()), Some(folder_keychain(folder)));
        }
        match keychain::system_for_wallets() {
            Some(keychain) => Self::with(keychain),
            None => Self::nowhere(),
        }
    }

    /// No place for them.
    pub(super) fn nowhere() -> Self {
        Self::new(Place::Nowhere, None)
    }

    /// Those in this keychain.
    pub fn with(keychain: impl Keychain) -> Self {
        Self::new(Place::Keychain, Some(Arc::new(keychain)))
    }

    fn new(place: Place, keychain: Option<Arc<dyn Keychain>>) -> Self {
        Self { place, keychain, timeout: KEYCHAIN_TIMEOUT }
    }

    /// The same, which waits no longer than this.
    #[cfg(test)]
    pub(super) fn within(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Where they are.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The key of a wallet, if it is kept here: to sign something with it, and to be dropped then.
    ///
    /// # Errors
    /// When the keychain does not answer or what it holds is damaged.
    pub async fn key(&self, wallet: WalletAddress) -> Result<Option<Key>, KeptWalletError> {
        Ok(self.words(wallet).await?.map(|words| words.key()))
    }

    /// Signs as a wallet that is kept here.
    ///
    /// # Errors
    /// As [`Self::key`], and when the key is not here.
    pub async fn sign(&self, wallet: WalletAddress, message: &[u8]) -> Result<Signature, KeptWalletError> {
        let key = self.key(wallet).await?.ok_or(KeptWalletError::Lost(wallet))?;
        Ok(Signature(key.sign(message).into()))
    }

    /// The words of a wallet, if it is kept here.
    ///
    /// # Errors
    /// As [`Self::key`].
    pub async fn words(&self, wallet: WalletAddress) -> Result<Option<WalletWords>, KeptWalletError> {
        if self.keychain.is_none() {
            return Ok(None);
        }
        let name = name(wallet);
        let Some(secret) = self.ask(move |keychain| keychain.get(&name)).await?.map(Zeroizing::new) else {
            return Ok(None);
        };
        let words = match secret.split_first() {
            Some((&VERSION, entropy)) => WalletWords::from_entropy(entropy)?,
            Some(_) | None => return Err(WordsError::Damaged.into()),
        };
        // A key that is another one's must sign nothing.
        match words.address() {
            Ok(address) if address == wallet => Ok(Some(words)),
            Ok(_) | Err(_) => Err(WordsError::Damaged.into()),
        }
    }

    /// Keeps a wallet, and reads it back. Gives its address.
    ///
    /// # Errors
    /// When there is no place for it, or the place did not keep it.
    pub(super) async fn keep(&self, words: &WalletWords) -> Result<WalletAddress, KeptWalletError> {
        let wallet = words.address().map_err(|_| WordsError::Damaged)?;
        let mut secret = Zeroizing::new(vec![VERSION]);
        secret.extend_from_slice(&words.entropy());
        let name = name(wallet);
        self.ask(move |keychain| keychain.set(&name, &secret)).await?;
        match self.words(wallet).await? {
            Some(_) => Ok(wallet),
            None => {
                let reason = "it did not keep the key".to_owned();
                Err(KeptWalletError::Unavailable { reason })
            }
        }
    }

    /// Removes a wallet from this machine; one that is not there is removed already.
    ///
    /// # Errors
    /// When the keychain does not answer.
    pub(super) async fn remove(&self, wallet: WalletAddress) -> Result<(), KeptWalletError> {
        if self.keychain.is_none() {
            return Ok(());
        }
        let name = name(wallet);
        self.ask(move |keychain| keychain.remove(&name)).await
    }

    /// Asks the keychain on a thread that may wait.
    async fn ask<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&dyn Keychain) -> Result<T, String> + Send + 'static,
    ) -> Result<T, KeptWalletError> {
        let keychain = self.keychain.clone().ok_or(KeptWalletError::NoKeychain)?;
        let timeout = self.timeout;
        let asked = tokio::task::spawn_blocking(move || keychain::bounded(timeout, move || ask(&*keychain)));
        asked
            .await
            .map_err(|error| error.to_string())
            .and_then(|answer| answer)
            .map_err(|reason| KeptWalletError::Unavailable { reason })
    }
}

/// Under which name a wallet's secret is kept; also that of a file.
fn name(wallet: WalletAddress) -> String {
    format!("wallet-{wallet}")
}

pub(super) fn folder_keychain(folder: PathBuf) -> Arc<dyn Keychain> {
    Arc::new(Folder(folder))
}

/// Secrets in files that only this user can read, for servers and tests.
struct Folder(PathBuf);

impl Keychain for Folder {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let path = self.0.join(name);
        let secret = match fs::read(&path) {
            Ok(secret) => secret,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(&path).map_err(|error| error.to_string())?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(format!("others can read {}; make it private (chmod 600)", path.display()));
            }
        }
        Ok(Some(secret))
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        paths::create_private(&self.0)
            .and_then(|()| atomic::write(&self.0.join(name), secret, IfThere::Replace))
            .map_err(|error| format!("{}: {error}", self.0.display()))
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(format!("{}: {error}", path.display()))
            }
            _ => Ok(()),
        }
    }
}
