//! How much data has moved, in words.

use lull_types::{DataDirection, GB};
use lull_worker_api::Snapshot;

use super::local;

/// Bytes in gigabytes, as providers count.
fn gigabytes(bytes: u64) -> String {
    format!("{:.2} GB", bytes as f64 / GB as f64)
}

fn way(direction: DataDirection) -> &'static str {
    match direction {
        DataDirection::Sent => "sent",
        DataDirection::Received => "received",
        DataDirection::Both => "sent and received",
    }
}

/// Why a cap holds a device free.
pub(super) fn reached(direction: DataDirection, used_bytes: u64, cap_bytes: u64) -> String {
    let (used, cap) = (gigabytes(used_bytes), gigabytes(cap_bytes));
    format!("{used} were {} this month, of {cap} that you allow", way(direction))
}

/// What has moved this month, and how that stands to the caps.
pub(super) fn lines(snapshot: &Snapshot) -> Vec<String> {
    let data = &snapshot.data;
    let (sent, received) = (gigabytes(data.moved.sent_bytes), gigabytes(data.moved.received_bytes));
    let since = local(data.begins_at);
    let mut lines = vec![format!("  data      {sent} sent, {received} received since {since}")];
    let caps: Vec<_> = snapshot.settings.guards.data_cap.iter().flat_map(|caps| caps.given()).collect();
    if !caps.is_empty() {
        let caps: Vec<_> =
            caps.iter().map(|(of, bytes)| format!("{} {}", gigabytes(*bytes), way(*of))).collect();
        let anew = local(data.ends_at);
        lines.push(format!("            you allow {} a month; it begins anew {anew}", caps.join(", ")));
    }
    if let Some(at) = data.reached_at {
        lines.push(format!("            at the pace of this month so far that is reached {}", local(at)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_and_allowed_is_told_in_gigabytes_of_providers() {
        assert_eq!(
            reached(DataDirection::Received, 29_904_000_000, 30 * GB),
            "29.90 GB were received this month, of 30.00 GB that you allow"
        );
    }
}
