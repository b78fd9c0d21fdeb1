//! Pages on this machine on which the contributor signs with their own wallet: that earnings go there, or a claim of
//! what the network lists.
//!
//! Wallets live in browsers, not in the app's window. The page finds them by the
//! [Wallet Standard](https://github.com/wallet-standard/wallet-standard), has one of their accounts sign what the network
//! drew or this worker composed, and hands the signature to this worker. It is served to this machine alone, under an address that nobody can
//! guess, to requests that name that very address, and for some minutes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::BASE64;
use lull_types::{Coded, Fault, PaidFrom, Signature, TransactionSignature, WalletAddress};
use lull_worker_api::WalletProof;
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::machine::Order;
use crate::payouts;
use crate::shell::Handle;
use crate::wallet_proof::{cut_off, drawn, until_decided};

/// How long the page is served: to install a wallet, or to find its password.
const SERVED_FOR: Duration = Duration::from_secs(15 * 60);
/// The page loads nothing but its own files, and nobody may show it inside of another.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum WalletPageError {
    /// No port could be taken.
    #[error("No page could be opened on this machine; another program may forbid it. ({0})")]
    NotServed(#[source] std::io::Error),
    /// The system gives no random numbers.
    #[error("The system gives no random numbers, so no page was opened.")]
    NoRandomness,
}

impl Coded for WalletPageError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotServed(_) => "wallet_page_not_served",
            Self::NoRandomness => "no_randomness",
        }
    }
}

/// The page, while it is served.
#[derive(Clone, Debug, Default)]
pub struct WalletPage {
    served: Arc<Mutex<Option<Served>>>,
}

#[derive(Debug)]
struct Served {
    url: String,
    until: Instant,
    // Ends the one before when another takes its place.
    _ends: tokio_util::sync::DropGuard,
}

#[derive(Clone)]
struct Page {
    worker: Handle,
    /// `127.0.0.1:PORT`, which the text that is signed names.
    domain: Arc<str>,
    /// The claim that was composed last: for whom, and the height of the last block that takes it.
    composed: Arc<Mutex<Option<(WalletAddress, u64)>>>,
}

impl WalletPage {
    /// Serves the page on which a claim is signed, or goes on with it; gives its address.
    ///
    /// # Errors
    /// [`WalletPageError`].
    pub async fn open_to_claim(&self, worker: &Handle) -> Result<String, WalletPageError> {
        Ok(format!("{}claim.html", self.open(worker).await?))
    }

    /// Serves the page, or goes on with one that is; gives its address.
    ///
    /// # Errors
    /// [`WalletPageError`].
    pub async fn open(&self, worker: &Handle) -> Result<String, WalletPageError> {
        let mut served = self.served.lock().await;
        if let Some(page) = served.as_ref()
            && Instant::now() + SERVED_FOR / 2 < page.until
        {
            return Ok(page.url.clone());
        }
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(WalletPageError::NotServed)?;
        let address = listener.local_addr().map_err(WalletPageError::NotServed)?;
        let mut secret = [0; 16];
        getrandom::fill(&mut secret).map_err(|_| WalletPageError::NoRandomness)?;
        let secret = data_encoding::HEXLOWER.encode(&secret);
        let url = format!("http://{address}/{secret}/");
        let domain = address.to_string().into();
        let page = Page { worker: worker.clone(), domain, composed: Arc::default() };
        let router = router(&secret, page);
        let (ends, until) = (CancellationToken::new(), Instant::now() + SERVED_FOR);
        let ended = ends.clone();
        let worker = worker.clone();
        tokio::spawn(async move {
            let ended = async move {
                tokio::select! {
                    () = ended.cancelled() => {}
                    () = tokio::time::sleep_until(until) => {}
                    () = worker.ended() => {}
                }
            };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(ended).await {
                tracing::warn!(%error, "the wallet's page is no longer served");
            }
        });
        *served = Some(Served { url: url.clone(), until, _ends: ends.drop_guard() });
        Ok(url)
    }
}

/// Everything lies below the secret; other paths are not there.
fn router(secret: &str, page: Page) -> Router {
    let at = |name: &str| format!("/{secret}/{name}");
    Router::new()
        .route(&at(""), get(async || file(PAGE)))
        .route(&at("page.css"), get(async || file(STYLE)))
        .route(&at("page.js"), get(async || file(SCRIPT)))
        .route(&at("wallets.js"), get(async || file(WALLETS_SCRIPT)))
        .route(&at("claim.html"), get(async || file(CLAIM_PAGE)))
        .route(&at("claim.js"), get(async || file(CLAIM_SCRIPT)))
        .route(&at("claim"), post(claim))
        .route(&at("send"), post(send))
        .route(&at("sent"), post(sent))
        .route(&at("state"), post(state))
        .route(&at("prove"), post(prove))
        .layer(middleware::from_fn_with_state(page.clone(), only_by_its_name))
        .with_state(page)
}

/// Another site that has its name point at this machine sends its own name along.
async fn only_by_its_name(State(page): State<Page>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host == Some(&*page.domain) { next.run(request).await } else { StatusCode::NOT_FOUND.into_response() }
}

/// A file of the page with its type.
type File = (&'static str, &'static str);
const PAGE: File = ("text/html; charset=utf-8", include_str!("wallet_page/page.html"));
const STYLE: File = ("text/css; charset=utf-8", include_str!("wallet_page/page.css"));
const SCRIPT: File = ("text/javascript; charset=utf-8", include_str!("wallet_page/page.js"));
const WALLETS_SCRIPT: File = ("text/javascript; charset=utf-8", include_str!("wallet_page/wallets.js"));
const CLAIM_PAGE: File = ("text/html; charset=utf-8", include_str!("wallet_page/claim.html"));
const CLAIM_SCRIPT: File = ("text/javascript; charset=utf-8", include_str!("wallet_page/claim.js"));

fn file((kind, text): File) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, text).into_response()
}

/// What the page asks first: the text for an account of the wallet.
#[derive(Deserialize)]
struct Account {
    address: String,
}

/// What the wallet is to sign.
#[derive(Serialize)]
struct Text {
    nonce: String,
    text: String,
}

/// What the wallet signed.
#[derive(Deserialize)]
struct Signed {
    nonce: String,
    signature: Signature,
}

/// What became of it.
#[derive(Serialize)]
struct Proven {
    /// When it counts, in milliseconds since 1970; none for now.
    from: Option<u64>,
}

/// What the wallet is to sign to claim.
#[derive(Serialize)]
struct ToClaim {
    /// In base 64, with zeros for the signature.
    transaction: String,
    /// The ledger, as the Wallet Standard names it.
    chain: String,
    /// What it pays, such as `1.250000 USDC`.
    amount: String,
}

/// A claim that the wallet signed, in base 64.
#[derive(Deserialize)]
struct SignedClaim {
    address: String,
    transaction: String,
}

/// A claim that the wallet sent; its signature in base 64.
#[derive(Deserialize)]
struct SentClaim {
    address: String,
    signature: String,
}

/// A claim that is under way.
#[derive(Serialize)]
struct UnderWay {
    signature: TransactionSignature,
}

async fn claim(State(page): State<Page>, Json(account): Json<Account>) -> Response {
    answer(page.claim(&account.address).await)
}

async fn send(State(page): State<Page>, Json(signed): Json<SignedClaim>) -> Response {
    answer(page.send(signed).await)
}

async fn sent(State(page): State<Page>, Json(sent): Json<SentClaim>) -> Response {
    answer(page.sent(sent).await)
}

async fn state(State(page): State<Page>, Json(account): Json<Account>) -> Response {
    answer(page.state(&account.address).await)
}

async fn prove(State(page): State<Page>, Json(signed): Json<Signed>) -> Response {
    answer(page.prove(signed).await)
}

fn answer<T: Serialize>(result: Result<T, Fault>) -> Response {
    match result {
        Ok(value) => Json(value).into_response(),
        Err(fault) => (StatusCode::CONFLICT, Json(fault)).into_response(),
    }
}

impl Page {
    async fn state(&self, address: &str) -> Result<Text, Fault> {
        let wallet = wallet_of(address)?;
        let replaced = "Another page asks for a wallet now; go on there.";
        let proof = drawn(&self.worker, wallet, &self.domain, replaced).await?;
        let (nonce, text) = proof.nonce.zip(proof.text).ok_or_else(cut_off)?;
        Ok(Text { nonce, text })
    }

    async fn claim(&self, address: &str) -> Result<ToClaim, Fault> {
        let wallet = wallet_of(address)?;
        let unsigned = payouts::compose_claim(&self.worker, wallet).await?;
        *self.composed.lock().await = Some((wallet, unsigned.last_valid_height));
        let chain = match unsigned.cluster.as_str() {
            known @ ("mainnet" | "devnet" | "testnet") => format!("solana:{known}"),
            _ => "solana:localnet".to_owned(),
        };
        // Tokens for practice have no value, and nobody may believe that they have.
        let token = if unsigned.cluster == "practice" { "practice USDC" } else { "USDC" };
        let transaction = BASE64.encode(&unsigned.transaction);
        Ok(ToClaim { transaction, chain, amount: format!("{} {token}", unsigned.amount) })
    }

    async fn send(&self, signed: SignedClaim) -> Result<UnderWay, Fault> {
        let (wallet, last_valid_height) = self.composed_for(&signed.address).await?;
        let transaction = BASE64.decode(signed.transaction.as_bytes()).map_err(|_| not_signed())?;
        let signature = payouts::send_claim(&self.worker, wallet, transaction, last_valid_height).await?;
        Ok(UnderWay { signature })
    }

    async fn sent(&self, sent: SentClaim) -> Result<UnderWay, Fault> {
        let (wallet, last_valid_height) = self.composed_for(&sent.address).await?;
        let signature = BASE64.decode(sent.signature.as_bytes()).ok();
        let signature = signature.and_then(|bytes| bytes.try_into().ok()).ok_or_else(not_signed)?;
        let signature = TransactionSignature(signature);
        payouts::watch_claim(&self.worker, wallet, signature, last_valid_height).await?;
        Ok(UnderWay { signature })
    }

    /// The claim that was composed for this wallet.
    async fn composed_for(&self, address: &str) -> Result<(WalletAddress, u64), Fault> {
        let wallet = wallet_of(address)?;
        self.composed.lock().await.filter(|(of, _)| *of == wallet).ok_or_else(not_signed)
    }

    async fn prove(&self, signed: Signed) -> Result<Proven, Fault> {
        let before = self.worker.snapshot().await?;
        let proof = before.wallet_proof.filter(|proof| proof.nonce.as_ref() == Some(&signed.nonce));
        let wallet = proof.ok_or_else(cut_off)?.wallet;
        self.worker.order(Order::ProveWallet { nonce: signed.nonce, signature: signed.signature }).await?;
        until_decided(&self.worker, |snapshot| {
            // What stands says nothing of this signature while the network looks at it: the wallet may have been proven
            // before.
            match &snapshot.wallet_proof {
                Some(WalletProof { fault: Some(fault), .. }) => return Some(Err(fault.clone())),
                Some(_) => return None,
                None => {}
            }
            let paid_from = snapshot.wallet_standing.as_ref().and_then(|standing| standing.paid_from(wallet));
            Some(match paid_from {
                Some(PaidFrom::Now) => Ok(Proven { from: None }),
                Some(PaidFrom::At(at)) => Ok(Proven { from: Some(at.0) }),
                None => Err(cut_off()),
            })
        })
        .await
    }
}

fn wallet_of(address: &str) -> Result<WalletAddress, Fault> {
    address.parse().map_err(|error: lull_types::WalletAddressError| error.fault())
}

fn not_signed() -> Fault {
    Fault::new("claim_not_signed", "The wallet did not sign the claim that was composed for it; try again.")
}
