//! Lists of prices of power, from wherever the contributor says that they are: reading them, and nothing else. What a list
//! means is [`lull_guards::tariff`]'s to say.

mod scripted;
mod system;

use std::path::Path;

use futures_util::future::BoxFuture;
use lull_guards::tariff::ListError;
use lull_types::{Coded, PriceSource};
use reqwest::Url;

pub use scripted::Scripted;
pub use system::SystemReader;

/// Whoever reads a list of prices.
pub trait PriceReader: Send + Sync {
    /// What a source holds now. `known` is the mark of what was read of the same source before.
    ///
    /// # Errors
    /// [`PricesError`]; it may be asked again.
    fn read<'a>(
        &'a self,
        source: &'a PriceSource,
        known: Option<&'a Mark>,
    ) -> BoxFuture<'a, Result<Read, PricesError>>;
}

/// By what it is known that a source has not changed: opaque to whoever keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark(String);

/// What a source holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The same as when the mark was given.
    Unchanged,
    /// This.
    Bytes {
        /// At most [`lull_guards::tariff::LIST_BYTES_MAX`].
        bytes: Vec<u8>,
        /// To ask with the next time, where the source gives one.
        mark: Option<Mark>,
    },
}

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PricesError {
    /// Not a URL.
    #[error("This is not the address of a price list; it begins with https://.")]
    NotAUrl,
    /// Anyone on the way could change the prices.
    #[error(
        "The address of a price list outside this machine must begin with https://, or anyone on the way could change \
         its prices."
    )]
    NotSecure,
    /// A path from who knows where.
    #[error("Give the price list's whole path, from the root of the disk on.")]
    PathNotWhole,
    /// No such file.
    #[error("The price list {path} is not there; put it there, or choose another.")]
    FileMissing {
        /// Where it was looked for.
        path: String,
    },
    /// A folder, a pipe, or what may not be read.
    #[error("The price list cannot be read: {why}; look at its permissions.")]
    FileUnreadable {
        /// The operating system's word on it.
        why: String,
    },
    /// Nobody answers at the address.
    #[error("The address of the price list does not answer; it is asked again later.")]
    Unreachable,
    /// It leads to another that is not secure, or to too many.
    #[error("The address of the price list leads to others that are not followed; give the last one.")]
    Redirected,
    /// It answers that it will not.
    #[error("The address of the price list answers with the error {status}; look at it in a browser.")]
    Refused {
        /// The status by HTTP.
        status: u16,
    },
    /// The system's certificates cannot be used.
    #[error("This system offers no way to connect securely, so no price list is asked for.")]
    NoTls,
    /// What was read is no list.
    #[error(transparent)]
    List(#[from] ListError),
}

impl Coded for PricesError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAUrl => "prices_not_a_url",
            Self::NotSecure => "prices_not_secure",
            Self::PathNotWhole => "prices_path_not_whole",
            Self::FileMissing { .. } => "prices_file_missing",
            Self::FileUnreadable { .. } => "prices_file_unreadable",
            Self::Unreachable => "prices_unreachable",
            Self::Redirected => "prices_redirected",
            Self::Refused { .. } => "prices_refused",
            Self::NoTls => "prices_no_tls",
            Self::List(error) => error.code(),
        }
    }
}

/// Whether a source is one that would be asked. Nothing is asked for it.
///
/// # Errors
/// Why it would not.
pub fn check_source(source: &PriceSource) -> Result<(), PricesError> {
    match source {
        PriceSource::Url { url } => url_of(url).map(drop),
        PriceSource::File { path } if Path::new(path).is_absolute() => Ok(()),
        PriceSource::File { .. } => Err(PricesError::PathNotWhole),
    }
}

fn url_of(url: &str) -> Result<Url, PricesError> {
    let url: Url = url.trim().parse().map_err(|_| PricesError::NotAUrl)?;
    match url.scheme() {
        _ if is_secure(&url) => Ok(url),
        "http" => Err(PricesError::NotSecure),
        _ => Err(PricesError::NotAUrl),
    }
}

/// Whether nobody on the way can change what a URL answers.
fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || url.scheme() == "http" && is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests;
