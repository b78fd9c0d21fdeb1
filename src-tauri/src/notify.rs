//! The worker's notices as the system's notifications: the first earning, and problems. Each is shown once, also
//! over restarts of the app.

use std::io;
use std::path::{Path, PathBuf};

use lull_worker_api::Notice;
use tauri::AppHandle;
use tauri_plugin_notification::NotificationExt;

use crate::language::Language;

/// A person who comes back after a bad night is told of the newest so many, not of each.
const AT_ONCE_MAX: usize = 3;

/// Shows notices and remembers which.
#[derive(Debug)]
pub struct Notifier {
    file: PathBuf,
    highest_shown: u64,
    language: Language,
}

impl Notifier {
    /// One that remembers in `folder`.
    pub fn new(folder: &Path, language: Language) -> Self {
        let file = folder.join("highest-notice-shown");
        let highest_shown =
            std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Self { file, highest_shown, language }
    }

    /// Shows those of `notices` that were not shown yet.
    pub fn show(&mut self, app: &AppHandle, notices: &[Notice]) {
        for notice in self.take_fresh(notices) {
            let (title, body) = text_of(notice, self.language);
            // Without a notification service there is nobody to show it; the window lists problems anyway.
            if let Err(error) = app.notification().builder().title(title).body(body).show() {
                tracing::warn!("a notification cannot be shown: {error}");
            }
        }
    }

    /// Those that are to be shown now, which count as shown from here on: it is written down first, so that a
    /// notice is rather lost than repeated at every start.
    fn take_fresh<'a>(&mut self, notices: &'a [Notice]) -> &'a [Notice] {
        let Some(newest) = notices.last() else { return &[] };
        if newest.id < self.highest_shown {
            // Ids only rise, so this is another worker, such as one whose data was deleted.
            self.highest_shown = 0;
        }
        let first_fresh = notices.partition_point(|notice| notice.id <= self.highest_shown);
        let fresh = &notices[first_fresh..];
        if fresh.is_empty() {
            return fresh;
        }
        self.highest_shown = newest.id;
        if let Err(error) = write_whole(&self.file, &newest.id.to_string()) {
            tracing::warn!("which notices were shown cannot be written to {}: {error}", self.file.display());
        }
        &fresh[fresh.len().saturating_sub(AT_ONCE_MAX)..]
    }
}

/// Replaces a file in one step.
fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let new = file.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, file)
}

/// The code of the notice of the first accepted task.
const CODE_FIRST_EARNING: &str = "first_earning";

fn text_of(notice: &Notice, language: Language) -> (&'static str, String) {
    if notice.code == CODE_FIRST_EARNING {
        let body =
            language.pick(notice.sentence.as_str(), "您的 GPU 完成的第一个任务已通过验收，收益已到账。");
        return (language.pick("Your first earnings", "您的第一笔收益"), body.to_owned());
    }
    let title = match notice.problem {
        true => language.pick("Lull needs your attention", "Lull 需要您的注意"),
        false => "Lull",
    };
    (title, notice.sentence.clone())
}

#[cfg(test)]
mod tests {
    use lull_types::UnixMillis;

    use super::*;

    fn notices(ids: &[u64]) -> Vec<Notice> {
        let notice = |id: &u64| Notice {
            id: *id,
            at: UnixMillis(0),
            code: "c".to_owned(),
            sentence: "s".to_owned(),
            problem: true,
        };
        ids.iter().map(notice).collect()
    }

    fn fresh(notifier: &mut Notifier, ids: &[u64]) -> Vec<u64> {
        notifier.take_fresh(&notices(ids)).iter().map(|notice| notice.id).collect()
    }

    #[test]
    fn each_notice_is_shown_once_also_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        // A folder that is not there yet.
        let folder = folder.path().join("app");
        let mut notifier = Notifier::new(&folder, Language::English);
        assert_eq!(fresh(&mut notifier, &[]), Vec::<u64>::new());
        assert_eq!(fresh(&mut notifier, &[1, 2]), [1, 2]);
        assert_eq!(fresh(&mut notifier, &[1, 2]), Vec::<u64>::new());
        assert_eq!(fresh(&mut notifier, &[2, 3]), [3]);
        let mut notifier = Notifier::new(&folder, Language::English);
        assert_eq!(fresh(&mut notifier, &[1, 2, 3]), Vec::<u64>::new());
        assert_eq!(fresh(&mut notifier, &[3, 4]), [4]);
    }

    #[test]
    fn many_at_once_are_cut_to_the_newest() {
        let folder = tempfile::tempdir().unwrap();
        let mut notifier = Notifier::new(folder.path(), Language::English);
        assert_eq!(fresh(&mut notifier, &[1, 2, 3, 4, 5]), [3, 4, 5]);
        assert_eq!(fresh(&mut notifier, &[1, 2, 3, 4, 5]), Vec::<u64>::new());
    }

    #[test]
    fn a_new_workers_notices_are_shown_although_their_ids_are_lower() {
        let folder = tempfile::tempdir().unwrap();
        let mut notifier = Notifier::new(folder.path(), Language::English);
        assert_eq!(fresh(&mut notifier, &[40]), [40]);
        assert_eq!(fresh(&mut notifier, &[1]), [1]);
    }

    #[test]
    fn a_damaged_file_counts_as_none() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("highest-notice-shown"), "many").unwrap();
        let mut notifier = Notifier::new(folder.path(), Language::English);
        assert_eq!(fresh(&mut notifier, &[1]), [1]);
    }

    #[test]
    fn the_first_earning_is_told_in_the_systems_language() {
        let mut notice = notices(&[1]).remove(0);
        notice.code = CODE_FIRST_EARNING.to_owned();
        notice.problem = false;
        assert_eq!(text_of(&notice, Language::English), ("Your first earnings", "s".to_owned()));
        assert_eq!(text_of(&notice, Language::Chinese).0, "您的第一笔收益");
    }
}
