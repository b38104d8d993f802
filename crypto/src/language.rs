//! The languages that people are spoken to in. Whatever judges makes values; each room has one module, `wording`, that
//! makes sentences of them.

/// A language that people are spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// English.
    En,
    /// Chinese, in simplified characters.
    Zh,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// Which of two things is in this language.
    pub fn pick<T>(self, en: T, zh: T) -> T {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }
}

/// A sentence in the language that is asked for: `say!(language, ("english {x}"), ("中文 {x}"))`, each as for `format!`.
/// Only the one that is asked for is made.
#[macro_export]
macro_rules! say {
    ($language:expr, ($($en:tt)*), ($($zh:tt)*)) => {
        match $language {
            $crate::Language::En => ::std::format!($($en)*),
            $crate::Language::Zh => ::std::format!($($zh)*),
        }
    };
}
