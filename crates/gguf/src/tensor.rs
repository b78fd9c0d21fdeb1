//! Tensors and how their numbers are encoded.

use std::io::Read;

use crate::GgufError;
use crate::read::Header;

/// The most dimensions that the format allows.
const DIMENSIONS_MAX: u32 = 4;

/// How a tensor's numbers are encoded: in blocks of so many elements of so many bytes. From `ggml_type` and
/// `ggml-common.h` of llama.cpp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding {
    /// Its name, as files are called by.
    pub name: &'static str,
    /// Numbers in a block.
    pub elements: u64,
    /// Bytes of a block.
    pub bytes: u64,
}

impl Encoding {
    fn of(kind: u32) -> Option<Self> {
        let (name, elements, bytes) = match kind {
            0 => ("F32", 1, 4),
            1 => ("F16", 1, 2),
            2 => ("Q4_0", 32, 18),
            3 => ("Q4_1", 32, 20),
            6 => ("Q5_0", 32, 22),
            7 => ("Q5_1", 32, 24),
            8 => ("Q8_0", 32, 34),
            9 => ("Q8_1", 32, 36),
            10 => ("Q2_K", 256, 84),
            11 => ("Q3_K", 256, 110),
            12 => ("Q4_K", 256, 144),
            13 => ("Q5_K", 256, 176),
            14 => ("Q6_K", 256, 210),
            15 => ("Q8_K", 256, 292),
            16 => ("IQ2_XXS", 256, 66),
            17 => ("IQ2_XS", 256, 74),
            18 => ("IQ3_XXS", 256, 98),
            19 => ("IQ1_S", 256, 50),
            20 => ("IQ4_NL", 32, 18),
            21 => ("IQ3_S", 256, 110),
            22 => ("IQ2_S", 256, 82),
            23 => ("IQ4_XS", 256, 136),
            24 => ("I8", 1, 1),
            25 => ("I16", 1, 2),
            26 => ("I32", 1, 4),
            27 => ("I64", 1, 8),
            28 => ("F64", 1, 8),
            29 => ("IQ1_M", 256, 56),
            30 => ("BF16", 1, 2),
            34 => ("TQ1_0", 256, 54),
            35 => ("TQ2_0", 256, 66),
            39 => ("MXFP4", 32, 17),
            _ => return None,
        };
        Some(Self { name, elements, bytes })
    }
}

/// One tensor of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// The layer that it belongs to, counted from 0; `None` for embeddings, the last norm and the output.
    pub layer: Option<u64>,
    /// Whether it turns the last layer's state into a score for each token.
    pub is_output: bool,
    pub elements: u64,
    pub bytes: u64,
    pub encoding: Encoding,
    /// Where its data begins, from where data begins.
    pub offset: u64,
}

impl Tensor {
    pub fn read(header: &mut Header<impl Read>) -> Result<Self, GgufError> {
        let name = header.name()?;
        let dimensions = header.u32()?;
        if dimensions > DIMENSIONS_MAX {
            return Err(GgufError::Damaged("a tensor has more dimensions than the format allows"));
        }
        let too_large = GgufError::Damaged("a tensor is larger than any memory");
        let (mut elements, mut row) = (1_u64, 1);
        for dimension in 0..dimensions {
            let side = header.u64()?;
            if dimension == 0 {
                row = side;
            }
            elements =
                elements.checked_mul(side).ok_or(GgufError::Damaged("a tensor is larger than any memory"))?;
        }
        let encoding = Encoding::of(header.u32()?)
            .ok_or(GgufError::Unsupported("its numbers are encoded in a way that is not known here"))?;
        if row % encoding.elements != 0 {
            return Err(GgufError::Damaged("a tensor's rows are no whole number of blocks"));
        }
        let bytes = (elements / encoding.elements).checked_mul(encoding.bytes).ok_or(too_large)?;
        let offset = header.u64()?;
        let layer = name.strip_prefix("blk.").and_then(|rest| rest.split('.').next()?.parse().ok());
        Ok(Self { layer, is_output: name == "output.weight", elements, bytes, encoding, offset })
    }
}
