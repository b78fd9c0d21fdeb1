//! New customers, and the operator's way to make them: through the running service, or directly while there is
//! none.
//!
//! The folder's lock tells which of the two ways it is, so that the records always have one writer.

use std::path::Path;

use lull_types::{BaseUnits, Coded, CustomerId, Fault, SecretKey};
use serde::{Deserialize, Serialize};

use crate::data_dir::{DataDir, DataDirError};
use crate::engine::{Answer, Config, Engine, EngineError, Input};
use crate::operators::{self, Reply, What};
use crate::store::{self, api_key_hash};
use crate::writer::{Inbox, commit_group};

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

pub(crate) fn random() -> Result<[u8; 32], Fault> {
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

pub(crate) async fn add_through(inbox: &Inbox, name: &str, deposit: BaseUnits) -> Result<NewCustomer, Fault> {
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
    match operators::ask(root, What::AddCustomer { name: name.to_owned(), deposit }).await? {
        Reply::Customer(customer) => Ok(customer),
        Reply::Payouts(_) | Reply::Models(_) => Err(contradiction()),
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
