//! `POST /v1/embeddings`.

use axum::Json;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::answer::estimated_in;
use crate::backend::{Backend, Customer, Embeddings, Passage};
use crate::desk::Desk;
use crate::error::ApiError;
use crate::fields::{Field, Fields};
use crate::form::Lull;
use crate::passages;
use crate::settings;

/// Inputs of a request; as OpenAI's.
const INPUTS_MAX: usize = 2048;

/// Answers a request.
pub(crate) async fn create<B: Backend>(
    desk: Desk<B>,
    customer: Customer,
    body: Bytes,
) -> Result<Response, ApiError> {
    let EmbeddingRequest { model, passages, format, dimensions } = EmbeddingRequest::parse(&body)?;
    let card = desk.model(&model).await?;
    let Some(has) = card.embedding_dimensions else {
        let message = format!("the model “{model}” makes text and no embeddings");
        return Err(ApiError::param("model", "unsupported_model", message));
    };
    if dimensions.is_some_and(|wanted| wanted != has) {
        let message = format!("vectors of “{model}” have {has} dimensions and are not shortened here");
        return Err(ApiError::param("dimensions", "unsupported_parameter", message));
    }
    let reserved = desk.reserve(&customer, passages.iter().map(estimated_in).sum())?;
    let count = passages.len();
    let embedding = desk.backend.embed(&customer, &model, passages);
    let (reserved, embeddings) = reserved.unless_failed(embedding).await?;
    let Embeddings { vectors, prompt_tokens, price } = embeddings;
    reserved.settle(u64::from(prompt_tokens));
    if vectors.len() != count || vectors.iter().any(|vector| vector.len() != has as usize) {
        let message = "the vectors do not belong to these inputs, so none is given; ask again";
        return Err(ApiError::new("answer_malformed", message));
    }
    let data = vectors.into_iter().enumerate().map(|(index, vector)| Embedding {
        object: "embedding",
        index,
        embedding: Vector::of(vector, format),
    });
    let usage = EmbeddingUsage { prompt_tokens, total_tokens: prompt_tokens };
    let lull = Lull { price, seed: None };
    Ok(Json(EmbeddingList { object: "list", data: data.collect(), model, usage, lull }).into_response())
}

/// How vectors are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// As numbers.
    Float,
    /// As the bytes of numbers, little-endian, in base 64: a third of it, and what the official clients ask for unless
    /// they are told otherwise.
    Base64,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct EmbeddingRequest {
    model: String,
    passages: Vec<Passage>,
    format: Format,
    dimensions: Option<u32>,
}

impl EmbeddingRequest {
    pub(crate) fn parse(body: &[u8]) -> Result<Self, ApiError> {
        let fields = Fields::parse(body)?;
        Ok(Self {
            model: settings::model(&fields)?,
            passages: passages::parse(&fields.need("input")?, INPUTS_MAX)?,
            format: fields.get("encoding_format").map_or(Ok(Format::Float), |field| format(&field))?,
            dimensions: match fields.get("dimensions") {
                Some(field) => Some(field.count(1, u32::MAX)?),
                None => None,
            },
        })
    }
}

fn format(field: &Field<'_>) -> Result<Format, ApiError> {
    match field.text()?.as_str() {
        "float" => Ok(Format::Float),
        "base64" => Ok(Format::Base64),
        _ => Err(field.refuse("invalid_value", "must be “float” or “base64”")),
    }
}

#[derive(Serialize)]
struct EmbeddingList {
    object: &'static str,
    data: Vec<Embedding>,
    model: String,
    usage: EmbeddingUsage,
    lull: Lull,
}

#[derive(Serialize)]
struct Embedding {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Float(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u32,
    total_tokens: u32,
}

impl Vector {
    fn of(vector: Vec<f32>, format: Format) -> Self {
        match format {
            Format::Float => Self::Float(vector),
            Format::Base64 => {
                let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
                Self::Base64(data_encoding::BASE64.encode(&bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(more: &str) -> Result<EmbeddingRequest, ApiError> {
        EmbeddingRequest::parse(format!(r#"{{"model": "m", "input": "a"{more}}}"#).as_bytes())
    }

    #[test]
    fn requests_say_how_vectors_are_written() {
        assert_eq!(parse("").unwrap().format, Format::Float);
        assert_eq!(parse(r#", "encoding_format": "base64""#).unwrap().format, Format::Base64);
        assert_eq!(parse(r#", "dimensions": 8, "user": "x""#).unwrap().dimensions, Some(8));
        for (more, param) in [
            (r#", "encoding_format": "hex""#, "encoding_format"),
            (r#", "dimensions": 0"#, "dimensions"),
            (r#", "input": []"#, "input"),
            (r#", "model": 1"#, "model"),
        ] {
            assert_eq!(parse(more).unwrap_err().param.as_deref(), Some(param), "{more}");
        }
    }

    #[test]
    fn base_64_has_the_bytes_little_endian() {
        let json = |format| serde_json::to_string(&Vector::of(vec![1.0, -0.5], format)).unwrap();
        assert_eq!(json(Format::Float), "[1.0,-0.5]");
        assert_eq!(json(Format::Base64), "\"AACAPwAAAL8=\"");
    }
}
