//! `GET /v1/models` and `GET /v1/models/{id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use lull_types::BaseUnits;
use serde::Serialize;

use crate::admission::authenticate;
use crate::backend::{Backend, ModelCard};
use crate::desk::Desk;
use crate::error::ApiError;

/// OpenAI's list.
#[derive(Serialize)]
pub(crate) struct ModelList {
    object: &'static str,
    data: Vec<Model>,
}

/// OpenAI's model, and what customers of ours want to know beside.
#[derive(Serialize)]
pub(crate) struct Model {
    id: String,
    object: &'static str,
    /// Seconds since the Unix epoch.
    created: u64,
    owned_by: String,
    lull: LullModel,
}

/// What OpenAI's models have no place for; prices in base units, of which 1,000,000 are 1 USDC.
#[derive(Serialize)]
struct LullModel {
    context_tokens: u32,
    price_per_1000_prompt_tokens: BaseUnits,
    price_per_1000_completion_tokens: BaseUnits,
    licence: String,
    generates: bool,
    embedding_dimensions: Option<u32>,
}

impl From<ModelCard> for Model {
    fn from(card: ModelCard) -> Self {
        Self {
            id: card.id,
            object: "model",
            created: card.created_unix_s,
            owned_by: card.owned_by,
            lull: LullModel {
                context_tokens: card.context_tokens,
                price_per_1000_prompt_tokens: card.price_per_1000_prompt_tokens,
                price_per_1000_completion_tokens: card.price_per_1000_completion_tokens,
                licence: card.licence,
                generates: card.generates,
                embedding_dimensions: card.embedding_dimensions,
            },
        }
    }
}

/// All models. Not counted against limits: it asks nothing of a worker.
pub(crate) async fn list<B: Backend>(
    State(desk): State<Desk<B>>,
    headers: HeaderMap,
) -> Result<Json<ModelList>, ApiError> {
    authenticate(&desk, &headers).await?;
    let models = desk.backend.models().await?;
    Ok(Json(ModelList { object: "list", data: models.iter().cloned().map(Model::from).collect() }))
}

/// One model.
pub(crate) async fn get<B: Backend>(
    State(desk): State<Desk<B>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Model>, ApiError> {
    authenticate(&desk, &headers).await?;
    Ok(Json(desk.model(&name).await?.into()))
}
