//! The words of a module in one language: `texts/zh-CN.ftl`. Messages of Fluent's simple form, `name = text`, a line that begins
//! with a space going on with the one before.

use std::collections::BTreeMap;

/// The words of a module, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Words(BTreeMap<String, String>);

impl Words {
    /// Reads a file. Gives the numbers of lines that say nothing.
    pub(crate) fn read(text: &str) -> (Self, Vec<usize>) {
        let (mut words, mut bad, mut last) =
            (BTreeMap::<String, String>::new(), Vec::new(), None::<String>);
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() || line.starts_with('#') {
                last = None;
            } else if line.starts_with([' ', '\t']) {
                match last.as_ref().and_then(|name| words.get_mut(name)) {
                    Some(text) => {
                        text.push(' ');
                        text.push_str(line.trim());
                    }
                    None => bad.push(number),
                }
            } else {
                let named = line.split_once('=').map(|(name, text)| (name.trim(), text.trim()));
                match named.filter(|(name, text)| is_name(name) && !text.is_empty()) {
                    Some((name, _)) if words.contains_key(name) => bad.push(number),
                    Some((name, text)) => {
                        words.insert(name.to_owned(), text.to_owned());
                        last = Some(name.to_owned());
                    }
                    None => bad.push(number),
                }
            }
        }
        (Self(words), bad)
    }

    /// A text.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
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
        assert_eq!(bad, [7, 8, 9]);
    }
}
