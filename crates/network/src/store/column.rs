//! How our nouns are written into SQLite columns and read back.

use lull_types::{
    AssignmentId, BaseUnits, BlobHash, CustomerId, DepositId, JobId, Signature, TaskId, UnixMillis,
    WalletAddress, WorkerId,
};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Value, ValueRef};
use uuid::Uuid;

use crate::engine::CheckId;

/// One of our nouns as a column. Ids and hashes are blobs; money and instants are integers; a list of hashes
/// is their concatenation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sql<T>(pub T);

macro_rules! bytes32_column {
    ($($name:ident),*) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0)))
            }
        }
        impl FromSql for Sql<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 32]>::column_result(value).map(|bytes| Self($name(bytes)))
            }
        }
    )*};
}
bytes32_column!(WorkerId, BlobHash);

macro_rules! uuid_column {
    ($($name:ident),*) => {$(
        impl ToSql for Sql<$name> {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.0.as_bytes())))
            }
        }
        impl FromSql for Sql<$name> {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                <[u8; 16]>::column_result(value).map(|bytes| Self($name(Uuid::from_bytes(bytes))))
            }
        }
    )*};
}
uuid_column!(JobId, TaskId, AssignmentId, CustomerId, CheckId, DepositId);

impl ToSql for Sql<BaseUnits> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let units = i64::try_from(self.0.0).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(units.into())
    }
}

impl FromSql for Sql<BaseUnits> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let units = i64::column_result(value)?;
        u64::try_from(units).map(|u| Self(BaseUnits(u))).map_err(|_| FromSqlError::OutOfRange(units))
    }
}

impl ToSql for Sql<UnixMillis> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        // The end of time is as good as never: year 292,278,994.
        Ok(i64::try_from(self.0.0).unwrap_or(i64::MAX).into())
    }
}

impl FromSql for Sql<UnixMillis> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let millis = i64::column_result(value)?;
        u64::try_from(millis).map(|m| Self(UnixMillis(m))).map_err(|_| FromSqlError::OutOfRange(millis))
    }
}

impl ToSql for Sql<&[BlobHash]> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Blob(self.0.iter().flat_map(|hash| hash.0).collect())))
    }
}

impl FromSql for Sql<Vec<BlobHash>> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let (hashes, rest) = value.as_blob()?.as_chunks::<32>();
        if rest.is_empty() {
            Ok(Self(hashes.iter().map(|hash| BlobHash(*hash)).collect()))
        } else {
            Err(FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: rest.len() })
        }
    }
}

impl ToSql for Sql<Signature> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0.0)))
    }
}

impl FromSql for Sql<Signature> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        <[u8; 64]>::column_result(value).map(|bytes| Self(Signature(bytes)))
    }
}

impl ToSql for Sql<WalletAddress> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.0.to_string().into())
    }
}

impl FromSql for Sql<WalletAddress> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_str()?.parse().map(Self).map_err(FromSqlError::other)
    }
}

impl<T: serde::Serialize> ToSql for Json<'_, T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let text =
            serde_json::to_string(self.0).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        Ok(text.into())
    }
}

/// A value written as JSON text.
#[derive(Debug)]
pub struct Json<'a, T>(pub &'a T);

/// A value read from JSON text.
#[derive(Debug)]
pub struct FromJson<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromSql for FromJson<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// An enum that is written as one word.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),* }
        impl $name {
            /// The word that is stored.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }
        impl rusqlite::types::ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<rusqlite::types::ToSqlOutput<'_>> {
                Ok(self.word().into())
            }
        }
        impl rusqlite::types::FromSql for $name {
            fn column_result(
                value: rusqlite::types::ValueRef<'_>,
            ) -> rusqlite::types::FromSqlResult<Self> {
                match value.as_str()? {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(rusqlite::types::FromSqlError::InvalidType),
                }
            }
        }
    };
}
pub(crate) use words;
