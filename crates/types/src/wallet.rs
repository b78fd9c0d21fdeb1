//! Where a contributor is paid.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{KeyError, NetworkId, Signature, UnixMillis, WorkerId};

/// A Solana wallet address: a point of the ed25519 curve in base 58. Being one says nothing of who holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(type = "string")]
pub struct WalletAddress([u8; 32]);

/// Why a text is not a wallet address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletAddressError {
    /// A character that base 58 does not have.
    #[error("this address has a character that no Solana address has; copy it again from your wallet")]
    NotBase58,
    /// Base 58, but not 32 bytes.
    #[error("this address is too short or too long for Solana; copy it again from your wallet")]
    WrongLength,
    /// Not on the curve: a program's or token account's address, which no wallet can sign for.
    #[error("this is a program's or token account's address; give the address of your wallet itself")]
    NotAWallet,
}

impl crate::Coded for WalletAddressError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotBase58 => "wallet_not_base58",
            Self::WrongLength => "wallet_wrong_length",
            Self::NotAWallet => "wallet_off_curve",
        }
    }
}

impl WalletAddress {
    /// The address with these 32 bytes.
    ///
    /// # Errors
    /// [`WalletAddressError::NotAWallet`] when they are no point of the curve.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, WalletAddressError> {
        VerifyingKey::from_bytes(&bytes).map_err(|_| WalletAddressError::NotAWallet)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes of the address.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether the wallet's holder signed these bytes. Strict: small-order keys and malleable encodings are refused.
    ///
    /// # Errors
    /// [`KeyError`] says which of the two does not hold.
    pub fn has_signed(&self, message: &[u8], signature: &Signature) -> Result<(), KeyError> {
        let key = VerifyingKey::from_bytes(&self.0).map_err(|_| KeyError::BadKey)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(message, &signature).map_err(|_| KeyError::BadSignature)
    }
}

/// What a wallet's holder signs, as a text or in a transaction, to say that a worker's earnings go there.
/// `lull_checks::wallet` writes it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WalletStatement {
    /// Who pays.
    pub network: NetworkId,
    /// Whose earnings.
    pub worker: WorkerId,
    /// Where they go.
    pub wallet: WalletAddress,
    /// The page on the contributor's own machine that asks for the signature, as `127.0.0.1:PORT`, which wallets show;
    /// `worker.lull.invalid`, when the worker signs with a key that it keeps; or `transaction.lull.invalid`, when a
    /// transaction of the wallet stands for it.
    pub domain: String,
    /// Drawn by the network for one use: 32 hexadecimal digits.
    pub nonce: String,
    /// When the network drew it.
    pub issued_at: UnixMillis,
    /// Until when it may be shown.
    pub expires_at: UnixMillis,
}

/// Where a network pays a worker.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct WalletStanding {
    /// Where it pays now.
    pub wallet: Option<WalletAddress>,
    /// Whether its holder has signed for it.
    pub proven: bool,
    /// What comes in its place once the waiting period is over.
    pub next: Option<NextWallet>,
}

/// When a wallet that is proven is paid to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaidFrom {
    /// Already.
    Now,
    /// Once the waiting period of a change is over.
    At(UnixMillis),
}

impl WalletStanding {
    /// When this wallet is paid to; none if it is not proven, or neither paid to nor next.
    pub fn paid_from(&self, wallet: WalletAddress) -> Option<PaidFrom> {
        if self.proven && self.wallet == Some(wallet) {
            return Some(PaidFrom::Now);
        }
        let next = self.next.as_ref().filter(|next| next.proven && next.wallet == Some(wallet))?;
        Some(PaidFrom::At(next.from))
    }
}

/// A change of wallet that waits, so that whoever took a machine over cannot take its earnings unnoticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct NextWallet {
    /// The new one; none to be paid nowhere.
    pub wallet: Option<WalletAddress>,
    /// Whether its holder has signed for it.
    pub proven: bool,
    /// From when on it counts.
    pub from: UnixMillis,
}

impl FromStr for WalletAddress {
    type Err = WalletAddressError;
    fn from_str(text: &str) -> Result<Self, WalletAddressError> {
        let bytes = bs58::decode(text.trim()).into_vec().map_err(|_| WalletAddressError::NotBase58)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| WalletAddressError::WrongLength)?;
        Self::from_bytes(bytes)
    }
}

impl fmt::Display for WalletAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&bs58::encode(&self.0).into_string())
    }
}

impl Serialize for WalletAddress {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WalletAddress {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_holder_signs() {
        let holder = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
        let wallet = WalletAddress(holder.verifying_key().to_bytes());
        let signature = Signature(ed25519_dalek::Signer::sign(&holder, b"text").to_bytes());
        assert_eq!(wallet.has_signed(b"text", &signature), Ok(()));
        assert_eq!(wallet.has_signed(b"test", &signature), Err(KeyError::BadSignature));
        let other = ed25519_dalek::SigningKey::from_bytes(&[4; 32]);
        let other = WalletAddress(other.verifying_key().to_bytes());
        assert_eq!(other.has_signed(b"text", &signature), Err(KeyError::BadSignature));
    }

    #[test]
    fn addresses_are_told_apart() {
        let check = |text: &str| text.parse::<WalletAddress>().map(|a| a.to_string());
        let wallet = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
        assert_eq!(check(wallet), Ok(wallet.to_owned()));
        assert_eq!(check("0OIl"), Err(WalletAddressError::NotBase58));
        assert_eq!(check("abc"), Err(WalletAddressError::WrongLength));
        // An associated token account is off the curve by construction: this one was derived for the purpose.
        let off_curve = (0u8..=255).map(|n| bs58::encode([n; 32]).into_string()).find(|t| check(t).is_err());
        assert_eq!(
            check(&off_curve.expect("half of all points are off the curve")),
            Err(WalletAddressError::NotAWallet)
        );
    }
}
