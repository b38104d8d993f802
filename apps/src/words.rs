//! The words of a module in one language: `texts/zh-CN.ftl`. Messages of Fluent's simple form, `name = text`, a line that begins
//! with a space going on with the one before.

use std::collections::BTreeMap;

use chancery_protocol::text::{TextFault, check_line};

/// The most characters of a text.
pub(crate) const MOST_WORDS: usize = 1_000;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoLine {
    /// It says nothing.
    Nothing,
    /// A text of this name has in it what people cannot see.
    Text(String, TextFault),
    /// A text of this name is too long.
    Length(String),
}

/// The words of a module, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words(BTreeMap<String, String>);

impl Words {
    /// Reads a file. Gives the numbers of lines in which something is wrong.
    pub(crate) fn read(text: &str) -> (Self, Vec<(usize, NoLine)>) {
        let (mut words, mut bad, mut last) =
            (BTreeMap::<String, String>::new(), Vec::new(), None::<String>);
        let mut starts = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                last = None;
            } else if line.starts_with([' ', '\t']) {
                match last.as_ref().and_then(|name| words.get_mut(name)) {
                    Some(text) => {
                        text.push(' ');
                        text.push_str(line.trim());
                    }
                    None => bad.push((number, NoLine::Nothing)),
                }
            } else {
                let named = line.split_once('=').map(|(name, text)| (name.trim(), text.trim()));
                match named.filter(|(name, text)| is_name(name) && !text.is_empty()) {
                    Some((name, _)) if words.contains_key(name) => {
                        bad.push((number, NoLine::Nothing));
                    }
                    Some((name, text)) => {
                        words.insert(name.to_owned(), text.to_owned());
                        last = Some(name.to_owned());
                        starts.insert(name.to_owned(), number);
                    }
                    None => bad.push((number, NoLine::Nothing)),
                }
            }
        }
        for (name, text) in &words {
            let at = starts.get(name).copied().unwrap_or(1);
            if let Err(fault) = check_line(text) {
                bad.push((at, NoLine::Text(name.clone(), fault)));
            } else if text.chars().count() > MOST_WORDS {
                bad.push((at, NoLine::Length(name.clone())));
            }
        }
        (Self(words), bad)
    }

    /// A text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A text, unless there is one by its name.
    pub(crate) fn or_insert(&mut self, name: &str, text: String) {
        self.0.entry(name.to_owned()).or_insert(text);
    }

    /// The names of all texts.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_say_nothing_are_named() {
        let (words, bad) = Words::read("# 说明\na = 一\n  二\n\nb=三\n x\nb = 四\n?\nc =\n");
        assert_eq!(
            (words.get("a"), words.get("b"), words.get("c")),
            (Some("一 二"), Some("三 x"), None)
        );
        assert_eq!(bad, [7, 8, 9].map(|line| (line, NoLine::Nothing)));
    }
}
