//! What the handlers work with, and what they draw.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::backend::{Backend, Customer, ModelCard};
use crate::error::ApiError;
use crate::limits::{Limiter, Refusal, Standing};

/// What the handlers work with.
#[derive(Debug)]
pub(crate) struct Desk<B> {
    pub(crate) backend: Arc<B>,
    limiter: Arc<Mutex<Limiter>>,
}

impl<B> Clone for Desk<B> {
    fn clone(&self) -> Self {
        Self { backend: self.backend.clone(), limiter: self.limiter.clone() }
    }
}

impl<B: Backend> Desk<B> {
    pub(crate) fn new(backend: Arc<B>) -> Self {
        Self { backend, limiter: Arc::default() }
    }

    /// Takes a request of a customer's minute.
    pub(crate) fn admit(&self, customer: &Customer) -> Result<(), Refusal> {
        locked(&self.limiter).admit(customer, Instant::now())
    }

    /// Takes tokens of a customer's minute, of which those that are not used are to be put back.
    pub(crate) fn reserve(&self, customer: &Customer, tokens: u64) -> Result<Reservation, Refusal> {
        let tokens = locked(&self.limiter).reserve(customer, tokens, Instant::now())?;
        Ok(Reservation { limiter: self.limiter.clone(), customer: *customer, tokens })
    }

    /// Where the customer stands now.
    pub(crate) fn standing(&self, customer: &Customer) -> Standing {
        locked(&self.limiter).standing(customer, Instant::now())
    }

    /// The model of this name.
    pub(crate) async fn model(&self, name: &str) -> Result<ModelCard, ApiError> {
        let models = self.backend.models().await?;
        models.iter().find(|model| model.id == name).cloned().ok_or_else(|| {
            let message =
                format!("there is no model “{name}” here; GET /v1/models lists those that there are");
            ApiError::new("model_unknown", message).about("model")
        })
    }
}

/// Tokens of a customer's minute. One that is dropped unsettled stays taken: whoever goes away in the middle of an answer
/// has had some of it, and nobody knows how much.
#[derive(Debug)]
pub(crate) struct Reservation {
    limiter: Arc<Mutex<Limiter>>,
    customer: Customer,
    tokens: u64,
}

impl Reservation {
    /// Waits for work that is to use them, and puts them back if it fails, for which the customer is not to blame.
    pub(crate) async fn unless_failed<T, E>(
        self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<(Self, T), E> {
        match work.await {
            Ok(done) => Ok((self, done)),
            Err(error) => {
                self.settle(0);
                Err(error)
            }
        }
    }

    /// So many tokens were used.
    pub(crate) fn settle(self, used: u64) {
        locked(&self.limiter).settle(&self.customer, self.tokens, used, Instant::now());
    }
}

/// Nothing panics while it is held; if something did, the limits would still be whole.
fn locked(limiter: &Mutex<Limiter>) -> MutexGuard<'_, Limiter> {
    limiter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since the Unix epoch.
pub(crate) fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An id that nobody guesses, as long as OpenAI's.
pub(crate) fn draw_id(prefix: &str) -> Result<String, ApiError> {
    let random: [u8; 15] = draw()?;
    let mut id = data_encoding::BASE32_NOPAD.encode(&random).to_ascii_lowercase();
    id.insert_str(0, prefix);
    Ok(id)
}

/// A seed that JavaScript can hold: its numbers are whole up to 2⁵³.
pub(crate) fn draw_seed() -> Result<i64, ApiError> {
    const BITS: u64 = (1 << 53) - 1;
    Ok((u64::from_le_bytes(draw()?) & BITS).cast_signed())
}

fn draw<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut random = [0; N];
    getrandom::fill(&mut random).map_err(|error| {
        ApiError::new(
            "answer_failed",
            format!("the system has no randomness, so nothing can be drawn: {error}"),
        )
    })?;
    Ok(random)
}
