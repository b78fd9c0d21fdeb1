-- Version 5. Payouts on the chain.

-- From how much on payouts are sent to a worker; none when its contributor claims. Without a row the network's own.
CREATE TABLE payout_wishes (
    worker     BLOB PRIMARY KEY REFERENCES workers (id),
    threshold  INTEGER
) STRICT, WITHOUT ROWID;

-- What epochs list, and what the chain has paid of it.
CREATE TABLE leaves (
    worker    BLOB NOT NULL,
    wallet    TEXT NOT NULL,
    -- All that was ever earned for this wallet.
    lifetime  INTEGER NOT NULL CHECK (lifetime > 0),
    paid      INTEGER NOT NULL DEFAULT 0 CHECK (paid BETWEEN 0 AND lifetime),
    -- What the payout costs that is sent after the epoch that was closed last; none when none is.
    fee       INTEGER,
    PRIMARY KEY (worker, wallet)
) STRICT, WITHOUT ROWID;
CREATE INDEX leaves_owed ON leaves (worker, wallet) WHERE lifetime > paid;
CREATE INDEX leaves_sent ON leaves (worker) WHERE fee IS NOT NULL;

CREATE TABLE epochs (
    number       INTEGER PRIMARY KEY,
    -- When all its leaves were written; none while that is under way.
    closed_at    INTEGER,
    -- Once it is published.
    root         BLOB,
    total        INTEGER,
    anchored_at  INTEGER
) STRICT;

-- Transactions of the network, each signed once; `lull_settlement::sender` decides on them.
CREATE TABLE batches (
    id                 INTEGER PRIMARY KEY,
    epoch              INTEGER NOT NULL,
    -- Of one that posts a root. The others claim: see payouts.
    root               BLOB,
    total              INTEGER,
    lamports_max       INTEGER NOT NULL,
    state              TEXT NOT NULL,
    signature          BLOB,
    bytes              BLOB,
    last_valid_height  INTEGER,
    changed_at         INTEGER NOT NULL
) STRICT;
CREATE INDEX batches_open ON batches (id) WHERE state IN ('planned', 'signed', 'sent');
CREATE INDEX batches_by_epoch ON batches (epoch);

-- Claims: those of batches, and those that contributors sent.
CREATE TABLE payouts (
    id        INTEGER PRIMARY KEY,
    batch     INTEGER REFERENCES batches (id),
    epoch     INTEGER NOT NULL,
    worker    BLOB NOT NULL,
    wallet    TEXT NOT NULL,
    lifetime  INTEGER NOT NULL,
    amount    INTEGER NOT NULL,
    fee       INTEGER NOT NULL,
    -- When a contributor's own was seen.
    seen_at   INTEGER,
    UNIQUE (batch, worker, wallet)
) STRICT;
CREATE INDEX payouts_by_worker ON payouts (worker, id);

-- What is to be sent, by payee.
CREATE TABLE planned_payouts (
    worker    BLOB NOT NULL,
    wallet    TEXT NOT NULL,
    lifetime  INTEGER NOT NULL,
    fee       INTEGER NOT NULL,
    paid      INTEGER NOT NULL,
    state     TEXT NOT NULL,
    batch     INTEGER,
    failures  INTEGER NOT NULL,
    PRIMARY KEY (worker, wallet)
) STRICT, WITHOUT ROWID;

-- Why nothing more is sent, if so.
CREATE TABLE payouts_stopped (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    alarm  TEXT NOT NULL
) STRICT;
