//! Chance that anybody can draw again: a number for each token at each place of a text, from a seed.

/// Domain of the key of a place.
const CONTEXT: &str = "lull infer/1 chance at a place of a text";

/// Chance at one place of one text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chance {
    key: u64,
}

impl Chance {
    /// At `place`, counted in tokens from the beginning of the prompt, so that whoever goes on with a text that was begun
    /// elsewhere draws as the first one would have.
    pub(crate) fn at(seed: u64, place: u64) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CONTEXT);
        hasher.update(&seed.to_le_bytes()).update(&place.to_le_bytes());
        let mut key = [0; 8];
        hasher.finalize_xof().fill(&mut key);
        Self { key: u64::from_le_bytes(key) }
    }

    /// 52 bits for a token: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) by the token's number, which costs less than
    /// the token's score did.
    pub(crate) fn bits(self, token: u32) -> u64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.key.wrapping_add(GOLDEN.wrapping_mul(u64::from(token) + 1));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) >> 12
    }
}

/// Of 52 bits, a number of Gumbel's distribution: the token with the highest sum of score and such a number is each token
/// as often as its share of the softmax of the scores (Gumbel, 1954).
pub(crate) fn gumbel(bits: u64) -> f64 {
    // Strictly between 0 and 1, and written down exactly, so that both logarithms are finite.
    let share = (bits as f64 + 0.5) / (1_u64 << 52) as f64;
    -(-share.ln()).ln()
}

/// What [`gumbel`] of these bits is not above, without a logarithm: −ln(−ln u) ≤ −ln(1 − u), and 1 − u is at least a half to
/// the power of the ones that u begins with and one more.
pub(crate) fn gumbel_max(bits: u64) -> f64 {
    let ones = (!(bits << 12)).leading_zeros().min(52);
    f64::from(ones + 1) * std::f64::consts::LN_2
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chance_is_fixed_for_good() {
        // A change of these numbers is another sampling rule, and checks of older versions' work would fail.
        let bits: Vec<_> = (0..3).map(|token| Chance::at(7, 11).bits(token)).collect();
        assert_eq!(
            bits,
            [581_322_167_009_300, 3_343_659_944_621_851, 3_384_273_400_418_897],
            "as it was first"
        );
        assert_ne!(Chance::at(7, 12).bits(0), bits[0]);
        assert_ne!(Chance::at(8, 11).bits(0), bits[0]);
    }

    proptest! {
        #[test]
        fn the_bound_holds(bits in 0_u64..(1 << 52)) {
            prop_assert!(gumbel(bits) <= gumbel_max(bits) + 1e-9);
        }
    }

    #[test]
    fn the_bound_holds_at_the_ends() {
        for bits in [0, 1, (1 << 52) - 2, (1 << 52) - 1] {
            assert!(gumbel(bits).is_finite());
            assert!(gumbel(bits) <= gumbel_max(bits) + 1e-9, "{bits}");
        }
    }
}
