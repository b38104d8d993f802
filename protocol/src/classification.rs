//! How secret a document is (密级), and until when (保密期限): GB/T 9704-2012, 7.2.2.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{
    ClassificationFault, ProtocolError,
    text::{check_line, fold},
};

/// The longest term, in bytes.
const MAX_TERM: usize = 200;

/// How secret a document is. A later one is more secret.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum SecrecyLevel {
    /// Not classified.
    #[default]
    None,
    /// 内部: for every officer of sender and recipients, and nobody else.
    Internal,
    /// 秘密.
    Secret,
    /// 机密.
    HighlySecret,
    /// 绝密.
    TopSecret,
}

/// The levels that a document can be marked with, as they are written.
const LEVELS: [(SecrecyLevel, &str); 4] = [
    (SecrecyLevel::Internal, "内部"),
    (SecrecyLevel::Secret, "秘密"),
    (SecrecyLevel::HighlySecret, "机密"),
    (SecrecyLevel::TopSecret, "绝密"),
];

/// What says that a document is not classified.
const NOT_CLASSIFIED: [&str; 5] = ["", "无", "none", "公开", "非密"];

impl SecrecyLevel {
    /// All levels, from the least.
    pub const ALL: [Self; 5] =
        [Self::None, Self::Internal, Self::Secret, Self::HighlySecret, Self::TopSecret];

    /// As it is written in a header; nothing for what is not classified.
    pub fn mark(self) -> &'static str {
        LEVELS.iter().find(|(level, _)| *level == self).map_or("", |(_, mark)| mark)
    }

    /// Its place in the order, for rules: 0 is not classified, 4 is 绝密.
    pub fn rank(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Internal => 1,
            Self::Secret => 2,
            Self::HighlySecret => 3,
            Self::TopSecret => 4,
        }
    }

    /// Whether an officer needs a clearance for it: from 秘密 on, it is a secret of the state.
    pub fn is_secret(self) -> bool {
        self >= Self::Secret
    }
}

/// A level and its term.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classification {
    /// How secret.
    pub level: SecrecyLevel,
    /// For how long, until when or until what: `10年`, `2030年12月31日`, `长期`.
    pub term: Option<String>,
}

impl Classification {
    /// The level as a header carries it.
    pub fn level_field(&self) -> Option<String> {
        let mark = self.level.mark();
        (!mark.is_empty()).then(|| mark.to_owned())
    }

    /// The same with a term that was given apart from it.
    ///
    /// # Errors
    /// [`ProtocolError::Classification`] when it has another term already, is not secret, or the term cannot be read.
    pub fn with_term(self, term: &str) -> Result<Self, ProtocolError> {
        let term = term_of(term.trim().trim_start_matches('★'))?;
        if !self.level.is_secret() {
            return Err(ClassificationFault::TermWithoutSecret.into());
        }
        match &self.term {
            Some(other) if *other != term => {
                Err(ClassificationFault::TwoTerms { first: other.clone(), second: term }.into())
            }
            _ => Ok(Self { term: Some(term), ..self }),
        }
    }
}

/// As it is written over a document: `机密★10年`.
impl fmt::Display for Classification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.level.mark())?;
        self.term.iter().try_for_each(|term| write!(f, "★{term}"))
    }
}

/// The level of a text that is one mark and nothing else, once it is folded.
fn exact(text: &str) -> Option<SecrecyLevel> {
    if NOT_CLASSIFIED.contains(&text) {
        return Some(SecrecyLevel::None);
    }
    let text = text.strip_suffix('级').unwrap_or(text);
    LEVELS.iter().find(|(_, mark)| *mark == text).map(|(level, _)| *level)
}

/// Writes one character for several: the traditional forms, and the stars that stand for ★.
fn simplified(text: &str) -> String {
    let one = |c| match c {
        '絕' | '絶' => '绝',
        '機' => '机',
        '內' => '内',
        '級' => '级',
        '長' => '长',
        '個' => '个',
        '無' => '无',
        '開' => '开',
        '☆' | '*' | '⭐' | '✭' | '✩' | '⋆' | '∗' | '﹡' | '✱' | '＊' => '★',
        c => c,
    };
    text.chars().map(one).collect()
}

/// A term that needs no star before it to be known as one.
fn is_plain_term(term: &str) -> bool {
    let period = |unit: &str| {
        let number = term.strip_suffix(unit).unwrap_or_default();
        (1..=3).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit())
    };
    term == "长期" || ["年", "个月", "月", "日", "天"].iter().any(|unit| period(unit))
}

fn term_of(text: &str) -> Result<String, ProtocolError> {
    let term = simplified(&fold(text));
    check_line(&term).map_err(ClassificationFault::TermLine)?;
    if term.len() > MAX_TERM {
        return Err(ClassificationFault::TermLength { most: MAX_TERM }.into());
    }
    if LEVELS.iter().any(|(level, mark)| level.is_secret() && term.contains(mark)) {
        return Err(ClassificationFault::TermNamesLevel { term }.into());
    }
    if term.contains('★') {
        return Err(ClassificationFault::TermStars { term }.into());
    }
    Ok(term)
}

/// Reads every notation in use: `机密`, `机密★10年`, `機密 ★ 長期`, `绝密级`, `秘密（5年）`.
impl FromStr for Classification {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        let unknown = || {
            ProtocolError::Classification(ClassificationFault::Unknown { given: text.to_owned() })
        };
        let folded = simplified(&fold(text));
        if let Some(level) = exact(&folded) {
            return Ok(Self { level, term: None });
        }
        if let Some((level, term)) = folded.split_once('★') {
            let level = exact(level).filter(|level| level.is_secret()).ok_or_else(unknown)?;
            return Ok(Self { level, term: Some(term_of(term)?) });
        }
        // Without a star only what can be nothing but a term is taken for one.
        for (level, mark) in LEVELS.iter().filter(|(level, _)| level.is_secret()) {
            let Some(rest) = folded.strip_prefix(mark) else { continue };
            let inner = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
            let term = inner.unwrap_or(rest);
            if is_plain_term(term) {
                return Ok(Self { level: *level, term: Some(term.to_owned()) });
            }
        }
        Err(unknown())
    }
}

/// The level of what a header says, as those are held to it who receive the document: what nobody knows is the highest.
pub(crate) fn level_of(said: Option<&str>, term: Option<&str>) -> SecrecyLevel {
    let Some(said) = said else {
        // A term without a level is no notation that anybody uses.
        return if term.is_some() { SecrecyLevel::TopSecret } else { SecrecyLevel::None };
    };
    said.parse::<Classification>().map_or(SecrecyLevel::TopSecret, |known| known.level)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Option<(SecrecyLevel, Option<String>)> {
        text.parse::<Classification>().ok().map(|c| (c.level, c.term))
    }

    #[test]
    fn every_notation_in_use_is_read() {
        use SecrecyLevel::{HighlySecret, Internal, None as Plain, Secret, TopSecret};
        for (text, level, term) in [
            ("机密", HighlySecret, None),
            ("机密 ", HighlySecret, None),
            ("　绝密", TopSecret, None),
            ("绝 密", TopSecret, None),
            ("绝密\u{200b}", TopSecret, None),
            ("\u{feff}秘\u{ad}密", Secret, None),
            ("機密", HighlySecret, None),
            ("絕密級", TopSecret, None),
            ("内部", Internal, None),
            ("內部", Internal, None),
            ("机密★10年", HighlySecret, Some("10年")),
            ("机密 ★ １０ 年", HighlySecret, Some("10年")),
            ("絕密★長期", TopSecret, Some("长期")),
            ("绝密☆30年", TopSecret, Some("30年")),
            ("秘密*6个月", Secret, Some("6个月")),
            ("秘密＊6個月", Secret, Some("6个月")),
            ("机密级★2030年12月31日", HighlySecret, Some("2030年12月31日")),
            ("秘密★验收后", Secret, Some("验收后")),
            ("秘密5年", Secret, Some("5年")),
            ("秘密（5年）", Secret, Some("5年")),
            ("", Plain, None),
            ("无", Plain, None),
            ("None", Plain, None),
        ] {
            assert_eq!(read(text), Some((level, term.map(str::to_owned))), "{text:?}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_and_held_to_be_the_highest() {
        for text in [
            "机秘",
            "secret",
            "TOP SECRET",
            "绝密（核心）",
            "特急",
            "绝",
            "密",
            "★10年",
            "机密★",
            "机密★★10年",
            "机密★1★2",
            "内部★10年",
            "无★10年",
            "内部10年",
            "机密绝密",
            "秘密★绝密",
            "非机密",
            "机密件",
            "机密\n绝密",
        ] {
            let said = text.parse::<Classification>();
            assert!(matches!(said, Err(ProtocolError::Classification(_))), "{text:?}: {said:?}");
            assert_eq!(level_of(Some(text), None), SecrecyLevel::TopSecret, "{text:?}");
        }
        assert_eq!(level_of(None, None), SecrecyLevel::None);
        assert_eq!(level_of(None, Some("10年")), SecrecyLevel::TopSecret);
        assert_eq!(level_of(Some(""), None), SecrecyLevel::None);
        assert_eq!(level_of(Some("机密"), Some("10年")), SecrecyLevel::HighlySecret);
    }

    #[test]
    fn a_term_is_given_once_and_only_to_what_is_secret() {
        let secret: Classification = "机密".parse().expect("known");
        let with = secret.clone().with_term("１０年").expect("fits");
        assert_eq!(with.to_string(), "机密★10年");
        assert_eq!(with.clone().with_term("★10年").expect("the same"), with);
        assert!(with.with_term("20年").is_err());
        assert!(secret.clone().with_term(" ").is_err());
        assert!(secret.with_term("1年★2年").is_err());
        let internal: Classification = "内部".parse().expect("known");
        assert!(internal.with_term("10年").is_err());
        assert!(Classification::default().with_term("10年").is_err());
    }

    proptest! {
        #[test]
        fn what_was_read_is_written_so_that_it_is_read_the_same(text in "[绝机秘内密部絕機★☆级 　0-9年月长期\u{200b}()]{0,8}") {
            if let Ok(known) = text.parse::<Classification>() {
                let again: Classification = known.to_string().parse().expect("its own form");
                prop_assert_eq!(&again, &known);
                prop_assert!(known.term.is_none() || known.level.is_secret());
            }
        }

        /// No way of writing makes a mark weigh less.
        #[test]
        fn blanks_and_what_is_not_seen_change_no_level(
            level in prop::sample::select(LEVELS.to_vec()),
            put in prop::collection::vec((0usize..3, prop::sample::select(vec![' ', '　', '\u{200b}', '\u{feff}', '\u{200e}', '\t', '\u{2060}', '\u{e0001}'])), 0..4),
        ) {
            let mut chars: Vec<char> = level.1.chars().collect();
            for (at, c) in put {
                chars.insert(at.min(chars.len()), c);
            }
            let text: String = chars.into_iter().collect();
            prop_assert_eq!(level_of(Some(&text), None), level.0);
        }

        #[test]
        fn a_text_with_a_mark_in_it_is_never_held_to_be_less(
            start in any::<String>(), end in any::<String>(),
            level in prop::sample::select(LEVELS.to_vec()),
        ) {
            let text = format!("{start}{}{end}", level.1);
            prop_assert!(level_of(Some(&text), None) >= level.0);
        }
    }
}
