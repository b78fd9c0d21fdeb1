//! What the person does to the worker, and what breaks by itself.

use std::time::Duration;

use lull_worker_api::{Effort, PauseFor, SettingsChange};

use lull_guards::{FullScreen, GpuUse, Observation, Person, Power, Temperatures};
use lull_types::{
    DataCaps, DataMoved, GpuNeed, Guard, GuardRules, QuietLimits, UnixMillis, WalletAddress, WeekHours,
};

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
            0 | 1 => Order::Pause { duration: PauseFor::Minutes(1), device: None },
            2 => {
                let device = self.happens(0.5).then(|| self.between(0, u64::from(self.devices)) as u32);
                let durations = [PauseFor::UntilRestart, PauseFor::UntilResumed];
                Order::Pause { duration: durations[usize::from(self.happens(0.5))], device }
            }
            3..=5 => Order::Resume { device: None },
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
            guards: Some(self.rules()),
            ..SettingsChange::default()
        })
    }

    fn rules(&mut self) -> GuardRules {
        let some_hours = self.happens(0.1);
        let gigabyte = DataCaps { sent_gb: None, received_gb: Some(1), both_gb: Some(2), month_day: 1 };
        GuardRules {
            full_screen: self.happens(0.8),
            gpu_use: self.happens(0.8),
            away_minutes: self.happens(0.2).then_some(1),
            // Every other hour, so that a story of some minutes sees one turn now and then.
            hours: some_hours.then_some(WeekHours([0x55_5555; 7])),
            battery: self.happens(0.8),
            data_cap: self.happens(0.3).then_some(gigabyte),
            quiet: self.happens(0.5).then_some(QuietLimits {
                power_watts: Some(180),
                may_lower_power_limit: true,
                ..QuietLimits::default()
            }),
            ..GuardRules::default()
        }
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
        let device = self.between(0, u64::from(self.devices)) as u32;
        let seen = match self.between(0, 14) {
            0 => Observation::FullScreen(Some(FullScreen { program: None })),
            1 | 2 => Observation::FullScreen(None),
            3 => Observation::Power(Power::Battery { percent: Some(50) }),
            4 => Observation::Power(Power::Mains),
            5 | 6 => {
                let need = if self.happens(0.5) { GpuNeed::Time } else { GpuNeed::Memory };
                let by = self.happens(0.5).then_some(GpuUse { program: None, need });
                Observation::GpuUse { device, by }
            }
            7 | 8 => Observation::Heat { device, at: self.heat() },
            9 => Observation::Person(Person::Here),
            10 => Observation::Person(Person::QuietSince(UnixMillis(self.now))),
            11 | 12 => {
                let (sent_bytes, received_bytes) =
                    (self.between(0, 50_000_000), self.between(0, 200_000_000));
                return self.give(Input::DataMoved(DataMoved { sent_bytes, received_bytes }));
            }
            _ => {
                let guard = Guard::ALL[self.between(0, Guard::ALL.len() as u64) as usize];
                return self.give(Input::SightLost { guard, fault: fault("guard_unreadable") });
            }
        };
        self.give(Input::Observed(seen));
    }

    fn heat(&mut self) -> Temperatures {
        let core = 70 + self.between(0, 20) as u16;
        Temperatures { core: Some(core), ..Temperatures::default() }
    }

    /// Nobody plays or works any more, on the mains, with cool devices.
    pub fn guards_clear(&mut self) {
        for device in 0..self.devices {
            self.give(Input::Observed(Observation::GpuUse { device, by: None }));
            self.give(Input::Observed(Observation::Heat { device, at: Temperatures::default() }));
        }
        self.give(Input::Observed(Observation::Person(Person::QuietSince(UnixMillis(self.now)))));
        self.give(Input::Observed(Observation::FullScreen(None)));
        self.give(Input::Observed(Observation::Power(Power::Mains)));
    }

    fn kill_if_alive(&mut self) {
        if self.machine.is_some() {
            self.kill_worker();
        }
    }
}
