//! New customers, and the operator's way to make them: through the running service, or directly while there is
//! none.
//!
//! The running service listens on the machine's own address for one frame with a secret that only the user who
//! runs it can read, in `admin.json` in its data folder. The folder's lock tells which of the two ways it is, so
//! that the records always have one writer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use lull_frame::Frames;
use lull_types::{BaseUnits, Coded, CustomerId, Fault, SecretKey};
use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use crate::data_dir::{DataDir, DataDirError, admin_file, write_secret};
use crate::engine::{Answer, Config, Engine, EngineError, Input};
use crate::store::{self, api_key_hash};
use crate::writer::{Inbox, commit_group};

/// A request is a secret, a name and a number.
const FRAMES: Frames = Frames { bytes_max: 4096 };
/// Both sides are on this machine.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A customer that was made. The key is shown once and stored nowhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewCustomer {
    /// Its id.
    pub id: CustomerId,
    /// Its API key.
    pub key: String,
    /// What it can spend.
    pub deposit: BaseUnits,
}

#[derive(Debug, Serialize, Deserialize)]
struct AdminFile {
    address: SocketAddr,
    secret: [u8; 32],
}

#[derive(Debug, Serialize, Deserialize)]
struct AddCustomer {
    secret: [u8; 32],
    name: String,
    deposit: BaseUnits,
}

fn random() -> Result<[u8; 32], Fault> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| DataDirError::NoRandomness.fault())?;
    Ok(bytes)
}

/// An API key as it is written, from 256 random bits.
pub fn api_key(bits: &[u8; 32]) -> String {
    format!("lull_{}", data_encoding::BASE32_NOPAD.encode(bits).to_ascii_lowercase())
}

fn contradiction() -> Fault {
    EngineError::Contradiction("an answer belongs to another question").fault()
}

/// Makes a customer with this key and pays `deposit` in, under the reference that is given. With the same key
/// and reference again it does nothing.
pub async fn ensure(
    inbox: &Inbox,
    name: &str,
    key: &str,
    deposit: BaseUnits,
    reference: &str,
) -> Result<NewCustomer, Fault> {
    let create = Input::CreateCustomer { name: name.to_owned(), api_key_hash: api_key_hash(key) };
    let Answer::CustomerCreated(id) = inbox.ask(create).await? else { return Err(contradiction()) };
    if deposit > BaseUnits::ZERO {
        inbox.ask(Input::Deposit { customer: id, amount: deposit, reference: reference.to_owned() }).await?;
    }
    Ok(NewCustomer { id, key: key.to_owned(), deposit })
}

/// Answers operators until it is cancelled, and tells in `admin.json` where.
pub async fn serve(dir: &DataDir, inbox: Inbox, cancel: CancellationToken) -> Result<(), Fault> {
    let io = |source| DataDirError::Io { path: dir.admin(), source }.fault();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(io)?;
    let secret = random()?;
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
            let answered = tokio::time::timeout(TIMEOUT, answer(stream, &secret, &inbox)).await;
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
) -> Result<(), lull_frame::FrameError> {
    let request: AddCustomer = FRAMES.read(&mut stream).await?;
    // BLAKE3's hashes are compared in constant time.
    let reply = if blake3::hash(&request.secret) == blake3::hash(secret) {
        add_through(inbox, &request.name, request.deposit).await
    } else {
        Err(Fault::new("admin_secret_wrong", "the secret in admin.json is of an earlier start; try again"))
    };
    FRAMES.write(&mut stream, &reply).await
}

async fn add_through(inbox: &Inbox, name: &str, deposit: BaseUnits) -> Result<NewCustomer, Fault> {
    let key = api_key(&random()?);
    let reference = format!("first deposit of {}", lull_types::BlobHash(api_key_hash(&key)));
    ensure(inbox, name, &key, deposit, &reference).await
}

/// Makes a customer in the network of this folder, whether its service runs or not.
pub async fn add(root: &Path, name: &str, deposit: BaseUnits) -> Result<NewCustomer, Fault> {
    match DataDir::take(root) {
        Ok(dir) => add_directly(&dir, name, deposit),
        Err(DataDirError::InUse(_)) => add_by_service(root, name, deposit).await,
        Err(error) => Err(error.fault()),
    }
}

async fn add_by_service(root: &Path, name: &str, deposit: BaseUnits) -> Result<NewCustomer, Fault> {
    let path = admin_file(root);
    let broken = |reason: String| {
        Fault::new("service_unreachable", format!("the running lull-network cannot be asked: {reason}"))
    };
    let json = std::fs::read(&path).map_err(|error| broken(format!("{}: {error}", path.display())))?;
    let file: AdminFile = serde_json::from_slice(&json).map_err(|error| broken(error.to_string()))?;
    let request = AddCustomer { secret: file.secret, name: name.to_owned(), deposit };
    let asked = tokio::time::timeout(TIMEOUT, async {
        let mut stream = TcpStream::connect(file.address).await?;
        FRAMES.write(&mut stream, &request).await?;
        FRAMES.read::<Result<NewCustomer, Fault>>(&mut stream).await
    });
    match asked.await {
        Ok(Ok(reply)) => reply,
        Ok(Err(error)) => Err(broken(error.to_string())),
        Err(_) => Err(broken("it does not answer".to_owned())),
    }
}

fn add_directly(dir: &DataDir, name: &str, deposit: BaseUnits) -> Result<NewCustomer, Fault> {
    let key: SecretKey = dir.key().map_err(|error| error.fault())?;
    let mut connection = store::open(&dir.store(), store::Journal::Durable).map_err(|error| error.fault())?;
    let mut engine = Engine::new(key, Config::default(), random()?);
    let mut give = |input: Input| -> Result<Answer, Fault> {
        let now = crate::service::now();
        let outcomes = commit_group(&mut connection, &mut engine, vec![input], now)?;
        let effects = outcomes.into_iter().next().ok_or_else(contradiction)??;
        effects
            .into_iter()
            .find_map(|effect| match effect {
                crate::engine::Effect::Answer(answer) => Some(answer),
                _ => None,
            })
            .ok_or_else(contradiction)
    };
    let api_key = api_key(&random()?);
    let api_key_hash = api_key_hash(&api_key);
    let created = give(Input::CreateCustomer { name: name.to_owned(), api_key_hash })?;
    let Answer::CustomerCreated(customer) = created else { return Err(contradiction()) };
    if deposit > BaseUnits::ZERO {
        let reference = format!("first deposit of {}", lull_types::BlobHash(api_key_hash));
        give(Input::Deposit { customer, amount: deposit, reference })?;
    }
    Ok(NewCustomer { id: customer, key: api_key, deposit })
}
