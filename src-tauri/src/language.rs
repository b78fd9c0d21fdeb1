//! The language of the tray and of notifications: the system's, as a tray has no settings of its own. The window
//! has its own catalogues.

/// A language that the tray speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// Chinese, in simplified characters.
    Chinese,
}

impl Language {
    /// The system's, or English where the tray does not speak that.
    pub fn of_system() -> Self {
        sys_locale::get_locale().map_or(Self::English, |locale| Self::of_locale(&locale))
    }

    /// That of a locale such as `zh-CN` or `en_GB.UTF-8`.
    pub fn of_locale(locale: &str) -> Self {
        let language = locale.split(['-', '_', '.', '@']).next().unwrap_or_default();
        if language.eq_ignore_ascii_case("zh") { Self::Chinese } else { Self::English }
    }

    /// One of two texts.
    pub fn pick<T>(self, english: T, chinese: T) -> T {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn speaks_chinese_to_chinese_locales_and_english_to_all_others() {
        for (locale, expect) in [
            ("zh-CN", Language::Chinese),
            ("zh_TW.UTF-8", Language::Chinese),
            ("ZH", Language::Chinese),
            ("en-GB", Language::English),
            ("de_DE.UTF-8", Language::English),
            ("zha", Language::English),
            ("C", Language::English),
            ("", Language::English),
        ] {
            assert_eq!(Language::of_locale(locale), expect, "{locale}");
        }
    }
}
