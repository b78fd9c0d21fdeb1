//! Price lists of this system's files, and of the internet.

use std::fs::File;
use std::io::{self, Read as _};
use std::sync::OnceLock;
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lull_guards::tariff::{LIST_BYTES_MAX, ListError};
use lull_types::PriceSource;
use reqwest::header::{ACCEPT, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use reqwest::{Client, Response, StatusCode, redirect};

use super::{Mark, PriceReader, PricesError, Read, is_secure, url_of};

/// How long an answer may take as a whole. It is a text of some kilobytes, and nobody waits for it.
const TIMEOUT: Duration = Duration::from_secs(20);

/// From a short address to a long one, and on to the newest file: more is a loop.
const REDIRECTS_MAX: usize = 4;

/// The real reader. Its client is made when the first address is asked: most contributors never ask one.
#[derive(Debug, Default)]
pub struct SystemReader {
    client: OnceLock<Client>,
}

impl PriceReader for SystemReader {
    fn read<'a>(
        &'a self,
        source: &'a PriceSource,
        known: Option<&'a Mark>,
    ) -> BoxFuture<'a, Result<Read, PricesError>> {
        match source {
            PriceSource::File { path } => read_file(path.clone(), known.cloned()).boxed(),
            PriceSource::Url { url } => self.ask(url, known).boxed(),
        }
    }
}

async fn read_file(path: String, known: Option<Mark>) -> Result<Read, PricesError> {
    // A file may lie on another machine.
    let read = tokio::task::spawn_blocking(move || {
        read_now(&path, known.as_ref()).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => PricesError::FileMissing { path },
            _ => PricesError::FileUnreadable { why: error.to_string() },
        })
    });
    let read = read.await.map_err(|error| PricesError::FileUnreadable { why: error.to_string() })??;
    match &read {
        Read::Bytes { bytes, .. } if bytes.len() > LIST_BYTES_MAX => Err(ListError::TooLarge.into()),
        Read::Bytes { .. } | Read::Unchanged => Ok(read),
    }
}

fn read_now(path: &str, known: Option<&Mark>) -> io::Result<Read> {
    // Looked at before it is opened: to open a pipe would wait for whoever writes it.
    let there = std::fs::metadata(path)?;
    if !there.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let modified = there.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let mark = modified.map(|at| Mark(format!("{} bytes at {at:?}", there.len())));
    if mark.is_some() && mark.as_ref() == known {
        return Ok(Read::Unchanged);
    }
    let mut bytes = Vec::new();
    // One more than is allowed tells that there is more.
    File::open(path)?.take(LIST_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Read::Bytes { bytes, mark })
}

impl SystemReader {
    fn client(&self) -> Result<&Client, PricesError> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(TIMEOUT)
            .redirect(redirect::Policy::custom(follow))
            .user_agent(concat!("lull-worker/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| PricesError::NoTls)?;
        Ok(self.client.get_or_init(|| client))
    }

    async fn ask(&self, url: &str, known: Option<&Mark>) -> Result<Read, PricesError> {
        let mut request =
            self.client()?.get(url_of(url)?).header(ACCEPT, "text/csv, application/json;q=0.9, */*;q=0.1");
        if let Some((header, value)) = known.and_then(condition) {
            request = request.header(header, value);
        }
        // A URL may hold a key, so that it is in no error and no log.
        let mut response = request.send().await.map_err(|error| failure(&error))?;
        match response.status() {
            StatusCode::NOT_MODIFIED if known.is_some() => return Ok(Read::Unchanged),
            status if status.is_success() => {}
            status if status.is_redirection() => return Err(PricesError::Redirected),
            status => return Err(PricesError::Refused { status: status.as_u16() }),
        }
        let mark = mark(&response);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| failure(&error))? {
            if bytes.len() + chunk.len() > LIST_BYTES_MAX {
                return Err(ListError::TooLarge.into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Read::Bytes { bytes, mark })
    }
}

/// Follows to where nobody on the way can change the prices. From the internet none leads to this machine, whose services
/// may trust whoever asks from here.
fn follow(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let from_here = attempt.previous().iter().all(super::is_loopback);
    let may = is_secure(attempt.url()) && (from_here || !super::is_loopback(attempt.url()));
    if may && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}

fn failure(error: &reqwest::Error) -> PricesError {
    if error.is_redirect() { PricesError::Redirected } else { PricesError::Unreachable }
}

const BY_TAG: &str = "tag ";
const BY_TIME: &str = "time ";

/// What the answer is known by, as RFC 9110 has it: its tag, or else when it last changed.
fn mark(response: &Response) -> Option<Mark> {
    let header = |name: HeaderName| response.headers().get(name).and_then(|value| value.to_str().ok());
    let by_tag = header(ETAG).map(|tag| format!("{BY_TAG}{tag}"));
    by_tag.or_else(|| header(LAST_MODIFIED).map(|at| format!("{BY_TIME}{at}"))).map(Mark)
}

/// The header that asks for what is not known by the mark.
fn condition(Mark(mark): &Mark) -> Option<(HeaderName, &str)> {
    let by_tag = mark.strip_prefix(BY_TAG).map(|tag| (IF_NONE_MATCH, tag));
    by_tag.or_else(|| mark.strip_prefix(BY_TIME).map(|at| (IF_MODIFIED_SINCE, at)))
}
