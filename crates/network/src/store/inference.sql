-- Version 8. Language models, what is asked of them, and what was served.

CREATE TABLE models (
    hash             BLOB PRIMARY KEY,
    -- What customers call it.
    name             TEXT NOT NULL UNIQUE,
    licence          TEXT NOT NULL,
    bytes            INTEGER NOT NULL CHECK (bytes > 0),
    context_tokens   INTEGER NOT NULL CHECK (context_tokens > 0),
    sequences        INTEGER NOT NULL CHECK (sequences > 0),
    -- For 1,000 tokens.
    prompt_price     INTEGER NOT NULL CHECK (prompt_price >= 0),
    generated_price  INTEGER NOT NULL CHECK (generated_price >= 0),
    -- In the place of its own.
    chat_template    TEXT,
    added_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What goes on. The money of each is reserved under its id; none outlasts the service's process.
CREATE TABLE asks (
    id        BLOB PRIMARY KEY,
    customer  BLOB NOT NULL REFERENCES customers (id),
    begun_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Whether a worker has lately given work back, which is asked whenever one that serves models wants work.
CREATE INDEX assignments_given_back ON assignments (worker, decided_at)
    WHERE state IN ('handed_back', 'blamed', 'expired');

-- What was served in a shift, and to whom: its money is reserved for the shift until that is decided.
CREATE TABLE servings (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    assignment        BLOB NOT NULL REFERENCES assignments (id),
    ask               BLOB NOT NULL,
    customer          BLOB NOT NULL REFERENCES customers (id),
    amount            INTEGER NOT NULL CHECK (amount >= 0),
    prompt_tokens     INTEGER NOT NULL,
    generated_tokens  INTEGER NOT NULL,
    -- Where its check is, of those that are checked.
    checked           TEXT,
    served_at         INTEGER NOT NULL
) STRICT;
CREATE INDEX servings_by_assignment ON servings (assignment);
CREATE INDEX servings_pending ON servings (id) WHERE checked = 'pending';
