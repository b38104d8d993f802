//! What a template says: words, and values by formulas between braces, `{it.number}`; `{{` and `}}` are braces.

use chancery_crypto::Language;
use chancery_protocol::text::check_lines;
use toml::de::DeValue;

use crate::{
    formula::Formula,
    manifest::{
        mistake::What,
        reader::{At, Placed, Table},
    },
};

/// The most characters that one text of a template has.
const MOST_SAID: usize = 10_000;

/// The languages in which everything is said.
const LANGUAGES: [(&str, Language); 2] = [("zh-CN", Language::Zh), ("en", Language::En)];

/// A part of what is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    Words(String),
    Value(Placed),
}

/// Something that is said in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub at: At,
    zh: Vec<Part>,
    en: Vec<Part>,
}

impl Said {
    /// Reads `{ "zh-CN" = "…", en = "…" }`, or one text that is the same in both languages since it has only values, digits and
    /// signs. `name` is how mistakes call it.
    pub(super) fn read(table: &Table<'_>, key: &'static str, name: &str) -> Option<Self> {
        let at = table.at_key(key);
        if matches!(table.value(key)?.get_ref(), DeValue::String(_)) {
            let text = table.raw(key)?;
            let parts = parts(table, key, &text, &at)?;
            let mut words = parts.iter().filter_map(|part| match part {
                Part::Words(words) => Some(words),
                Part::Value(_) => None,
            });
            if words.any(|words| words.chars().any(char::is_alphabetic)) {
                let name = name.to_owned();
                let language = "zh-CN, en";
                table.mistake_at(&at, What::NoText { name, language });
            }
            return Some(Self { at, zh: parts.clone(), en: parts });
        }
        let each = table.table(key)?;
        let [zh, en] = LANGUAGES.map(|(language, _)| {
            if !each.has(language) {
                let name = name.to_owned();
                table.mistake_at(&at, What::NoText { name, language });
                return None;
            }
            let text = each.raw(language)?;
            parts(table, language, &text, &each.at_key(language))
        });
        Some(Self { at, zh: zh?, en: en? })
    }

    pub(crate) fn parts(&self, language: Language) -> &[Part] {
        language.pick(&self.en, &self.zh)
    }

    /// All formulas, of both languages; those of a text that is the same in both once.
    pub(crate) fn formulas(&self) -> impl Iterator<Item = &Placed> {
        let en = if self.zh == self.en { &[][..] } else { self.en.as_slice() };
        self.zh.iter().chain(en).filter_map(|part| match part {
            Part::Value(placed) => Some(placed),
            Part::Words(_) => None,
        })
    }
}

fn parts(table: &Table<'_>, key: &str, text: &str, at: &At) -> Option<Vec<Part>> {
    if let Err(fault) = check_lines(text) {
        table.mistake_at(at, What::Text { key: key.to_owned(), fault });
    }
    if text.chars().count() > MOST_SAID {
        table.mistake_at(at, What::TextLength { key: key.to_owned(), most: MOST_SAID });
        return None;
    }
    let Some(split) = split(text) else {
        table.mistake_at(at, What::Brace(text.chars().take(60).collect()));
        return None;
    };
    let each = split.into_iter().map(|(is_formula, text)| {
        if !is_formula {
            return Some(Part::Words(text));
        }
        match Formula::parse(&text) {
            Ok(formula) => Some(Part::Value(Placed { formula, at: at.clone() })),
            Err(error) => {
                let what = What::Formula { text, fault: error.fault, byte: error.at };
                table.mistake_at(at, what);
                None
            }
        }
    });
    // All of them are looked at, so that all mistakes are named.
    each.collect::<Vec<_>>().into_iter().collect()
}

/// Splits a text into words and formulas; none if a brace has no other.
fn split(text: &str) -> Option<Vec<(bool, String)>> {
    let (mut found, mut words) = (Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '{' | '}' if rest.next_if_eq(&c).is_some() => words.push(c),
            '}' => return None,
            '{' => {
                if !words.is_empty() {
                    found.push((false, std::mem::take(&mut words)));
                }
                found.push((true, formula(&mut rest)?));
            }
            c => words.push(c),
        }
    }
    if !words.is_empty() {
        found.push((false, words));
    }
    Some(found)
}

/// The text up to the brace that ends a formula: not one in quotes, nor one of a map in it.
fn formula(rest: &mut impl Iterator<Item = char>) -> Option<String> {
    let (mut text, mut deep, mut quote, mut escaped) = (String::new(), 0_usize, None, false);
    for c in rest.by_ref() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some(_), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '{') => deep += 1,
            (None, '}') if deep == 0 => return Some(text),
            (None, '}') => deep -= 1,
            _ => {}
        }
        text.push(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_formulas_are_told_apart_and_braces_come_in_pairs() {
        let of = |text| {
            split(text).map(|parts| {
                parts
                    .into_iter()
                    .map(|(is, text)| if is { format!("<{text}>") } else { text })
                    .collect::<Vec<_>>()
            })
        };
        assert_eq!(
            of("第{it.n}号").as_deref(),
            Some(&["第".to_owned(), "<it.n>".into(), "号".into()][..])
        );
        assert_eq!(of("{{x}}").as_deref(), Some(&["{x}".to_owned()][..]));
        assert_eq!(
            of("{a == '}' ? {b: 1}.b : 2}!").as_deref(),
            Some(&["<a == '}' ? {b: 1}.b : 2>".to_owned(), "!".into()][..])
        );
        assert_eq!(of(r"{a + '\'}'}").as_deref(), Some(&[r"<a + '\'}'>".to_owned()][..]));
        for bad in ["{", "{a", "a}", "{a + '}", "{{}"] {
            assert_eq!(of(bad), None, "{bad}");
        }
    }
}
