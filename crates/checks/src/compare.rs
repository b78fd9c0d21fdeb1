//! Whether two runs of one task agree within its tolerance.

use std::fmt;

use lull_types::wgsl::Tolerance;

/// How two results differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// Not the same number of outputs.
    Count {
        /// Outputs expected.
        expected: usize,
        /// Outputs there are.
        actual: usize,
    },
    /// An output has another length.
    Length {
        /// Position of the output.
        output: usize,
        /// Bytes expected.
        expected: usize,
        /// Bytes there are.
        actual: usize,
    },
    /// More elements lie outside the tolerance than are allowed.
    Content {
        /// Position of the output.
        output: usize,
        /// Elements outside.
        outside: usize,
        /// Elements in all.
        of: usize,
        /// `bytes` or `floats`.
        unit: &'static str,
        /// The first one outside.
        first_at: usize,
        /// What was expected there.
        expected: String,
        /// What is there.
        actual: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { expected, actual } => write!(f, "{actual} outputs instead of {expected}"),
            Self::Length { output, expected, actual } => {
                write!(f, "output {output} has {actual} bytes instead of {expected}")
            }
            Self::Content { output, outside, of, unit, first_at, expected, actual } => write!(
                f,
                "output {output} differs in {outside} of {of} {unit}, first at {first_at}: expected {expected}, got {actual}"
            ),
        }
    }
}

/// Compares the outputs of two runs.
///
/// # Errors
/// The first output that differs by more than the tolerance allows.
pub fn outputs(tolerance: Tolerance, expected: &[Vec<u8>], actual: &[Vec<u8>]) -> Result<(), Difference> {
    if expected.len() != actual.len() {
        return Err(Difference::Count { expected: expected.len(), actual: actual.len() });
    }
    for (output, (expected, actual)) in expected.iter().zip(actual).enumerate() {
        if expected.len() != actual.len() {
            return Err(Difference::Length { output, expected: expected.len(), actual: actual.len() });
        }
        match tolerance {
            Tolerance::Exact => elements(output, "bytes", 0, expected, actual, |e, a| e == a)?,
            Tolerance::U8 { absolute, outliers_per_million } => {
                elements(output, "bytes", outliers_per_million, expected, actual, |e, a| {
                    e.abs_diff(*a) <= absolute
                })?;
            }
            Tolerance::F32 { absolute, relative, outliers_per_million } => {
                let near = |e: &f32, a: &f32| {
                    // Infinities and NaNs agree only with themselves: a bound relative to an infinity bounds nothing.
                    e.to_bits() == a.to_bits()
                        || (e.is_finite() && (e - a).abs() <= absolute + relative * e.abs())
                };
                elements(output, "floats", outliers_per_million, &floats(expected), &floats(actual), near)?;
                // Bytes after the last whole float are compared as they are.
                let whole = expected.len() / 4 * 4;
                elements(output, "bytes", 0, &expected[whole..], &actual[whole..], |e, a| e == a)?;
            }
        }
    }
    Ok(())
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}

fn elements<T: fmt::Display>(
    output: usize,
    unit: &'static str,
    outliers_per_million: u32,
    expected: &[T],
    actual: &[T],
    near: impl Fn(&T, &T) -> bool,
) -> Result<(), Difference> {
    let mut outside = expected.iter().zip(actual).enumerate().filter(|(_, (e, a))| !near(e, a)).peekable();
    let Some(&(first_at, (first_expected, first_actual))) = outside.peek() else { return Ok(()) };
    let outside = outside.count();
    if outside as u64 * 1_000_000 <= u64::from(outliers_per_million) * expected.len() as u64 {
        return Ok(());
    }
    Err(Difference::Content {
        output,
        outside,
        of: expected.len(),
        unit,
        first_at,
        expected: first_expected.to_string(),
        actual: first_actual.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn f32s(values: &[f32]) -> Vec<u8> {
        values.iter().flat_map(|v| v.to_le_bytes()).collect()
    }

    #[test]
    fn exact_means_every_byte() {
        assert_eq!(outputs(Tolerance::Exact, &[vec![1, 2]], &[vec![1, 2]]), Ok(()));
        let difference = outputs(Tolerance::Exact, &[vec![1, 2]], &[vec![1, 3]]).unwrap_err();
        assert_eq!(difference.to_string(), "output 0 differs in 1 of 2 bytes, first at 1: expected 2, got 3");
        assert!(matches!(outputs(Tolerance::Exact, &[vec![1]], &[]), Err(Difference::Count { .. })));
        assert!(matches!(outputs(Tolerance::Exact, &[vec![1]], &[vec![]]), Err(Difference::Length { .. })));
    }

    #[test]
    fn floats_may_differ_within_bounds() {
        let tolerance = Tolerance::F32 { absolute: 1e-6, relative: 1e-3, outliers_per_million: 0 };
        let check = |e: &[f32], a: &[f32]| outputs(tolerance, &[f32s(e)], &[f32s(a)]).is_ok();
        assert!(check(&[1000.0, 0.0], &[1000.9, 0.000_000_5]));
        assert!(!check(&[1000.0], &[1001.1]));
        assert!(check(&[f32::NAN, f32::INFINITY], &[f32::NAN, f32::INFINITY]));
        assert!(!check(&[1.0], &[f32::NAN]), "a number is not replaced by none");
        assert!(!check(&[f32::NAN], &[1.0]));
        assert!(!check(&[f32::INFINITY], &[f32::NEG_INFINITY]));
        assert!(!check(&[f32::INFINITY], &[1.0]), "nothing is near an infinity");
        assert!(!check(&[1.0], &[f32::INFINITY]));
    }

    #[test]
    fn a_share_may_lie_outside() {
        let tolerance = Tolerance::U8 { absolute: 2, outliers_per_million: 100_000 };
        let check =
            |e: &Vec<u8>, a: &Vec<u8>| outputs(tolerance, std::slice::from_ref(e), std::slice::from_ref(a));
        let expected = vec![100u8; 20];
        let mut actual = expected.clone();
        actual[3] = 102;
        actual[4] = 200;
        actual[5] = 0;
        assert_eq!(check(&expected, &actual), Ok(()), "two of twenty");
        actual[6] = 50;
        let Err(Difference::Content { outside, first_at, .. }) = outputs(tolerance, &[expected], &[actual])
        else {
            panic!("three of twenty must be refused")
        };
        assert_eq!((outside, first_at), (3, 4));
    }
}
