//! All of it as the API wants it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use lull_network_api::ShiftAnswer;
use lull_openai::Backend;
use lull_openai::backend::{Allowance, Ask, Customer, Embeddings, ModelCard, Passage, Pieces, Prompt, Role};
use lull_runtime_api::{Answer as Told, Ask as Question, ChatMessage, Served as About};
use lull_types::infer::Token;
use lull_types::{BaseUnits, CustomerId, Fault};
use tokio::sync::{mpsc, oneshot};

use super::ask::{self, Wanted};
use super::models::{self, ServedModel, prefix};
use super::shift::{ShiftAsk, ShiftCommand};
use super::{Inference, lock};
use crate::engine::{Answer, Input, Served};
use crate::store::{api_key_hash, queries};

/// What a customer may ask unless an operator says otherwise: a person cannot, and a program that does more is told.
const REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(600).expect("it is not zero");
const TOKENS_PER_MINUTE: NonZeroU32 = NonZeroU32::new(1_000_000).expect("it is not zero");
/// How long somebody waits for one embedding.
const EMBED_PATIENCE: Duration = Duration::from_secs(60);
/// Embeddings of one request that are asked for side by side.
const EMBEDDED_AT_ONCE: usize = 8;

/// Inference for customers.
#[derive(Clone, Debug)]
pub struct CustomersBackend(pub Inference);

impl CustomersBackend {
    async fn model(&self, name: &str) -> Result<(Arc<ServedModel>, Arc<About>), Fault> {
        let model = self.0.model_named(name).ok_or_else(|| models::unknown(name))?;
        let about = model.vocabulary.about().await?;
        Ok((model, about))
    }
}

/// The tokens of a text; what a model does not know is refused.
async fn tokens(model: &ServedModel, about: &About, passage: &Passage) -> Result<Vec<Token>, Fault> {
    let tokens = match passage {
        Passage::Text(text) => read(model, Question::Tokenize { text: text.clone() }).await?,
        Passage::Tokens(tokens) => tokens.clone(),
    };
    if let Some(unknown) = tokens.iter().find(|token| **token >= about.vocabulary_tokens) {
        let sentence =
            format!("This model has {} tokens, and none with the number {unknown}.", about.vocabulary_tokens);
        return Err(Fault::new("token_unknown", sentence));
    }
    Ok(tokens)
}

async fn read(model: &ServedModel, question: Question) -> Result<Vec<Token>, Fault> {
    match model.vocabulary.ask(question).await {
        Ok(Told::Tokens(tokens)) => Ok(tokens),
        Ok(_) => Err(Fault::new("answer_failed", "The text could not be read. Ask again.")),
        Err(fault) if fault.code == "chat_no_template" => Err(Fault::new("chat_unsupported", fault.sentence)),
        // What the template does not take is for whoever wrote the messages to change.
        Err(fault) if fault.code == "chat_refused" => Err(Fault::new("request_malformed", fault.sentence)),
        Err(fault) => Err(fault),
    }
}

fn chat(messages: &[lull_openai::backend::ChatMessage]) -> Question {
    let message = |message: &lull_openai::backend::ChatMessage| ChatMessage {
        role: match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        }
        .to_owned(),
        content: message.text.clone(),
    };
    Question::Chat { messages: messages.iter().map(message).collect() }
}

impl Backend for CustomersBackend {
    async fn authenticate(&self, key: &str) -> Result<Customer, Fault> {
        let hash = api_key_hash(key);
        let found = self.0.0.setup.reader.read(move |db| queries::customer_by_key(db, &hash)).await?;
        let id = found.ok_or_else(|| {
            Fault::new("key_unknown", "No customer has this API key. Check that it was copied whole.")
        })?;
        let allowance =
            Allowance { requests_per_minute: REQUESTS_PER_MINUTE, tokens_per_minute: TOKENS_PER_MINUTE };
        Ok(Customer { id, allowance })
    }

    async fn models(&self) -> Result<Arc<[ModelCard]>, Fault> {
        let card = |model: &crate::engine::Model, about: &About| ModelCard {
            id: model.name.clone(),
            created_unix_s: 0,
            owned_by: self.0.0.setup.name.clone(),
            fingerprint: format!("fp_{}", &model.hash.to_string()[..12]),
            context_tokens: model.context_tokens,
            price_per_1000_prompt_tokens: model.price_per_1000_prompt_tokens,
            price_per_1000_completion_tokens: model.price_per_1000_generated_tokens,
            licence: model.licence.clone(),
            generates: true,
            embedding_dimensions: Some(about.embedding_numbers),
        };
        let served: Vec<_> = lock(&self.0.0.models).clone();
        let mut cards = Vec::new();
        for served in served {
            // One that cannot be held here cannot be asked.
            let Ok(about) = served.vocabulary.about().await else { continue };
            cards.push(card(&served.model, &about));
        }
        Ok(cards.into())
    }

    async fn generate(&self, customer: &Customer, ask: Ask) -> Result<Pieces, Fault> {
        let (model, about) = self.model(&ask.model).await?;
        let prompt = match &*ask.prompt {
            Prompt::Chat(messages) => read(&model, chat(messages)).await?,
            Prompt::Plain(passage) => tokens(&model, &about, passage).await?,
        };
        if prompt.is_empty() {
            return Err(Fault::new(
                "request_malformed",
                "The prompt is empty, and the model begins no text by itself.",
            ));
        }
        let context = model.model.context_tokens as usize;
        let room = context.saturating_sub(prompt.len()) as u32;
        if room == 0 {
            let sentence = format!(
                "The prompt has {} tokens, and this model takes {context} with its answer.",
                prompt.len()
            );
            return Err(Fault::new("context_too_long", sentence));
        }
        let wanted = Wanted {
            customer: customer.id,
            prompt,
            sampling: ask.sampling,
            tokens_max: ask.tokens_max.unwrap_or(room).min(room).max(1),
            stops: ask.stop,
            log_probabilities: ask.logprobs,
        };
        let told = ask::begin(self.0.clone(), model, about, wanted).await?;
        let pieces =
            stream::unfold(told, |mut told| async move { told.recv().await.map(|piece| (piece, told)) });
        Ok(pieces.boxed())
    }

    async fn embed(
        &self,
        customer: &Customer,
        model: &str,
        passages: Vec<Passage>,
    ) -> Result<Embeddings, Fault> {
        let (model, about) = self.model(model).await?;
        let mut texts = Vec::new();
        for passage in &passages {
            let tokens = tokens(&model, &about, passage).await?;
            if tokens.is_empty() {
                return Err(Fault::new("request_malformed", "A text to embed is empty."));
            }
            texts.push(tokens);
        }
        let prompt_tokens: usize = texts.iter().map(Vec::len).sum();
        let embedded = stream::iter(texts)
            .map(|tokens| embed_one(&self.0, &model, customer.id, tokens))
            .buffered(EMBEDDED_AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        let mut vectors = Vec::new();
        let mut price = BaseUnits::ZERO;
        for one in embedded {
            let (vector, cost) = one?;
            vectors.push(vector);
            price = BaseUnits(price.0.saturating_add(cost.0));
        }
        Ok(Embeddings { vectors, prompt_tokens: prompt_tokens as u32, price })
    }
}

/// Has one text embedded, by whoever can, and pays for it.
async fn embed_one(
    inference: &Inference,
    model: &Arc<ServedModel>,
    customer: CustomerId,
    tokens: Vec<Token>,
) -> Result<(Vec<f32>, BaseUnits), Fault> {
    /// Workers that one text is given to.
    const WORKERS_MAX: u32 = 4;
    let price = model.price(tokens.len() as u64, 0);
    let ask = ask::reserve(inference, model, customer, tokens.len(), 0).await?;
    let mut outcome = Err(Fault::new("worker_lost", "No worker could embed this. Ask again."));
    for _ in 0..WORKERS_MAX {
        let seat = match inference.seat(model, prefix(&tokens), EMBED_PATIENCE).await {
            Ok(seat) => seat,
            Err(fault) => {
                outcome = Err(fault);
                break;
            }
        };
        let (answers, mut told) = mpsc::unbounded_channel();
        let (number, _) = oneshot::channel();
        let asked = ShiftCommand::Ask { ask: ShiftAsk::Embed(tokens.clone()), answers, number };
        let answer = if seat.commands.send(asked).is_ok() { told.recv().await } else { None };
        let mut is_done = false;
        match answer {
            Some(ShiftAnswer::Embedding(vector)) if vector.iter().all(|number| number.is_finite()) => {
                let served = Served {
                    ask,
                    assignment: seat.shift,
                    prompt_tokens: tokens.len() as u32,
                    generated_tokens: 0,
                    amount: price,
                };
                if let Ok(Answer::Served { serving: Some(serving) }) =
                    inference.0.setup.inbox.ask(Input::Served(served)).await
                {
                    inference.check_embedding(model.clone(), serving, tokens.clone(), vector.clone());
                }
                outcome = Ok((vector, price));
                is_done = true;
            }
            Some(ShiftAnswer::Failed(fault)) if ask::is_about_the_ask(&fault) => {
                outcome = Err(fault);
                is_done = true;
            }
            _ => {}
        }
        inference.leave(seat);
        if is_done {
            break;
        }
    }
    inference.0.setup.inbox.ask(Input::EndAsk(ask)).await?;
    outcome
}
