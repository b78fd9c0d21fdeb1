//! Who uses the GPU, by what its driver publishes of each client in the system's registry. Apple documents none of it;
//! programs that show the use of a Mac go by the same.
//!
//! A client is a connection of a process: `IOUserClientCreator` says whose it is, as `pid 533, WindowServer`, and `AppUsage`
//! lists, for each interface by which it is used, the time in nanoseconds for which the GPU has worked for it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Value;
use crate::gpu_use::{ProcessUse, Processes, Who, shown};

/// Whose a client is.
const CREATOR: &str = "IOUserClientCreator";
/// What the GPU did for it.
const USAGE: &str = "AppUsage";
const BUSY_NS: &str = "accumulatedGPUTime";

/// Lull's programs, by the beginning of their names.
const OWN_PREFIX: &str = "lull";

/// A connection of a process to a GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::probes) struct Client {
    /// The registry's number of it, which no other is given until the machine is started again.
    pub id: u64,
    pub pid: u32,
    /// The process's name, as the kernel has cut it.
    pub program: Option<String>,
    /// For so long the GPU has worked for it.
    pub busy_ns: u64,
}

impl Client {
    /// By what is published of it under names; `None` where that is not whose it is and what was done for it.
    pub fn of(id: u64, published: impl Fn(&'static str) -> Option<Value>) -> Option<Self> {
        let Value::Text(creator) = published(CREATOR)? else { return None };
        let (pid, program) = creator.trim().strip_prefix("pid ")?.split_once(',')?;
        let times: Vec<u64> =
            published(USAGE)?.items().iter().filter_map(|used| used.count(BUSY_NS)).collect();
        let busy_ns = times.iter().fold(0u64, |sum, ns| sum.saturating_add(*ns));
        let pid = pid.trim().parse().ok()?;
        (!times.is_empty()).then(|| Self { id, pid, program: shown(program.trim()), busy_ns })
    }
}

/// Makes loads of what was done for clients until then.
#[derive(Debug, Default)]
pub(in crate::probes) struct Loads {
    before: Option<(Duration, BTreeMap<u64, u64>)>,
}

impl Loads {
    /// What was seen is not to be compared with any more.
    pub fn forget(&mut self) {
        self.before = None;
    }

    /// What each process did since this was asked last.
    pub fn uses(&mut self, clients: &[Client], now: Duration, people: &mut dyn Processes) -> Vec<ProcessUse> {
        let times = clients.iter().map(|client| (client.id, client.busy_ns)).collect();
        let before = self.before.replace((now, times));
        let mut uses = BTreeMap::<u32, ProcessUse>::new();
        for client in clients {
            let used = uses.entry(client.pid).or_insert_with(|| {
                let Who { program, is_ours } = who(client, people);
                ProcessUse { pid: client.pid, program, is_ours, load: None, memory_bytes: None }
            });
            if let Some((at, times)) = &before
                && let Some(busy_ns) = times.get(&client.id)
                && now > *at
            {
                let share = client.busy_ns.saturating_sub(*busy_ns) as f64 / (now - *at).as_nanos() as f64;
                used.load = Some((used.load.unwrap_or(0.0) + share).min(1.0));
            }
        }
        uses.into_values().collect()
    }
}

/// Whose a client is; the kernel's word for it where the process must not be looked at, as another user's.
fn who(client: &Client, people: &mut dyn Processes) -> Who {
    people.who(client.pid).unwrap_or_else(|| Who {
        program: client.program.clone(),
        is_ours: client.program.as_ref().is_some_and(|name| name.to_lowercase().starts_with(OWN_PREFIX)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{table, text};
    use super::*;

    const MS: u64 = 1_000_000;

    fn usage(times: &[i64]) -> Value {
        let of = |ns: &i64| table(&[("API", text("Metal")), (BUSY_NS, Value::Whole(*ns))]);
        Value::List(times.iter().map(of).collect())
    }

    #[test]
    fn clients_are_read_as_they_come() {
        let check = |creator: &str, used: Value, expected: Option<(u32, &str, u64)>| {
            let published = table(&[(CREATOR, text(creator)), (USAGE, used)]);
            let client = Client::of(9, |name| published.get(name).cloned());
            let expected = expected.map(|(pid, program, busy_ns)| Client {
                id: 9,
                pid,
                program: (!program.is_empty()).then(|| program.to_owned()),
                busy_ns,
            });
            assert_eq!(client, expected, "{creator}");
        };
        check("pid 533, WindowServer", usage(&[5]), Some((533, "WindowServer", 5)));
        check("pid 7, A, B\u{1b}", usage(&[5, 7, 0]), Some((7, "A, B", 12)));
        check("pid 7,", usage(&[1]), Some((7, "", 1)));
        check("pid 7, game", usage(&[-1, 3]), Some((7, "game", 3)));
        check("pid 7, game", usage(&[i64::MAX, i64::MAX, i64::MAX]), Some((7, "game", u64::MAX)));
        for creator in ["", "pid", "pid 7", "pid x, game", "pid -7, game", "533, WindowServer"] {
            check(creator, usage(&[5]), None);
        }
        for used in [Value::Other, usage(&[]), usage(&[-1]), Value::List(vec![table(&[])])] {
            check("pid 7, game", used, None);
        }
        assert_eq!(Client::of(9, |_| Some(Value::Whole(7))), None);
        assert_eq!(Client::of(9, |_| None), None);
    }

    /// A machine on which only Lull's processes may be looked at.
    struct Fake;

    impl Processes for Fake {
        fn who(&mut self, pid: u32) -> Option<Who> {
            (pid == 60).then(|| Who { program: Some("lull-runtime-gpu".to_owned()), is_ours: true })
        }
    }

    #[test]
    fn loads_are_what_was_done_between_two_looks() {
        let client = |id, pid, program: &str, busy_ms| Client {
            id,
            pid,
            program: Some(program.to_owned()),
            busy_ns: busy_ms * MS,
        };
        let mut loads = Loads::default();
        let mut uses = |at_ms, clients: &[Client]| -> Vec<(u32, String, bool, Option<f64>)> {
            let uses = loads.uses(clients, Duration::from_millis(at_ms), &mut Fake);
            let told = |used: ProcessUse| (used.pid, used.program.unwrap(), used.is_ours, used.load);
            uses.into_iter().map(told).collect()
        };
        let name = str::to_owned;
        assert_eq!(uses(1000, &[client(1, 7, "game", 5000)]), [(7, name("game"), false, None)]);
        // Another connection of the same process, and our own.
        let seen = [client(1, 7, "game", 5250), client(2, 7, "game", 9000), client(3, 60, "x", 700)];
        let first = [(7, name("game"), false, Some(0.25)), (60, name("lull-runtime-gpu"), true, None)];
        assert_eq!(uses(2000, &seen), first);
        let seen = [client(2, 7, "game", 9500), client(3, 60, "x", 1700), client(4, 61, "Lull", 0)];
        let then = [
            (7, name("game"), false, Some(0.5)),
            (60, name("lull-runtime-gpu"), true, Some(1.0)),
            (61, name("Lull"), true, None),
        ];
        assert_eq!(uses(3000, &seen), then);
        // More than there is time, and less than before.
        let seen = [client(2, 7, "game", 99_500), client(3, 60, "x", 0)];
        let loads_of = uses(4000, &seen).into_iter().map(|(.., load)| load).collect::<Vec<_>>();
        assert_eq!(loads_of, [Some(1.0), Some(0.0)]);
        // No time has passed.
        assert!(uses(4000, &seen).iter().all(|(.., load)| load.is_none()));
        loads.forget();
        assert!(loads.uses(&seen, Duration::from_secs(9), &mut Fake).iter().all(|used| used.load.is_none()));
    }
}
