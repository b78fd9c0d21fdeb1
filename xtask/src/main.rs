//! All automation of the repository: `cargo xtask run`, `test`, `bundle`, `bindings`, `program`, `cross`,
//! `models`, `validator`.

mod bindings;
mod bundle;
mod command;
mod cross;
mod fuzz;
mod models;
mod program;
mod run;
mod setup;
mod stages;
mod test;
mod validator;

use std::process::ExitCode;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  run [ARGS]     set up, build, and open the app; with no display, run the worker in the terminal
                 (ARGS go to `lull-worker run`, such as `--tasks 3`)
  test           everything that must pass
  bundle         deb and rpm packages with the app, worker, runtime and network
  bindings       write the user interface's types from the worker's
  program        set up a toolchain for it, build the on-chain program, write its artefact
                 (`--measure` prints what each instruction costs)
  cross          set up a toolchain for it, type-check Windows and macOS, run Windows tests under Wine
  models         fetch a language model and what inference is tried with, once
  validator      build Solana's own validator, once, and run payouts on it
  fuzz [SECONDS] run every fuzz target for so long (default 60)
  window [RUNS]  walk the real window from wizard to first receipt, RUNS times (default 1)
  setup          install what building and testing need";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) =
        arguments.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let result = match command {
        "run" => run::run(rest),
        "test" => test::test(),
        "bundle" => bundle::bundle(),
        "bindings" => bindings::write(),
        "program" if rest.first().is_some_and(|option| option == "--measure") => program::measure(),
        "program" => program::write(),
        "cross" => cross::everything(),
        "models" => models::set_up(),
        "validator" => validator::everything(),
        "fuzz" => fuzz::run(rest.first().and_then(|text| text.parse().ok()).unwrap_or(60)),
        "window" => test::window(rest.first().and_then(|text| text.parse().ok()).unwrap_or(1)),
        "setup" => setup::everything(),
        "" | "help" | "--help" | "-h" => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        other => {
            eprintln!("`{other}` is not a command.\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
