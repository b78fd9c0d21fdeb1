//! What faults are to a client of OpenAI's.

use std::time::Duration;

/// Whether a client that was refused is to try again on its own. The official clients do so twice with 408, 409, 429
/// and every status from 500 on, unless a header says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// As it does by itself.
    ByStatus,
    /// Not at all: the same request fails again.
    Never,
    /// After this long.
    After(Duration),
}

/// How a fault is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// The fault's code.
    pub code: &'static str,
    /// HTTP status. The official clients choose the class of their exception by it.
    pub status: u16,
    /// OpenAI's `type`.
    pub kind: &'static str,
    /// OpenAI's `code`, which clients compare with; our own where OpenAI has none.
    pub told_as: &'static str,
    /// Whether the client tries again.
    pub retry: Retry,
}

/// A worker that was busy is done with most asks after so long, and two tries of a client then take less than people
/// wait for a page.
const BUSY_RETRY: Duration = Duration::from_secs(3);
/// Longer than a restart of the network takes.
const RESTART_RETRY: Duration = Duration::from_secs(10);

const REQUEST: &str = "invalid_request_error";
const SERVER: &str = "server_error";

/// Every code that is known here.
///
/// OpenAI answers 429 when an account has no money left, and so do we, as clients look for `insufficient_quota` with
/// that status; but we tell them not to try again.
pub const FAULTS: &[Meaning] = &[
    row("request_malformed", 400, REQUEST, "request_malformed", Retry::Never),
    row("context_too_long", 400, REQUEST, "context_length_exceeded", Retry::Never),
    row("chat_unsupported", 400, REQUEST, "unsupported_model", Retry::Never),
    row("token_unknown", 400, REQUEST, "invalid_value", Retry::Never),
    row("key_missing", 401, REQUEST, "invalid_api_key", Retry::Never),
    row("key_unknown", 401, REQUEST, "invalid_api_key", Retry::Never),
    row("model_unknown", 404, REQUEST, "model_not_found", Retry::Never),
    row("method_unknown", 405, REQUEST, "method_not_supported", Retry::Never),
    row("request_too_slow", 408, REQUEST, "request_too_slow", Retry::ByStatus),
    row("request_too_large", 413, REQUEST, "request_too_large", Retry::Never),
    row("deposit_too_small", 429, "insufficient_quota", "insufficient_quota", Retry::Never),
    row("asks_too_many", 429, "requests", "rate_limit_exceeded", Retry::After(BUSY_RETRY)),
    // nginx's status for a client that has gone away; whoever gets to see it has withdrawn the ask by other means.
    row("ask_withdrawn", 499, REQUEST, "ask_withdrawn", Retry::Never),
    row("answer_failed", 500, SERVER, "answer_failed", Retry::ByStatus),
    row("answer_malformed", 500, SERVER, "answer_malformed", Retry::ByStatus),
    row("answer_cut_short", 502, SERVER, "answer_cut_short", Retry::ByStatus),
    row("workers_busy", 503, SERVER, "overloaded", Retry::After(BUSY_RETRY)),
    row("workers_none", 503, SERVER, "overloaded", Retry::After(RESTART_RETRY)),
    row("worker_lost", 503, SERVER, "worker_lost", Retry::ByStatus),
    row("network_store_failed", 503, SERVER, "network_store_failed", Retry::ByStatus),
    row("network_shutting_down", 503, SERVER, "network_shutting_down", Retry::After(RESTART_RETRY)),
    row("answer_late", 504, SERVER, "answer_late", Retry::ByStatus),
];

const fn row(
    code: &'static str,
    status: u16,
    kind: &'static str,
    told_as: &'static str,
    retry: Retry,
) -> Meaning {
    Meaning { code, status, kind, told_as, retry }
}

/// What a code means, if it is known here.
pub(crate) fn meaning(code: &str) -> Option<&'static Meaning> {
    FAULTS.iter().find(|meaning| meaning.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_once_and_with_a_status_of_an_error() {
        for (at, meaning) in FAULTS.iter().enumerate() {
            assert!((400..600).contains(&meaning.status), "{meaning:?}");
            assert!(FAULTS[..at].iter().all(|other| other.code != meaning.code), "{meaning:?} comes twice");
            assert_eq!(meaning.kind == SERVER, meaning.status >= 500, "{meaning:?}");
        }
        assert_eq!(meaning("deposit_too_small").map(|it| it.told_as), Some("insufficient_quota"));
        assert_eq!(meaning("never_heard_of"), None);
    }
}
