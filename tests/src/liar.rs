//! An endpoint of Solana that lies.

use anyhow::{Context, Result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// What becomes of a true answer to a question of this method; none for silence.
pub type Lie = fn(&str, Value) -> Option<Value>;

/// Questions have a few hundred bytes.
const QUESTION_BYTES_MAX: usize = 64 * 1024;

/// Stands before an endpoint and changes what it answers.
#[derive(Debug)]
pub struct Liar {
    url: String,
    _serving: AbortOnDropHandle<()>,
}

impl Liar {
    /// Begins to lie about what the endpoint at this URL says.
    ///
    /// # Errors
    /// When there is no port for it.
    pub async fn before(endpoint: &str, lie: Lie) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/", listener.local_addr()?);
        let endpoint = endpoint.to_owned();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Whoever asks hangs up when it likes.
                tokio::spawn(answer(stream, endpoint.clone(), lie));
            }
        });
        Ok(Self { url, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// One question on a connection, and then it is closed.
async fn answer(mut stream: TcpStream, endpoint: String, lie: Lie) -> Result<()> {
    let question = question(&mut stream).await?;
    let client = reqwest::Client::builder().no_proxy().build()?;
    let truth: Value = client.post(endpoint).json(&question).send().await?.json().await?;
    let method = question["method"].as_str().unwrap_or_default();
    let Some(told) = lie(method, truth) else { return Ok(()) };
    let body = told.to_string();
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await?;
    Ok(())
}

async fn question(stream: &mut TcpStream) -> Result<Value> {
    let mut bytes = Vec::new();
    loop {
        if let Some(question) = whole(&bytes)? {
            return Ok(question);
        }
        let read = (&mut *stream).take(QUESTION_BYTES_MAX as u64).read_buf(&mut bytes).await?;
        anyhow::ensure!(read > 0 && bytes.len() < QUESTION_BYTES_MAX, "no question came");
    }
}

/// The body of a request, once all of it is there.
fn whole(bytes: &[u8]) -> Result<Option<Value>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.context("a question without a length")?.trim().parse()?;
    let body = &bytes[end + 4..];
    if body.len() < length { Ok(None) } else { Ok(Some(serde_json::from_slice(&body[..length])?)) }
}
