//! The system's keychain, and the device key: in it, or in a file that only this user can read.
//!
//! Once a device key exists it is never replaced. A worker that cannot reach its key says so and stops: with a new
//! key it would be a stranger to its network, and what it earned would belong to nobody.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use lull_types::{Coded, SecretKey};

use crate::atomic::{self, IfThere};
use crate::paths::Paths;

/// `file` keeps the key out of the system's keychain: for servers and tests.
pub const KEYCHAIN_ENV: &str = "LULL_KEYCHAIN";

/// A keychain that is there answers within milliseconds; one that asks its owner to unlock it is given as long
/// as the app shows that it starts.
const KEYCHAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// Under this name the keychain shows the device key to its owner.
const DEVICE_KEY: &str = "Lull device key";

/// Under this name it shows keys of wallets, which hold money and are never the device key.
const WALLET: &str = "Lull wallet";

/// The device key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// The key file is not one.
    #[error(
        "the device key file {} is damaged; restore it from a backup, or remove it to begin as a new worker \
         (what was earned stays with the old key)",
        path.display()
    )]
    Corrupt {
        /// Which file.
        path: PathBuf,
    },
    /// Others can read the key file.
    #[error("the device key file {} can be read by others; make it private (chmod 600)", path.display())]
    Exposed {
        /// Which file.
        path: PathBuf,
    },
    /// The key is in the keychain, and the keychain does not give it.
    #[error(
        "the system's keychain holds this worker's key and does not give it: {reason}; unlock the keychain"
    )]
    KeychainUnavailable {
        /// Its word on it.
        reason: String,
    },
    /// The keychain has lost the key.
    #[error(
        "the system's keychain no longer has this worker's key; restore the keychain, or remove {} to begin as \
         a new worker (what was earned stays with the old key)",
        marker.display()
    )]
    KeychainLost {
        /// What says that it was there.
        marker: PathBuf,
    },
    /// The system gives no randomness for a new key.
    #[error("the system gives no randomness, so no key can be made: {0}")]
    NoRandomness(String),
    /// The file system.
    #[error("the device key cannot be read or written: {0}")]
    Io(#[from] io::Error),
}

impl Coded for KeyStoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "device_key_corrupt",
            Self::Exposed { .. } => "device_key_exposed",
            Self::KeychainUnavailable { .. } => "keychain_unavailable",
            Self::KeychainLost { .. } => "keychain_lost",
            Self::NoRandomness(_) => "no_randomness",
            Self::Io(_) => "device_key_io",
        }
    }
}

/// Somewhere that keeps a secret under a name.
pub trait Keychain: Send + Sync + 'static {
    /// The secret; `None` when there is none of this name.
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String>;
    /// Keeps a secret.
    fn set(&self, name: &str, secret: &[u8]) -> Result<(), String>;
    /// Forgets a secret; one that is not there is forgotten already.
    fn remove(&self, name: &str) -> Result<(), String>;
}

/// The keychain of this system and user, with the entries of one sort.
#[derive(Clone, Copy, Debug)]
pub struct SystemKeychain {
    service: &'static str,
}

impl Keychain for SystemKeychain {
    fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        let entry = keyring::Entry::new(self.service, name).map_err(|error| error.to_string())?;
        match entry.get_secret() {
            Ok(secret) => Ok(Some(secret)),
            Err(keyring::Error::NoEntry) => Ok(None),
            Err(error) => Err(error.to_string()),
        }
    }

    fn set(&self, name: &str, secret: &[u8]) -> Result<(), String> {
        let entry = keyring::Entry::new(self.service, name).map_err(|error| error.to_string())?;
        entry.set_secret(secret).map_err(|error| error.to_string())
    }

    fn remove(&self, name: &str) -> Result<(), String> {
        let entry = keyring::Entry::new(self.service, name).map_err(|error| error.to_string())?;
        match entry.delete_credential() {
            Ok(()) | Err(keyring::Error::NoEntry) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The keychain to use here for the device key, if any.
pub fn system() -> Option<SystemKeychain> {
    system_for(DEVICE_KEY)
}

/// The keychain to use here for wallets, if any.
pub fn system_for_wallets() -> Option<SystemKeychain> {
    system_for(WALLET)
}

fn system_for(service: &'static str) -> Option<SystemKeychain> {
    (!files_are_wanted() && session_bus_is_there()).then_some(SystemKeychain { service })
}

/// Whether a person said that secrets go to files.
pub(crate) fn files_are_wanted() -> bool {
    std::env::var_os(KEYCHAIN_ENV).is_some_and(|value| value == "file")
}

/// Without a session bus there is no Secret Service, and looking for one could start a bus.
#[cfg(all(unix, not(target_os = "macos")))]
fn session_bus_is_there() -> bool {
    std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_some()
        || std::env::var_os("XDG_RUNTIME_DIR")
            .is_some_and(|folder| PathBuf::from(folder).join("bus").exists())
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
fn session_bus_is_there() -> bool {
    true
}

/// The device key of this data folder; made on first use. Blocks for as long as the keychain takes, with a
/// bound.
///
/// # Errors
/// [`KeyStoreError`]; an existing key is never replaced.
pub fn device_key(
    paths: &Paths,
    keychain: Option<impl Keychain + Clone>,
) -> Result<SecretKey, KeyStoreError> {
    device_key_within(paths, keychain, KEYCHAIN_TIMEOUT)
}

fn device_key_within(
    paths: &Paths,
    keychain: Option<impl Keychain + Clone>,
    timeout: Duration,
) -> Result<SecretKey, KeyStoreError> {
    if let Some(key) = read_file(paths)? {
        return Ok(key);
    }
    match fs::read_to_string(paths.key_marker()) {
        Ok(name) => return from_keychain(paths, keychain, name.trim().to_owned(), timeout),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let key = SecretKey::generate().map_err(|error| KeyStoreError::NoRandomness(error.to_string()))?;
    if let Some(keychain) = keychain {
        match into_keychain(paths, keychain, &key, timeout) {
            Ok(()) => return Ok(key),
            Err(reason) => tracing::info!(reason, "no keychain here; the device key goes to a file"),
        }
    }
    atomic::write(&paths.key_file(), encode(&key).as_bytes(), IfThere::Refuse)?;
    Ok(key)
}

fn from_keychain(
    paths: &Paths,
    keychain: Option<impl Keychain>,
    name: String,
    timeout: Duration,
) -> Result<SecretKey, KeyStoreError> {
    let Some(keychain) = keychain else {
        let reason = "there is none in this session".to_owned();
        return Err(KeyStoreError::KeychainUnavailable { reason });
    };
    let secret = bounded(timeout, move || keychain.get(&name))
        .map_err(|reason| KeyStoreError::KeychainUnavailable { reason })?;
    match secret.map(<[u8; 32]>::try_from) {
        Some(Ok(bytes)) => Ok(SecretKey::from_bytes(&bytes)),
        Some(Err(_)) | None => Err(KeyStoreError::KeychainLost { marker: paths.key_marker() }),
    }
}

/// Stores the key, reads it back, and only then writes down that it is there.
fn into_keychain(
    paths: &Paths,
    keychain: impl Keychain + Clone,
    key: &SecretKey,
    timeout: Duration,
) -> Result<(), String> {
    // The name comes from the public key, so that two data folders never share an entry.
    let name = format!("worker {}", key.worker_id().short());
    let secret = key.to_bytes();
    let held = {
        let (keychain, name) = (keychain.clone(), name.clone());
        bounded(timeout, move || {
            keychain.set(&name, &secret)?;
            keychain.get(&name)
        })?
    };
    if held.as_deref() != Some(&secret[..]) {
        return Err("the keychain did not keep the key".to_owned());
    }
    atomic::write(&paths.key_marker(), name.as_bytes(), IfThere::Refuse).map_err(|error| error.to_string())
}

/// Runs `ask` on a thread of its own and waits for it no longer than `timeout`. A keychain that waits for its
/// owner keeps that thread; it ends with the process.
pub(crate) fn bounded<T: Send + 'static>(
    timeout: Duration,
    ask: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (reply, answer) = mpsc::sync_channel(1);
    std::thread::Builder::new()
        .name("keychain".to_owned())
        .spawn(move || {
            // Nobody waits any more when this fails.
            let _ = reply.send(ask());
        })
        .map_err(|error| error.to_string())?;
    answer.recv_timeout(timeout).map_err(|_| "it did not answer in time".to_owned())?
}

/// One line: a name with a version, and the 32 secret bytes in hexadecimal.
const FILE_PREFIX: &str = "lull-device-key-1 ";

fn encode(key: &SecretKey) -> String {
    format!("{FILE_PREFIX}{}\n", data_encoding::HEXLOWER.encode(&key.to_bytes()))
}

fn read_file(paths: &Paths) -> Result<Option<SecretKey>, KeyStoreError> {
    let path = paths.key_file();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(&path)?.permissions().mode() & 0o077 != 0 {
            return Err(KeyStoreError::Exposed { path });
        }
    }
    let key = std::str::from_utf8(&text)
        .ok()
        .and_then(|text| text.strip_suffix('\n')?.strip_prefix(FILE_PREFIX))
        .and_then(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok())
        .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    match key {
        Some(bytes) => Ok(Some(SecretKey::from_bytes(&bytes))),
        None => Err(KeyStoreError::Corrupt { path }),
    }
}

#[cfg(test)]
#[path = "keychain_tests.rs"]
mod tests;
