//! Opening the store: migrations, the check for damage, and setting a damaged file aside.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lull_types::Coded;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

/// Each entry brings the schema from its position to the next; entries are never changed once published.
const MIGRATIONS: &[&str] = &[
    include_str!("schema.sql"),
    include_str!("timings.sql"),
    include_str!("timed_accounts.sql"),
    include_str!("wallets.sql"),
    include_str!("payouts.sql"),
    include_str!("funds.sql"),
    include_str!("wallet_requests.sql"),
    include_str!("inference.sql"),
];

/// Statements are compiled once: the engine has about a hundred.
const STATEMENTS_KEPT: usize = 256;

/// The journal is copied into the file when it has this many pages: 32 MiB, as much as the cache holds. At the
/// default of a thousand a busy network would wait for that copy several times a second.
const CHECKPOINT_PAGES: u32 = 8 * 1024;

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file is damaged and was renamed. A new one is not made by itself: whoever runs the network decides
    /// between a backup and a fresh start.
    #[error(
        "the network's records were damaged ({damage}) and have been set aside as {set_aside}; put a backup in their place, or start again for empty records"
    )]
    Corrupt {
        /// What SQLite says.
        damage: String,
        /// Where the damaged file is now.
        set_aside: PathBuf,
    },
    /// The file was written by a newer version.
    #[error(
        "the network's records have version {found}, and this program knows only up to {known}; use a newer one"
    )]
    TooNew {
        /// Version of the file.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Anything else.
    #[error("the network's records cannot be opened: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// The damaged file could not be renamed.
    #[error("the network's records are damaged, and they could not be set aside: {0}")]
    SetAside(#[source] std::io::Error),
}

impl Coded for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Corrupt { .. } => "store_corrupt",
            Self::TooNew { .. } => "store_too_new",
            Self::Sqlite(_) => "store_unusable",
            Self::SetAside(_) => "store_corrupt_in_place",
        }
    }
}

/// How durable commits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journal {
    /// Every commit is on the disk before it is answered. What a network uses.
    Durable,
    /// The operating system writes when it likes. For simulations alone.
    Volatile,
}

/// Opens the store for writing, makes it if there is none, and brings it to the newest version.
///
/// # Errors
/// [`StoreError`]; a damaged file has been set aside then.
pub fn open(path: &Path, journal: Journal) -> Result<Connection, StoreError> {
    match try_open(path, journal) {
        Err(StoreError::Sqlite(error)) if is_damage(&error) => Err(set_aside(path, error.to_string())),
        Err(StoreError::Corrupt { damage, .. }) => Err(set_aside(path, damage)),
        opened => opened,
    }
}

/// A fresh store in memory, for tests and simulations.
///
/// # Errors
/// When SQLite has no memory.
pub fn open_in_memory() -> Result<Connection, StoreError> {
    let mut connection = Connection::open_in_memory()?;
    prepare(&connection)?;
    migrate(&mut connection)?;
    Ok(connection)
}

/// Opens the store for reading beside its writer, for [`super::queries`].
///
/// # Errors
/// When it cannot be opened.
pub fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(connection)
}

fn try_open(path: &Path, journal: Journal) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path)?;
    prepare(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let synchronous = match journal {
        Journal::Durable => "FULL",
        Journal::Volatile => "OFF",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    let damage: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if damage != "ok" {
        return Err(StoreError::Corrupt { damage, set_aside: PathBuf::new() });
    }
    migrate(&mut connection)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    // There is one writer; the wait is for a second copy of the program that is just ending.
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "foreign_keys", "ON")?;
    // Plans must not depend on bound values: SQLite would compile such a statement again at every new value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // 32 MiB keep the hot pages of a busy network in memory.
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = match usize::try_from(found) {
        Ok(done) if done <= MIGRATIONS.len() => done,
        _ => return Err(StoreError::TooNew { found, known }),
    };
    for (version, sql) in (found + 1..).zip(&MIGRATIONS[done..]) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        step.pragma_update(None, "user_version", version)?;
        step.commit()?;
    }
    Ok(())
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}

/// Renames the file and its journal, so that nothing is written into what may yet be rescued.
fn set_aside(path: &Path, damage: String) -> StoreError {
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let set_aside = with(&format!(".damaged-{stamp}"));
    for journal in ["-wal", "-shm"] {
        let from = with(journal);
        if from.exists()
            && let Err(error) = std::fs::rename(&from, with(&format!(".damaged-{stamp}{journal}")))
        {
            return StoreError::SetAside(error);
        }
    }
    match std::fs::rename(path, &set_aside) {
        Ok(()) => StoreError::Corrupt { damage, set_aside },
        Err(error) => StoreError::SetAside(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek, SeekFrom, Write};

    fn version(connection: &Connection) -> i64 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn is_made_once_and_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.sqlite");
        let first = open(&path, Journal::Durable).unwrap();
        assert_eq!(version(&first), MIGRATIONS.len() as i64);
        assert_eq!(first.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0)).unwrap(), 2, "FULL");
        drop(first);
        assert_eq!(version(&open(&path, Journal::Durable).unwrap()), MIGRATIONS.len() as i64);
        assert!(open_reader(&path).unwrap().execute("DELETE FROM jobs", []).is_err(), "readers cannot write");
    }

    #[test]
    fn a_newer_file_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.sqlite");
        open(&path, Journal::Durable).unwrap().pragma_update(None, "user_version", 9).unwrap();
        let newest = MIGRATIONS.len() as i64;
        let refused = open(&path, Journal::Durable);
        assert!(matches!(refused, Err(StoreError::TooNew { found: 9, known }) if known == newest));
        assert!(path.exists());
    }

    #[test]
    fn a_damaged_file_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.sqlite");
        drop(open(&path, Journal::Durable).unwrap());
        let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        for page in 1..8 {
            file.seek(SeekFrom::Start(page * 4096)).unwrap();
            file.write_all(&[0xa5; 2048]).unwrap();
        }
        drop(file);
        match open(&path, Journal::Durable) {
            Err(StoreError::Corrupt { set_aside, .. }) => assert!(set_aside.exists() && !path.exists()),
            other => panic!("{other:?}"),
        }
        assert!(open(&path, Journal::Durable).is_ok(), "the next start is a fresh one");
    }

    #[test]
    fn a_file_of_something_else_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("network.sqlite");
        std::fs::write(&path, "no database at all, but long enough to be read as a header of one".repeat(20))
            .unwrap();
        assert!(matches!(open(&path, Journal::Durable), Err(StoreError::Corrupt { .. })));
    }
}
