//! What a person asks for.

use lull_network_api::NetworkTicket;
use lull_types::{
    BaseUnits, Coded, Fault, GuardRules, RulesError, Tariff, TariffError, UnixMillis, WalletAddress,
};
use lull_worker_api::{Intent, PauseFor, SettingsChange};

use super::Machine;
use super::benchmark::{Benchmark, SUSTAINED_MAX, Wanted};
use super::device::Ask;
use super::effect::Effect;
use super::input::Order;
use super::link::{Practice, Session};
use super::out::Out;
use super::record::{JoinedNetwork, NetworkChoice, Record};
use crate::prices::{PricesError, check_source};

/// The longest pause by the clock: a month. Who wants to be left alone for longer turns work off.
const PAUSE_MINUTES_MAX: u32 = 31 * 24 * 60;

/// Why an order is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Refusal {
    #[error("There is no device {0}; look at the list of devices again.")]
    NoSuchDevice(u32),
    #[error("The devices are still being found; try again in a moment.")]
    DevicesUnknown,
    #[error("A benchmark runs already; cancel it or wait for its end.")]
    BenchmarkRunning,
    #[error("The GPU is kept free now; resume first, then measure.")]
    GpuKeptFree,
    #[error("The worker is putting its work away; try again in a moment.")]
    Draining,
    #[error("A pause takes from one minute to a month.")]
    PauseLength,
    #[error(
        "The words of the wallet {0} are not confirmed yet; type them first, so that its money cannot be lost with this \
         machine."
    )]
    WalletUnconfirmed(WalletAddress),
    #[error(
        "The wallet {0} is kept on this machine already; export its words, then remove it with “lull-worker wallet \
         forget”, and try again."
    )]
    WalletKept(WalletAddress),
    #[error(
        "There is no connection to the network now, and a wallet is proven to it; try again in a moment."
    )]
    NotConnected,
    #[error("There is no connection to the network now, and it must be told; try again in a moment.")]
    NetworkAway,
    #[error(
        "The network sends payouts from {0} USDC on: fees would eat too much of less. Choose that or more."
    )]
    ThresholdTooLow(BaseUnits),
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error(transparent)]
    Tariff(#[from] TariffError),
    #[error(transparent)]
    Prices(#[from] PricesError),
}

impl Coded for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoSuchDevice(_) => "no_such_device",
            Self::DevicesUnknown => "devices_unknown",
            Self::BenchmarkRunning => "benchmark_running",
            Self::GpuKeptFree => "gpu_kept_free",
            Self::Draining => "draining",
            Self::PauseLength => "pause_length",
            Self::NotConnected | Self::NetworkAway => "not_connected",
            Self::ThresholdTooLow(_) => "threshold_too_low",
            Self::WalletUnconfirmed(_) => "wallet_unconfirmed",
            Self::WalletKept(_) => "wallet_kept_already",
            Self::Rules(error) => error.code(),
            Self::Tariff(error) => error.code(),
            Self::Prices(error) => error.code(),
        }
    }
}

/// Whether prices could be told by a tariff, and its source would be asked.
fn check_tariff(tariff: &Tariff) -> Result<(), Refusal> {
    tariff.check()?;
    tariff.source().map_or(Ok(()), check_source)?;
    Ok(())
}

impl Machine {
    /// Whether an order can be followed now.
    ///
    /// # Errors
    /// Why not. The machine does not change then, and the order must not be given to it.
    pub fn check(&self, order: &Order, now: UnixMillis) -> Result<(), Fault> {
        if let Some(failure) = &self.journal_fault
            && !matches!(order, Order::Pause { .. } | Order::Resume { .. } | Order::Shutdown)
        {
            return Err(failure.fault.clone());
        }
        self.refusal(order, now).map_or(Ok(()), |refusal| Err(refusal.fault()))
    }

    fn refusal(&self, order: &Order, now: UnixMillis) -> Option<Refusal> {
        let knows = |index: u32| self.devices.iter().any(|device| device.info.index == index);
        match order {
            Order::Benchmark { .. } if self.drain.is_some() => Some(Refusal::Draining),
            Order::Benchmark { .. } if self.devices.is_empty() => Some(Refusal::DevicesUnknown),
            Order::Benchmark { device, .. } if !knows(*device) => Some(Refusal::NoSuchDevice(*device)),
            Order::Benchmark { .. }
                if self.benchmark.wanted.is_some() || self.benchmark.running.is_some() =>
            {
                Some(Refusal::BenchmarkRunning)
            }
            Order::Benchmark { device, .. } if !self.policy.stand(Some(*device), now).is_clear() => {
                Some(Refusal::GpuKeptFree)
            }
            Order::Pause { duration: PauseFor::Minutes(minutes), .. }
                if !(1..=PAUSE_MINUTES_MAX).contains(minutes) =>
            {
                Some(Refusal::PauseLength)
            }
            Order::Pause { device: Some(device), .. } if !knows(*device) => {
                Some(Refusal::NoSuchDevice(*device))
            }
            Order::Configure(change) => {
                if let Some(Err(refusal)) = change.tariff.as_ref().map(check_tariff) {
                    return Some(refusal);
                }
                if let Some(Err(error)) = change.guards.as_ref().map(GuardRules::check) {
                    return Some(Refusal::Rules(error));
                }
                let not_lent = change.devices_not_lent.iter().flatten();
                // Before devices are found nobody knows which there are.
                not_lent
                    .copied()
                    .find(|index| !self.devices.is_empty() && !knows(*index))
                    .map(Refusal::NoSuchDevice)
            }
            Order::SetWallet(Some(wallet)) | Order::StateWallet { wallet, .. }
                if self.is_unconfirmed(*wallet) =>
            {
                Some(Refusal::WalletUnconfirmed(*wallet))
            }
            Order::StateWallet { .. } | Order::ProveWallet { .. } if self.link.up().is_none() => {
                Some(Refusal::NotConnected)
            }
            Order::SetPayoutThreshold(_) | Order::WantProof { .. } | Order::TellClaimed { .. }
                if self.link.up().is_none() =>
            {
                Some(Refusal::NetworkAway)
            }
            Order::SetPayoutThreshold(Some(least)) => {
                let least_of_all = self.payout_standing().map(|standing| standing.threshold_min);
                least_of_all.filter(|min| least < min).map(Refusal::ThresholdTooLow)
            }
            Order::KeepWallet(wallet) => match &self.wallets.kept {
                Some(kept) if kept.confirmed => Some(Refusal::WalletKept(kept.address)),
                // Paid to already, as another program's wallet: it need not be made again.
                _ if self.wallets.wanted == Some(*wallet) => Some(Refusal::WalletKept(*wallet)),
                _ => None,
            },
            Order::UseKeptWallet { wallet, .. } => self.keeps_another(*wallet).map(Refusal::WalletKept),
            Order::Benchmark { .. }
            | Order::Pause { .. }
            | Order::Start
            | Order::Stop
            | Order::Resume { .. }
            | Order::CancelBenchmark
            | Order::Join(_)
            | Order::SetWallet(_)
            | Order::StateWallet { .. }
            | Order::ProveWallet { .. }
            | Order::SetPayoutThreshold(None)
            | Order::WantProof { .. }
            | Order::TellClaimed { .. }
            | Order::ForgetKeptWallet
            | Order::Shutdown => None,
        }
    }

    pub(super) fn on_order(&mut self, order: Order, now: UnixMillis, out: &mut Out) {
        if self.check(&order, now).is_err() {
            return;
        }
        match order {
            Order::Start => self.set_intent(Intent::On, out),
            Order::Stop => {
                self.set_intent(Intent::Off, out);
                self.begin_drain(now, out);
            }
            Order::Shutdown => {
                self.shutting_down = true;
                self.begin_drain(now, out);
            }
            Order::Pause { duration, device } => self.pause(duration, device, now, out),
            Order::Resume { device } => self.resume(device, now, out),
            Order::Benchmark { device, sustained } => {
                self.benchmark.wanted = Some(Wanted { device, sustained: sustained.min(SUSTAINED_MAX) });
            }
            Order::CancelBenchmark => self.cancel_benchmark(now, out),
            Order::Join(ticket) => self.join(ticket, now, out),
            Order::SetWallet(wallet) => self.set_wallet(wallet, out),
            Order::StateWallet { wallet, domain } => self.state_wallet(wallet, domain, now, out),
            Order::ProveWallet { nonce, signature } => self.prove_wallet(nonce, signature, out),
            Order::SetPayoutThreshold(least) => self.set_payout_threshold(least, out),
            Order::WantProof { wallet } => self.want_proof(wallet, out),
            Order::TellClaimed { wallet } => self.tell_claimed(wallet, out),
            Order::KeepWallet(wallet) => self.keep_wallet(wallet, out),
            Order::UseKeptWallet { wallet, in_file } => self.use_kept_wallet(wallet, in_file, now, out),
            Order::ForgetKeptWallet => self.forget_kept_wallet(out),
            Order::Configure(change) => self.configure(change, now, out),
        }
    }

    fn set_intent(&mut self, intent: Intent, out: &mut Out) {
        if intent == Intent::On && !self.shutting_down {
            self.drain = None;
        }
        if self.intent != intent {
            self.intent = intent;
            out.record(Record::Intent(intent));
        }
    }

    /// Ends waits that a person would not understand.
    pub(super) fn hurry(&mut self, now: UnixMillis) {
        if let Session::Down { retry_at } = &mut self.link.session {
            *retry_at = (*retry_at).min(now);
        }
        for device in &mut self.devices {
            device.rest_until = now;
            device.ask_after = now;
            if matches!(device.ask, Ask::NoWork { .. }) {
                device.ask = Ask::Idle;
            }
        }
    }

    fn join(&mut self, ticket: Option<NetworkTicket>, now: UnixMillis, out: &mut Out) {
        let choice = ticket.map_or(NetworkChoice::Practice, NetworkChoice::Ticket);
        self.set_intent(Intent::On, out);
        if self.network.as_ref().is_some_and(|joined| joined.choice == choice) {
            self.hurry(now);
            return;
        }
        self.hang_up(out);
        if self.link.practice != Practice::Off && choice != NetworkChoice::Practice {
            out.effect(Effect::StopPracticeNetwork);
            self.link.practice = Practice::Off;
        }
        let joined = JoinedNetwork { choice, info: None, enrolled: false };
        out.record(Record::Network(joined.clone()));
        self.network = Some(joined);
        for device in &mut self.devices {
            device.ask = Ask::Idle;
            device.hand_backs = 0;
            device.ask_after = now;
        }
    }

    fn configure(&mut self, change: SettingsChange, now: UnixMillis, out: &mut Out) {
        let settings = &mut self.settings;
        let SettingsChange {
            effort,
            tariff,
            devices_not_lent,
            start_working,
            chain_endpoint,
            guards,
            serves_models,
        } = change;
        if let Some(effort) = effort {
            settings.effort = effort;
        }
        if let Some(tariff) = tariff {
            settings.tariff = tariff;
        }
        if let Some(mut devices) = devices_not_lent {
            devices.sort_unstable();
            devices.dedup();
            settings.devices_not_lent = devices;
            self.offer_revision += 1;
        }
        if let Some(start_working) = start_working {
            settings.start_working = start_working;
        }
        if let Some(endpoint) = chain_endpoint {
            settings.chain_endpoint = Some(endpoint).filter(|endpoint| !endpoint.is_empty());
        }
        if let Some(guards) = guards {
            settings.guards = guards.clone();
            self.policy.follow(guards, now);
        }
        if let Some(serves_models) = serves_models
            && settings.serves_models != serves_models
        {
            settings.serves_models = serves_models;
            self.offer_revision += 1;
        }
        out.record(Record::Settings(settings.clone()));
    }

    /// Forgets a benchmark that was asked for and not begun.
    pub(super) fn forget_wanted_benchmark(&mut self) {
        let Benchmark { wanted, .. } = &mut self.benchmark;
        *wanted = None;
    }
}
