//! The workers' part in the world: what they do, and what becomes of what they say.

use lull_network::engine::{BlobOwner, Input, SessionId};
use lull_network_api::{NetworkMessage, WorkerMessage};
use lull_types::{BlobHash, UnixMillis};

use super::{Event, Origin, World};
use crate::network::Quality;
use crate::worker::{Character, Stage};

impl World {
    /// When a message arrives: never, once or twice, and not always before the next one.
    pub(super) fn fate(&mut self, start: u64) -> Vec<u64> {
        if !self.faulty(start) {
            return vec![self.dice.between(1, 30)];
        }
        match self.dice.below(100) {
            0..10 => {
                self.totals.lost += 1;
                Vec::new()
            }
            10..20 => {
                self.totals.doubled += 1;
                vec![self.dice.between(1, 200), self.dice.between(1, 900)]
            }
            _ => vec![self.dice.between(1, 200)],
        }
    }

    pub(super) fn say(&mut self, n: usize, message: WorkerMessage, start: u64) {
        let Some(session) = self.workers[n].session else { return };
        let worker = self.workers[n].id;
        self.tell(|| format!("{} → network: {message:?}", worker.short()));
        for delay in self.fate(start) {
            let input = Input::FromWorker { worker, session, message: message.clone() };
            self.at(delay, Event::ToNetwork(input, Origin::Nobody));
        }
    }

    pub(super) fn worker_hears(&mut self, n: usize, session: SessionId, message: NetworkMessage, start: u64) {
        if self.workers[n].session == Some(session)
            && let Some(answer) = self.workers[n].hears(message)
        {
            self.say(n, answer, start);
        }
    }

    /// A worker does what it does about every second.
    pub(super) fn step(&mut self, n: usize, start: u64) {
        let delay = self.dice.between(700, 2_100);
        self.at(delay, Event::Step(n));
        let now = UnixMillis(self.now);
        let worker = self.workers[n].id;
        if self.faulty(start) && self.dice.percent(2) {
            self.tell(|| format!("{} crashes", worker.short()));
            self.workers[n].crash(now);
            self.totals.worker_crashes += 1;
            return;
        }
        // A receipt that was lost on its way comes with the next session.
        let churn = if self.faulty(start) { 4 } else { 15 };
        let gap = self.workers[n].wants_new_session() || self.dice.percent(churn);
        if let Some(session) = self.workers[n].session
            && gap
        {
            self.workers[n].disconnect();
            self.give(Input::WorkerDisconnected { worker, session }, Origin::Nobody);
        }
        if self.workers[n].session.is_none() {
            self.sessions += 1;
            let session = SessionId(self.sessions);
            self.workers[n].session = Some(session);
            self.give(Input::WorkerConnected { worker, session }, Origin::Nobody);
            for message in self.workers[n].greets() {
                self.say(n, message, start);
            }
            return;
        }
        self.run_work(n, start);
        for message in self.workers[n].says() {
            if let WorkerMessage::Report { outputs, .. } = &message
                && (!self.faulty(start) || !self.dice.percent(5))
            {
                for hash in outputs.clone() {
                    let by = BlobOwner::Worker(worker);
                    self.give(Input::BlobStored { hash, bytes: 1, by }, Origin::Nobody);
                }
            }
            // Progress is chatter; some of it will do.
            if !matches!(message, WorkerMessage::Progress { .. }) || self.dice.percent(10) {
                self.say(n, message, start);
            }
        }
    }

    pub(super) fn run_work(&mut self, n: usize, start: u64) {
        let faulty = self.faulty(start);
        let worker = &mut self.workers[n];
        for work in worker.work.values_mut() {
            let Stage::Running { until } = work.stage else { continue };
            if until == UnixMillis(0) {
                let hangs = faulty && self.dice.percent(6);
                let takes = if hangs { 60_000 } else { self.dice.between(100, 1_500) };
                work.stage = Stage::Running { until: UnixMillis(self.now + takes) };
            } else if until.0 <= self.now {
                let payload = work.assignment.payload;
                let cheats = match worker.character {
                    Character::Honest => false,
                    Character::Cheat(share) => self.dice.percent(share),
                };
                work.stage = if cheats {
                    let text = format!("wrong {} {payload}", worker.id);
                    Stage::Reporting { outputs: vec![self.library.note(&text, Quality::Wrong)] }
                } else if self.library.is_poison(payload) {
                    Stage::HandingBack { code: "task_fault" }
                } else if faulty && self.dice.percent(8) {
                    Stage::HandingBack { code: "game_started" }
                } else {
                    let words = if self.dice.percent(70) { "right" } else { "nearly right" };
                    Stage::Reporting { outputs: vec![BlobHash::of(format!("{words} {payload}").as_bytes())] }
                };
            }
        }
    }
}
