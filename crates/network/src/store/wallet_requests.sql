-- Version 7. Proofs of wallets by a transaction.

-- Statements for which a transaction of the wallet is awaited: the last of each worker.
CREATE TABLE wallet_requests (
    worker      BLOB PRIMARY KEY REFERENCES workers (id),
    -- From which the reference follows that the transaction names.
    statement   TEXT NOT NULL,
    issued_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX wallet_requests_by_end ON wallet_requests (expires_at);
-- In wallet_proofs.signature, a statement of this sort has the signature of its transaction.
