//! The fake runtime keeps the contract of runtimes.

use lull_testkit::runtime_contract::Subject;

fn fake() -> Option<Subject> {
    Some(Subject { program: env!("CARGO_BIN_EXE_lull-runtime-fake").into(), computes: false })
}

lull_testkit::runtime_contract!(fake());
