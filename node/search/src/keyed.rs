//! Words of what is not public, as they stand in a store: each under a key, so that whoever has the disk does not read them.
//!
//! A row is `HMAC(word)[..8]`, then the time so that the newest stands first, then the document. Rows are written and removed in the
//! batch that writes and removes the document or its key, so nothing is found that is not there. What the holder of the disk still
//! learns is which documents share a word, and how many words each has.

use std::collections::BTreeSet;

use chancery_crypto::IndexKey;

use crate::{
    error::SearchError,
    query::MOST_HITS,
    words::{LONGEST_QUERY, asked, grams, grams_of_word, words},
};

/// How many bytes of a row stand for a word.
pub const TOKEN: usize = 8;

const TIME: usize = 8;

/// The longest name of a document in a row.
const LONGEST_ID: usize = 128;

/// The most rows that one question looks at.
const MOST_LOOKS: usize = 20_000;

/// What words stand under.
pub struct Keyed(IndexKey);

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keyed(..)")
    }
}

/// Rows in the order of their bytes, as a store keeps them.
pub trait Rows {
    /// Why rows cannot be read.
    type Error;

    /// The first row that begins with `prefix` and is not before `from`; none when there is none.
    ///
    /// # Errors
    /// Why rows cannot be read.
    fn seek(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl Rows for BTreeSet<Vec<u8>> {
    type Error = std::convert::Infallible;

    fn seek(&self, prefix: &[u8], from: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        let from = from.max(prefix).to_vec();
        Ok(self.range(from..).next().filter(|row| row.starts_with(prefix)).cloned())
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyedPage {
    /// The documents, the newest first.
    pub ids: Vec<Vec<u8>>,
    /// From where to go on; none at the end.
    pub next: Option<Vec<u8>>,
}

impl Keyed {
    /// The key of an agency's words.
    pub fn new(key: IndexKey) -> Self {
        Self(key)
    }

    fn token(&self, kind: u8, word: &str) -> [u8; TOKEN] {
        let digest = self.0.blind(&[b"search\0", [kind].as_slice(), word.as_bytes()].concat());
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// The rows of a document: for each word one, and for each character and pair of neighbours. They are the same for the same
    /// text, so whoever removes a document works them out again, or keeps them with it.
    ///
    /// # Errors
    /// [`SearchError::Damaged`] where the name of the document is too long.
    pub fn rows(&self, text: &str, time: i64, id: &[u8]) -> Result<BTreeSet<Vec<u8>>, SearchError> {
        if id.is_empty() || id.len() > LONGEST_ID {
            return Err(SearchError::Damaged);
        }
        let tail = [newest_first(time).as_slice(), id].concat();
        let own = words(text).into_iter().map(|word| self.token(b'w', &word));
        let grams = grams(text).into_iter().map(|gram| self.token(b'g', &gram));
        Ok(own.chain(grams).map(|token| [token.as_slice(), &tail].concat()).collect())
    }

    /// The documents in which all words of a question stand and which `may` lets whoever asks read: nothing else is given or
    /// counted, and nothing tells that there is more. From a place on, the newest first.
    ///
    /// # Errors
    /// The first is [`SearchError`] of the question; the second what the rows or `may` failed with.
    pub fn search<R: Rows>(
        &self,
        rows: &R,
        question: &str,
        mut may: impl FnMut(&[u8]) -> Result<bool, R::Error>,
        from: Option<&[u8]>,
        most: usize,
    ) -> Result<Result<KeyedPage, SearchError>, R::Error> {
        if question.chars().nth(LONGEST_QUERY).is_some() {
            return Ok(Err(SearchError::Long { most: LONGEST_QUERY }));
        }
        let tokens = self.asked(question);
        if tokens.is_empty() {
            return Ok(Err(SearchError::NoWord));
        }
        let (mut page, most) = (KeyedPage::default(), most.clamp(1, MOST_HITS));
        let mut tail = from.unwrap_or_default().to_vec();
        let mut looks = 0;
        'next: loop {
            // All words have the same tail, or the furthest of theirs is tried.
            let mut same = 0;
            while same < tokens.len() {
                for token in &tokens {
                    looks += 1;
                    if looks > MOST_LOOKS {
                        page.next = Some(tail);
                        break 'next;
                    }
                    let at = [token.as_slice(), &tail].concat();
                    let Some(row) = rows.seek(token, &at)? else { break 'next };
                    let found = row.get(TOKEN..).unwrap_or_default();
                    if found == tail {
                        same += 1;
                    } else {
                        (tail, same) = (found.to_vec(), 1);
                    }
                    if same >= tokens.len() {
                        break;
                    }
                }
            }
            let id = tail.get(TIME..).unwrap_or_default();
            if may(id)? {
                // That there is more is told only of what may be read.
                if page.ids.len() == most {
                    page.next = Some(tail);
                    break;
                }
                page.ids.push(id.to_vec());
            }
            // What stands next behind it.
            tail.push(0);
        }
        Ok(Ok(page))
    }

    /// What a document must have: of words of Han their characters beside each other, of others the word.
    fn asked(&self, question: &str) -> Vec<[u8; TOKEN]> {
        let mut tokens = BTreeSet::new();
        for word in asked(question) {
            match grams_of_word(&word) {
                grams if grams.is_empty() => drop(tokens.insert(self.token(b'w', &word))),
                grams => tokens.extend(grams.iter().map(|gram| self.token(b'g', gram))),
            }
        }
        tokens.into_iter().collect()
    }
}

/// A time whose bytes are smaller the later it is.
fn newest_first(time: i64) -> [u8; TIME] {
    let shifted = time.cast_unsigned() ^ (1 << 63);
    (!shifted).to_be_bytes()
}
