//! One endpoint: JSON-RPC 2.0 over HTTP. It is a stranger, so what it answers is bounded in time and bytes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lull_types::Coded;
use reqwest::{Client, Url, redirect};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::ChainError;
use super::tally::Tally;

/// How long one question may take. Public endpoints answer within a second; the sender asks again anyway.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest answer: a page of a thousand mentions has some 300 KB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a URL is not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    /// Not a URL.
    #[error("this is not the address of a Solana endpoint, such as https://api.mainnet-beta.solana.com")]
    NotAUrl,
    /// Anyone on the way could change what it answers.
    #[error(
        "an endpoint outside this machine must begin with https://, or anyone on the way could change its answers"
    )]
    NotSecure,
    /// The system's certificates cannot be used.
    #[error("this system offers no way to connect securely, so no endpoint can be asked")]
    NoTls,
}

impl Coded for EndpointError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAUrl => "endpoint_not_a_url",
            Self::NotSecure => "endpoint_not_secure",
            Self::NoTls => "endpoint_no_tls",
        }
    }
}

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The endpoint says that it will not.
    Refused { code: i64, message: String, data: Value },
    /// No answer.
    Unreachable(String),
    /// An answer that is none.
    Unreadable(String),
}

/// Whoever answers questions.
#[async_trait]
pub(super) trait Ask: Send + Sync {
    /// Asks one question; gives the result.
    async fn ask(&self, method: &str, params: &Value) -> Result<Value, Failure>;
}

/// An endpoint by its URL, which often holds a key and is therefore in no error.
pub(super) struct Http {
    client: Client,
    url: Url,
    tally: Arc<Tally>,
}

impl Http {
    pub(super) fn new(url: &str, tally: Arc<Tally>) -> Result<Self, EndpointError> {
        let url = parse(url)?;
        // One that is there already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        client.map(|client| Self { client, url, tally }).map_err(|_| EndpointError::NoTls)
    }
}

fn parse(url: &str) -> Result<Url, EndpointError> {
    let url: Url = url.trim().parse().map_err(|_| EndpointError::NotAUrl)?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(EndpointError::NotSecure),
        _ => Err(EndpointError::NotAUrl),
    }
}

/// What can be said of an endpoint in public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its host, and its port where that is not the usual one. The rest of a URL often holds a key.
    pub host: String,
    /// Whether it is on this machine.
    pub is_local: bool,
}

/// What can be said of the endpoint of a URL.
///
/// # Errors
/// [`EndpointError`], when [`super::Rpc::new`] would refuse it.
pub fn name(url: &str) -> Result<Named, EndpointError> {
    let url = parse(url)?;
    let host = url.host_str().ok_or(EndpointError::NotAUrl)?;
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok(Named { host, is_local: is_loopback(&url) })
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    result: Option<Value>,
    #[serde(default)]
    error: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: i64,
    message: String,
    #[serde(default)]
    data: Value,
}

#[async_trait]
impl Ask for Http {
    async fn ask(&self, method: &str, params: &Value) -> Result<Value, Failure> {
        let question = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let failed = |error: reqwest::Error| {
            Failure::Unreachable(
                if error.is_timeout() { "no answer in time" } else { "no connection" }.to_owned(),
            )
        };
        let request = self.client.post(self.url.clone()).json(&question).build().map_err(failed)?;
        let text = request.body().and_then(reqwest::Body::as_bytes);
        self.tally.asked(text.map_or(0, <[u8]>::len));
        let mut response = self.client.execute(request).await.map_err(failed)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            self.tally.heard(piece.len());
            if body.len() + piece.len() > ANSWER_BYTES_MAX {
                return Err(Failure::Unreadable("more than four megabytes".to_owned()));
            }
            body.extend_from_slice(&piece);
        }
        match read(&body) {
            // Some say what is wrong in JSON and with a status of failure.
            Err(Failure::Unreadable(_)) if !status.is_success() => {
                Err(Failure::Unreachable(status.to_string()))
            }
            read => read,
        }
    }
}

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Value, Failure> {
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|error| Failure::Unreadable(error.to_string()))?;
    match envelope {
        Envelope { error: Some(Refusal { code, message, data }), .. } => {
            Err(Failure::Refused { code, message, data })
        }
        // A result of null says that there is nothing.
        Envelope { result, error: None } => Ok(result.unwrap_or(Value::Null)),
    }
}

impl From<Failure> for ChainError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused { code, message, .. } => {
                // It goes into logs and onto screens.
                let message: String = message.chars().filter(|c| !c.is_control()).take(300).collect();
                Self::Refused(format!("{message} ({code})"))
            }
            Failure::Unreachable(why) => Self::Unreachable(why),
            Failure::Unreadable(why) => Self::Unreadable(why),
        }
    }
}
