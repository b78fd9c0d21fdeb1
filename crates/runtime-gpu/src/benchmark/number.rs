//! The kinds of numbers whose arithmetic is measured: how a kernel writes them, and what it must come to.

/// Starting values of floats: positive and below the golden ratio's inverse, where rounding cannot decide into which
/// of its two phases a chain falls.
const START_FIRST: f32 = 0.05;
const START_STEP: f32 = 0.025;
/// Lanes that differ in their constant.
const CONSTANTS: u32 = 64;

/// A kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Number {
    Fp32,
    Fp16,
    Fp64,
    Int32,
    /// Four 8-bit integers in a word.
    Int8x4,
}

/// A shape of the kernel: how many numbers a chain has, how many independent chains there are, and how many steps of
/// each are written out in one turn of the loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub width: u32,
    pub chains: u32,
    pub steps: u32,
}

const fn shape(width: u32, chains: u32) -> Shape {
    // With fewer steps the loop itself is measured: by a factor of three on some compilers.
    Shape { width, chains, steps: 16 }
}

impl Number {
    /// What a device must be able to do for it.
    pub fn features(self) -> wgpu::Features {
        match self {
            Self::Fp16 => wgpu::Features::SHADER_F16,
            Self::Fp64 => wgpu::Features::SHADER_F64,
            // Where the device has no instruction for the dot product, several are used in its place.
            Self::Fp32 | Self::Int32 | Self::Int8x4 => wgpu::Features::empty(),
        }
    }

    /// Why a device without those features is not measured.
    pub fn missing(self) -> &'static str {
        match self {
            Self::Fp16 => "This device, or its driver, has no arithmetic in 16-bit floats.",
            Self::Fp64 => "This device, or its driver, has no arithmetic in 64-bit floats.",
            Self::Fp32 | Self::Int32 | Self::Int8x4 => "This device lacks what every device has.",
        }
    }

    /// Shapes to try, the likeliest first, as a short budget may not reach all.
    pub fn shapes(self) -> Vec<Shape> {
        match self {
            // There is no vector of words of four.
            Self::Int8x4 => [4, 8, 2, 1].map(|chains| shape(1, chains)).to_vec(),
            Self::Fp32 | Self::Fp16 | Self::Fp64 | Self::Int32 => {
                let all = [(4, 1), (4, 2), (1, 4), (2, 2), (2, 4), (4, 4), (1, 2), (2, 1), (1, 1)];
                all.map(|(width, chains)| shape(width, chains)).to_vec()
            }
        }
    }

    /// What a chain does, in words.
    pub fn chain(self) -> &'static str {
        match self {
            Self::Fp32 | Self::Fp16 | Self::Fp64 => "x = fma(x, x, c)",
            Self::Int32 => "x = x·x + c",
            Self::Int8x4 => "x = dot(x, x) + c over four bytes",
        }
    }

    fn scalar(self) -> &'static str {
        match self {
            Self::Fp32 => "f32",
            Self::Fp16 => "f16",
            Self::Fp64 => "f64",
            Self::Int32 => "u32",
            Self::Int8x4 => "i32",
        }
    }

    fn step(self, chain: u32) -> String {
        match self {
            Self::Fp32 | Self::Fp16 | Self::Fp64 => format!("x{chain} = fma(x{chain}, x{chain}, c);"),
            Self::Int32 => format!("x{chain} = x{chain} * x{chain} + c;"),
            Self::Int8x4 => {
                format!("x{chain} = dot4I8Packed(bitcast<u32>(x{chain}), bitcast<u32>(x{chain})) + c;")
            }
        }
    }

    fn start(self, shape: Shape, chain: u32, component: u32) -> String {
        let place = chain * shape.width + component;
        match self {
            Self::Fp32 => format!("{:?}f", start(place)),
            Self::Fp16 => format!("f16({:?}f)", start(place)),
            Self::Fp64 => format!("f64({:?}f)", start(place)),
            Self::Int32 => format!("{}u", place + 2),
            Self::Int8x4 => format!("{}i", place + 2),
        }
    }

    /// The kernel's text.
    pub fn source(self, shape: Shape) -> String {
        let scalar = self.scalar();
        let vector =
            if shape.width == 1 { scalar.to_owned() } else { format!("vec{}<{scalar}>", shape.width) };
        let lines = |line: &dyn Fn(u32) -> String| (0..shape.chains).map(line).collect::<Vec<_>>();
        let starts = lines(&|chain| {
            let values: Vec<_> =
                (0..shape.width).map(|component| self.start(shape, chain, component)).collect();
            format!("var x{chain} = {vector}({});", values.join(", "))
        });
        let step = lines(&|chain| self.step(chain)).join(" ");
        let constant = match self {
            Self::Fp32 | Self::Fp16 | Self::Fp64 => {
                let (first, range) = self.constants();
                format!("{vector}({scalar}({first:?}f + {range:?}f * f32(id.x & 63u) / 64.0f))")
            }
            Self::Int32 | Self::Int8x4 => format!("{vector}({scalar}((id.x & 63u) + 1u))"),
        };
        let total = match shape.width {
            1 => "sum",
            2 => "sum.x + sum.y",
            _ => "(sum.x + sum.y) + (sum.z + sum.w)",
        };
        let result = match self {
            Self::Fp32 | Self::Fp16 | Self::Fp64 => "f32",
            Self::Int32 | Self::Int8x4 => "u32",
        };
        let enable = if self == Self::Fp16 { "enable f16;" } else { "" };
        include_str!("kernels/chains.wgsl")
            .replace("{{ENABLE}}", enable)
            .replace("{{RESULT}}", result)
            .replace("{{CONSTANT}}", &constant)
            .replace("{{START}}", &starts.join("\n    "))
            .replace("{{STEPS}}", &vec![step; shape.steps as usize].join("\n        "))
            .replace("{{SUM}}", &lines(&|chain| format!("x{chain}")).join(" + "))
            .replace("{{TOTAL}}", total)
    }

    /// Operations of one turn of the loop in all lanes: an addition and a multiplication are two.
    pub fn operations(self, shape: Shape, lanes: u32) -> f64 {
        let each = if self == Self::Int8x4 { 8.0 } else { 2.0 };
        each * f64::from(shape.steps) * f64::from(shape.width * shape.chains) * f64::from(lanes)
    }

    /// The first constant of a float chain, and how far the last is from it. With c in −1.2 … −0.8 every x ends in a
    /// cycle of two values near −1 and 0: no overflow, and nothing that a compiler can fold. A chain forgets rounding
    /// the faster the nearer c is to −1, which 16 bits need.
    fn constants(self) -> (f32, f32) {
        if self == Self::Fp16 { (-1.1, 0.2) } else { (-1.2, 0.4) }
    }

    /// How far the device may be from the CPU, for each number that is added up: chains forget rounding, so only a
    /// wrong result is farther.
    fn tolerance(self) -> f64 {
        match self {
            Self::Fp32 => 1e-4,
            // A last place is 2⁻¹¹ of the value, and a chain keeps up to five of them.
            Self::Fp16 => 5e-3,
            // The sum is told in 32 bits.
            Self::Fp64 => 1e-6,
            Self::Int32 | Self::Int8x4 => 0.0,
        }
    }

    /// Whether the device's results after `turns` turns are what they must be.
    pub fn is_right(self, shape: Shape, results: &[u8], turns: u32) -> bool {
        let steps = turns * shape.steps;
        let places = shape.width * shape.chains;
        let (words, _) = results.as_chunks::<4>();
        match self {
            Self::Fp32 | Self::Fp16 | Self::Fp64 => {
                let expected: Vec<f64> =
                    (0..CONSTANTS).map(|lane| self.float_sum(lane, places, steps)).collect();
                let tolerance = self.tolerance() * f64::from(places);
                words.iter().zip(expected.iter().cycle()).all(|(word, expected)| {
                    let error = f64::from(f32::from_le_bytes(*word)) - expected;
                    error.abs() <= tolerance
                })
            }
            Self::Int32 | Self::Int8x4 => {
                let expected: Vec<u32> =
                    (0..CONSTANTS).map(|lane| self.integer_sum(lane, places, steps)).collect();
                words.iter().zip(expected.iter().cycle()).all(|(word, sum)| u32::from_le_bytes(*word) == *sum)
            }
        }
    }

    fn float_sum(self, lane: u32, places: u32, steps: u32) -> f64 {
        let (first, range) = self.constants();
        let c = first + range * lane as f32 / CONSTANTS as f32;
        let chain = |place| {
            if self == Self::Fp64 {
                let c = f64::from(c);
                (0..steps).fold(f64::from(start(place)), |x, _| x.mul_add(x, c))
            } else {
                f64::from((0..steps).fold(start(place), |x, _| x.mul_add(x, c)))
            }
        };
        (0..places).map(chain).sum()
    }

    fn integer_sum(self, lane: u32, places: u32, steps: u32) -> u32 {
        let c = lane + 1;
        let step = |x: u32| match self {
            Self::Int8x4 => {
                let squares = x.to_le_bytes().map(|byte| i32::from(byte.cast_signed()).pow(2));
                squares.iter().sum::<i32>().cast_unsigned().wrapping_add(c)
            }
            Self::Int32 | Self::Fp32 | Self::Fp16 | Self::Fp64 => x.wrapping_mul(x).wrapping_add(c),
        };
        (0..places).map(|place| (0..steps).fold(place + 2, |x, _| step(x))).fold(0, u32::wrapping_add)
    }
}

fn start(place: u32) -> f32 {
    START_FIRST + START_STEP * place as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [Number; 5] = [Number::Fp32, Number::Fp16, Number::Fp64, Number::Int32, Number::Int8x4];

    #[test]
    fn every_shape_is_valid_wgsl() {
        for number in NUMBERS {
            for shape in number.shapes() {
                let source = number.source(shape);
                let parsed = naga::front::wgsl::parse_str(&source);
                assert!(parsed.is_ok(), "{}", parsed.unwrap_err().emit_to_string(&source));
            }
        }
    }

    #[test]
    fn chains_forget_rounding() {
        // Unfused on purpose: a device may do either.
        let shape = Shape { width: 4, chains: 4, steps: 16 };
        let c = |lane| -1.2f32 + 0.4 * lane as f32 / 64.0;
        let unfused = |lane| -> f32 { (0..16).map(|i| (0..64).fold(start(i), |x, _| x * x + c(lane))).sum() };
        let results: Vec<u8> = (0..64).flat_map(|lane| unfused(lane).to_le_bytes()).collect();
        assert!(Number::Fp32.is_right(shape, &results, 4));
        let wrong: Vec<u8> = (0..64).flat_map(|lane| (unfused(lane) + 0.01).to_le_bytes()).collect();
        assert!(!Number::Fp32.is_right(shape, &wrong, 4));
    }

    #[test]
    fn one_wrong_bit_in_integers_is_noticed() {
        let shape = Shape { width: 1, chains: 2, steps: 16 };
        for number in [Number::Int32, Number::Int8x4] {
            let mut results: Vec<u8> =
                (0..64).flat_map(|lane| number.integer_sum(lane, 2, 64).to_le_bytes()).collect();
            assert!(number.is_right(shape, &results, 4));
            results[77] ^= 1;
            assert!(!number.is_right(shape, &results, 4));
        }
    }
}
