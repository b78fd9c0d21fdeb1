//! What programs are called on macOS: by the bundle that they are in, which is what people see, and by their file.

use crate::is_same_program;

/// What a bundle's folder ends with.
const BUNDLE: &str = ".app";

/// Where the system keeps its own; nobody lists them to have the GPU free.
const OF_THE_SYSTEM: &[&str] = &["/System/", "/usr/", "/sbin/", "/bin/", "/Library/Apple/"];

/// The longest name that a file can have.
const NAME_CHARS_MAX: usize = 255;

/// The outermost bundle that the file of a program is in, by its name: helpers have bundles within it.
fn bundle(file: &str) -> Option<&str> {
    file.split('/').find_map(|folder| folder.strip_suffix(BUNDLE)).filter(|name| !name.is_empty())
}

fn base(file: &str) -> Option<&str> {
    file.rsplit('/').next().filter(|name| !name.is_empty())
}

/// Whether the program in this file is one that somebody has listed.
pub(in crate::probes) fn is_listed(file: &str, listed: &str) -> bool {
    let listed = listed.trim().to_lowercase();
    let listed = listed.strip_suffix(BUNDLE).unwrap_or(&listed);
    [bundle(file), base(file)].into_iter().flatten().any(|name| is_same_program(name, listed))
}

/// Its name, as a person would list it; none of the system's and of Lull's own.
pub(in crate::probes) fn suggested(file: &str) -> Option<&str> {
    let name = bundle(file).or(base(file))?;
    let is_own = is_same_program(name, "lull") || name.to_lowercase().starts_with("lull-");
    let can_be_listed = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARS_MAX
        && !name.contains(|c: char| c.is_control() || c == '\\');
    let is_systems = OF_THE_SYSTEM.iter().any(|folder| file.starts_with(folder));
    (can_be_listed && !is_own && !is_systems).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLENDER: &str = "/Applications/Blender.app/Contents/MacOS/blender";
    const HELPER: &str =
        "/Applications/Steam.app/Contents/Helpers/Steam Helper.app/Contents/MacOS/Steam Helper";
    const TOOL: &str = "/opt/homebrew/bin/ffmpeg";

    #[test]
    fn programs_are_listed_by_their_bundle_or_their_file() {
        for (file, listed, expected) in [
            (BLENDER, "Blender", true),
            (BLENDER, " blender.APP ", true),
            (BLENDER, "Contents", false),
            (HELPER, "steam", true),
            (HELPER, "Steam Helper", true),
            (HELPER, "Helper", false),
            (TOOL, "FFmpeg", true),
            ("", "", false),
            ("/.app/x", "", false),
        ] {
            assert_eq!(is_listed(file, listed), expected, "{file} {listed}");
        }
    }

    #[test]
    fn what_people_see_is_suggested() {
        for (file, expected) in [
            (BLENDER, Some("Blender")),
            (HELPER, Some("Steam")),
            (TOOL, Some("ffmpeg")),
            ("/System/Applications/Chess.app/Contents/MacOS/Chess", None),
            ("/usr/libexec/trustd", None),
            ("/Applications/Lull.app/Contents/MacOS/Lull", None),
            ("/opt/lull/lull-worker", None),
            ("/tmp/a\u{1}b", None),
            ("/tmp/", None),
            ("", None),
        ] {
            assert_eq!(suggested(file), expected, "{file}");
        }
    }
}
