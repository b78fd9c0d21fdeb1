//! The tables, and how older files become the newest.

use rusqlite::Connection;

use super::error::JournalError;

/// Each step brings a file from the format before it to the next. Published steps never change.
const STEPS: [&str; 5] = [
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
    // 2: payouts, and the energy of each assignment.
    "
    -- Every payout that a network told of, as it last told it.
    CREATE TABLE payouts (
        network BLOB NOT NULL,
        id INTEGER NOT NULL,
        -- lull_types::Payout, JSON.
        payout TEXT NOT NULL,
        PRIMARY KEY (network, id)
    ) STRICT, WITHOUT ROWID;

    -- How payouts stand, as a network last said: lull_types::PayoutStanding, JSON.
    CREATE TABLE payout_standings (network BLOB PRIMARY KEY, standing TEXT NOT NULL) STRICT, WITHOUT ROWID;

    -- Epochs that a network said to be anchored: lull_types::AnchoredEpoch, JSON.
    CREATE TABLE anchored_epochs (
        network BLOB NOT NULL,
        epoch INTEGER NOT NULL,
        anchored TEXT NOT NULL,
        PRIMARY KEY (network, epoch)
    ) STRICT, WITHOUT ROWID;

    -- Claims that this worker signed, kept before they are sent.
    CREATE TABLE claims (
        network BLOB NOT NULL,
        wallet BLOB NOT NULL,
        signature BLOB NOT NULL,
        bytes BLOB NOT NULL,
        last_valid_height INTEGER NOT NULL,
        PRIMARY KEY (network, wallet)
    ) STRICT, WITHOUT ROWID;

    -- Thousandths of a watt-hour; NULL where power was not measured for all of the run.
    ALTER TABLE assignments ADD COLUMN milliwatt_hours INTEGER;
    ",
    // 3: when guards held devices free. Pauses are in `state` under their own key since, one for each device.
    "
    CREATE TABLE trips (
        since INTEGER NOT NULL,
        -- lull_types::Guard, JSON.
        guard TEXT NOT NULL,
        -- NULL for all devices.
        device INTEGER,
        -- lull_types::Trip, JSON.
        trip TEXT NOT NULL,
        -- NULL while it holds, and where the worker ended meanwhile.
        until INTEGER,
        -- Runs that it broke off, and what had been done of them in base units.
        interrupted INTEGER NOT NULL DEFAULT 0,
        lost INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX trips_by_time ON trips (since);
    ",
    // 4: how much data moved.
    "
    CREATE TABLE data_moved (
        -- Quarters of an hour since the Unix epoch.
        quarter INTEGER PRIMARY KEY,
        -- All bytes of it.
        sent INTEGER NOT NULL,
        received INTEGER NOT NULL
    ) STRICT;
    ",
    // 5: the price of power of each assignment.
    "
    -- Millionths of a US dollar for a kilowatt-hour, as it was while the assignment ran; below zero where whoever takes
    -- power is paid for it. NULL for assignments of before.
    ALTER TABLE assignments ADD COLUMN micro_per_kwh INTEGER;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_first_format_is_brought_to_the_newest_with_all_that_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(STEPS[0]).unwrap();
        connection.pragma_update(None, "user_version", 1).unwrap();
        let taken = "INSERT INTO assignments (id, network, job, kind, taken_at, assignment, stage)
            VALUES (x'01', x'02', x'03', 'wgsl/1', 4, '{}', '{}')";
        connection.execute(taken, []).unwrap();
        migrate(&mut connection).unwrap();
        let (kind, energy, price): (String, Option<i64>, Option<i64>) = connection
            .query_row("SELECT kind, milliwatt_hours, micro_per_kwh FROM assignments", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .unwrap();
        assert_eq!((kind.as_str(), energy, price), ("wgsl/1", None, None));
        // Once more changes nothing.
        migrate(&mut connection).unwrap();
        assert_eq!(check_version(&connection).unwrap(), STEPS.len());
    }
}
