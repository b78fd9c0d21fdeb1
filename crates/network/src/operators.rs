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
use crate::engine::{EngineError, Model};
use crate::inference::{Inference, NewModel};
use crate::payouts::{NewLimits, Payouts, Standing};
use crate::writer::Inbox;

/// The largest request has a model's template for chats.
const FRAMES: Frames = Frames { bytes_max: 256 * 1024 };
/// Both sides are on this machine; the chain may be asked meanwhile, and a model of tens of gigabytes be read.
const TIMEOUT: Duration = Duration::from_secs(600);

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
    /// A language model is served.
    AddModel(Box<NewModel>),
    /// It is served no more.
    RemoveModel(String),
    /// Which are served.
    Models,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// The customer.
    Customer(NewCustomer),
    /// How payouts stand.
    Payouts(Box<Standing>),
    /// Language models.
    Models(Vec<Model>),
}

/// What operators ask of.
pub(crate) struct Asked {
    /// Where changes are asked for.
    pub inbox: Inbox,
    /// Payouts, if there are any.
    pub payouts: Option<Payouts>,
    /// Language models.
    pub inference: Inference,
}

/// Answers operators until it is cancelled, and tells in `admin.json` where.
pub(crate) async fn serve(dir: &DataDir, asked: Asked, cancel: CancellationToken) -> Result<(), Fault> {
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
                answered = tokio::time::timeout(TIMEOUT, answer(stream, &secret, &asked)) => answered,
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
    asked: &Asked,
) -> Result<(), lull_frame::FrameError> {
    let Request { secret: shown, what } = FRAMES.read(&mut stream).await?;
    // BLAKE3's hashes are compared in constant time.
    let reply = if blake3::hash(&shown) == blake3::hash(secret) {
        carry_out(what, asked).await
    } else {
        Err(Fault::new("admin_secret_wrong", "the secret in admin.json is of an earlier start; try again"))
    };
    FRAMES.write(&mut stream, &reply).await
}

async fn carry_out(what: What, asked: &Asked) -> Result<Reply, Fault> {
    let Asked { inbox, payouts, inference } = asked;
    let none =
        || Fault::new("no_payouts", "this network pays on no chain; start it with --solana or --practice");
    match what {
        What::AddCustomer { name, deposit } => {
            customers::add_through(inbox, &name, deposit).await.map(Reply::Customer)
        }
        What::Payouts => payouts
            .as_ref()
            .ok_or_else(none)?
            .stand()
            .await
            .map(|standing| Reply::Payouts(Box::new(standing))),
        What::ResumePayouts(limits) => {
            let payouts = payouts.as_ref().ok_or_else(none)?;
            payouts.resume(limits).await?;
            payouts.stand().await.map(|standing| Reply::Payouts(Box::new(standing)))
        }
        What::AddModel(model) => inference.add_model(*model).await.map(|model| Reply::Models(vec![model])),
        What::RemoveModel(name) => {
            inference.remove_model(&name).await?;
            Ok(Reply::Models(inference.models()))
        }
        What::Models => Ok(Reply::Models(inference.models())),
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
        Reply::Customer(_) | Reply::Models(_) => {
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

async fn ask_models(root: &Path, what: What) -> Result<Vec<Model>, Fault> {
    match ask(root, what).await? {
        Reply::Models(models) => Ok(models),
        Reply::Customer(_) | Reply::Payouts(_) => {
            Err(EngineError::Contradiction("an answer belongs to another question").fault())
        }
    }
}

/// Has the service that runs on this folder serve a model.
///
/// # Errors
/// When none runs, or the file is no model.
pub async fn add_model(root: &Path, model: NewModel) -> Result<Vec<Model>, Fault> {
    ask_models(root, What::AddModel(Box::new(model))).await
}

/// Has it serve a model no more.
///
/// # Errors
/// When none runs, or there is no such model.
pub async fn remove_model(root: &Path, name: String) -> Result<Vec<Model>, Fault> {
    ask_models(root, What::RemoveModel(name)).await
}

/// The models that it serves.
///
/// # Errors
/// When none runs.
pub async fn models(root: &Path) -> Result<Vec<Model>, Fault> {
    ask_models(root, What::Models).await
}
