//! The tables, and how older files become the newest.

use rusqlite::Connection;

use super::error::JournalError;

/// Each step brings a file from the format before it to the next. Published steps never change.
const STEPS: [&str; 1] = [
    // 1: the first.
    "
    -- Single values, each JSON: intent, settings, paused_until, network, wallet, kept_wallet.
    CREATE TABLE state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- The last report of each device, JSON.
    CREATE TABLE benchmarks (device INTEGER PRIMARY KEY, report TEXT NOT NULL) STRICT;

    -- Every assignment ever taken.
    CREATE TABLE assignments (
        seq INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE,
        network BLOB NOT NULL,
        job BLOB NOT NULL,
        kind TEXT NOT NULL,
        taken_at INTEGER NOT NULL,
        -- lull_network_api::Assignment, JSON.
        assignment TEXT NOT NULL,
        -- machine::Stage, JSON.
        stage TEXT NOT NULL,
        -- Rises with each assignment that is over; NULL while it is open.
        over_seq INTEGER,
        -- lull_network_api::Verdict, JSON.
        verdict TEXT,
        -- Hashes of the outputs, JSON; kept after the stage has moved on.
        outputs TEXT,
        ran_ms INTEGER
    ) STRICT;
    CREATE INDEX assignments_open ON assignments (seq) WHERE over_seq IS NULL;
    CREATE INDEX assignments_over ON assignments (over_seq) WHERE over_seq IS NOT NULL;
    CREATE INDEX assignments_by_network ON assignments (network, seq);
    CREATE INDEX assignments_by_job ON assignments (job);

    -- Every receipt, with both signatures.
    CREATE TABLE receipts (
        network BLOB NOT NULL,
        lane INTEGER NOT NULL,
        nonce INTEGER NOT NULL,
        assignment BLOB NOT NULL,
        amount INTEGER NOT NULL,
        received_at INTEGER NOT NULL,
        -- lull_types::CountersignedReceipt, JSON.
        receipt TEXT NOT NULL,
        PRIMARY KEY (network, lane, nonce)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX receipts_by_time ON receipts (network, received_at);
    CREATE INDEX receipts_by_assignment ON receipts (assignment);

    -- The verified state of each lane, JSON of lull_checks::receipts::Lane.
    CREATE TABLE lanes (
        network BLOB NOT NULL,
        lane INTEGER NOT NULL,
        state TEXT NOT NULL,
        PRIMARY KEY (network, lane)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE notices (
        id INTEGER PRIMARY KEY,
        at INTEGER NOT NULL,
        code TEXT NOT NULL,
        sentence TEXT NOT NULL,
        problem INTEGER NOT NULL
    ) STRICT;
    ",
];

fn version(connection: &Connection) -> Result<i64, JournalError> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Refuses a file of a format that this version does not know.
pub(super) fn check_version(connection: &Connection) -> Result<usize, JournalError> {
    let found = version(connection)?;
    match usize::try_from(found) {
        Ok(known) if known <= STEPS.len() => Ok(known),
        _ => Err(JournalError::Newer { found }),
    }
}

/// Brings the file to the newest format, each step in a transaction of its own.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), JournalError> {
    let done = check_version(connection)?;
    for (index, step) in STEPS.iter().enumerate().skip(done) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", i64::try_from(index + 1).unwrap_or(i64::MAX))?;
        transaction.commit()?;
    }
    Ok(())
}
