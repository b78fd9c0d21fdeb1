-- Version 1. Ids and hashes are blobs, money is in base units, instants are milliseconds since 1970.

CREATE TABLE customers (
    id            BLOB PRIMARY KEY,
    name          TEXT NOT NULL,
    api_key_hash  BLOB NOT NULL UNIQUE,
    -- Stride scheduling: who has the lowest pass is served next.
    pass          INTEGER NOT NULL DEFAULT 0,
    -- How many tasks wait; those with none are not in line.
    waiting       INTEGER NOT NULL DEFAULT 0 CHECK (waiting >= 0),
    created_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX customers_in_line ON customers (pass, id) WHERE waiting > 0;

CREATE TABLE workers (
    id             BLOB PRIMARY KEY,
    version        TEXT,
    hardware       TEXT NOT NULL,
    kinds          TEXT NOT NULL,
    wallet         TEXT,
    -- Whoever pastes an address does not thereby hold it.
    wallet_proven  INTEGER NOT NULL DEFAULT 0,
    wallet_set_at  INTEGER,
    accepted       INTEGER NOT NULL DEFAULT 0,
    rejected       INTEGER NOT NULL DEFAULT 0,
    enrolled_at    INTEGER NOT NULL,
    seen_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE devices (
    worker     BLOB NOT NULL REFERENCES workers (id),
    device     INTEGER NOT NULL,
    class      TEXT NOT NULL,
    name       TEXT NOT NULL,
    benchmark  TEXT NOT NULL,
    PRIMARY KEY (worker, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE blobs (
    hash       BLOB PRIMARY KEY,
    bytes      INTEGER NOT NULL,
    stored_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Who knows the bytes of a blob: a worker that put it (32 bytes), or a customer that put it or paid for it (16).
CREATE TABLE blob_puts (
    hash   BLOB NOT NULL REFERENCES blobs (hash),
    owner  BLOB NOT NULL,
    PRIMARY KEY (hash, owner)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
    id                BLOB PRIMARY KEY,
    customer          BLOB NOT NULL REFERENCES customers (id),
    idempotency_key   TEXT NOT NULL,
    -- Hash of all that was submitted, to tell a repetition from a reuse of the key.
    content           BLOB NOT NULL,
    title             TEXT NOT NULL,
    kind              TEXT NOT NULL,
    price             INTEGER NOT NULL CHECK (price > 0),
    task_deadline_ms  INTEGER NOT NULL,
    stage             TEXT NOT NULL,
    tasks             INTEGER NOT NULL,
    tasks_done        INTEGER NOT NULL DEFAULT 0,
    -- Tasks that have not ended in any way.
    tasks_live        INTEGER NOT NULL CHECK (tasks_live >= 0),
    created_at        INTEGER NOT NULL,
    ended_at          INTEGER,
    fault_code        TEXT,
    fault_sentence    TEXT,
    UNIQUE (customer, idempotency_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX jobs_live ON jobs (id) WHERE tasks_live > 0;
CREATE INDEX jobs_running ON jobs (created_at) WHERE stage = 'running';
CREATE INDEX jobs_by_customer ON jobs (customer, created_at);

CREATE TABLE tasks (
    -- Order of submission.
    seq           INTEGER PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE,
    job           BLOB NOT NULL REFERENCES jobs (id),
    customer      BLOB NOT NULL REFERENCES customers (id),
    position      INTEGER NOT NULL,
    kind          TEXT NOT NULL,
    payload       BLOB NOT NULL,
    inputs        BLOB NOT NULL,
    outputs       INTEGER NOT NULL,
    picture       TEXT,
    state         TEXT NOT NULL,
    attempts      INTEGER NOT NULL DEFAULT 0,
    not_before    INTEGER NOT NULL DEFAULT 0,
    -- The accepted assignment that the customer paid for.
    accepted      BLOB,
    UNIQUE (job, position)
) STRICT;
CREATE INDEX tasks_waiting ON tasks (customer, kind, seq) WHERE state = 'waiting';
CREATE INDEX tasks_waiting_of_kind ON tasks (kind, not_before) WHERE state = 'waiting';
CREATE INDEX tasks_backing_off ON tasks (not_before) WHERE state = 'waiting' AND not_before > 0;
CREATE INDEX tasks_by_payload ON tasks (payload);

CREATE TABLE assignments (
    id           BLOB PRIMARY KEY,
    task         BLOB NOT NULL REFERENCES tasks (id),
    job          BLOB NOT NULL REFERENCES jobs (id),
    worker       BLOB NOT NULL REFERENCES workers (id),
    device       INTEGER NOT NULL,
    class        TEXT NOT NULL,
    purpose      TEXT NOT NULL,
    state        TEXT NOT NULL,
    price        INTEGER NOT NULL,
    assigned_at  INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    outputs      BLOB,
    ran_ms       INTEGER,
    reported_at  INTEGER,
    decided_at   INTEGER,
    checked      INTEGER,
    -- Of a rejection: what was expected, and how it differs. Of anything else that ended badly: why.
    expected     BLOB,
    reason       TEXT
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX assignments_open ON assignments (worker, device) WHERE state = 'open';
CREATE INDEX assignments_due ON assignments (deadline) WHERE state = 'open';
CREATE INDEX assignments_by_task ON assignments (task);
CREATE INDEX assignments_lost ON assignments (worker, decided_at) WHERE state IN ('rejected', 'inconclusive');

-- Reported tasks that wait for another worker of this class to do them again.
CREATE TABLE seconds (
    task   BLOB PRIMARY KEY REFERENCES tasks (id),
    class  TEXT NOT NULL,
    kind   TEXT NOT NULL,
    since  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX seconds_by_class ON seconds (class, kind, since);
CREATE INDEX seconds_by_age ON seconds (since);

CREATE TABLE checks (
    id          BLOB PRIMARY KEY,
    task        BLOB NOT NULL REFERENCES tasks (id),
    assignment  BLOB NOT NULL REFERENCES assignments (id),
    -- The assignment whose outputs it is compared with; none for the trusted runtime.
    against     BLOB REFERENCES assignments (id),
    state       TEXT NOT NULL,
    tries       INTEGER NOT NULL DEFAULT 1,
    expected    BLOB,
    difference  TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX checks_by_task ON checks (task);
CREATE INDEX checks_pending ON checks (id) WHERE state = 'pending';

-- Double entry. Balances are kept beside the entries that they are the sums of.
CREATE TABLE accounts (
    id       INTEGER PRIMARY KEY,
    kind     TEXT NOT NULL,
    owner    BLOB NOT NULL,
    balance  INTEGER NOT NULL CHECK (balance >= 0 OR kind IN ('external', 'treasury')),
    UNIQUE (kind, owner)
) STRICT;
CREATE TABLE transfers (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL,
    -- Names what it is for; with the kind it makes the booking idempotent.
    reference  BLOB NOT NULL,
    booked_at  INTEGER NOT NULL,
    UNIQUE (kind, reference)
) STRICT;
CREATE TABLE entries (
    transfer  INTEGER NOT NULL REFERENCES transfers (id),
    account   INTEGER NOT NULL REFERENCES accounts (id),
    amount    INTEGER NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (transfer, account)
) STRICT, WITHOUT ROWID;

-- Accepted earnings in their audit window.
CREATE TABLE holds (
    assignment  BLOB PRIMARY KEY REFERENCES assignments (id),
    worker      BLOB NOT NULL REFERENCES workers (id),
    amount      INTEGER NOT NULL,
    release_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_due ON holds (release_at);

CREATE TABLE lanes (
    worker  BLOB NOT NULL REFERENCES workers (id),
    lane    INTEGER NOT NULL,
    state   TEXT NOT NULL,
    PRIMARY KEY (worker, lane)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
    worker             BLOB NOT NULL REFERENCES workers (id),
    lane               INTEGER NOT NULL,
    nonce              INTEGER NOT NULL,
    assignment         BLOB NOT NULL UNIQUE REFERENCES assignments (id),
    task               BLOB NOT NULL REFERENCES tasks (id),
    outputs            BLOB NOT NULL,
    amount             INTEGER NOT NULL,
    epoch              INTEGER NOT NULL,
    cumulative         INTEGER NOT NULL,
    job_root           BLOB NOT NULL,
    expiry             INTEGER NOT NULL,
    network_signature  BLOB NOT NULL,
    worker_signature   BLOB,
    PRIMARY KEY (worker, lane, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX receipts_by_task ON receipts (task);
