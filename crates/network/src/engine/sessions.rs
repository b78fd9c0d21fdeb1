//! Who is connected, and who waits for work. Kept in memory: a restart ends every session.

use std::collections::BTreeMap;

use lull_network_api::NetworkMessage;
use lull_types::{AssignmentId, Fault, UnixMillis, WalletStatement, WorkerId};

use super::line::Line;
use super::turn::Turn;
use super::{Effect, Engine, SessionId};

/// Where the timing of a worker's devices stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timing {
    /// It was asked for.
    UnderWay,
    /// It could not be done, and is tried again then.
    NotBefore(UnixMillis),
    /// What is stored of every device counts until then, unless the worker enrols anew.
    Known(UnixMillis),
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    current: BTreeMap<WorkerId, SessionId>,
    /// Devices that wait for work.
    pub line: Line,
    timing: BTreeMap<WorkerId, Timing>,
    /// Accounts of which a round is wanted, and since when.
    rounds: BTreeMap<String, UnixMillis>,
    /// What a wallet's holder was last asked to sign.
    pub statements: BTreeMap<WorkerId, WalletStatement>,
    /// Receipts that are still to be sent again: the next nonce, by session.
    pub resend: BTreeMap<WorkerId, u64>,
}

impl Sessions {
    pub fn len(&self) -> usize {
        self.current.len()
    }

    pub fn is_current(&self, worker: WorkerId, session: SessionId) -> bool {
        self.current.get(&worker) == Some(&session)
    }

    /// Whether a worker is connected.
    pub fn has(&self, worker: WorkerId) -> bool {
        self.current.contains_key(&worker)
    }

    /// Everyone who is connected.
    pub fn workers(&self) -> impl Iterator<Item = WorkerId> + '_ {
        self.current.keys().copied()
    }

    pub fn remove(&mut self, worker: WorkerId, session: SessionId) {
        if self.is_current(worker, session) {
            self.current.remove(&worker);
            self.forget(worker);
        }
    }

    fn forget(&mut self, worker: WorkerId) {
        self.resend.remove(&worker);
        self.statements.remove(&worker);
        self.timing.remove(&worker);
        self.line.forget(worker);
    }

    /// Whether a worker's devices are to be timed now.
    pub fn is_timing_due(&self, worker: WorkerId, now: UnixMillis) -> bool {
        match self.timing.get(&worker) {
            None => true,
            Some(Timing::UnderWay) => false,
            Some(Timing::NotBefore(at) | Timing::Known(at)) => now >= *at,
        }
    }

    /// Since when a round of an account is wanted that has not ended.
    pub fn round_wanted_since(&self, account: &str) -> Option<UnixMillis> {
        self.rounds.get(account).copied()
    }

    /// A round of an account is wanted; gives since when.
    pub fn want_round(&mut self, account: &str, now: UnixMillis) -> UnixMillis {
        *self.rounds.entry(account.to_owned()).or_insert(now)
    }

    /// A round ended, or nobody is waited for any longer.
    pub fn round_ended(&mut self, account: &str) {
        self.rounds.remove(account);
    }

    /// The session of a worker that is connected.
    pub fn session(&self, worker: WorkerId) -> Option<SessionId> {
        self.current.get(&worker).copied()
    }

    /// Whether every device of a worker is known to be timed, so that nothing need be read.
    pub fn knows_timing(&self, worker: WorkerId, now: UnixMillis) -> bool {
        matches!(self.timing.get(&worker), Some(Timing::Known(until)) if now < *until)
    }

    /// The worker's devices, or what it says of them, may have changed.
    pub fn forget_known_timing(&mut self, worker: WorkerId) {
        if matches!(self.timing.get(&worker), Some(Timing::Known(_))) {
            self.timing.remove(&worker);
        }
    }

    /// A timing ended.
    pub fn end_timing(&mut self, worker: WorkerId, then: Option<Timing>) {
        match then {
            Some(then) => drop(self.timing.insert(worker, then)),
            None => drop(self.timing.remove(&worker)),
        }
    }

    /// Tells those who wait about fresh work.
    pub fn wake(&mut self, turn: &mut Turn<'_>) {
        for worker in self.line.call(std::mem::take(&mut turn.fresh)) {
            if let Some(session) = self.session(worker) {
                turn.effects.push(Effect::Send { worker, session, message: NetworkMessage::WorkWaiting });
            }
        }
    }
}

impl Engine {
    pub(super) fn connect(&mut self, turn: &mut Turn<'_>, worker: WorkerId, session: SessionId) {
        match self.sessions.current.insert(worker, session) {
            Some(older) if older != session => {
                self.sessions.forget(worker);
                turn.drop_session(worker, older);
            }
            _ => {}
        }
    }

    /// Says something to a worker, if it is connected.
    pub(super) fn send(&self, turn: &mut Turn<'_>, worker: WorkerId, message: NetworkMessage) {
        if let Some(session) = self.sessions.current.get(&worker) {
            turn.effects.push(Effect::Send { worker, session: *session, message });
        }
    }

    pub(super) fn refuse(
        &self,
        turn: &mut Turn<'_>,
        worker: WorkerId,
        assignment: Option<AssignmentId>,
        code: &str,
        sentence: &str,
    ) {
        let fault = Fault::new(code, sentence);
        self.send(turn, worker, NetworkMessage::Refused { assignment, fault });
    }
}
