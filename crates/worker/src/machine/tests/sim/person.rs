//! What the person does to the worker, and what breaks by itself.

use std::time::Duration;

use lull_worker_api::{Effort, PauseFor, SettingsChange};

use lull_guards::{FullScreen, Observation, Power};
use lull_types::{Guard, GuardRules, WalletAddress};

use super::super::fixture::{self, fault, ticket};
use super::world::{Event, World};
use crate::machine::{Input, Order};

impl World {
    /// One act, and the next one some seconds later, as long as things go wrong.
    pub fn person_acts(&mut self) {
        if !self.faulty {
            return;
        }
        let order = match self.between(0, 18) {
            0 | 1 => Order::Pause(PauseFor::Minutes(1)),
            2 => Order::Pause(PauseFor::UntilRestart),
            3..=5 => Order::Resume,
            6 => Order::Stop,
            7 | 8 => Order::Start,
            9 => Order::Benchmark { device: 0, sustained: Duration::ZERO },
            10 => Order::CancelBenchmark,
            11 => self.settings(),
            12 => self.join(),
            13 => Order::KeepWallet(self.wallet()),
            14 | 15 => {
                let kept = self.book.restore().kept_wallet.map(|kept| kept.address);
                Order::UseKeptWallet { wallet: kept.unwrap_or_else(|| self.wallet()), in_file: false }
            }
            16 => self.wallet_elsewhere(),
            _ => Order::Shutdown,
        };
        self.give(Input::Order(order));
        let delay = self.between(200, 12_000);
        self.later(delay, Event::Person);
    }

    fn settings(&mut self) -> Order {
        let effort = [Effort::Quiet, Effort::Balanced, Effort::Full][self.between(0, 3) as usize];
        let not_lent = if self.happens(0.3) { vec![self.devices - 1] } else { Vec::new() };
        Order::Configure(SettingsChange {
            effort: Some(effort),
            devices_not_lent: Some(not_lent),
            guards: Some(GuardRules { full_screen: self.happens(0.8), battery: self.happens(0.8) }),
            ..SettingsChange::default()
        })
    }

    /// The same network by either way, so that switching between them loses nothing either.
    fn join(&mut self) -> Order {
        Order::Join(if self.chance.fraction() < 0.5 { None } else { Some(ticket()) })
    }

    /// One of two that could be kept here.
    fn wallet(&mut self) -> WalletAddress {
        fixture::wallet(if self.chance.fraction() < 0.5 { 1 } else { 2 }).1
    }

    fn wallet_elsewhere(&mut self) -> Order {
        match self.between(0, 3) {
            0 => Order::ForgetKeptWallet,
            1 => Order::SetWallet(None),
            _ => Order::SetWallet(Some(fixture::wallet(3).1)),
        }
    }

    /// One mishap, and the next one some seconds later, as long as things go wrong.
    pub fn mishap(&mut self) {
        if !self.faulty {
            return;
        }
        match self.between(0, 10) {
            7..=9 => self.guard_flaps(),
            0 | 1 => self.cut(),
            2 => self.kill_if_alive(),
            3 => {
                if let Some(message) =
                    self.network.any_open().and_then(|assignment| self.network.withdraw(assignment))
                {
                    self.network_says(message);
                }
            }
            4 => self.network_says(lull_network_api::NetworkMessage::WorkWaiting),
            5 => {
                self.cut();
                self.give(Input::PracticeEnded(fault("practice_ended")));
            }
            _ => self.give(Input::Tick),
        }
        let delay = self.between(300, 20_000);
        self.later(delay, Event::Mishap);
    }

    /// A game or a film comes and goes, a plug is pulled and put in again, or a probe loses sight.
    fn guard_flaps(&mut self) {
        let seen = match self.between(0, 6) {
            0 => Observation::FullScreen(Some(FullScreen { program: None })),
            1 | 2 => Observation::FullScreen(None),
            3 => Observation::Power(Power::Battery { percent: Some(50) }),
            4 => Observation::Power(Power::Mains),
            _ => {
                let guard = Guard::ALL[self.between(0, Guard::ALL.len() as u64) as usize];
                return self.give(Input::SightLost { guard, fault: fault("guard_unreadable") });
            }
        };
        self.give(Input::Observed(seen));
    }

    /// Nobody plays any more, on the mains.
    pub fn guards_clear(&mut self) {
        self.give(Input::Observed(Observation::FullScreen(None)));
        self.give(Input::Observed(Observation::Power(Power::Mains)));
    }

    fn kill_if_alive(&mut self) {
        if self.machine.is_some() {
            self.kill_worker();
        }
    }
}
