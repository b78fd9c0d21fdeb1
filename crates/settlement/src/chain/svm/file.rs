//! The ledger's file. A commit is on the disk when it returns.

use std::path::Path;

use lull_types::{BaseUnits, UnixMillis};
use rusqlite::{Connection, OptionalExtension, Row, Transaction as Step, params};
use solana_account::Account as FullAccount;

use super::super::{Address, ChainError, Signature, TokenChange, Transaction};
use super::machine::{Taken, carried_out, parse};

const VERSION: i64 = 1;
const ADDRESS_BYTES: usize = 32;
const TOKEN_CHANGE_BYTES: usize = 80;

impl From<rusqlite::Error> for ChainError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Ledger(error.to_string())
    }
}

/// What the ledger began with, and how far it has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Genesis {
    pub(super) seed: [u8; 32],
    pub(super) at: UnixMillis,
    pub(super) slot: u64,
}

#[derive(Debug)]
pub(super) struct File(Connection);

impl File {
    /// Opens the file, or makes it, beginning at `now`.
    pub(super) fn open(path: &Path, now: UnixMillis) -> Result<Self, ChainError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        let step = connection.transaction()?;
        match step.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? {
            0 => {
                step.execute_batch(include_str!("schema.sql"))?;
                step.execute("INSERT INTO genesis VALUES (0, randomblob(32), ?1, 0)", [signed(now.0)])?;
                step.pragma_update(None, "user_version", VERSION)?;
            }
            VERSION => {}
            newer => return Err(ChainError::Ledger(format!("it has version {newer}, which is not known"))),
        }
        step.commit()?;
        Ok(Self(connection))
    }

    pub(super) fn genesis(&self) -> Result<Genesis, ChainError> {
        let read = |row: &Row<'_>| {
            Ok(Genesis {
                seed: row.get(0)?,
                at: UnixMillis(unsigned(row.get(1)?)),
                slot: unsigned(row.get(2)?),
            })
        };
        Ok(self.0.query_row("SELECT seed, at_ms, slot FROM genesis", [], read)?)
    }

    pub(super) fn programs(&self) -> Result<Vec<(Address, Vec<u8>)>, ChainError> {
        let mut all = self.0.prepare("SELECT address, elf FROM programs")?;
        let read = |row: &Row<'_>| Ok((address(row.get(0)?), row.get(1)?));
        Ok(all.query_map([], read)?.collect::<Result<_, _>>()?)
    }

    pub(super) fn add_program(&self, at: &Address, elf: &[u8]) -> Result<(), ChainError> {
        self.0.execute(
            "INSERT INTO programs VALUES (?1, ?2) ON CONFLICT DO UPDATE SET elf = excluded.elf",
            params![at.to_bytes(), elf],
        )?;
        Ok(())
    }

    /// The newest version of every account.
    pub(super) fn accounts(&self) -> Result<Vec<(Address, FullAccount)>, ChainError> {
        let mut all = self.0.prepare(
            "SELECT address, lamports, owner, executable, data FROM accounts AS a
             WHERE slot = (SELECT max(slot) FROM accounts WHERE address = a.address)",
        )?;
        let read = |row: &Row<'_>| Ok((address(row.get(0)?), account(row, 1)?));
        Ok(all.query_map([], read)?.collect::<Result<_, _>>()?)
    }

    /// An account as of the end of a slot.
    pub(super) fn account_at(&self, of: &Address, slot: u64) -> Result<Option<FullAccount>, ChainError> {
        let mut one = self.0.prepare_cached(
            "SELECT lamports, owner, executable, data FROM accounts
             WHERE address = ?1 AND slot <= ?2 ORDER BY slot DESC LIMIT 1",
        )?;
        let found = one.query_row(params![of.to_bytes(), signed(slot)], |row| account(row, 0)).optional()?;
        Ok(found.filter(|account| account.lamports > 0))
    }

    /// Writes accounts, and the transaction that changed them, in one commit.
    pub(super) fn commit(
        &mut self,
        slot: u64,
        final_slot: u64,
        accounts: &[(Address, FullAccount)],
        transaction: Option<(&Signature, &[u8], &Transaction)>,
    ) -> Result<(), ChainError> {
        let step = self.0.transaction()?;
        step.execute("UPDATE genesis SET slot = max(slot, ?1)", [signed(slot)])?;
        for (at, account) in accounts {
            put_account(&step, slot, final_slot, at, account)?;
        }
        if let Some((signature, bytes, transaction)) = transaction {
            put_transaction(&step, signature, bytes, transaction)?;
        }
        step.commit()?;
        Ok(())
    }

    pub(super) fn transaction(&self, signature: &Signature) -> Result<Option<Transaction>, ChainError> {
        Ok(self.taken(signature)?.map(|taken| taken.done))
    }

    pub(super) fn taken(&self, signature: &Signature) -> Result<Option<Taken>, ChainError> {
        let mut one = self.0.prepare_cached(
            "SELECT slot, fee_lamports, bytes, tokens FROM transactions WHERE signature = ?1",
        )?;
        let read = |row: &Row<'_>| {
            let tokens: Vec<u8> = row.get(3)?;
            let tokens = tokens.as_chunks::<TOKEN_CHANGE_BYTES>().0.iter().map(token_change).collect();
            Ok((unsigned(row.get(0)?), unsigned(row.get(1)?), row.get::<_, Vec<u8>>(2)?, tokens))
        };
        let Some((slot, fee, bytes, tokens)) = one.query_row([signature.as_ref()], read).optional()? else {
            return Ok(None);
        };
        let damaged = || ChainError::Ledger(format!("the transaction {signature} was damaged"));
        let signed = parse(&bytes).ok_or_else(damaged)?;
        Ok(Some(Taken { done: carried_out(slot, fee, &signed, tokens), bytes, signed }))
    }

    /// A page of [`Self::mentions`] with slots, from `before` on, which is left out. What is not known as `before`
    /// has nothing after it.
    pub(super) fn mentions_page(
        &self,
        of: &Address,
        slot: u64,
        before: Option<&Signature>,
        until: Option<&Signature>,
        limit: u64,
    ) -> Result<Vec<(Signature, u64)>, ChainError> {
        let mut page = self.0.prepare_cached(
            "SELECT t.signature, t.slot FROM mentions AS m JOIN transactions AS t USING (number)
             WHERE m.address = ?1 AND t.slot <= ?2
               AND m.number > ifnull((SELECT number FROM transactions WHERE signature = ?3), 0)
               AND (?4 IS NULL OR m.number < (SELECT number FROM transactions WHERE signature = ?4))
             ORDER BY m.number DESC LIMIT ?5",
        )?;
        let read =
            |row: &Row<'_>| Ok((row.get::<_, [u8; 64]>(0).map(Signature::from)?, unsigned(row.get(1)?)));
        let (before, until) = (before.map(|one| one.as_ref()), until.map(|one| one.as_ref()));
        Ok(page
            .query_map(params![of.to_bytes(), signed(slot), until, before, signed(limit)], read)?
            .collect::<Result<_, _>>()?)
    }

    /// The newest first, down to `until`.
    pub(super) fn mentions(
        &self,
        of: &Address,
        final_slot: u64,
        until: Option<&Signature>,
    ) -> Result<Vec<Signature>, ChainError> {
        let mut all = self.0.prepare_cached(
            "SELECT t.signature FROM mentions AS m JOIN transactions AS t USING (number)
             WHERE m.address = ?1 AND t.slot <= ?2
               AND m.number > ifnull((SELECT number FROM transactions WHERE signature = ?3), 0)
             ORDER BY m.number DESC",
        )?;
        let read = |row: &Row<'_>| row.get::<_, [u8; 64]>(0).map(Signature::from);
        let until = until.map(|signature| signature.as_ref());
        Ok(all
            .query_map(params![of.to_bytes(), signed(final_slot), until], read)?
            .collect::<Result<_, _>>()?)
    }
}

fn put_account(
    step: &Step<'_>,
    slot: u64,
    final_slot: u64,
    at: &Address,
    account: &FullAccount,
) -> Result<(), ChainError> {
    step.prepare_cached("INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
        params![
            at.to_bytes(),
            signed(slot),
            signed(account.lamports),
            account.owner.to_bytes(),
            account.executable,
            account.data,
        ],
    )?;
    step.prepare_cached(
        "DELETE FROM accounts WHERE address = ?1
         AND slot < (SELECT max(slot) FROM accounts WHERE address = ?1 AND slot <= ?2)",
    )?
    .execute(params![at.to_bytes(), signed(final_slot)])?;
    Ok(())
}

fn put_transaction(
    step: &Step<'_>,
    signature: &Signature,
    bytes: &[u8],
    stated: &Transaction,
) -> Result<(), ChainError> {
    let tokens: Vec<u8> = stated.tokens.iter().flat_map(token_change_bytes).collect();
    step.prepare_cached(
        "INSERT INTO transactions (signature, slot, fee_lamports, bytes, tokens) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![
        signature.as_ref(),
        signed(stated.slot),
        signed(stated.fee_lamports),
        bytes,
        tokens
    ])?;
    let number = step.last_insert_rowid();
    let mut mention = step.prepare_cached("INSERT OR IGNORE INTO mentions VALUES (?1, ?2)")?;
    for named in &stated.accounts {
        mention.execute(params![named.to_bytes(), number])?;
    }
    Ok(())
}

fn account(row: &Row<'_>, from: usize) -> rusqlite::Result<FullAccount> {
    Ok(FullAccount {
        lamports: unsigned(row.get(from)?),
        owner: address(row.get(from + 1)?),
        executable: row.get(from + 2)?,
        data: row.get(from + 3)?,
        // Every account is exempt from rent today, and this is how it says so.
        rent_epoch: u64::MAX,
    })
}

fn token_change_bytes(change: &TokenChange) -> [u8; TOKEN_CHANGE_BYTES] {
    let mut bytes = [0; TOKEN_CHANGE_BYTES];
    bytes[..32].copy_from_slice(&change.account.to_bytes());
    bytes[32..64].copy_from_slice(&change.mint.to_bytes());
    bytes[64..72].copy_from_slice(&change.before.0.to_be_bytes());
    bytes[72..].copy_from_slice(&change.after.0.to_be_bytes());
    bytes
}

fn token_change(bytes: &[u8; TOKEN_CHANGE_BYTES]) -> TokenChange {
    let part = |from: usize| std::array::from_fn(|n| bytes[from + n]);
    let number = |from: usize| u64::from_be_bytes(std::array::from_fn(|n| bytes[from + n]));
    TokenChange {
        account: address(part(0)),
        mint: address(part(32)),
        before: BaseUnits(number(64)),
        after: BaseUnits(number(72)),
    }
}

fn address(bytes: [u8; ADDRESS_BYTES]) -> Address {
    Address::new_from_array(bytes)
}

fn signed(number: u64) -> i64 {
    number.cast_signed()
}

fn unsigned(number: i64) -> u64 {
    number.cast_unsigned()
}
