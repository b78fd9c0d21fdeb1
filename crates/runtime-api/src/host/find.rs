//! Where the runtime programs are.

use std::path::PathBuf;

use super::RuntimeError;

/// Names a folder that holds the runtime programs, instead of the folder of the program that runs.
const RUNTIME_DIR_ENV: &str = "LULL_RUNTIME_DIR";

/// The path of the runtime `name`, such as `lull-runtime-gpu`: beside the current program, or in the folder
/// that the environment variable `LULL_RUNTIME_DIR` names.
pub fn find_runtime(name: &str) -> Result<PathBuf, RuntimeError> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let program = match std::env::var_os(RUNTIME_DIR_ENV) {
        Some(folder) => PathBuf::from(folder).join(file),
        None => std::env::current_exe()
            .map_err(|error| RuntimeError::NotStarted {
                program: PathBuf::from(name),
                reason: error.to_string(),
            })?
            .with_file_name(file),
    };
    if program.is_file() { Ok(program) } else { Err(RuntimeError::Missing { program }) }
}
