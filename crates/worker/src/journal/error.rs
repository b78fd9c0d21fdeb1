//! What can be wrong with the journal.

use lull_types::Coded;

/// The journal cannot be used. Whatever was asked for has not happened, not even in part.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// No room.
    #[error(
        "The disk is full, so the worker cannot keep its records and has stopped work. Nothing is lost; make \
         some room and it goes on by itself."
    )]
    DiskFull,
    /// It is not what was written.
    #[error("The worker's records are damaged: {what}.")]
    Damaged {
        /// What SQLite found.
        what: String,
    },
    /// It was damaged and could not be put out of the way.
    #[error("The worker's records are damaged and cannot be moved away: {why}. Move them by hand.")]
    NotSetAside {
        /// What the operating system said.
        why: String,
    },
    /// Its folder or file is not ours to write.
    #[error("The worker may not write its records ({what}); check who owns its data folder.")]
    NotAllowed {
        /// What SQLite said.
        what: String,
    },
    /// A newer worker wrote it.
    #[error("The worker's records were written by a newer version (format {found}); update Lull.")]
    Newer {
        /// Its format.
        found: i64,
    },
    /// One of its values cannot be read.
    #[error("A record of the worker cannot be understood: {what}.")]
    Malformed {
        /// Which and why.
        what: String,
    },
    /// A number does not fit.
    #[error("A number is too large for the worker's records.")]
    OutOfRange,
    /// Anything else that SQLite says.
    #[error("The worker's records cannot be read or written: {what}.")]
    Failed {
        /// What SQLite said.
        what: String,
    },
}

impl Coded for JournalError {
    fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "disk_full",
            Self::Damaged { .. } => "journal_damaged",
            Self::NotSetAside { .. } => "journal_not_set_aside",
            Self::NotAllowed { .. } => "journal_not_allowed",
            Self::Newer { .. } => "journal_newer",
            Self::Malformed { .. } => "journal_malformed",
            Self::OutOfRange => "number_out_of_range",
            Self::Failed { .. } => "journal_failed",
        }
    }
}
