use lull_types::Coded;
use proptest::prelude::*;

use crate::{Model, Room, read};

/// A file, written as a converter would.
#[derive(Clone)]
struct File {
    version: u32,
    values: Vec<(String, Vec<u8>)>,
    tensors: Vec<(String, Vec<u64>, u32, u64)>,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

fn typed(kind: u32, value: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], value].concat()
}

fn array(kind: u32, values: &[Vec<u8>]) -> Vec<u8> {
    typed(9, &[&kind.to_le_bytes()[..], &(values.len() as u64).to_le_bytes(), &values.concat()].concat())
}

impl File {
    /// Two layers of 64 numbers with 4 heads, of which keys and values of 2 are kept, and three tokens.
    fn small() -> Self {
        let mut file = Self { version: 3, values: Vec::new(), tensors: Vec::new() };
        file.set("general.architecture", typed(8, &text("llama")));
        file.set("general.name", typed(8, &text("Small")));
        file.set("general.license", typed(8, &text("apache-2.0")));
        for (key, value) in [
            ("block_count", 2_u32),
            ("embedding_length", 64),
            ("context_length", 128),
            ("attention.head_count", 4),
            ("attention.head_count_kv", 2),
        ] {
            file.set(&format!("llama.{key}"), typed(4, &value.to_le_bytes()));
        }
        file.set("llama.rope.freq_base", typed(6, &10_000_f32.to_le_bytes()));
        file.set("tokenizer.ggml.tokens", array(8, &[text("a"), text("b"), text("")]));
        file.tensors = vec![
            ("token_embd.weight".into(), vec![64, 3], 0, 0),
            ("blk.0.attn_q.weight".into(), vec![64, 64], 8, 768),
            ("blk.1.attn_q.weight".into(), vec![64, 64], 8, 768 + 4352),
            ("output.weight".into(), vec![64, 3], 1, 768 + 8704),
        ];
        file
    }

    fn set(&mut self, key: &str, value: Vec<u8>) {
        self.values.retain(|(there, _)| there != key);
        self.values.push((key.to_owned(), value));
    }

    fn without(mut self, key: &str) -> Self {
        self.values.retain(|(there, _)| there != key);
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.values.len() as u64).to_le_bytes());
        for (key, value) in &self.values {
            bytes.extend(text(key));
            bytes.extend(value);
        }
        for (name, sides, kind, offset) in &self.tensors {
            bytes.extend(text(name));
            bytes.extend((sides.len() as u32).to_le_bytes());
            sides.iter().for_each(|side| bytes.extend(side.to_le_bytes()));
            bytes.extend(kind.to_le_bytes());
            bytes.extend(offset.to_le_bytes());
        }
        bytes
    }

    fn read(&self) -> Result<Model, &'static str> {
        read(&self.bytes()[..]).map_err(|error| error.code())
    }
}

#[test]
fn a_file_says_what_it_is() {
    let file = File::small();
    let model = file.read().unwrap();
    assert_eq!((model.architecture.as_str(), model.name.as_deref()), ("llama", Some("Small")));
    assert_eq!(model.license.as_deref(), Some("apache-2.0"));
    assert_eq!(model.chat_template, None);
    assert_eq!((model.context_tokens, model.vocabulary_tokens, model.embedding), (128, 3, 64));
    assert_eq!(model.parameters, 2 * 64 * 3 + 2 * 64 * 64);
    assert_eq!(model.encoding.name, "Q8_0");
    assert_eq!(model.layer_bytes, [64 * 64 / 32 * 34; 2]);
    assert_eq!((model.other_bytes, model.output_bytes), (64 * 3 * 4, 64 * 3 * 2));
    assert_eq!(
        (&model.attention.heads[..], model.attention.key, model.attention.value),
        (&[2, 2][..], 16, 16)
    );
    let data = (file.bytes().len() as u64).next_multiple_of(32);
    assert_eq!(model.file_bytes_min, data + 768 + 8704 + 64 * 3 * 2);
}

#[test]
fn what_is_said_otherwise_is_understood() {
    let mut file = File::small();
    file.version = 2;
    file.set(
        "llama.attention.head_count_kv",
        array(5, &[1_i32.to_le_bytes().to_vec(), 4_i32.to_le_bytes().to_vec()]),
    );
    file.set("llama.attention.key_length", typed(2, &32_u16.to_le_bytes()));
    file.set("llama.attention.sliding_window", typed(10, &64_u64.to_le_bytes()));
    file.set("tokenizer.chat_template", typed(8, &text("{{ messages }}")));
    let model = file.read().unwrap();
    assert_eq!((&model.attention.heads[..], model.attention.key), (&[1, 4][..], 32));
    assert_eq!(model.attention.window_tokens, Some(64));
    assert_eq!(model.chat_template.as_deref(), Some("{{ messages }}"));
}

#[test]
fn what_is_no_model_is_told_by_its_code() {
    let change = |change: &dyn Fn(&mut File)| {
        let mut file = File::small();
        change(&mut file);
        file.read().unwrap_err()
    };
    let u32_of = |value: u32| typed(4, &value.to_le_bytes());
    assert_eq!(change(&|file| file.version = 1), "gguf_version");
    assert_eq!(change(&|file| file.tensors.clear()), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[0].1 = vec![u64::MAX, 3]), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[0].1 = vec![1; 5]), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[1].1 = vec![65, 64]), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[1].2 = 5), "gguf_unsupported");
    assert_eq!(change(&|file| file.tensors[1].3 = u64::MAX), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[1].0 = "blk.2.x".into()), "gguf_damaged");
    assert_eq!(change(&|file| file.tensors[1].0 = "x".repeat(5000)), "gguf_damaged");
    assert_eq!(change(&|file| file.set("split.count", u32_of(2))), "gguf_unsupported");
    assert_eq!(change(&|file| file.set("general.alignment", u32_of(3))), "gguf_damaged");
    assert_eq!(change(&|file| file.set("llama.block_count", u32_of(0))), "gguf_damaged");
    assert_eq!(
        change(&|file| file.set("llama.block_count", typed(5, &(-1_i32).to_le_bytes()))),
        "gguf_damaged"
    );
    assert_eq!(change(&|file| file.set("x", typed(13, &[]))), "gguf_damaged");
    assert_eq!(change(&|file| file.set("x", typed(7, &[2]))), "gguf_damaged");
    assert_eq!(change(&|file| file.values.push(("general.name".into(), u32_of(1)))), "gguf_damaged");
    assert_eq!(change(&|file| file.set("llama.attention.key_length", u32_of(u32::MAX))), "gguf_damaged");
    for key in ["general.architecture", "llama.block_count", "llama.embedding_length", "llama.context_length"]
    {
        assert_eq!(File::small().without(key).read().unwrap_err(), "gguf_damaged", "{key}");
    }
    for magic in [&b""[..], b"GG", b"PK\x03\x04", b"ggml"] {
        assert_eq!(read(magic).unwrap_err().code(), "not_gguf");
    }
}

/// Numbers of things that a header promises and does not hold cost neither memory nor time.
#[test]
fn a_promise_of_much_is_refused_before_it_is_believed() {
    for (tensors, keys) in [(u64::MAX, 0), (0, u64::MAX), (1 << 40, 1 << 40)] {
        let bytes = [&b"GGUF\x03\0\0\0"[..], &u64::to_le_bytes(tensors), &u64::to_le_bytes(keys)].concat();
        assert_eq!(read(&bytes[..]).unwrap_err().code(), "gguf_header_too_large");
    }
    for kind in [0_u32, 8, 9, 12] {
        let mut file = File::small();
        let promised = [&kind.to_le_bytes()[..], &u64::MAX.to_le_bytes()].concat();
        file.set("tokenizer.ggml.tokens", typed(9, &promised));
        assert!(["gguf_damaged", "gguf_header_too_large"].contains(&file.read().unwrap_err()), "{kind}");
    }
    let mut file = File::small();
    file.set("x", typed(8, &u64::MAX.to_le_bytes()));
    assert_eq!(file.read().unwrap_err(), "gguf_header_too_large");
}

#[test]
fn a_file_that_is_cut_off_anywhere_is_told_as_such() {
    let bytes = File::small().bytes();
    for end in 4..bytes.len() {
        assert_eq!(read(&bytes[..end]).unwrap_err().code(), "gguf_damaged", "{end}");
    }
}

#[test]
fn memory_is_what_layers_and_tokens_take() {
    let model = File::small().read().unwrap();
    let memory = model.memory(100, 3);
    assert_eq!(memory.weights_bytes, 2 * 4352 + 768 + 384);
    // Two layers with two heads of a key and a value of 16 halves.
    assert_eq!(memory.cache_bytes, 300 * 2 * 2 * 32 * 2);
    assert!(memory.total_bytes() > memory.weights_bytes + memory.cache_bytes + memory.compute_bytes);
}

#[test]
fn as_many_layers_as_fit_are_on_the_device() {
    let model = File::small().read().unwrap();
    let plenty = u64::MAX / 2;
    let place = |device_bytes| model.place(128, 1, Room { device_bytes, machine_bytes: plenty }).unwrap();
    let whole = place(plenty);
    assert_eq!(whole.device_layers, 3);
    assert_eq!(place(whole.device_bytes), whole);
    let part = place(whole.device_bytes - 1);
    assert_eq!(part.device_layers, 2);
    assert!(part.machine_bytes > whole.machine_bytes);
    assert_eq!(place(part.device_bytes - 1).device_layers, 0);
    assert_eq!(place(0).device_bytes, 0);
    let nowhere = Room { device_bytes: 0, machine_bytes: place(0).machine_bytes - 1 };
    assert_eq!(model.place(128, 1, nowhere), None);
}

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let _ = read(&[&b"GGUF\x03\0\0\0"[..], &bytes].concat()[..]);
    }

    #[test]
    fn no_change_of_a_byte_does_harm(at in 0_usize..900, byte: u8, tokens: u64, sequences: u64, room: u64) {
        let mut bytes = File::small().bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        if let Ok(model) = read(&bytes[..]) {
            let total = model.memory(tokens, sequences).total_bytes();
            prop_assert!(total >= model.memory(0, 0).total_bytes());
            let room = Room { device_bytes: room, machine_bytes: u64::MAX };
            if let Some(placed) = model.place(tokens, sequences, room) {
                prop_assert!(placed.device_bytes <= room.device_bytes);
            }
        }
    }
}
