//! Paying out: the shell around `lull_settlement::sender`.
//!
//! ```text
//! end of an epoch ─ Input::CloseEpoch → leaves → publication file ─→ sender ─ Input::KeepPayouts → engine
//!                                                                      └─ bytes → chain ─ statuses, accounts ─┘
//! ```
//! One task drives the sender: a tick every few slots, and what the chain answers. Everything that is decided is durable
//! before it has effects; when it cannot be made durable, the sender is restored from what is.

mod anchoring;
pub mod deposits;
mod epochs;
mod looks;
pub mod practice;
mod reading;
mod settings;
mod standing;
mod treasury;
pub mod wallet_proofs;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use lull_settlement::chain::Chain;
use lull_settlement::compose::Place;
use lull_settlement::sender::{Alarm, Effect, Input, Payee, Policy, Purpose, Sender, SenderError, Work};
use lull_types::{Coded, Fault, SecretKey, UnixMillis, WalletAddress, WorkerId};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::engine::{self, SessionId};
use crate::gateway::Hub;
use crate::reader::Reader;
use crate::store::{funds, payouts};
use crate::writer::Inbox;
use epochs::Epochs;

pub use epochs::{check_length, file as publication_file};
pub use settings::{Charges, Cluster, SLOT, Settings, SettingsError};
pub use standing::{Balances, Limits, NewLimits, Standing};
pub use treasury::{Treasury, TreasuryError, read_key};

/// How often the sender looks after what is open, in slots of the chain: every two seconds.
const TICK_SLOTS: u32 = 5;
/// How often claims of contributors are looked for, in slots: every half minute. Whoever claims in the app tells it at
/// once.
const LOOK_SLOTS: u32 = 75;
/// Payees in one look: a few seconds' worth of questions.
const LOOK_PAYEES: u32 = 64;
/// Questions to the chain at once.
const AT_ONCE: usize = 8;
/// Requests of workers that may wait; one that finds no room is told to come back.
const ASKS_MAX: usize = 256;

/// A request of a worker or an operator.
#[derive(Debug)]
pub enum Ask {
    /// The proof of its earnings.
    Prove {
        /// Whose.
        worker: WorkerId,
        /// Where it is told.
        session: SessionId,
        /// For which wallet.
        wallet: WalletAddress,
    },
    /// It has claimed.
    LookAtClaims(Payee),
    /// A person asks how payouts stand now.
    Stand(oneshot::Sender<Standing>),
    /// A person lets the sender go on, under these limits.
    Resume(NewLimits, oneshot::Sender<Result<(), Fault>>),
}

/// What the task works with.
pub struct Setup {
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Where the network is on it.
    pub place: Place,
    /// Whether the token is known to suit, as the practice ledger's own is.
    pub mint_is_known: bool,
    /// Who pays.
    pub treasury: Treasury,
    /// The network's own key, which signs the making of its account.
    pub key: SecretKey,
    /// Limits.
    pub policy: Policy,
    /// How long a slot of the chain takes; not nothing.
    pub slot: Duration,
    /// Length of an epoch, in milliseconds.
    pub epoch_ms: u64,
    /// Folder of publications.
    pub folder: PathBuf,
    /// The engine.
    pub inbox: Inbox,
    /// The records.
    pub reader: Arc<Reader>,
    /// Connected workers.
    pub hub: Arc<Hub>,
    /// The wall clock.
    pub clock: fn() -> UnixMillis,
}

/// Where requests are given to the task.
#[derive(Clone, Debug)]
pub struct Payouts {
    asks: mpsc::Sender<Ask>,
    standing: watch::Receiver<Standing>,
}

impl Payouts {
    /// Gives a request, if there is room.
    pub fn ask(&self, ask: Ask) -> Result<(), Fault> {
        self.asks.try_send(ask).map_err(|_| {
            Fault::new("payouts_busy", "the network has too many such requests now; ask again in a minute")
        })
    }

    /// How payouts stood when the task last told; balances are half a minute old at most.
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// How payouts stand now.
    ///
    /// # Errors
    /// When the task is too busy to say.
    pub async fn stand(&self) -> Result<Standing, Fault> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Stand(answer))?;
        answered.await.map_err(|_| shutting_down())
    }

    /// Goes on after an alarm. Limits hold until the service ends; its options say those of the next start.
    ///
    /// # Errors
    /// When the sender is not there.
    pub async fn resume(&self, limits: NewLimits) -> Result<(), Fault> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Resume(limits, answer))?;
        answered.await.map_err(|_| shutting_down())?
    }
}

fn shutting_down() -> Fault {
    Fault::new("network_shutting_down", "the network is shutting down")
}

/// Starts the task; it ends with `cancel`.
///
/// # Errors
/// When the folder of publications cannot be used.
pub fn start(
    setup: Setup,
    cancel: CancellationToken,
) -> Result<(Payouts, impl Future<Output = ()> + Send), Fault> {
    let (asks, asked) = mpsc::channel(ASKS_MAX);
    let epochs = Epochs::open(setup.folder.clone(), setup.place.anchor)?;
    let first = Standing {
        treasury: setup.treasury.key.address().to_string(),
        purse: setup.treasury.purse.to_string(),
        account: setup.place.account().to_string(),
        ..Standing::default()
    };
    let (told, standing) = watch::channel(first);
    let task = Task {
        setup,
        epochs,
        sender: None,
        ready: None,
        plans: false,
        looked: None,
        nothing_new: None,
        refused: None,
        unsigned: None,
        waits: None,
        standing: told,
    };
    Ok((Payouts { asks, standing }, task.run(asked, cancel)))
}

struct Task {
    setup: Setup,
    epochs: Epochs,
    /// None until it is restored.
    sender: Option<Sender>,
    /// Whether the network's account is on the chain and as it should be; none until that is known.
    ready: Option<anchoring::Ready>,
    /// Whether anything new may be planned.
    plans: bool,
    /// The last payee that was looked at.
    looked: Option<Payee>,
    /// An epoch that was closed with nothing to publish.
    nothing_new: Option<u64>,
    /// Why the newest epoch was not taken, if a limit does not allow it.
    refused: Option<Alarm>,
    /// Why a batch could not be signed at this tick, if one could not.
    unsigned: Option<Fault>,
    /// What the last tick waited for, if anything.
    waits: Option<String>,
    standing: watch::Sender<Standing>,
}

impl Task {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>, cancel: CancellationToken) {
        let work = async {
            let mut tick = tokio::time::interval(self.setup.slot * TICK_SLOTS);
            let mut look = tokio::time::interval(self.setup.slot * LOOK_SLOTS);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut complaint = String::new();
            loop {
                let outcome = tokio::select! {
                    _ = tick.tick() => {
                        let ticked = self.tick().await;
                        self.waits = ticked.as_ref().err().map(ToString::to_string);
                        ticked
                    }
                    _ = look.tick() => self.look_for_claims().await,
                    ask = asked.recv() => match ask {
                        Some(ask) => self.answer(ask).await,
                        None => return,
                    },
                };
                // The same trouble every two seconds is told once.
                self.tell_standing();
                let now = outcome.err().map(|fault| fault.to_string()).unwrap_or_default();
                if now != complaint && !now.is_empty() {
                    tracing::warn!("payouts wait: {now}");
                }
                complaint = now;
            }
        };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = work => {}
        }
    }

    async fn tick(&mut self) -> Result<(), Fault> {
        if !self.is_ready().await? {
            return Ok(());
        }
        let closed = self.close_epoch_if_due().await;
        // Fees of what is newly planned are kept back by the epoch that was given to the sender last. While another is
        // listed and not given, what is under way goes on, and nothing new begins.
        self.plans = closed.is_ok();
        self.take_refunds().await?;
        self.unsigned = None;
        self.give(Input::Tick).await?;
        closed?;
        self.unsigned.take().map_or(Ok(()), Err)
    }

    /// Gives the sender the refunds that customers have asked for since.
    async fn take_refunds(&mut self) -> Result<(), Fault> {
        let last = self.sender().await?.last_refund();
        for refund in self.setup.reader.read(move |connection| funds::refunds_after(connection, last)).await?
        {
            self.give(Input::Refund { id: refund.id, to: refund.to, amount: refund.amount }).await?;
        }
        Ok(())
    }

    /// Takes an input through the sender, and all that follows from it.
    async fn give(&mut self, input: Input) -> Result<(), Fault> {
        let mut inputs = std::collections::VecDeque::from([input]);
        while let Some(input) = inputs.pop_front() {
            let sender = self.sender().await?;
            let effects = match sender.handle(input) {
                Ok(effects) => effects,
                Err(SenderError::Limit(alarm)) => {
                    let fault = alarm.fault();
                    // It is tried again at every tick, and told once.
                    if self.refused.as_ref() != Some(&alarm) {
                        tell(&alarm);
                        self.refused = Some(alarm);
                    }
                    return Err(fault);
                }
                Err(error) => return Err(error.fault()),
            };
            match self.carry_out(effects).await {
                Ok(answers) => inputs.extend(answers),
                Err(fault) => {
                    // What was not made durable was not decided.
                    self.sender = None;
                    return Err(fault);
                }
            }
        }
        Ok(())
    }

    async fn sender(&mut self) -> Result<&mut Sender, Fault> {
        if self.sender.is_none() {
            let records = self.setup.reader.read(payouts::records).await?;
            self.sender = Some(Sender::restore(self.setup.policy.clone(), records));
        }
        self.sender.as_mut().ok_or_else(|| Fault::new("payouts_lost", "the sender of payouts is not there"))
    }

    /// Carries effects out. Records are durable before anything after them begins; the rest is done side by side.
    async fn carry_out(&mut self, effects: Vec<Effect>) -> Result<Vec<Input>, Fault> {
        let mut others = Vec::new();
        for effect in effects {
            match effect {
                Effect::Persist(records) => {
                    self.setup.inbox.ask(engine::Input::KeepPayouts(records)).await?;
                }
                Effect::Alarm(alarm) => tell(&alarm),
                Effect::Prepare { epoch, work: Work::Root { .. } | Work::Claims(_), .. } => {
                    // Loaded here, so that what follows only reads it.
                    self.epochs.load(epoch).await?;
                    others.push(effect);
                }
                Effect::Prepare { work: Work::Refund { .. }, .. } => others.push(effect),
                Effect::Read { purpose: Purpose::Plan, .. } if !self.plans => {}
                Effect::Send { .. } | Effect::AskStatuses(_) | Effect::Read { .. } => others.push(effect),
            }
        }
        let this = &*self;
        let answers = stream::iter(others).map(|effect| this.ask_chain(effect)).buffered(AT_ONCE);
        let answers: Vec<_> = answers.collect().await;
        let mut inputs = Vec::new();
        for answer in answers {
            match answer {
                Ok(input) => inputs.extend(input),
                Err(fault) => self.unsigned = Some(fault),
            }
        }
        Ok(inputs)
    }

    /// One question to the chain; what it does not answer is asked again at the next tick. The error says why a batch
    /// could not be signed, such as that the treasury is empty: a person may have to do something.
    async fn ask_chain(&self, effect: Effect) -> Result<Option<Input>, Fault> {
        let signs = matches!(effect, Effect::Prepare { .. });
        let answered = match effect {
            Effect::Prepare { batch, epoch, work, lamports_max } => self
                .prepare(epoch, &work, lamports_max)
                .await
                .map(|attempt| Some(Input::Signed { batch, attempt })),
            Effect::Send { batch, bytes } => self
                .setup
                .chain
                .send(&bytes)
                .await
                .map(|_| Some(Input::Taken { batch }))
                .map_err(|e| e.fault()),
            Effect::AskStatuses(asked) => self.statuses(asked).await.map(Some),
            Effect::Read { purpose, what } => {
                self.read(&what).await.map(|found| Some(Input::Read { purpose, found }))
            }
            Effect::Persist(_) | Effect::Alarm(_) => Ok(None),
        };
        answered.or_else(|fault: Fault| {
            tracing::debug!(code = %fault.code, "a question to the chain has no answer: {}", fault.sentence);
            if signs { Err(fault) } else { Ok(None) }
        })
    }

    async fn answer(&mut self, ask: Ask) -> Result<(), Fault> {
        match ask {
            Ask::Prove { worker, session, wallet } => {
                let message = self.proof(worker, wallet).await;
                self.setup.hub.send(worker, session, message);
                Ok(())
            }
            Ask::LookAtClaims(payee) => self.look_at(payee).await,
            Ask::Stand(answer) => {
                let read = self.read_balances().await;
                // Whoever asked may have gone away.
                let _ = answer.send(self.standing.borrow().clone());
                read
            }
            Ask::Resume(limits, answer) => {
                let policy = limits.applied_to(&self.setup.policy);
                self.setup.policy = policy.clone();
                self.refused = None;
                let resumed = self.give(Input::Resume(policy)).await;
                self.tell_standing();
                let _ = answer.send(resumed.clone());
                resumed
            }
        }
    }

    /// Looks whether contributors have claimed, a few at a time.
    async fn look_for_claims(&mut self) -> Result<(), Fault> {
        let after = self.looked;
        let payees =
            self.setup.reader.read(move |connection| payouts::owed(connection, after, LOOK_PAYEES)).await?;
        // From the beginning again after the last.
        self.looked = payees.last().copied().filter(|_| payees.len() == LOOK_PAYEES as usize);
        for payee in payees {
            self.look_at(payee).await?;
        }
        self.read_balances().await
    }

    async fn look_at(&self, payee: Payee) -> Result<(), Fault> {
        let total = self.paid(payee).await?;
        if total.0 > 0 {
            let Payee { worker, wallet } = payee;
            self.setup.inbox.ask(engine::Input::ChainPaid { worker, wallet, total }).await?;
        }
        Ok(())
    }
}

/// A person must look; the log is where operators do, and metrics count it.
fn tell(alarm: &Alarm) {
    tracing::error!(code = alarm.code(), "PAYOUTS: {alarm}");
}
