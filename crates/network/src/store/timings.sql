-- Version 2. What the network has timed of a device: its speed, or why it was refuted.
CREATE TABLE timings (
    worker     BLOB NOT NULL REFERENCES workers (id),
    device     INTEGER NOT NULL,
    -- The device that was timed; another one in its place is timed anew.
    name       TEXT NOT NULL,
    class      TEXT NOT NULL,
    -- GFLOP/s of matrix products, as the worker said and as they count.
    claimed    REAL NOT NULL,
    gigaflops  REAL,
    fault      TEXT,
    evidence   TEXT,
    timed_at   INTEGER NOT NULL,
    PRIMARY KEY (worker, device)
) STRICT, WITHOUT ROWID;
