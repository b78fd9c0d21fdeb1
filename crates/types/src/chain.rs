//! Names of things on Solana.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The address of an account on Solana, which no key need hold: a program, a token, a program's account. 32 bytes in
/// base 58.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(type = "string")]
pub struct ChainAddress(pub [u8; 32]);

/// The signature by which a transaction on Solana is found: 64 bytes in base 58.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
#[ts(type = "string")]
pub struct TransactionSignature(pub [u8; 64]);

/// A text that names nothing on Solana.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not {0} bytes in base 58, as Solana writes them; copy it again")]
pub struct Base58Error(usize);

impl crate::Coded for Base58Error {
    fn code(&self) -> &'static str {
        "not_base58"
    }
}

macro_rules! base58 {
    ($name:ident, $bytes:literal) => {
        impl FromStr for $name {
            type Err = Base58Error;
            fn from_str(text: &str) -> Result<Self, Base58Error> {
                let bytes = bs58::decode(text.trim()).into_vec().map_err(|_| Base58Error($bytes))?;
                bytes.try_into().map(Self).map_err(|_| Base58Error($bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&bs58::encode(&self.0).into_string())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

base58!(ChainAddress, 32);
base58!(TransactionSignature, 64);

impl fmt::Debug for TransactionSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransactionSignature({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let address = ChainAddress([7; 32]);
        assert_eq!(address.to_string().parse(), Ok(address));
        let signature = TransactionSignature([9; 64]);
        assert_eq!(signature.to_string().parse(), Ok(signature));
        assert_eq!(address.to_string().parse::<TransactionSignature>(), Err(Base58Error(64)));
        assert_eq!("0OIl".parse::<ChainAddress>(), Err(Base58Error(32)));
    }
}
