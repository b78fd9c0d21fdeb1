//! The ledger checked from outside: by queries, not by the code that booked.

use rusqlite::Connection;

/// What does not hold.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A transfer creates or destroys money.
    #[error("transfer {transfer} sums to {sum} instead of zero")]
    TransferSum {
        /// Which.
        transfer: i64,
        /// Its sum.
        sum: i64,
    },
    /// A transfer has not exactly two entries.
    #[error("transfer {transfer} has {entries} entries instead of two")]
    TransferEntries {
        /// Which.
        transfer: i64,
        /// How many.
        entries: i64,
    },
    /// A kept balance is not the sum of its entries.
    #[error("account {account} shows {balance}, but its entries sum to {sum}")]
    Balance {
        /// Which.
        account: i64,
        /// What is kept.
        balance: i64,
        /// What it should be.
        sum: i64,
    },
    /// An account is below zero that must not be.
    #[error("account {account} is at {balance}, below zero")]
    Negative {
        /// Which.
        account: i64,
        /// Where it is.
        balance: i64,
    },
    /// All balances do not sum to zero.
    #[error("all balances sum to {sum} instead of zero")]
    Sum {
        /// What they sum to.
        sum: i64,
    },
    /// The store failed.
    #[error("the ledger cannot be read: {0}")]
    Store(#[from] rusqlite::Error),
}

/// Checks the whole ledger: every transfer, every balance, and that all sums to zero. Reads every entry.
///
/// # Errors
/// The first thing that does not hold.
pub fn audit(connection: &Connection) -> Result<(), AuditError> {
    let sum: i64 =
        connection.query_row("SELECT coalesce(sum(balance), 0) FROM accounts", [], |row| row.get(0))?;
    if sum != 0 {
        return Err(AuditError::Sum { sum });
    }
    let first = |sql: &str| -> rusqlite::Result<Option<(i64, i64, i64)>> {
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.next().transpose()
    };
    let transfers = "SELECT t.id, coalesce(sum(e.amount), 0) AS total, count(e.amount) AS parts
         FROM transfers t LEFT JOIN entries e ON e.transfer = t.id GROUP BY t.id HAVING total <> 0 OR parts <> 2 LIMIT 1";
    match first(transfers)? {
        Some((transfer, sum, _)) if sum != 0 => return Err(AuditError::TransferSum { transfer, sum }),
        Some((transfer, _, entries)) => return Err(AuditError::TransferEntries { transfer, entries }),
        None => {}
    }
    let balances = "SELECT a.id, a.balance, coalesce(sum(e.amount), 0) AS total
         FROM accounts a LEFT JOIN entries e ON e.account = a.id GROUP BY a.id HAVING total <> a.balance LIMIT 1";
    if let Some((account, balance, sum)) = first(balances)? {
        return Err(AuditError::Balance { account, balance, sum });
    }
    let negative = "SELECT id, balance, 0 FROM accounts WHERE balance < 0 AND kind NOT IN ('external', 'treasury') LIMIT 1";
    if let Some((account, balance, _)) = first(negative)? {
        return Err(AuditError::Negative { account, balance });
    }
    Ok(())
}
