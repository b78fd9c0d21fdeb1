//! What an operator asks of the running service, on the same machine.
//!
//! The service listens on the machine's own address for one frame with a secret that only the user who runs it can read, in
//! `admin.json` in its data folder.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use lull_frame::Frames;
use lull_types::{BaseUnits, Coded, Fault};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::customers::{self, NewCustomer};
use crate::data_dir::{DataDir, DataDirError, admin_file, write_secret};
use crate::engine::EngineError;
use crate::payouts::{NewLimits, Payouts, Standing};
use crate::writer::Inbox;

/// A request is a secret, a name and some numbers; an answer some addresses and sentences.
const FRAMES: Frames = Frames { bytes_max: 8192 };
/// Both sides are on this machine; the chain may be asked meanwhile.
const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
struct AdminFile {
    address: SocketAddr,
    secret: [u8; 32],
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    secret: [u8; 32],
    what: What,
}

/// What is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum What {
    /// A customer is made.
    AddCustomer {
        /// For people.
        name: String,
        /// What is paid in first.
        deposit: BaseUnits,
    },
    /// How payouts stand.
    Payouts,
    /// Payouts go on.
    ResumePayouts(NewLimits),
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The customer.
    Customer(NewCustomer),
    /// How payouts stand.
    Payouts(Box<Standing>),
}

/// Answers operators until it is cancelled, and tells in `admin.json` where.
pub(crate) async fn serve(
    dir: &DataDir,
    inbox: Inbox,
    payouts: Option<Payouts>,
    cancel: CancellationToken,
) -> Result<(), Fault> {
    let io = |source| DataDirError::Io { path: dir.admin(), source }.fault();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(io)?;
    let secret = customers::random()?;
    let file = AdminFile { address: listener.local_addr().map_err(io)?, secret };
    let json = serde_json::to_vec(&file).map_err(|error| io(error.into()))?;
    write_secret(&dir.admin(), &json).map_err(io)?;
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = cancel.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            // An error is of one connection, or passes when files are closed.
            let Ok((stream, _)) = accepted else { continue };
            // One after the other: this is for a person at a terminal.
            let answered = tokio::select! {
                () = cancel.cancelled() => break,
                answered = tokio::time::timeout(TIMEOUT, answer(stream, &secret, &inbox, payouts.as_ref())) => answered,
            };
            if !matches!(answered, Ok(Ok(()))) {
                tracing::warn!("an operator's request was refused or broke off");
            }
        }
    });
    Ok(())
}

async fn answer(
    mut stream: TcpStream,
    secret: &[u8; 32],
    inbox: &Inbox,
    payouts: Option<&Payouts>,
) -> Result<(), lull_frame::FrameError> {
    let Request { secret: shown, what } = FRAMES.read(&mut stream).await?;
    // BLAKE3's hashes are compared in constant time.
    let reply = if blake3::hash(&shown) == blake3::hash(secret) {
        carry_out(what, inbox, payouts).await
    } else {
        Err(Fault::new("admin_secret_wrong", "the secret in admin.json is of an earlier start; try again"))
    };
    FRAMES.write(&mut stream, &reply).await
}

async fn carry_out(what: What, inbox: &Inbox, payouts: Option<&Payouts>) -> Result<Reply, Fault> {
    let none =
        || Fault::new("no_payouts", "this network pays on no chain; start it with --solana or --practice");
    match what {
        What::AddCustomer { name, deposit } => {
            customers::add_through(inbox, &name, deposit).await.map(Reply::Customer)
        }
        What::Payouts => {
            payouts.ok_or_else(none)?.stand().await.map(|standing| Reply::Payouts(Box::new(standing)))
        }
        What::ResumePayouts(limits) => {
            let payouts = payouts.ok_or_else(none)?;
            payouts.resume(limits).await?;
            payouts.stand().await.map(|standing| Reply::Payouts(Box::new(standing)))
        }
    }
}

/// Asks the service that runs on this folder.
pub(crate) async fn ask(root: &Path, what: What) -> Result<Reply, Fault> {
    let path = admin_file(root);
    let broken = |reason: String| {
        Fault::new("service_unreachable", format!("the running lull-network cannot be asked: {reason}"))
    };
    let json = std::fs::read(&path).map_err(|error| broken(format!("{}: {error}", path.display())))?;
    let file: AdminFile = serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))?;
    let request = Request { secret: file.secret, what };
    let asked = tokio::time::timeout(TIMEOUT, async {
        let mut stream = TcpStream::connect(file.address).await?;
        FRAMES.write(&mut stream, &request).await?;
        FRAMES.read::<Result<Reply, Fault>>(&mut stream).await
    });
    match asked.await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Err(broken(error.to_string())),
        Err(_) => Err(broken("it does not answer".to_owned())),
    }
}

async fn ask_payouts(root: &Path, what: What) -> Result<Standing, Fault> {
    match ask(root, what).await? {
        Reply::Payouts(standing) => Ok(*standing),
        Reply::Customer(_) => {
            Err(EngineError::Contradiction("an answer belongs to another question").fault())
        }
    }
}

/// How payouts stand, of the service that runs on this folder.
///
/// # Errors
/// When none runs, or it pays on no chain.
pub async fn payouts(root: &Path) -> Result<Standing, Fault> {
    ask_payouts(root, What::Payouts).await
}

/// Lets payouts go on after an alarm.
///
/// # Errors
/// As [`payouts`].
pub async fn resume_payouts(root: &Path, limits: NewLimits) -> Result<Standing, Fault> {
    ask_payouts(root, What::ResumePayouts(limits)).await
}
