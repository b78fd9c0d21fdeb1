//! What every runtime must do, checked from outside, on the fake and on the real ones.
//!
//! A crate with a runtime runs the whole suite by one line:
//! ```ignore
//! lull_testkit::runtime_contract!(Some(Subject { program, computes: true }));
//! ```

mod checks;
mod memory;
mod tasks;

use std::path::PathBuf;

pub use checks::*;
pub use memory::*;

/// A runtime program that is checked.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its path.
    pub program: PathBuf,
    /// Whether outputs are computed, rather than made up as the fake does.
    pub computes: bool,
}

/// Makes a test of every check. The argument is an expression of type `Option<Subject>`; with `None`, all tests
/// say that they were skipped.
#[macro_export]
macro_rules! runtime_contract {
    ($subject:expr) => {
        $crate::runtime_contract!(@ $subject;
            says_hello,
            refuses_another_protocol,
            refuses_work_before_hello,
            lists_its_devices,
            measures_what_is_asked,
            cancels_a_benchmark,
            answers_the_challenge,
            fills_and_reads_memory,
            says_when_memory_is_not_enough,
            takes_no_step_of_the_challenge_out_of_order,
            runs_a_task,
            gives_the_same_twice,
            survives_bad_tasks,
            refuses_what_it_does_not_know,
            refuses_a_second_run_while_busy,
            cancels_a_run,
            keeps_the_time_limit,
            rests_as_it_is_paced,
            ignores_a_cancel_without_work,
            ends_on_shutdown,
            ends_when_its_input_ends,
            ends_when_its_input_ends_in_a_run,
            ends_on_garbage,
        );
    };
    (@ $subject:expr; $($check:ident,)*) => {
        $(
            #[tokio::test]
            async fn $check() -> anyhow::Result<()> {
                match $subject {
                    Some(subject) => $crate::runtime_contract::$check(&subject).await,
                    None => {
                        eprintln!("SKIPPED: {} needs a device, and there is none", stringify!($check));
                        Ok(())
                    }
                }
            }
        )*
    };
}
