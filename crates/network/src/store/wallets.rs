//! Reading which wallets are to be proven by a transaction.

use lull_types::{UnixMillis, WalletStatement};
use rusqlite::{Connection, Result};

use super::{FromJson, Sql};

/// Statements for which a transaction is awaited now, the newest first.
pub fn requests(connection: &Connection, now: UnixMillis) -> Result<Vec<WalletStatement>> {
    connection
        .prepare_cached(
            "SELECT statement FROM wallet_requests WHERE expires_at >= ?1 ORDER BY issued_at DESC, worker",
        )?
        .query_map([Sql(now)], |row| Ok(row.get::<_, FromJson<_>>(0)?.0))?
        .collect()
}
