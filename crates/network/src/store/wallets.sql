-- Version 4. Wallets are proven by their holders' signatures, and change after a waiting period.
ALTER TABLE workers DROP COLUMN wallet_proven;
-- The wallet that comes next, and from when on; no instant, no change. No wallet: paid nowhere.
ALTER TABLE workers ADD COLUMN wallet_next TEXT;
ALTER TABLE workers ADD COLUMN wallet_next_from INTEGER;
CREATE INDEX workers_wallet_next ON workers (wallet_next_from) WHERE wallet_next_from IS NOT NULL;
CREATE TABLE wallet_proofs (
    worker     BLOB NOT NULL REFERENCES workers (id),
    wallet     TEXT NOT NULL,
    -- What was signed, from which its text follows.
    statement  TEXT NOT NULL,
    signature  BLOB NOT NULL,
    proven_at  INTEGER NOT NULL,
    PRIMARY KEY (worker, wallet)
) STRICT, WITHOUT ROWID;
