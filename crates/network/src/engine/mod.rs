//! The network's decisions: `handle(transaction, input, now)` → effects.
//!
//! # API boundary
//! The engine opens no file, socket or clock. All that must last is in the store, through the transaction that
//! it is handed; in memory it keeps only who is connected and who waits for work, which a restart may forget.
//! Ids and samples are drawn from a seeded generator, so the same inputs on the same store give the same
//! effects.
//!
//! # Invariants
//! - Effects are carried out only after the commit: nothing is promised that a crash could undo.
//! - An error means that nothing happened: the caller rolls back to before the input.
//! - Every input may arrive twice.
//! - An accepted report is paid in the transaction that accepts it, exactly once, and its receipt with it.
//! - Every job ends, and then nothing is reserved for it.
//!
//! # Driving it without threads
//! ```
//! # use lull_network::{engine::{Config, Engine, Input}, store};
//! # use lull_types::{SecretKey, UnixMillis};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut connection = store::open_in_memory()?;
//! let mut engine = Engine::new(SecretKey::from_bytes(&[1; 32]), Config::default(), [0; 32]);
//! let transaction = connection.transaction()?;
//! let effects = engine.handle(&transaction, Input::Tick, UnixMillis(0))?;
//! transaction.commit()?;
//! # assert!(effects.is_empty());
//! # Ok(()) }
//! ```

mod claim;
mod clock;
mod customers;
mod decide;
mod effect;
mod enrol;
mod error;
mod funds;
mod input;
mod jobs;
mod line;
mod payouts;
pub mod policy;
mod prices;
mod queue;
mod receipts;
mod report;
mod rows;
mod sessions;
mod settle;
mod shifts;
mod timing;
mod turn;
mod verify;
mod wallets;
mod why_idle;

use lull_network_api::{NetworkInfo, WorkerMessage};
use lull_types::{SecretKey, UnixMillis, WorkerId};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use rusqlite::Transaction;

pub use effect::{Against, CheckRequest, Effect};
pub use error::EngineError;
pub use input::{
    Answer, BlobOwner, CheckId, CheckOutcome, Input, JobSpec, Model, Served, SessionId, TaskSpec,
};
pub use payouts::PayoutPolicy;
pub use policy::Policy;
pub use shifts::COMING;
pub use timing::{
    Asked, CLAIM_GROWTH_MAX, Claim, Evidence, Finding, FoundOf, MemoryEvidence, MemoryFinding, Round,
    TimingOutcome,
};

use prices::Prices;
use queue::Queue;
use sessions::Sessions;
use turn::Turn;

/// What a network is.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Its name, for people.
    pub name: String,
    /// Its money is practice tokens without value.
    pub practice: bool,
    /// What it decides by.
    pub policy: Policy,
    /// How it pays; none when it pays on no chain.
    pub payouts: Option<PayoutPolicy>,
}

impl Default for Config {
    fn default() -> Self {
        Self { name: "Lull".to_owned(), practice: false, policy: Policy::default(), payouts: None }
    }
}

/// The network's decisions. See the module.
#[derive(Debug)]
pub struct Engine {
    key: SecretKey,
    config: Config,
    /// Draws ids and samples. Seeded from the operating system in a real network: a worker that could foresee
    /// it would know which reports are checked.
    dice: ChaCha20Rng,
    sessions: Sessions,
    /// Kinds that the trusted runtime checks now.
    trusted: Vec<String>,
    /// Whether it checks what models generate.
    trusts_models: bool,
    prices: Prices,
    queue: Queue,
    /// The latest instant seen: a clock that is set back does not go back here.
    latest: UnixMillis,
    /// The last tick.
    ticked: UnixMillis,
}

impl Engine {
    /// An engine that knows nobody yet. `seed` must never be used twice with one store, because ids are drawn
    /// from it.
    pub fn new(key: SecretKey, config: Config, seed: [u8; 32]) -> Self {
        Self {
            key,
            config,
            dice: ChaCha20Rng::from_seed(seed),
            sessions: Sessions::default(),
            trusted: Vec::new(),
            trusts_models: false,
            prices: Prices::default(),
            queue: Queue::default(),
            latest: UnixMillis(0),
            ticked: UnixMillis(0),
        }
    }

    /// What the network tells of itself.
    pub fn info(&self) -> NetworkInfo {
        NetworkInfo {
            id: self.key.network_id(),
            name: self.config.name.clone(),
            practice: self.config.practice,
            audit_window_ms: self.config.policy.audit_window_ms,
        }
    }

    /// Workers that have a session now.
    pub fn connected(&self) -> usize {
        self.sessions.len()
    }

    /// Takes one input. Everything it changes is written through `tx`; the effects are to be carried out after
    /// the commit.
    ///
    /// # Errors
    /// [`EngineError`]: the caller must undo what was written through `tx` since the call.
    pub fn handle(
        &mut self,
        tx: &Transaction<'_>,
        input: Input,
        now: UnixMillis,
    ) -> Result<Vec<Effect>, EngineError> {
        self.latest = self.latest.max(now);
        let mut turn = Turn::new(tx, self.latest);
        let turn = &mut turn;
        match input {
            Input::WorkerConnected { worker, session } => self.connect(turn, worker, session),
            Input::WorkerDisconnected { worker, session } => self.sessions.remove(worker, session),
            Input::FromWorker { worker, session, message } => {
                self.worker_said(turn, worker, session, message)?;
            }
            Input::BlobStored { hash, bytes, by } => customers::blob_stored(turn, hash, bytes, by)?,
            Input::TrustedRuntime { kinds } => self.trusted_runtime(turn, kinds)?,
            Input::CheckEnded { check, outcome } => self.check_ended(turn, check, outcome)?,
            Input::Timed { account, found } => self.timed(turn, &account, found)?,
            Input::Tick => self.tick(turn)?,
            Input::CreateCustomer { name, api_key_hash } => {
                self.create_customer(turn, &name, api_key_hash)?;
            }
            Input::Deposit { customer, amount, reference } => {
                customers::deposit(turn, customer, amount, &reference)?;
            }
            Input::CreateDeposit { customer, amount } => self.create_deposit(turn, customer, amount)?,
            Input::DepositPaid { deposit, signature, amount } => {
                funds::deposit_paid(turn, deposit, signature, amount)?;
            }
            Input::CreateRefund { customer, idempotency_key, amount, to } => {
                self.create_refund(turn, customer, &idempotency_key, amount, to)?;
            }
            Input::WalletConfirmed { worker, nonce, signature } => {
                self.wallet_confirmed(turn, worker, &nonce, signature)?;
            }
            Input::CreateJob { customer, job } => self.create_job(turn, customer, &job)?,
            Input::WithdrawJob { customer, job } => self.withdraw_job(turn, customer, job)?,
            Input::AddModel(model) => self.add_model(turn, &model)?,
            Input::RemoveModel(model) => self.remove_model(turn, model)?,
            Input::TrustsModels(trusts) => self.trusts_models = trusts,
            Input::BeginAsk { customer, price_max } => self.begin_ask(turn, customer, price_max)?,
            Input::Served(served) => self.served(turn, &served)?,
            Input::EndAsk(ask) => self.end_ask(turn, ask)?,
            Input::ServingChecked { serving, is_right } => self.serving_checked(turn, serving, is_right)?,
            Input::ShiftOver { assignment, reason } => self.shift_over(turn, assignment, &reason)?,
            Input::ForgetAsks => self.forget_asks(turn)?,
            Input::CloseEpoch { number, after } => self.close_epoch(turn, number, after)?,
            Input::KeepPayouts(records) => self.keep_payouts(turn, &records)?,
            Input::ChainPaid { worker, wallet, total } => self.chain_paid(turn, worker, wallet, total)?,
        }
        self.sessions.wake(turn);
        Ok(std::mem::take(&mut turn.effects))
    }

    fn worker_said(
        &mut self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        session: SessionId,
        message: WorkerMessage,
    ) -> Result<(), EngineError> {
        if !self.sessions.is_current(worker, session) {
            turn.drop_session(worker, session);
            return Ok(());
        }
        match message {
            WorkerMessage::Hello { worker_version, nonce_held } => {
                self.hello(turn, worker, session, &worker_version, nonce_held)
            }
            WorkerMessage::Enrol(enrolment) => self.enrol(turn, worker, &enrolment),
            WorkerMessage::SetWallet(wallet) => self.set_wallet(turn, worker, wallet),
            WorkerMessage::StateWallet { wallet, domain } => self.state_wallet(turn, worker, wallet, domain),
            WorkerMessage::ProveWallet { nonce, signature } => {
                self.prove_wallet(turn, worker, &nonce, signature)
            }
            WorkerMessage::SetPayoutThreshold(threshold) => self.set_threshold(turn, worker, threshold),
            WorkerMessage::WantProof { wallet } => {
                self.want_proof(turn, worker, session, wallet);
                Ok(())
            }
            WorkerMessage::Claimed { wallet } => self.claimed(turn, worker, wallet),
            WorkerMessage::WantWork { device } => self.want_work(turn, worker, device),
            WorkerMessage::Progress { assignment, fraction } => {
                report::progress(turn, worker, assignment, fraction)
            }
            WorkerMessage::Report { assignment, outputs, ran_ms } => {
                self.report(turn, worker, assignment, &outputs, ran_ms)
            }
            WorkerMessage::HandBack { assignment, reason } => {
                self.hand_back(turn, worker, assignment, &reason)
            }
            WorkerMessage::Countersign { lane, nonce, signature } => {
                self.countersign(turn, worker, lane, nonce, signature)
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
