//! A model that is none: the next token follows from a hash of those before it.

use std::collections::BTreeMap;

use lull_runtime_api::{Answer, Ask, Served};
use lull_types::Fault;
use lull_types::infer::{Finish, Token};

/// Tokens that it knows.
pub const VOCABULARY_TOKENS: u32 = 1000;
/// The token with which it ends a text.
pub const END: Token = 0;

/// What it says of itself.
pub(super) fn served() -> Served {
    Served {
        vocabulary_tokens: VOCABULARY_TOKENS,
        pieces: Vec::new(),
        ends: vec![END],
        chats: false,
        context_tokens_trained: 4096,
        embedding_numbers: 4,
        device_layers: 1,
        device_bytes: 0,
    }
}

/// The token after these.
pub fn next_token(tokens: &[Token]) -> Token {
    let mut hasher = blake3::Hasher::new();
    for token in tokens {
        hasher.update(&token.to_le_bytes());
    }
    let bytes = *hasher.finalize().as_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) % VOCABULARY_TOKENS
}

/// A text that is written.
struct Text {
    tokens: Vec<Token>,
    generated: u32,
    tokens_max: u32,
}

/// The texts that are written, side by side.
#[derive(Default)]
pub(super) struct Texts {
    /// Whether the model is loaded.
    pub is_ready: bool,
    /// What was asked before that.
    pub waiting: Vec<(u64, Ask)>,
    open: BTreeMap<u64, Text>,
}

impl Texts {
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Takes an ask; gives its answer where it has one at once.
    pub fn ask(&mut self, number: u64, ask: Ask) -> Option<Answer> {
        match ask {
            Ask::Generate(generate) if generate.tokens.is_empty() => {
                Some(Answer::Failed(Fault::new("ask_unusable", "it has no tokens")))
            }
            Ask::Generate(generate) => {
                let read = generate.tokens.len() as u32;
                let text = Text {
                    tokens: generate.tokens,
                    generated: generate.generated,
                    tokens_max: generate.tokens_max,
                };
                self.open.insert(number, text);
                Some(Answer::Reading { tokens: read })
            }
            Ask::Embed { tokens } => Some(Answer::Embedding(vec![next_token(&tokens) as f32, 0.0, 0.0, 1.0])),
            Ask::Check { .. } | Ask::Tokenize { .. } | Ask::Chat { .. } => Some(Answer::Failed(Fault::new(
                "ask_unusable",
                "the fake writes texts and does nothing else",
            ))),
        }
    }

    pub fn drop_ask(&mut self, number: u64) -> Option<Answer> {
        let waited = self.waiting.len();
        self.waiting.retain(|(waiting, _)| *waiting != number);
        let is_dropped = self.open.remove(&number).is_some() || self.waiting.len() < waited;
        is_dropped.then_some(Answer::Dropped)
    }

    /// Ends all of them.
    pub fn drop_all(&mut self) -> Vec<u64> {
        let open = std::mem::take(&mut self.open).into_keys();
        open.chain(std::mem::take(&mut self.waiting).into_iter().map(|(number, _)| number)).collect()
    }

    /// Each text goes on by one token.
    pub fn step(&mut self) -> Vec<(u64, Answer)> {
        let mut answers = Vec::new();
        let mut over = Vec::new();
        for (number, text) in &mut self.open {
            let mut finish = (text.generated >= text.tokens_max).then_some(Finish::Length);
            if finish.is_none() {
                let token = next_token(&text.tokens);
                text.tokens.push(token);
                text.generated += 1;
                answers.push((*number, Answer::Token { token, log_probability: None }));
                finish = (token == END).then_some(Finish::EndOfText);
            }
            if let Some(finish) = finish {
                answers.push((*number, Answer::Finished { finish, kept_tokens: 0 }));
                over.push(*number);
            }
        }
        over.iter().for_each(|number| drop(self.open.remove(number)));
        answers
    }
}
