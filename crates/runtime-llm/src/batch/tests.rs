use std::collections::HashMap;

use lull_infer::{Sampler, Scores};
use lull_types::infer::{Finish, Generate, Sampling};
use proptest::prelude::*;

use super::*;
use crate::model::{ModelError, Vocabulary};

const VOCABULARY: u32 = 60;
/// Ends a text.
const END: Token = 59;
const CONTEXT: u32 = 64;

/// A model whose scores follow from all tokens before, as a real one's do, and that checks what it is told to compute.
#[derive(Default)]
struct Fake {
    held: HashMap<u32, Vec<Token>>,
    scores: Vec<Vec<f32>>,
    /// Tokens that were computed.
    computed: usize,
    /// The most sequences that were computed side by side.
    side_by_side: usize,
    /// It forgets nothing in part.
    keeps_all_or_nothing: bool,
    fails: bool,
    gives_no_numbers: bool,
}

impl Fake {
    fn scores_after(&self, tokens: &[Token]) -> Vec<f32> {
        if self.gives_no_numbers {
            return vec![f32::NAN; VOCABULARY as usize];
        }
        let mut state =
            tokens.iter().fold(0x811c_9dc5_u32, |state, token| (state ^ token).wrapping_mul(0x0100_0193));
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 4e6
        };
        let mut scores: Vec<f32> = (0..VOCABULARY).map(next).collect();
        // Ends come, and not at once.
        scores[END as usize] -= 0.3;
        scores
    }
}

impl Vocabulary for Fake {
    fn tokens(&self) -> u32 {
        VOCABULARY
    }

    fn piece(&self, token: Token) -> Vec<u8> {
        if token == END { Vec::new() } else { vec![b'A' + token as u8] }
    }

    fn is_end(&self, token: Token) -> bool {
        token == END
    }

    fn tokenize(&self, _text: &str, _control: bool, _whole: bool) -> Vec<Token> {
        Vec::new()
    }
}

impl Model for Fake {
    fn compute(&mut self, entries: &[Entry]) -> Result<(), ModelError> {
        assert!(entries.len() <= ENTRIES_MAX);
        if self.fails {
            return Err(ModelError::Failed("the device is on fire".to_owned()));
        }
        self.scores.clear();
        let mut sequences: Vec<_> = entries.iter().map(|entry| entry.sequence).collect();
        sequences.dedup();
        self.side_by_side = self.side_by_side.max(sequences.len());
        for entry in entries {
            let held = self.held.entry(entry.sequence).or_default();
            assert_eq!(held.len(), entry.place as usize, "tokens of a sequence come in order");
            assert!(held.len() < CONTEXT as usize);
            held.push(entry.token);
            self.computed += 1;
            let held = held.clone();
            self.scores.push(if entry.scores { self.scores_after(&held) } else { Vec::new() });
        }
        Ok(())
    }

    fn scores(&self, entry: usize) -> &[f32] {
        assert!(!self.scores[entry].is_empty(), "these were not wanted");
        &self.scores[entry]
    }

    fn keep(&mut self, sequence: u32, tokens: u32) -> bool {
        let held = self.held.entry(sequence).or_default();
        if self.keeps_all_or_nothing && (tokens as usize) < held.len() {
            held.clear();
            return tokens == 0;
        }
        held.truncate(tokens as usize);
        true
    }

    fn embed(&mut self, tokens: &[Token]) -> Result<Vec<f32>, ModelError> {
        Ok(vec![tokens.len() as f32])
    }
}

fn generate(tokens: &[Token], tokens_max: u32) -> Generate {
    Generate {
        tokens: tokens.to_vec(),
        generated: 0,
        sampling: Sampling { temperature: 1.0, seed: 3, ..Sampling::GREEDY },
        tokens_max,
        stops: Vec::new(),
        log_probabilities: false,
    }
}

/// What the text becomes when it is alone, by the rule.
fn alone(ask: &Generate) -> Vec<Token> {
    let fake = Fake::default();
    let mut tokens = ask.tokens.clone();
    let prompt = tokens.len() - ask.generated as usize;
    let mut sampler = Sampler::new(ask.sampling, prompt as u64);
    tokens[prompt..].iter().for_each(|token| sampler.accept(*token));
    while tokens.len() < (prompt + ask.tokens_max as usize).min(CONTEXT as usize)
        && tokens.last() != Some(&END)
    {
        let choice = sampler.choose(Scores(&fake.scores_after(&tokens)), false).expect("it gives numbers");
        sampler.accept(choice.token);
        tokens.push(choice.token);
    }
    tokens.split_off(ask.tokens.len())
}

/// All answers of one ask.
#[derive(Default, Debug)]
struct Heard(HashMap<u64, Vec<Answer>>);

impl Heard {
    fn tokens(&self, number: u64) -> Vec<Token> {
        let token = |answer: &Answer| match answer {
            Answer::Token { token, .. } => Some(*token),
            _ => None,
        };
        self.0[&number].iter().filter_map(token).collect()
    }

    fn last(&self, number: u64) -> &Answer {
        let answers = &self.0[&number];
        let lasts = answers.iter().filter(|answer| answer.is_last()).count();
        assert_eq!(lasts, 1, "{answers:?}");
        answers.last().expect("there is one")
    }

    fn finish(&self, number: u64) -> Finish {
        match self.last(number) {
            Answer::Finished { finish, .. } => *finish,
            other => panic!("{other:?}"),
        }
    }

    fn kept(&self, number: u64) -> u32 {
        match self.last(number) {
            Answer::Finished { kept_tokens, .. } => *kept_tokens,
            other => panic!("{other:?}"),
        }
    }
}

/// A batch, its model, and what was heard.
struct Rig {
    batch: Batch,
    model: Fake,
    heard: Heard,
}

impl Rig {
    fn new(sequences: u32) -> Self {
        Self { batch: Batch::new(sequences, CONTEXT), model: Fake::default(), heard: Heard::default() }
    }

    fn ask(&mut self, number: u64, ask: Ask) {
        let heard = &mut self.heard.0;
        let mut tell = |number: u64, answer| heard.entry(number).or_default().push(answer);
        self.batch.ask(number, ask, &mut self.model, &mut tell);
    }

    fn generate(&mut self, number: u64, ask: &Generate) {
        self.ask(number, Ask::Generate(ask.clone()));
    }

    fn step(&mut self) -> Result<(), Fault> {
        let heard = &mut self.heard.0;
        let mut tell = |number: u64, answer| heard.entry(number).or_default().push(answer);
        self.batch.step(&mut self.model, &mut tell).map(|_| ())
    }

    fn drop_ask(&mut self, number: u64) {
        let heard = &mut self.heard.0;
        self.batch.drop_ask(number, &mut |number, answer| heard.entry(number).or_default().push(answer));
    }

    fn run(&mut self) {
        let mut steps = 0;
        while !self.batch.is_idle() {
            self.step().expect("the model is well");
            steps += 1;
            assert!(steps < 10_000, "it does not end");
        }
    }
}

#[test]
fn a_text_is_what_the_rule_gives() {
    let mut rig = Rig::new(1);
    let ask = generate(&[1, 2, 3], 20);
    rig.generate(7, &ask);
    rig.run();
    let wanted = alone(&ask);
    assert_eq!(rig.heard.tokens(7), wanted);
    let finish = if wanted.last() == Some(&END) { Finish::EndOfText } else { Finish::Length };
    assert_eq!(rig.heard.finish(7), finish);
}

#[test]
fn texts_go_on_side_by_side_and_do_not_mix() {
    let mut rig = Rig::new(4);
    let asks: Vec<_> = (0..10).map(|nth| generate(&[nth, 5, nth + 1], 30)).collect();
    for (number, ask) in asks.iter().enumerate() {
        rig.generate(number as u64, ask);
    }
    rig.run();
    assert_eq!(rig.model.side_by_side, 4);
    for (number, ask) in asks.iter().enumerate() {
        assert_eq!(rig.heard.tokens(number as u64), alone(ask), "{number}");
    }
}

#[test]
fn a_text_that_comes_later_joins_those_that_go_on() {
    let mut rig = Rig::new(2);
    // Long enough: no text of this seed ends before.
    let first = generate(&[1], 12);
    rig.generate(1, &first);
    rig.step().expect("the model is well");
    let told = rig.heard.tokens(1).len();
    rig.generate(2, &generate(&[2], 2));
    rig.step().expect("the model is well");
    assert_eq!(rig.heard.tokens(1).len(), told + 1, "the first is not held up");
    assert_eq!(rig.heard.tokens(2).len(), 1);
}

#[test]
fn a_prompt_that_is_held_is_not_computed_again() {
    let mut rig = Rig::new(2);
    let prompt: Vec<Token> = (0..20).collect();
    rig.generate(1, &generate(&prompt, 1));
    rig.generate(2, &generate(&[40, 41], 1));
    rig.run();
    let computed = rig.model.computed;
    let mut longer = prompt.clone();
    longer.extend([30, 31]);
    rig.generate(3, &generate(&longer, 1));
    rig.run();
    assert_eq!(rig.heard.kept(3), 20);
    assert_eq!(rig.model.computed, computed + 2);
    // The same again: its last token is computed for its scores.
    rig.generate(4, &generate(&longer, 1));
    rig.run();
    assert_eq!((rig.heard.kept(4), rig.model.computed), (21, computed + 3));
    assert_eq!(rig.heard.tokens(4), rig.heard.tokens(3));
}

#[test]
fn a_model_that_cannot_forget_in_part_begins_anew() {
    let mut rig = Rig::new(1);
    rig.model.keeps_all_or_nothing = true;
    rig.generate(1, &generate(&[1, 2, 3, 4], 3));
    rig.run();
    let ask = generate(&[1, 2, 3, 9], 3);
    rig.generate(2, &ask);
    rig.run();
    assert_eq!((rig.heard.kept(2), rig.heard.tokens(2)), (0, alone(&ask)));
}

#[test]
fn somebody_else_goes_on_as_the_first_would_have() {
    let whole = generate(&[1, 2, 3], 25);
    let wanted = alone(&whole);
    for after in 1..wanted.len() {
        let mut rig = Rig::new(1);
        let mut rest = whole.clone();
        rest.tokens.extend(&wanted[..after]);
        rest.generated = after as u32;
        rig.generate(1, &rest);
        rig.run();
        assert_eq!(rig.heard.tokens(1), wanted[after..]);
    }
}

#[test]
fn what_had_ended_elsewhere_ends_at_once() {
    let ended = |tokens: &[Token], generated, tokens_max, stops: &[&str]| {
        let mut rig = Rig::new(1);
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        rig.generate(1, &Generate { generated, stops, ..generate(tokens, tokens_max) });
        rig.run();
        assert_eq!((rig.model.computed, rig.heard.tokens(1)), (0, Vec::new()));
        rig.heard.finish(1)
    };
    assert_eq!(ended(&[1, 4, END], 2, 9, &[]), Finish::EndOfText);
    assert_eq!(ended(&[1, 4, 5], 2, 2, &[]), Finish::Length);
    assert_eq!(ended(&[1, 4, 5], 2, 9, &["EF"]), Finish::StopString);
    assert_eq!(ended(&[1, 4], 0, 0, &[]), Finish::Length);
}

#[test]
fn a_text_stops_at_a_string() {
    let whole = generate(&[1, 2, 3], 25);
    let wanted = alone(&whole);
    let at = (0..wanted.len() - 1)
        .find(|at| wanted[at + 1] != END && !wanted[..*at].contains(&wanted[*at]))
        .expect("there is one");
    let stop: String = wanted[at..at + 2].iter().map(|token| char::from(b'A' + *token as u8)).collect();
    let mut rig = Rig::new(1);
    rig.generate(1, &Generate { stops: vec![stop], ..whole });
    rig.run();
    assert_eq!(rig.heard.tokens(1), wanted[..at + 2]);
    assert_eq!(rig.heard.finish(1), Finish::StopString);
}

#[test]
fn a_text_ends_with_the_context() {
    let mut rig = Rig::new(1);
    let ask = Generate { sampling: Sampling::GREEDY, ..generate(&[1; 60], 1_000) };
    rig.generate(1, &ask);
    rig.run();
    let tokens = rig.heard.tokens(1);
    assert_eq!(tokens, alone(&ask));
    assert!(tokens.len() == 4 || tokens.last() == Some(&END), "{tokens:?}");
}

#[test]
fn a_check_finds_no_gap_in_what_was_generated_and_one_in_what_was_not() {
    let ask = generate(&[1, 2, 3], 40);
    let mut tokens = ask.tokens.clone();
    tokens.extend(alone(&ask));
    let gaps = |tokens: &[Token], sampling| {
        let mut rig = Rig::new(2);
        // Another text goes on meanwhile.
        rig.generate(9, &generate(&[7, 7], 50));
        rig.ask(1, Ask::Check { tokens: tokens.to_vec(), given_tokens: 3, generated: 0, sampling });
        rig.run();
        match rig.heard.last(1) {
            Answer::Gaps(gaps) => gaps.clone(),
            other => panic!("{other:?}"),
        }
    };
    let honest = gaps(&tokens, ask.sampling);
    assert_eq!(honest, vec![0.0; tokens.len() - 3]);
    let other_seed = gaps(&tokens, Sampling { seed: 4, ..ask.sampling });
    assert!(other_seed.iter().filter(|gap| **gap > 0.0).count() * 2 > other_seed.len(), "{other_seed:?}");
    let at = tokens.len() - 2;
    tokens[at] = (tokens[at] + 1) % END;
    assert!(gaps(&tokens, ask.sampling)[at - 3] > 0.0);
    assert_eq!(gaps(&tokens[..3], ask.sampling), []);
}

#[test]
fn embeddings_are_answered_beside_texts() {
    let mut rig = Rig::new(1);
    rig.generate(1, &generate(&[1], 5));
    rig.ask(2, Ask::Embed { tokens: vec![1, 2, 3] });
    rig.run();
    assert_eq!(*rig.heard.last(2), Answer::Embedding(vec![3.0]));
}

#[test]
fn what_makes_no_sense_is_refused_with_a_code() {
    let refused = |ask: Ask| {
        let mut rig = Rig::new(1);
        rig.ask(1, ask);
        assert!(rig.batch.is_idle());
        match rig.heard.last(1) {
            Answer::Failed(fault) => fault.code.clone(),
            other => panic!("{other:?}"),
        }
    };
    let changed = |change: fn(&mut Generate)| {
        let mut ask = generate(&[1, 2], 3);
        change(&mut ask);
        refused(Ask::Generate(ask))
    };
    assert_eq!(changed(|ask| ask.tokens.clear()), "ask_unusable");
    assert_eq!(changed(|ask| ask.tokens.push(VOCABULARY)), "ask_unusable");
    assert_eq!(changed(|ask| ask.tokens.push(u32::MAX)), "ask_unusable");
    assert_eq!(changed(|ask| ask.generated = 2), "ask_unusable");
    assert_eq!(changed(|ask| ask.generated = u32::MAX), "ask_unusable");
    assert_eq!(changed(|ask| ask.sampling.temperature = f32::NAN), "ask_unusable");
    assert_eq!(changed(|ask| ask.stops = vec!["x".to_owned(); 5]), "ask_unusable");
    assert_eq!(changed(|ask| ask.tokens = vec![1; CONTEXT as usize + 1]), "context_too_long");
    let check = |given_tokens| Ask::Check {
        tokens: vec![1, 2],
        given_tokens,
        generated: 0,
        sampling: Sampling::GREEDY,
    };
    assert_eq!(refused(check(0)), "ask_unusable");
    assert_eq!(refused(check(3)), "ask_unusable");
    assert_eq!(refused(Ask::Embed { tokens: Vec::new() }), "ask_unusable");
    assert_eq!(refused(Ask::Tokenize { text: "x".to_owned() }), "ask_unusable");
}

#[test]
fn what_waits_has_a_bound() {
    let mut rig = Rig::new(1);
    for number in 0..=WAITING_MAX as u64 {
        rig.generate(number, &generate(&[1], 1));
    }
    match rig.heard.last(WAITING_MAX as u64) {
        Answer::Failed(fault) => assert_eq!(fault.code, "model_busy"),
        other => panic!("{other:?}"),
    }
    rig.run();
    assert_eq!(rig.heard.finish(0), Finish::Length);
}

#[test]
fn what_is_dropped_frees_its_sequence() {
    let mut rig = Rig::new(1);
    rig.generate(1, &generate(&[1], 50));
    rig.generate(2, &generate(&[2], 2));
    rig.generate(3, &generate(&[3], 2));
    rig.step().expect("the model is well");
    rig.drop_ask(1);
    rig.drop_ask(3);
    rig.drop_ask(4);
    assert_eq!((rig.heard.last(1), rig.heard.last(3)), (&Answer::Dropped, &Answer::Dropped));
    rig.run();
    assert_eq!(rig.heard.tokens(2), alone(&generate(&[2], 2)));
    assert!(!rig.heard.0.contains_key(&4), "there is no such ask");
}

#[test]
fn a_model_that_fails_fails_every_ask() {
    let mut rig = Rig::new(1);
    rig.generate(1, &generate(&[1], 5));
    rig.generate(2, &generate(&[2], 5));
    rig.model.fails = true;
    assert_eq!(rig.step().expect_err("it fails").code, "model_failed");
    assert!(matches!((rig.heard.last(1), rig.heard.last(2)), (Answer::Failed(_), Answer::Failed(_))));
    assert!(rig.batch.is_idle());
}

#[test]
fn a_model_without_numbers_fails_the_ask() {
    let mut rig = Rig::new(1);
    rig.model.gives_no_numbers = true;
    rig.generate(1, &generate(&[1], 5));
    rig.run();
    match rig.heard.last(1) {
        Answer::Failed(fault) => assert_eq!(fault.code, "model_broken"),
        other => panic!("{other:?}"),
    }
}

proptest! {
    /// However asks come, are dropped and share prompts: each text is what it is alone, and each ask has one end.
    #[test]
    fn every_text_is_what_it_is_alone(
        sequences in 1_u32..5,
        plan in prop::collection::vec((0_u8..4, prop::collection::vec(0_u32..4, 1..40), 0_u32..20, 0_usize..4), 1..25),
        all_or_nothing: bool,
    ) {
        let mut rig = Rig::new(sequences);
        rig.model.keeps_all_or_nothing = all_or_nothing;
        let mut asks = HashMap::new();
        let mut dropped = Vec::new();
        for (number, (kind, tokens, tokens_max, steps)) in plan.into_iter().enumerate() {
            let number = number as u64;
            let ask = generate(&tokens, tokens_max);
            if kind == 0 && number > 0 {
                rig.drop_ask(number - 1);
                dropped.push(number - 1);
            }
            rig.generate(number, &ask);
            asks.insert(number, ask);
            for _ in 0..steps {
                rig.step().expect("the model is well");
            }
        }
        rig.run();
        for (number, ask) in &asks {
            let got = rig.heard.tokens(*number);
            let wanted = alone(ask);
            if *rig.heard.last(*number) == Answer::Dropped {
                prop_assert!(dropped.contains(number));
                prop_assert!(wanted.starts_with(&got));
            } else {
                prop_assert_eq!(got, wanted);
            }
        }
    }
}
