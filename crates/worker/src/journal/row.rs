//! Values as they lie in columns.

use lull_types::{AssignmentId, BaseUnits, NetworkId, UnixMillis};
use rusqlite::Row;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::error::JournalError;

/// A number as SQLite keeps it: signed, 64 bits.
pub(super) fn integer(number: u64) -> Result<i64, JournalError> {
    i64::try_from(number).map_err(|_| JournalError::OutOfRange)
}

/// A number that was written by [`integer`].
pub(super) fn number(row: &Row<'_>, column: &str) -> Result<u64, JournalError> {
    let signed: i64 = row.get(column)?;
    u64::try_from(signed).map_err(|_| malformed(column, "it is negative"))
}

pub(super) fn time(row: &Row<'_>, column: &str) -> Result<UnixMillis, JournalError> {
    number(row, column).map(UnixMillis)
}

pub(super) fn time_or_none(row: &Row<'_>, column: &str) -> Result<Option<UnixMillis>, JournalError> {
    let known: Option<i64> = row.get(column)?;
    known.map(|_| time(row, column)).transpose()
}

pub(super) fn money(row: &Row<'_>, column: &str) -> Result<BaseUnits, JournalError> {
    number(row, column).map(BaseUnits)
}

pub(super) fn network(row: &Row<'_>, column: &str) -> Result<NetworkId, JournalError> {
    let bytes: [u8; 32] = row.get(column)?;
    Ok(NetworkId(bytes))
}

pub(super) fn assignment(row: &Row<'_>, column: &str) -> Result<AssignmentId, JournalError> {
    let bytes: [u8; 16] = row.get(column)?;
    Ok(AssignmentId(Uuid::from_bytes(bytes)))
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String, JournalError> {
    serde_json::to_string(value).map_err(|error| malformed("a new record", &error.to_string()))
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> Result<T, JournalError> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| malformed(column, &error.to_string()))
}

pub(super) fn json_or_none<T: DeserializeOwned>(
    row: &Row<'_>,
    column: &str,
) -> Result<Option<T>, JournalError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| malformed(column, &error.to_string()))
}

pub(super) fn malformed(column: &str, why: &str) -> JournalError {
    JournalError::Malformed { what: format!("{column}: {why}") }
}
