//! The sampling rule, and how far a claimed token is from what it gives.
//!
//! From the model's scores (logits) for the next token:
//! 1. Penalties are taken off those of tokens that were generated before.
//! 2. With a temperature of 0 the highest wins.
//! 3. Otherwise scores are divided by the temperature. Left out are tokens that are less than e⁻¹⁶ as likely as the
//!    likeliest; and, from the least likely on, those without which the others still have the share `top_p`.
//! 4. To each a number of Gumbel's distribution is added, drawn from the seed, the place and the token. The highest wins.
//!
//! As chance is fixed, whoever has the model can tell for each token of a text how far it is from winning, all at once in
//! a single pass over the text (Token-DiFR, arXiv 2511.20621). Devices round differently, so an honest token is sometimes
//! a little short of it; a token of another model is far.

use std::collections::HashMap;

use lull_types::infer::{Sampling, Token};

use crate::chance::{Chance, gumbel, gumbel_max};

/// Tokens less than e⁻¹⁶ as likely as the likeliest are never chosen: all of a quarter of a million such tokens together
/// come once in forty tokens at the very most, and are noise then. It saves most of the work.
const WORTH: f64 = 16.0;

/// The scores of one place, one for each token of the vocabulary. What is no number counts as the lowest.
#[derive(Clone, Copy, Debug)]
pub struct Scores<'a>(pub &'a [f32]);

/// A token that was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Which.
    pub token: Token,
    /// The logarithm of its share, without temperature and penalties; only where it was asked for.
    pub log_probability: Option<f32>,
}

/// Chooses one text's tokens.
#[derive(Clone, Debug)]
pub struct Sampler {
    sampling: Sampling,
    /// How often each token was generated; kept only where there are penalties.
    generated: HashMap<Token, u32>,
    /// Where the next token belongs, from the beginning of the prompt.
    place: u64,
    /// Kept, as it is large.
    candidates: Vec<Candidate>,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    token: Token,
    /// Divided by the temperature.
    score: f64,
}

impl Sampler {
    /// For a text of `prompt_tokens`, of which none was generated.
    pub fn new(sampling: Sampling, prompt_tokens: u64) -> Self {
        Self { sampling, generated: HashMap::new(), place: prompt_tokens, candidates: Vec::new() }
    }

    /// Takes note of a token that was generated, here or elsewhere.
    pub fn accept(&mut self, token: Token) {
        self.place += 1;
        if self.sampling.presence_penalty != 0.0 || self.sampling.frequency_penalty != 0.0 {
            *self.generated.entry(token).or_default() += 1;
        }
    }

    /// The next token; none where no score is a number. It is not accepted by this.
    pub fn choose(&mut self, scores: Scores<'_>, log_probability: bool) -> Option<Choice> {
        let token = self.winner(scores)?.token;
        let log_probability = log_probability.then(|| scores.log_probability(token));
        Some(Choice { token, log_probability })
    }

    /// How far `token` is from being the next one, in logarithms of likelihood: 0 if it is the one that is chosen. Far
    /// beyond what devices round apart, and at most `WORTH` times two, for one that is not even considered.
    pub fn gap(&mut self, scores: Scores<'_>, token: Token) -> Option<f64> {
        let winner = self.winner(scores)?;
        if winner.token == token {
            return Some(0.0);
        }
        let furthest = 2.0 * WORTH;
        let Some(score) = scores.0.get(token as usize).filter(|score| score.is_finite()) else {
            return Some(furthest);
        };
        let score = self.penalized(token, *score);
        if self.sampling.temperature == 0.0 {
            return Some((winner.score - score).clamp(0.0, furthest));
        }
        let score = score / f64::from(self.sampling.temperature);
        let chance = Chance::at(self.sampling.seed, self.place);
        let behind = winner.score - (score + gumbel(chance.bits(token)));
        // One that was left out may have drawn the higher number. It is as far as it was from not being left out.
        let least = self.candidates.iter().map(|it| it.score).fold(f64::INFINITY, f64::min);
        Some((behind.max(0.0) + (least - score).max(0.0)).min(furthest))
    }

    /// The token that wins, with what it wins by.
    fn winner(&mut self, scores: Scores<'_>) -> Option<Candidate> {
        let best = self.likeliest(scores)?;
        if self.sampling.temperature == 0.0 {
            return Some(best);
        }
        self.consider(scores, best);
        let chance = Chance::at(self.sampling.seed, self.place);
        let mut winner: Option<Candidate> = None;
        for candidate in &self.candidates {
            let bits = chance.bits(candidate.token);
            if winner.is_some_and(|winner| candidate.score + gumbel_max(bits) < winner.score) {
                continue;
            }
            let score = candidate.score + gumbel(bits);
            if winner.is_none_or(|winner| score > winner.score) {
                winner = Some(Candidate { token: candidate.token, score });
            }
        }
        winner
    }

    /// The token with the highest score, penalties taken off; the first of several.
    fn likeliest(&self, scores: Scores<'_>) -> Option<Candidate> {
        if self.generated.is_empty() {
            let token = scores.highest()?;
            return Some(Candidate { token, score: f64::from(scores.0[token as usize]) });
        }
        let mut best: Option<Candidate> = None;
        for (token, score) in scores.0.iter().enumerate().filter(|(_, score)| score.is_finite()) {
            let candidate =
                Candidate { token: token as Token, score: self.penalized(token as Token, *score) };
            if best.is_none_or(|best| candidate.score > best.score) {
                best = Some(candidate);
            }
        }
        best
    }

    fn penalized(&self, token: Token, score: f32) -> f64 {
        let score = f64::from(score);
        match self.generated.get(&token) {
            Some(times) => {
                score
                    - f64::from(self.sampling.presence_penalty)
                    - f64::from(self.sampling.frequency_penalty) * f64::from(*times)
            }
            None => score,
        }
    }

    /// Fills `candidates`.
    fn consider(&mut self, scores: Scores<'_>, best: Candidate) {
        let temperature = f64::from(self.sampling.temperature);
        let highest = best.score / temperature;
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        if self.generated.is_empty() {
            let least = (best.score - WORTH * temperature) as f32;
            let worth =
                scores.0.iter().enumerate().filter(|(_, score)| **score >= least && score.is_finite());
            candidates.extend(worth.map(|(token, score)| Candidate {
                token: token as Token,
                score: f64::from(*score) / temperature,
            }));
        } else {
            let all = scores.0.iter().enumerate().filter(|(_, score)| score.is_finite());
            candidates.extend(all.filter_map(|(token, score)| {
                let score = self.penalized(token as Token, *score) / temperature;
                (score >= highest - WORTH).then_some(Candidate { token: token as Token, score })
            }));
        }
        if self.sampling.top_p < 1.0 {
            keep_likeliest(&mut candidates, highest, f64::from(self.sampling.top_p));
        }
        self.candidates = candidates;
    }
}

/// Keeps the fewest of the likeliest that have the share `top_p` of all.
fn keep_likeliest(candidates: &mut Vec<Candidate>, highest: f64, top_p: f64) {
    // Ties in the order of tokens, so that everybody cuts at the same one.
    candidates.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.token.cmp(&b.token)));
    let share = |candidate: &Candidate| (candidate.score - highest).exp();
    let wanted = top_p * candidates.iter().map(share).sum::<f64>();
    let mut had = 0.0;
    let kept = candidates.iter().take_while(|candidate| {
        let short = had < wanted;
        had += share(candidate);
        short
    });
    let kept = kept.count().max(1);
    candidates.truncate(kept);
}

impl Scores<'_> {
    /// The token with the highest score; the first of several.
    fn highest(self) -> Option<Token> {
        /// As many are compared side by side: a loop over single ones is not made vectors of.
        const LANES: usize = 16;
        let mut lanes = [f32::NEG_INFINITY; LANES];
        let chunks = self.0.chunks_exact(LANES);
        let rest = chunks.remainder();
        for chunk in chunks {
            for (lane, score) in lanes.iter_mut().zip(chunk) {
                // False for what is no number.
                if *score > *lane {
                    *lane = *score;
                }
            }
        }
        let mut highest = lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max);
        if highest == f32::INFINITY {
            // Nothing could be compared with it.
            highest =
                self.0.iter().copied().filter(|score| score.is_finite()).fold(f32::NEG_INFINITY, f32::max);
        }
        let token = self.0.iter().position(|score| *score == highest && score.is_finite())?;
        Some(token as Token)
    }

    fn log_probability(self, token: Token) -> f32 {
        let finite = || self.0.iter().filter(|score| score.is_finite()).map(|score| f64::from(*score));
        let highest = finite().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = finite().map(|score| (score - highest).exp()).sum();
        let score = self.0.get(token as usize).map_or(f64::NEG_INFINITY, |score| f64::from(*score));
        (score - highest - sum.ln()) as f32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FAIR: Sampling = Sampling { temperature: 1.0, seed: 7, ..Sampling::GREEDY };

    fn chosen(sampling: Sampling, scores: &[f32]) -> Option<Token> {
        Sampler::new(sampling, 5).choose(Scores(scores), false).map(|choice| choice.token)
    }

    /// How often each token is chosen, of so many places.
    fn counts(sampling: Sampling, scores: &[f32], places: u32) -> Vec<u32> {
        let mut counts = vec![0; scores.len()];
        let mut sampler = Sampler::new(sampling, 0);
        for _ in 0..places {
            let token = sampler.choose(Scores(scores), false).expect("there are numbers").token;
            counts[token as usize] += 1;
            sampler.place += 1;
        }
        counts
    }

    #[test]
    fn without_temperature_the_highest_wins_and_the_first_of_equals() {
        let mut scores = vec![0.0; 40];
        scores[17] = 2.0;
        scores[33] = 2.0;
        assert_eq!(chosen(Sampling::GREEDY, &scores), Some(17));
        scores[39] = 2.5;
        assert_eq!(chosen(Sampling::GREEDY, &scores), Some(39));
    }

    #[test]
    fn what_is_no_number_is_not_chosen() {
        let scores = [f32::NAN, 1.0, f32::NEG_INFINITY, f32::INFINITY];
        for sampling in [Sampling::GREEDY, FAIR] {
            // An infinity is no score either: nothing could be compared with it.
            assert_eq!(chosen(sampling, &scores[..3]), Some(1));
        }
        assert_eq!(chosen(FAIR, &[f32::NAN; 20]), None);
        assert_eq!(chosen(Sampling::GREEDY, &[]), None);
    }

    #[test]
    fn tokens_come_as_often_as_their_shares() {
        // Shares of 1/7, 2/7 and 4/7.
        let scores = [0.0, 2_f32.ln(), 4_f32.ln()];
        let counts = counts(FAIR, &scores, 70_000);
        for (count, wanted) in counts.iter().zip([10_000.0, 20_000.0, 40_000.0]) {
            // Five standard deviations.
            assert!((f64::from(*count) - wanted).abs() < 5.0 * f64::sqrt(wanted), "{counts:?}");
        }
    }

    #[test]
    fn a_temperature_flattens_shares() {
        // Twice the temperature: shares as their square roots.
        let scores = [0.0, 4_f32.ln()];
        let counts = counts(Sampling { temperature: 2.0, ..FAIR }, &scores, 30_000);
        assert!((f64::from(counts[1]) - 20_000.0).abs() < 5.0 * 20_000_f64.sqrt(), "{counts:?}");
    }

    #[test]
    fn only_the_likeliest_are_chosen_among() {
        let scores = [1_f32.ln(), 5_f32.ln(), 4_f32.ln()];
        let among = |top_p| {
            let counts = counts(Sampling { top_p, ..FAIR }, &scores, 2_000);
            (0..3).filter(|token| counts[*token] > 0).collect::<Vec<_>>()
        };
        assert_eq!(among(1.0), [0, 1, 2]);
        assert_eq!(among(0.91), [0, 1, 2]);
        assert_eq!(among(0.8), [1, 2]);
        assert_eq!(among(0.5), [1]);
        assert_eq!(among(f32::MIN_POSITIVE), [1]);
    }

    #[test]
    fn penalties_are_for_what_was_generated() {
        let scores = [1.0, 1.5];
        let presence = Sampling { presence_penalty: 1.0, ..Sampling::GREEDY };
        let mut sampler = Sampler::new(presence, 3);
        let next = |sampler: &mut Sampler| {
            let token = sampler.choose(Scores(&scores), false).expect("there are numbers").token;
            sampler.accept(token);
            token
        };
        assert_eq!([(); 4].map(|()| next(&mut sampler)), [1, 0, 1, 1], "each once is enough");
        let frequency = Sampling { frequency_penalty: 1.0, ..Sampling::GREEDY };
        let mut sampler = Sampler::new(frequency, 3);
        assert_eq!([(); 4].map(|()| next(&mut sampler)), [1, 0, 1, 0]);
    }

    #[test]
    fn the_same_place_and_seed_give_the_same_token() {
        let scores: Vec<f32> = (0..200).map(|token| (token % 13) as f32 / 4.0).collect();
        let mut whole = Sampler::new(FAIR, 9);
        let mut tokens = Vec::new();
        for _ in 0..20 {
            let token = whole.choose(Scores(&scores), false).expect("there are numbers").token;
            whole.accept(token);
            tokens.push(token);
        }
        // Somebody else goes on after twelve.
        let mut other = Sampler::new(FAIR, 9);
        tokens[..12].iter().for_each(|token| other.accept(*token));
        for token in &tokens[12..] {
            assert_eq!(other.choose(Scores(&scores), false).map(|choice| choice.token), Some(*token));
            other.accept(*token);
        }
        assert!(tokens.iter().any(|token| *token != tokens[0]));
    }

    #[test]
    fn log_probabilities_are_of_the_plain_softmax() {
        let scores = [0.0, 3_f32.ln()];
        let choice = Sampler::new(Sampling { temperature: 0.5, ..FAIR }, 0).choose(Scores(&scores), true);
        let Some(Choice { token, log_probability: Some(log_probability) }) = choice else {
            panic!("{choice:?}")
        };
        let wanted = [0.25_f32, 0.75][token as usize].ln();
        assert!((log_probability - wanted).abs() < 1e-6);
    }

    /// As the rule is written, without its savings.
    fn plainly(sampling: Sampling, place: u64, scores: &[f32]) -> Token {
        let scaled = |score: f32| f64::from(score) / f64::from(sampling.temperature);
        let highest = scores.iter().map(|score| scaled(*score)).fold(f64::NEG_INFINITY, f64::max);
        let chance = Chance::at(sampling.seed, place);
        let drawn = |token: usize| scaled(scores[token]) + gumbel(chance.bits(token as Token));
        let worth = (0..scores.len()).filter(|token| scaled(scores[*token]) >= highest - WORTH);
        worth.max_by(|a, b| drawn(*a).total_cmp(&drawn(*b))).expect("there are scores") as Token
    }

    proptest! {
        #[test]
        fn savings_change_nothing(
            scores in prop::collection::vec(-20_f32..20.0, 1..300),
            temperature in 0.1_f32..2.0,
            seed: u64,
            place in 0_u64..1_000,
        ) {
            let sampling = Sampling { temperature, seed, ..Sampling::GREEDY };
            let choice = Sampler::new(sampling, place).choose(Scores(&scores), false);
            prop_assert_eq!(choice.map(|choice| choice.token), Some(plainly(sampling, place, &scores)));
        }

        #[test]
        fn what_is_chosen_has_no_gap_and_all_else_has_one(
            scores in prop::collection::vec(-20_f32..20.0, 2..60),
            temperature in prop::sample::select(vec![0.0_f32, 0.3, 1.0, 1.7]),
            top_p in prop::sample::select(vec![0.3_f32, 0.9, 1.0]),
            seed: u64,
            other: prop::sample::Index,
        ) {
            let sampling = Sampling { temperature, top_p, seed, ..Sampling::GREEDY };
            let mut sampler = Sampler::new(sampling, 4);
            let token = sampler.choose(Scores(&scores), false).expect("there are numbers").token;
            prop_assert_eq!(sampler.gap(Scores(&scores), token), Some(0.0));
            let other = other.index(scores.len()) as Token;
            let gap = sampler.gap(Scores(&scores), other).expect("there are numbers");
            prop_assert!((0.0..=2.0 * WORTH).contains(&gap));
            prop_assert!(other == token || gap > 0.0 || scores[other as usize] == scores[token as usize]);
        }

        #[test]
        fn nothing_breaks_on_any_scores(bits in prop::collection::vec(any::<u32>(), 0..50), temperature in 0.0_f32..2.0, token: u32) {
            let scores: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            let mut sampler = Sampler::new(Sampling { temperature, top_p: 0.9, ..FAIR }, 0);
            let choice = sampler.choose(Scores(&scores), true);
            prop_assert_eq!(choice.is_none(), scores.iter().all(|score| !score.is_finite()));
            sampler.gap(Scores(&scores), token);
        }
    }
}
