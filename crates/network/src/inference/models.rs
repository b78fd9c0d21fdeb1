//! The models that are served, and their files.

use std::path::{Path, PathBuf};

use lull_models::Held;
use lull_types::infer::{Shift, Token, limits};
use lull_types::{BaseUnits, BlobHash, Coded, Fault};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::process::ModelProcess;
use super::{Inference, lock};
use crate::engine::{Input, Model};
use crate::store::Sql;

/// Tokens of a text unless an operator says otherwise: a conversation.
const CONTEXT_TOKENS: u32 = 4_096;
/// Texts at once unless an operator says otherwise.
const SEQUENCES: u32 = 8;
/// Names are written in requests and shown in lists.
const NAME_CHARS_MAX: usize = 80;
/// Templates of known models have some thousand.
const TEMPLATE_BYTES_MAX: usize = 64 * 1024;

/// A model as an operator adds it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NewModel {
    /// Its file.
    pub file: PathBuf,
    /// What customers call it; of the file's name, if none.
    pub name: Option<String>,
    /// Under which its makers give it away.
    pub licence: String,
    /// Tokens of a text; at most what it was trained to take.
    pub context_tokens: Option<u32>,
    /// Texts at once on one device.
    pub sequences: Option<u32>,
    /// For 1,000 tokens of prompts.
    pub price_per_1000_prompt_tokens: BaseUnits,
    /// For 1,000 tokens that are generated.
    pub price_per_1000_generated_tokens: BaseUnits,
    /// A template for chats, in the place of its own.
    pub chat_template: Option<String>,
}

/// A model that is served, and the processes that hold it here.
#[derive(Debug)]
pub(super) struct ServedModel {
    pub model: Model,
    /// Reads and writes its tokens.
    pub vocabulary: ModelProcess,
    /// Checks what others generated with it.
    pub checker: ModelProcess,
    payload: Vec<u8>,
    payload_hash: BlobHash,
    /// Keeps its file.
    _held: Held,
}

impl ServedModel {
    pub fn new(model: Model, program: &Path, held: Held, scratch: &Path, serve_ms: u64) -> Self {
        let file = held.path();
        let payload = serde_json::to_vec(&shift(&model, serve_ms)).unwrap_or_default();
        Self {
            vocabulary: ModelProcess::for_vocabulary(program, file, scratch, &model),
            checker: ModelProcess::for_checks(program, file, scratch, &model),
            payload_hash: BlobHash::of(&payload),
            payload,
            _held: held,
            model,
        }
    }

    pub fn hash(&self) -> BlobHash {
        self.model.hash
    }

    /// The payload of its shifts.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub fn payload_hash(&self) -> BlobHash {
        self.payload_hash
    }

    /// What so many tokens cost together, rounded up.
    pub fn price(&self, prompt_tokens: u64, generated_tokens: u64) -> BaseUnits {
        let part = |tokens: u64, price: BaseUnits| u128::from(tokens) * u128::from(price.0);
        let thousandths = part(prompt_tokens, self.model.price_per_1000_prompt_tokens)
            + part(generated_tokens, self.model.price_per_1000_generated_tokens);
        BaseUnits(u64::try_from(thousandths.div_ceil(1_000)).unwrap_or(u64::MAX))
    }
}

/// What a worker is told of its shift.
pub(super) fn shift(model: &Model, serve_ms: u64) -> Shift {
    Shift {
        model: model.hash,
        name: model.name.clone(),
        bytes: model.bytes,
        context_tokens: model.context_tokens,
        sequences: model.sequences,
        serve_ms,
        price_per_1000_prompt_tokens: model.price_per_1000_prompt_tokens,
        price_per_1000_generated_tokens: model.price_per_1000_generated_tokens,
    }
}

/// All models that were added.
pub(super) fn all(connection: &Connection) -> rusqlite::Result<Vec<Model>> {
    let mut statement = connection.prepare_cached(
        "SELECT hash, name, licence, bytes, context_tokens, sequences, prompt_price, generated_price, chat_template
         FROM models ORDER BY name",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Model {
            hash: row.get::<_, Sql<_>>(0)?.0,
            name: row.get(1)?,
            licence: row.get(2)?,
            bytes: row.get::<_, Sql<BaseUnits>>(3)?.0.0,
            context_tokens: row.get(4)?,
            sequences: row.get(5)?,
            price_per_1000_prompt_tokens: row.get::<_, Sql<_>>(6)?.0,
            price_per_1000_generated_tokens: row.get::<_, Sql<_>>(7)?.0,
            chat_template: row.get(8)?,
        })
    })?;
    rows.collect()
}

impl Inference {
    /// Serves a model from now on; one that is served already is served as is now said.
    ///
    /// # Errors
    /// When its file is no model, is too large for what is asked, or cannot be kept.
    pub async fn add_model(&self, new: NewModel) -> Result<Model, Fault> {
        let file = new.file.clone();
        let checked = tokio::task::spawn_blocking(move || check(&new)).await;
        let model = checked.map_err(|error| Fault::new("internal", error.to_string()))??;
        let hash = self.0.setup.models.add_file(file, |_| ()).await.map_err(|error| error.fault())?;
        let model = Model { hash, ..model };
        self.0.setup.inbox.ask(Input::AddModel(model.clone())).await?;
        self.serve_model(model.clone()).await?;
        Ok(model)
    }

    /// Serves a model no more.
    ///
    /// # Errors
    /// When there is none of this name.
    pub async fn remove_model(&self, name: &str) -> Result<(), Fault> {
        let model = self.model_named(name).ok_or_else(|| unknown(name))?;
        self.0.setup.inbox.ask(Input::RemoveModel(model.hash())).await?;
        lock(&self.0.models).retain(|known| known.hash() != model.hash());
        let hash = model.hash();
        drop(model);
        // Where it is read still, it stays until it is removed again.
        if let Err(error) = self.0.setup.models.remove(hash).await {
            tracing::warn!(%hash, code = error.code(), %error, "a model's file stays");
        }
        Ok(())
    }

    /// All models that are served.
    pub fn models(&self) -> Vec<Model> {
        lock(&self.0.models).iter().map(|served| served.model.clone()).collect()
    }
}

pub(super) fn unknown(name: &str) -> Fault {
    Fault::new(
        "model_unknown",
        format!("This network serves no model named {name}. GET /v1/models lists those that it serves."),
    )
}

/// Checks a model's file and what is said of it. Its hash is not known yet.
fn check(new: &NewModel) -> Result<Model, Fault> {
    let unreadable = |error: std::io::Error| {
        Fault::new("model_unreadable", format!("{} cannot be read: {error}", new.file.display()))
    };
    let unusable = |sentence: String| Fault::new("model_unusable", sentence);
    let file = std::fs::File::open(&new.file).map_err(unreadable)?;
    let bytes = file.metadata().map_err(unreadable)?.len();
    let header = lull_gguf::read(std::io::BufReader::new(file)).map_err(|error| error.fault())?;
    if bytes < header.file_bytes_min {
        return Err(unusable(format!(
            "{} is cut off: it has {bytes} bytes, and its header speaks of {}",
            new.file.display(),
            header.file_bytes_min
        )));
    }
    let stem = new.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let name = new.name.clone().or(stem).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.:/".contains(c);
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || !name.chars().all(is_plain) {
        return Err(unusable(format!(
            "a model's name has 1 to {NAME_CHARS_MAX} letters, digits and -_.:/, and {name:?} has others"
        )));
    }
    let trained = u32::try_from(header.context_tokens).unwrap_or(u32::MAX).min(limits::CONTEXT_TOKENS_MAX);
    let context_tokens = new.context_tokens.unwrap_or(CONTEXT_TOKENS).min(trained);
    let sequences = new.sequences.unwrap_or(SEQUENCES);
    if context_tokens == 0 || !(1..=limits::SEQUENCES_MAX).contains(&sequences) {
        return Err(unusable(format!(
            "a device serves 1 to {} texts at once, of at least one token",
            limits::SEQUENCES_MAX
        )));
    }
    if new.chat_template.as_ref().is_some_and(|template| template.len() > TEMPLATE_BYTES_MAX) {
        return Err(unusable(format!("a template has at most {TEMPLATE_BYTES_MAX} bytes")));
    }
    Ok(Model {
        hash: BlobHash([0; 32]),
        name,
        licence: new.licence.clone(),
        bytes,
        context_tokens,
        sequences,
        price_per_1000_prompt_tokens: new.price_per_1000_prompt_tokens,
        price_per_1000_generated_tokens: new.price_per_1000_generated_tokens,
        chat_template: new.chat_template.clone(),
    })
}

/// The beginning of a prompt, as far as shifts are chosen by it: long enough to tell one customer's instructions from
/// another's, short enough that the questions after it do not count.
pub(super) fn prefix(tokens: &[Token]) -> u64 {
    const PREFIX_TOKENS: usize = 64;
    let mut hasher = blake3::Hasher::new();
    for token in tokens.iter().take(PREFIX_TOKENS) {
        hasher.update(&token.to_le_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
