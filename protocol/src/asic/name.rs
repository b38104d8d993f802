//! The names in a container: one constructor, for the entries of the ZIP and for the references to them.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::{ContainerFault, NameFault, ProtocolError};

/// The longest name, in bytes, and the longest part of one between slashes: what file systems take.
const MAX_NAME: usize = 1024;
const MAX_COMPONENT: usize = 255;

/// The name of a file in a container: a relative path, with one reading only. It leads nowhere else, holds nothing that
/// is not seen, and is written to disk as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntryName(String);

impl EntryName {
    /// The name that a text is.
    ///
    /// # Errors
    /// [`ProtocolError::Container`] for a name that is absolute or has a drive letter, backslashes, `.` or `..`, empty
    /// parts, parts that begin with a dot, controls or characters that are not seen, or that is too long.
    pub fn new(text: &str) -> Result<Self, ProtocolError> {
        let bad = |fault| ContainerFault::Name { name: text.to_owned(), fault }.into();
        if text.is_empty() || text.len() > MAX_NAME {
            return Err(bad(NameFault::Length));
        }
        if text.starts_with('/') {
            return Err(bad(NameFault::Absolute));
        }
        let bytes = text.as_bytes();
        if let [letter, b':', ..] = bytes
            && letter.is_ascii_alphabetic()
        {
            return Err(bad(NameFault::Drive));
        }
        if text.contains('\\') {
            return Err(bad(NameFault::Backslash));
        }
        if !is_plain(text) {
            return Err(bad(NameFault::Unseen));
        }
        for component in text.split('/') {
            if component.is_empty() || component.len() > MAX_COMPONENT {
                return Err(bad(NameFault::PartLength));
            }
            if component.starts_with('.') {
                return Err(bad(NameFault::Dot));
            }
        }
        let (first, rest) = text.split_once('/').unwrap_or((text, ""));
        if first != META_INF && key(first) == key(META_INF) {
            return Err(bad(NameFault::MetaInf));
        }
        if first == META_INF && rest.is_empty() {
            return Err(bad(NameFault::Folder));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name of a document's part in a container of ours.
    ///
    /// # Errors
    /// As for [`EntryName::new`].
    pub fn of_part(part: &str) -> Result<Self, ProtocolError> {
        Self::new(&format!("parts/{part}"))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in the folder of signatures, if it lies there.
    pub fn in_meta_inf(&self) -> Option<&str> {
        self.0.strip_prefix(META_INF)?.strip_prefix('/')
    }

    /// What two names have in common that are one file to some system: without regard to case, Unicode form, and dots
    /// and spaces at the end.
    pub(crate) fn key(&self) -> String {
        key(&self.0)
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folder of signatures (EN 319 162-1 §4.4.3).
const META_INF: &str = "META-INF";

pub(super) fn key(name: &str) -> String {
    let folded: String = name.nfc().flat_map(char::to_lowercase).nfc().collect();
    let parts = folded.split('/').map(|part| part.trim_end_matches(['.', ' ']));
    parts.collect::<Vec<_>>().join("/")
}

/// Whether a name is what it looks like: no controls, and nothing that is not seen (Unicode's
/// Default_Ignorable_Code_Point, and the controls of direction), but for what joins pictures and chooses among the
/// forms of a character. It is asked of containers that others made, too; of a new document's parts more is asked, by
/// `DocumentHeader::check_new`.
pub(crate) fn is_plain(name: &str) -> bool {
    let mut before = ' ';
    let mut characters = name.chars().peekable();
    while let Some(c) = characters.next() {
        let fine = match c {
            // Pictures are joined to one by it: 👨‍👩‍👧. Elsewhere it is not seen.
            '\u{200D}' => picture(before) && characters.peek().copied().is_some_and(picture),
            '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' => !before.is_ascii(),
            _ => !unseen(c),
        };
        if !fine {
            return false;
        }
        before = c;
    }
    true
}

fn picture(c: char) -> bool {
    matches!(c, '\u{2190}'..='\u{2BFF}' | '\u{FE0F}' | '\u{1F000}'..='\u{1FAFF}')
}

fn unseen(c: char) -> bool {
    let code = u32::from(c);
    c.is_control()
        || matches!(c,
            '\u{A0}' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFD}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
        // Noncharacters.
        || code & 0xfffe == 0xfffe
        || matches!(c, '\u{FDD0}'..='\u{FDEF}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_one_reading_or_are_refused() {
        let good = [
            "a.txt",
            "通知 (1).pdf",
            "dir/sub/a.txt",
            "parts/a:b.txt",
            "𬱖䶮.txt",
            "家👨‍👩‍👧.txt",
            "-rf",
            "META-INF/signature001.p7s",
            "META-INF2/x",
            "a b+c%.txt",
            "葛\u{E0100}.txt",
            "e\u{301}.txt",
        ];
        for name in good {
            assert_eq!(EntryName::new(name).map(|n| n.0), Ok(name.to_owned()));
        }
        let long = "x".repeat(256);
        let bad = [
            "",
            "/etc/x",
            "C:\\x",
            "C:x",
            "a:b.txt",
            "..",
            "../x",
            "a/../x",
            "./x",
            "a/./x",
            "a//x",
            "a/",
            ".x",
            "a\\b",
            "a\nb",
            "a\0b",
            "e\u{202e}gpj.exe",
            "a\u{200b}b",
            "a\u{200d}b",
            "\u{feff}a",
            "a\u{fe0f}",
            "meta-inf/x",
            "META-INF",
            "Meta-Inf",
            "META-INF./x",
            "a\u{a0}.txt",
            "\u{fffd}.txt",
            &long,
            "META-INF/../x",
            "parts/\u{e0041}x",
        ];
        for name in bad {
            assert!(EntryName::new(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn names_of_one_file_to_some_system_have_one_key() {
        let key = |name| EntryName::new(name).expect("a name").key();
        assert_eq!(key("A/Résumé.TXT"), key("a/re\u{301}sume\u{301}.txt"));
        assert_eq!(key("a.txt"), key("a.txt. "));
        assert_ne!(key("a.txt"), key("b.txt"));
        assert_ne!(key("①.txt"), key("1.txt"));
    }

    proptest! {
        #[test]
        fn a_name_stays_inside_its_folder(text in any::<String>()) {
            if let Ok(name) = EntryName::new(&text) {
                let path = std::path::Path::new(name.as_str());
                let normal = |c: std::path::Component<'_>| matches!(c, std::path::Component::Normal(_));
                prop_assert!(path.components().all(normal));
                prop_assert_eq!(path.components().count(), name.as_str().split('/').count());
            }
        }
    }
}
