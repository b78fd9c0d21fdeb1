//! ed25519 keys and domain-separated signatures.

use std::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::{NetworkId, WorkerId};

/// What a signature is for. Its text is signed before the message, so that a signature given for one purpose
/// can never be shown for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Domain {
    /// The network's signature on a receipt.
    Receipt,
    /// The worker's countersignature on a receipt.
    ReceiptCountersign,
    /// A worker's signature on a benchmark of its own.
    Benchmark,
}

impl Domain {
    fn tag(self) -> &'static [u8] {
        match self {
            Self::Receipt => b"lull/receipt/1\0",
            Self::ReceiptCountersign => b"lull/receipt-countersign/1\0",
            Self::Benchmark => b"lull/benchmark/1\0",
        }
    }
}

/// A key or a signature cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no point of the curve.
    #[error("the public key is not a valid ed25519 key")]
    BadKey,
    /// The signature does not belong to this key and message.
    #[error("the signature does not match")]
    BadSignature,
}

/// An ed25519 secret key. Its `Debug` never shows the key.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// A key from its 32 secret bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(bytes))
    }

    /// A fresh key from the operating system's randomness.
    ///
    /// # Errors
    /// When the operating system gives no randomness.
    pub fn generate() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self::from_bytes(&bytes))
    }

    /// The 32 secret bytes, for the keychain alone.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The public key as a worker's id.
    pub fn worker_id(&self) -> WorkerId {
        WorkerId(self.public())
    }

    /// The public key as a network's id.
    pub fn network_id(&self) -> NetworkId {
        NetworkId(self.public())
    }

    /// Signs `message` for one purpose.
    pub fn sign(&self, domain: Domain, message: &[u8]) -> Signature {
        Signature(self.0.sign(&tagged(domain, message)).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {})", self.worker_id().short())
    }
}

fn tagged(domain: Domain, message: &[u8]) -> Vec<u8> {
    [domain.tag(), message].concat()
}

/// An ed25519 signature: 64 bytes, written as 128 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; 64]);

impl Signature {
    /// Whether this is `public`'s signature of `message` for this purpose. Strict: small-order keys and
    /// malleable encodings are refused.
    ///
    /// # Errors
    /// [`KeyError`] says which of the two does not hold.
    pub fn verify(&self, public: &[u8; 32], domain: Domain, message: &[u8]) -> Result<(), KeyError> {
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::BadKey)?;
        let signature = ed25519_dalek::Signature::from_bytes(&self.0);
        key.verify_strict(&tagged(domain, message), &signature).map_err(|_| KeyError::BadSignature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.collect_str(self)
        } else {
            serializer.serialize_bytes(&self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = if deserializer.is_human_readable() {
            let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
            data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(serde::de::Error::custom)?
        } else {
            <Vec<u8>>::deserialize(deserializer)?
        };
        let bytes = bytes.try_into().map_err(|_| serde::de::Error::custom("a signature is 64 bytes"))?;
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_key_domain_and_message_only() {
        let key = SecretKey::from_bytes(&[7; 32]);
        let other = SecretKey::from_bytes(&[8; 32]);
        let signature = key.sign(Domain::Receipt, b"m");
        assert_eq!(signature.verify(&key.public(), Domain::Receipt, b"m"), Ok(()));
        assert_eq!(signature.verify(&other.public(), Domain::Receipt, b"m"), Err(KeyError::BadSignature));
        assert_eq!(signature.verify(&key.public(), Domain::Receipt, b"n"), Err(KeyError::BadSignature));
        assert_eq!(
            signature.verify(&key.public(), Domain::ReceiptCountersign, b"m"),
            Err(KeyError::BadSignature)
        );
    }

    #[test]
    fn a_secret_key_is_not_shown() {
        assert!(!format!("{:?}", SecretKey::from_bytes(&[7; 32])).contains("0707"));
    }
}
