//! Gathers what one call of the machine decides, in the order in which the shell must do it.

use lull_types::UnixMillis;

use super::effect::Effect;
use super::record::Record;

/// The decisions of one call.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// Frees the GPU; must not wait for the disk, and needs no record.
    urgent: Vec<Effect>,
    /// Written before anything of `effects` is done, so that nothing irreversible comes before its record.
    records: Vec<Record>,
    effects: Vec<Effect>,
    /// The earliest instant at which something becomes due.
    wake: Option<UnixMillis>,
    publish: bool,
}

impl Out {
    pub fn urgent(&mut self, effect: Effect) {
        self.urgent.push(effect);
    }

    pub fn record(&mut self, record: Record) {
        self.records.push(record);
    }

    pub fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub fn publish(&mut self) {
        self.publish = true;
    }

    /// Forgets what was decided but for what frees the GPU. For a journal that cannot be written.
    pub fn keep_urgent_only(&mut self) {
        self.records.clear();
        self.effects.clear();
    }

    /// Whether `instant` has come; if not, the machine is woken then.
    pub fn due(&mut self, instant: UnixMillis, now: UnixMillis) -> bool {
        if now >= instant {
            return true;
        }
        self.wake = Some(self.wake.map_or(instant, |wake| wake.min(instant)));
        false
    }

    /// How much was decided so far.
    pub fn len(&self) -> usize {
        self.urgent.len() + self.records.len() + self.effects.len()
    }

    /// Forgets the wake-ups asked for so far, because they are about to be asked for again.
    pub fn forget_wake(&mut self) {
        self.wake = None;
    }

    pub fn wake(&self) -> Option<UnixMillis> {
        self.wake
    }

    pub fn into_effects(self) -> Vec<Effect> {
        let mut effects = self.urgent;
        if !self.records.is_empty() {
            effects.push(Effect::Journal(self.records));
        }
        effects.extend(self.effects);
        if self.publish {
            effects.push(Effect::Publish);
        }
        effects
    }
}
