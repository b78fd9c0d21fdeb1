//! Whether what workers generated is what their model would have: by one pass over the text on the network's own runtime.

use std::sync::Arc;

use lull_infer::{is_honest, is_same_embedding, mean_gap};
use lull_runtime_api::{Answer, Ask};
use lull_types::Fault;
use lull_types::infer::Token;

use super::Inference;
use super::models::ServedModel;
use crate::engine::Input;

impl Inference {
    /// Checks a text, and tells the engine what was found.
    pub(super) fn check_text(&self, model: Arc<ServedModel>, serving: i64, ask: Ask) {
        let inference = self.clone();
        tokio::spawn(async move {
            let found = match model.checker.ask(ask).await {
                Ok(Answer::Gaps(gaps)) => {
                    let mean = mean_gap(&gaps);
                    tracing::debug!(serving, mean, tokens = gaps.len(), "a text was checked");
                    Some(is_honest(&gaps))
                }
                Ok(_) => None,
                Err(fault) => unchecked(serving, &fault),
            };
            inference.tell_checked(serving, found).await;
        });
    }

    /// Checks an embedding.
    pub(super) fn check_embedding(
        &self,
        model: Arc<ServedModel>,
        serving: i64,
        tokens: Vec<Token>,
        told: Vec<f32>,
    ) {
        let inference = self.clone();
        tokio::spawn(async move {
            let found = match model.checker.ask(Ask::Embed { tokens }).await {
                Ok(Answer::Embedding(own)) => Some(is_same_embedding(&own, &told)),
                Ok(_) => None,
                Err(fault) => unchecked(serving, &fault),
            };
            inference.tell_checked(serving, found).await;
        });
    }

    async fn tell_checked(&self, serving: i64, is_right: Option<bool>) {
        // The writer is gone only when the service stops; the next start forgets what was being checked.
        let _ = self.0.setup.inbox.tell(Input::ServingChecked { serving, is_right }).await;
    }
}

fn unchecked(serving: i64, fault: &Fault) -> Option<bool> {
    tracing::warn!(serving, code = fault.code, sentence = fault.sentence, "a serving could not be checked");
    None
}
