//! Files that the worker has written.

use std::path::{Path, PathBuf};

use lull_types::Fault;

/// Opens the folder of a file in the system's file manager, with the file selected where that is possible.
/// Nothing is run or opened but the folder.
#[tauri::command]
pub async fn reveal_file(path: String) -> Result<(), Fault> {
    let file = existing(Path::new(&path))?;
    tauri_plugin_opener::reveal_item_in_dir(&file).map_err(|error| {
        let sentence =
            format!("The file is at {}, but no file manager could be opened: {error}.", file.display());
        Fault::new("file_manager_failed", sentence)
    })
}

fn existing(path: &Path) -> Result<PathBuf, Fault> {
    let missing = || Fault::new("file_missing", format!("There is no file at {} any more.", path.display()));
    if !path.is_absolute() {
        return Err(missing());
    }
    path.canonicalize().map_err(|_| missing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_absolute_paths_of_files_that_exist_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("receipts.json");
        assert_eq!(existing(&file).unwrap_err().code, "file_missing");
        std::fs::write(&file, "").unwrap();
        assert!(existing(&file).is_ok());
        assert_eq!(existing(Path::new("Cargo.toml")).unwrap_err().code, "file_missing");
    }
}
