//! Where a device stands that gets no work, in words.

use lull_types::UnixMillis;
use lull_worker_api::{Counted, DeviceStanding, Exclusion};

use super::text::{plain, seconds_until};

/// In lines: its place, then what keeps it from each task that waits, and what would help.
pub(super) fn lines(standing: &DeviceStanding, now: UnixMillis) -> Vec<String> {
    let waits = match standing.withheld.is_empty() {
        true => "no task waits",
        false => "no task waits that it may have",
    };
    let place = match standing.ahead {
        None => String::new(),
        Some(Counted { count: 0, .. }) => "; it is the next to be called".to_owned(),
        Some(ahead) => format!("; {} have been asking for longer", counted(ahead, "device")),
    };
    let withheld = standing
        .withheld
        .iter()
        .map(|group| format!("{}: {}", counted(group.tasks, "task"), exclusion(&group.by, now)));
    std::iter::once(format!("{waits}{place}")).chain(withheld).collect()
}

fn counted(Counted { count, or_more }: Counted, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let more = if or_more { " or more" } else { "" };
    format!("{count}{more} {noun}{plural}")
}

fn exclusion(by: &Exclusion, now: UnixMillis) -> String {
    match by {
        Exclusion::NotEnrolled => "this worker is not enrolled yet, which it does by itself".to_owned(),
        Exclusion::Kind { kind } => {
            format!("of the kind {}, which nothing on this machine runs; a newer version may", plain(kind))
        }
        Exclusion::NotMeasured => {
            "the network has no benchmark of this device; measure it with “lull-worker benchmark”".to_owned()
        }
        Exclusion::DeviceClass => {
            "second opinions on results of another make of device; nothing needs to be done".to_owned()
        }
        Exclusion::BeingTimed => "the network times this machine first, which takes a moment".to_owned(),
        Exclusion::Refuted { again_at } => format!(
            "this machine was timed and is less than it claims; measure it with nothing else running, it is timed again \
             in {}",
            seconds_until(now, *again_at)
        ),
        Exclusion::FoundWrong => {
            "this machine got them wrong, so others get them; update its driver and undo any overclocking"
                .to_owned()
        }
        Exclusion::OwnReport => {
            "results of this machine that another one has to confirm; nothing needs to be done".to_owned()
        }
        Exclusion::TriedLately { again_at } => format!(
            "tried here and not done, so others come first; the first may come back in {}",
            seconds_until(now, *again_at)
        ),
        Exclusion::BackingOff { again_at } => {
            format!("failed a moment ago; the first is given out again in {}", seconds_until(now, *again_at))
        }
    }
}

#[cfg(test)]
mod tests {
    use lull_worker_api::Withheld;

    use super::*;

    #[test]
    fn a_place_and_each_group_have_a_line() {
        let counted = |count, or_more| Counted { count, or_more };
        let told = |ahead, groups: &[(Counted, Exclusion)]| {
            let withheld = groups.iter().map(|(tasks, by)| Withheld { tasks: *tasks, by: by.clone() });
            let standing = DeviceStanding { told_at: UnixMillis(0), ahead, withheld: withheld.collect() };
            lines(&standing, UnixMillis(0))
        };
        assert_eq!(told(None, &[]), ["no task waits"]);
        assert_eq!(told(Some(counted(0, false)), &[]), ["no task waits; it is the next to be called"]);
        let groups = [
            (counted(1000, true), Exclusion::Kind { kind: "infer/1".into() }),
            (counted(1, false), Exclusion::BackingOff { again_at: UnixMillis(4_000) }),
        ];
        assert_eq!(
            told(Some(counted(3, false)), &groups),
            [
                "no task waits that it may have; 3 devices have been asking for longer",
                "1000 or more tasks: of the kind infer/1, which nothing on this machine runs; a newer version may",
                "1 task: failed a moment ago; the first is given out again in 4 s",
            ]
        );
    }
}
