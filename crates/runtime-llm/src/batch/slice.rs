//! How many tokens of prompts a slice computes.

use std::time::Duration;

/// How long a slice is to take: no longer than a frame or two is missed by whoever uses the machine, or than others notice
/// who wait for their next token.
const AIM: Duration = Duration::from_millis(80);
/// Fewer cost nearly as much as these.
const TOKENS_MIN: usize = 8;
/// What is computed first, before anything is known.
const TOKENS_FIRST: usize = 32;

/// Keeps slices to their time.
#[derive(Debug)]
pub(super) struct Slice {
    tokens: usize,
}

impl Default for Slice {
    fn default() -> Self {
        Self { tokens: TOKENS_FIRST }
    }
}

impl Slice {
    /// Tokens of prompts in the next slice.
    pub(super) fn tokens(&self) -> usize {
        self.tokens
    }

    /// Takes note of a slice in which so many were computed.
    pub(super) fn took(&mut self, tokens: usize, time: Duration) {
        // A slice that was not full tells little of full ones.
        if tokens < self.tokens {
            return;
        }
        let fitting = tokens as f64 * AIM.as_secs_f64() / time.as_secs_f64().max(1e-6);
        // Twice as many at most: more at once cost less each, so that the next one is told better.
        let wanted = fitting.min(self.tokens as f64 * 2.0) as usize;
        self.tokens = wanted.clamp(TOKENS_MIN, super::ENTRIES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_grow_and_shrink_with_the_device() {
        let mut slice = Slice::default();
        let fast = |slice: &mut Slice| slice.took(slice.tokens(), Duration::from_millis(10));
        fast(&mut slice);
        assert_eq!(slice.tokens(), 64, "at most twice");
        (0..9).for_each(|_| fast(&mut slice));
        assert_eq!(slice.tokens(), super::super::ENTRIES_MAX);
        slice.took(512, Duration::from_millis(800));
        assert_eq!(slice.tokens(), 51);
        slice.took(10, Duration::from_millis(800));
        assert_eq!(slice.tokens(), 51, "not full");
        slice.took(51, Duration::from_secs(8));
        assert_eq!(slice.tokens(), TOKENS_MIN);
    }
}
