-- The practice ledger. Amounts are unsigned 64-bit numbers, stored as SQLite's signed ones with the same bits.
CREATE TABLE genesis (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    -- Blockhashes are drawn from it, so that no two ledgers share one.
    seed BLOB NOT NULL,
    at_ms INTEGER NOT NULL,
    -- The highest slot that anything was written in.
    slot INTEGER NOT NULL
) STRICT;
CREATE TABLE programs (address BLOB PRIMARY KEY, elf BLOB NOT NULL) STRICT, WITHOUT ROWID;
-- Every version of an account that is not final, and the last one that is. Without lamports it is gone.
CREATE TABLE accounts (
    address BLOB NOT NULL,
    slot INTEGER NOT NULL,
    lamports INTEGER NOT NULL,
    owner BLOB NOT NULL,
    executable INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (address, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE transactions (
    number INTEGER PRIMARY KEY,
    signature BLOB NOT NULL UNIQUE,
    slot INTEGER NOT NULL,
    fee_lamports INTEGER NOT NULL,
    -- As it was sent.
    bytes BLOB NOT NULL,
    -- What it moved: token account 32, mint 32, before 8, after 8, big-endian, each.
    tokens BLOB NOT NULL
) STRICT;
CREATE TABLE mentions (
    address BLOB NOT NULL,
    number INTEGER NOT NULL REFERENCES transactions (number),
    PRIMARY KEY (address, number)
) STRICT, WITHOUT ROWID;
