//! Keys that pay.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey};
use lull_types::{Coded, SecretKey};
use zeroize::Zeroizing;

use crate::chain::{Address, Signature};

/// A key that holds money or signs for a network. Its secret is wiped from memory when it is dropped, and never shown.
#[derive(Clone)]
pub struct Key(SigningKey);

/// A text that holds no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not what `solana-keygen` writes.
    #[error("this is no key file as solana-keygen writes it: a list of 64 numbers from 0 to 255")]
    Malformed,
    /// The public half is not that of the secret half.
    #[error("the two halves of this key file do not belong together, so it was damaged or made up")]
    Contradiction,
}

impl Coded for KeyFileError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed => "key_file_malformed",
            Self::Contradiction => "key_file_contradiction",
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.address())
    }
}

impl Key {
    /// A key from its 32 secret bytes.
    pub fn from_bytes(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// Reads the file format of `solana-keygen`: a JSON list of 64 bytes, the secret half first.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn from_json(text: &str) -> Result<Self, KeyFileError> {
        let inner = text.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let inner = inner.ok_or(KeyFileError::Malformed)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(64));
        for number in inner.split(',') {
            bytes.push(number.trim().parse::<u8>().map_err(|_| KeyFileError::Malformed)?);
        }
        let bytes: &[u8; 64] = bytes.as_slice().try_into().map_err(|_| KeyFileError::Malformed)?;
        SigningKey::from_keypair_bytes(bytes).map(Self).map_err(|_| KeyFileError::Contradiction)
    }

    /// Writes that format.
    pub fn to_json(&self) -> Zeroizing<String> {
        let bytes = Zeroizing::new(self.0.to_keypair_bytes());
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        Zeroizing::new(format!("[{}]", numbers.join(",")))
    }

    /// Its address: the public half.
    pub fn address(&self) -> Address {
        Address::new_from_array(self.0.verifying_key().to_bytes())
    }

    /// Signs these bytes.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature::from(self.0.sign(message).to_bytes())
    }
}

impl From<&SecretKey> for Key {
    fn from(key: &SecretKey) -> Self {
        Self::from_bytes(&key.to_bytes())
    }
}
