//! What a request says of the answers that it asks for, whatever they go on with.

use lull_types::infer::{Sampling, limits};

use crate::error::ApiError;
use crate::fields::{Field, Fields, Kind};

/// Answers to one prompt. Each takes as much of a worker as a request for one; whoever wants more sends more requests,
/// which are limited.
pub(crate) const N_MAX: u32 = 8;

/// Text of all messages, prompts or inputs of a request, in bytes: as many tokens as any context has
/// ([`limits::CONTEXT_TOKENS_MAX`]), of 16 bytes, which is four times what they have on average.
pub(crate) const TEXT_BYTES_MAX: usize = 2 * 1024 * 1024;

/// Bytes that a token has on average, in English and with present vocabularies.
pub(crate) const BYTES_PER_TOKEN: usize = 4;

/// How answers are to be made and told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// Name of the model, which may not exist.
    pub(crate) model: String,
    /// How tokens are chosen for the first answer to a prompt; [`Settings::sampling_of`] has the others.
    pub(crate) sampling: Sampling,
    /// Tokens of each answer at most.
    pub(crate) tokens_max: Option<TokensMax>,
    /// Strings to stop at.
    pub(crate) stop: Vec<String>,
    /// Answers to each prompt.
    pub(crate) n: u32,
    /// Whether tokens are told with how likely they were.
    pub(crate) logprobs: bool,
    /// Whether and how answers are told while they are made.
    pub(crate) stream: Option<StreamOptions>,
}

/// A bound on an answer, and how the request called it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokensMax {
    pub(crate) tokens: u32,
    pub(crate) param: &'static str,
}

/// How a stream is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamOptions {
    /// Whether it ends with what it took.
    pub(crate) include_usage: bool,
}

impl Settings {
    /// Reads what chats and completions have in common. `drawn_seed` is used when the request has none.
    pub(crate) fn parse(fields: &Fields<'_>, drawn_seed: i64) -> Result<Self, ApiError> {
        let number = |name: &str, min: f32, max: f32, otherwise: f32| {
            fields.get(name).map_or(Ok(otherwise), |field| field.number(min, max))
        };
        let penalty = limits::PENALTY_MAX;
        let seed = fields.get("seed").map_or(Ok(drawn_seed), |field| field.integer(i64::MIN, i64::MAX))?;
        let sampling = Sampling {
            temperature: number("temperature", 0.0, limits::TEMPERATURE_MAX, 1.0)?,
            // OpenAI takes 0, by which clients mean the likeliest token: that is what the least share leaves.
            top_p: number("top_p", 0.0, 1.0, 1.0)?.max(f32::MIN_POSITIVE),
            presence_penalty: number("presence_penalty", -penalty, penalty, 0.0)?,
            frequency_penalty: number("frequency_penalty", -penalty, penalty, 0.0)?,
            seed: seed.cast_unsigned(),
        };
        Ok(Self {
            model: model(fields)?,
            sampling,
            tokens_max: tokens_max(fields, "max_tokens")?,
            stop: fields.get("stop").map_or(Ok(Vec::new()), |field| stop_strings(&field))?,
            n: fields.get("n").map_or(Ok(1), |field| field.count(1, N_MAX))?,
            logprobs: false,
            stream: stream(fields)?,
        })
    }

    /// The seed as it was sent, or as it is to be sent to get the same answer.
    pub(crate) fn seed(&self) -> i64 {
        self.sampling.seed.cast_signed()
    }

    /// How tokens are chosen for one of several answers to a prompt: each has the next seed, as the same one would give
    /// the same answer. So each can be had again, alone.
    pub(crate) fn sampling_of(&self, answer: u32) -> Sampling {
        Sampling { seed: self.sampling.seed.wrapping_add(u64::from(answer)), ..self.sampling }
    }
}

/// The model's name.
pub(crate) fn model(fields: &Fields<'_>) -> Result<String, ApiError> {
    let field = fields.need("model")?;
    let model = field.text()?;
    if model.is_empty() {
        return Err(field.refuse("invalid_value", "is empty; GET /v1/models lists the models"));
    }
    Ok(model)
}

/// A bound on the answer's length.
pub(crate) fn tokens_max(fields: &Fields<'_>, param: &'static str) -> Result<Option<TokensMax>, ApiError> {
    let Some(field) = fields.get(param) else { return Ok(None) };
    Ok(Some(TokensMax { tokens: field.count(1, limits::CONTEXT_TOKENS_MAX)?, param }))
}

/// A string, or several.
fn stop_strings(field: &Field<'_>) -> Result<Vec<String>, ApiError> {
    let stop = match field.kind() {
        Kind::Text => vec![field.text()?],
        _ => {
            let elements = field.elements(limits::STOP_STRINGS_MAX)?;
            elements.iter().map(Field::text).collect::<Result<_, _>>()?
        }
    };
    if stop.iter().any(|one| one.is_empty() || one.len() > limits::STOP_BYTES_MAX) {
        let max = limits::STOP_BYTES_MAX;
        return Err(field.refuse("invalid_value", format_args!("must have strings of 1 to {max} bytes")));
    }
    Ok(stop)
}

fn stream(fields: &Fields<'_>) -> Result<Option<StreamOptions>, ApiError> {
    let wanted = fields.get("stream").map_or(Ok(false), |field| field.flag())?;
    let Some(options) = fields.get("stream_options") else {
        return Ok(wanted.then(StreamOptions::default));
    };
    if !wanted {
        return Err(options.refuse("invalid_value", "is only for requests with “stream”: true"));
    }
    let include_usage = options.object()?.get("include_usage").map_or(Ok(false), |field| field.flag())?;
    Ok(Some(StreamOptions { include_usage }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Settings, ApiError> {
        Settings::parse(&Fields::parse(json.as_bytes())?, 77)
    }

    fn with(more: &str) -> Result<Settings, ApiError> {
        parse(&format!(r#"{{"model": "m", {more}}}"#))
    }

    #[test]
    fn what_is_left_out_is_openais_default() {
        let sampling = Sampling { temperature: 1.0, seed: 77, ..Sampling::GREEDY };
        let expected = Settings {
            model: "m".to_owned(),
            sampling,
            tokens_max: None,
            stop: Vec::new(),
            n: 1,
            logprobs: false,
            stream: None,
        };
        assert_eq!(parse(r#"{"model": "m"}"#), Ok(expected.clone()));
        let nulls = r#""temperature": null, "top_p": null, "seed": null, "stop": null, "n": null,
            "max_tokens": null, "stream": null, "stream_options": null, "presence_penalty": null"#;
        assert_eq!(with(nulls), Ok(expected));
    }

    #[test]
    fn what_is_said_is_taken() {
        let settings = with(
            r#""temperature": 0, "top_p": 0, "presence_penalty": -2, "frequency_penalty": 0.5, "seed": -1,
               "stop": ["a", "b"], "n": 8, "max_tokens": 5, "stream": true, "stream_options": {"include_usage": true}"#,
        );
        let settings = settings.unwrap();
        let sampling = Sampling {
            temperature: 0.0,
            top_p: f32::MIN_POSITIVE,
            presence_penalty: -2.0,
            frequency_penalty: 0.5,
            seed: u64::MAX,
        };
        assert!(sampling.is_usable());
        assert_eq!(settings.sampling, sampling);
        assert_eq!(settings.seed(), -1);
        assert_eq!((settings.sampling_of(0).seed, settings.sampling_of(2).seed), (u64::MAX, 1));
        assert_eq!(settings.stop, ["a", "b"]);
        assert_eq!(settings.tokens_max, Some(TokensMax { tokens: 5, param: "max_tokens" }));
        assert_eq!(settings.stream, Some(StreamOptions { include_usage: true }));
        assert_eq!(with(r#""stop": "x""#).unwrap().stop, ["x"]);
        assert_eq!(with(r#""stop": []"#).unwrap().stop, [""; 0]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let table = [
            (r#""temperature": 2.1"#, "temperature"),
            (r#""temperature": -0.1"#, "temperature"),
            (r#""temperature": "hot""#, "temperature"),
            (r#""top_p": 1.1"#, "top_p"),
            (r#""presence_penalty": 3"#, "presence_penalty"),
            (r#""frequency_penalty": -3"#, "frequency_penalty"),
            (r#""seed": 1.5"#, "seed"),
            (r#""seed": 9223372036854775808"#, "seed"),
            (r#""n": 0"#, "n"),
            (r#""n": 9"#, "n"),
            (r#""max_tokens": 0"#, "max_tokens"),
            (r#""max_tokens": 131073"#, "max_tokens"),
            (r#""stop": """#, "stop"),
            (r#""stop": ["a", "b", "c", "d", "e"]"#, "stop"),
            (r#""stop": [null]"#, "stop[0]"),
            (r#""stop": {}"#, "stop"),
            (r#""stream": 1"#, "stream"),
            (r#""stream_options": {}"#, "stream_options"),
            (r#""stream": true, "stream_options": []"#, "stream_options"),
            (r#""stream": true, "stream_options": {"include_usage": 1}"#, "stream_options.include_usage"),
        ];
        for (more, param) in table {
            let error = with(more).unwrap_err();
            assert_eq!((error.status.as_u16(), error.param.as_deref()), (400, Some(param)), "{more}");
        }
        assert_eq!(parse("{}").unwrap_err().param.as_deref(), Some("model"));
        assert_eq!(parse(r#"{"model": ""}"#).unwrap_err().param.as_deref(), Some("model"));
        assert!(with(&format!(r#""stop": "{}""#, "x".repeat(257))).is_err());
    }
}
