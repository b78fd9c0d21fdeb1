//! Logs: written to files that are kept for a week, and exported without what is nobody's business.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::paths::Paths;

/// Sets what is logged, in the syntax of `RUST_LOG`.
pub const LOG_ENV: &str = "LULL_LOG";

/// What is logged by default: this program's doings, and only what goes wrong elsewhere.
const DEFAULT_FILTER: &str = "warn,lull=info,lull_worker=info,lull_runtime_api=info";

/// A problem is usually reported within days; a week of logs is a few megabytes.
const FILES_MAX: usize = 7;

/// An export is cut to its last part: what happened long before a problem rarely explains it.
const EXPORT_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Begins to log into the data folder, and to standard error as well when `to_terminal`. Logging ends with the
/// guard.
///
/// # Errors
/// When the folder cannot be written.
pub fn init(paths: &Paths, to_terminal: bool) -> io::Result<WorkerGuard> {
    let appender = RollingFileAppender::builder()
        .rotation(Rotation::DAILY)
        .filename_prefix("worker")
        .filename_suffix("log")
        .max_log_files(FILES_MAX)
        .build(paths.logs())
        .map_err(io::Error::other)?;
    let (writer, guard) = tracing_appender::non_blocking(appender);
    let filter = EnvFilter::try_from_env(LOG_ENV).unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    let to_file = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(false);
    let to_terminal =
        to_terminal.then(|| tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false));
    // It fails only when a subscriber is set already, as in a test that runs two workers.
    let _ = tracing_subscriber::registry().with(filter).with(to_file).with(to_terminal).try_init();
    Ok(guard)
}

/// What is taken out of exported logs.
#[derive(Clone, Debug)]
pub struct Redaction {
    replaced: Vec<(String, &'static str)>,
}

impl Redaction {
    /// Takes out the home folder, the account's name and these further texts; longer runs of hexadecimal
    /// digits (keys, ids, hashes) and of base 58 or base 32 (wallets, tickets) are cut to their first digits
    /// in any case.
    pub fn new(further: impl IntoIterator<Item = (String, &'static str)>) -> Self {
        let home = directories::BaseDirs::new().map(|folders| folders.home_dir().to_path_buf());
        let account =
            home.as_ref().and_then(|home| home.file_name()).map(|name| name.to_string_lossy().into_owned());
        let home = home.map(|home| (home.to_string_lossy().into_owned(), "~"));
        // Very short names would take words apart.
        let account = account.filter(|name| name.len() >= 3).map(|name| (name, "<account>"));
        let mut replaced: Vec<_> = further.into_iter().chain(home).chain(account).collect();
        replaced.retain(|(text, _)| text.len() > 1);
        Self { replaced }
    }

    /// `line` without what is private.
    pub fn apply(&self, line: &str) -> String {
        let mut line = line.to_owned();
        for (text, stand_in) in &self.replaced {
            if line.contains(text.as_str()) {
                line = line.replace(text.as_str(), stand_in);
            }
        }
        shorten_codes(&line)
    }
}

/// Wallet addresses have 32 to 44 characters, keys 64, tickets more. Words of that length that are made of
/// letters and digits alone do not occur in sentences.
const CODE_LENGTH_MIN: usize = 32;
/// So many characters stay, so that lines about one thing can be told to be so.
const CODE_KEPT: usize = 8;

fn shorten_codes(line: &str) -> String {
    let mut short = String::with_capacity(line.len());
    let mut rest = line;
    while !rest.is_empty() {
        let code = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if code >= CODE_LENGTH_MIN {
            short.push_str(&rest[..CODE_KEPT]);
            short.push('…');
        } else {
            short.push_str(&rest[..code]);
        }
        rest = &rest[code..];
        let next = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        short.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    short
}

/// Writes the logs, redacted, to one file in `to`, and returns its path.
///
/// # Errors
/// Those of the file system.
pub fn export(logs: &Path, to: &Path, name: &str, redaction: &Redaction) -> io::Result<PathBuf> {
    crate::paths::create_private(to)?;
    let mut files: Vec<_> = fs::read_dir(logs)?.collect::<Result<Vec<_>, _>>()?;
    // Names carry the day.
    files.sort_by_key(fs::DirEntry::file_name);
    let mut chosen = Vec::new();
    let mut bytes = 0;
    for file in files.into_iter().rev() {
        bytes += file.metadata()?.len();
        chosen.push(file.path());
        if bytes >= EXPORT_BYTES_MAX {
            break;
        }
    }
    let path = to.join(name);
    let mut exported = io::BufWriter::new(fs::File::create(&path)?);
    for file in chosen.into_iter().rev() {
        let mut lines = BufReader::new(fs::File::open(file)?).split(b'\n');
        while let Some(line) = lines.next().transpose()? {
            writeln!(exported, "{}", redaction.apply(&String::from_utf8_lossy(&line)))?;
        }
    }
    exported.flush()?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_wallets_tickets_and_the_home_folder_are_taken_out() {
        let redaction =
            Redaction { replaced: vec![("/home/ada".to_owned(), "~"), ("ada".to_owned(), "<account>")] };
        let key = "0123456789abcdef".repeat(4);
        let wallet = "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU";
        let ticket = format!("lull1{}", "abc2".repeat(30));
        let line = format!("é worker {key} pays {wallet}; see /home/ada/x.log of ada, ticket={ticket}");
        assert_eq!(
            redaction.apply(&line),
            "é worker 01234567… pays 7xKXtg2C…; see ~/x.log of <account>, ticket=lull1abc…"
        );
        let plain = "a sentence with 0000:01:00.0 and 2026-11-23T10:00:00.000000Z stays";
        assert_eq!(redaction.apply(plain), plain);
    }

    #[test]
    fn an_export_holds_all_days_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        fs::create_dir(&logs).unwrap();
        fs::write(logs.join("worker.2026-01-02.log"), "second\n").unwrap();
        fs::write(logs.join("worker.2026-01-01.log"), "first \u{fffd}\n").unwrap();
        let to = folder.path().join("out");
        let path = export(&logs, &to, "lull.log", &Redaction { replaced: Vec::new() }).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "first \u{fffd}\nsecond\n");
    }
}
