//! Real models for tests, where the set-up has put them.

use std::path::PathBuf;

/// The folder of models that tests use: the variable `LULL_MODELS`, else the cache that `cargo xtask` fills.
fn folder() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("LULL_MODELS") {
        return Some(folder.into());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| std::env::home_dir().map(|home| home.join(".cache")))?;
    Some(cache.join("lull/models"))
}

/// Gemma 3 with 270 million parameters, of four bits each; says so loudly where it is missing.
pub fn gemma() -> Option<PathBuf> {
    let path = folder()?.join("gemma-3-270m-q4_k_m.gguf");
    if path.is_file() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no {}; `cargo xtask models` puts it there", path.display());
    None
}

/// The header of a model that is none, with as much after it as it says: two layers and three tokens in 30 kilobytes. Of
/// each token of a text it keeps four kilobytes, so that long texts take memory as those of real models do.
pub fn made_up() -> Vec<u8> {
    keeping(256)
}

/// As [`made_up`], of 16 bytes for each token and each number in a key.
pub fn keeping(key: u32) -> Vec<u8> {
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let tokens = ["a", "b", "c"].map(text).concat();
    let numbers = [
        ("block_count", 2_u32),
        ("embedding_length", 64),
        ("context_length", 131_072),
        ("attention.head_count", 4),
        ("attention.head_count_kv", 2),
        ("attention.key_length", key),
        ("attention.value_length", key),
    ];
    let tensors = [
        ("token_embd.weight", [64, 3], 0),
        ("blk.0.attn_q.weight", [64, 64], 768),
        ("blk.1.attn_q.weight", [64, 64], 768 + 16_384),
    ];
    // Strings are of type 8, numbers of 4, arrays of 9; tensors of singles of 0.
    let mut file = b"GGUF".to_vec();
    file.extend(3_u32.to_le_bytes());
    file.extend((tensors.len() as u64).to_le_bytes());
    file.extend((numbers.len() as u64 + 3).to_le_bytes());
    for (key, value) in [("general.architecture", "llama"), ("general.name", "Made up")] {
        file.extend([text(key), 8_u32.to_le_bytes().to_vec(), text(value)].concat());
    }
    for (key, value) in numbers {
        file.extend([text(&format!("llama.{key}")), 4_u32.to_le_bytes().to_vec()].concat());
        file.extend(value.to_le_bytes());
    }
    file.extend([text("tokenizer.ggml.tokens"), [9_u32, 8].map(u32::to_le_bytes).concat()].concat());
    file.extend([&3_u64.to_le_bytes()[..], &tokens].concat());
    for (name, sides, at) in tensors {
        file.extend([text(name), 2_u32.to_le_bytes().to_vec()].concat());
        file.extend(sides.map(u64::to_le_bytes).concat());
        file.extend([&0_u32.to_le_bytes()[..], &u64::to_le_bytes(at)].concat());
    }
    let data = file.len().next_multiple_of(32);
    file.resize(data + 768 + 2 * 16_384, 0);
    file
}
