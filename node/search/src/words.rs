//! Words of Chinese: those of a dictionary, and besides them pairs of characters, so that what the dictionary cuts otherwise in one
//! place than in another is found all the same.

use std::{collections::BTreeSet, sync::OnceLock};

use jieba_rs::Jieba;
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

/// The most characters of a question.
pub const LONGEST_QUERY: usize = 200;

/// The most bytes of a word that is kept.
const LONGEST_WORD: usize = 120;

/// The dictionary is large, and is read when it is needed first.
fn dictionary() -> &'static Jieba {
    static DICTIONARY: OnceLock<Jieba> = OnceLock::new();
    DICTIONARY.get_or_init(Jieba::new)
}

/// A character as it is compared: of full width as of half, of letters the small one.
pub(crate) fn fold(c: char) -> char {
    let narrow = match c {
        '\u{3000}' => ' ',
        '！'..='～' => u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32).unwrap_or(c),
        c => c,
    };
    let mut lower = narrow.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(one), None) => one,
        _ => narrow,
    }
}

pub(crate) fn folded(text: &str) -> String {
    text.chars().map(fold).collect()
}

/// Whether a character is of a script that puts no blanks between words.
pub(crate) fn is_han(c: char) -> bool {
    matches!(u32::from(c), 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x323AF)
        || c == '〇'
}

fn is_word(word: &str) -> bool {
    word.len() <= LONGEST_WORD && word.chars().any(char::is_alphanumeric)
}

/// The words of a text by which it is found, each once, in no order that says anything.
pub fn words(text: &str) -> BTreeSet<String> {
    let text = folded(text);
    let found = dictionary().cut_for_search(&text, true).into_iter().map(|token| token.word);
    found.filter(|word| is_word(word)).map(str::to_owned).collect()
}

/// The words of a question, as they follow each other: the longest ones, and not what they are made of.
pub(crate) fn asked(text: &str) -> Vec<String> {
    let text = folded(text);
    let mut seen = BTreeSet::new();
    let found = dictionary().cut(&text, true).into_iter().map(|token| token.word);
    let words = found.filter(|word| is_word(word) && seen.insert((*word).to_owned()));
    words.map(str::to_owned).collect()
}

/// The characters and pairs of neighbours of a text, of its runs of Han alone.
pub(crate) fn grams(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut before: Option<char> = None;
    for c in text.chars().map(fold) {
        if !is_han(c) {
            before = None;
            continue;
        }
        found.insert(c.to_string());
        if let Some(before) = before {
            found.insert([before, c].iter().collect());
        }
        before = Some(c);
    }
    found
}

/// What must stand in a text that has a word in it, whatever the dictionary makes of it there: its pairs, or its one character.
/// Nothing of a word that is not of Han alone: that is always cut at its ends.
pub(crate) fn grams_of_word(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    if !chars.iter().all(|c| is_han(*c)) {
        return Vec::new();
    }
    match chars.as_slice() {
        [one] => vec![one.to_string()],
        many => many.windows(2).map(|pair| pair.iter().collect()).collect(),
    }
}

/// Words as an index takes them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cutter {
    /// By the dictionary.
    Words,
    /// Characters and pairs.
    Grams,
}

/// Words one after the other.
pub(crate) struct Stream {
    words: std::vec::IntoIter<String>,
    token: Token,
}

impl Tokenizer for Cutter {
    type TokenStream<'a> = Stream;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream {
        let words: Vec<String> = match self {
            // How often a word stands there says how much a text is about it.
            Self::Words => {
                let text = folded(text);
                let found = dictionary().cut_for_search(&text, true).into_iter();
                let found = found.map(|token| token.word).filter(|word| is_word(word));
                found.map(str::to_owned).collect()
            }
            Self::Grams => grams(text).into_iter().collect(),
        };
        // No positions are kept; the first word is at 0.
        let token = Token { position: usize::MAX, ..Token::default() };
        Stream { words: words.into_iter(), token }
    }
}

impl TokenStream for Stream {
    fn advance(&mut self) -> bool {
        let Some(word) = self.words.next() else { return false };
        self.token.position = self.token.position.wrapping_add(1);
        self.token.text = word;
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}
