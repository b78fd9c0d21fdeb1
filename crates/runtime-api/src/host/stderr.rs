//! What a runtime says to people goes to the log.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};

/// A longer line is cut into several; a back-trace's lines are a tenth of it.
const LINE_BYTES_MAX: u64 = 4096;
/// What one process may add to the log; the rest is read, so that it does not block, and dropped.
const LOG_BYTES_MAX: usize = 1024 * 1024;

/// Copies lines to the log until the stream ends.
pub(super) async fn log_lines(source: impl AsyncRead + Unpin, process_id: u32) {
    let mut source = BufReader::new(source);
    let mut logged = 0;
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut source).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) if logged > LOG_BYTES_MAX => {}
            Ok(bytes) => {
                logged += bytes;
                // The runtime may be hostile: what a terminal would obey is shown as text.
                let text: String =
                    String::from_utf8_lossy(&line).trim_end().chars().flat_map(shown).collect();
                tracing::info!(target: "lull_runtime", process_id, "{text}");
                if logged > LOG_BYTES_MAX {
                    tracing::warn!(target: "lull_runtime", process_id, "it says too much; the rest is dropped");
                }
            }
        }
    }
}

fn shown(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = (!character.is_control()).then_some(character);
    escaped.into_iter().flatten().chain(plain)
}
