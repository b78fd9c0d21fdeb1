//! The format's primitives, read with bounds.

use std::io::{ErrorKind, Read};

use crate::GgufError;

/// The largest header that is read. Real ones are vocabularies: 262,144 tokens with scores and merges come to about 15 MB.
const HEADER_BYTES_MAX: u64 = 128 * 1024 * 1024;
/// The longest text that is kept. Templates of chats have up to some 20,000 characters.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// The longest key or name of a tensor: the format allows 65,535 bytes, and llama.cpp names of tensors 63.
const NAME_BYTES_MAX: u64 = 1024;
/// The longest array of numbers that is kept: one for each layer of a model.
const LAYERS_MAX: u64 = 4096;
/// Arrays of arrays are allowed by the format and used by nobody.
const DEPTH_MAX: u32 = 2;

/// A value, as far as it is of use here.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number that is not below zero, of any width, or whether something holds.
    Whole(u64),
    /// Text.
    Text(String),
    /// An array: how many it has, and its values where they are few whole numbers.
    Array { len: u64, values: Vec<u64> },
    /// Anything else.
    Other,
}

/// A header that is being read.
pub struct Header<R> {
    file: R,
    read: u64,
}

impl<R: Read> Header<R> {
    pub fn new(file: R) -> Self {
        Self { file, read: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> u64 {
        self.read
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], GgufError> {
        self.take(N as u64)?;
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(cut_off)?;
        Ok(bytes)
    }

    fn take(&mut self, bytes: u64) -> Result<(), GgufError> {
        self.read = self.read.saturating_add(bytes);
        if self.read > HEADER_BYTES_MAX { Err(GgufError::HeaderTooLarge) } else { Ok(()) }
    }

    pub fn magic(&mut self) -> Result<[u8; 4], GgufError> {
        // A file of three bytes is no model, rather than a damaged one.
        self.bytes().map_err(|error| match error {
            GgufError::Damaged(_) => GgufError::NotGguf,
            other => other,
        })
    }

    pub fn u32(&mut self) -> Result<u32, GgufError> {
        self.bytes().map(u32::from_le_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, GgufError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// A key or the name of a tensor.
    pub fn name(&mut self) -> Result<String, GgufError> {
        let len = self.u64()?;
        if len > NAME_BYTES_MAX {
            return Err(GgufError::Damaged("a name in it is longer than any real one"));
        }
        self.text_of(len)
    }

    fn text_of(&mut self, len: u64) -> Result<String, GgufError> {
        self.take(len)?;
        let mut bytes = vec![0; usize::try_from(len).map_err(|_| GgufError::HeaderTooLarge)?];
        self.file.read_exact(&mut bytes).map_err(cut_off)?;
        String::from_utf8(bytes).map_err(|_| GgufError::Damaged("a text in it is not UTF-8"))
    }

    fn skip(&mut self, len: u64) -> Result<(), GgufError> {
        self.take(len)?;
        let skipped = std::io::copy(&mut self.file.by_ref().take(len), &mut std::io::sink())?;
        if skipped == len { Ok(()) } else { Err(CUT_OFF) }
    }

    /// A value with its type before it.
    pub fn value(&mut self) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        self.value_of(kind, DEPTH_MAX)
    }

    fn value_of(&mut self, kind: u32, depth: u32) -> Result<Value, GgufError> {
        let signed = |value: i64| u64::try_from(value).map_or(Value::Other, Value::Whole);
        Ok(match kind {
            0 => Value::Whole(self.bytes::<1>()?[0].into()),
            1 => signed(i8::from_le_bytes(self.bytes()?).into()),
            2 => Value::Whole(u16::from_le_bytes(self.bytes()?).into()),
            3 => signed(i16::from_le_bytes(self.bytes()?).into()),
            4 => Value::Whole(self.u32()?.into()),
            5 => signed(i32::from_le_bytes(self.bytes()?).into()),
            7 => match self.bytes::<1>()?[0] {
                flag @ (0 | 1) => Value::Whole(flag.into()),
                _ => return Err(GgufError::Damaged("a flag in it is neither yes nor no")),
            },
            10 => Value::Whole(self.u64()?),
            11 => signed(i64::from_le_bytes(self.bytes()?)),
            6 | 12 => {
                self.skip(if kind == 6 { 4 } else { 8 })?;
                Value::Other
            }
            8 => {
                let len = self.u64()?;
                if len > TEXT_BYTES_MAX {
                    self.skip(len)?;
                    return Ok(Value::Other);
                }
                Value::Text(self.text_of(len)?)
            }
            9 => self.array(depth)?,
            _ => return Err(GgufError::Damaged("a value in it has a type that does not exist")),
        })
    }

    fn array(&mut self, depth: u32) -> Result<Value, GgufError> {
        let kind = self.u32()?;
        let len = self.u64()?;
        if depth == 0 {
            return Err(GgufError::Damaged("it holds arrays in arrays in arrays"));
        }
        let width = match kind {
            0 | 1 | 7 => Some(1),
            2 | 3 => Some(2),
            4..=6 => Some(4),
            10..=12 => Some(8),
            _ => None,
        };
        let mut values = Vec::new();
        match width {
            Some(width) if len > LAYERS_MAX => self.skip(len.saturating_mul(width))?,
            Some(_) => {
                for _ in 0..len {
                    if let Value::Whole(value) = self.value_of(kind, depth - 1)? {
                        values.push(value);
                    }
                }
                // Some that are no whole numbers would shift the others.
                if values.len() as u64 != len {
                    values.clear();
                }
            }
            // Texts are skipped one by one; each takes eight bytes at least, so that their number is bounded too.
            None if kind == 8 => {
                for _ in 0..len {
                    let len = self.u64()?;
                    self.skip(len)?;
                }
            }
            None => {
                for _ in 0..len {
                    self.value_of(kind, depth - 1)?;
                }
            }
        }
        Ok(Value::Array { len, values })
    }
}

const CUT_OFF: GgufError = GgufError::Damaged("it ends in the middle of its header");

fn cut_off(error: std::io::Error) -> GgufError {
    if error.kind() == ErrorKind::UnexpectedEof { CUT_OFF } else { GgufError::Io(error) }
}
