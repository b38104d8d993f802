//! Where in a text the words of a question stand: the parts that have most of them, and the places to be marked.

use chancery_apps::Part;

use crate::words::fold;

/// A piece of a part in which words of a question stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// Where the part is found: `15.2.1`.
    pub address: String,
    /// The words of it. It is text: whoever shows it escapes it.
    pub text: String,
    /// The places of words of the question, in bytes of `text`: from and to, rising and apart from each other.
    pub marks: Vec<(usize, usize)>,
}

/// The most passages of a hit.
const MOST_PASSAGES: usize = 3;

/// The most characters of a passage, and how many of them stand before the first mark.
const LONGEST: usize = 120;
const BEFORE: usize = 20;

/// A text as it is compared, with the place of each of its characters in the text as it is.
struct Folded {
    chars: Vec<char>,
    places: Vec<usize>,
    end: usize,
}

impl Folded {
    fn of(text: &str) -> Self {
        let (places, chars) = text.char_indices().map(|(at, c)| (at, fold(c))).unzip();
        Self { chars, places, end: text.len() }
    }

    fn place(&self, n: usize) -> usize {
        self.places.get(n).copied().unwrap_or(self.end)
    }

    /// Where words stand, in characters, rising; what touches is one.
    fn find(&self, words: &[Vec<char>]) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while let Some(rest) = self.chars.get(at..).filter(|rest| !rest.is_empty()) {
            let longest = words.iter().filter(|word| rest.starts_with(word)).map(Vec::len).max();
            match longest.filter(|length| *length > 0) {
                Some(length) => {
                    match found.last_mut().filter(|last| last.1 == at) {
                        Some(last) => last.1 = at + length,
                        None => found.push((at, at + length)),
                    }
                    at += length;
                }
                None => at += 1,
            }
        }
        found
    }
}

/// The passages of a text in which words stand: those with most different words, and of these the first.
pub(crate) fn passages(parts: &[Part], words: &[String]) -> Vec<Passage> {
    let words: Vec<Vec<char>> = words.iter().map(|word| word.chars().collect()).collect();
    let mut ranked: Vec<(usize, usize, Passage)> = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        let folded = Folded::of(&part.text);
        let found = folded.find(&words);
        if found.is_empty() {
            continue;
        }
        let there = |word: &&Vec<char>| {
            folded.chars.windows(word.len().max(1)).any(|w| w == word.as_slice())
        };
        let different = words.iter().filter(there).count();
        let passage = Passage { address: part.address.clone(), ..cut(&part.text, &folded, &found) };
        ranked.push((different, number, passage));
    }
    ranked.sort_by_key(|(different, number, _)| (usize::MAX - different, *number));
    ranked.truncate(MOST_PASSAGES);
    // They are shown in the order of the text.
    ranked.sort_by_key(|(_, number, _)| *number);
    ranked.into_iter().map(|(.., passage)| passage).collect()
}

/// A piece of a text around the first place.
fn cut(text: &str, folded: &Folded, found: &[(usize, usize)]) -> Passage {
    let first = found.first().map_or(0, |(from, _)| *from);
    let from = if folded.chars.len() <= LONGEST { 0 } else { first.saturating_sub(BEFORE) };
    let to = folded.chars.len().min(from + LONGEST);
    let (begin, end) = (folded.place(from), folded.place(to));
    let marks = found
        .iter()
        .filter(|(a, _)| *a < to)
        .map(|(a, b)| (folded.place(*a) - begin, folded.place((*b).min(to)) - begin));
    let marks = marks.collect();
    Passage {
        address: String::new(),
        text: text.get(begin..end).unwrap_or_default().to_owned(),
        marks,
    }
}
