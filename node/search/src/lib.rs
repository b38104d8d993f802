//! Full-text search in Chinese.
//!
//! What is public stands in an [`Index`] of its own, made from what everybody reads ([`chancery_apps::Published`]) and from nothing
//! else: it can be thrown away and made again. What is not public never comes into it. Of that, words stand in the store under a
//! key ([`Keyed`]), beside the document and in its batch, and a question is answered only with what whoever asks may read.
#![warn(missing_docs)]

mod error;
mod index;
mod keyed;
mod mark;
mod query;
#[cfg(test)]
mod tests;
mod words;

pub use self::{
    error::SearchError,
    index::Index,
    keyed::{Keyed, KeyedPage, Rows, TOKEN},
    mark::Passage,
    query::{Hit, MOST_HITS, MOST_SKIPPED, Page, Query},
    words::{LONGEST_QUERY, words},
};
