//! Questions to a language model, where the practice network has one: a few at a time, so that pictures are computed in
//! between.

use std::time::Duration;

use axum::http::Method;
use lull_types::Fault;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::Practice;
use crate::inference::{Inference, NewModel};

/// The variable that names the model's file.
pub const MODEL_ENV: &str = "LULL_PRACTICE_MODEL";
/// What the model is called in a practice network.
const NAME: &str = "practice-model";
/// A tenth of what clouds ask for small models would be worth less than one base unit for an answer: as all of practice, a
/// hundred times that.
const PRICES: (u64, u64) = (200, 1_000);
/// Tokens of a text: more than these questions and their answers have.
const CONTEXT_TOKENS: u32 = 1_024;
/// Tokens of an answer: some seconds on a processor.
const ANSWER_TOKENS: u32 = 48;
/// From one round of questions to the next. A shift in which nobody asks ends after two minutes.
const ROUND_EVERY: Duration = Duration::from_secs(420);

const QUESTIONS: &[&str] = &[
    "The history of the steam engine begins",
    "In the kitchen, the first thing that she noticed was",
    "Water boils at a lower temperature on a mountain because",
    "Once upon a time, in a village at the edge of the forest,",
    "To reset your password, open the settings and",
    "A list of things to pack for a week by the sea:",
];

impl Practice {
    /// Asks until it is cancelled, where there is a model.
    pub async fn ask(self: std::sync::Arc<Self>, inference: Inference, cancel: CancellationToken) {
        let Some(file) = std::env::var_os(MODEL_ENV) else { return };
        let model = NewModel {
            file: file.into(),
            name: Some(NAME.to_owned()),
            licence: "for practice".to_owned(),
            context_tokens: Some(CONTEXT_TOKENS),
            sequences: Some(4),
            price_per_1000_prompt_tokens: lull_types::BaseUnits(PRICES.0),
            price_per_1000_generated_tokens: lull_types::BaseUnits(PRICES.1),
            chat_template: None,
        };
        if let Err(fault) = inference.add_model(model).await {
            tracing::warn!(code = fault.code, sentence = fault.sentence, "the practice model is not served");
            return;
        }
        let rounds = async {
            let mut timer = tokio::time::interval(ROUND_EVERY);
            timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                timer.tick().await;
                if let Err(fault) = self.ask_round().await {
                    // Nobody serves models, most likely. It is tried again with the next round.
                    tracing::debug!(
                        code = fault.code,
                        sentence = fault.sentence,
                        "a practice question was not answered"
                    );
                }
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = rounds => {}
        }
    }

    async fn ask_round(&self) -> Result<(), Fault> {
        self.pay_in(&self.questions, crate::service::now().0).await?;
        for question in QUESTIONS {
            let ask = json!({
                "model": NAME, "prompt": question, "max_tokens": ANSWER_TOKENS, "temperature": 0.8,
            });
            let body = ask.to_string().into_bytes();
            self.request(&self.questions, Method::POST, "/v1/completions", "application/json", body).await?;
        }
        Ok(())
    }
}
