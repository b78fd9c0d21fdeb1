//! What the worker keeps over restarts: one SQLite file, written before anything irreversible is done.
//!
//! Every [`Journal::apply`] is one transaction that is on the disk when it returns (write-ahead log with
//! `synchronous=FULL`). A file that is damaged is set aside under another name, never deleted, and a new one is
//! begun; the contributor is told by a notice in it.
//!
//! The file belongs to one worker process at a time (see [`crate::lock`]); others may read it.

mod apply;
mod error;
mod query;
mod restore;
mod row;
mod schema;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lull_types::UnixMillis;
use lull_worker_api::Notice;
use rusqlite::{Connection, ErrorCode, OpenFlags};

pub use error::JournalError;
pub use query::{PictureOutput, Track};

use crate::machine::Record;

/// How long to wait for a reader that holds the file: `lull-worker receipts verify` reads for seconds at most.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The journal, open.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
}

impl Journal {
    /// Opens the journal, or begins one.
    ///
    /// A file that is damaged is renamed to `<name>.damaged-<now>` with its log, and a new journal is begun
    /// with a notice that says so.
    ///
    /// # Errors
    /// When the file cannot be opened or written, or was written by a newer version; it is left as it is then.
    pub fn open(path: &Path, now: UnixMillis) -> Result<Self, JournalError> {
        match Self::open_checked(path) {
            Err(JournalError::Damaged { what }) => {
                let aside = set_aside(path, now)?;
                let mut journal = Self::open_checked(path)?;
                let sentence = format!(
                    "The worker's records were damaged ({what}) and are kept as {}. Receipts come back from \
                     the network; choices start anew.",
                    aside.display()
                );
                // Clients remember the highest notice that they showed: numbers go on above all earlier ones,
                // of which there was never more than one a second.
                let id = now.0 / 1000;
                let code = "journal_damaged".to_owned();
                let notice = Notice { id, at: now, code, sentence, problem: true };
                journal.apply(&[Record::Notice(notice)])?;
                Ok(journal)
            }
            other => other,
        }
    }

    /// Opens an existing journal to read it while a worker may write it. Nothing is checked or changed.
    ///
    /// # Errors
    /// When there is none or it cannot be read.
    pub fn open_to_read(path: &Path) -> Result<Self, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        schema::check_version(&connection)?;
        Ok(Self { connection })
    }

    fn open_checked(path: &Path) -> Result<Self, JournalError> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        let mut journal = Self { connection };
        journal.check_integrity()?;
        schema::migrate(&mut journal.connection)?;
        Ok(journal)
    }

    /// Whether the journal can be read and written now. For after an error, before it is trusted again.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn check(&mut self) -> Result<(), JournalError> {
        self.check_integrity()?;
        // A page of its own makes the file grow if it must, which a full disk does not allow.
        let transaction = self.connection.transaction()?;
        transaction
            .execute("INSERT OR REPLACE INTO state (key, value) VALUES ('probe', hex(zeroblob(4096)))", [])?;
        transaction.commit()?;
        self.connection.execute("DELETE FROM state WHERE key = 'probe'", [])?;
        Ok(())
    }

    fn check_integrity(&self) -> Result<(), JournalError> {
        let found: String = self.connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(JournalError::Damaged { what: found }) }
    }

    /// Lets the file grow to so many pages of 4 KiB and no further, as a full disk would.
    #[cfg(test)]
    fn limit_pages(&self, pages: u32) {
        self.connection.pragma_update(None, "max_page_count", pages).unwrap();
    }
}

/// Gives the damaged file and its logs another name. The logs hold the last transactions, which a rescuer needs.
fn set_aside(path: &Path, now: UnixMillis) -> Result<PathBuf, JournalError> {
    let with = |suffix: &str| {
        let mut name = OsString::from(path);
        name.push(suffix);
        PathBuf::from(name)
    };
    let aside = with(&format!(".damaged-{}", now.0));
    let rename = |from: &Path, to: &Path| match std::fs::rename(from, to) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(JournalError::NotSetAside { why: error.to_string() })
        }
        _ => Ok(()),
    };
    for log in ["-wal", "-shm"] {
        let mut to = OsString::from(&aside);
        to.push(log);
        rename(&with(log), Path::new(&to))?;
    }
    rename(path, &aside)?;
    Ok(aside)
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        let what = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { what },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen) => {
                Self::NotAllowed { what }
            }
            _ => Self::Failed { what },
        }
    }
}
