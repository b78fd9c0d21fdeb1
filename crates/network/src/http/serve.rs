//! The listening socket, with or without TLS.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use lull_types::Coded;
use tokio_util::sync::CancellationToken;

/// The largest JSON request: ten thousand tasks with their tiles take under 3 MB.
const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Time between connecting and the end of the first request's head.
const FIRST_REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// Time for requests under way when the service stops.
const STOP_GRACE: Duration = Duration::from_secs(3);

/// A certificate and its key, in PEM.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate with its chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Where customers are served.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Needed for any address but the machine's own.
    pub tls: Option<Tls>,
}

/// Customers cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// API keys would cross a network in the clear.
    #[error(
        "{0} can be reached from other machines, and API keys must not cross a network unprotected: give --tls-cert and --tls-key, or listen on 127.0.0.1"
    )]
    NeedsTls(SocketAddr),
    /// The socket.
    #[error("cannot listen for customers on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The certificate or the key.
    #[error("the certificate or its key cannot be used: {0}")]
    Certificate(std::io::Error),
}

impl Coded for HttpError {
    fn code(&self) -> &'static str {
        match self {
            Self::NeedsTls(_) => "http_needs_tls",
            Self::Bind { .. } => "http_cannot_listen",
            Self::Certificate(_) => "http_certificate_unusable",
        }
    }
}

/// A bound socket that does not serve yet.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    tls: Option<RustlsConfig>,
    address: SocketAddr,
}

/// Binds the socket.
pub async fn listen(config: &HttpConfig) -> Result<Listening, HttpError> {
    if config.tls.is_none() && !config.listen.ip().is_loopback() {
        return Err(HttpError::NeedsTls(config.listen));
    }
    let tls = match &config.tls {
        None => None,
        Some(tls) => {
            // An error says that it is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let loaded = RustlsConfig::from_pem_file(&tls.certificate, &tls.key).await;
            Some(loaded.map_err(HttpError::Certificate)?)
        }
    };
    let bind = || {
        let listener = TcpListener::bind(config.listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        Ok((listener, address))
    };
    let (listener, address) = bind().map_err(|source| HttpError::Bind { address: config.listen, source })?;
    Ok(Listening { listener, tls, address })
}

impl Listening {
    /// The address with its port.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// Serves until it is cancelled.
    pub async fn serve(self, router: Router, cancel: CancellationToken) -> std::io::Result<()> {
        let handle = Handle::new();
        let stopping = handle.clone();
        tokio::spawn(async move {
            cancel.cancelled().await;
            stopping.graceful_shutdown(Some(STOP_GRACE));
        });
        let service = router.layer(DefaultBodyLimit::max(REQUEST_BYTES_MAX)).into_make_service();
        match self.tls {
            Some(tls) => {
                axum_server::from_tcp_rustls(self.listener, tls)?
                    .first_request_timeout(FIRST_REQUEST_TIMEOUT)
                    .handle(handle)
                    .serve(service)
                    .await
            }
            None => {
                axum_server::from_tcp(self.listener)?
                    .first_request_timeout(FIRST_REQUEST_TIMEOUT)
                    .handle(handle)
                    .serve(service)
                    .await
            }
        }
    }
}
