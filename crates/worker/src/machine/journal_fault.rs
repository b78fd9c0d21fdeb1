//! When the journal cannot be written: nothing is done that could not be written down, and all that is believed
//! is read again once it can be.

use lull_types::{Fault, UnixMillis};

use super::Machine;
use super::backoff::LOCAL;
use super::challenge;
use super::device::Hardware;
use super::effect::Effect;
use super::input::{Input, Order};
use super::link::{Link, Practice};
use super::out::Out;
use super::record::{Pause, Record};

/// The journal failed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct JournalFault {
    pub fault: Fault,
    pub retry_at: UnixMillis,
    pub failures: u32,
    /// It is being read again.
    pub restoring: bool,
}

impl Machine {
    /// Records were not written and the effects after them not done. What the machine believes is ahead of the
    /// journal, so that it is given up, and with it every process that was begun on that belief.
    pub(super) fn on_journal_failed(&mut self, fault: Fault, now: UnixMillis, out: &mut Out) {
        out.keep_urgent_only();
        let failures = self.journal_fault.as_ref().map_or(0, |failure| failure.failures) + 1;
        let retry_at = now.after(LOCAL.wait(failures, &mut self.chance));
        self.journal_fault = Some(JournalFault { fault, retry_at, failures, restoring: false });
        let leases: Vec<_> = self.leases.iter().map(|held| held.lease.id).collect();
        for lease in leases {
            self.leases.kill(lease, now, out);
        }
        self.hang_up(out);
        if self.link.practice != Practice::Off {
            out.effect(Effect::StopPracticeNetwork);
        }
        self.link = Link::new();
        for task in std::mem::take(&mut self.tasks) {
            if let super::task::Activity::Transfer { id, .. } = task.activity {
                out.effect(Effect::StopTransfer { transfer: id });
            }
        }
        if matches!(self.hardware, Hardware::Looking) {
            self.hardware = Hardware::Unknown;
        }
        self.forget_wanted_benchmark();
        self.forget_trips();
        self.drain = None;
        if self.shutting_down {
            self.exited = true;
            out.effect(Effect::Exit);
        }
    }

    /// What is still heard while the journal fails.
    pub(super) fn take_while_journal_fails(&mut self, input: Input, now: UnixMillis, out: &mut Out) {
        match input {
            Input::JournalFailed(fault) => self.on_journal_failed(fault, now, out),
            Input::JournalRestored(restored) => {
                let asked = self.journal_fault.as_ref().is_some_and(|failure| failure.restoring);
                if asked {
                    self.journal_fault = None;
                    let written = restored.pauses.clone();
                    self.load(*restored);
                    self.policy.follow(self.settings.guards.clone(), now);
                    self.record_pauses(&written, now, out);
                }
            }
            Input::Freed { lease } => {
                self.leases.freed(lease);
                self.benchmark.on_freed(lease);
            }
            Input::BenchmarkEnded { lease, .. }
            | Input::ChallengeEnded { lease, .. }
            | Input::RunEnded { lease, .. } => self.leases.ended(lease, now),
            Input::ChallengeAsked { challenge, .. } => {
                let fault = challenge::not_now("its journal cannot be written");
                out.urgent(Effect::DeclineChallenge { challenge, fault });
            }
            Input::Observed(seen) => self.policy.observe(seen, now),
            Input::DataMoved(moved) => self.on_data_moved(moved, now),
            Input::SightLost { guard, .. } => self.policy.lose_sight(guard, now),
            Input::PowerLimit { device, limit } => self.power_limits.stands(device, limit),
            // A pause frees the GPU, which needs no record; it is only forgotten by a restart.
            Input::Order(Order::Pause { duration, device }) => {
                self.pause(duration, device, now, &mut Out::default());
            }
            Input::Order(Order::Resume { device }) => self.policy.resume(device, now),
            Input::Order(Order::Shutdown) => {
                self.shutting_down = true;
                self.exited = true;
                out.effect(Effect::Exit);
            }
            Input::Order(
                Order::Start
                | Order::Stop
                | Order::Benchmark { .. }
                | Order::CancelBenchmark
                | Order::Join(_)
                | Order::SetWallet(_)
                | Order::StateWallet { .. }
                | Order::ProveWallet { .. }
                | Order::SetPayoutThreshold(_)
                | Order::WantProof { .. }
                | Order::TellClaimed { .. }
                | Order::KeepWallet(_)
                | Order::UseKeptWallet { .. }
                | Order::ForgetKeptWallet
                | Order::Configure(_),
            )
            | Input::DevicesFound(_)
            | Input::BenchmarkProgress { .. }
            | Input::RunStarted { .. }
            | Input::RunProgress { .. }
            | Input::ShiftProgress { .. }
            | Input::DeviceUnseen(_)
            | Input::PowerLimitStuck(_)
            | Input::PracticeStarted(_)
            | Input::PracticeEnded(_)
            | Input::SessionOpened { .. }
            | Input::SessionLost { .. }
            | Input::NetworkSaid { .. }
            | Input::Fetched { .. }
            | Input::FetchFailed { .. }
            | Input::Uploaded { .. }
            | Input::UploadFailed { .. }
            | Input::SignedAsWallet { .. }
            | Input::Tick => {}
        }
    }

    /// Writes down what became of pauses while nothing could be written.
    fn record_pauses(&mut self, written: &[Pause], now: UnixMillis, out: &mut Out) {
        let pauses = self.kept_pauses(now);
        if pauses != written {
            out.record(Record::Pauses(pauses));
        }
    }

    /// Asks for the journal again when it is time.
    pub(super) fn drive_journal(&mut self, now: UnixMillis, out: &mut Out) {
        let Some(failure) = &mut self.journal_fault else { return };
        if self.exited || failure.restoring || !out.due(failure.retry_at, now) {
            return;
        }
        failure.restoring = true;
        out.effect(Effect::Restore);
    }
}
