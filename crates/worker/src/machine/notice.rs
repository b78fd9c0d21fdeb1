//! What a person is told once.

use std::time::Duration;

use lull_types::{Fault, UnixMillis};
use lull_worker_api::Notice;

use super::Machine;
use super::effect::Effect;
use super::out::Out;
use super::record::Record;

/// How many notices are kept: more than anyone reads, few enough to be sent with every snapshot.
pub const NOTICES_KEPT: usize = 50;

/// The same problem is told again after an hour at the earliest. What is wrong now is in the state all the time.
pub const NOTICE_REPEAT_AFTER: Duration = Duration::from_secs(3600);

impl Machine {
    /// Tells a person something once.
    pub(super) fn notify(
        &mut self,
        code: &str,
        sentence: String,
        problem: bool,
        now: UnixMillis,
        out: &mut Out,
    ) {
        let id = self.notices.back().map_or(1, |last| last.id + 1);
        let notice = Notice { id, at: now, code: code.to_owned(), sentence, problem };
        self.notices.push_back(notice.clone());
        if self.notices.len() > NOTICES_KEPT {
            self.notices.pop_front();
        }
        out.record(Record::Notice(notice.clone()));
        out.effect(Effect::Notify(notice));
    }

    /// Tells a person of a problem, unless it was told within the last hour.
    pub(super) fn notify_problem(&mut self, fault: &Fault, now: UnixMillis, out: &mut Out) {
        let recent = self
            .notices
            .iter()
            .any(|notice| notice.code == fault.code && now < notice.at.after(NOTICE_REPEAT_AFTER));
        if !recent {
            self.notify(&fault.code, fault.sentence.clone(), true, now, out);
        }
    }
}
