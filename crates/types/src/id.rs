//! Ids. Keys are 32 bytes and written in hexadecimal; the rest are UUIDs of version 7, so they sort by time.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ts_rs::TS;
use uuid::Uuid;

/// A text is not an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 64 hexadecimal digits.
    #[error("expected 64 hexadecimal digits")]
    NotHex32,
    /// Not a UUID.
    #[error("expected an id such as 01890a5d-ac96-774b-bcce-b302099a8057")]
    NotUuid,
}

pub(crate) fn hex32(bytes: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

pub(crate) fn parse_hex32(text: &str) -> Result<[u8; 32], IdError> {
    let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| IdError::NotHex32)?;
    bytes.try_into().map_err(|_| IdError::NotHex32)
}

/// Serialises a 32-byte newtype as hexadecimal in readable formats and as raw bytes in binary ones.
macro_rules! serde_bytes32 {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    serializer.collect_str(self)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                    text.parse().map_err(serde::de::Error::custom)
                } else {
                    <[u8; 32]>::deserialize(deserializer).map(Self)
                }
            }
        }
    };
}
pub(crate) use serde_bytes32;

macro_rules! key_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, TS)]
        #[ts(type = "string")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first ten hexadecimal digits, for people and logs.
            pub fn short(&self) -> String {
                hex32(&self.0)[..10].to_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex32(&self.0))
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.short())
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex32(text).map(Self)
            }
        }
        serde_bytes32!($name);
    };
}

key_id! {
    /// A worker: its ed25519 public key, which is also its iroh endpoint id.
    WorkerId
}
key_id! {
    /// A network: its ed25519 public key, which is also its iroh endpoint id and signs its receipts.
    NetworkId
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, TS)]
        #[serde(transparent)]
        #[ts(type = "string")]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id from the time and ten bytes of randomness, both the caller's.
            pub fn from_parts(now: crate::UnixMillis, random: &[u8; 10]) -> Self {
                Self(uuid::Builder::from_unix_timestamp_millis(now.0, random).into_uuid())
            }
            /// The 16 bytes of this id.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| IdError::NotUuid)
            }
        }
    };
}

uuid_id! {
    /// What a customer submitted.
    JobId
}
uuid_id! {
    /// The piece of a job that is placed.
    TaskId
}
uuid_id! {
    /// A task given to one worker until a deadline.
    AssignmentId
}
uuid_id! {
    /// Who submits jobs.
    CustomerId
}
uuid_id! {
    /// What a customer is to pay in.
    DepositId
}
