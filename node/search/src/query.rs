//! What is asked, and what comes of it.

use chancery_apps::{Date, Status};

use crate::{
    error::SearchError,
    mark::Passage,
    words::{LONGEST_QUERY, asked},
};

/// The most hits of one answer.
pub const MOST_HITS: usize = 100;

/// The most hits that are skipped: whoever wants to read further narrows his question.
pub const MOST_SKIPPED: usize = 10_000;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The words: all of them must stand in a text.
    pub text: String,
    /// The day as of which works are what they are.
    pub on: Date,
    /// Of this module alone.
    pub module: Option<String>,
    /// Of this publication alone.
    pub publication: Option<String>,
    /// Only what is one of these on that day; whatever it is where there are none.
    pub status: Vec<Status>,
    /// Only works of this sort.
    pub sort: Option<String>,
    /// Only works of this issuer.
    pub issuer: Option<String>,
    /// How many hits are skipped.
    pub skip: usize,
    /// How many hits are given.
    pub most: usize,
}

impl Query {
    /// A question for words, as of a day, and nothing else.
    pub fn new(text: impl Into<String>, on: Date) -> Self {
        Self {
            text: text.into(),
            on,
            module: None,
            publication: None,
            status: Vec::new(),
            sort: None,
            issuer: None,
            skip: 0,
            most: 10,
        }
    }

    /// Its words, if it is one that is asked.
    pub(crate) fn words(&self) -> Result<Vec<String>, SearchError> {
        if self.text.chars().nth(LONGEST_QUERY).is_some() {
            return Err(SearchError::Long { most: LONGEST_QUERY });
        }
        if self.skip > MOST_SKIPPED {
            return Err(SearchError::Deep { most: MOST_SKIPPED });
        }
        let words = asked(&self.text);
        if words.is_empty() { Err(SearchError::NoWord) } else { Ok(words) }
    }
}

/// A version of a work that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The module.
    pub module: String,
    /// The publication.
    pub publication: String,
    /// The work.
    pub work: String,
    /// The version.
    pub version: u32,
    /// How it is called.
    pub title: String,
    /// What sort of work it is.
    pub sort: Option<String>,
    /// Who has made it.
    pub issuer: Option<String>,
    /// What it is on the day that was asked for.
    pub status: Status,
    /// Where the words stand; none where they stand in the title alone.
    pub passages: Vec<Passage>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// How many there are altogether.
    pub total: usize,
    /// Those of this page, the best first.
    pub hits: Vec<Hit>,
}
