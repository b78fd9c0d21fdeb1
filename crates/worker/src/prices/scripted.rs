//! A reader that reads what it was told to: for tests of whatever has prices read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use lull_types::PriceSource;

use super::{Mark, PriceReader, PricesError, Read};

/// Answers by a script, one after the other; the last one for ever. Clones share the script.
#[derive(Clone, Debug, Default)]
pub struct Scripted(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Result<String, PricesError>>,
    asked: Vec<PriceSource>,
}

impl Scripted {
    /// Answers with these.
    pub fn new(answers: impl IntoIterator<Item = Result<String, PricesError>>) -> Self {
        let script = Script { answers: answers.into_iter().collect(), asked: Vec::new() };
        Self(Arc::new(Mutex::new(script)))
    }

    /// Of which sources it was asked.
    pub fn asked(&self) -> Vec<PriceSource> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asked.clone()
    }
}

impl PriceReader for Scripted {
    fn read<'a>(
        &'a self,
        source: &'a PriceSource,
        known: Option<&'a Mark>,
    ) -> BoxFuture<'a, Result<Read, PricesError>> {
        let mut script = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.asked.push(source.clone());
        let answer = match script.answers.len() {
            0 => Err(PricesError::Unreachable),
            1 => script.answers[0].clone(),
            _ => script.answers.pop_front().unwrap_or(Err(PricesError::Unreachable)),
        };
        let read = answer.map(|text| {
            // The text is its own mark.
            let mark = Mark(text.clone());
            if known == Some(&mark) {
                return Read::Unchanged;
            }
            Read::Bytes { bytes: text.into_bytes(), mark: Some(mark) }
        });
        async move { read }.boxed()
    }
}
