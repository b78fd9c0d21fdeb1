//! The link to the network joined: the practice network's process, the session, enrolment, back-off.
//!
//! `Down → Opening → Greeting → Enrolling → Up`. A session enrols anew each time, which is how the network
//! learns of hardware that changed.

use std::time::Duration;

use lull_network_api::{Enrolment, NetworkInfo, NetworkTicket, WorkerMessage};
use lull_types::{BenchmarkReport, Fault, NetworkId, UnixMillis};

use super::Machine;
use super::answers::is_passing;
use super::backoff::SESSION;
use super::device::{Device, Hardware};
use super::effect::Effect;
use super::id::SessionId;
use super::out::Out;
use super::record::{JoinedNetwork, KnownNetwork, NetworkChoice, Record};

/// How long dialling may take: a relayed connection through two home routers is up within ten seconds.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the network may take to answer a greeting or an enrolment. A network that commits to a busy disk
/// still answers within seconds.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the practice network may take to start. It seeds its jobs the first time.
pub const PRACTICE_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to wait after an enrolment was refused: the answer will not change by itself soon, but an operator may
/// change it.
pub const REFUSED_RETRY: Duration = Duration::from_secs(300);

/// Where the practice network's process stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Practice {
    Off,
    Starting { since: UnixMillis },
    Running(NetworkTicket),
}

/// Where the session stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Session {
    /// There is none; the next is tried then.
    Down { retry_at: UnixMillis },
    /// It is being dialled.
    Opening { id: SessionId, since: UnixMillis },
    /// The greeting was sent.
    Greeting { id: SessionId, since: UnixMillis },
    /// The enrolment was sent.
    Enrolling { id: SessionId, since: UnixMillis },
    /// Enrolled.
    Up { id: SessionId },
}

impl Session {
    pub fn id(&self) -> Option<SessionId> {
        match self {
            Self::Down { .. } => None,
            Self::Opening { id, .. }
            | Self::Greeting { id, .. }
            | Self::Enrolling { id, .. }
            | Self::Up { id } => Some(*id),
        }
    }
}

/// The link, whole.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub practice: Practice,
    pub session: Session,
    /// Failures since the last success.
    pub attempts: u32,
    /// What went wrong with the last attempt.
    pub fault: Option<Fault>,
    /// Why the network does not want this worker.
    pub refused: Option<Fault>,
    /// Which revision of what this worker offers the network was told on this session.
    pub told: Option<u64>,
}

impl Link {
    pub fn new() -> Self {
        Self {
            practice: Practice::Off,
            session: Session::Down { retry_at: UnixMillis(0) },
            attempts: 0,
            fault: None,
            refused: None,
            told: None,
        }
    }

    /// The session on which work can be spoken of.
    pub fn up(&self) -> Option<SessionId> {
        match self.session {
            Session::Up { id } => Some(id),
            _ => None,
        }
    }
}

impl Machine {
    /// The id of the network joined, once it is known.
    pub(super) fn network_id(&self) -> Option<NetworkId> {
        let joined = self.network.as_ref()?;
        match (&joined.choice, &self.link.practice) {
            (NetworkChoice::Ticket(ticket), _) => Some(ticket.id),
            (NetworkChoice::Practice, Practice::Running(ticket)) => Some(ticket.id),
            (NetworkChoice::Practice, _) => joined.info.as_ref().map(|info| info.id),
        }
    }

    /// Moves towards an open session when one is wanted, and away from it when not.
    pub(super) fn drive_link(&mut self, now: UnixMillis, out: &mut Out) {
        if !self.wants_link() {
            self.hang_up(out);
            return;
        }
        match self.link.session.clone() {
            Session::Down { retry_at } => {
                if out.due(retry_at, now) {
                    self.dial(now, out);
                }
            }
            Session::Opening { since, .. } => {
                if out.due(since.after(OPEN_TIMEOUT), now) {
                    let fault =
                        Fault::new("network_unreachable", "The network did not answer; it is tried again.");
                    self.drop_session(fault, now, out);
                }
            }
            Session::Greeting { since, .. } | Session::Enrolling { since, .. } => {
                if out.due(since.after(ANSWER_TIMEOUT), now) {
                    let fault = Fault::new(
                        "network_silent",
                        "The network was reached but does not answer; it is tried again.",
                    );
                    self.drop_session(fault, now, out);
                }
            }
            Session::Up { id } => {
                if self.link.told != Some(self.offer_revision) {
                    self.enrol_on(id, out);
                }
            }
        }
    }

    /// Whether a session should be held: work is wanted or being handed back, and there is something to offer
    /// or to tell.
    fn wants_link(&self) -> bool {
        let active = self.works() || self.drain.is_some();
        self.network.is_some() && active && (self.can_enrol() || self.link.session.id().is_some())
    }

    /// Ends the session and the practice network.
    pub(super) fn hang_up(&mut self, out: &mut Out) {
        if let Some(session) = self.link.session.id() {
            out.effect(Effect::CloseSession { session });
        }
        if self.link.practice != Practice::Off && !self.works() && self.drain.is_none() {
            out.effect(Effect::StopPracticeNetwork);
            self.link.practice = Practice::Off;
        }
        self.forget_wallet_proof();
        self.forget_standings();
        self.link.session = Session::Down { retry_at: UnixMillis(0) };
        self.link.attempts = 0;
        self.link.fault = None;
        self.link.refused = None;
    }

    fn dial(&mut self, now: UnixMillis, out: &mut Out) {
        let Some(joined) = &self.network else { return };
        let ticket = match (&joined.choice, &self.link.practice) {
            (NetworkChoice::Ticket(ticket), _) | (NetworkChoice::Practice, Practice::Running(ticket)) => {
                ticket.clone()
            }
            (NetworkChoice::Practice, Practice::Starting { since }) => {
                if out.due(since.after(PRACTICE_TIMEOUT), now) {
                    let fault = Fault::new(
                        "practice_silent",
                        "The practice network did not start; it is tried again.",
                    );
                    self.on_practice_started(Err(fault), now, out);
                    out.effect(Effect::StopPracticeNetwork);
                }
                return;
            }
            (NetworkChoice::Practice, Practice::Off) => {
                self.link.practice = Practice::Starting { since: now };
                out.effect(Effect::StartPracticeNetwork);
                return;
            }
        };
        let session = SessionId(self.next_id());
        self.link.session = Session::Opening { id: session, since: now };
        out.effect(Effect::OpenSession { session, ticket });
    }

    pub(super) fn on_practice_started(
        &mut self,
        started: Result<NetworkTicket, Fault>,
        now: UnixMillis,
        out: &mut Out,
    ) {
        if !matches!(self.link.practice, Practice::Starting { .. }) {
            return;
        }
        match started {
            Ok(ticket) => self.link.practice = Practice::Running(ticket),
            Err(fault) => self.on_practice_ended(fault, now, out),
        }
    }

    pub(super) fn on_practice_ended(&mut self, fault: Fault, now: UnixMillis, out: &mut Out) {
        if self.link.practice == Practice::Off {
            return;
        }
        self.link.practice = Practice::Off;
        if matches!(self.network, Some(JoinedNetwork { choice: NetworkChoice::Practice, .. })) {
            self.drop_session(fault, now, out);
        }
    }

    pub(super) fn on_session_opened(&mut self, session: SessionId, now: UnixMillis, out: &mut Out) {
        let Session::Opening { id, .. } = self.link.session else { return };
        if id != session {
            return;
        }
        self.link.session = Session::Greeting { id, since: now };
        let nonce_held = self.network_id().and_then(|id| self.earned.get(&id)).map_or(0, |e| e.lane.nonce());
        let worker_version = self.identity.worker_version.clone();
        self.send(id, WorkerMessage::Hello { worker_version, nonce_held }, out);
    }

    pub(super) fn on_session_lost(&mut self, session: SessionId, fault: Fault, now: UnixMillis) {
        if self.link.session.id() == Some(session) {
            self.link_failed(fault, now);
        }
    }

    /// Gives up a session that is held or being opened, and tries again later.
    pub(super) fn drop_session(&mut self, fault: Fault, now: UnixMillis, out: &mut Out) {
        if let Some(session) = self.link.session.id() {
            out.effect(Effect::CloseSession { session });
        }
        self.link_failed(fault, now);
    }

    fn link_failed(&mut self, fault: Fault, now: UnixMillis) {
        self.link.attempts += 1;
        let retry_at = now.after(SESSION.wait(self.link.attempts, &mut self.chance));
        self.link.fault = Some(fault);
        self.forget_wallet_proof();
        self.forget_proof();
        self.forget_standings();
        self.link.session = Session::Down { retry_at };
        self.link.told = None;
    }

    pub(super) fn on_welcome(&mut self, info: &NetworkInfo, now: UnixMillis, out: &mut Out) {
        if self.network_id() != Some(info.id) {
            let sentence = "Another network answered than the one that was joined; it is tried again.";
            self.drop_session(Fault::new("network_wrong_id", sentence), now, out);
            return;
        }
        let known = Some(KnownNetwork::from(info));
        if let Some(joined) = &mut self.network
            && joined.info != known
        {
            joined.info = known;
            out.record(Record::Network(joined.clone()));
        }
        if let Session::Greeting { id, .. } = self.link.session {
            self.link.session = Session::Enrolling { id, since: now };
            self.enrol_on(id, out);
        }
    }

    /// Tells the network what this worker is and where its earnings are paid. Without anything to offer the
    /// session stays as it is: reports can still be told after the network has enrolled it before.
    fn enrol_on(&mut self, session: SessionId, out: &mut Out) {
        let Some(enrolment) = self.enrolment() else { return };
        self.link.told = Some(self.offer_revision);
        self.send(session, WorkerMessage::Enrol(Box::new(enrolment)), out);
    }

    pub(super) fn on_enrolled(&mut self, session: SessionId, out: &mut Out) {
        if !matches!(self.link.session, Session::Enrolling { .. }) {
            return;
        }
        self.link.session = Session::Up { id: session };
        self.link.attempts = 0;
        self.link.fault = None;
        self.link.refused = None;
        if let Some(joined) = &mut self.network
            && !joined.enrolled
        {
            joined.enrolled = true;
            out.record(Record::Network(joined.clone()));
        }
        self.send(session, WorkerMessage::SetWallet(self.wallets.wanted), out);
        self.repeat_countersignatures(session, out);
        self.repeat_reports(session, out);
    }

    /// The network refused something that is about no assignment.
    pub(super) fn on_refused(&mut self, fault: Fault, now: UnixMillis, out: &mut Out) {
        match self.link.session {
            Session::Greeting { .. } | Session::Enrolling { .. } if is_passing(&fault) => {
                self.drop_session(fault, now, out);
            }
            Session::Greeting { .. } | Session::Enrolling { .. } => {
                self.drop_session(fault.clone(), now, out);
                self.link.session = Session::Down { retry_at: now.after(REFUSED_RETRY) };
                self.notify_problem(&fault, now, out);
                self.link.refused = Some(fault);
            }
            // The session goes on: what was refused changed nothing.
            Session::Up { .. } => {
                if !self.is_about_wallet(&fault, now, out) && !self.is_about_proof(&fault) {
                    self.notify_problem(&fault, now, out);
                }
            }
            Session::Down { .. } | Session::Opening { .. } => {}
        }
    }

    /// The devices that are offered to a network.
    pub(super) fn offered(&self) -> impl Iterator<Item = &Device> {
        self.devices.iter().filter(|d| d.set_aside.is_none() && self.is_lent(d.info.index))
    }

    /// Whether there is something to offer, and all of it is measured.
    pub(super) fn can_enrol(&self) -> bool {
        let measured = |device: &Device| self.benchmark_of(&device.info).is_some();
        self.offered().next().is_some() && self.offered().all(measured)
    }

    /// What this worker offers; `None` while a device that could be offered is not measured, or none is.
    fn enrolment(&self) -> Option<Enrolment> {
        let Hardware::Known { report, .. } = &self.hardware else { return None };
        if !self.can_enrol() {
            return None;
        }
        // How hot the device became is nobody's business but the contributor's.
        let without_telemetry =
            |report: &BenchmarkReport| BenchmarkReport { sustained_telemetry: Vec::new(), ..report.clone() };
        let benchmarks =
            self.offered().filter_map(|d| self.benchmark_of(&d.info)).map(without_telemetry).collect();
        Some(Enrolment { hardware: report.clone(), benchmarks, kinds: self.kinds().cloned().collect() })
    }

    pub(super) fn send(&self, session: SessionId, message: WorkerMessage, out: &mut Out) {
        out.effect(Effect::Send { session, message: Box::new(message) });
    }
}
