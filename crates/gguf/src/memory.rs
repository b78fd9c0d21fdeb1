//! How much memory a model takes, and how much of it fits a device.
//!
//! Weights are as large as in the file. Of each token that a sequence has seen, each layer keeps the keys and values of its
//! heads, as halves: `layers × heads × (key + value) × 2` bytes; layers with a window are counted as if they had none, as
//! not all of them have it. While it computes, llama.cpp holds the scores of every token in a batch and some states:
//! `batch × (vocabulary + 16 × embedding) × 4` bytes cover what was seen of its own accounts.

use crate::Model;

/// Tokens that are computed at once; llama.cpp's own choice for `n_ubatch`.
const BATCH_TOKENS: u64 = 512;
/// Keys and values are kept as halves.
const CACHE_BYTES: u64 = 2;
/// Scores and states are computed as singles.
const COMPUTED_BYTES: u64 = 4;
/// States that are held at once in the widest part of a layer.
const STATES: u64 = 16;
/// What a driver and llama.cpp hold beside.
const OVERHEAD_BYTES: u64 = 64 * 1024 * 1024;

/// What a model takes to answer so many sequences of so many tokens at once, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Its weights.
    pub weights_bytes: u64,
    /// Keys and values of all sequences.
    pub cache_bytes: u64,
    /// What it holds while it computes.
    pub compute_bytes: u64,
}

impl Memory {
    /// All of it.
    pub fn total_bytes(self) -> u64 {
        [self.weights_bytes, self.cache_bytes, self.compute_bytes, OVERHEAD_BYTES]
            .iter()
            .fold(0, |sum, part| sum.saturating_add(*part))
    }
}

/// Memory that a model may take, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Of the device.
    pub device_bytes: u64,
    /// Of the machine, for the layers that the device does not hold.
    pub machine_bytes: u64,
}

/// How a model is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Layers on the device, counted from the last; one more than the model has when the output is there too.
    pub device_layers: u32,
    /// What it takes of the device.
    pub device_bytes: u64,
    /// What it takes of the machine.
    pub machine_bytes: u64,
}

impl Model {
    /// What it takes to answer `sequences` of `tokens` each at once.
    pub fn memory(&self, tokens: u64, sequences: u64) -> Memory {
        let weights = self.layer_bytes.iter().chain([&self.output_bytes, &self.other_bytes]);
        let layers = 0..self.layer_bytes.len();
        let kept = layers.fold(0_u64, |sum, layer| sum.saturating_add(self.kept_bytes(layer)));
        Memory {
            weights_bytes: weights.fold(0, |sum, bytes| sum.saturating_add(*bytes)),
            cache_bytes: kept.saturating_mul(tokens).saturating_mul(sequences),
            compute_bytes: self.compute_bytes(),
        }
    }

    /// Puts as many layers as there is room for on the device; `None` when not even the rest fits the machine.
    pub fn place(&self, tokens: u64, sequences: u64, room: Room) -> Option<Placement> {
        let kept = tokens.saturating_mul(sequences);
        let layer = |layer: usize| {
            self.layer_bytes[layer].saturating_add(self.kept_bytes(layer).saturating_mul(kept))
        };
        // A file without an output uses the embeddings, which stay in the machine's memory, and a copy on the device.
        let output = if self.output_bytes > 0 { self.output_bytes } else { self.other_bytes };
        let base = self.compute_bytes().saturating_add(OVERHEAD_BYTES);
        let layers = self.layer_bytes.len();
        let mut device_layers = 0;
        let mut device = 0_u64;
        // llama.cpp gives the device the output first, then layers from the last on.
        for at in 0..=layers {
            let more = match at {
                0 => base.saturating_add(output),
                at => layer(layers - at),
            };
            let with = device.saturating_add(more);
            if with > room.device_bytes {
                break;
            }
            (device_layers, device) = (device_layers + 1, with);
        }
        // The output alone is no gain: the states would be carried over for every token.
        if device_layers == 1 {
            (device_layers, device) = (0, 0);
        }
        let left = layers - (device_layers.max(1) - 1);
        let mut machine = self.other_bytes.saturating_add(base);
        for at in 0..left {
            machine = machine.saturating_add(layer(at));
        }
        if device_layers == 0 {
            machine = machine.saturating_add(self.output_bytes);
        }
        (machine <= room.machine_bytes).then_some(Placement {
            device_layers: device_layers as u32,
            device_bytes: device,
            machine_bytes: machine,
        })
    }

    fn kept_bytes(&self, layer: usize) -> u64 {
        let heads = self.attention.heads.get(layer).copied().unwrap_or_default();
        heads * (self.attention.key + self.attention.value) * CACHE_BYTES
    }

    fn compute_bytes(&self) -> u64 {
        let numbers = self.vocabulary_tokens.saturating_add(self.embedding.saturating_mul(STATES));
        numbers.saturating_mul(BATCH_TOKENS * COMPUTED_BYTES)
    }
}
