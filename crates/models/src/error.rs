//! Why the library cannot do what was asked of it.

use std::io;
use std::path::PathBuf;

use lull_types::{BlobHash, Coded};

/// The library cannot do it.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// More than may ever be here.
    #[error(
        "the model takes {needed_bytes} bytes on the disk, over the limit of {cap_bytes} for all models; raise the \
         limit, or choose a smaller model"
    )]
    CapTooSmall {
        /// What it takes, with its hashes.
        needed_bytes: u64,
        /// The cap.
        cap_bytes: u64,
    },
    /// Room could only be made at the cost of models that are used.
    #[error(
        "there is no room: {in_use_bytes} of at most {cap_bytes} bytes are taken by models that are in use, and \
         {needed_bytes} are needed; raise the limit, or try again when they are not used"
    )]
    AllInUse {
        /// What is needed.
        needed_bytes: u64,
        /// What cannot be given up now.
        in_use_bytes: u64,
        /// The cap.
        cap_bytes: u64,
    },
    /// It is used, so it stays.
    #[error("the model {0} is in use and stays; try again when it is not used")]
    Held(BlobHash),
    /// No such model, or not the whole of it.
    #[error("the model {0} is not here; fetch or add it first")]
    Missing(BlobHash),
    /// It is here, and not what it was.
    #[error(
        "the model {0} is damaged or was changed on the disk, and is not used; check it, or fetch or add it again"
    )]
    Damaged(BlobHash),
    /// One fetch of a model at a time.
    #[error("the model {0} is already being fetched; wait until that ends")]
    FetchUnderway(BlobHash),
    /// The operator's file changed while it was read.
    #[error("the file {} changed while it was read; it was not added, try again when it is complete", .0.display())]
    SourceChanged(PathBuf),
    /// The operator's path is no file.
    #[error("{} is not a file; nothing was added", .0.display())]
    NoFile(PathBuf),
    /// No model is so short or so long.
    #[error("a model of {bytes} bytes cannot be kept: a model has between 1 and {bytes_max}")]
    BadLength {
        /// As told.
        bytes: u64,
        /// The largest.
        bytes_max: u64,
    },
    /// A hash has one length.
    #[error(
        "the model {hash} was told to have {told} bytes, and what is here of it says {known}; one is wrong"
    )]
    OtherLength {
        /// Which.
        hash: BlobHash,
        /// As told now.
        told: u64,
        /// As told before.
        known: u64,
    },
    /// Another process has the folder.
    #[error("the models in {} are used by another process; close it first", .0.display())]
    InUse(PathBuf),
    /// Written by a later version.
    #[error("{} was written by a newer version of Lull; update Lull, or remove the folder", .0.display())]
    Newer(PathBuf),
    /// No room on the disk.
    #[error(
        "the disk is full, so the model could not be kept; free some space, and what is here of it is used"
    )]
    DiskFull,
    /// The disk failed.
    #[error("the models on the disk could not be read or written: {0}")]
    Disk(io::Error),
}

impl Coded for LibraryError {
    fn code(&self) -> &'static str {
        match self {
            Self::CapTooSmall { .. } => "models_cap_too_small",
            Self::AllInUse { .. } => "models_all_in_use",
            Self::Held(_) => "models_held",
            Self::Missing(_) => "models_missing",
            Self::Damaged(_) => "models_damaged",
            Self::FetchUnderway(_) => "models_fetch_underway",
            Self::SourceChanged(_) => "models_source_changed",
            Self::NoFile(_) => "models_no_file",
            Self::BadLength { .. } => "models_bad_length",
            Self::OtherLength { .. } => "models_other_length",
            Self::InUse(_) => "models_folder_in_use",
            Self::Newer(_) => "models_folder_newer",
            Self::DiskFull => "disk_full",
            Self::Disk(_) => "models_disk",
        }
    }
}

impl From<io::Error> for LibraryError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk(error),
        }
    }
}
