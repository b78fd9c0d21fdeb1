-- Version 6. What customers pay in on the chain, and what goes back to them.

CREATE TABLE deposits (
    id          BLOB PRIMARY KEY,
    customer    BLOB NOT NULL REFERENCES customers (id),
    -- The address that a payment names.
    reference   BLOB NOT NULL UNIQUE,
    -- None when the payer chooses.
    amount      INTEGER,
    created_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX deposits_by_customer ON deposits (customer, created_at);
CREATE INDEX deposits_by_age ON deposits (created_at);

-- A transaction counts once, whatever it names.
CREATE TABLE deposit_payments (
    signature  BLOB PRIMARY KEY,
    deposit    BLOB NOT NULL REFERENCES deposits (id),
    amount     INTEGER NOT NULL,
    booked_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payments_by_deposit ON deposit_payments (deposit, booked_at);

-- Numbers are never used twice: the sender of payouts takes each once.
CREATE TABLE refunds (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    customer         BLOB NOT NULL REFERENCES customers (id),
    idempotency_key  TEXT NOT NULL,
    -- As it was asked for; none for all that was free.
    asked            INTEGER,
    wallet           TEXT NOT NULL,
    amount           INTEGER NOT NULL CHECK (amount > 0),
    state            TEXT NOT NULL,
    -- The batch that it is in.
    batch            INTEGER,
    failures         INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    UNIQUE (customer, idempotency_key)
) STRICT;
CREATE INDEX refunds_open ON refunds (id) WHERE state IN ('planned', 'in_batch');

-- Of a batch that pays a refund.
ALTER TABLE batches ADD COLUMN refund INTEGER REFERENCES refunds (id);
CREATE INDEX batches_by_refund ON batches (refund, id) WHERE refund IS NOT NULL;
