-- Version 3. All devices of an account are timed together, until a moment that nobody knows, and so is their memory.
-- What was timed before counts for nothing.
DELETE FROM timings;
-- The wallet, or the id of a worker without one.
ALTER TABLE timings ADD COLUMN account TEXT NOT NULL DEFAULT '';
ALTER TABLE timings ADD COLUMN valid_until INTEGER NOT NULL DEFAULT 0;
-- Bytes of memory, as the worker said and as they were found; none where none were claimed.
ALTER TABLE timings ADD COLUMN claimed_memory INTEGER NOT NULL DEFAULT 0;
ALTER TABLE timings ADD COLUMN memory INTEGER;
-- Why less was found than was to be.
ALTER TABLE timings ADD COLUMN memory_fault TEXT;
ALTER TABLE timings ADD COLUMN memory_evidence TEXT;
CREATE INDEX timings_by_account ON timings (account, timed_at);
CREATE INDEX workers_by_wallet ON workers (wallet) WHERE wallet IS NOT NULL;
