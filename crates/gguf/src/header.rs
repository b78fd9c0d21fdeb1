//! A header, made sense of.

use std::collections::BTreeMap;
use std::io::Read;

use crate::GgufError;
use crate::read::{Header, Value};
use crate::tensor::{Encoding, Tensor};

/// Keys of real files are about fifty; vocabularies are single keys.
const KEYS_MAX: u64 = 4096;
/// The largest mixtures of experts have some thousands of tensors.
const TENSORS_MAX: u64 = 65_536;
/// More layers than any model has: the deepest known have 126.
const LAYERS_MAX: u64 = 1024;
/// Longer contexts than any model's. The longest that is advertised is ten million tokens.
const CONTEXT_MAX: u64 = 1 << 24;
/// What data is aligned to where the file does not say.
const ALIGNMENT: u64 = 32;

/// What a file says of the model in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    /// Its family, such as `llama` or `gemma3`.
    pub architecture: String,
    /// Its name, where the file says it.
    pub name: Option<String>,
    /// The licence's SPDX name, where the file says it.
    pub license: Option<String>,
    /// How it wants a chat to be written, as a template of Jinja, where it is made for chats.
    pub chat_template: Option<String>,
    /// Tokens that it was made to look back on.
    pub context_tokens: u64,
    /// Tokens that it knows.
    pub vocabulary_tokens: u64,
    /// Numbers of which the model is made.
    pub parameters: u64,
    /// The encoding that most of them have.
    pub encoding: Encoding,
    /// How long the whole file must be at least, in bytes.
    pub file_bytes_min: u64,
    /// Weights of each layer, in bytes.
    pub layer_bytes: Vec<u64>,
    /// Weights that turn the last state into scores, in bytes. A file without any uses the embeddings' for it.
    pub output_bytes: u64,
    /// Weights of the embeddings and whatever is in no layer, in bytes.
    pub other_bytes: u64,
    /// What it must keep of each token that it has seen.
    pub attention: Attention,
    /// Numbers in the state between layers.
    pub embedding: u64,
}

/// Keys and values that are kept of each token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Heads of which keys and values are kept, for each layer.
    pub heads: Vec<u64>,
    /// Numbers in a key.
    pub key: u64,
    /// Numbers in a value.
    pub value: u64,
    /// Tokens that some layers look back on; `None` when all look back on all.
    pub window_tokens: Option<u64>,
}

pub fn read(file: impl Read) -> Result<Model, GgufError> {
    let mut header = Header::new(file);
    if header.magic()? != *b"GGUF" {
        return Err(GgufError::NotGguf);
    }
    match header.u32()? {
        2 | 3 => {}
        version => return Err(GgufError::Version(version)),
    }
    let (tensors, keys) = (header.u64()?, header.u64()?);
    if tensors > TENSORS_MAX || keys > KEYS_MAX {
        return Err(GgufError::HeaderTooLarge);
    }
    let mut values = BTreeMap::new();
    for _ in 0..keys {
        let key = header.name()?;
        let value = header.value()?;
        if values.insert(key, value).is_some() {
            return Err(GgufError::Damaged("it says one thing twice"));
        }
    }
    let values = Values(values);
    let tensors = (0..tensors).map(|_| Tensor::read(&mut header)).collect::<Result<Vec<_>, _>>()?;
    model(&values, &tensors, header.position())
}

fn model(values: &Values, tensors: &[Tensor], header_bytes: u64) -> Result<Model, GgufError> {
    if values.whole("split.count").is_some_and(|parts| parts > 1) {
        return Err(GgufError::Unsupported(
            "it is one part of several; join them with llama-gguf-split --merge",
        ));
    }
    let architecture = values
        .text("general.architecture")
        .ok_or(GgufError::Damaged("it does not say what family it is of"))?;
    let of = |key: &str| values.whole(&format!("{architecture}.{key}"));
    let missing = |what| move || GgufError::Damaged(what);
    let layers = of("block_count").ok_or_else(missing("it does not say how many layers it has"))?;
    let embedding = of("embedding_length").ok_or_else(missing("it does not say how wide it is"))?;
    let context = of("context_length").ok_or_else(missing("it does not say how far it looks back"))?;
    if layers == 0 || layers > LAYERS_MAX || embedding == 0 || context == 0 || context > CONTEXT_MAX {
        return Err(GgufError::Damaged("it says of itself what no model is"));
    }
    let alignment = values.whole("general.alignment").unwrap_or(ALIGNMENT);
    if !alignment.is_power_of_two() || alignment > 1 << 20 {
        return Err(GgufError::Damaged("its data is aligned to what nothing is aligned to"));
    }
    let data = header_bytes.next_multiple_of(alignment);
    let weights = Weights::of(tensors, layers, data)?;
    let attention = attention(values, &architecture, layers, embedding)?;
    Ok(Model {
        name: values.text("general.name"),
        license: values.text("general.license"),
        chat_template: values.text("tokenizer.chat_template"),
        context_tokens: context,
        vocabulary_tokens: values.len("tokenizer.ggml.tokens").unwrap_or_default(),
        parameters: weights.parameters,
        encoding: weights.encoding,
        file_bytes_min: weights.end,
        layer_bytes: weights.layers,
        output_bytes: weights.output,
        other_bytes: weights.other,
        attention,
        embedding,
        architecture,
    })
}

fn attention(
    values: &Values,
    architecture: &str,
    layers: u64,
    embedding: u64,
) -> Result<Attention, GgufError> {
    let of = |key: &str| format!("{architecture}.attention.{key}");
    // Models without attention keep nothing by token.
    let heads = values.by_layer(&of("head_count"), layers).unwrap_or_default();
    let kept = values.by_layer(&of("head_count_kv"), layers).unwrap_or_else(|| heads.clone());
    let most = heads.iter().copied().max().unwrap_or_default();
    let side = embedding.checked_div(most).unwrap_or_default();
    let attention = Attention {
        heads: kept,
        key: values.whole(&of("key_length")).unwrap_or(side),
        value: values.whole(&of("value_length")).unwrap_or(side),
        window_tokens: values.whole(&of("sliding_window")).filter(|window| *window > 0),
    };
    // Ten times what the widest models have; beyond it sums of bytes would not fit their type.
    let is_real =
        attention.heads.iter().all(|heads| *heads <= 4096) && attention.key.max(attention.value) <= 65_536;
    if is_real {
        Ok(attention)
    } else {
        Err(GgufError::Damaged("it keeps more of each token than any model does"))
    }
}

/// The tensors, added up.
struct Weights {
    layers: Vec<u64>,
    output: u64,
    other: u64,
    parameters: u64,
    encoding: Encoding,
    end: u64,
}

impl Weights {
    fn of(tensors: &[Tensor], layers: u64, data: u64) -> Result<Self, GgufError> {
        let too_large = || GgufError::Damaged("its tensors are larger than any memory");
        let layers = usize::try_from(layers).map_err(|_| too_large())?;
        let mut by_encoding: BTreeMap<&str, (u64, Encoding)> = BTreeMap::new();
        let mut parameters = 0_u64;
        let mut end = data;
        let (mut by_layer, mut output, mut other) = (vec![0; layers], 0_u64, 0_u64);
        for tensor in tensors {
            let sum = match tensor.layer {
                Some(layer) => usize::try_from(layer)
                    .ok()
                    .and_then(|layer| by_layer.get_mut(layer))
                    .ok_or(GgufError::Damaged("a tensor is of a layer that does not exist"))?,
                None if tensor.is_output => &mut output,
                None => &mut other,
            };
            *sum = sum.checked_add(tensor.bytes).ok_or_else(too_large)?;
            parameters = parameters.checked_add(tensor.elements).ok_or_else(too_large)?;
            let until =
                [tensor.offset, tensor.bytes].iter().try_fold(data, |sum, part| sum.checked_add(*part));
            end = end.max(until.ok_or_else(too_large)?);
            let (elements, _) = by_encoding.entry(tensor.encoding.name).or_insert((0, tensor.encoding));
            *elements = elements.saturating_add(tensor.elements);
        }
        let sums = [output, other];
        by_layer.iter().chain(&sums).copied().try_fold(0_u64, u64::checked_add).ok_or_else(too_large)?;
        let most = by_encoding.into_values().max_by_key(|(elements, _)| *elements);
        let (_, encoding) = most.ok_or(GgufError::Damaged("there is no tensor in it"))?;
        Ok(Self { layers: by_layer, output, other, parameters, encoding, end })
    }
}

/// What the file says, by key.
struct Values(BTreeMap<String, Value>);

impl Values {
    fn whole(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Value::Whole(value) => Some(*value),
            Value::Text(_) | Value::Array { .. } | Value::Other => None,
        }
    }

    fn text(&self, key: &str) -> Option<String> {
        match self.0.get(key)? {
            Value::Text(text) => Some(text.clone()),
            Value::Whole(_) | Value::Array { .. } | Value::Other => None,
        }
    }

    fn len(&self, key: &str) -> Option<u64> {
        match self.0.get(key)? {
            Value::Array { len, .. } => Some(*len),
            Value::Whole(_) | Value::Text(_) | Value::Other => None,
        }
    }

    /// One number for each layer, whether the file gives one for all or one for each.
    fn by_layer(&self, key: &str, layers: u64) -> Option<Vec<u64>> {
        match self.0.get(key)? {
            Value::Whole(value) => Some(vec![*value; usize::try_from(layers).ok()?]),
            Value::Array { len, values } if *len == layers && values.len() as u64 == layers => {
                Some(values.clone())
            }
            Value::Array { .. } | Value::Text(_) | Value::Other => None,
        }
    }
}
